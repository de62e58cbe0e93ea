import HTTPTypes
import NGSI
import Testing

@testable import Console

@Suite("Pages")
struct PagesTests {
  private func withCity(
    _ city: FixtureCity, _ body: (TestClient, ConsoleRoom) async throws -> Void
  ) async throws {
    let console = try Console(source: city, assets: nil)
    let client = TestClient(console)
    _ = try await client.get("/")
    while await console.room.board.phase == .loading { try await Task.sleep(for: .milliseconds(5)) }
    try await body(client, console.room)
  }

  private func html(
    _ client: TestClient, _ uri: String, language: String = "en", status: HTTPResponse.Status = .ok
  ) async throws -> String {
    let answer = try await client.get(uri, [.acceptLanguage: language])
    #expect(answer.status == status)
    return answer.body
  }

  @Test("what came from outside is escaped on every page", arguments: ["ko", "en"])
  func escapes(language: String) async throws {
    let city = FixtureCity()
    var entity = FixtureCity.station(1, pm25: 80, name: FixtureCity.nasty)
    entity.id = "urn:x:" + FixtureCity.nasty
    entity.types = ["https://example.org/" + "<i>T"]
    entity.attributes[0].name = Core.defaultVocabulary + "<em>"
    entity.attributes[0].instances[0].unitCode = "</td><script>1</script>"
    await city.store.put(entity)
    try await withCity(city) { client, _ in
      let path = Visit.entityPath(entity.id)
      let query = Percent.encode(FixtureCity.nasty)
      for uri in ["/", "/entities", "/entities?q=\(query)", path, "/data", "/health", "/\(query)"] {
        let status: HTTPResponse.Status = uri == "/\(query)" ? .notFound : .ok
        let text = try await html(client, uri, language: language, status: status)
        #expect(!text.contains("<script>"), "\(uri)")
        #expect(!text.contains("<em>"), "\(uri)")
        #expect(!text.contains("<i>T"), "\(uri)")
        #expect(!text.contains("시 <b>"), "\(uri)")
      }
      let page = try await html(client, path, language: language)
      #expect(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;=;()"))
    }
  }

  @Test("the data page shows datasets, models and refusals, page by page, in both languages")
  func data() async throws {
    var city = FixtureCity()
    city.report.mode = "strict"
    city.report.datasets = [
      .init(
        id: "air", title: LocalizedText(ko: "대기질", en: "Air " + FixtureCity.nasty), publisher: LocalizedText("City"),
        licence: "https://example.org/CC_BY_4_0", completeness: 0.9876)
    ]
    city.report.models = [.init(type: Core.defaultVocabulary + "AirQualityObserved", judged: 1234, failed: 7)]
    city.report.refusals = (0..<60).map { number in
      .init(
        door: "POST /entities", source: "10.0.0.\(number)", problem: "BadRequestData", detail: FixtureCity.nasty,
        sample: FixtureCity.nasty, count: number + 1, firstAt: FixtureCity.noon.adding(seconds: -9_000),
        lastAt: FixtureCity.noon.adding(seconds: -300))
    }
    city.report.refusalCount = 60
    try await withCity(city) { client, _ in
      let english = try await html(client, "/data")
      #expect(!english.contains("<script>alert"))
      for text in ["98.8 %", "not known", "1,234", "CC_BY_4_0", "10.0.0.49", "5 min ago", "/data?offset=50", "Strict"] {
        #expect(english.contains(text), "\(text)")
      }
      #expect(!english.contains("10.0.0.50"))
      let second = try await html(client, "/data?offset=50", language: "ko")
      #expect(second.contains("10.0.0.59") && second.contains("대기질") && second.contains("사유 60가지"))
      #expect(second.contains("/data?") && !second.contains("10.0.0.49<"))
    }
  }

  @Test("a page allows nothing inline and nothing from elsewhere")
  func policy() async throws {
    try await withCity(FixtureCity()) { client, _ in
      for uri in ["/", "/entities", "/health", "/none"] {
        let response = try await client.get(uri)
        let policy = response.headers[.contentSecurityPolicy] ?? ""
        #expect(policy.contains("default-src 'none'"))
        #expect(!policy.contains("unsafe"))
        // Video is put together by the page's own script; nothing else may come out of one.
        let blobs = policy.split(separator: ";").filter { $0.contains("blob:") }
        #expect(blobs == [" media-src 'self' blob:"])
        let text = response.body
        #expect(!text.contains(" style="))
        #expect(!text.contains(" onclick="))
        for part in text.split(separator: "<script").dropFirst() {
          #expect(part.hasPrefix(" ") && part.contains("src="))
        }
      }
    }
  }

