/// Why a text is not acceptable JSON, and where.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Reason: String, Sendable {
    case unexpectedEnd = "the text ends too early"
    case unexpectedByte = "unexpected character"
    case badEscape = "invalid escape in a string"
    case badUTF8 = "a string is not valid UTF-8"
    case controlCharacter = "unescaped control character in a string"
    case badNumber = "invalid number"
    case numberTooLarge = "a number is outside the range of a 64-bit float"
    case tooDeep = "nested too deeply"
    case duplicateKey = "an object has the same member twice"
    case trailingBytes = "text after the end of the value"
  }

  public let reason: Reason
  /// Byte offset from the start of the text.
  public let offset: Int

  public var description: String { "\(reason.rawValue) (byte \(offset))" }
}

/// Strict RFC 8259 reader over bytes: one pass, bounded depth, duplicate members refused.
///
/// The standard library's readers are 10 to 70 times slower; the hub lives on JSON (see `docs/performance.md`).
public struct JSONParser {
  /// Deepest nesting of arrays and objects that is read.
  public static let defaultDepth = 128

  let bytes: UnsafeBufferPointer<UInt8>
  var position = 0
  private var depthLeft: Int

  public static func parse(_ bytes: UnsafeBufferPointer<UInt8>, maxDepth: Int = defaultDepth)
    throws(JSONError) -> JSON
  {
    var parser = JSONParser(bytes: bytes, maxDepth: maxDepth)
    return try parser.document()
  }

  public static func parse(_ bytes: [UInt8], maxDepth: Int = defaultDepth) throws(JSONError) -> JSON {
    try run { () throws(JSONError) -> JSON in
      let result: Result<JSON, JSONError> = bytes.withUnsafeBufferPointer { buffer in
        Result { () throws(JSONError) -> JSON in try parse(buffer, maxDepth: maxDepth) }
      }
      return try result.get()
    }
  }

  public static func parse(_ text: String, maxDepth: Int = defaultDepth) throws(JSONError) -> JSON {
    var text = text
    let result: Result<JSON, JSONError> = text.withUTF8 { buffer in
      Result { () throws(JSONError) -> JSON in try parse(buffer, maxDepth: maxDepth) }
    }
    return try result.get()
  }

  private static func run(_ body: () throws(JSONError) -> JSON) throws(JSONError) -> JSON { try body() }

  init(bytes: UnsafeBufferPointer<UInt8>, maxDepth: Int) {
    self.bytes = bytes
    depthLeft = maxDepth
  }

  private mutating func document() throws(JSONError) -> JSON {
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
    skipSpace()
    let value = try value()
    skipSpace()
    guard position == bytes.count else { throw error(.trailingBytes) }
    return value
  }

