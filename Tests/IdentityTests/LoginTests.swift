import Foundation
import HTTPTypes
import NGSI
import Synchronization
import Testing

@testable import Identity

/// People at the door.
struct LoginTests {
  private let door: Door

  init() throws { door = try Door() }

  @Test func aLoginGivesANewSession() async throws {
    try await door.addPerson("kim")
    let browser = Browser(door)
    let first = try await browser.logIn("kim", back: "/entities?type=Lamp")
    #expect(first.status == 303 && first.location == "/entities?type=Lamp")
    let name = "__Host-madang-session"
    let line = try #require(first.headers[values: .setCookie].first { $0.hasPrefix(name) })
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] { #expect(line.contains(part)) }
    #expect(!line.contains("Domain"))
    let session = try #require(browser.cookies[name])
    let verifier = door.provider.verifier
    let caller = try verifier.verify(authorization: nil, cookie: "a=b; \(name)=\(session)")
    #expect(caller.roles == ["operator"] && caller.clientId == nil)
    guard case .session(let csrf) = caller.means else {
      Issue.record("a cookie is a session")
      return
    }
    // What changes something needs the page's token.
    #expect(throws: TokenRefusal.self) {
      try verifier.verify(authorization: nil, cookie: "\(name)=\(session)", changes: true)
    }
    _ = try verifier.verify(authorization: nil, cookie: "\(name)=\(session)", csrf: csrf, changes: true)
    // The next login ends this session; only its hash was kept.
    let kept = try door.storage.read { try $0.documents(in: .sessions, offset: 0, limit: 10) }
    #expect(kept.count == 1 && !JSONWriter.text(kept[0].body).contains(session) && kept[0].id != session)
    let again = try await browser.get("/oauth/login?again=1")
    _ = try await browser.post(
      "/oauth/login",
      ["csrf": again.field("csrf"), "back": "/", "username": "kim", "password": "four words of mine"])
    #expect(browser.cookies[name] != session)
    #expect(throws: TokenRefusal.self) { try verifier.verify(authorization: nil, cookie: "\(name)=\(session)") }
  }

  @Test func sessionsEnd() async throws {
    try await door.addPerson("kim")
    let browser = Browser(door)
    _ = try await browser.logIn("kim")
    func isIn() async throws -> Bool { try await browser.get("/oauth/account").status == 200 }
    for _ in 0..<11 {
      door.clock.pass(3599)
      #expect(try await isIn())
      try await door.provider.maintain()
    }
    // After twelve hours, however busy.
    door.clock.pass(3599)
    #expect(try await isIn())
    door.clock.pass(12)
    #expect(try await !isIn())
    _ = try await browser.logIn("kim")
    door.clock.pass(3600)
    #expect(try await !isIn())
    try await door.provider.maintain()
    #expect(try door.storage.read { try $0.count(in: .sessions) } == 0)
    // Logging out.
    _ = try await browser.logIn("kim")
    let page = try await browser.get("/oauth/logout")
    #expect(page.status == 200)
    #expect(try await browser.post("/oauth/logout", ["csrf": "x"]).status == 200)
    #expect(try await isIn())
    let cookies = browser.cookies
    #expect(try await browser.post("/oauth/logout", ["csrf": page.field("csrf")]).status == 303)
    #expect(browser.cookies["__Host-madang-session"] == nil)
    browser.cookies = cookies
    #expect(try await !isIn())
  }

  @Test func aClientLogsItsPersonOut() async throws {
    try await door.addClient("board") { $0.postLogoutRedirectURIs = ["https://client.example/bye"] }
    try await door.addPerson("kim")
    let browser = Browser(door)
    _ = try await browser.logIn("kim")
    let flow = CodeFlow(client: "board")
    let tokens = try await flow.exchange(try await browser.get(flow.address()).parameter("code"), door)
    let hint = tokens.json["id_token"]?.string
    func address(_ form: KeyValuePairs<String, String?>) -> String { "/oauth/logout?" + Form.encode(form) }
    #expect(
      try await browser.get(address(["id_token_hint": hint, "post_logout_redirect_uri": "https://evil.example"])).status
        == 400)
    #expect(try await browser.get(address(["id_token_hint": "x"])).status == 400)
    door.clock.pass(700)
    let out = try await browser.get(
      address(["id_token_hint": hint, "post_logout_redirect_uri": "https://client.example/bye", "state": "s"]))
    #expect(out.location == "https://client.example/bye?state=s")
    #expect(try await browser.get("/oauth/account").status == 303)
  }

  @Test func formsComeFromOurPagesOnly() async throws {
    try await door.addPerson("kim")
    let browser = Browser(door)
    let page = try await browser.get("/oauth/login")
    let good: KeyValuePairs<String, String?> = [
      "csrf": page.field("csrf"), "username": "kim", "password": "four words of mine",
    ]
    let stranger = Browser(door)
    #expect(try await stranger.post("/oauth/login", good).status == 400)
    _ = try await stranger.get("/oauth/login")
    #expect(try await stranger.post("/oauth/login", good).status == 400)
    var headers: HTTPFields = [
      .contentType: "application/x-www-form-urlencoded", .origin: "https://evil.example",
      .cookie: "__Host-madang-visit=\(browser.cookies["__Host-madang-visit"] ?? "")",
    ]
    #expect(try await door.ask(.post, "/oauth/login", headers, body: Form.encode(good)).status == 400)
    headers[.origin] = Door.issuer
    #expect(try await door.ask(.post, "/oauth/login", headers, body: Form.encode(good)).status == 303)
    // Back only to pages of ours.
    for back in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/a\nb", ""] {
      #expect(IdentityProvider.ownAddress(back) == "/")
    }
  }

  @Test func pagesWearTheirArmour() async throws {
    let page = try await door.get("/oauth/login", [.acceptLanguage: "ko-KR,ko;q=0.9,en;q=0.5"])
    #expect(page.body.contains("<html lang=\"ko\">") && page.body.contains("로그인"))
    #expect(try await door.get("/oauth/login?lang=en", [.acceptLanguage: "ko"]).body.contains("Log in"))
    #expect(try await door.get("/oauth/login?ui_locales=fr%20ko").body.contains("로그인"))
    #expect(page.headers[.strictTransportSecurity] == "max-age=31536000; includeSubDomains")
    let policy = try #require(page.headers[.contentSecurityPolicy])
    #expect(policy.hasPrefix("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
    #expect(!policy.contains("unsafe"))
    #expect(!page.body.contains("<script>") && !page.body.contains(" style=") && !page.body.contains(" onclick"))
    #expect(page.headers[.xContentTypeOptions] == "nosniff" && page.headers[.cacheControl] == "no-store")
    // What people type comes back as text.
    let hint = try await door.get("/oauth/login?hint=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    #expect(!hint.body.contains("<script>alert"))
    let plain = try Door(issuer: "http://127.0.0.1:9190")
    let open = try await plain.get("/oauth/login")
    #expect(open.headers[.strictTransportSecurity] == nil)
    let cookie = try #require(open.headers[values: .setCookie].first)
    #expect(cookie.hasPrefix("madang-visit=") && !cookie.contains("Secure"))
    let style = String(
      page.body.split(separator: "href=\"").first { $0.contains("identity.css") }?.prefix { $0 != "\"" } ?? "")
    #expect(try await door.get(style).headers[.cacheControl]?.contains("immutable") ?? false)
  }

  @Test func theFirstAdministratorIsMadeOnce() async throws {
    let first = try #require(try await door.provider.prepare())
    #expect(try await door.provider.prepare() == nil)
    let browser = Browser(door)
    let entered = try await browser.logIn(first.username, first.password, back: "/oauth/account")
    #expect(entered.location == "/oauth/password?back=%2Foauth%2Faccount")
    // Until he has a password of his own, nothing else opens.
    #expect(try await browser.get("/oauth/account").location.hasPrefix("/oauth/password"))
    #expect(throws: TokenRefusal.self) {
      try door.provider.verifier.verify(
        authorization: nil, cookie: "__Host-madang-session=\(browser.cookies["__Host-madang-session"] ?? "")")
    }
    try await door.addClient("board")
    #expect(try await browser.get(CodeFlow(client: "board").address()).location.hasPrefix("/oauth/password"))
    let page = try await browser.get("/oauth/password")
    let request = CodeFlow(client: "board").address().split(separator: "?")[1]
    let consent = try await browser.post(
      "/oauth/consent", ["csrf": page.field("csrf"), "answer": "yes", "request": String(request)])
    #expect(consent.location.hasPrefix("/oauth/password"))
    #expect(try await browser.get("/oauth/device").location.hasPrefix("/oauth/password"))
    func change(_ current: String, _ new: String, _ again: String? = nil) async throws -> Door.Answer {
      try await browser.post(
        "/oauth/password",
        [
          "csrf": page.field("csrf"), "current": current, "new": new, "repeat": again ?? new, "back": "/oauth/account",
        ])
    }
    #expect(try await change("wrong", "another good one").status == 401)
    #expect(try await change(first.password, "short").status == 400)
    #expect(try await change(first.password, "another good one", "another").status == 400)
    #expect(try await change(first.password, first.password).status == 400)
    let old = browser.cookies
    #expect(try await change(first.password, "another good one").location == "/oauth/account")
    let account = try await browser.get("/oauth/account")
    #expect(account.status == 200 && account.body.contains("administrator"))
    browser.cookies = old
    #expect(try await browser.get("/oauth/account").status == 303)
    #expect(try await Browser(door).logIn("admin", first.password).status == 401)
    #expect(try await Browser(door).logIn("admin", "another good one").location == "/")
    // He may make others.
    _ = try await browser.logIn("admin", "another good one")
    let csrf = try await browser.get("/oauth/account").field("csrf") ?? ""
    let name = try #require(HTTPField.Name("X-CSRF-Token"))
    func add(_ csrf: String, _ body: String) async throws -> Door.Answer {
      try await door.ask(
        .post, "/oauth/people",
        [.cookie: "__Host-madang-session=\(browser.cookies["__Host-madang-session"] ?? "")", name: csrf], body: body)
    }
    let kim = #"{"username": "kim", "roles": ["operator"], "agency": "fire"}"#
    #expect(try await add("", kim).status == 400)
    let made = try await add(csrf, kim)
    #expect(made.status == 201 && made.json["agency"]?.string == "fire")
    #expect(try await add(csrf, kim).status == 400)
    #expect(try await add(csrf, #"{"username": "no space"}"#).status == 400)
    #expect(try await add(csrf, #"{"username": "lee", "password": "lee lee lee lee"}"#).status == 400)
    let entry = try await Browser(door).logIn("kim", made.json["oneTimePassword"]?.string ?? "")
    #expect(entry.location.hasPrefix("/oauth/password"))
  }

  // MARK: Codes of an authenticator application

  private func code(_ username: String, steps: Int64 = 0) throws -> String {
    let person = try #require(try door.storage.read { try $0.person(named: username) })
    let key = try #require(person.oneTimeCode)
    let secret = try #require(door.provider.keys.open(key.sealed, for: "otp " + person.id))
    return OneTimeCode.code(secret, step: Int64(door.clock.now) / 30 + steps)
  }

  @Test func aSecondStepIsAskedForOnceItIsSetUp() async throws {
    try await door.addPerson("kim")
    let browser = Browser(door)
    _ = try await browser.logIn("kim")
    let account = try await browser.get("/oauth/account")
    let setup = try await browser.post("/oauth/otp", ["csrf": account.field("csrf")])
    #expect(setup.status == 200 && setup.body.contains("otpauth://totp/Madang:kim?secret="))
    // Not yet: no code of it was shown.
    #expect(try await Browser(door).logIn("kim").status == 303)
    let csrf = setup.field("csrf")
    #expect(try await browser.post("/oauth/otp/confirm", ["csrf": csrf, "code": "000000"]).status == 400)
    let first = try code("kim")
    #expect(try await browser.post("/oauth/otp/confirm", ["csrf": csrf, "code": first]).status == 303)
    let stored = try door.storage.read { try $0.documents(in: .people, offset: 0, limit: 1) }
    #expect(!JSONWriter.text(stored[0].body).contains(first))
    // Now the password is half of it.
    let other = Browser(door)
    let half = try await other.logIn("kim", back: "/data")
    #expect(half.status == 200 && half.body.contains("name=\"code\""))
    #expect(other.cookies["__Host-madang-session"] == nil)
    let ticket = half.field("ticket")
    func show(_ code: String, _ ticket: String?, _ browser: Browser) async throws -> Door.Answer {
      try await browser.post("/oauth/login/code", ["csrf": half.field("csrf"), "ticket": ticket, "code": code])
    }
    // The code that set it up was taken already.
    #expect(try await show(first, ticket, other).status == 401)
    door.clock.pass(30)
    let fresh = try code("kim")
    let stranger = Browser(door)
    _ = try await stranger.get("/oauth/login")
    #expect(try await show(fresh, ticket, stranger).status == 400)
    #expect(try await show(fresh, "forged", other).status == 400)
    let entered = try await show(" " + fresh, ticket, other)
    #expect(entered.status == 303 && entered.location == "/data")
    let caller = try door.provider.verifier.verify(
      authorization: nil, cookie: "__Host-madang-session=\(other.cookies["__Host-madang-session"] ?? "")")
    #expect(caller.methods == ["pwd", "otp", "mfa"])
    // Once.
    #expect(try await show(fresh, ticket, other).status == 401)
    // A ticket lasts ten minutes.
    let late = Browser(door)
    let page = try await late.logIn("kim")
    door.clock.pass(601)
    let tooLate = try await late.post(
      "/oauth/login/code", ["csrf": page.field("csrf"), "ticket": page.field("ticket"), "code": try code("kim")])
    #expect(tooLate.status == 400)
    // Taking it away needs a code, too.
    let last = try await other.get("/oauth/account").field("csrf")
    #expect(try await other.post("/oauth/otp/end", ["csrf": last, "code": "000000"]).status == 400)
    #expect(try await other.post("/oauth/otp/end", ["csrf": last, "code": try code("kim")]).status == 303)
    #expect(try await Browser(door).logIn("kim").status == 303)
  }

  @Test func guessingCodesIsHeldBack() async throws {
    try await door.addPerson("kim")
    let browser = Browser(door)
    _ = try await browser.logIn("kim")
    let account = try await browser.get("/oauth/account")
    _ = try await browser.post("/oauth/otp", ["csrf": account.field("csrf")])
    _ = try await browser.post("/oauth/otp/confirm", ["csrf": account.field("csrf"), "code": try code("kim")])
    let thief = Browser(door)
    let page = try await thief.logIn("kim")
    var statuses: [Int] = []
    for number in 0..<100 {
      thief.source = "203.0.113.\(number)"
      let answer = try await thief.post(
        "/oauth/login/code",
        ["csrf": page.field("csrf"), "ticket": page.field("ticket"), "code": "\(100_000 + number)"])
      statuses.append(answer.status)
    }
    #expect(statuses.filter { $0 == 401 }.count <= 10 && statuses.last == 429)
  }

  // MARK: Floods

  @Test func aThousandWrongPasswordsSlowNobody() async throws {
    let door = try Door(change: { $0.passwordCost = PasswordCost(logRounds: 12, blockSize: 8, parallelism: 1) })
    try await door.addPerson("kim")
    try await door.addPerson("lee")
    let page = try await door.get("/oauth/login")
    let visit = page.headers[values: .setCookie].first?.prefix { $0 != ";" } ?? ""
    let statuses = try await withThrowingTaskGroup(of: [Int].self) { group in
      for worker in 0..<4 {
        group.addTask {
          var statuses: [Int] = []
          for number in 0..<250 {
            let answer = try await door.post(
              "/oauth/login",
              [
                "csrf": page.field("csrf"), "username": number % 2 == 0 ? "kim" : "guess\(worker)-\(number)",
                "password": "wrong \(number)",
              ],
              source: "203.0.113.9", cookie: String(visit))
            statuses.append(answer.status)
          }
          return statuses
        }
      }
      return try await group.reduce(into: [Int: Int]()) { all, some in for one in some { all[one, default: 0] += 1 } }
    }
    // 30 of one source are looked at; the rest is refused at once.
    #expect(statuses[401] == 30 && (statuses[429] ?? 0) >= 900, "\(statuses)")
    // Another person at another address is served as ever.
    #expect(try await Browser(door).logIn("lee").status == 303)
    #expect(door.provider.attempts.figures.failed >= 10 && door.provider.attempts.figures.refused >= 900)
    // The account itself is held back for a while, for everyone, then opens again.
    #expect(try await Browser(door).logIn("kim").status == 429)
    door.clock.pass(60)
    #expect(try await Browser(door).logIn("kim").status == 303)
  }

  @Test func whatHappensAtTheDoorsIsNoted() async throws {
    let storage = MemoryStorage()
    let door = try Door(storage: storage)
    let kim = try await door.addPerson("kim")
    try await door.addClient("board")
    try await door.addClient("boss") { $0.standing = Standing(roles: [Standing.administrator]) }
    var seen = 0
    func new() -> [IdentityEvent] {
      defer { seen = storage.noted.count }
      return Array(storage.noted.dropFirst(seen))
    }
    let browser = Browser(door)
    browser.source = "203.0.113.4"
    _ = try await browser.logIn("kim", "wrong")
    _ = try await browser.logIn("nobody", "wrong")
    var events = new()
    #expect(events.map(\.kind) == [.loginFailed, .loginFailed] && events.map(\.person) == [kim.id, nil])
    #expect(events.allSatisfy { $0.source == "203.0.113.4" && $0.at == door.clock.now && $0.actor == .nobody })
    _ = try await browser.logIn("kim")
    events = new()
    #expect(events.map(\.kind) == [.loggedIn] && events.map(\.actor) == [.person(kim.id)])
    let flow = CodeFlow(client: "board")
    let code = try await browser.get(flow.address()).parameter("code")
    _ = try await flow.exchange(code, door)
    _ = try await flow.exchange(code, door)
    #expect(new().map(\.kind) == [.allowed, .tokenReplayed])
    let boss = try await door.post("/oauth/token", ["grant_type": "client_credentials"], basic: ("boss", "s3cret"))
    #expect(new().map(\.actor) == [.client("boss")])
    _ = try await door.post("/oauth/token", ["grant_type": "client_credentials"], basic: ("boss", "s3cre"))
    events = new()
    #expect(events.map(\.kind) == [.loginFailed] && events.map(\.client) == ["boss"])
    func ask(_ method: HTTPRequest.Method, _ path: String, _ body: String) async throws -> Door.Answer {
      var headers: HTTPFields = [.authorization: "Bearer " + (boss.json["access_token"]?.string ?? "")]
      headers[try #require(HTTPField.Name("Reason"))] = "%EC%9D%B8%EC%82%AC+1"
      return try await door.ask(method, path, headers, body: body)
    }
    let person = "/oauth/people/\(kim.id)"
    let reset = try await ask(.patch, person, #"{"resetPassword": true}"#)
    events = new()
    #expect(events.map(\.kind) == [.passwordReset, .sessionsEnded])
    #expect(events.allSatisfy { $0.actor == .client("boss") && $0.person == kim.id && $0.reason == "인사+1" })
    _ = try await ask(.patch, person, #"{"roles": ["clerk", "auditor"], "tenants": ["north"], "name": "Kim M."}"#)
    events = new()
    #expect(events.map(\.kind) == [.personChanged, .rolesGiven, .rolesTaken])
    #expect(events.map(\.detail) == ["name, tenants north", "auditor, clerk", "operator"])
    _ = try await ask(.patch, person, #"{"isDisabled": true}"#)
    _ = try await ask(.patch, person, #"{"isDisabled": false}"#)
    _ = try await ask(.patch, person, #"{"isDisabled": false}"#)
    #expect(new().map(\.kind) == [.personDisabled, .sessionsEnded, .personEnabled])
    _ = try await ask(.post, "/oauth/people", #"{"username": "lee", "roles": ["operator"]}"#)
    #expect(new().map(\.kind) == [.personAdded, .rolesGiven])
    let made = try await ask(.post, "/oauth/register", #"{"grant_types": ["client_credentials"], "roles": ["meter"]}"#)
    _ = try await ask(.delete, "/oauth/register/" + (made.json["client_id"]?.string ?? ""), "")
    #expect(new().map(\.kind) == [.clientAdded, .rolesGiven, .clientRemoved])
    #expect(try await browser.get("/oauth/account").status == 303)
    let entry = try await browser.logIn("kim", reset.json["oneTimePassword"]?.string ?? "")
    #expect(entry.location.hasPrefix("/oauth/password"))
    _ = new()
    try await door.provider.maintain()
    events = new()
    #expect(events.map(\.kind) == [.keyMade] && events.map(\.actor) == [.city])
    try await door.provider.maintain()
    #expect(new().isEmpty)
  }

  @Test func aNewPasswordEndsWhatWasGivenBefore() async throws {
    try await door.addPerson("kim")
    try await door.addClient("board")
    let browser = Browser(door)
    _ = try await browser.logIn("kim")
    let other = Browser(door)
    _ = try await other.logIn("kim")
    let flow = CodeFlow(client: "board")
    let tokens = try await flow.exchange(try await browser.get(flow.address()).parameter("code"), door)
    let waiting = try await browser.get(flow.address()).parameter("code")
    let page = try await browser.get("/oauth/password")
    let changed = try await browser.post(
      "/oauth/password",
      [
        "csrf": page.field("csrf"), "current": "four words of mine", "new": "four other words",
        "repeat": "four other words",
      ])
    #expect(changed.status == 303)
    #expect(try await browser.get("/oauth/account").status == 200)
    #expect(try await other.get("/oauth/account").status == 303)
    let refreshed = try await door.post(
      "/oauth/token", ["grant_type": "refresh_token", "refresh_token": tokens.json["refresh_token"]?.string],
      basic: ("board", "s3cret"))
    #expect(refreshed.error == "invalid_grant")
    #expect(try await flow.exchange(waiting, door).error == "invalid_grant")
  }

  @Test func whoIsNotThereIsNotTold() async throws {
    try await door.addPerson("kim")
    let wrong = try await Browser(door).logIn("kim", "wrong")
    let missing = try await Browser(door).logIn("nobody", "wrong")
    func bare(_ answer: Door.Answer) -> String {
      (answer.body).replacingOccurrences(of: "nobody", with: "kim")
        .replacingOccurrences(of: answer.field("csrf") ?? "-", with: "")
    }
    #expect(wrong.status == 401 && missing.status == 401 && bare(wrong) == bare(missing))
  }

  @Test func behindAProxyTheProxyNamesTheSource() async throws {
    let door = try Door(change: { $0.isBehindProxy = true })
    let name = try #require(HTTPField.Name("X-Forwarded-For"))
    let request: (String) -> HTTPFields = { [name: $0, .userAgent: "10.0.0.1"] }
    for (header, source) in [("203.0.113.5", "203.0.113.5"), ("spoofed, 203.0.113.6", "203.0.113.6"), ("", "10.0.0.1")]
    {
      let head = HTTPRequest(
        method: .get, scheme: "https", authority: "city.example", path: "/", headerFields: request(header))
      let incoming = try await Incoming(
        .init(head: head, body: .init(buffer: .init())), source: "10.0.0.1", isBehindProxy: true)
      #expect(incoming.source == source)
    }
    _ = door
  }
}
