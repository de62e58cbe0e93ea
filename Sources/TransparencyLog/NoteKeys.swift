import Crypto
import Foundation

/// What a key's signatures state.
public enum SignatureKind: UInt8, Sendable, Hashable {
  /// Ed25519 over the text (C2SP signed-note): the log itself.
  case ed25519 = 1
  /// Ed25519 over the text and a time (C2SP tlog-cosignature): a witness that saw no other history.
  case cosignature = 4
}

/// A signature that was checked.
public struct VerifiedSignature: Sendable, Hashable {
  /// When it was given, in seconds since 1970; only cosignatures say it.
  public var time: UInt64?
}

/// The public half of a key that signs notes, with its name.
public struct VerifierKey: Sendable, Hashable {
  public let name: String
  public let kind: SignatureKind
  /// 32 bytes (RFC 8032).
  public let publicKey: [UInt8]
  public let id: UInt32

  /// - Returns: `nil` for a name that cannot stand in a note, or a key of another length.
  public init?(name: String, kind: SignatureKind, publicKey: [UInt8]) {
    guard Self.isName(name), publicKey.count == 32 else { return nil }
    self.name = name
    self.kind = kind
    self.publicKey = publicKey
    id = Self.id(name, [kind.rawValue] + publicKey)
  }

  /// Reads `name+id+key` (a "vkey").
  public init(parsing text: some StringProtocol) throws(NoteError) {
    let parts = String(text)[...].octetSplit(at: 0x2B, maxSplits: 2)
    guard parts.count == 3, let bytes = Base64.bytes(parts[2]), let first = bytes.first else {
      throw .malformed("a verifier key has a name, an id and a key with + between them")
    }
    guard let kind = SignatureKind(rawValue: first) else {
      throw .malformed("the kind \(first) of key is not known here")
    }
    guard let key = VerifierKey(name: String(parts[0]), kind: kind, publicKey: Array(bytes.dropFirst())) else {
      throw .malformed("the name or the length of a verifier key cannot be")
    }
    guard parts[1] == key.idText else { throw .malformed("the id of the key of \(key.name) is not that of its bytes") }
    self = key
  }

  /// As policies and configurations write it.
  public var text: String { "\(name)+\(idText)+\(Base64.text([kind.rawValue] + publicKey))" }

  /// Whether this is the key's name, byte by byte.
  public func isNamed(_ other: some StringProtocol) -> Bool { name.isSpelled(like: other) }

  private var idText: String {
    id.bigEndianBytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  /// - Returns: `nil` unless this key gave the signature.
  func verify(_ signature: NoteSignature, text: String) -> VerifiedSignature? {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return nil }
    switch kind {
    case .ed25519:
      return key.isValidSignature(signature.bytes, for: Data(text.utf8)) ? VerifiedSignature() : nil
    case .cosignature:
      guard signature.bytes.count == 72 else { return nil }
      let time = UInt64(bigEndianBytes: signature.bytes.prefix(8))
      guard time <= UInt64(Int64.max),
        key.isValidSignature(signature.bytes.dropFirst(8), for: Data(Self.cosigned(text, at: time).utf8))
      else { return nil }
      return VerifiedSignature(time: time)
    }
  }

  /// What a witness signs (C2SP tlog-cosignature).
  static func cosigned(_ text: String, at time: UInt64) -> String { "cosignature/v1\ntime \(time)\n" + text }

  /// Names are not empty and have neither white space nor plus signs.
  static func isName(_ name: some StringProtocol) -> Bool {
    !name.isEmpty && !name.contains { $0.isWhitespace || $0 == "+" }
      && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && !$0.properties.isWhitespace && $0 != "+" }
  }

  static func id(_ name: String, _ key: [UInt8]) -> UInt32 {
    UInt32(bigEndianBytes: SHA256.hash(data: Data(name.utf8) + [0x0A] + key).prefix(4))
  }
}

/// The private half of a key that signs notes.
public struct SignerKey: Sendable {
  public let verifier: VerifierKey
  private let key: Curve25519.Signing.PrivateKey

  /// Makes a new key.
  ///
  /// - Throws: when the name cannot stand in a note.
  public init(name: String, kind: SignatureKind) throws(NoteError) {
    try self.init(name: name, kind: kind, key: Curve25519.Signing.PrivateKey())
  }

  private init(name: String, kind: SignatureKind, key: Curve25519.Signing.PrivateKey) throws(NoteError) {
    guard let verifier = VerifierKey(name: name, kind: kind, publicKey: Array(key.publicKey.rawRepresentation)) else {
      throw .malformed("a key's name is not empty and has neither spaces nor +")
    }
    self.verifier = verifier
    self.key = key
  }

  /// Reads `PRIVATE+KEY+name+id+key`.
  public init(parsing text: some StringProtocol) throws(NoteError) {
    let parts = String(text)[...].octetSplit(at: 0x2B, maxSplits: 4)
    guard parts.count == 5, parts[0] == "PRIVATE", parts[1] == "KEY", let bytes = Base64.bytes(parts[4]),
      bytes.count == 33, let kind = SignatureKind(rawValue: bytes[0]),
      let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.dropFirst())
    else { throw .malformed("this is no signing key of the form PRIVATE+KEY+name+id+key") }
    try self.init(name: String(parts[2]), kind: kind, key: key)
    guard self.text == text else { throw .malformed("the id of the signing key is not that of its public key") }
  }

  /// The secret itself, for the key file.
  public var text: String {
    let parts = verifier.text[...].octetSplit(at: 0x2B, maxSplits: 2)
    return "PRIVATE+KEY+\(parts[0])+\(parts[1])+\(Base64.text([verifier.kind.rawValue] + Array(key.rawRepresentation)))"
  }

  /// Signs a text that ends with a line break.
  ///
  /// - Parameter time: seconds since 1970; what a cosignature says of itself.
  public func sign(_ text: String, at time: UInt64) throws(NoteError) -> NoteSignature {
    do {
      switch verifier.kind {
      case .ed25519:
        let bytes = try key.signature(for: Data(text.utf8))
        return NoteSignature(name: verifier.name, keyId: verifier.id, bytes: Array(bytes))
      case .cosignature:
        let bytes = try key.signature(for: Data(VerifierKey.cosigned(text, at: time).utf8))
        return NoteSignature(name: verifier.name, keyId: verifier.id, bytes: time.bigEndianBytes + Array(bytes))
      }
    } catch {
      throw .malformed("the key of \(verifier.name) did not sign: \(error)")
    }
  }
}
