import Crypto
import Foundation
import HTTPTypes
import NGSI
import Testing

@testable import Identity

/// Logins at an outside provider that come to nothing.
struct OutsideRefusalTests {
  private static let issuer = "https://id.police.example"
  private let clock = SetClock()
  private let storage = MemoryStorage()
  private let agency: Agency
  private let other: Agency
  private let door: Door

  init() throws {
    agency = Agency(Self.issuer, clock: clock)
    other = Agency("https://id.fire.example", clock: clock)
    door = try Door(storage: storage, clock: clock, outside: [agency.provider(), other.provider(id: "fire")])
  }

  private var reason: String? { storage.noted.last.flatMap { $0.kind == .loginFailed ? $0.detail : nil } }

  // MARK: What a provider says

  @Test func whatAProviderMayNotSayIsNotBelieved() async throws {
    let now = Int64(clock.now)
    let claims: [(String, @Sendable (inout JSONObject) -> Void)] = [
      ("of another issuer", { $0["iss"] = "https://id.police.example/" }), ("of another issuer", { $0["iss"] = nil }),
      ("of another issuer", { $0["iss"] = .string(Door.issuer) }),
      ("for another client", { $0["aud"] = "board" }), ("for another client", { $0["aud"] = nil }),
      ("given to another client", { $0["aud"] = ["madang city", "board"] }),
      ("given to another client", { $0["azp"] = "board" }), ("given to another client", { $0["azp"] = 7 }),
      ("has expired", { $0["exp"] = .integer(now - 60) }), ("has expired", { $0["exp"] = nil }),
      ("not made now", { $0["iat"] = .integer(now + 61) }), ("not made now", { $0["iat"] = .integer(now - 661) }),
      ("not made now", { $0["iat"] = nil }), ("of the future", { $0["nbf"] = .integer(now + 61) }),
      ("nonce", { $0["nonce"] = "another" }), ("nonce", { $0["nonce"] = nil }), ("names nobody", { $0["sub"] = nil }),
      ("names nobody", { $0["sub"] = .string(String(repeating: "x", count: 256)) }),
      ("another access token", { $0["at_hash"] = .string(IDTokenCheck.leftHalf(of: "other", .es256)) }),
    ]
    for (index, (said, change)) in claims.enumerated() {
      agency.lie { $0.claims = change }
      let browser = Browser(door)
      // Each from another address: refusals are counted.
      browser.source = "203.0.113.\(index)"
      let page = try await browser.logIn(at: agency)
      #expect(page.status == 502 && page.body.contains("Police"), "\(index)")
      #expect(reason?.contains(said) ?? false, "\(index): \(reason ?? "-")")
      #expect(browser.caller == nil, "\(index)")
    }
    #expect(try storage.read { try $0.count(in: .sessions) } == 0)
    // Clocks may differ by a minute.
    agency.lie {
      $0.claims = {
        $0["exp"] = .integer(now - 59)
        $0["aud"] = ["board", "madang city"]
        $0["azp"] = "madang city"
        $0["at_hash"] = nil
      }
    }
    let browser = Browser(door)
    #expect(try await browser.logIn(at: agency).location == "/")
  }

