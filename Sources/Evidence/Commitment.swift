import Crypto
import Foundation

/// The SHA-256 of a thing that an act is about.
public struct ObjectHash: Sendable, Hashable, CustomStringConvertible {
  public let bytes: [UInt8]

  public init(of content: some DataProtocol) { bytes = Array(SHA256.hash(data: content)) }

  /// `sha256:` and hexadecimal digits.
  public var description: String {
    let digits = Array("0123456789abcdef".utf8)
    return "sha256:"
      + String(unsafeUninitializedCapacity: 64) { text in
        for (place, byte) in bytes.enumerated() {
          text[2 * place] = digits[Int(byte >> 4)]
          text[2 * place + 1] = digits[Int(byte & 15)]
        }
        return 64
      }
  }
}

/// The secret of one person or thing in the log: who destroys it makes every commitment to that name, and every line
/// that was sealed with it, unreadable for good.
public struct CommitmentKey: Sendable, Hashable {
  /// 32 random bytes.
  public let bytes: [UInt8]

  public static func random() -> CommitmentKey {
    CommitmentKey(bytes: SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) })
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// - Returns: `nil` unless there are 32 bytes.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  /// What finds the entries of this name: the same for all of them, and nothing to who lacks the key.
  public var index: [UInt8] { derived(label: "index", nonce: []) }

  /// The key of one entry only: it can be shown without showing any other.
  public func opening(nonce: [UInt8]) -> [UInt8] { derived(label: "entry", nonce: nonce) }

  private func derived(label: String, nonce: [UInt8]) -> [UInt8] {
    let code = HMAC<SHA256>.authenticationCode(for: Data(label.utf8) + nonce, using: SymmetricKey(data: bytes))
    return Array(code)
  }

  // MARK: Sealing

  /// Seals a text with AES-256-GCM; bound to the entry by its nonce.
  func seal(_ text: [UInt8], nonce: [UInt8]) throws(EvidenceError) -> [UInt8] {
    do {
      let key = SymmetricKey(data: derived(label: "register", nonce: []))
      let box = try AES.GCM.seal(text, using: key, authenticating: nonce)
      guard let combined = box.combined else { throw EvidenceError.damaged("a line of the register was not sealed") }
      return Array(combined)
    } catch { throw .damaged("a line of the register was not sealed: \(error)") }
  }

  func open(_ sealed: [UInt8], nonce: [UInt8]) throws(EvidenceError) -> [UInt8] {
    do {
      let key = SymmetricKey(data: derived(label: "register", nonce: []))
      return Array(try AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: key, authenticating: nonce))
    } catch { throw .damaged("a line of the register does not open with its key") }
  }
}

/// A commitment to a name: an HMAC-SHA256 under a key that only this entry uses.
public enum Commitment {
  public static func text(to name: String, opening: [UInt8]) -> String {
    let code = HMAC<SHA256>.authenticationCode(for: Data(name.utf8), using: SymmetricKey(data: opening))
    return "hmac-sha256:" + Base64URL.text(Array(code))
  }
}

/// Base 64 with the alphabet for URLs, without padding (RFC 4648 section 5). Each statement has several.
enum Base64URL {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  static func text(_ bytes: [UInt8]) -> String {
    let length = (bytes.count * 4 + 2) / 3
    return String(unsafeUninitializedCapacity: length) { text in
      for place in 0..<length {
        // Six bits, which may lie in two bytes.
        let (byte, shift) = ((place * 6) / 8, (place * 6) % 8)
        let next = byte + 1 < bytes.count ? bytes[byte + 1] : 0
        let pair = UInt16(bytes[byte]) << 8 | UInt16(next)
        text[place] = alphabet[Int(pair >> UInt16(10 - shift) & 63)]
      }
      return length
    }
  }

  /// - Returns: `nil` for other than the one spelling of some bytes.
  static func bytes(_ text: some StringProtocol) -> [UInt8]? {
    var plain = text.utf8.map { $0 == 0x2D ? 0x2B : $0 == 0x5F ? 0x2F : $0 }
    plain += Array(repeating: UInt8(ascii: "="), count: (4 - plain.count % 4) % 4)
    guard let data = Data(base64Encoded: Data(plain)) else { return nil }
    let bytes = Array(data)
    return Self.text(bytes) == text ? bytes : nil
  }
}
