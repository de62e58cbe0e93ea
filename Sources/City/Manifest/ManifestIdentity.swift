extension Manifest {
  /// Who is believed about people beside the city itself.
  public struct Identity: Codable, Sendable, Hashable {
    /// How people of a provider log in to the pages there, by redirect; the city is its client.
    public struct Login: Codable, Sendable, Hashable {
      public enum Authentication: String, Codable, Sendable, CaseIterable {
        case secretBasic = "client_secret_basic"
        case privateKey = "private_key_jwt"
      }

      /// `CITY/oauth/outside/{id}` is the redirect URI to be registered at the provider.
      public var id: String
      /// What the button on the login page is called.
      public var name: Text
      /// The city's `client_id` at the provider.
      public var client: String
      /// `client_secret_basic` where it is not said.
      public var authentication: Authentication?
      /// Where the client's secret stands; for `private_key_jwt` its private key in PEM.
      public var secret: Adapter.Secret
      /// Scopes that are asked for, beside `openid`.
      public var scopes: [String]?
      /// Whether roles and name are asked for at the UserInfo endpoint where the ID token does not have them.
      public var userinfo: Bool?
      /// How long a session lasts; four hours where it is not said.
      public var session: Span?
    }

    /// An outside OpenID provider whose access tokens open this city's doors.
    public struct Provider: Codable, Sendable, Hashable {
      /// As its tokens name it in `iss`; its metadata are below, at `/.well-known/openid-configuration`.
      public var issuer: String
      /// What its tokens must be for, one of these (`aud`).
      public var audiences: [String]
      /// The claim that holds the roles there, with points between the steps; `roles` where it is not said.
      public var rolesClaim: String?
      /// Which role there is which here. Roles that are not named count for nothing.
      public var roles: [String: String]?
      /// The agency of everyone that it speaks for.
      public var agency: String?
      /// Tenants of everyone that it speaks for.
      public var tenants: [String]?
      /// Scopes that its tokens have here.
      public var scopes: [String]?
      /// Where its people log in to the pages.
      public var login: Login?
    }

    public var providers: [Provider]?
  }
}

extension ManifestShape {
  private static let name = Shape.pattern("[A-Za-z0-9_.:/-]{1,100}", example: "operator")

  private static let login = Shape.object([
    .required("id", identifier, "unique; CITY/oauth/outside/{id} is the redirect URI to be registered there"),
    .required("name", bilingual, "what the button on the login page is called"),
    .required(
      "client", .pattern("[!-~]{1,300}", example: "madang"), "the city's client_id there; none of the audiences"),
    .optional(
      "authentication", .choice(Manifest.Identity.Login.Authentication.allCases.map(\.rawValue)),
      "how the city shows itself; client_secret_basic without it"),
    .required("secret", secret, "where the client's secret stands, or its private key in PEM: env or file"),
    .optional("scopes", .list(name, count: 0...20), "asked for beside openid; profile without it"),
    .optional("userinfo", .flag, "ask the UserInfo endpoint for roles and name that the ID token does not have"),
    .optional("session", duration, "how long a session lasts, 12h at most; 4h without it"),
  ])

  static let identity = Shape.object([
    .optional(
      "providers",
      .list(
        .object([
          .required(
            "issuer", .pattern("https?://[A-Za-z0-9._~:/%\\[\\]-]{1,300}", example: "https://id.police.example"),
            "who signs them; http on this machine only"),
          .required("audiences", .list(.text(maxLength: 300), count: 1...10), "what its tokens must be for"),
          .optional("rolesClaim", name, "the claim with the roles, with points between the steps"),
          .optional("roles", .map(name, keyPattern: ".{1,100}", count: 1...100), "which role there is which here"),
          .optional("agency", name, "the agency of everyone that it speaks for"),
          .optional("tenants", .list(name, count: 0...64), "tenants of everyone that it speaks for"),
          .optional("scopes", .list(name, count: 0...20), "scopes that its tokens have here"),
          .optional("login", login, "its people log in to the pages there"),
        ]), count: 0...20), "outside OpenID providers whose tokens are believed")
  ])
}