  @Test func onlyTheKeysOfTheProviderSign() async throws {
    let key = agency.key
    let stranger = SigningKey(activeFrom: 0)
    @Sendable func header(_ algorithm: String) -> JSON {
      ["alg": .string(algorithm), "typ": "JWT", "kid": .string(key.id)]
    }
    @Sendable func signed(_ header: JSON, _ claims: JSON, _ sign: (Data) -> [UInt8]) -> String {
      let text = Base64URL.encode(JSONWriter.bytes(header)) + "." + Base64URL.encode(JSONWriter.bytes(claims))
      return text + "." + Base64URL.encode(sign(Data(text.utf8)))
    }
    @Sendable func mac(_ secret: [UInt8]) -> (Data) -> [UInt8] {
      { Array(HMAC<SHA256>.authenticationCode(for: $0, using: SymmetricKey(data: secret))) }
    }
    let point = Base64URL.decode(key.jwk["x"]?.string ?? "") ?? []
    let makers: [@Sendable (JSON) throws -> String] = [
      { signed(header("none"), $0) { _ in [] } }, { signed(header("none"), $0) { _ in [0] } },
      { signed(header("None"), $0) { _ in [0] } },
      // What everyone may read as a shared secret.
      { signed(header("HS256"), $0, mac(JSONWriter.bytes(key.jwk))) }, { signed(header("HS256"), $0, mac(point)) },
      { signed(header("ES256"), $0, mac(point)) }, { signed(header("RS256"), $0, mac(point)) },
      { try stranger.sign($0, type: "JWT") }, { try key.sign($0, type: "at+jwt") },
      { try key.sign($0, type: "logout+jwt") },
      { try String(key.sign($0, type: "JWT").dropLast(2)) }, { _ in "" }, { _ in "a.b.c" },
    ]
    for (index, maker) in makers.enumerated() {
      agency.lie { $0.token = maker }
      let browser = Browser(door)
      browser.source = "203.0.113.\(index)"
      #expect(try await browser.logIn(at: agency).status == 502, "\(index)")
      #expect(browser.caller == nil && reason != nil, "\(index)")
    }
    agency.beHonest()
    let browser = Browser(door)
    #expect(try await browser.logIn(at: agency).location == "/")
  }

  @Test func whatTheTokenEndpointMayAnswer() async throws {
    let answers: [(Int, @Sendable (JSONObject) -> (status: Int, body: [UInt8]))] = [
      (502, { _ in (200, Array("no JSON".utf8)) }), (502, { _ in (200, JSONWriter.bytes(["access_token": "access"])) }),
      (502, { _ in (200, [UInt8](repeating: 0x20, count: 65 << 10)) }), (502, { _ in (302, []) }),
      (502, { _ in (400, JSONWriter.bytes(["error": "invalid_grant"])) }),
      (502, { _ in (401, JSONWriter.bytes(["error": "invalid_client"])) }), (503, { _ in (500, []) }),
      (503, { _ in (400, JSONWriter.bytes(["error": "temporarily_unavailable"])) }),
      // The access token is another than that which the ID token is about.
      (
        502,
        { answer in
          var answer = answer
          answer["access_token"] = "stolen"
          return (200, JSONWriter.bytes(.object(answer)))
        }
      ),
    ]
    for (index, (status, answer)) in answers.enumerated() {
      agency.lie { $0.answer = answer }
      let browser = Browser(door)
      browser.source = "203.0.113.\(index)"
      #expect(try await browser.logIn(at: agency).status == status, "\(index)")
      #expect(browser.caller == nil, "\(index)")
    }
  }

  // MARK: What comes back

  @Test func anAnswerIsOfOneBrowserAndOnce() async throws {
    let victim = Browser(door)
    let start = try await victim.get("/oauth/outside/police/login")
    let answer = try agency.letIn(start.location)
    // In another browser, with a login of its own under way or without.
    let thief = Browser(door)
    for _ in 0..<2 {
      let page = try await thief.get(answer)
      #expect(page.status == 400 && thief.caller == nil)
      #expect(reason == "police: its answer belongs to no login of this browser")
      _ = try await thief.get("/oauth/outside/police/login")
    }
    #expect(agency.posted.isEmpty)
    #expect(try await victim.get(answer).location == "/")
    // A second time it is worth nothing, to nobody.
    let cookies = victim.cookies
    victim.cookies["__Host-madang-session"] = nil
    #expect(try await victim.get(answer).status == 400 && victim.caller == nil)
    #expect(reason == "police: its answer was used before")
    #expect(agency.posted.count == 1)
    victim.cookies = cookies
    #expect(victim.caller != nil)
    // A code of his, put into the answer to a login of another's: also where the provider would take it again.
    agency.lie { $0.takesCodesAgain = true }
    let code = Form(answer.split(separator: "?")[1])?["code"]
    let mine = try await thief.get("/oauth/outside/police/login").parameter("state")
    let swapped = "/oauth/outside/police?" + Form.encode(["code": code, "state": mine, "iss": Self.issuer])
    #expect(try await thief.get(swapped).status == 400 && thief.caller == nil)
    #expect(agency.posted.count == 1)
    // One that was never used here does not fit the verifier, nor the nonce.
    let fresh = try agency.letIn(try await Browser(door).get("/oauth/outside/police/login").location)
    let stolen = Form(fresh.split(separator: "?")[1])?["code"]
    let again = try await thief.get("/oauth/outside/police/login").parameter("state")
    let injected = "/oauth/outside/police?" + Form.encode(["code": stolen, "state": again, "iss": Self.issuer])
    #expect(try await thief.get(injected).status == 502 && thief.caller == nil)
    #expect(reason == "police: the provider does not take the code")
  }

