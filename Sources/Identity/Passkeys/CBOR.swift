/// A value of CBOR (RFC 8949), as far as authenticators use it: the canonical form of CTAP2, definite lengths only.
indirect enum CBOR: Sendable, Hashable {
  case integer(Int64)
  case bytes([UInt8])
  case text(String)
  case array([CBOR])
  /// In the order they came; keys are unique.
  case map([(key: CBOR, value: CBOR)])
  case simple(UInt8)

  var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
  var bytes: [UInt8]? { if case .bytes(let value) = self { value } else { nil } }
  var text: String? { if case .text(let value) = self { value } else { nil } }
  var count: Int? { if case .map(let members) = self { members.count } else { nil } }

  subscript(key: String) -> CBOR? { self[.text(key)] }
  subscript(key: Int64) -> CBOR? { self[.integer(key)] }

  private subscript(key: CBOR) -> CBOR? {
    if case .map(let members) = self { members.first { $0.key == key }?.value } else { nil }
  }

  static func == (left: CBOR, right: CBOR) -> Bool {
    switch (left, right) {
    case (.integer(let a), .integer(let b)): a == b
    case (.bytes(let a), .bytes(let b)): a == b
    case (.text(let a), .text(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.simple(let a), .simple(let b)): a == b
    case (.map(let a), .map(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }

  func hash(into hasher: inout Hasher) {
    switch self {
    case .integer(let value): hasher.combine(value)
    case .bytes(let value): hasher.combine(value)
    case .text(let value): hasher.combine(value)
    case .array(let items): hasher.combine(items)
    case .simple(let value): hasher.combine(value)
    case .map(let members): for member in members { hasher.combine(member.key) }
    }
  }
}

/// Reads CBOR within bounds: no input makes it deep, large or slow.
struct CBORReader {
  static let mostDepth = 8
  static let mostItems = 512

  private let input: ArraySlice<UInt8>
  private(set) var position: Int
  private var itemsLeft = mostItems

  private init(_ input: ArraySlice<UInt8>) {
    self.input = input
    position = input.startIndex
  }

  /// The value that the bytes begin with, and how many of them it is; `nil` for anything that it does not read.
  static func prefix(of bytes: ArraySlice<UInt8>) -> (value: CBOR, count: Int)? {
    var reader = CBORReader(bytes)
    guard let value = reader.value(depth: 0) else { return nil }
    return (value, reader.position - bytes.startIndex)
  }

  /// The value that all of the bytes are.
  static func whole(_ bytes: [UInt8]) -> CBOR? {
    guard let (value, count) = prefix(of: bytes[...]), count == bytes.count else { return nil }
    return value
  }

  private mutating func value(depth: Int) -> CBOR? {
    guard depth < Self.mostDepth, itemsLeft > 0, position < input.endIndex else { return nil }
    itemsLeft -= 1
    let head = input[position]
    position += 1
    guard let argument = argument(head & 31) else { return nil }
    switch head >> 5 {
    case 0: return Int64(exactly: argument).map(CBOR.integer)
    case 1: return Int64(exactly: argument).map { .integer(-1 - $0) }
    case 2: return take(argument).map { .bytes(Array($0)) }
    case 3: return take(argument).flatMap { String(validating: $0, as: UTF8.self) }.map(CBOR.text)
    case 4:
      // Each item has a byte at least.
      guard argument <= UInt64(input.endIndex - position) else { return nil }
      var items: [CBOR] = []
      for _ in 0..<argument {
        guard let item = value(depth: depth + 1) else { return nil }
        items.append(item)
      }
      return .array(items)
    case 5:
      guard argument <= UInt64(input.endIndex - position) / 2 else { return nil }
      var members: [(key: CBOR, value: CBOR)] = []
      var keys: Set<CBOR> = []
      for _ in 0..<argument {
        guard let key = value(depth: depth + 1), keys.insert(key).inserted, let value = value(depth: depth + 1) else {
          return nil
        }
        members.append((key, value))
      }
      return .map(members)
    case 7: return head & 31 < 24 ? .simple(head & 31) : nil
    default: return nil
    }
  }

  private mutating func argument(_ short: UInt8) -> UInt64? {
    if short < 24 { return UInt64(short) }
    guard short < 28, let bytes = take(1 << UInt64(short - 24)) else { return nil }
    return bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
  }

  private mutating func take(_ count: UInt64) -> ArraySlice<UInt8>? {
    guard count <= UInt64(input.endIndex - position) else { return nil }
    defer { position += Int(count) }
    return input[position..<position + Int(count)]
  }
}
