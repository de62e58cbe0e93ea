import NIOCore
import NIOHTTP1

extension APIResponse {
  /// The whole answer as it goes over the wire (RFC 9112), head and body in one buffer.
  func message(keepsAlive: Bool, _ channel: any Channel) -> ByteBuffer {
    var buffer = channel.allocator.buffer(capacity: 320 + body.count)
    let status = HTTPResponseStatus(statusCode: self.status)
    buffer.writeStaticString("HTTP/1.1 ")
    buffer.writeString(String(status.code))
    buffer.writeStaticString(" ")
    buffer.writeString(status.reasonPhrase)
    buffer.writeStaticString("\r\n")
    for (name, value) in headers {
      buffer.writeString(name)
      buffer.writeStaticString(": ")
      buffer.writeFieldValue(value)
      buffer.writeStaticString("\r\n")
    }
    // Clause 6.3.6: no length with 204. HEAD keeps the length of the body that it leaves out.
    if self.status != 204, !headers.contains(name: "Content-Length") {
      buffer.writeStaticString("Content-Length: ")
      buffer.writeString(String(body.count))
      buffer.writeStaticString("\r\n")
    }
    buffer.writeStaticString("Date: ")
    buffer.writeString(HTTPDate.now)
    buffer.writeStaticString("\r\nServer: madang\r\n")
    buffer.writeStaticString(keepsAlive ? "\r\n" : "Connection: close\r\n\r\n")
    buffer.writeBytes(body)
    return buffer
  }
}

extension ByteBuffer {
  /// Writes a header's value; what could end the line becomes a space.
  fileprivate mutating func writeFieldValue(_ value: String) {
    let isClean = value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    if isClean { writeString(value) } else { writeBytes(value.utf8.map { $0 >= 0x20 && $0 != 0x7F ? $0 : 0x20 }) }
  }
}
