import Crypto
import Foundation

/// Codes of an authenticator application (RFC 6238 over RFC 4226).
enum OneTimeCode {
  enum Hash: Sendable {
    case sha1
    case sha256
    case sha512
  }

  /// Seconds that a code lasts.
  static let period: Int64 = 30
  static let digits = 6
  static let secretBytes = 20
  /// Steps before and after the present one whose codes are taken: the clocks of telephones (RFC 6238 section 5.2).
  static let window: Int64 = 1

  /// The code of a moving factor (RFC 4226 section 5.3). SHA-1 is what authenticator applications compute.
  static func code(_ secret: [UInt8], step: Int64, digits: Int = digits, hash: Hash = .sha1) -> String {
    let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
    let key = SymmetricKey(data: secret)
    let mac: [UInt8] =
      switch hash {
      case .sha1: Array(HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: key))
      case .sha256: Array(HMAC<SHA256>.authenticationCode(for: counter, using: key))
      case .sha512: Array(HMAC<SHA512>.authenticationCode(for: counter, using: key))
      }
    let offset = Int((mac.last ?? 0) & 15)
    let number = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
    let modulus = (0..<digits).reduce(UInt64(1)) { product, _ in product * 10 }
    let text = String(UInt64(number) % modulus)
    return String(repeating: "0", count: digits - text.count) + text
  }

  /// The step whose code this is, if it is one that may be taken now.
  ///
  /// - Parameter last: the step of the last code that was taken; that one and those before are refused.
  static func step(of code: String, _ secret: [UInt8], at now: Int, after last: Int64) -> Int64? {
    let present = Int64(now) / period
    var found: Int64?
    // All are compared, so that the time does not tell which.
    for step in present - window...present + window where Secret.areSame(Self.code(secret, step: step), code) {
      if step > last { found = step }
    }
    return found
  }

  /// The secret as it is typed into an application (RFC 4648 section 6, without padding).
  static func base32(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    var text = ""
    var bits: UInt32 = 0
    var count = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      count += 8
      while count >= 5 {
        count -= 5
        text.append(alphabet[Int(bits >> UInt32(count) & 31)])
      }
    }
    if count > 0 { text.append(alphabet[Int(bits << UInt32(5 - count) & 31)]) }
    return text
  }
}
