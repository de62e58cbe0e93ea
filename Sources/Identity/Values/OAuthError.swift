import NGSI

/// Why a request for a token or about one is refused, in the words of the standard.
public struct OAuthError: Error, Sendable, Hashable {
  public enum Code: String, Sendable {
    // RFC 6749 sections 4.1.2.1 and 5.2
    case invalidRequest = "invalid_request"
    case invalidClient = "invalid_client"
    case invalidGrant = "invalid_grant"
    case unauthorizedClient = "unauthorized_client"
    case unsupportedGrantType = "unsupported_grant_type"
    case unsupportedResponseType = "unsupported_response_type"
    case invalidScope = "invalid_scope"
    case accessDenied = "access_denied"
    case serverError = "server_error"
    case temporarilyUnavailable = "temporarily_unavailable"
    // RFC 8707 section 2
    case invalidTarget = "invalid_target"
    // RFC 8628 section 3.5
    case authorizationPending = "authorization_pending"
    case slowDown = "slow_down"
    case expiredToken = "expired_token"
    // OpenID Connect Core 1.0 section 3.1.2.6
    case loginRequired = "login_required"
    case consentRequired = "consent_required"
    case requestNotSupported = "request_not_supported"
    case requestURINotSupported = "request_uri_not_supported"
    // RFC 7591 section 3.2.2
    case invalidRedirectURI = "invalid_redirect_uri"
    case invalidClientMetadata = "invalid_client_metadata"
    // RFC 6750 section 3.1
    case invalidToken = "invalid_token"
    case insufficientScope = "insufficient_scope"
    // RFC 7009 section 2.2.1
    case unsupportedTokenType = "unsupported_token_type"
  }

  public let code: Code
  public let description: String
  /// Seconds after which it is worth trying again.
  public var retryAfter: Int?

  public init(_ code: Code, _ description: String, retryAfter: Int? = nil) {
    self.code = code
    self.description = description
    self.retryAfter = retryAfter
  }

  public var status: Int {
    switch code {
    case .invalidClient, .invalidToken: 401
    case .insufficientScope: 403
    case .serverError: 500
    case .temporarilyUnavailable: 503
    default: 400
    }
  }

  /// The body of the answer (RFC 6749 section 5.2).
  public var json: JSON {
    // The description has printable ASCII without the quotation mark and the backslash.
    let text = description.unicodeScalars.map { scalar in
      scalar.value == 0x22 ? "'" : scalar.value == 0x5c ? "/" : (0x20...0x7e).contains(scalar.value) ? "\(scalar)" : "?"
    }
    return ["error": .string(code.rawValue), "error_description": .string(text.joined())]
  }
}

/// What keeps the provider from its work: the disk, a damaged key. Nothing that a client can mend.
public struct IdentityFailure: Error, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
