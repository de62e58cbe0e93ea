import Foundation
import NGSI
import Testing

@testable import Identity

/// A person lets a client in through the browser.
struct CodeFlowTests {
  private let door: Door

  init() throws { door = try Door() }

  /// A browser of a person who is logged in.
  private func browser(_ username: String = "kim") async throws -> Browser {
    try await door.addPerson(username)
    let browser = Browser(door)
    #expect(try await browser.logIn(username).status == 303)
    return browser
  }

  @Test func aPersonLetsAClientIn() async throws {
    try await door.addClient("board")
    let person = try await door.addPerson("kim", standing: Standing(roles: ["operator"], agency: "fire"))
    let flow = CodeFlow(client: "board")
    let browser = Browser(door)
    // Nobody is logged in: the door first, then back to the request.
    let first = try await browser.get(flow.address())
    #expect(first.status == 303 && first.location.hasPrefix("/oauth/login?back="))
    let page = try await browser.get(first.location)
    #expect(page.body.contains("Program board") && page.body.contains("action=\"/oauth/login\""))
    // Browsers hold form-action against redirects too.
    #expect(page.headers[.contentSecurityPolicy]?.contains("form-action 'self' https://client.example;") ?? false)
    let back = try #require(first.parameter("back"))
    let entered = try await browser.post(
      "/oauth/login",
      ["csrf": page.field("csrf"), "back": back, "username": "KIM", "password": "four words of mine"])
    #expect(entered.status == 303 && entered.location == back)
    let answer = try await browser.get(entered.location)
    #expect(answer.status == 303 && answer.location.hasPrefix("https://client.example/cb?code="))
    #expect(answer.parameter("state") == "st at&e" && answer.parameter("iss") == Door.issuer)
    let tokens = try await flow.exchange(answer.parameter("code"), door)
    #expect(tokens.status == 200)
    let access = try door.provider.verifier.verify(
      authorization: "Bearer " + (tokens.json["access_token"]?.string ?? ""))
    #expect(access.subject == person.id && access.agency == "fire" && access.methods == ["pwd"])
    let id = try SignedToken(parsing: try #require(tokens.json["id_token"]?.string))
    #expect(id.payload["nonce"]?.string == "n-1" && id.payload["aud"]?.string == "board")
    #expect(id.payload["sub"]?.string == person.id && id.payload["name"]?.string == "Name of kim")
    #expect(id.payload["email"] == nil)
    // An ID token opens no door.
    #expect(throws: TokenRefusal.self) {
      try door.provider.verifier.verify(authorization: "Bearer " + (tokens.json["id_token"]?.string ?? ""))
    }
    let about = try await door.get(
      "/oauth/userinfo", [.authorization: "Bearer " + (tokens.json["access_token"]?.string ?? "")])
    #expect(about.json["sub"]?.string == person.id && about.json["agency"]?.string == "fire")
  }

  @Test func aCodeIsGoodOnce() async throws {
    try await door.addClient("board")
    let browser = try await browser()
    let flow = CodeFlow(client: "board")
    let code = try await browser.get(flow.address()).parameter("code")
    let first = try await flow.exchange(code, door)
    let access = "Bearer " + (first.json["access_token"]?.string ?? "")
    _ = try door.provider.verifier.verify(authorization: access)
    #expect(try await flow.exchange(code, door).error == "invalid_grant")
    // What the first one got is worth nothing any more (RFC 6749 section 4.1.2).
    #expect(throws: TokenRefusal.self) { try door.provider.verifier.verify(authorization: access) }
    let refresh = try await door.post(
      "/oauth/token", ["grant_type": "refresh_token", "refresh_token": first.json["refresh_token"]?.string],
      basic: ("board", "s3cret"))
    #expect(refresh.error == "invalid_grant")
  }

  @Test func ofManyAtOnceOneGetsTheTokens() async throws {
    try await door.addClient("board")
    let browser = try await browser()
    let flow = CodeFlow(client: "board")
    let code = try await browser.get(flow.address()).parameter("code")
    let door = door
    let good = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<16 { group.addTask { try await flow.exchange(code, door).status == 200 } }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(good <= 1)
  }

  @Test func aCodeIsForWhoAskedOnly() async throws {
    try await door.addClient("board")
    try await door.addClient("thief")
    let browser = try await browser()
    let flow = CodeFlow(client: "board")
    func code() async throws -> String? { try await browser.get(flow.address()).parameter("code") }
    let other = CodeFlow(client: "board")
    #expect(try await other.exchange(code(), door).error == "invalid_grant")
    #expect(try await CodeFlow(client: "thief").exchange(code(), door).error == "invalid_grant")
    var elsewhere = flow
    elsewhere.redirectURI = "https://client.example/other"
    #expect(try await elsewhere.exchange(code(), door).error == "invalid_grant")
    #expect(try await flow.exchange("nonsense", door).error == "invalid_grant")
    let late = try await code()
    door.clock.pass(61)
    #expect(try await flow.exchange(late, door).error == "invalid_grant")
    let missing = try await door.post(
      "/oauth/token",
      ["grant_type": "authorization_code", "code": code(), "redirect_uri": "https://client.example/cb"],
      basic: ("board", "s3cret"))
    #expect(missing.error == "invalid_request")
  }

