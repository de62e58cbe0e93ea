/// Writes JSON text into a byte buffer that the caller keeps and may reuse.
public struct JSONWriter {
  public private(set) var bytes: [UInt8]
  /// The time written last, and its text.
  private var lastTime: DateTime?
  private var lastTimeText: [UInt8] = []

  public init(capacity: Int = 1024) {
    bytes = []
    bytes.reserveCapacity(capacity)
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

  /// Writes `"key":` for a key that needs no escaping.
  public mutating func key(_ key: StaticString) {
    separate()
    byte(UInt8(ascii: "\""))
    raw(key)
    byte(UInt8(ascii: "\""))
    byte(UInt8(ascii: ":"))
  }

  /// Writes the comma between items, unless the array or object has just been opened.
  @inline(__always)
  public mutating func separate() {
    guard let last = bytes.last else { return }
    if last != UInt8(ascii: "{"), last != UInt8(ascii: "["), last != UInt8(ascii: ":") { byte(UInt8(ascii: ",")) }
  }

  public mutating func open(_ bracket: Unicode.Scalar) { byte(UInt8(truncatingIfNeeded: bracket.value)) }
  public mutating func close(_ bracket: Unicode.Scalar) { byte(UInt8(truncatingIfNeeded: bracket.value)) }

  /// Appends bytes that already are JSON text.
  public mutating func json(_ text: some Collection<UInt8>) { bytes.append(contentsOf: text) }

  @inline(__always)
  private mutating func byte(_ value: UInt8) { bytes.append(value) }

  private mutating func raw(_ text: StaticString) {
    bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func append(_ text: some StringProtocol) { bytes.append(contentsOf: text.utf8) }

  public mutating func write(_ number: Int64) {
    if number >= 0, number < 10 {
      byte(UInt8(ascii: "0") + UInt8(number))
      return
    }
    append(String(number))
  }

  public mutating func write(_ number: Double) {
    // Shortest text that reads back as the same value; JSON has no infinities, and none can be parsed.
    guard number.isFinite else { return raw("null") }
    let text = "\(number)"
    // Swift writes 1e-07; the shortest text has no such zero.
    if let zero = text.utf8.firstIndex(of: UInt8(ascii: "e")).map({ text.utf8.index($0, offsetBy: 2) }),
      zero < text.utf8.endIndex, text.utf8[zero] == UInt8(ascii: "0")
    {
      append(text[..<zero])
      append(text[text.utf8.index(after: zero)...])
    } else {
      append(text)
    }
  }

  public mutating func write(_ time: DateTime) {
    byte(UInt8(ascii: "\""))
    // Most times of an entity are the same.
    if lastTime?.hasSameText(as: time) == true {
      bytes.append(contentsOf: lastTimeText)
    } else {
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: DateTime.textCapacity) { buffer in
        let count = time.write(to: buffer)
        let text = UnsafeBufferPointer(rebasing: buffer[..<count])
        bytes.append(contentsOf: text)
        lastTimeText.removeAll(keepingCapacity: true)
        lastTimeText.append(contentsOf: text)
      }
      lastTime = time
    }
    byte(UInt8(ascii: "\""))
  }

  public mutating func write(_ text: String) {
    byte(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { utf8 in
      var start = 0
      var position = 0
      while position < utf8.count {
        let unit = utf8[position]
        if unit >= 0x20, unit != UInt8(ascii: "\""), unit != UInt8(ascii: "\\") {
          position += 1
          continue
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<position]))
        escape(unit)
        position += 1
        start = position
      }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<position]))
    }
    byte(UInt8(ascii: "\""))
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
