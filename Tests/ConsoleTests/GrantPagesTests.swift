import HTTPTypes
import NGSI
import Testing

@testable import Console

@Suite("Grants")
struct GrantPagesTests {
  private static let id = "urn:ngsi-ld:Grant:1"
  private static let path = "/grants/urn%3Angsi-ld%3AGrant%3A1"
  private let grants = FixtureGrants()

  private func client(mayWatch: Bool = true) throws -> TestClient {
    var city = FixtureCity()
    city.reader = Reader(name: "Lee <b>", agency: "control", csrf: "token-of-lee", mayWatch: mayWatch)
    city.ownGrants = grants
    return TestClient(try Console(source: city, assets: nil))
  }

  private func html(
    _ client: TestClient, _ uri: String, language: String = "en", status: HTTPResponse.Status = .ok
  ) async throws -> String {
    let answer = try await client.get(uri, [.acceptLanguage: language])
    #expect(answer.status == status, "\(uri)")
    return answer.body
  }

  private func place(_ views: GrantView...) { grants.change { $0.grants = views } }

  /// A form that asks for the cameras of the north, in the city's time.
  private static let asked = [
    "purpose": "missing-child", "legalBasis": "Act 9", "reason": "case 7", "type0": "Camera", "scope0": "/north",
    "a-read": "1", "grantee": "self", "to": "2026-06-01T14:00",
  ]

  // MARK: The list

  @Test("an open city says that there is nothing to grant", arguments: ["/grants", "/grants/new"])
  func openCity(path: String) async throws {
    let client = TestClient(try Console(source: FixtureCity(), assets: nil))
    let page = try await html(client, path)
    #expect(page.contains("Access is open in this city") && !page.contains("<form"))
    #expect(try await client.post("/grants/new", Self.asked).body.contains("Access is open in this city"))
    #expect(try await client.get(Self.path).status == .notFound)
  }

  @Test("what waits for the reader stands first; nothing is said as nothing")
  func waiting() async throws {
    let client = try client()
    var page = try await html(client, "/grants")
    #expect(page.contains("Nothing waits for your decision") && page.contains("There is no grant and no request yet"))
    place(
      FixtureGrants.view("urn:x:old", .ended, purpose: "long-ago"),
      FixtureGrants.view(Self.id, purpose: "needs-you", next: [.decide]))
    page = try await html(client, "/grants")
    let first = try #require(page.firstRange(of: "needs-you")).lowerBound
    let second = try #require(page.firstRange(of: "long-ago")).lowerBound
    #expect(first < second && page.contains("Waiting for you (1)") && page.contains("Open it to approve or refuse"))
    #expect(page.contains("<a href=\"/grants?state=ended\">Time is over <span class=\"chip-count\">1</span>"))
    #expect(!page.contains("state=refused"), "states that nothing is in are not offered")
    let ended = try await html(client, "/grants?state=ended")
    #expect(ended.contains("long-ago") && !ended.contains("needs-you"))
    #expect(try await html(client, "/grants?state=refused").contains("None is in this state"))
  }

  @Test("pages lead on and back")
  func pages() async throws {
    grants.change { state in
      state.grants = (0..<120).map { FixtureGrants.view("urn:x:\($0)", .ended, purpose: "purpose-\($0)-") }
    }
    let client = try client()
    let middle = try await html(client, "/grants?state=ended&offset=50")
    #expect(middle.contains("51–100 of 120") && middle.contains("purpose-50-") && !middle.contains("purpose-49-"))
    #expect(middle.contains("href=\"/grants?state=ended\"") && middle.contains("/grants?state=ended&amp;offset=100"))
    #expect(try await html(client, "/grants?offset=-3&state=nonsense").contains("1–50 of 120"))
  }

