import NGSI

extension IdentityProvider {
  /// `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 section 3) and
  /// `/.well-known/oauth-authorization-server` (RFC 8414): one document for both.
  var metadata: JSON {
    func door(_ name: String) -> JSON { .string(issuer + "/oauth/" + name) }
    let methods = JSON(Client.Authentication.allCases.map(\.rawValue))
    let secretMethods = JSON(Client.Authentication.allCases.filter { $0 != .none }.map(\.rawValue))
    let assertions = JSON(SignatureAlgorithm.allCases.map(\.rawValue))
    return [
      "issuer": .string(issuer),
      "authorization_endpoint": door("authorize"),
      "token_endpoint": door("token"),
      "jwks_uri": door("jwks"),
      "userinfo_endpoint": door("userinfo"),
      "device_authorization_endpoint": door("device_authorization"),
      "introspection_endpoint": door("introspect"),
      "revocation_endpoint": door("revoke"),
      "registration_endpoint": door("register"),
      "end_session_endpoint": door("logout"),
      "scopes_supported": JSON(settings.allScopes),
      "response_types_supported": ["code"],
      "response_modes_supported": ["query"],
      "grant_types_supported": JSON(Client.GrantType.allCases.map(\.rawValue)),
      "code_challenge_methods_supported": ["S256"],
      "subject_types_supported": ["public"],
      "id_token_signing_alg_values_supported": JSON(Self.idTokenAlgorithms.map(\.rawValue)),
      "token_endpoint_auth_methods_supported": methods,
      "token_endpoint_auth_signing_alg_values_supported": assertions,
      "introspection_endpoint_auth_methods_supported": secretMethods,
      "introspection_endpoint_auth_signing_alg_values_supported": assertions,
      "revocation_endpoint_auth_methods_supported": methods,
      "revocation_endpoint_auth_signing_alg_values_supported": assertions,
      "claims_supported": [
        "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "at_hash", "name", "preferred_username",
        "email", "email_verified", "roles", "groups", "agency", "tenants",
      ],
      "authorization_response_iss_parameter_supported": true,
      "request_parameter_supported": false,
      "request_uri_parameter_supported": false,
      "claims_parameter_supported": false,
      "ui_locales_supported": ["ko", "en"],
    ]
  }
}
