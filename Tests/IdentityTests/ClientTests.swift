import Crypto
import Foundation
import NGSI
import Testing

@testable import Identity

/// Clients that act for themselves, and what is asked about their tokens.
struct ClientTests {
  private let door: Door

  init() throws { door = try Door() }

  private func ownToken(_ id: String = "meter", secret: String = "s3cret", scope: String? = nil) async throws
    -> Door.Answer
  {
    try await door.post(
      "/oauth/token", ["grant_type": "client_credentials", "scope": scope], basic: (id, secret))
  }

  @Test func aClientGetsATokenOfItsOwn() async throws {
    try await door.addClient("meter") {
      $0.scopes = ["city:read", "city:write"]
      $0.standing = Standing(roles: ["device"], agency: "water", tenants: ["north"])
    }
    let answer = try await ownToken(scope: "city:read")
    #expect(answer.status == 200 && answer.headers[.cacheControl] == "no-store")
    #expect(answer.json["token_type"]?.string == "Bearer" && answer.json["scope"]?.string == "city:read")
    #expect(answer.json["refresh_token"] == nil && answer.json["id_token"] == nil)
    let text = try #require(answer.json["access_token"]?.string)
    let caller = try door.provider.verifier.verify(authorization: "Bearer " + text)
    #expect(caller.subject == "meter" && caller.agency == "water" && caller.tenants == ["north"])
    let token = try SignedToken(parsing: text)
    #expect(token.type == "at+jwt" && token.payload["aud"]?.string == Door.issuer)
    #expect(try await ownToken().json["scope"]?.string == "city:read city:write")
  }