  @Test("a command is asked for as one change, and each wrong field is told")
  func askedCommand() async throws {
    let client = try client()
    #expect(try await html(client, "/grants/new").contains("href=\"/grants/new?command=1\""))
    let empty = try await html(client, "/grants/new?command=1")
    #expect(empty.contains("name=\"commandEntity\"") && empty.contains("action=\"/grants/new?command=1\""))
    #expect(!empty.contains("name=\"type0\"") && !empty.contains("name=\"grantee\""))
    var sent = [
      "purpose": "maintenance", "legalBasis": "Act 9", "reason": "leak", "to": "2026-06-01T14:00",
      "commandEntity": "urn:x:valve", "commandAttributes": #"{"command": {"type": "Property", "value": "shut"}}"#,
    ]
    for (field, wrong) in [("commandEntity", "valve"), ("commandAttributes", "shut"), ("commandAttributes", "{}")] {
      var bad = sent
      bad[field] = wrong
      let answer = try await client.post("/grants/new?command=1", bad, [.acceptLanguage: "en"])
      #expect(answer.status == .badRequest && answer.body.contains("href=\"#\(field)\""), "\(wrong)")
      #expect(answer.body.contains("\(wrong)"), "what was typed stays")
    }
    #expect(grants.state.wishes.isEmpty)
    // What belongs to the other form is not looked at.
    sent["a-read"] = "1"
    let done = try await client.post("/grants/new?command=1", sent)
    #expect(done.status == .seeOther)
    let wish = try #require(grants.state.wishes.first)
    #expect(wish.command?["entity"] == "urn:x:valve" && wish.command?["attributes"]?["command"]?["value"] == "shut")
    #expect(wish.actions.isEmpty && wish.things.isEmpty && !wish.isBreakGlass)
  }