  @Test func wrongRequestsGoBackOnlyToTheirClient() async throws {
    try await door.addClient("board")
    let browser = try await browser()
    let flow = CodeFlow(client: "board")
    func ask(_ change: (String) -> String) async throws -> Door.Answer { try await browser.get(change(flow.address())) }
    // Who is not known is sent nowhere.
    for (name, value) in [
      ("client_id=board", "client_id=nobody"), ("client_id=board", ""),
      ("redirect_uri=https%3A%2F%2Fclient.example%2Fcb", "redirect_uri=https%3A%2F%2Fevil.example%2Fcb"),
      ("redirect_uri=https%3A%2F%2Fclient.example%2Fcb", "redirect_uri=https%3A%2F%2Fclient.example%2Fcb%2F"),
      ("redirect_uri=https%3A%2F%2Fclient.example%2Fcb", ""),
    ] {
      let answer = try await ask { $0.replacingOccurrences(of: name, with: value) }
      #expect(answer.status == 400 && answer.headers[.location] == nil, "\(value)")
    }
    let wrong: [(String, String, String)] = [
      ("response_type=code", "response_type=token", "unsupported_response_type"),
      ("code_challenge_method=S256", "code_challenge_method=plain", "invalid_request"),
      ("&code_challenge_method=S256", "", "invalid_request"),
      ("code_challenge=", "code_challenge=short&x=", "invalid_request"),
      ("city%3Aread", "city%3Aeverything", "invalid_scope"),
      ("nonce=n-1", "nonce=n-1&nonce=n-2", "invalid_request"),
      ("nonce=n-1", "request=eyJ", "request_not_supported"),
      ("nonce=n-1", "request_uri=https%3A%2F%2Fa.example", "request_uri_not_supported"),
      ("nonce=n-1", "response_mode=fragment", "invalid_request"),
      ("nonce=n-1", "resource=https%3A%2F%2Fother.example", "invalid_target"),
      ("nonce=n-1", "prompt=none%20login", "invalid_request"), ("nonce=n-1", "max_age=x", "invalid_request"),
    ]
    for (part, instead, error) in wrong {
      let answer = try await ask { $0.replacingOccurrences(of: part, with: instead) }
      #expect(answer.location.hasPrefix("https://client.example/cb?error="), "\(instead)")
      #expect(answer.parameter("error") == error, "\(instead)")
      #expect(answer.parameter("state") == "st at&e" && answer.parameter("iss") == Door.issuer)
    }
  }

