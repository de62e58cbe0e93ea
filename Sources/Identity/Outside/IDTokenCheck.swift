import Crypto
import Foundation
import NGSI

/// Judges the ID token of an outside provider (OpenID Connect Core 1.0 sections 2 and 3.1.3.7).
struct IDTokenCheck: Sendable {
  let issuer: String
  /// The city's `client_id` there.
  let client: String
  let nonce: String
  /// What came beside it, for `at_hash`.
  let accessToken: String?
  /// Seconds since 1970.
  let now: Int
  /// What two clocks may differ by.
  let skew: Int
  /// Seconds since it was made; an older one is of another login.
  let longestAge: Int

  /// What it says, if that may be believed.
  ///
  /// - Parameter isSigned: whether a key of the provider made it; the keys decide by which algorithms.
  func claims(
    of token: SignedToken, isSigned: (SignedToken) -> Bool
  ) throws(OutsideRefusal) -> JSONObject {
    func refuse(_ reason: String) -> OutsideRefusal { OutsideRefusal(.unbelieved, "the ID token " + reason) }
    guard token.type ?? "jwt" == "jwt" else { throw refuse("is a token of another kind") }
    guard isSigned(token) else { throw refuse("is not signed by a key of the provider") }
    let claims = token.payload
    guard claims["iss"]?.string == issuer else { throw refuse("is of another issuer") }
    let audience = claims["aud"]?.items.compactMap(\.string) ?? []
    guard audience.contains(client) else { throw refuse("is for another client") }
    let party = claims["azp"]
    guard party?.string == client || party == nil && audience.count == 1 else {
      throw refuse("was given to another client")
    }
    guard let expiry = claims["exp"]?.number, expiry > Double(now - skew) else { throw refuse("has expired") }
    guard let made = claims["iat"]?.number, made <= Double(now + skew), made >= Double(now - longestAge - skew) else {
      throw refuse("was not made now")
    }
    guard claims["nbf"].map({ $0.number.map { $0 <= Double(now + skew) } ?? false }) ?? true else {
      throw refuse("is of the future")
    }
    guard let named = claims["nonce"]?.string, Secret.areSame(named, nonce) else {
      throw refuse("is of another login: its nonce is another")
    }
    guard let subject = claims["sub"]?.string, (1...255).contains(subject.utf8.count) else {
      throw refuse("names nobody")
    }
    if let hash = claims["at_hash"] {
      guard let hash = hash.string, let accessToken,
        Secret.areSame(hash, Self.leftHalf(of: accessToken, token.algorithm))
      else { throw refuse("belongs to another access token") }
    }
    return claims
  }

  /// The left half of the hash that goes with an algorithm, as base64url (section 3.1.3.6).
  static func leftHalf(of text: String, _ algorithm: SignatureAlgorithm) -> String {
    let data = Data(text.utf8)
    let digest: [UInt8] =
      switch algorithm {
      case .es256, .rs256, .ps256: Array(SHA256.hash(data: data))
      case .es384: Array(SHA384.hash(data: data))
      case .edDSA: Array(SHA512.hash(data: data))
      }
    return Base64URL.encode(digest.prefix(digest.count / 2))
  }
}
