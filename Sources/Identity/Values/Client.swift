import NGSI

/// A program that asks for tokens (RFC 6749 section 2; its members as RFC 7591 names them).
public struct Client: Sendable, Hashable {
  /// How a client shows that it is itself.
  public enum Authentication: String, Sendable, CaseIterable {
    /// It cannot keep a secret: PKCE stands in.
    case none
    case secretBasic = "client_secret_basic"
    case secretPost = "client_secret_post"
    case privateKey = "private_key_jwt"
  }

  public enum GrantType: String, Sendable, CaseIterable {
    case authorizationCode = "authorization_code"
    case clientCredentials = "client_credentials"
    case refreshToken = "refresh_token"
    case deviceCode = "urn:ietf:params:oauth:grant-type:device_code"
  }

  public let id: String
  public var name: String
  public var authentication: Authentication
  var secretHash: String?
  /// Its public keys, for ``Authentication/privateKey``: a JWK set.
  public var keys: JSON?
  public var redirectURIs: [String] = []
  public var postLogoutRedirectURIs: [String] = []
  public var grantTypes: Set<GrantType> = []
  /// Scopes that it may ask for.
  public var scopes: [String] = []
  /// Audiences beside the city's own that its tokens may have (RFC 8707).
  public var resources: [String] = []
  /// What it is where it acts for itself (client credentials).
  public var standing = Standing()
  /// How its ID tokens are signed: ES256 or RS256.
  public var idTokenAlgorithm = SignatureAlgorithm.es256
  /// Belongs to the city: people are not asked whether it may.
  public var isFirstParty = false
  /// Seconds since 1970.
  public var createdAt = 0

  public init(id: String, name: String, authentication: Authentication) {
    self.id = id
    self.name = name
    self.authentication = authentication
  }

  public var isPublic: Bool { authentication == .none }
}

extension Client {
  static let mostURIs = 16
  static let longestURI = 2000

  /// Whether a redirect URI is one of the client's.
  ///
  /// The same text, byte by byte (RFC 9700 section 2.1); only the port of an `http` address of this very machine may be
  /// another, since a native program takes a free one (RFC 8252 section 7.3).
  func owns(redirect uri: String) -> Bool {
    redirectURIs.contains(uri) || redirectURIs.contains { Self.isSameLoopback($0, uri) }
  }

  private static func isSameLoopback(_ registered: String, _ given: String) -> Bool {
    for host in ["http://127.0.0.1", "http://[::1]"] where registered.hasPrefix(host) && given.hasPrefix(host) {
      let rest = given.dropFirst(host.count)
      var path = rest
      if rest.first == ":" {
        let digits = rest.dropFirst().prefix { $0 != "/" && $0 != "?" }
        guard let port = UInt16(digits), port > 0, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
          return false
        }
        path = rest.dropFirst(1 + digits.count)
      }
      return path.first == "/" && registered.dropFirst(host.count).drop(while: { $0 != "/" }) == path
    }
    return false
  }

  /// Why a text can be no redirect URI; `nil` when it can (RFC 6749 section 3.1.2, RFC 8252 section 7).
  static func problem(withRedirect uri: String) -> String? {
    guard (1...longestURI).contains(uri.utf8.count) else { return "it must have from 1 to \(longestURI) bytes" }
    guard uri.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return "it has characters that no URI has" }
    guard !uri.contains("#") else { return "it has a fragment" }
    guard let colon = uri.firstIndex(of: ":") else { return "it has no scheme" }
    let scheme = uri[..<colon].lowercased()
    switch scheme {
    case "https": return uri.dropFirst(8).first.map { $0 == "/" } ?? true ? "it has no host" : nil
    case "http":
      let isLocal = ["http://127.0.0.1", "http://[::1]", "http://localhost"].contains { host in
        uri.hasPrefix(host) && (uri.dropFirst(host.count).first.map { $0 == ":" || $0 == "/" } ?? true)
      }
      return isLocal ? nil : "http is for this machine only; use https"
    case "javascript", "data", "file", "blob", "about", "vbscript": return "its scheme is not allowed"
    default: return scheme.contains(".") ? nil : "its scheme must be https, or a domain name backwards"
    }
  }

  var json: JSON {
    var object = JSONObject([
      "name": .string(name), "authentication": .string(authentication.rawValue),
      "redirectURIs": JSON(redirectURIs), "postLogoutRedirectURIs": JSON(postLogoutRedirectURIs),
      "grantTypes": JSON(grantTypes.map(\.rawValue).sorted()), "scopes": JSON(scopes), "resources": JSON(resources),
      "isFirstParty": .bool(isFirstParty), "createdAt": .integer(Int64(createdAt)),
      "secretHash": secretHash.map(JSON.string), "keys": keys,
      "idTokenAlgorithm": .string(idTokenAlgorithm.rawValue),
    ])
    standing.write(to: &object)
    return .object(object)
  }

  init?(id: String, _ json: JSON) {
    guard let name = json["name"]?.string,
      let authentication = json["authentication"]?.string.flatMap(Authentication.init(rawValue:))
    else { return nil }
    self.init(id: id, name: name, authentication: authentication)
    secretHash = json["secretHash"]?.string
    keys = json["keys"]
    redirectURIs = json["redirectURIs"]?.strings ?? []
    postLogoutRedirectURIs = json["postLogoutRedirectURIs"]?.strings ?? []
    grantTypes = Set((json["grantTypes"]?.strings ?? []).compactMap(GrantType.init(rawValue:)))
    scopes = json["scopes"]?.strings ?? []
    resources = json["resources"]?.strings ?? []
    standing = Standing(json)
    idTokenAlgorithm = json["idTokenAlgorithm"]?.string.flatMap(SignatureAlgorithm.init(rawValue:)) ?? .es256
    isFirstParty = json["isFirstParty"]?.bool ?? false
    createdAt = Int(json["createdAt"]?.integer ?? 0)
  }
}
