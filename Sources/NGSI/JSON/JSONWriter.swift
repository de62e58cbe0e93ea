/// Writes JSON text into a buffer of its own.
///
/// Memory by hand, because it is the hub's most used loop: an array would check for uniqueness and room at each byte.
public struct JSONWriter: ~Copyable {
  private var start: UnsafeMutablePointer<UInt8>
  private var count = 0
  private var capacity: Int
  /// The time written last, and its text.
  private var lastTime: DateTime?
  private var lastTimeText: Range<Int> = 0..<0

  public init(capacity: Int = 1024) {
    self.capacity = max(64, capacity)
    start = .allocate(capacity: self.capacity)
  }

  deinit { start.deallocate() }

  /// A copy of what has been written.
  public var bytes: [UInt8] { Array(UnsafeBufferPointer(start: start, count: count)) }

  @inline(__always)
  private mutating func reserve(_ more: Int) { if capacity - count < more { grow(more) } }

  @inline(never)
  private mutating func grow(_ more: Int) {
    capacity = max(capacity * 2, count + more)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    larger.update(from: start, count: count)
    start.deallocate()
    start = larger
  }

  public static func bytes(_ value: JSON) -> [UInt8] {
    var writer = JSONWriter()
    writer.write(value)
    return writer.bytes
  }

  public static func text(_ value: JSON) -> String { String(decoding: bytes(value), as: UTF8.self) }

  public mutating func write(_ value: JSON) {
    switch value {
    case .null: raw("null")
    case .bool(let flag): raw(flag ? "true" : "false")
    case .integer(let number): write(number)
    case .double(let number): write(number)
    case .decimal(let text): append(text)
    case .string(let text): write(text)
    case .array(let items):
      byte(UInt8(ascii: "["))
      var first = true
      for item in items {
        if first { first = false } else { byte(UInt8(ascii: ",")) }
        write(item)
      }
      byte(UInt8(ascii: "]"))
    case .object(let object):
      byte(UInt8(ascii: "{"))
      var first = true
      for member in object.members {
        if first { first = false } else { byte(UInt8(ascii: ",")) }
        write(member.key)
        byte(UInt8(ascii: ":"))
        write(member.value)
      }
      byte(UInt8(ascii: "}"))
    }
  }

  /// Writes `"key":`, with a comma before it unless the object has just been opened.
  public mutating func key(_ key: String) {
    separate()
    write(key)
    byte(UInt8(ascii: ":"))
  }

  /// The same for a key of the caller's memory.
  public mutating func key(utf8 key: UnsafeRawBufferPointer) {
    separate()
    write(utf8: key)
    byte(UInt8(ascii: ":"))
  }

  /// Writes `"key":` for a key that needs no escaping.
  public mutating func key(_ key: StaticString) {
    let length = key.utf8CodeUnitCount
    reserve(length + 4)
    separate()
    start[count] = UInt8(ascii: "\"")
    (start + count + 1).update(from: key.utf8Start, count: length)
    start[count + length + 1] = UInt8(ascii: "\"")
    start[count + length + 2] = UInt8(ascii: ":")
    count += length + 3
  }

  /// Writes the comma between items, unless the array or object has just been opened.
  @inline(__always)
  public mutating func separate() {
    guard count > 0 else { return }
    let last = start[count - 1]
    if last != UInt8(ascii: "{"), last != UInt8(ascii: "["), last != UInt8(ascii: ":") { byte(UInt8(ascii: ",")) }
  }

  public mutating func open(_ bracket: Unicode.Scalar) { byte(UInt8(truncatingIfNeeded: bracket.value)) }
  public mutating func close(_ bracket: Unicode.Scalar) { byte(UInt8(truncatingIfNeeded: bracket.value)) }

  /// Appends bytes that already are JSON text.
  public mutating func json(_ text: some Collection<UInt8>) {
    let isContiguous: Void? = text.withContiguousStorageIfAvailable { append($0) }
    if isContiguous == nil { for byte in text { self.byte(byte) } }
  }

  /// The same for bytes of the caller's memory.
  @inline(__always)
  public mutating func json(utf8 text: UnsafeRawBufferPointer) { append(text.assumingMemoryBound(to: UInt8.self)) }

  /// The same for a text of the program's.
  public mutating func json(_ text: StaticString) { raw(text) }

