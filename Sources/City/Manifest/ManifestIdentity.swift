extension Manifest {
  /// Who is believed about people beside the city itself.
  public struct Identity: Codable, Sendable, Hashable {
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
    }

    public var providers: [Provider]?
  }
}

extension ManifestShape {
  private static let name = Shape.pattern("[A-Za-z0-9_.:/-]{1,100}", example: "operator")

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
        ]), count: 0...20), "outside OpenID providers whose tokens are believed")
  ])
}
