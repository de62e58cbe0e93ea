import NGSI
import Store

/// Reads what ``ByteWriter`` wrote. Every read is checked: a damaged file is an error, not a crash.
struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var depthLeft = 256

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  static let damaged = StoreError.failed("a stored value is damaged")

  var isAtEnd: Bool { position == bytes.count }

  @inline(__always)
  mutating func byte() throws(StoreError) -> UInt8 {
    guard position < bytes.count else { throw ByteReader.damaged }
    defer { position += 1 }
    return bytes[position]
  }

  @inline(__always)
  mutating func unsigned() throws(StoreError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = try byte()
      value |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return value }
      shift += 7
      guard shift < 64 else { throw ByteReader.damaged }
    }
  }

  /// A length or count: at least that many bytes must follow.
  mutating func count() throws(StoreError) -> Int {
    let value = try unsigned()
    guard value <= UInt64(bytes.count - position) else { throw ByteReader.damaged }
    return Int(value)
  }

  mutating func signed() throws(StoreError) -> Int64 {
    let value = try unsigned()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  @inline(__always)
  mutating func fixed() throws(StoreError) -> UInt64 {
    guard bytes.count - position >= 8 else { throw ByteReader.damaged }
    defer { position += 8 }
    return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
  }

  mutating func time() throws(StoreError) -> DateTime { DateTime(microseconds: Int64(bitPattern: try fixed())) }

  @inline(__always)
  mutating func text() throws(StoreError) -> String { String(decoding: try slice(), as: UTF8.self) }

  /// The bytes of a text where they stand.
  @inline(__always)
  mutating func slice() throws(StoreError) -> UnsafeRawBufferPointer {
    let count = try count()
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  /// Bytes behind their count.
  mutating func block() throws(StoreError) -> [UInt8] {
    let count = try count()
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  mutating func json() throws(StoreError) -> JSON {
    switch try byte() {
    case 0: return .null
    case 1: return .bool(false)
    case 2: return .bool(true)
    case 3: return .integer(try signed())
    case 4: return .double(Double(bitPattern: try fixed()))
    case 5: return .decimal(try text())
    case 6: return .string(try text())
    case 7:
      try descend()
      let count = try count()
      var items: [JSON] = []
      items.reserveCapacity(count)
      for _ in 0..<count { items.append(try json()) }
      depthLeft += 1
      return .array(items)
    case 8:
      try descend()
      let count = try count()
      var members: [JSONObject.Member] = []
      members.reserveCapacity(count)
      for _ in 0..<count { members.append(JSONObject.Member(key: try text(), value: try json())) }
      depthLeft += 1
      return .object(JSONObject(uniqueMembers: members))
    default: throw ByteReader.damaged
    }
  }

  /// The bytes that a body goes behind.
  mutating func passed(_ body: (inout ByteReader) throws(StoreError) -> Void) throws(StoreError)
    -> UnsafeRawBufferPointer
  {
    let start = position
    try body(&self)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
  }

  mutating func descend() throws(StoreError) {
    guard depthLeft > 0 else { throw ByteReader.damaged }
    depthLeft -= 1
  }

  mutating func ascend() { depthLeft += 1 }
}
