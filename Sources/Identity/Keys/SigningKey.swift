import Crypto
import CryptoExtras
import Foundation
import NGSI

/// A key that signs tokens: with ES256, or with RS256 for the clients that know nothing else.
struct SigningKey: Sendable {
  private enum Key: Sendable {
    case p256(P256.Signing.PrivateKey)
    case rsa(_RSA.Signing.PrivateKey)
  }

  /// The thumbprint of the public key (RFC 7638).
  let id: String
  let algorithm: SignatureAlgorithm
  /// From when on it signs; before that it is only shown. Seconds since 1970.
  let activeFrom: Int
  /// The public key as others may read it (RFC 7517).
  let jwk: JSON
  let verification: VerificationKey
  private let key: Key

  /// Makes a key for ES256.
  init(activeFrom: Int) { self.init(P256.Signing.PrivateKey(), activeFrom: activeFrom) }

  /// Makes a key.
  ///
  /// - Parameter algorithm: ES256 or RS256; 2048 bits for the latter, which take a good part of a second.
  init(activeFrom: Int, algorithm: SignatureAlgorithm) throws(IdentityFailure) {
    guard algorithm == .rs256 else {
      self.init(activeFrom: activeFrom)
      return
    }
    do {
      try self.init(_RSA.Signing.PrivateKey(keySize: .bits2048), activeFrom: activeFrom)
    } catch { throw IdentityFailure("no RSA key was made: \(error)") }
  }

  private init(_ key: P256.Signing.PrivateKey, activeFrom: Int) {
    let bytes = Array(key.publicKey.rawRepresentation)
    let (x, y) = (Base64URL.encode(bytes.prefix(32)), Base64URL.encode(bytes.suffix(32)))
    self.activeFrom = activeFrom
    self.key = .p256(key)
    algorithm = .es256
    id = Secret.hash("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"\(x)\",\"y\":\"\(y)\"}")
    jwk = [
      "kty": "EC", "crv": "P-256", "x": .string(x), "y": .string(y), "use": "sig",
      "alg": .string(SignatureAlgorithm.es256.rawValue), "kid": .string(id),
    ]
    verification = VerificationKey(key.publicKey, id: id)
  }

  private init(_ key: _RSA.Signing.PrivateKey, activeFrom: Int) throws {
    let numbers = try key.publicKey.getKeyPrimitives()
    let (n, e) = (Base64URL.encode(numbers.modulus), Base64URL.encode(numbers.publicExponent))
    self.activeFrom = activeFrom
    self.key = .rsa(key)
    algorithm = .rs256
    id = Secret.hash("{\"e\":\"\(e)\",\"kty\":\"RSA\",\"n\":\"\(n)\"}")
    jwk = [
      "kty": "RSA", "n": .string(n), "e": .string(e), "use": "sig",
      "alg": .string(SignatureAlgorithm.rs256.rawValue), "kid": .string(id),
    ]
    guard let verification = VerificationKey(jwk: jwk) else { throw IdentityFailure("an RSA key is not readable") }
    self.verification = verification
  }

  /// Reads a key of others' making: P-256 for ES256, RSA of 2048 bits or more for RS256.
  ///
  /// - Throws: a sentence that does not say what stands in it.
  init(pem: String) throws(IdentityFailure) {
    if let key = try? P256.Signing.PrivateKey(pemRepresentation: pem) {
      self.init(key, activeFrom: 0)
      return
    }
    guard let key = try? _RSA.Signing.PrivateKey(pemRepresentation: pem), key.keySizeInBits >= 2048 else {
      throw IdentityFailure("this is no private key for P-256, nor one for RSA of 2048 bits or more, in PEM")
    }
    do { try self.init(key, activeFrom: 0) } catch { throw IdentityFailure("an RSA key is not readable") }
  }

  /// A token with these claims.
  ///
  /// - Parameter type: its `typ`, e.g. `at+jwt`.
  func sign(_ claims: JSON, type: String) throws(IdentityFailure) -> String {
    let header: JSON = ["typ": .string(type), "alg": .string(algorithm.rawValue), "kid": .string(id)]
    let signed = Base64URL.encode(JSONWriter.bytes(header)) + "." + Base64URL.encode(JSONWriter.bytes(claims))
    let digest = SHA256.hash(data: Data(signed.utf8))
    do {
      let signature =
        switch key {
        case .p256(let key): try key.signature(for: digest).rawRepresentation
        case .rsa(let key): try key.signature(for: digest, padding: .insecurePKCS1v1_5).rawRepresentation
        }
      return signed + "." + Base64URL.encode(signature)
    } catch {
      throw IdentityFailure("a token was not signed: \(error)")
    }
  }

  // MARK: As it is kept

  var stored: JSON {
    let bytes =
      switch key {
      case .p256(let key): key.rawRepresentation
      case .rsa(let key): key.derRepresentation
      }
    return [
      "algorithm": .string(algorithm.rawValue), "activeFrom": .integer(Int64(activeFrom)),
      "privateKey": .string(Base64URL.encode(bytes)),
    ]
  }

  init?(stored json: JSON) {
    guard let activeFrom = json["activeFrom"]?.integer.map(Int.init),
      let bytes = json["privateKey"]?.string.flatMap(Base64URL.decode)
    else { return nil }
    switch json["algorithm"]?.string {
    case SignatureAlgorithm.es256.rawValue:
      guard let key = try? P256.Signing.PrivateKey(rawRepresentation: bytes) else { return nil }
      self.init(key, activeFrom: activeFrom)
    case SignatureAlgorithm.rs256.rawValue:
      guard let key = try? _RSA.Signing.PrivateKey(derRepresentation: bytes) else { return nil }
      try? self.init(key, activeFrom: activeFrom)
    default: return nil
    }
  }
}

/// When keys follow one another.
///
/// A key is shown before it signs, so that whoever checks tokens and fetches the keys once in a while already knows it; and
/// after the next one signs, until what it signed has run out.
struct KeySchedule: Sendable {
  /// Seconds that a key signs.
  var period = 90 * 86_400
  /// Seconds that it is shown before.
  var lead = 7 * 86_400
  /// Seconds that it is shown after.
  var keep = 86_400

  struct Plan: Hashable {
    /// Beginnings of keys to make.
    var made: [Int] = []
    /// Beginnings of keys that are not needed any more.
    var dropped: [Int] = []
  }

  /// What is to be done at a time with the keys that have these beginnings.
  func plan(_ beginnings: [Int], at now: Int) -> Plan {
    var plan = Plan()
    var known = beginnings.sorted()
    if !known.contains(where: { $0 <= now }) {
      plan.made.append(now)
      known.append(now)
      known.sort()
    }
    if let latest = known.last, latest <= now, latest + period - lead <= now {
      let next = max(latest + period, now + lead)
      plan.made.append(next)
      known.append(next)
    }
    for (beginning, successor) in zip(known, known.dropFirst()) where successor + keep <= now {
      plan.dropped.append(beginning)
    }
    return plan
  }
}
