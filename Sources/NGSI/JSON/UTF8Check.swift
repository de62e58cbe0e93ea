/// Validation of UTF-8 (RFC 3629 section 4); the standard library's is generic and costs more than all other parsing.
enum UTF8Check {
  static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var seen: UInt8 = 0
    for byte in bytes { seen |= byte }
    return seen < 0x80
  }

  static func isValid(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    guard var next = bytes.baseAddress else { return true }
    let end = next + bytes.count
    while next < end {
      // Four bytes of ASCII, or three of one letter as in most of Korean, in one step.
      while end - next >= 4 {
        let word = UInt32(littleEndian: UnsafeRawPointer(next).loadUnaligned(as: UInt32.self))
        if word & 0x8080_8080 == 0 {
          next += 4
        } else if word & 0x00C0_C0F0 == 0x0080_80E0, word & 0xFF != 0xE0, word & 0xFF != 0xED {
          next += 3
        } else {
          break
        }
      }
      guard next < end else { break }
      let lead = next[0]
      let left = end - next
      switch lead {
      case 0..<0x80: next += 1
      // Of three bytes, without those that have bounds of their own.
      case 0xE1...0xEC, 0xEE, 0xEF:
        guard left >= 3, next[1] & 0xC0 == 0x80, next[2] & 0xC0 == 0x80 else { return false }
        next += 3
      case 0xC2...0xDF:
        guard left >= 2, next[1] & 0xC0 == 0x80 else { return false }
        next += 2
      // The second byte is bounded so that there is one form for each scalar, and none for surrogates.
      case 0xE0:
        guard left >= 3, (0xA0...0xBF).contains(next[1]), next[2] & 0xC0 == 0x80 else { return false }
        next += 3
      case 0xED:
        guard left >= 3, (0x80...0x9F).contains(next[1]), next[2] & 0xC0 == 0x80 else { return false }
        next += 3
      case 0xF0...0xF4:
        let lowest: UInt8 = lead == 0xF0 ? 0x90 : 0x80
        let highest: UInt8 = lead == 0xF4 ? 0x8F : 0xBF
        guard left >= 4, next[1] >= lowest, next[1] <= highest, next[2] & 0xC0 == 0x80, next[3] & 0xC0 == 0x80 else {
          return false
        }
        next += 4
      default: return false
      }
    }
    return true
  }
}
