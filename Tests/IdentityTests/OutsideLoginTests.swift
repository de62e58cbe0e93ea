import Crypto
import CryptoExtras
import Foundation
import HTTPTypes
import NGSI
import Testing

@testable import Identity

/// People of an outside provider log in to the pages.
struct OutsideLoginTests {
  private static let issuer = "https://id.police.example"
  private let clock = SetClock()
  private let storage = MemoryStorage()
  private let agency: Agency
  private let door: Door

  init() throws {
    agency = Agency(Self.issuer, clock: clock)
    door = try Door(storage: storage, clock: clock, outside: [agency.provider()])
  }

  @Test func aPersonOfAnAgencyLogsInThere() async throws {
    let browser = Browser(door)
    let page = try await browser.get("/oauth/login?lang=ko&back=%2Fentities%3Ftype%3DLamp")
    let link = try #require(
      page.body.split(separator: "href=\"").map { $0.prefix { $0 != "\"" } }.first { $0.hasPrefix("/oauth/outside/") })
    #expect(page.body.contains("경찰청"))
    let start = try await browser.get(String(link.replacing("&amp;", with: "&")))
    #expect(start.status == 303 && start.parameter("ui_locales") == "ko")
    #expect(start.parameter("redirect_uri") == Door.issuer + "/oauth/outside/police")
    #expect(start.parameter("scope") == "openid profile")
    // Nothing is kept of who has not come back, and the state does not show what is in it.
    #expect(try storage.read { try $0.count(in: .outsideUsed) } == 0)
    let state = try #require(start.parameter("state").flatMap(Base64URL.decode))
    #expect(!String(decoding: state, as: UTF8.self).contains("entities"))
    let back = try await browser.get(try agency.letIn(start.location))
    #expect(back.status == 303 && back.location == "/entities?type=Lamp")
    let line = try #require(back.headers[values: .setCookie].first { $0.hasPrefix("__Host-madang-session=") })
    for part in ["; HttpOnly", "; SameSite=Lax", "; Secure"] { #expect(line.contains(part)) }
    let caller = try #require(browser.caller)
    #expect(caller.issuer == Self.issuer && caller.subject == "officer-7" && caller.clientId == nil)
    // What he is here the manifest says.
    #expect(caller.roles == ["operator"] && caller.agency == "police" && caller.tenants == ["north"])
    #expect(caller.methods == ["pwd", "otp"] && caller.scopes.isEmpty)
    #expect(try storage.read { try $0.count(in: .people) } == 0)
    let event = try #require(storage.noted.last)
    #expect(event.kind == .loggedIn && event.actor == .person(Self.issuer + "#officer-7"))
    #expect(event.detail == "police pwd otp" && !event.isRepeatable)
    let account = try await browser.get("/oauth/account")
    #expect(account.status == 200 && account.body.contains("김경사") && account.body.contains("operator"))
    // Already in: on to the page.
    #expect(try await browser.get("/oauth/outside/police/login?back=/data").location == "/data")
  }

