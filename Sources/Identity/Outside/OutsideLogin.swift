import NGSI

/// How people of an outside provider log in to the city's pages there: the city is its relying party (OpenID Connect
/// Core 1.0, authorization code flow).
public struct OutsideLogin: Sendable {
  /// How the city shows itself where codes are exchanged.
  public enum Authentication: Sendable {
    /// `client_secret_basic` (RFC 6749 section 2.3.1).
    case secret(String)
    /// `private_key_jwt` (RFC 7523 section 2.2).
    case key(ClientKey)
  }

  /// Part of the redirect URI: `/oauth/outside/{id}`.
  public var id: String
  /// What the button is called, by language.
  public var name: [String: String]
  /// The city's `client_id` there.
  public var client: String
  public var authentication: Authentication
  /// Asked for, beside `openid`.
  public var scopes: [String]
  /// Whether the UserInfo endpoint is asked for what the ID token does not have.
  public var asksUserInfo: Bool
  /// Seconds that a session lasts; the city's own bounds hold beside it.
  public var sessionLifetime: Int

  public init(
    id: String, name: [String: String], client: String, authentication: Authentication, scopes: [String] = ["profile"],
    asksUserInfo: Bool = false, sessionLifetime: Int = 4 * 3600
  ) {
    self.id = id
    self.name = name
    self.client = client
    self.authentication = authentication
    self.scopes = scopes
    self.asksUserInfo = asksUserInfo
    self.sessionLifetime = sessionLifetime
  }
}

/// A private key by which the city shows itself at a provider.
public struct ClientKey: Sendable {
  let key: SigningKey

  /// - Parameter pem: a private key for P-256, or for RSA of 2048 bits or more, in PEM (RFC 7468).
  /// - Throws: a sentence that does not say what stands in it.
  public init(pem: String) throws(IdentityFailure) { key = try SigningKey(pem: pem) }

  /// The public key, for the provider (RFC 7517 section 5).
  var jwks: JSON { ["keys": [key.jwk]] }
}

/// Why a login at an outside provider came to nothing.
struct OutsideRefusal: Error, Sendable, Hashable {
  enum Kind: String, Sendable {
    /// The provider does not answer, or says that it cannot now.
    case away = "outsideAway"
    /// The provider did not let the person in, or the person declined.
    case denied = "outsideDenied"
    /// The person has to log in there first.
    case loginNeeded = "outsideLoginNeeded"
    /// Not of this browser, too old, or used before.
    case stale = "outsideStale"
    /// The provider does not take what the city asks.
    case notTaken = "outsideNotTaken"
    /// What came cannot be what the provider says.
    case unbelieved = "outsideUnbelieved"
  }

  /// The text is the key of the sentence that people see.
  let kind: Kind
  /// For the evidence log; nothing of what a stranger can choose stands in it.
  let reason: String

  init(_ kind: Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }

  /// What a provider's `error` comes to (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6).
  init(code: String) {
    switch code {
    case "access_denied": self.init(.denied, code)
    case "login_required", "interaction_required", "account_selection_required", "consent_required":
      self.init(.loginNeeded, code)
    case "temporarily_unavailable", "server_error": self.init(.away, code)
    case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "invalid_client",
      "invalid_grant", "unsupported_grant_type", "request_not_supported":
      self.init(.notTaken, code)
    default: self.init(.notTaken, "an error that is not known here")
    }
  }
}

/// A login that is under way at a provider. Sealed for one browser, it travels as `state`, so that nothing is kept of who
/// does not come back.
struct OutsideTicket: Sendable, Hashable {
  /// ``OutsideLogin/id``.
  let provider: String
  /// Ties the ID token to this login.
  let nonce: String
  /// Of PKCE (RFC 7636 section 4.1).
  let verifier: String
  /// A path of the city's own.
  let back: String
  /// Seconds since 1970.
  let expiresAt: Int

  var json: JSON {
    [
      "provider": .string(provider), "nonce": .string(nonce), "verifier": .string(verifier), "back": .string(back),
      "expiresAt": .integer(Int64(expiresAt)),
    ]
  }

  init(provider: String, nonce: String = Secret.make(), verifier: String = Secret.make(), back: String, expiresAt: Int)
  {
    self.provider = provider
    self.nonce = nonce
    self.verifier = verifier
    self.back = back
    self.expiresAt = expiresAt
  }

  init?(_ json: JSON) {
    guard let provider = json["provider"]?.string, let nonce = json["nonce"]?.string,
      let verifier = json["verifier"]?.string, let back = json["back"]?.string,
      let expiresAt = json["expiresAt"]?.integer
    else { return nil }
    self.init(provider: provider, nonce: nonce, verifier: verifier, back: back, expiresAt: Int(expiresAt))
  }
}