  @inline(__always)
  private mutating func byte(_ value: UInt8) {
    reserve(1)
    start[count] = value
    count += 1
  }

  @inline(__always)
  private mutating func append(_ more: UnsafeBufferPointer<UInt8>) {
    guard let first = more.baseAddress else { return }
    reserve(more.count)
    (start + count).update(from: first, count: more.count)
    count += more.count
  }

  private mutating func raw(_ text: StaticString) {
    append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append($0) }
  }

  public mutating func write(_ number: Int64) {
    reserve(20)
    if number < 0 { byte(UInt8(ascii: "-")) }
    var rest = number.magnitude
    var digits = 1
    var bound: UInt64 = 10
    while digits < 19, rest >= bound {
      digits += 1
      bound &*= 10
    }
    for position in stride(from: count + digits - 1, through: count, by: -1) {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      start[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
      rest = quotient
    }
    count += digits
  }

  public mutating func write(_ number: Double) {
    // Shortest text that reads back as the same value; JSON has no infinities, and none can be parsed.
    guard number.isFinite else { return raw("null") }
    if writeDecimal(number) { return }
    var text = number.description
    text.withUTF8 { text in
      // Swift writes 1e-07; the shortest text has no such zero.
      if text.count > 4, text[text.count - 4] == UInt8(ascii: "e"), text[text.count - 2] == UInt8(ascii: "0") {
        append(UnsafeBufferPointer(rebasing: text[..<(text.count - 2)]))
        byte(text[text.count - 1])
      } else {
        append(text)
      }
    }
  }

  /// Writes a number that has few places after the point, as most measured ones and coordinates have; false for others.
  ///
  /// A decimal of at most 15 digits that reads back as the number is its shortest text, because no other decimal of so
  /// few digits reads back as the same number; and the quotient here is what reading the text gives.
  private mutating func writeDecimal(_ number: Double) -> Bool {
    let magnitude = number.magnitude
    guard magnitude >= 1e-3, magnitude < 1e9 else { return false }
    if let digits = Self.digits(of: magnitude, times: 1e2) {
      writeDecimal(digits, places: 2, unit: 100, isNegative: number < 0)
    } else if let digits = Self.digits(of: magnitude, times: 1e6) {
      writeDecimal(digits, places: 6, unit: 1_000_000, isNegative: number < 0)
    } else if magnitude < 1e6, let digits = Self.digits(of: magnitude, times: 1e9) {
      writeDecimal(digits, places: 9, unit: 1_000_000_000, isNegative: number < 0)
    } else {
      return false
    }
    return true
  }

  /// The number as so many parts of one; `nil` when it is not exactly that.
  @inline(__always)
  private static func digits(of magnitude: Double, times scale: Double) -> UInt64? {
    let digits = UInt64(magnitude * scale + 0.5)
    return Double(digits) / scale == magnitude ? digits : nil
  }

  @inline(__always)
  private mutating func writeDecimal(_ digits: UInt64, places: Int, unit: UInt64, isNegative: Bool) {
    if isNegative { byte(UInt8(ascii: "-")) }
    let whole = digits / unit
    var rest = digits - whole * unit
    write(Int64(whole))
    reserve(10)
    start[count] = UInt8(ascii: ".")
    for position in stride(from: places, to: 0, by: -1) {
      let quotient = rest / 10
      start[count + position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest - quotient * 10)
      rest = quotient
    }
    count += places + 1
    while start[count - 1] == UInt8(ascii: "0"), start[count - 2] != UInt8(ascii: ".") { count -= 1 }
  }

  public mutating func write(_ time: DateTime) {
    reserve(DateTime.textCapacity + 2)
    start[count] = UInt8(ascii: "\"")
    count += 1
    // Most times of an entity are the same, and most of a history are of the day of the one before.
    if lastTime?.hasSameText(as: time) == true {
      (start + count).update(from: start + lastTimeText.lowerBound, count: lastTimeText.count)
      count += lastTimeText.count
    } else {
      let room = UnsafeMutableBufferPointer(start: start + count, count: DateTime.textCapacity)
      let written: Int
      if let lastTime, time.isOfSameDay(as: lastTime) {
        (start + count).update(from: start + lastTimeText.lowerBound, count: DateTime.dateLength)
        written = time.writeClock(to: room, at: DateTime.dateLength)
      } else {
        written = time.write(to: room)
      }
      lastTimeText = count..<count + written
      count += written
      lastTime = time
    }
    start[count] = UInt8(ascii: "\"")
    count += 1
  }

  public mutating func write(_ text: String) {
    var text = text
    text.withUTF8 { write(text: $0) }
  }

  /// Writes a text of the caller's memory; what is not UTF-8 in it is replaced as `String` does it.
  public mutating func write(utf8 text: UnsafeRawBufferPointer) {
    let text = text.assumingMemoryBound(to: UInt8.self)
    if Self.isPlain(text) {
      reserve(text.count + 2)
      start[count] = UInt8(ascii: "\"")
      if let first = text.baseAddress { (start + count + 1).update(from: first, count: text.count) }
      start[count + text.count + 1] = UInt8(ascii: "\"")
      count += text.count + 2
    } else if UTF8Check.isValid(text) {
      write(text: text)
    } else {
      write(String(decoding: text, as: UTF8.self))
    }
  }

  private mutating func write(text: UnsafeBufferPointer<UInt8>) {
    reserve(text.count + 2)
    byte(UInt8(ascii: "\""))
    var position = 0
    while let special = Self.firstSpecial(text, from: position) {
      append(UnsafeBufferPointer(rebasing: text[position..<special]))
      escape(text[special])
      position = special + 1
    }
    append(UnsafeBufferPointer(rebasing: text[position...]))
    byte(UInt8(ascii: "\""))
  }

  /// Whether a text is ASCII and needs no escaping: eight bytes are looked at in one step.
  private static func isPlain(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let first = text.baseAddress else { return true }
    var position = 0
    var found: UInt64 = 0
    while position + 8 <= text.count {
      found |= special(UnsafeRawPointer(first).loadUnaligned(fromByteOffset: position, as: UInt64.self))
      position += 8
    }
    var isPlain = found & tops == 0
    while position < text.count {
      let unit = text[position]
      if unit < 0x20 || unit >= 0x80 || unit == UInt8(ascii: "\"") || unit == UInt8(ascii: "\\") { isPlain = false }
      position += 1
    }
    return isPlain
  }

  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let tops: UInt64 = 0x8080_8080_8080_8080

  /// Top bits of bytes that are not ASCII or need escaping; now and then of others behind such a one.
  @inline(__always)
  private static func special(_ word: UInt64) -> UInt64 {
    let quotes = word ^ (ones &* 0x22)
    let slashes = word ^ (ones &* 0x5C)
    return word | (word &- ones &* 0x20) | (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes
  }

  /// Where the first byte stands that needs escaping; eight bytes are looked at in one step.
  private static func firstSpecial(_ text: UnsafeBufferPointer<UInt8>, from begin: Int) -> Int? {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    var position = begin
    while position + 8 <= text.count {
      let word = UnsafeRawPointer(text.baseAddress.unsafelyUnwrapped).loadUnaligned(
        fromByteOffset: position, as: UInt64.self)
      let quotes = word ^ (ones &* 0x22)
      let slashes = word ^ (ones &* 0x5C)
      // A byte below 0x20, or one that the exclusive or made zero, borrows into its top bit.
      let found =
        ((word &- ones &* 0x20) & ~word) | ((quotes &- ones) & ~quotes) | ((slashes &- ones) & ~slashes)
      if found & tops != 0 { break }
      position += 8
    }
    while position < text.count {
      let unit = text[position]
      if unit < 0x20 || unit == UInt8(ascii: "\"") || unit == UInt8(ascii: "\\") { return position }
      position += 1
    }
    return nil
  }

  private mutating func escape(_ unit: UInt8) {
    byte(UInt8(ascii: "\\"))
    switch unit {
    case 0x08: byte(UInt8(ascii: "b"))
    case 0x0C: byte(UInt8(ascii: "f"))
    case 0x0A: byte(UInt8(ascii: "n"))
    case 0x0D: byte(UInt8(ascii: "r"))
    case 0x09: byte(UInt8(ascii: "t"))
    case 0..<0x20:
      let hex = Array("0123456789abcdef".utf8)
      raw("u00")
      byte(hex[Int(unit >> 4)])
      byte(hex[Int(unit & 15)])
    default: byte(unit)
    }
  }
}
