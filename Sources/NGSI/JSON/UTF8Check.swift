/// Validation of UTF-8 (RFC 3629 section 4); the standard library's is generic and costs more than all other parsing.
enum UTF8Check {
  static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var seen: UInt8 = 0
    for byte in bytes { seen |= byte }
    return seen < 0x80
  }

  static func isValid(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var position = 0
    while position < bytes.count {
      let lead = bytes[position]
      position += 1
      if lead < 0x80 { continue }
      let following: Int
      // The second byte is bounded so that there is one form for each scalar, and none for surrogates.
      var lowest: UInt8 = 0x80
      var highest: UInt8 = 0xBF
      switch lead {
      case 0xC2...0xDF: following = 1
      case 0xE0...0xEF:
        following = 2
        if lead == 0xE0 { lowest = 0xA0 }
        if lead == 0xED { highest = 0x9F }
      case 0xF0...0xF4:
        following = 3
        if lead == 0xF0 { lowest = 0x90 }
        if lead == 0xF4 { highest = 0x8F }
      default: return false
      }
      guard position + following <= bytes.count, bytes[position] >= lowest, bytes[position] <= highest else {
        return false
      }
      for offset in stride(from: 1, to: following, by: 1) where bytes[position + offset] & 0xC0 != 0x80 { return false }
      position += following
    }
    return true
  }
}
