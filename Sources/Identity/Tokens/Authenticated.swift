/// Who asks, as it was proven.
public struct Authenticated: Sendable, Hashable {
  public enum Means: Sendable, Hashable {
    /// A token; its `jti` where it has one.
    case token(id: String?)
    /// A cookie of the city's own pages. What changes something must carry this token (`X-CSRF-Token`, or the form member
    /// `csrf`), which no other site can know.
    case session(csrf: String)
  }

  /// The person, or the client where it acts for itself. Unique together with ``issuer``.
  public var subject: String
  /// The city's own address, or that of an outside provider.
  public var issuer: String
  public var clientId: String?
  /// What the caller was given leave for; a session of a person has all that the person has, and names none.
  public var scopes: Set<String>
  public var standing: Standing
  /// How the person logged in (RFC 8176): `pwd`, `otp`, `hwk`, `mfa`.
  public var methods: [String]
  /// Seconds since 1970.
  public var expiresAt: Int
  public var means: Means

  public init(
    subject: String, issuer: String, clientId: String? = nil, scopes: Set<String> = [], standing: Standing = Standing(),
    methods: [String] = [], expiresAt: Int, means: Means
  ) {
    self.subject = subject
    self.issuer = issuer
    self.clientId = clientId
    self.scopes = scopes
    self.standing = standing
    self.methods = methods
    self.expiresAt = expiresAt
    self.means = means
  }

  public var roles: [String] { standing.roles }
  public var agency: String? { standing.agency }
  public var tenants: [String] { standing.tenants }

  public func has(role: String) -> Bool { standing.roles.contains(role) }
}

/// Why a caller is not let in (RFC 6750 section 3).
public struct TokenRefusal: Error, Sendable, Hashable {
  /// `invalid_request`, `invalid_token` or `insufficient_scope`; `nil` when nothing was shown at all: the standard then
  /// names no error.
  public let code: OAuthError.Code?
  public let description: String
  /// The scopes that would do, for `insufficient_scope`.
  public var scope: String?

  public init(_ code: OAuthError.Code?, _ description: String, scope: String? = nil) {
    self.code = code
    self.description = description
    self.scope = scope
  }

  /// The same as the body of an answer says it.
  var error: OAuthError { OAuthError(code ?? .invalidToken, description) }

  public var status: Int { error.status }

  /// The header `WWW-Authenticate` of the answer.
  public var challenge: String {
    guard let code else { return "Bearer realm=\"madang\"" }
    let text = error.json["error_description"]?.string ?? ""
    var challenge = "Bearer realm=\"madang\", error=\"\(code.rawValue)\", error_description=\"\(text)\""
    if let scope { challenge += ", scope=\"\(scope)\"" }
    return challenge
  }
}
