import Foundation

/// Reads members of a ZIP file (APPNOTE 6.3, stored and deflated members, no encryption, no ZIP64).
///
/// GTFS feeds come as ZIP. The unpacking is zlib's; only the directory is read here, so that no further library is
/// needed, no child process sees a stranger's file, and every length is checked before it is used.
final class ZipArchive {
  struct Member {
    var name: String
    var method: UInt16
    var packedSize: Int
    var size: Int
    var headerOffset: Int
  }

  static let maxBytes = 512 << 20
  static let maxMemberBytes = 2 << 30

  let path: String
  let members: [Member]
  private let bytes: Data

  init(path: String) throws(IngestError) {
    self.path = path
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard let size = (attributes?[.size] as? NSNumber)?.intValue else {
      throw IngestError("\(path): no such file, or it may not be read")
    }
    guard size <= Self.maxBytes else { throw IngestError("\(path): larger than \(Self.maxBytes) bytes") }
    guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) else {
      throw IngestError("\(path): reading failed")
    }
    self.bytes = bytes
    members = try Self.directory(bytes, path)
  }

  private static func directory(_ bytes: Data, _ path: String) throws(IngestError) -> [Member] {
    let broken = IngestError("\(path): not a ZIP file, or a damaged one")
    func number(_ at: Int, _ width: Int) -> Int? {
      guard at >= 0, at + width <= bytes.count else { return nil }
      return (0..<width).reduce(0) { $0 | Int(bytes[bytes.startIndex + at + $1]) << (8 * $1) }
    }
    // The end record is 22 bytes and a comment of at most 65,535.
    let earliest = max(0, bytes.count - 22 - 65_535)
    guard bytes.count >= 22,
      let end = stride(from: bytes.count - 22, through: earliest, by: -1).first(where: { number($0, 4) == 0x0605_4B50 }
      ),
      let count = number(end + 10, 2), var at = number(end + 16, 4)
    else { throw broken }
    var members: [Member] = []
    for _ in 0..<count {
      guard number(at, 4) == 0x0201_4B50, let flags = number(at + 8, 2), let method = number(at + 10, 2),
        let packed = number(at + 20, 4), let size = number(at + 24, 4), let nameLength = number(at + 28, 2),
        let extraLength = number(at + 30, 2), let commentLength = number(at + 32, 2), let offset = number(at + 42, 4),
        at + 46 + nameLength <= bytes.count
      else { throw broken }
      guard flags & 1 == 0 else { throw IngestError("\(path): is encrypted, which is not read") }
      let start = bytes.startIndex + at + 46
      let name = String(decoding: bytes[start..<start + nameLength], as: UTF8.self)
      members.append(
        Member(name: name, method: UInt16(method), packedSize: packed, size: size, headerOffset: offset))
      at += 46 + nameLength + extraLength + commentLength
    }
    return members
  }

  /// The bytes of a member in chunks; `nil` when the archive has no such member. Folders in front are passed over.
  func open(_ name: String) throws(IngestError) -> (any ByteSource)? {
    guard let member = members.first(where: { $0.name == name || $0.name.hasSuffix("/" + name) }) else { return nil }
    let header = bytes.startIndex + member.headerOffset
    guard member.size <= Self.maxMemberBytes, header + 30 <= bytes.endIndex else {
      throw IngestError("\(path): the member \(name) is damaged or too large")
    }
    let nameLength = Int(bytes[header + 26]) | Int(bytes[header + 27]) << 8
    let extraLength = Int(bytes[header + 28]) | Int(bytes[header + 29]) << 8
    let start = header + 30 + nameLength + extraLength
    guard start + member.packedSize <= bytes.endIndex else {
      throw IngestError("\(path): the member \(name) is cut short")
    }
    let packed = MemorySource(bytes[start..<start + member.packedSize])
    switch member.method {
    case 0: return packed
    case 8: return try InflateSource(packed, name: "\(path)/\(name)", format: .deflate)
    default: throw IngestError("\(path): the member \(name) is packed by method \(member.method), which is not read")
    }
  }
}

/// Bytes that lie in memory, in chunks.
final class MemorySource: ByteSource {
  private let data: Data
  private var taken = 0

  init(_ data: Data) { self.data = data }

  var progress: Double { data.isEmpty ? 1 : Double(taken) / Double(data.count) }

  func next() -> [UInt8]? {
    guard taken < data.count else { return nil }
    let start = data.startIndex + taken
    let end = min(start + FileSource.chunk, data.endIndex)
    taken += end - start
    return [UInt8](data[start..<end])
  }
}