  @Test("grants of a tenant are chosen, and its pages lead on within it")
  func tenants() async throws {
    place(FixtureGrants.view(purpose: "of-the-city"))
    #expect(try await !html(try client(), "/grants").contains("tenant="), "where there is no choice none is offered")
    grants.change { state in
      state.tenants = ["", "north&1"]
      state.elsewhere["north&1"] = [FixtureGrants.view(Self.id, purpose: "of-the-north", next: [.decide])]
    }
    let client = try client()
    let city = try await html(client, "/grants")
    #expect(city.contains("href=\"/grants?tenant=north%261\">north&amp;1") && city.contains("of-the-city"))
    #expect(!city.contains("of-the-north"))
    let north = try await html(client, "/grants?tenant=north%261")
    #expect(north.contains("of-the-north") && !north.contains("of-the-city"))
    for link in [
      "\(Self.path)?tenant=north%261", "/grants/new?tenant=north%261", "/grants/new?glass=1&amp;tenant=north%261",
    ] {
      #expect(north.contains("href=\"\(link)\""), "\(link)")
    }
    #expect(north.contains("/grants?state=requested&amp;tenant=north%261"))
    let one = try await html(client, Self.path + "?tenant=north%261")
    #expect(
      one.contains("action=\"\(Self.path)?tenant=north%261\"") && one.contains("href=\"/grants?tenant=north%261\""))
    // The pages of entities show the default tenant.
    #expect(!one.contains("/entities/urn"))
    let form = try await html(client, "/grants/new?tenant=north%261")
    #expect(form.contains("action=\"/grants/new?tenant=north%261\""))
    // Who may not reach the default tenant begins with his own.
    grants.change { $0.tenants = ["south"] }
    let led = try await client.get("/grants")
    #expect(led.status == .seeOther && led.headers[.location] == "/grants?tenant=south")
  }

  @Test("who may not watch the city is not led to its pages")
  func outsider() async throws {
    place(FixtureGrants.view())
    let inside = try await html(try client(), Self.path)
    #expect(inside.contains("href=\"/entities\"") && inside.contains("/entities/urn%3Angsi-ld%3AIncident%3A7"))
    let outside = try await html(try client(mayWatch: false), Self.path)
    #expect(
      !outside.contains("href=\"/entities") && !outside.contains("js/page.js") && !outside.contains("id=\"stream\""))
    #expect(outside.contains("urn:ngsi-ld:Incident:7") && outside.contains("Lee &lt;b&gt; (control)"))
  }

  // MARK: One grant

  @Test("one grant tells who, what for, until when in the city's time, and each step with its number")
  func one() async throws {
    place(FixtureGrants.view(Self.id, .active, purpose: FixtureCity.nasty))
    for (language, left, time) in [("en", "2 h 5 min", "2026-06-01 14:05:00"), ("ko", "2시간 5분", "2026-06-01 14:05:00")]
    {
      let page = try await html(try client(), Self.path, language: language)
      for text in [left, time, "Asia/Seoul", "case 7", "Act 9", "Kim (police)", "/log/proof/42", "video"] {
        #expect(page.contains(text), "\(language) \(text)")
      }
      #expect(!page.contains("<script>alert"))
      #expect(!page.contains("name=\"deed\""), "nothing is offered to who may do nothing")
    }
  }

  @Test(
    "each state says what it means and what comes next",
    arguments: [
      (.requested, "waits for the approval of others (1 more)"), (.approved, "begins at 2026-06-01 11:50:00"),
      (.active, "It can be used now"), (.ended, "Its time is over"), (.lapsed, "Ask anew"),
      (.refused, "A new request may be made"), (.revoked, "ended before its time"), (.used, "cannot be used again"),
    ] as [(GrantView.State, String)])
  func meaning(state: GrantView.State, sentence: String) async throws {
    place(FixtureGrants.view(Self.id, state))
    #expect(try await html(try client(), Self.path).contains(sentence))
  }

  @Test("a command is shown as it is, and says how it is carried out")
  func command() async throws {
    var view = FixtureGrants.view(Self.id, .active)
    view.command = ["entity": "urn:x:valve", "attributes": ["command": ["type": "Property", "value": "shut"]]]
    view.actions = []
    place(view)
    let page = try await html(try client(), Self.path)
    #expect(
      page.contains("&quot;shut&quot;") && page.contains("in the header Approval") && page.contains("one command"))
    view.next = [.decide]
    place(view)
    #expect(try await html(try client(), Self.path).contains("a rule may ask for more approvals"))
  }

  @Test("only what the reader may do is offered, with the token of the session")
  func offered() async throws {
    for (next, deeds) in [
      ([.decide, .revoke], ["approve", "refuse"]), ([.review, .revoke], ["review", "revoke"]), ([.revoke], ["revoke"]),
    ] as [(Set<GrantView.Next>, [String])] {
      place(FixtureGrants.view(next: next))
      let page = try await html(try client(), Self.path)
      for deed in ["approve", "refuse", "revoke", "review"] {
        #expect(page.contains("name=\"deed\" value=\"\(deed)\"") == deeds.contains(deed), "\(deed)")
      }
      #expect(page.contains("name=\"csrf\" value=\"token-of-lee\""))
    }
  }

  @Test("deeds are carried out once and lead back to the page")
  func deeds() async throws {
    place(FixtureGrants.view(next: [.decide, .revoke, .review]))
    let client = try client()
    for form in [
      ["deed": "approve", "note": "seen"], ["deed": "refuse", "note": "too wide"], ["deed": "revoke", "note": " "],
      ["deed": "review", "justified": "no", "note": "no danger"],
    ] {
      let answer = try await client.post(Self.path, form)
      #expect(answer.status == .seeOther && answer.headers[.location] == Self.path + "?done=\(form["deed"] ?? "")")
    }
    #expect(
      grants.state.deeds == [
        .approve(note: "seen"), .refuse(note: "too wide"), .revoke(note: nil),
        .review(isJustified: false, note: "no danger"),
      ])
    // Only what was done last is told of as done, whatever the address says.
    #expect(try await html(client, Self.path + "?done=request").contains("Your request is made"))
    #expect(try await !html(client, Self.path + "?done=approve").contains("Your approval is recorded"))
  }

  @Test("what cannot be done is told on the same page, and what was typed stays")
  func faults() async throws {
    place(FixtureGrants.view(next: [.decide, .review]))
    let client = try client()
    var answer = try await client.post(Self.path, ["deed": "refuse", "note": ""], [.acceptLanguage: "ko"])
    #expect(answer.status == .badRequest && answer.body.contains("왜 거부하는지 적으십시오"))
    answer = try await client.post(
      Self.path, ["deed": "review", "justified": "yes", "note": ""], [.acceptLanguage: "en"])
    #expect(answer.status == .badRequest && answer.body.contains("Choose whether it was justified"))
    #expect(answer.body.contains("value=\"yes\" required checked"))
    answer = try await client.post(Self.path, ["deed": "approve", "note": String(repeating: "가", count: 400)])
    #expect(answer.status == .badRequest && answer.body.contains("가가가</textarea>"))
    #expect(grants.state.deeds.isEmpty)
    for (kind, status, sentence) in [
      (.forbidden, .forbidden, "Leave it to somebody else"), (.conflict, .conflict, "It has changed meanwhile"),
      (.failed, .serviceUnavailable, "nothing was changed"),
    ] as [(GrantRefusal.Kind, HTTPResponse.Status, String)] {
      grants.change { $0.refusal = GrantRefusal(kind, "said <i>by</i> the hub") }
      answer = try await client.post(Self.path, ["deed": "approve", "note": "my words"], [.acceptLanguage: "en"])
      #expect(answer.status == status && answer.body.contains(sentence))
      #expect(answer.body.contains("my words</textarea>") && answer.body.contains("said &lt;i&gt;by"))
    }
    answer = try await client.post("/grants/urn%3Anone", ["deed": "approve"], [.acceptLanguage: "en"])
    #expect(answer.status == .serviceUnavailable || answer.status == .notFound)
    #expect(try await html(client, "/grants/urn%3Anone", status: .notFound).contains("There is no such grant"))
  }

  // MARK: Asking

  @Test("a request is made in the city's time")
  func asks() async throws {
    let client = try client()
    var form = Self.asked
    form["from"] = "2026-06-01T12:30"
    form["attributes"] = "video, plate"
    form["id1"] = "urn:x:1"
    form["grantee"] = "agency"
    form["agency"] = "police"
    let answer = try await client.post("/grants/new", form)
    #expect(answer.status == .seeOther)
    #expect(answer.headers[.location] == "/grants/urn%3Angsi-ld%3AGrant%3Anew?done=request")
    let wish = try #require(grants.state.wishes.first)
    #expect(wish.from == DateTime("2026-06-01T03:30:00Z") && wish.to == DateTime("2026-06-01T05:00:00Z"))
    #expect(wish.things == [.init(type: "Camera", scope: "/north"), .init(id: "urn:x:1")])
    #expect(wish.attributes == ["video", "plate"] && wish.actions == ["read"])
    #expect(wish.grantee == .agency("police") && !wish.isBreakGlass && wish.incident == nil)
  }

  @Test("breaking the glass tells what follows, and is for a length of time from now")
  func breaksGlass() async throws {
    let client = try client()
    let page = try await html(client, "/grants/new?glass=1")
    for text in ["without approval", "under your name", "within 3 d", "name=\"understood\"", "value=\"240\">4 h"] {
      #expect(page.contains(text), "\(text)")
    }
    #expect(!page.contains("name=\"from\"") && !page.contains("name=\"grantee\"") && !page.contains("value=\"480\""))
    var form = Self.asked
    form["minutes"] = "30"
    #expect(try await client.post("/grants/new?glass=1", form).body.contains("tick the box"))
    form["understood"] = "1"
    form["minutes"] = "100000"
    #expect(try await client.post("/grants/new?glass=1", form).status == .badRequest)
    #expect(grants.state.wishes.isEmpty)
    form["minutes"] = "30"
    #expect(
      try await client.post("/grants/new?glass=1", form).headers[.location]?.hasSuffix("done=break-glass") == true)
    let wish = try #require(grants.state.wishes.first)
    #expect(wish.isBreakGlass && wish.from == nil && wish.to == FixtureCity.noon.adding(seconds: 1800))
  }

  @Test(
    "each wrong field is told, and nothing is sent",
    arguments: [
      ("purpose", "", "Say the purpose"), ("legalBasis", " ", "Say the legal basis"), ("reason", "", "Say why"),
      ("type0", "", "Say on at least one line"), ("scope0", "north", "A scope begins with /"),
      ("id1", "camera 1", "An id looks like"), ("incident", "7", "The incident must be an id"),
      ("a-read", "", "Choose at least one"), ("to", "soon", "Say a date and a time"),
      ("to", "2026-06-01T11:00", "The end is past already"),
      ("from", "2026-06-01T15:00", "must be after the beginning"),
      ("to", "2026-08-01T11:00", "it must end by 2026-07-01 12:00:00"), ("grantee", "role", "Say which role"),
      ("agency", "fire", "Choose for whom"),
      ("purpose", String(repeating: "가", count: 334), "at most 1000 bytes"),
    ])
  func wrong(field: String, value: String, sentence: String) async throws {
    var form = Self.asked
    form[field] = value
    if field == "type0" { form["scope0"] = "" }
    let answer = try await try client().post("/grants/new", form, [.acceptLanguage: "en"])
    #expect(answer.status == .badRequest && answer.body.contains(sentence), "\(field)")
    #expect(answer.body.contains("value=\"case 7\"") == (field != "reason"), "what was typed stays")
    #expect(grants.state.wishes.isEmpty)
  }

  @Test("more rows keep what was typed and ask for nothing")
  func rows() async throws {
    var form = Self.asked
    form["more"] = "1"
    form["rows"] = "3"
    form["purpose"] = ""
    let answer = try await try client().post("/grants/new", form)
    #expect(answer.status == .ok && answer.body.contains("name=\"type5\"") && !answer.body.contains("name=\"type6\""))
    #expect(answer.body.contains("value=\"/north\"") && !answer.body.contains("role=\"alert\""))
    form["rows"] = "1000000"
    let most = try await try client().post("/grants/new", form).body
    #expect(most.contains("name=\"type19\"") && !most.contains("name=\"type20\"") && !most.contains("name=\"more\""))
    #expect(grants.state.wishes.isEmpty)
  }

  @Test("what the hub refuses is told in the reader's language with what was typed")
  func refused() async throws {
    let client = try client()
    grants.change { $0.refusal = GrantRefusal(.forbidden, "kim may not request: no rule permits it") }
    var answer = try await client.post("/grants/new", Self.asked, [.acceptLanguage: "ko"])
    #expect(answer.status == .forbidden && answer.body.contains("이 대상에 대한 접근을 요청할 수 없습니다"))
    #expect(answer.body.contains("no rule permits it") && answer.body.contains("value=\"missing-child\""))
    grants.change { $0.refusal = GrantRefusal(.invalid, "there is no incident urn:x:i, or it has ended") }
    var form = Self.asked
    form["incident"] = "urn:x:i"
    answer = try await client.post("/grants/new", form, [.acceptLanguage: "en"])
    #expect(answer.status == .badRequest && answer.body.contains("There is no such incident, or it has ended"))
    #expect(answer.body.contains("href=\"#incident\"") && answer.body.contains("value=\"urn:x:i\""))
    grants.change { state in state.offer.mayRequest = false }
    #expect(try await html(client, "/grants/new").contains("This account may not ask for access"))
  }

  @Test("civil times of forms are the city's, also where clocks are set")
  func civilTime() {
    let seoul = CityTime(identifier: "Asia/Seoul")
    #expect(seoul.instant(field: "2026-06-01T12:00") == FixtureCity.noon)
    #expect(seoul.field(FixtureCity.noon) == "2026-06-01T12:00")
    let berlin = CityTime(identifier: "Europe/Berlin")
    for (civil, instant) in [
      ("2026-03-29T01:59", "2026-03-29T00:59:00Z"), ("2026-03-29T03:00", "2026-03-29T01:00:00Z"),
      ("2026-10-25T01:30", "2026-10-24T23:30:00Z"), ("2026-10-25T03:00", "2026-10-25T02:00:00Z"),
    ] { #expect(berlin.instant(field: civil) == DateTime(instant), "\(civil)") }
    for wrong in ["", "tomorrow", "2026-06-01", "2026-13-01T12:00", "2026-06-01T12:00:00+09:00"] {
      #expect(seoul.instant(field: wrong) == nil, "\(wrong)")
    }
  }
}
