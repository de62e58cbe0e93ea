import NIOCore
import NIOHTTP1

extension HTTPVersion {
  /// HTTP/1.1 or later: connections stay, bodies come in chunks.
  var knowsKeepAlive: Bool { major > 1 || (major == 1 && minor >= 1) }
}

extension APIRequest {
  /// The API's view of a request: what its target names below the prefix.
  init(_ head: HTTPRequestHead, _ door: HubDoors.Door, _ body: ByteBuffer) {
    let rest = head.uri[head.uri.utf8.index(head.uri.startIndex, offsetBy: door.prefix.utf8CodeUnitCount)...]
    let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?"))
    self.init(
      method: head.method, path: mark.map { rest[..<$0] } ?? rest,
      query: mark.map { rest[rest.utf8.index(after: $0)...] } ?? "", headers: head.headers, body: body)
  }
}