  func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: position) }

  @inline(__always)
  mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  mutating func value() throws(JSONError) -> JSON {
    guard position < bytes.count else { throw error(.unexpectedEnd) }
    switch bytes[position] {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw error(.unexpectedByte)
    }
  }

  private mutating func literal(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    let count = text.utf8CodeUnitCount
    guard position + count <= bytes.count else { throw error(.unexpectedEnd) }
    for offset in 0..<count where bytes[position + offset] != text.utf8Start[offset] {
      throw error(.unexpectedByte)
    }
    position += count
    return value
  }

  private mutating func array() throws(JSONError) -> JSON {
    try descend()
    position += 1
    var items: [JSON] = []
    skipSpace()
    if try take(UInt8(ascii: "]")) {
      depthLeft += 1
      return .array(items)
    }
    while true {
      skipSpace()
      items.append(try value())
      skipSpace()
      if try take(UInt8(ascii: ",")) { continue }
      guard try take(UInt8(ascii: "]")) else { throw error(.unexpectedByte) }
      depthLeft += 1
      return .array(items)
    }
  }

  private mutating func object() throws(JSONError) -> JSON {
    try descend()
    position += 1
    var members: [JSONObject.Member] = []
    var seen: Set<String>?
    skipSpace()
    if try take(UInt8(ascii: "}")) {
      depthLeft += 1
      return .object(JSONObject())
    }
    while true {
      skipSpace()
      guard position < bytes.count else { throw error(.unexpectedEnd) }
      guard bytes[position] == UInt8(ascii: "\"") else { throw error(.unexpectedByte) }
      let key = try string()
      if seen != nil {
        guard seen?.insert(key).inserted == true else { throw error(.duplicateKey) }
      } else {
        for member in members where member.key.utf8.count == key.utf8.count && member.key == key {
          throw error(.duplicateKey)
        }
        if members.count == JSONObject.indexedFrom { seen = Set(members.map(\.key)).union([key]) }
      }
      skipSpace()
      guard try take(UInt8(ascii: ":")) else { throw error(.unexpectedByte) }
      skipSpace()
      members.append(JSONObject.Member(key: key, value: try value()))
      skipSpace()
      if try take(UInt8(ascii: ",")) { continue }
      guard try take(UInt8(ascii: "}")) else { throw error(.unexpectedByte) }
      depthLeft += 1
      return .object(JSONObject(uniqueMembers: members))
    }
  }

  private mutating func descend() throws(JSONError) {
    guard depthLeft > 0 else { throw error(.tooDeep) }
    depthLeft -= 1
  }

  mutating func take(_ byte: UInt8) throws(JSONError) -> Bool {
    guard position < bytes.count else { throw error(.unexpectedEnd) }
    guard bytes[position] == byte else { return false }
    position += 1
    return true
  }
}

// MARK: - Strings

extension JSONParser {
  mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    guard try skipPlainCharacters() else { return try escapedString(from: start) }
    let run = UnsafeBufferPointer(rebasing: bytes[start..<position])
    position += 1
    return String(decoding: run, as: UTF8.self)
  }

  /// Moves to the end of a string, or to its first escape and answers no. What it passes is valid UTF-8.
  @inline(__always)
  mutating func skipPlainCharacters() throws(JSONError) -> Bool {
    let start = position
    let end = bytes.count
    guard let base = bytes.baseAddress else { throw error(.unexpectedEnd) }
    var cursor = position
    var bits: UInt8 = 0
    defer { position = cursor }
    // Eight plain ASCII characters at a time.
    while cursor + 8 <= end {
      let word = UnsafeRawPointer(base + cursor).loadUnaligned(as: UInt64.self)
      guard !Self.hasSpecial(word) else { break }
      cursor += 8
    }
    while cursor < end {
      let byte = bytes[cursor]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        guard bits < 0x80 || UTF8Check.isValid(UnsafeBufferPointer(rebasing: bytes[start..<cursor])) else {
          throw JSONError(reason: .badUTF8, offset: cursor)
        }
        return byte == UInt8(ascii: "\"")
      }
      guard byte >= 0x20 else { throw JSONError(reason: .controlCharacter, offset: cursor) }
      bits |= byte
      cursor += 1
    }
    throw JSONError(reason: .unexpectedEnd, offset: cursor)
  }

  /// Whether one of eight bytes is a quote, a backslash, a control character, or not ASCII.
  @inline(__always)
  private static func hasSpecial(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    let quotes = word ^ (ones &* 0x22)
    let backslashes = word ^ (ones &* 0x5C)
    // Subtracting from each byte borrows into its top bit where the byte is smaller.
    let found = (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes | (word &- ones &* 0x20) & ~word
    return (found | word) & tops != 0
  }

  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var buffer = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        guard buffer.withUnsafeBufferPointer({ UTF8Check.isValid($0) }) else { throw error(.badUTF8) }
        position += 1
        return String(decoding: buffer, as: UTF8.self)
      case UInt8(ascii: "\\"):
        position += 1
        try escape(into: &buffer)
      case 0..<0x20: throw error(.controlCharacter)
      default:
        buffer.append(byte)
        position += 1
      }
    }
    throw error(.unexpectedEnd)
  }

  private mutating func escape(into buffer: inout [UInt8]) throws(JSONError) {
    guard position < bytes.count else { throw error(.unexpectedEnd) }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
    case UInt8(ascii: "b"): buffer.append(0x08)
    case UInt8(ascii: "f"): buffer.append(0x0C)
    case UInt8(ascii: "n"): buffer.append(0x0A)
    case UInt8(ascii: "r"): buffer.append(0x0D)
    case UInt8(ascii: "t"): buffer.append(0x09)
    case UInt8(ascii: "u"):
      var code = UInt32(try hexUnit())
      if (0xD800..<0xDC00).contains(code) {
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw error(.badEscape) }
        position += 2
        let low = UInt32(try hexUnit())
        guard (0xDC00..<0xE000).contains(low) else { throw error(.badEscape) }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error(.badEscape) }
      buffer.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    default: throw error(.badEscape)
    }
  }

  private mutating func hexUnit() throws(JSONError) -> UInt16 {
    guard position + 4 <= bytes.count else { throw error(.unexpectedEnd) }
    var unit: UInt16 = 0
    for _ in 0..<4 {
      let byte = bytes[position]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw error(.badEscape)
      }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }
}

