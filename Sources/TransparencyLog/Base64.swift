import Foundation

/// Base 64 (RFC 4648, section 4) in its one canonical form: with padding, without line breaks, unused bits zero. Other
/// spellings of the same bytes are refused, so that nobody can make a second note out of one.
public enum Base64 {
  public static func text(_ bytes: some DataProtocol) -> String { Data(bytes).base64EncodedString() }

  /// - Returns: `nil` for what is no canonical Base 64.
  public static func bytes(_ text: some StringProtocol) -> [UInt8]? {
    let text = String(text)
    guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
    return [UInt8](data)
  }
}

/// Decimal numbers as checkpoints and proofs write them: digits only, no leading zero, below 2⁶³.
enum Decimal {
  static func number(_ text: some StringProtocol) -> UInt64? {
    guard (1...19).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      text == "0" || text.utf8.first != 0x30, let number = UInt64(text), number <= UInt64(Int64.max)
    else { return nil }
    return number
  }
}
