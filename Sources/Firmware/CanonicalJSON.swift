import NGSI

/// The form of JSON that signatures of TUF are made over (specification 1.0 section 4.2, "canonical JSON"): members in
/// the order of their names, no space, only `"` and `\` escaped, no fractions.
enum CanonicalJSON {
  /// - Throws: ``FirmwareError/malformed(_:)`` for a number with a fraction, which the form does not have.
  static func bytes(_ value: JSON) throws(FirmwareError) -> [UInt8] {
    var bytes: [UInt8] = []
    try write(value, &bytes)
    return bytes
  }

  private static func write(_ value: JSON, _ bytes: inout [UInt8]) throws(FirmwareError) {
    switch value {
    case .object(let object):
      bytes.append(UInt8(ascii: "{"))
      // Unicode's order of code points is that of UTF-8's bytes.
      let members = object.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      for (index, member) in members.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        write(text: member.key, &bytes)
        bytes.append(UInt8(ascii: ":"))
        try write(member.value, &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    case .array(let elements):
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        try write(element, &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .string(let text): write(text: text, &bytes)
    case .integer(let number): bytes += Array("\(number)".utf8)
    case .bool(let flag): bytes += Array(flag ? "true".utf8 : "false".utf8)
    case .null: bytes += Array("null".utf8)
    default: throw .malformed("metadata has whole numbers only")
    }
  }

  private static func write(text: String, _ bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
      bytes.append(byte)
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