  @Test func whatIsForTheCitysOwnPeopleStaysClosed() async throws {
    try await door.addClient("board")
    let browser = Browser(door)
    _ = try await browser.logIn(at: agency)
    for path in ["/oauth/password", "/oauth/device"] {
      #expect(try await browser.get(path).location == "/oauth/account", "\(path)")
    }
    let csrf = try #require(
      browser.caller.flatMap { caller -> String? in
        if case .session(let csrf) = caller.means { csrf } else { nil }
      })
    for path in ["/oauth/password", "/oauth/otp", "/oauth/passkey/add", "/oauth/device"] {
      #expect(try await browser.post(path, ["csrf": csrf, "user_code": "x"]).location == "/oauth/account", "\(path)")
    }
    #expect(try await browser.post("/oauth/passkey/add/options", ["csrf": csrf]).error == "access_denied")
    // Programs get their tokens from the provider.
    let asked = try await browser.get(CodeFlow(client: "board").address())
    #expect(asked.parameter("error") == "access_denied" && asked.parameter("code") == nil)
    let request = CodeFlow(client: "board").address().split(separator: "?")[1]
    let consent = try await browser.post(
      "/oauth/consent", ["csrf": csrf, "answer": "yes", "request": String(request)])
    #expect(consent.status == 400 && consent.location.isEmpty)
    // So the login for a program has no button, and one of the city's own people may log in instead.
    let again = try await browser.get(CodeFlow(client: "board").address(["prompt": "login"]))
    #expect(again.location.hasPrefix("/oauth/login?"))
    let page = try await browser.get(again.location)
    #expect(page.status == 200 && !page.body.contains("/oauth/outside/"))
    // A mapped role is not that of an administrator.
    let list = try await door.ask(
      .get, "/oauth/people", [.cookie: "__Host-madang-session=\(browser.cookies["__Host-madang-session"] ?? "")"])
    #expect(list.status == 403)
  }

  @Test func sessionsHaveBoundsOfTheirOwn() async throws {
    let browser = Browser(door)
    _ = try await browser.logIn(at: agency)
    for _ in 0..<4 {
      clock.pass(3599)
      #expect(browser.caller != nil)
      try await door.provider.maintain()
    }
    #expect(browser.caller?.expiresAt == clock.now + 4)
    clock.pass(4)
    #expect(browser.caller == nil)
    try await door.provider.maintain()
    #expect(try storage.read { try $0.count(in: .sessions) } == 0)
    #expect(try storage.read { try $0.count(in: .outsideUsed) } == 0)
    _ = try await browser.logIn(at: agency)
    clock.pass(3600)
    #expect(browser.caller == nil)
    // Never longer than the city's own.
    let patient = try Door(storage: storage, clock: clock, outside: [agency.provider(session: 100 * 3600)])
    let other = Browser(patient)
    _ = try await other.logIn(at: agency)
    for _ in 0..<13 {
      clock.pass(3500)
      _ = other.caller
    }
    #expect(other.caller == nil)
  }

  @Test func whatTheManifestSaysTodayCounts() async throws {
    let browser = Browser(door)
    _ = try await browser.logIn(at: agency)
    func roles(_ outside: [OutsideProvider]) throws -> [String]? {
      let later = Browser(try Door(storage: storage, clock: clock, outside: outside))
      later.cookies = browser.cookies
      return later.caller?.roles
    }
    #expect(try roles([agency.provider()]) == ["operator"])
    #expect(try roles([agency.provider(roles: ["dispatcher": "viewer"])]) == ["viewer"])
    #expect(try roles([agency.provider(roles: [:])]) == [])
    // A provider that is not named any more speaks for nobody, and neither does one where nobody logs in.
    #expect(try roles([]) == nil)
    #expect(try roles([OutsideProvider(issuer: Self.issuer, mapping: .init(audiences: []), fetcher: agency)]) == nil)
    // The same for what he made.
    let account = Self.issuer + "#officer-7"
    let standing = try #require(door.provider.presentStanding(ofOutside: account, roles: ["operator", "root"]))
    #expect(standing.roles == ["operator"] && standing.agency == "police" && standing.tenants == ["north"])
    #expect(door.provider.presentStanding(ofOutside: "https://id.fire.example#officer-7", roles: []) == nil)
  }

  @Test func sessionsAreListedAndEnded() async throws {
    let boss = try await door.addPerson("boss", standing: Standing(roles: [Standing.administrator]))
    let administrator = Browser(door)
    _ = try await administrator.logIn("boss")
    let browser = Browser(door)
    _ = try await browser.logIn(at: agency)
    let cookie = "__Host-madang-session=\(administrator.cookies["__Host-madang-session"] ?? "")"
    let listed = try await door.get("/oauth/sessions", [.cookie: cookie]).json
    #expect(listed["count"]?.integer == 2)
    let sessions = listed["sessions"]?.array ?? []
    #expect(sessions.map { $0["person"]?.string } == [boss.id, Self.issuer + "#officer-7"])
    #expect(sessions.map { $0["issuer"]?.string } == [Door.issuer, Self.issuer])
    #expect(sessions.last?["name"]?.string == "김경사" && sessions.last?["endsAt"]?.integer == Int64(clock.now + 14400))
    #expect(!JSONWriter.text(listed).contains(browser.cookies["__Host-madang-session"] ?? "-"))
    let path = "/oauth/sessions/" + (sessions.last?["id"]?.string ?? "")
    var headers: HTTPFields = [.cookie: cookie]
    #expect(try await door.ask(.delete, path, headers).status == 400)
    headers[.csrfToken] = try await administrator.get("/oauth/account").field("csrf")
    #expect(try await door.ask(.delete, path, headers).status == 204)
    #expect(browser.caller == nil && administrator.caller != nil)
    #expect(storage.noted.last?.kind == .sessionEnded && storage.noted.last?.actor == .person(boss.id))
    #expect(storage.noted.last?.person == Self.issuer + "#officer-7")
    #expect(try await door.ask(.delete, path, headers).status == 404)
    #expect(try await door.get("/oauth/sessions").status == 401)
  }

  @Test func loggingOutEndsTheLoginThereToo() async throws {
    let browser = Browser(door)
    _ = try await browser.logIn(at: agency)
    let page = try await browser.get("/oauth/logout")
    #expect(page.status == 200)
    #expect(page.headers[.contentSecurityPolicy]?.contains("form-action 'self' \(Self.issuer);") ?? false)
    #expect(browser.caller != nil)
    let out = try await browser.post("/oauth/logout", ["csrf": page.field("csrf")])
    #expect(browser.caller == nil && out.location.hasPrefix(Self.issuer + "/logout?"))
    #expect(out.parameter("post_logout_redirect_uri") == Door.issuer + "/oauth/login")
    #expect(out.parameter("client_id") == "madang city")
    let hint = try SignedToken(parsing: try #require(out.parameter("id_token_hint")))
    #expect(agency.key.verification.isSigned(hint) && hint.payload["sub"]?.string == "officer-7")
    #expect(storage.noted.last?.kind == .loggedOut)
    #expect(storage.noted.last?.actor == .person(Self.issuer + "#officer-7"))
    // A provider without such a place: the city's own page.
    let plain = Agency("https://id.fire.example", clock: clock)
    plain.lie { $0.metadata = { $0["end_session_endpoint"] = nil } }
    let other = Browser(try Door(clock: clock, outside: [plain.provider()]))
    _ = try await other.logIn(at: plain)
    let csrf = try await other.get("/oauth/logout").field("csrf")
    #expect(try await other.post("/oauth/logout", ["csrf": csrf]).location == "/oauth/login")
  }

  @Test(arguments: [SignatureAlgorithm.es256, .rs256])
  func theCityShowsItselfByAKey(_ algorithm: SignatureAlgorithm) async throws {
    let pem =
      algorithm == .es256
      ? P256.Signing.PrivateKey().pemRepresentation : try _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation
    let key = try ClientKey(pem: pem)
    let agency = Agency(Self.issuer, clock: clock, clientKeys: key.jwks)
    let door = try Door(clock: clock, outside: [agency.provider(authentication: .key(key))])
    let browser = Browser(door)
    #expect(try await browser.logIn(at: agency).location == "/")
    #expect(browser.caller?.subject == "officer-7" && agency.posted.count == 1)
    // The provider finds the key at the city.
    let shown = try await door.get("/oauth/outside/police/jwks").json
    #expect(VerificationKey.set(shown).map(\.id) == [key.key.id] && !JSONWriter.text(shown).contains("\"d\""))
    #expect(try await self.door.get("/oauth/outside/police/jwks").status == 404)
    // Another key is not believed there.
    let stranger = try Door(
      clock: clock,
      outside: [agency.provider(authentication: .key(try ClientKey(pem: P256.Signing.PrivateKey().pemRepresentation)))])
    let other = Browser(stranger)
    #expect(try await other.logIn(at: agency).status == 502)
    #expect(throws: IdentityFailure.self) {
      try ClientKey(pem: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    }
  }

  @Test func whatTheIDTokenDoesNotHaveIsAskedFor() async throws {
    agency.lie { $0.claims = { $0["realm_access"] = nil } }
    let plain = Browser(door)
    _ = try await plain.logIn(at: agency)
    #expect(plain.caller?.roles == [])
    let asking = try Door(clock: clock, outside: [agency.provider(asksUserInfo: true)])
    let browser = Browser(asking)
    _ = try await browser.logIn(at: agency)
    #expect(browser.caller?.roles == ["operator"] && browser.caller?.issuer == Self.issuer)
    // What the token says stays.
    #expect(try await browser.get("/oauth/account").body.contains("김경사"))
    agency.lie { $0.userInfo = { $0["sub"] = "officer-8" } }
    let other = Browser(asking)
    #expect(try await other.logIn(at: agency).status == 502)
    #expect(other.caller == nil)
  }
}