// MARK: - Numbers

extension JSONParser {
  private mutating func number() throws(JSONError) -> JSON {
    let start = position
    let negative = bytes[position] == UInt8(ascii: "-")
    if negative { position += 1 }
    guard position < bytes.count else { throw error(.unexpectedEnd) }
    var magnitude: UInt64 = 0
    var overflow = false
    let firstDigit = position
    while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10 {
      let (scaled, o1) = magnitude.multipliedReportingOverflow(by: 10)
      let (sum, o2) = scaled.addingReportingOverflow(UInt64(digit))
      magnitude = sum
      overflow = overflow || o1 || o2
      position += 1
    }
    let integerDigits = position - firstDigit
    guard integerDigits > 0 else { throw error(.badNumber) }
    if integerDigits > 1, bytes[firstDigit] == UInt8(ascii: "0") { throw error(.badNumber) }
    var integral = true
    var fractionDigits = 0
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      integral = false
      position += 1
      let firstFractionDigit = position
      try digits()
      fractionDigits = position - firstFractionDigit
      for place in firstFractionDigit..<position where !overflow {
        let (scaled, o1) = magnitude.multipliedReportingOverflow(by: 10)
        let (sum, o2) = scaled.addingReportingOverflow(UInt64(bytes[place] &- UInt8(ascii: "0")))
        magnitude = sum
        overflow = o1 || o2
      }
    }
    let mantissaEnd = position
    var hasExponent = false
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      integral = false
      hasExponent = true
      position += 1
      if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
        position += 1
      }
      try digits()
    }
    if integral, !overflow {
      if !negative, magnitude <= UInt64(Int64.max) { return .integer(Int64(magnitude)) }
      if negative, magnitude == 0 { return .double(-0.0) }
      if negative, magnitude <= UInt64(Int64.max) + 1 { return .integer(Int64(truncatingIfNeeded: 0 &- magnitude)) }
    }
    // Both numbers are exact below these bounds, so the quotient is the nearest value there is (W. D. Clinger, "How to
    // read floating point numbers accurately", 1990).
    if !integral, !hasExponent, !overflow, magnitude <= 1 << 53, fractionDigits < Self.powersOfTen.count {
      let value = Double(magnitude) / Self.powersOfTen[fractionDigits]
      return .double(negative ? -value : value)
    }
    let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
    guard let value = Double(text), value.isFinite else { throw error(.numberTooLarge) }
    // 15 significant digits always survive a Double; beyond that keep the text.
    return mantissaEnd - start > 16 && "\(value)" != text ? .decimal(text) : .double(value)
  }

  /// The powers that a 64-bit float holds exactly.
  private static let powersOfTen: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]

  private mutating func digits() throws(JSONError) {
    let start = position
    while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
    guard position > start else { throw error(position < bytes.count ? .badNumber : .unexpectedEnd) }
  }
}