  @Test func ofManyAtOnceOneComesIn() async throws {
    let browser = Browser(door)
    let answer = try agency.letIn(try await browser.get("/oauth/outside/police/login").location)
    let headers: HTTPFields = [.cookie: "__Host-madang-visit=\(browser.cookies["__Host-madang-visit"] ?? "")"]
    let door = door
    let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<12 { group.addTask { try await door.get(answer, headers).status } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(statuses.filter { $0 == 303 }.count == 1 && !agency.posted.isEmpty)
  }

  @Test func aStateIsBoundInTimeAndToItsProvider() async throws {
    let browser = Browser(door)
    let late = try agency.letIn(try await browser.get("/oauth/outside/police/login").location)
    clock.pass(600)
    #expect(try await browser.get(late).status == 400)
    // An answer of one provider where another was asked.
    let start = try await browser.get("/oauth/outside/police/login")
    let answer = try agency.letIn(start.location)
    let elsewhere = answer.replacing("/oauth/outside/police?", with: "/oauth/outside/fire?")
    #expect(try await browser.get(elsewhere).status == 400)
    #expect(other.posted.isEmpty && agency.posted.isEmpty)
    #expect(try await browser.get("/oauth/outside/water?code=x&state=y").status == 404)
    #expect(try await browser.get("/oauth/outside/water/login").status == 404)
    for query in ["", "code=x", "code=x&state=", "state=x&code=x&iss=" + Self.issuer] {
      #expect(try await browser.get("/oauth/outside/police?" + query).status == 400, "\(query)")
    }
    let mine = try await browser.get("/oauth/outside/police/login")
    let twice = try agency.letIn(mine.location) + "&code=another"
    #expect(try await browser.get(twice).status == 502 && browser.caller == nil)
    let bare = Form.encode(["state": try await browser.get("/oauth/outside/police/login").parameter("state")])
    #expect(try await browser.get("/oauth/outside/police?\(bare)&iss=\(Self.issuer)").status == 502)
  }

  @Test func anAnswerNamesItsIssuerWhereThatIsAnnounced() async throws {
    for (index, iss) in ["https://id.fire.example", "https://id.police.example/", nil].enumerated() {
      agency.lie { $0.iss = { _ in iss } }
      let browser = Browser(door)
      browser.source = "203.0.113.\(index)"
      #expect(try await browser.logIn(at: agency).status == 502)
      #expect(browser.caller == nil && reason == "police: its answer names another issuer, or none")
    }
    #expect(agency.posted.isEmpty)
    // One that does not announce it need not, but may not name another.
    for (iss, status) in [(nil, 303), ("https://id.fire.example", 303), ("https://evil.example", 502)]
      as [(String?, Int)]
    {
      let plain = Agency("https://id.fire.example", clock: clock)
      plain.lie {
        $0.metadata = { $0["authorization_response_iss_parameter_supported"] = nil }
        $0.iss = { _ in iss }
      }
      let browser = Browser(try Door(clock: clock, outside: [plain.provider(id: "fire")]))
      #expect(try await browser.logIn(at: plain, id: "fire").status == status, "\(iss ?? "-")")
    }
  }

  @Test(arguments: [
    ("access_denied", 403, "not let in at Police", "경찰청에서 로그인을 허용하지"),
    ("login_required", 400, "log in at Police first", "먼저 경찰청에 로그인"),
    ("server_error", 503, "Police does not answer", "경찰청에서 응답이 없습니다"),
    ("invalid_scope", 502, "Police did not accept", "경찰청에서 도시의 요청을"),
    ("<script>", 502, "Police did not accept", "경찰청에서 도시의 요청을"),
  ])
  func errorsOfTheProviderAreSentences(_ code: String, _ status: Int, _ english: String, _ korean: String) async throws
  {
    for (language, sentence) in [("en", english), ("ko", korean)] {
      let browser = Browser(door)
      browser.cookies["lang"] = language
      let state = try await browser.get("/oauth/outside/police/login?back=/data").parameter("state")
      let page = try await browser.get(
        "/oauth/outside/police?"
          + Form.encode(["error": code, "error_description": "<b>x</b>", "state": state, "iss": Self.issuer]))
      #expect(page.status == status && page.body.contains(sentence), "\(language)")
      #expect(!page.body.contains("<b>") && !page.body.contains("<script>"))
      // The city's own door stands open beside it, and leads where it led.
      #expect(page.body.contains("action=\"/oauth/login\"") && page.field("back") == "/data")
      #expect(!page.body.contains(state ?? "-"))
    }
    #expect(reason?.hasPrefix("police: ") ?? false && !(reason ?? "").contains("<"))
  }

  // MARK: Providers that are away or not themselves

  @Test func theCitysOwnLoginWorksWhileAProviderIsAway() async throws {
    try await door.addPerson("kim")
    agency.lie { $0.isAway = true }
    let browser = Browser(door)
    let page = try await browser.get("/oauth/outside/police/login?back=/data&lang=ko")
    #expect(page.status == 503 && page.body.contains("경찰청에서 응답이 없습니다"))
    #expect(reason == "police: its metadata cannot be had")
    let entered = try await browser.post(
      "/oauth/login",
      ["csrf": page.field("csrf"), "back": page.field("back"), "username": "kim", "password": "four words of mine"])
    #expect(entered.location == "/data" && browser.caller?.roles == ["operator"])
    // It is asked again after a minute.
    agency.beHonest()
    let second = Browser(door)
    #expect(try await second.get("/oauth/outside/police/login").status == 503)
    clock.pass(60)
    #expect(try await second.logIn(at: agency).location == "/")
    // Away between the two steps.
    let third = Browser(door)
    let answer = try agency.letIn(try await third.get("/oauth/outside/police/login").location)
    agency.lie { $0.isAway = true }
    #expect(try await third.get(answer).status == 503 && third.caller == nil)
    // What it said of itself holds on: people are sent there after an hour, too.
    clock.pass(3700)
    #expect(try await Browser(door).get("/oauth/outside/police/login").status == 303)
  }

  @Test func whoComesWhileAProviderIsAskedWaitsForItsAnswer() async throws {
    agency.lie { $0.pause = .milliseconds(100) }
    let door = door
    let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<8 { group.addTask { try await door.get("/oauth/outside/police/login").status } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(statuses == Array(repeating: 303, count: 8) && agency.fetched == 2)
  }

  @Test func metadataAreOfTheirIssuerAndOverTLS() async throws {
    let lies: [(Int, @Sendable (inout JSONObject) -> Void)] = [
      (503, { $0["issuer"] = "https://id.police.example/" }), (503, { $0["issuer"] = nil }),
      (503, { $0["jwks_uri"] = "http://id.police.example/keys" }), (502, { $0["authorization_endpoint"] = nil }),
      (502, { $0["authorization_endpoint"] = "http://id.police.example/authorize" }),
      (502, { $0["authorization_endpoint"] = "javascript:alert(1)" }),
      (502, { $0["authorization_endpoint"] = "https://id.police.example/a\r\nSet-Cookie: x" }),
    ]
    for (index, (status, lie)) in lies.enumerated() {
      let agency = Agency(Self.issuer, clock: clock)
      agency.lie { $0.metadata = lie }
      let page = try await Door(clock: clock, outside: [agency.provider()]).get("/oauth/outside/police/login")
      #expect(page.status == status && page.location.isEmpty, "\(index)")
    }
    // A secret is not sent without TLS.
    let agency = Agency(Self.issuer, clock: clock)
    agency.lie { $0.metadata = { $0["token_endpoint"] = "http://id.police.example/token" } }
    let browser = Browser(try Door(clock: clock, outside: [agency.provider()]))
    #expect(try await browser.logIn(at: agency).status == 502)
    #expect(agency.posted.isEmpty)
  }

  // MARK: Whoever is not let through

  @Test func aLoginLeadsToPagesOfOurs() async throws {
    for (index, back) in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/a\nb"]
      .enumerated()
    {
      let browser = Browser(door)
      browser.source = "203.0.113.\(index)"
      #expect(try await browser.logIn(at: agency, back: back).location == "/", "\(back)")
    }
    let long = "/entities?q=" + String(repeating: "x", count: 1000)
    #expect(try await Browser(door).logIn(at: agency, back: long).location == "/")
    // Another site cannot begin a login behind somebody's back.
    let site = try #require(HTTPField.Name("Sec-Fetch-Site"))
    for (from, status) in [("cross-site", 200), ("same-site", 200), ("same-origin", 303), ("none", 303)] {
      #expect(try await door.get("/oauth/outside/police/login", [site: from]).status == status, "\(from)")
    }
  }

  @Test func refusalsAreHeldBackAndRemembered() async throws {
    let browser = Browser(door)
    var statuses: [Int] = []
    // What any page can make a browser ask for keeps nobody of its address from logging in.
    for _ in 0..<60 { statuses.append(try await browser.get("/oauth/outside/police?code=x&state=y").status) }
    #expect(statuses.allSatisfy { $0 == 400 })
    #expect(try await Browser(door).logIn(at: agency).location == "/")
    // Answers to logins that began here, with codes that are made up.
    let state = try await browser.get("/oauth/outside/police/login").parameter("state")
    statuses = []
    for number in 0..<60 {
      let answer = Form.encode(["code": "made-up-\(number)", "state": state, "iss": Self.issuer])
      statuses.append(try await browser.get("/oauth/outside/police?" + answer).status)
    }
    #expect(statuses.filter { $0 == 502 }.count == 30 && statuses.last == 429)
    let kinds = storage.noted.filter { $0.kind != .loggedIn }.map(\.kind)
    #expect(kinds.filter { $0 == .loginFailed }.count == 90 && kinds.filter { $0 == .loginHeldBack }.count == 30)
    #expect(storage.noted.filter { $0.kind != .loggedIn }.allSatisfy { $0.isRepeatable && $0.actor == .nobody })
    // What is remembered has a bound, and goes.
    let small = try Door(clock: clock, outside: [agency.provider()], change: { $0.mostOutsideLogins = 2 })
    #expect(try await Browser(small).logIn(at: agency).location == "/")
    #expect(try await Browser(small).logIn(at: agency).status == 503)
    clock.pass(1200)
    try await small.provider.maintain()
    #expect(try await Browser(small).logIn(at: agency).location == "/")
  }

  /// OpenID Connect Core 1.0 appendix A.3.
  @Test func theHalfOfAHashIsThatOfTheStandard() {
    #expect(
      IDTokenCheck.leftHalf(of: "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", .rs256) == "77QmUPtjPfzWtF2AnpK9RQ")
    #expect(IDTokenCheck.leftHalf(of: "x", .es384).utf8.count == 32)
    #expect(IDTokenCheck.leftHalf(of: "x", .edDSA).utf8.count == 43)
  }
}
