import Crypto
import CryptoExtras
import Foundation
import NGSI

/// Algorithms of signatures that are believed (RFC 7518 section 3.1, RFC 8037).
///
/// `none` and those with a shared secret are not among them: no token is ever checked with what everyone may read.
public enum SignatureAlgorithm: String, Sendable, CaseIterable {
  case es256 = "ES256"
  case es384 = "ES384"
  case rs256 = "RS256"
  case ps256 = "PS256"
  case edDSA = "EdDSA"
}

/// A JSON Web Signature in compact form (RFC 7515 section 7.1), taken apart and not believed yet.
struct SignedToken: Sendable {
  /// No token of ours comes near it.
  static let mostBytes = 16 << 10

  let algorithm: SignatureAlgorithm
  let keyId: String?
  /// The `typ` of the header in lower case, without `application/`.
  let type: String?
  let payload: JSONObject
  let signedBytes: [UInt8]
  let signature: [UInt8]

  /// - Throws: a sentence about what is wrong.
  init(parsing text: String) throws(TokenProblem) {
    guard text.utf8.count <= Self.mostBytes else {
      throw TokenProblem("the token is longer than \(Self.mostBytes) bytes")
    }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Self.object(parts[0]), let payload = Self.object(parts[1]),
      let signature = Base64URL.decode(parts[2]), !signature.isEmpty
    else { throw TokenProblem("this is no signed token") }
    // An extension that must be understood and is not (RFC 7515 section 4.1.11).
    guard !header.contains("crit") else { throw TokenProblem("the token needs an extension that is not known here") }
    guard let algorithm = header["alg"]?.string.flatMap(SignatureAlgorithm.init(rawValue:)) else {
      throw TokenProblem("the algorithm of the token is not one that is believed here")
    }
    self.algorithm = algorithm
    keyId = header["kid"]?.string
    type = header["typ"]?.string.map { type in
      let type = type.lowercased()
      return type.hasPrefix("application/") ? String(type.dropFirst("application/".count)) : type
    }
    self.payload = payload
    self.signature = signature
    signedBytes = Array(text.utf8.prefix(parts[0].utf8.count + 1 + parts[1].utf8.count))
  }

  private static func object(_ part: Substring) -> JSONObject? {
    guard let bytes = Base64URL.decode(part) else { return nil }
    return (try? JSONParser.parse(bytes, maxDepth: 16))?.object
  }
}

/// Why a token is not believed.
struct TokenProblem: Error, Sendable, Hashable {
  let description: String

  init(_ description: String) { self.description = description }
}

/// A public key that tokens are checked with (RFC 7517). It is good for its own kinds of signature and no others, whatever
/// the header of a token says.
struct VerificationKey: Sendable {
  private enum Key: Sendable {
    case p256(P256.Signing.PublicKey)
    case p384(P384.Signing.PublicKey)
    case rsa(_RSA.Signing.PublicKey)
    case ed25519(Curve25519.Signing.PublicKey)
  }

  let id: String?
  let algorithms: Set<SignatureAlgorithm>
  private let key: Key

  init(_ key: P256.Signing.PublicKey, id: String) {
    self.id = id
    self.key = .p256(key)
    algorithms = [.es256]
  }

  /// `nil` for a key of a kind that is not known here, one that is not for signatures, or one that is too weak.
  init?(jwk: JSON) {
    guard let kind = jwk["kty"]?.string, jwk["use"]?.string ?? "sig" == "sig" else { return nil }
    func bytes(_ member: String) -> [UInt8]? { jwk[member]?.string.flatMap(Base64URL.decode) }
    let known: Set<SignatureAlgorithm>
    switch (kind, jwk["crv"]?.string) {
    case ("EC", "P-256"):
      guard let x = bytes("x"), let y = bytes("y"), x.count == 32, y.count == 32,
        let key = try? P256.Signing.PublicKey(rawRepresentation: x + y)
      else { return nil }
      (self.key, known) = (.p256(key), [.es256])
    case ("EC", "P-384"):
      guard let x = bytes("x"), let y = bytes("y"), x.count == 48, y.count == 48,
        let key = try? P384.Signing.PublicKey(rawRepresentation: x + y)
      else { return nil }
      (self.key, known) = (.p384(key), [.es384])
    case ("OKP", "Ed25519"):
      guard let x = bytes("x"), let key = try? Curve25519.Signing.PublicKey(rawRepresentation: x) else { return nil }
      (self.key, known) = (.ed25519(key), [.edDSA])
    case ("RSA", _):
      guard let n = bytes("n"), let e = bytes("e"), n.count <= 1024, e.count <= 8,
        let key = try? _RSA.Signing.PublicKey(n: n, e: e), key.keySizeInBits >= 2048
      else { return nil }
      (self.key, known) = (.rsa(key), [.rs256, .ps256])
    default: return nil
    }
    id = jwk["kid"]?.string
    if let named = jwk["alg"]?.string {
      guard let algorithm = SignatureAlgorithm(rawValue: named), known.contains(algorithm) else { return nil }
      algorithms = [algorithm]
    } else {
      algorithms = known
    }
  }

  func isSigned(_ token: SignedToken) -> Bool {
    guard algorithms.contains(token.algorithm) else { return false }
    switch key {
    case .p256(let key):
      guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: token.signature) else { return false }
      return key.isValidSignature(signature, for: SHA256.hash(data: token.signedBytes))
    case .p384(let key):
      guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: token.signature) else { return false }
      return key.isValidSignature(signature, for: SHA384.hash(data: token.signedBytes))
    case .ed25519(let key): return key.isValidSignature(token.signature, for: token.signedBytes)
    case .rsa(let key):
      let signature = _RSA.Signing.RSASignature(rawRepresentation: token.signature)
      return key.isValidSignature(
        signature, for: SHA256.hash(data: token.signedBytes),
        padding: token.algorithm == .ps256 ? .PSS : .insecurePKCS1v1_5)
    }
  }

  /// The keys of a JWK set that are known here, at most this many.
  static func set(_ json: JSON, most: Int = 32) -> [VerificationKey] {
    (json["keys"]?.array ?? []).prefix(most).compactMap(VerificationKey.init(jwk:))
  }
}

extension [VerificationKey] {
  /// Whether one of them made the token: the one that it names, or any where it names none.
  func haveSigned(_ token: SignedToken) -> Bool {
    guard let id = token.keyId else { return contains { $0.isSigned(token) } }
    return contains { ($0.id == id || $0.id == nil) && $0.isSigned(token) }
  }
}
