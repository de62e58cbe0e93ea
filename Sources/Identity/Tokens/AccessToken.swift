import NGSI

/// What an access token says (RFC 9068 section 2.2).
struct AccessToken: Sendable, Hashable {
  static let type = "at+jwt"

  var id: String
  var issuer: String
  var subject: String
  var audience: [String]
  var clientId: String
  var scopes: [String]
  /// Seconds since 1970.
  var issuedAt: Int
  var expiresAt: Int
  var standing: Standing
  /// Which grant it came of: all tokens of one are revoked together.
  var grant: String?
  /// When the person logged in; `nil` for a client that acts for itself.
  var authenticatedAt: Int?
  var methods: [String] = []

  var claims: JSON {
    var object = JSONObject([
      "iss": .string(issuer), "sub": .string(subject),
      "aud": audience.count == 1 ? .string(audience[0]) : JSON(audience), "client_id": .string(clientId),
      "scope": scopes.isEmpty ? nil : .string(scopes.joined(separator: " ")), "iat": .integer(Int64(issuedAt)),
      "exp": .integer(Int64(expiresAt)), "jti": .string(id), "grant_id": grant.map(JSON.string),
      "auth_time": authenticatedAt.map { .integer(Int64($0)) }, "amr": methods.isEmpty ? nil : JSON(methods),
    ])
    standing.write(to: &object)
    return .object(object)
  }

  /// `nil` when a claim that the standard asks for is missing.
  init?(claims: JSONObject) {
    guard let issuer = claims["iss"]?.string, let subject = claims["sub"]?.string,
      let clientId = claims["client_id"]?.string, let id = claims["jti"]?.string,
      let issuedAt = claims["iat"]?.integer, let expiresAt = claims["exp"]?.integer
    else { return nil }
    self.init(
      id: id, issuer: issuer, subject: subject, audience: claims["aud"]?.items.compactMap(\.string) ?? [],
      clientId: clientId, scopes: Scopes.list(claims["scope"]?.string), issuedAt: Int(issuedAt),
      expiresAt: Int(expiresAt), standing: Standing(.object(claims)), grant: claims["grant_id"]?.string,
      authenticatedAt: (claims["auth_time"]?.integer).map { Int($0) }, methods: claims["amr"]?.strings ?? [])
  }

  init(
    id: String = Secret.make(bytes: 16), issuer: String, subject: String, audience: [String], clientId: String,
    scopes: [String], issuedAt: Int, expiresAt: Int, standing: Standing, grant: String?, authenticatedAt: Int? = nil,
    methods: [String] = []
  ) {
    self.id = id
    self.issuer = issuer
    self.subject = subject
    self.audience = audience
    self.clientId = clientId
    self.scopes = scopes
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.standing = standing
    self.grant = grant
    self.authenticatedAt = authenticatedAt
    self.methods = methods
  }
}

/// Lists of scopes (RFC 6749 section 3.3).
enum Scopes {
  static let openid = "openid"
  static let profile = "profile"
  static let email = "email"
  static let offline = "offline_access"

  /// Each once, in order.
  static func list(_ text: String?) -> [String] {
    var seen: Set<String> = []
    return (text ?? "").split(separator: " ").map(String.init).filter { seen.insert($0).inserted }
  }

  /// Whether a text can be one scope.
  static func isFit(_ scope: String) -> Bool {
    (1...64).contains(scope.utf8.count)
      && scope.utf8.allSatisfy { $0 == 0x21 || (0x23...0x5b).contains($0) || (0x5d...0x7e).contains($0) }
  }
}
