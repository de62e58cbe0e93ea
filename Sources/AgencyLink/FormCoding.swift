/// `application/x-www-form-urlencoded`: read strictly, written as browsers write it.
enum FormCoding {
  struct Field: Sendable, Hashable {
    var name: String
    var value: String
  }

  static func read(_ bytes: [UInt8], bounds: Bounds) throws(MessageError) -> [Field] {
    var fields: [Field] = []
    for pair in bytes.split(separator: UInt8(ascii: "&")) {
      guard fields.count < bounds.formFields else { throw MessageError("form", .tooMany(bounds.formFields)) }
      let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      guard let name = text(pair[..<end]) else { throw MessageError("form", .notForm) }
      guard let value = text(pair[end...].dropFirst()) else { throw MessageError(shown(name), .notForm) }
      guard !fields.contains(where: { $0.name == name }) else { throw MessageError(shown(name), .twice) }
      fields.append(Field(name: name, value: value))
    }
    return fields
  }

  static func write(_ fields: [Field]) -> [UInt8] {
    var bytes: [UInt8] = []
    for field in fields {
      if !bytes.isEmpty { bytes.append(UInt8(ascii: "&")) }
      encode(field.name, into: &bytes)
      bytes.append(UInt8(ascii: "="))
      encode(field.value, into: &bytes)
    }
    return bytes
  }

  /// A name that somebody sent, fit for a sentence.
  static func shown(_ name: String) -> String {
    let shown = name.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(60)
    return shown.isEmpty ? "form" : String(String.UnicodeScalarView(shown))
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var position = bytes.startIndex
    while position < bytes.endIndex {
      switch bytes[position] {
      case UInt8(ascii: "+"): decoded.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard position + 2 < bytes.endIndex, let high = hex(bytes[position + 1]), let low = hex(bytes[position + 2])
        else { return nil }
        decoded.append(high << 4 | low)
        position += 2
      default: decoded.append(bytes[position])
      }
      position += 1
    }
    return String(validating: decoded, as: UTF8.self)
  }

  private static func hex(_ unit: UInt8) -> UInt8? {
    switch unit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): unit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): unit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): unit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  private static func encode(_ text: String, into bytes: inout [UInt8]) {
    let digits = Array("0123456789ABCDEF".utf8)
    for unit in text.utf8 {
      switch unit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "*"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"):
        bytes.append(unit)
      case UInt8(ascii: " "): bytes.append(UInt8(ascii: "+"))
      default: bytes += [UInt8(ascii: "%"), digits[Int(unit >> 4)], digits[Int(unit & 15)]]
      }
    }
  }
}
