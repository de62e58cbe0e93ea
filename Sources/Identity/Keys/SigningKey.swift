import Crypto
import Foundation
import NGSI

/// A key that signs tokens with ES256.
struct SigningKey: Sendable {
  /// The thumbprint of the public key (RFC 7638).
  let id: String
  /// From when on it signs; before that it is only shown. Seconds since 1970.
  let activeFrom: Int
  let verification: VerificationKey
  private let key: P256.Signing.PrivateKey

  init(activeFrom: Int, key: P256.Signing.PrivateKey = P256.Signing.PrivateKey()) {
    self.activeFrom = activeFrom
    self.key = key
    let (x, y) = Self.coordinates(key.publicKey)
    id = Secret.hash("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"\(x)\",\"y\":\"\(y)\"}")
    verification = VerificationKey(key.publicKey, id: id)
  }

  private static func coordinates(_ key: P256.Signing.PublicKey) -> (x: String, y: String) {
    let bytes = Array(key.rawRepresentation)
    return (Base64URL.encode(bytes.prefix(32)), Base64URL.encode(bytes.suffix(32)))
  }

  /// The public key as others may read it (RFC 7517).
  var jwk: JSON {
    let (x, y) = Self.coordinates(key.publicKey)
    return [
      "kty": "EC", "crv": "P-256", "x": .string(x), "y": .string(y), "use": "sig",
      "alg": .string(SignatureAlgorithm.es256.rawValue), "kid": .string(id),
    ]
  }

  /// A token with these claims.
  ///
  /// - Parameter type: its `typ`, e.g. `at+jwt`.
  func sign(_ claims: JSON, type: String) throws(IdentityFailure) -> String {
    let header: JSON = [
      "typ": .string(type), "alg": .string(SignatureAlgorithm.es256.rawValue), "kid": .string(id),
    ]
    let signed = Base64URL.encode(JSONWriter.bytes(header)) + "." + Base64URL.encode(JSONWriter.bytes(claims))
    do {
      let signature = try key.signature(for: SHA256.hash(data: Data(signed.utf8)))
      return signed + "." + Base64URL.encode(signature.rawRepresentation)
    } catch {
      throw IdentityFailure("a token was not signed: \(error)")
    }
  }

  // MARK: As it is kept

  var stored: JSON {
    ["activeFrom": .integer(Int64(activeFrom)), "privateKey": .string(Base64URL.encode(key.rawRepresentation))]
  }

  init?(stored json: JSON) {
    guard let activeFrom = json["activeFrom"]?.integer,
      let bytes = json["privateKey"]?.string.flatMap(Base64URL.decode),
      let key = try? P256.Signing.PrivateKey(rawRepresentation: bytes)
    else { return nil }
    self.init(activeFrom: Int(activeFrom), key: key)
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
