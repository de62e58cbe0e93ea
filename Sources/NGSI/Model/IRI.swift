/// Checks on identifiers. The hub stores an identifier exactly as it came.
public enum IRI {
  /// Longest identifier or name that is taken, in bytes.
  public static let maxLength = 2048

  /// Whether the text is an absolute URI or IRI: `scheme:rest` with no space, control or delimiter character
  /// (RFC 3986 section 3, RFC 3987 section 2.2).
  public static func isAbsolute(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      guard bytes.count >= 3, bytes.count <= maxLength else { return false }
      var colon = 0
      while colon < bytes.count, bytes[colon] != UInt8(ascii: ":") {
        let byte = bytes[colon]
        let letter = (byte | 0x20) &- UInt8(ascii: "a") < 26
        let other =
          byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
          || byte == UInt8(ascii: ".")
        guard letter || (colon > 0 && other) else { return false }
        colon += 1
      }
      guard colon > 0, colon + 1 < bytes.count else { return false }
      for position in colon + 1..<bytes.count {
        switch bytes[position] {
        case 0...0x20, 0x7F, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "{"),
          UInt8(ascii: "}"), UInt8(ascii: "|"), UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"):
          return false
        default: continue
        }
      }
      return true
    }
  }
}