  @Test func errorsAreTheStandards() async throws {
    try await door.addClient("meter", grants: [.clientCredentials]) { $0.scopes = ["city:read", "openid"] }
    try await door.addClient("app", .none, grants: [.clientCredentials, .authorizationCode])
    func error(_ form: KeyValuePairs<String, String?>, basic: (String, String)? = ("meter", "s3cret")) async throws
      -> String
    {
      let answer = try await door.post("/oauth/token", form, basic: basic)
      return "\(answer.status) \(answer.error ?? "-")"
    }
    #expect(try await error(["grant_type": "client_credentials"], basic: ("meter", "wrong")) == "401 invalid_client")
    #expect(try await error(["grant_type": "client_credentials"], basic: ("nobody", "s3cret")) == "401 invalid_client")
    #expect(try await error(["grant_type": "client_credentials"], basic: nil) == "401 invalid_client")
    #expect(
      try await error(["grant_type": "client_credentials", "client_id": "meter"], basic: nil) == "401 invalid_client")
    #expect(
      try await error(["grant_type": "client_credentials", "client_id": "app"], basic: nil) == "400 unauthorized_client"
    )
    #expect(
      try await error(["grant_type": "client_credentials", "client_secret": "s3cret", "client_id": "meter"])
        == "400 invalid_request")
    #expect(try await error(["grant_type": "client_credentials", "client_id": "app"]) == "400 invalid_request")
    #expect(try await error([:]) == "400 invalid_request")
    #expect(try await error(["grant_type": "password"]) == "400 unsupported_grant_type")
    #expect(try await error(["grant_type": "refresh_token"]) == "400 unauthorized_client")
    #expect(try await error(["grant_type": "client_credentials", "scope": "city:admin"]) == "400 invalid_scope")
    #expect(try await error(["grant_type": "client_credentials", "scope": "openid"]) == "400 invalid_scope")
    #expect(
      try await error(["grant_type": "client_credentials", "resource": "https://x.example"]) == "400 invalid_target")
    #expect(
      try await error(["grant_type": "client_credentials", "scope": "city:read", "scope": "city:read"])
        == "400 invalid_request")
    let wrong = try await door.post("/oauth/token", ["grant_type": "client_credentials"], basic: ("meter", "wrong"))
    #expect(wrong.headers[.wwwAuthenticate]?.hasPrefix("Basic") ?? false)
    // The same by the form.
    let posted = try await door.post(
      "/oauth/token", ["grant_type": "client_credentials", "client_id": "meter", "client_secret": "s3cret"])
    #expect(posted.status == 200)
  }

  @Test func badInputIsRefused() async throws {
    let form: (String) async throws -> Door.Answer = { body in
      try await door.ask(
        .post, "/oauth/token", [.contentType: "application/x-www-form-urlencoded"], body: body)
    }
    #expect(try await form("grant_type=%zz").error == "invalid_request")
    #expect(try await form("grant_type=%ff%fe").error == "invalid_request")
    #expect(try await form(String(repeating: "a", count: 70_000)).error == "invalid_request")
    #expect(try await form(String(repeating: "a=b&", count: 200)).error == "invalid_request")
    #expect(try await door.ask(.post, "/oauth/token", [:], body: "{}").error == "invalid_request")
    for header in [
      "Basic", "Basic !", "Basic " + Data("x".utf8).base64EncodedString(), "Negotiate YQ==", "Basic /////w==",
    ] {
      let answer = try await door.ask(
        .post, "/oauth/token", [.contentType: "application/x-www-form-urlencoded", .authorization: header],
        body: "grant_type=client_credentials")
      #expect(answer.status == 401 && answer.error == "invalid_client", "\(header)")
    }
  }

  @Test func guessingASecretIsHeldBack() async throws {
    try await door.addClient("meter")
    var answers: [Int?] = []
    for number in 0..<60 {
      let answer = try await door.post(
        "/oauth/token", ["grant_type": "client_credentials"], basic: ("meter", "guess \(number)"), source: "203.0.113.7"
      )
      answers.append(answer.headers[.retryAfter].flatMap { Int($0) })
    }
    #expect(answers.compactMap { $0 }.count == 30)
    // Others are not slowed, and the right secret costs nothing.
    for _ in 0..<100 { #expect(try await ownToken().status == 200) }
  }

  // MARK: private_key_jwt

  private func assertion(_ key: SigningKey, _ change: (inout JSONObject) -> Void = { _ in }) throws -> String {
    var claims = JSONObject([
      "iss": "robot", "sub": "robot", "aud": .string(Door.issuer + "/oauth/token"),
      "exp": .integer(Int64(door.clock.now + 300)), "iat": .integer(Int64(door.clock.now)),
      "jti": .string(Secret.make(bytes: 8)),
    ])
    change(&claims)
    return try key.sign(.object(claims), type: "JWT")
  }

  private func post(_ assertion: String) async throws -> Door.Answer {
    try await door.post(
      "/oauth/token",
      [
        "grant_type": "client_credentials", "client_assertion": assertion,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      ])
  }

  @Test func aClientShowsItselfByItsKey() async throws {
    let key = SigningKey(activeFrom: 0)
    try await door.addClient("robot", .privateKey) { client in
      client.secretHash = nil
      client.keys = ["keys": [key.jwk]]
    }
    let good = try assertion(key)
    #expect(try await post(good).status == 200)
    // Once.
    #expect(try await post(good).error == "invalid_client")
    #expect(try await post(assertion(key) { $0["aud"] = .string(Door.issuer) }).status == 200)
    let now = Int64(door.clock.now)
    let wrong: [(inout JSONObject) -> Void] = [
      { $0["aud"] = "https://other.example" }, { $0["sub"] = "other" }, { $0["iss"] = "other" }, { $0["jti"] = nil },
      { $0["exp"] = nil }, { $0["exp"] = .integer(now - 60) }, { $0["exp"] = .integer(now + 3661) },
      { $0["nbf"] = .integer(now + 61) }, { $0["iat"] = .integer(now + 61) },
    ]
    for (number, change) in wrong.enumerated() {
      let answer = try await post(assertion(key, change))
      #expect(answer.status == 401 && answer.error == "invalid_client", "\(number)")
    }
    #expect(try await post(assertion(SigningKey(activeFrom: 0))).error == "invalid_client")
    #expect(try await post("x").error == "invalid_client")
    // Within the clocks' difference.
    #expect(try await post(assertion(key) { $0["exp"] = .integer(now - 59) }).status == 200)
  }

  // MARK: Introspection and revocation

  @Test func tokensAreLookedAtAndRevoked() async throws {
    try await door.addClient("meter") { $0.standing = Standing(roles: ["device"]) }
    try await door.addClient("other")
    try await door.addClient("guard") { $0.standing = Standing(roles: [Standing.resourceServer]) }
    let text = try #require(try await ownToken().json["access_token"]?.string)
    func isActive(_ client: String, _ token: String) async throws -> Bool? {
      try await door.post("/oauth/introspect", ["token": token], basic: (client, "s3cret")).json["active"]?.bool
    }
    let seen = try await door.post("/oauth/introspect", ["token": text], basic: ("guard", "s3cret"))
    #expect(seen.json["active"]?.bool == true && seen.json["client_id"]?.string == "meter")
    #expect(seen.json["roles"]?.strings == ["device"] && seen.json["iss"]?.string == Door.issuer)
    #expect(try await isActive("meter", text) == true)
    #expect(try await isActive("other", text) == false)
    #expect(try await isActive("guard", "nonsense") == false)
    #expect(try await isActive("guard", text + "x") == false)
    #expect(try await door.post("/oauth/introspect", ["token": text]).status == 401)
    #expect(try await door.post("/oauth/introspect", [:], basic: ("guard", "s3cret")).error == "invalid_request")
    // Only its own client revokes a token.
    #expect(try await door.post("/oauth/revoke", ["token": text], basic: ("other", "s3cret")).status == 400)
    #expect(try await isActive("guard", text) == true)
    #expect(try await door.post("/oauth/revoke", ["token": text], basic: ("meter", "s3cret")).status == 200)
    #expect(try await isActive("guard", text) == false)
    #expect(throws: TokenRefusal(.invalidToken, "the token was revoked")) {
      try door.provider.verifier.verify(authorization: "Bearer " + text)
    }
    #expect(try await door.post("/oauth/revoke", ["token": "unknown"], basic: ("meter", "s3cret")).status == 200)
    // A provider that starts anew on the same store knows it still.
    let again = try Revocations(door.storage)
    let token = try #require(AccessToken(claims: SignedToken(parsing: text).payload))
    #expect(again.isRevoked(token))
    door.clock.pass(700)
    try await door.provider.maintain()
    #expect(try Revocations(door.storage).count == 0 && door.provider.revocations.count == 0)
  }

  @Test func clientsAreMadeByAdministratorsOnly() async throws {
    try await door.addClient("boss") { $0.standing = Standing(roles: [Standing.administrator]) }
    try await door.addClient("meter")
    func bearer(_ id: String, _ scope: String) async throws -> String {
      "Bearer " + (try await ownToken(id, scope: scope).json["access_token"]?.string ?? "")
    }
    func register(_ body: JSON, _ authorization: String?) async throws -> Door.Answer {
      var headers: [(String, String)] = []
      if let authorization { headers.append(("Authorization", authorization)) }
      return try await door.ask(
        .post, "/oauth/register",
        authorization.map { [.authorization: $0, .contentType: "application/json"] } ?? [:],
        body: JSONWriter.text(body))
    }
    let metadata: JSON = [
      "client_name": "Board", "redirect_uris": ["https://board.example/cb"], "scope": "openid city:read",
      "grant_types": ["authorization_code", "refresh_token"],
    ]
    let administrator = try await bearer("boss", "city:admin")
    let made = try await register(metadata, administrator)
    #expect(made.status == 201)
    let id = try #require(made.json["client_id"]?.string)
    let client = try #require(try door.storage.read { try $0.client(id) })
    #expect(client.secretHash == made.json["client_secret"]?.string.map(Secret.hash))
    #expect(client.redirectURIs == ["https://board.example/cb"] && !client.isFirstParty)
    #expect(try await register(metadata, nil).status == 401)
    #expect(try await register(metadata, try await bearer("meter", "city:admin")).status == 403)
    let narrow = try await register(metadata, try await bearer("boss", "city:read"))
    #expect(narrow.status == 403 && narrow.headers[.wwwAuthenticate]?.contains("insufficient_scope") ?? false)
    let wrong: [(JSON, String)] = [
      (["redirect_uris": ["http://board.example/cb"]], "invalid_redirect_uri"),
      (["redirect_uris": ["https://board.example/cb#x"]], "invalid_redirect_uri"),
      (["redirect_uris": ["javascript:alert(1)"]], "invalid_redirect_uri"),
      (["redirect_uris": []], "invalid_redirect_uri"),
      (["redirect_uris": ["https://a.example/"], "scope": "everything"], "invalid_client_metadata"),
      (["redirect_uris": ["https://a.example/"], "grant_types": ["implicit"]], "invalid_client_metadata"),
      (["redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "tls"], "invalid_client_metadata"),
      (
        ["redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "private_key_jwt"],
        "invalid_client_metadata"
      ),
      (["grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"], "invalid_client_metadata"),
      ("text", "invalid_request"),
    ]
    for (body, error) in wrong { #expect(try await register(body, administrator).error == error, "\(body)") }
    let path = "/oauth/register/" + id
    #expect(try await door.get(path, [.authorization: administrator]).json["client_secret"] == nil)
    #expect(try await door.ask(.delete, path, [.authorization: administrator]).status == 204)
    #expect(try await door.get(path, [.authorization: administrator]).status == 404)
  }

  @Test func redirectAddressesAreExact() {
    var client = Client(id: "a", name: "a", authentication: .none)
    client.redirectURIs = ["https://a.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb"]
    for good in ["https://a.example/cb", "http://127.0.0.1/cb", "http://127.0.0.1:4711/cb", "com.example.app:/cb"] {
      #expect(client.owns(redirect: good))
    }
    for wrong in [
      "https://a.example/cb/", "https://a.example/cb?x=1", "https://A.example/cb", "https://a.example:443/cb",
      "http://127.0.0.1:4711/cb2", "http://127.0.0.1:0/cb", "http://127.0.0.1:99999/cb",
      "http://127.0.0.1.evil.example/cb",
      "http://127.0.0.1:80@evil.example/cb", "http://127.0.0.1:/cb", "http://[::1]:4711/cb", "http://localhost:4711/cb",
      "",
    ] {
      #expect(!client.owns(redirect: wrong), "\(wrong)")
    }
  }
}