  @Test("without the fetched libraries the pages say which command fetches them")
  func noAssets() async throws {
    let city = FixtureCity()
    await city.store.put(FixtureCity.station(1, pm25: 12))
    try await withCity(city) { client, _ in
      let city = try await html(client, "/")
      let entity = try await html(client, "/entities/urn%3Angsi-ld%3AAirQualityObserved%3A1")
      #expect(city.contains("make setup"))
      #expect(entity.contains("make setup"))
    }
  }

  @Test("an empty city says what to do, an unknown entity is 404, a failure is a page")
  func states() async throws {
    try await withCity(FixtureCity()) { client, _ in
      #expect(try await html(client, "/").contains("POST /ngsi-ld/v1/entities"))
      #expect(try await html(client, "/entities/urn%3Anone", language: "ko", status: .notFound).contains("없는 엔티티"))
      let failed = try await html(client, "/entities/urn%3Abroken", status: .internalServerError)
      #expect(failed.contains("could not be made"))
      #expect(!failed.contains("broken for the test"))
      let below = try await client.get("/ngsi-ld/v1/none")
      #expect(below.status == .notFound)
      #expect(!below.body.contains("<html"))
    }
  }

  @Test("readings carry units, state, rule and the city's time")
  func entity() async throws {
    let city = FixtureCity()
    await city.store.put(FixtureCity.station(7, pm25: 88))
    try await withCity(city) { client, _ in
      let page = try await html(client, "/entities/urn%3Angsi-ld%3AAirQualityObserved%3A7", language: "ko")
      #expect(page.contains("88 µg/m³"))
      #expect(page.contains("2026-06-01 11:59:00"))
      #expect(page.contains("매우 나쁨"))
      #expect(page.contains("2018-03-27"))
      #expect(page.contains("data-alarm=\"75\""))
      #expect(page.contains("lang=\"ko\""))
    }
  }

  @Test("?lang is remembered in a cookie, the cookie is heard")
  func language() async throws {
    try await withCity(FixtureCity()) { client, _ in
      let chosen = try await client.get("/?lang=ko", [.acceptLanguage: "en"])
      #expect(chosen.headers[.setCookie]?.hasPrefix("lang=ko;") == true)
      let kept = try await client.get("/", [.cookie: "lang=ko", .acceptLanguage: "en"])
      #expect(kept.body.contains("<html lang=\"ko\">"))
    }
  }

  @Test("the list filters, counts all and shows a page")
  func list() async throws {
    let city = FixtureCity()
    for number in 100..<400 { await city.store.put(FixtureCity.station(number, pm25: number == 250 ? 90 : 10)) }
    try await withCity(city) { client, room in
      let page = try await html(client, "/entities?limit=20")
      #expect(page.contains("1–20 of 300"))
      #expect(page.split(separator: "<tr><td").count - 1 == 20)
      #expect(page.split(separator: "<tr><td")[1].contains("AirQualityObserved%3A250"))
      #expect(try await html(client, "/entities?state=alarm").contains("1–1 of 1"))
      #expect(try await html(client, "/entities?type=Nope").contains("Nothing matches"))
      let second = await room.board.list(
        ListQuery(sort: .name, limit: 10, offset: 10), at: FixtureCity.noon, language: .en)
      #expect(second.summaries.map(\.id) == (110..<120).map { "urn:ngsi-ld:AirQualityObserved:\($0)" })
    }
  }

  @Test("many of one cause are one line that leads to them; the rare cause stands before the common one")
  func attention() async throws {
    let city = FixtureCity()
    for number in 0..<40 {
      var entity = FixtureCity.station(number, pm25: 10)
      entity.attributes[0] = FixtureCity.property("batteryLevel", 0.1, age: Double(number))
      await city.store.put(entity)
    }
    for number in 40..<43 { await city.store.put(FixtureCity.station(number, pm25: 50, age: Double(number))) }
    await city.store.put(FixtureCity.station(50, pm25: 90))
    try await withCity(city) { client, room in
      let page = await room.board.attention(at: FixtureCity.noon, limit: 30)
      let lines = page.entries.map { entry in
        switch entry {
        case .one(let summary): String(summary.id.split(separator: ":").last ?? "")
        case .many(let group): "\(group.count) \(group.types.map(\.type))"
        }
      }
      #expect(lines == ["50", "40", "41", "42", "40 [\"AirQualityObserved\"]"])
      #expect(page.total == 44 && page.isWhole)
      #expect(await room.board.attention(at: FixtureCity.noon, limit: 2).isWhole == false)
      let html = try await html(client, "/")
      #expect(html.contains("40 × battery low (below 20 %)"))
      #expect(html.contains("href=\"/entities?cause=device-battery&amp;state=attention\""))
      let list = try await self.html(client, "/entities?cause=device-battery&state=attention")
      #expect(list.contains("1–40 of 40"))
      #expect(list.contains("Cause: <strong>battery low"))
      #expect(list.contains("href=\"/entities?state=attention\""))
      #expect(try await self.html(client, "/entities?cause=none").contains("Nothing matches"))
    }
  }

