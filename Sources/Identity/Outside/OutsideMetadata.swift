import NGSI

/// What an outside provider says of itself (OpenID Connect Discovery 1.0 section 3), as far as it is used here.
struct OutsideMetadata: Sendable, Hashable {
  /// Longest address that is believed to be one.
  static let longestAddress = 2000

  let keys: String
  let authorization: String?
  let token: String?
  let userInfo: String?
  let endSession: String?
  /// Whether each of its answers names it (RFC 9207 section 3).
  let namesItself: Bool

  /// - Throws: when they are of another issuer: whoever answers for one would have it speak for that one (section 4.3).
  init(_ json: JSON, of issuer: String) throws(IdentityFailure) {
    guard json["issuer"]?.string == issuer else {
      throw IdentityFailure("the metadata of \(issuer) are of another issuer")
    }
    let isLocal = issuer.hasPrefix("http://")
    func address(_ member: String) -> String? {
      guard let text = json[member]?.string, (1...Self.longestAddress).contains(text.utf8.count),
        text.hasPrefix("https://") || isLocal && text.hasPrefix("http://"),
        text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") })
      else { return nil }
      return text
    }
    guard let keys = address("jwks_uri") else {
      throw IdentityFailure("the metadata of \(issuer) name no keys, or keys that do not come over TLS")
    }
    self.keys = keys
    authorization = address("authorization_endpoint")
    token = address("token_endpoint")
    userInfo = address("userinfo_endpoint")
    endSession = address("end_session_endpoint")
    namesItself = json["authorization_response_iss_parameter_supported"]?.bool ?? false
  }
}