  @Test func promptsAreObeyed() async throws {
    try await door.addClient("board")
    let flow = CodeFlow(client: "board")
    let stranger = Browser(door)
    #expect(try await stranger.get(flow.address(["prompt": "none"])).parameter("error") == "login_required")
    // One login is enough, whatever asked for it.
    let first = try await stranger.get(flow.address(["prompt": "login consent", "max_age": "0"]))
    let onward = first.parameter("back") ?? ""
    #expect(onward.hasSuffix("&prompt=consent") && !onward.contains("max_age"))
    let browser = try await browser()
    #expect(try await browser.get(flow.address(["prompt": "none"])).parameter("code") != nil)
    let again = try await browser.get(flow.address(["prompt": "login"]))
    #expect(again.location.hasPrefix("/oauth/login?") && again.parameter("again") == "1")
    #expect(!(again.parameter("back") ?? "prompt").contains("prompt"))
    #expect(try await browser.get(flow.address(["max_age": "60"])).parameter("code") != nil)
    door.clock.pass(61)
    let old = try await browser.get(flow.address(["max_age": "60"]))
    #expect(old.location.hasPrefix("/oauth/login?") && !(old.parameter("back") ?? "max_age").contains("max_age"))
    #expect(
      try await browser.get(flow.address(["max_age": "60", "prompt": "none"])).parameter("error") == "login_required")
  }

  @Test func aStrangersClientAsksFirst() async throws {
    try await door.addClient("shop") { $0.isFirstParty = false }
    let browser = try await browser()
    let flow = CodeFlow(client: "shop")
    #expect(try await browser.get(flow.address(["prompt": "none"])).parameter("error") == "consent_required")
    let page = try await browser.get(flow.address())
    #expect(page.status == 200 && page.body.contains("Program shop") && page.body.contains("city:read"))
    let request = String(flow.address().split(separator: "?")[1])
    let forged = try await browser.post("/oauth/consent", ["csrf": "x", "request": request, "answer": "yes"])
    #expect(forged.status == 400)
    let no = try await browser.post(
      "/oauth/consent", ["csrf": page.field("csrf"), "request": request, "answer": "no"])
    #expect(no.parameter("error") == "access_denied")
    let yes = try await browser.post(
      "/oauth/consent", ["csrf": page.field("csrf"), "request": request, "answer": "yes"])
    #expect(try await flow.exchange(yes.parameter("code"), door).status == 200)
    // Asked once for each scope.
    #expect(try await browser.get(flow.address()).parameter("code") != nil)
    var more = flow
    more.scope += " city:write"
    #expect(try await browser.get(more.address()).status == 200)
  }

  @Test func aPublicClientNeedsNoSecretButItsVerifier() async throws {
    _ = try await door.provider.prepare()
    let browser = try await browser()
    var flow = CodeFlow(client: BuiltInClients.commandLine)
    flow.redirectURI = "http://127.0.0.1:4711/callback"
    let code = try await browser.get(flow.address()).parameter("code")
    #expect(try await flow.exchange(code, door, secret: nil).status == 200)
  }

  // MARK: Refresh

  private func refresh(_ token: String?, _ client: String = "board", scope: String? = nil) async throws -> Door.Answer {
    try await door.post(
      "/oauth/token", ["grant_type": "refresh_token", "refresh_token": token, "scope": scope],
      basic: (client, "s3cret"))
  }

  @Test func anOldRefreshTokenEndsItsFamily() async throws {
    try await door.addClient("board")
    let browser = try await browser()
    let flow = CodeFlow(client: "board")
    let first = try await flow.exchange(try await browser.get(flow.address()).parameter("code"), door)
    let old = first.json["refresh_token"]?.string
    let second = try await refresh(old)
    let new = second.json["refresh_token"]?.string
    #expect(second.status == 200 && new != old && second.json["id_token"]?.string != nil)
    let narrow = try await refresh(new, scope: "city:read")
    #expect(narrow.json["scope"]?.string == "city:read" && narrow.json["id_token"] == nil)
    let last = narrow.json["refresh_token"]?.string
    #expect(try await refresh(last, scope: "city:admin").error == "invalid_scope")
    let bearer = "Bearer " + (narrow.json["access_token"]?.string ?? "")
    _ = try door.provider.verifier.verify(authorization: bearer)
    // A thief, or the one he stole from.
    #expect(try await refresh(old).error == "invalid_grant")
    #expect(try await refresh(last).error == "invalid_grant")
    #expect(throws: TokenRefusal.self) { try door.provider.verifier.verify(authorization: bearer) }
    #expect(try door.storage.read { try $0.count(in: .refreshFamilies) } == 0)
  }

  @Test func refreshTokensRunOutAndBelongToOneClient() async throws {
    try await door.addClient("board")
    try await door.addClient("thief")
    let browser = try await browser()
    let flow = CodeFlow(client: "board")
    func token() async throws -> String? {
      try await flow.exchange(try await browser.get(flow.address()).parameter("code"), door)
        .json["refresh_token"]?.string
    }
    let stolen = try await token()
    #expect(try await refresh(stolen, "thief").error == "invalid_grant")
    #expect(try await refresh(stolen).error == "invalid_grant")
    #expect(try await refresh("x.y").error == "invalid_grant")
    let revoked = try await token()
    #expect(try await door.post("/oauth/revoke", ["token": revoked], basic: ("board", "s3cret")).status == 200)
    #expect(try await refresh(revoked).error == "invalid_grant")
    var kept = try await token()
    let seen = try await door.post("/oauth/introspect", ["token": kept], basic: ("board", "s3cret"))
    #expect(seen.json["active"]?.bool == true)
    for _ in 0..<4 {
      door.clock.pass(7 * 86_400 - 1)
      kept = try await refresh(kept).json["refresh_token"]?.string
      #expect(kept != nil)
    }
    door.clock.pass(3 * 86_400)
    #expect(try await refresh(kept).error == "invalid_grant")
    try await door.provider.maintain()
    #expect(try door.storage.read { try $0.count(in: .refreshFamilies) } == 0)
  }

  @Test func whoIsDisabledGetsNothing() async throws {
    try await door.addClient("board")
    try await door.addClient("boss") { $0.standing = Standing(roles: [Standing.administrator]) }
    let browser = try await browser()
    let flow = CodeFlow(client: "board")
    let tokens = try await flow.exchange(try await browser.get(flow.address()).parameter("code"), door)
    let bearer = "Bearer " + (tokens.json["access_token"]?.string ?? "")
    let boss = try await door.post("/oauth/token", ["grant_type": "client_credentials"], basic: ("boss", "s3cret"))
    let id = try #require(try door.storage.read { try $0.person(named: "kim") }).id
    let disabled = try await door.ask(
      .patch, "/oauth/people/\(id)", [.authorization: "Bearer " + (boss.json["access_token"]?.string ?? "")],
      body: #"{"isDisabled": true}"#)
    #expect(disabled.json["isDisabled"]?.bool == true)
    #expect(throws: TokenRefusal.self) { try door.provider.verifier.verify(authorization: bearer) }
    #expect(try await refresh(tokens.json["refresh_token"]?.string).error == "invalid_grant")
    #expect(try await browser.get("/oauth/account").location.hasPrefix("/oauth/login"))
    #expect(try await browser.logIn("kim").status == 401)
  }

  // MARK: Devices

  @Test func aDeviceIsLetIn() async throws {
    try await door.addClient("lamp", .none, grants: [.deviceCode, .refreshToken])
    let asked = try await door.post("/oauth/device_authorization", ["client_id": "lamp", "scope": "city:read"])
    #expect(asked.json["verification_uri"]?.string == Door.issuer + "/oauth/device")
    let device = asked.json["device_code"]?.string
    let userCode = try #require(asked.json["user_code"]?.string)
    #expect(userCode.count == 9 && userCode.dropFirst(4).first == "-")
    func poll(_ client: String = "lamp") async throws -> Door.Answer {
      try await door.post(
        "/oauth/token",
        [
          "grant_type": Client.GrantType.deviceCode.rawValue, "device_code": device, "client_id": client,
        ])
    }
    #expect(try await poll().error == "authorization_pending")
    #expect(try await poll().error == "slow_down")
    door.clock.pass(6)
    #expect(try await poll().error == "slow_down")
    door.clock.pass(15)
    #expect(try await poll().error == "authorization_pending")
    let browser = try await browser()
    let wrong = try await browser.get("/oauth/device")
    let csrf = wrong.field("csrf")
    #expect(try await browser.post("/oauth/device", ["csrf": csrf, "user_code": "BBBB-BBBB"]).status == 400)
    #expect(try await browser.post("/oauth/device", ["csrf": "x", "user_code": userCode]).status == 400)
    let question = try await browser.post("/oauth/device", ["csrf": csrf, "user_code": userCode.lowercased()])
    #expect(question.status == 200 && question.body.contains("Program lamp") && question.body.contains("city:read"))
    #expect(
      try await browser.post("/oauth/device", ["csrf": csrf, "user_code": userCode, "answer": "yes"]).status == 200)
    // Answered once.
    #expect(
      try await browser.post("/oauth/device", ["csrf": csrf, "user_code": userCode, "answer": "no"]).status == 400)
    door.clock.pass(30)
    try await door.addClient("other", .none, grants: [.deviceCode])
    #expect(try await poll("other").error == "invalid_grant")
    let tokens = try await poll()
    #expect(tokens.json["scope"]?.string == "city:read" && tokens.json["refresh_token"] != nil)
    #expect(try await poll().error == "invalid_grant")
  }

  @Test func aDeviceIsDeclinedOrTooLate() async throws {
    try await door.addClient("lamp", .none, grants: [.deviceCode])
    let browser = try await browser()
    let csrf = try await browser.get("/oauth/device").field("csrf")
    func ask() async throws -> (device: String?, user: String?) {
      let asked = try await door.post("/oauth/device_authorization", ["client_id": "lamp"])
      return (asked.json["device_code"]?.string, asked.json["user_code"]?.string)
    }
    func poll(_ device: String?) async throws -> String? {
      try await door.post(
        "/oauth/token",
        ["grant_type": Client.GrantType.deviceCode.rawValue, "device_code": device, "client_id": "lamp"]
      ).error
    }
    let declined = try await ask()
    _ = try await browser.post("/oauth/device", ["csrf": csrf, "user_code": declined.user, "answer": "no"])
    #expect(try await poll(declined.device) == "access_denied")
    let late = try await ask()
    door.clock.pass(600)
    #expect(try await poll(late.device) == "expired_token")
    #expect(try await browser.post("/oauth/device", ["csrf": csrf, "user_code": late.user]).status == 400)
    try await door.provider.maintain()
    #expect(try door.storage.read { try $0.count(in: .deviceGrants) + $0.count(in: .userCodes) } == 0)
    // Guessing codes is held back.
    var statuses: [Int] = []
    for _ in 0..<20 {
      statuses.append(try await browser.post("/oauth/device", ["csrf": csrf, "user_code": UserCode.make()]).status)
    }
    #expect(statuses.filter { $0 == 400 }.count == 9 && statuses.last == 429)
    #expect(try await door.post("/oauth/device_authorization", ["client_id": "board"]).error == "invalid_client")
  }
}
