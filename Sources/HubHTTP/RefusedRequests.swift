import Glibc
import Hub
import NGSI
import NIOCore
import NIOHTTP1
import Store

// What the API refuses to take in goes into the verification history: writes, not questions.

extension API {
  /// Bytes of a request that the history shows.
  private static let sampleBytes = 512

  /// Whether a request brings something: its refusal is one of input, and it counts as a write.
  static func brings(_ request: APIRequest) -> Bool {
    switch request.method {
    case .POST, .PUT, .PATCH, .DELETE: !request.path.hasSuffix("/query") && !request.path.hasSuffix("query/")
    default: false
    }
  }

  /// Notes a request that was refused whole.
  func noteRefused(_ request: APIRequest, _ problem: Problem) {
    // What the hub could not do, for want of room or by its own failure, says nothing about the input.
    guard Self.brings(request), problem.status < 500 else { return }
    let tenant = (try? Exchange.tenant(request.headers)) ?? .default
    let sample = request.body.getBytes(
      at: request.body.readerIndex, length: min(Self.sampleBytes, request.body.readableBytes))
    hub.noteRefused(
      RefusedInput(
        door: Self.door(request), source: request.remote ?? "", tenant: tenant, problem: problem,
        entityId: Self.entityId(request), sample: String(decoding: sample ?? [], as: UTF8.self)))
  }

  /// Notes the entities of a batch that were refused.
  func noteRefused(_ errors: [(id: String, problem: Problem)], _ request: APIRequest, in tenant: Tenant) {
    for (index, error) in errors.enumerated() where error.problem.status < 500 {
      hub.noteRefused(
        RefusedInput(
          door: Self.door(request), source: request.remote ?? "", tenant: tenant.owner, problem: error.problem,
          entityId: error.id, sample: index < 20 ? Self.sample(of: error.id, in: request.body) : ""))
    }
  }

  /// The operation: method and collection, without ids.
  private static func door(_ request: APIRequest) -> String {
    let parts = request.path.split(separator: "/").prefix(2)
    let isOperation = parts.first == "entityOperations" || parts.first == "temporal"
    return "\(request.method.rawValue) /\(parts.prefix(isOperation ? 2 : 1).joined(separator: "/").prefix(100))"
  }

  /// The entity that the path is about.
  private static func entityId(_ request: APIRequest) -> String? {
    let parts = request.path.split(separator: "/").prefix(3)
    let id = parts.first == "temporal" ? parts.dropFirst(2).first : parts.dropFirst().first
    guard parts.first == "entities" || parts.first == "temporal", let id else { return nil }
    return try? PercentCoding.decode(id, plusIsSpace: false)
  }

  /// The first bytes of the entity with an id in the body of a batch.
  private static func sample(of id: String, in body: ByteBuffer) -> String {
    guard !id.isEmpty else { return "" }
    return body.withUnsafeReadableBytes { bytes in
      guard let found = position(of: Array("\"\(id)\"".utf8), in: bytes) else { return "" }
      var first = found
      let least = max(0, first - 40)
      while first > least, bytes[first] != UInt8(ascii: "{") { first -= 1 }
      return String(decoding: bytes[first..<min(first + sampleBytes, bytes.count)], as: UTF8.self)
    }
  }

  /// Bytes of a batch that are searched for one entity.
  private static let searched = 4 << 20

  private static func position(of name: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let start = bytes.baseAddress else { return nil }
    let end = min(bytes.count, searched) - name.count
    var position = 0
    while position <= end, let found = memchr(start + position, Int32(name[0]), end - position + 1) {
      if memcmp(found, name, name.count) == 0 { return start.distance(to: UnsafeRawPointer(found)) }
      position = start.distance(to: UnsafeRawPointer(found)) + 1
    }
    return nil
  }
}