  @Test("targets are told with value, unit and what is missing, in both languages")
  func targets() async throws {
    var city = FixtureCity()
    func add(_ id: String, _ value: Result<Double, Indicator.Missing>, _ better: Indicator.Direction, _ unit: String) {
      city.measured.append(
        Indicator(
          id: id, name: LocalizedText(ko: "지표 \(id)", en: "<b>\(id)"), value: value, target: 15, better: better,
          unit: unit))
    }
    add("dust", .success(41.25), .lower, "µg/m³")
    add("speed", .success(15), .higher, "")
    add("water", .failure(.init(gaps: [.noValue(type: "AirQualityObserved", attribute: "pm25")])), .lower, "l")
    try await withCity(city) { client, _ in
      let page = try await html(client, "/")
      #expect(page.contains("&lt;b&gt;dust") && page.contains("41.25 µg/m³") && page.contains("at most 15 µg/m³"))
      let rows =
        try JSONParser.parse(Array(try await client.get("/console/overview").body.utf8))["indicators"]?.array ?? []
      #expect(rows.map { $0["indicatorState"] } == ["missed", "met", "none"])
      #expect(
        rows.last?["indicatorValue"] == "" && rows.last?["indicatorGaps"]?.string?.contains("no value of") == true)
      let korean = try await html(client, "/", language: "ko")
      #expect(korean.contains("지표 water") && korean.contains("자료 없음") && korean.contains("목표 15 이상"))
    }
    try await withCity(FixtureCity()) { client, _ in
      let bare = try await html(client, "/")
      #expect(!bare.contains("targets-title"))
    }
  }

  @Test("times of the health report are the city's and in words, in both languages")
  func healthWords() async throws {
    try await withCity(FixtureCity()) { client, _ in
      let english = try await html(client, "/health")
      #expect(english.contains("2026-06-01 12:00:00 UTC+09:00"))
      #expect(english.contains("1 d 1 h"))
      let korean = try await html(client, "/health", language: "ko")
      #expect(korean.contains("1일 1시간"))
      #expect(korean.contains("이보다 큰 요청은 읽지 않고 거절합니다."))
    }
  }

  @Test("the health page finds what does not add up and what is at its bound")
  func health() async throws {
    try await withCity(FixtureCity()) { client, _ in
      let page = try await html(client, "/health")
      #expect(page.contains("verdict-red"))
      #expect(page.contains("3 MiB"))
      // What is wrong stands first, the worst before all, with what to do.
      let told = try #require(page.firstRange(of: "What to do now"))
      let grid = try #require(page.firstRange(of: "health-grid"))
      #expect(told.upperBound < grid.lowerBound)
      let words = String(page[told.upperBound..<grid.lowerBound])
      #expect(words.contains("95 / 100") && words.contains("df, iostat") && words.contains("report it"))
      #expect(try await html(client, "/health", language: "ko").contains("df, iostat"))
    }
    let report: JSON = ["outbox": ["due": 10, "delivered": 5, "failed": 2, "throttled": 2]]
    #expect(HealthView(report).worst == .red)
    let whole: JSON = ["outbox": ["due": 10, "delivered": 5, "failed": 2, "throttled": 2, "pending": 1]]
    #expect(HealthView(whole).worst == .green)
    #expect(HealthView(["store": ["queue": ["value": 75, "bound": 100]]]).worst == .amber)
    let mixed: JSON = [
      "a": ["x": ["value": 75, "bound": 100], "y": 1],
      "b": ["z": ["value": 99, "bound": 100], "w": ["value": 1, "bound": 9]],
    ]
    #expect(HealthView(mixed).troubles.map { $0.section + $0.gauge.name } == ["bz", "ax"])
  }
}
