import Crypto
import Foundation
import NGSI

/// What is wrong with a repository, its keys, or a request to change it.
public enum FirmwareError: Error, Sendable, Equatable, CustomStringConvertible {
  case malformed(String)
  /// Too few keys are at hand to sign for a role.
  case keys(String)
  case failed(String)

  public var description: String {
    switch self {
    case .malformed(let why), .keys(let why), .failed(let why): why
    }
  }
}

/// The four roles of TUF (specification 1.0 section 2.1).
public enum FirmwareRole: String, Sendable, CaseIterable {
  /// Says whose keys count for all four.
  case root
  /// Says which files there are.
  case targets
  /// Says which metadata belong together.
  case snapshot
  /// Says which snapshot is the latest.
  case timestamp
}

/// An Ed25519 key (RFC 8032) as metadata name it.
public struct FirmwarePublicKey: Sendable, Hashable {
  public let bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Section 4.2 of the specification.
  var json: JSON {
    ["keytype": "ed25519", "scheme": "ed25519", "keyval": ["public": .string(Digest.hexadecimal(bytes))]]
  }

  /// SHA-256 of the canonical form.
  public var id: String { (try? CanonicalJSON.bytes(json)).map(Digest.sha256) ?? "" }

  func accepts(_ signature: [UInt8], for bytes: [UInt8]) -> Bool {
    (try? Curve25519.Signing.PublicKey(rawRepresentation: self.bytes))?.isValidSignature(signature, for: bytes) ?? false
  }
}

/// A key that signs.
public struct FirmwareKey: Sendable {
  private let key: Curve25519.Signing.PrivateKey

  public init() { key = Curve25519.Signing.PrivateKey() }

  public var publicKey: FirmwarePublicKey { FirmwarePublicKey(Array(key.publicKey.rawRepresentation)) }

  func sign(_ bytes: [UInt8]) throws(FirmwareError) -> [UInt8] {
    do { return Array(try key.signature(for: bytes)) } catch {
      throw .failed("a signature could not be made: \(error)")
    }
  }

  /// PKCS #8 (RFC 8410 section 7): what comes before the 32 bytes of an Ed25519 key.
  private static let head: [UInt8] = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20]
  private static let begin = "-----BEGIN PRIVATE" + " KEY-----"
  private static let end = "-----END PRIVATE" + " KEY-----"

  /// PEM, as openssl reads it.
  public var pem: String {
    let data = Data(Self.head + key.rawRepresentation)
    return "\(Self.begin)\n\(data.base64EncodedString())\n\(Self.end)\n"
  }

  public init(pem: String) throws(FirmwareError) {
    let lines = pem.split(whereSeparator: \.isNewline)
    guard lines.count == 3, lines[0] == Self.begin, lines[2] == Self.end,
      let data = Data(base64Encoded: String(lines[1])), data.count == Self.head.count + 32,
      Array(data.prefix(Self.head.count)) == Self.head,
      let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: data.suffix(32))
    else { throw .malformed("this is no Ed25519 key in PEM") }
    self.key = key
  }
}

enum Digest {
  static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  static func bytes(_ text: String) -> [UInt8]? {
    let digits = text.compactMap(\.hexDigitValue)
    guard digits.count == text.count, digits.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  static func sha256(_ bytes: [UInt8]) -> String { hexadecimal(SHA256.hash(data: bytes)) }
}
