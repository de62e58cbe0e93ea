import Foundation
import NGSI
import NIOHTTP1
import Store
import Synchronization
import Testing

@testable import Hub
@testable import HubHTTP

/// Contexts on a web that changes, and counts what is asked of it.
private final class Web: ContextFetching {
  private let documents: Mutex<[String: String]>
  private let requests = Mutex<[String]>([])

  init(_ documents: [String: String] = TestContexts().documents) { self.documents = Mutex(documents) }

  func put(_ url: String, _ text: String?) { documents.withLock { $0[url] = text } }

  var asked: [String] { requests.withLock { $0 } }

  func fetch(_ url: String) async throws(Problem) -> FetchedContext {
    requests.withLock { $0.append(url) }
    guard let text = documents.withLock({ $0[url] }) else {
      throw Problem(.ldContextNotAvailable, "\(url) is not there")
    }
    return FetchedContext(bytes: Array(text.utf8))
  }
}

@Suite struct ContextHostingTests {
  private static let content = #"{"Station": "https://example.org/Station", "pm10": "https://example.org/pm10"}"#
  private static let jsonLD = ["Content-Type": "application/ld+json"]

  private func withWeb(limits: Limits = Limits(), _ body: (TestHub, Web) async throws -> Void) async throws {
    let web = Web()
    let hub = try await TestHub(limits: limits, contexts: web)
    do { try await body(hub, web) } catch {
      await hub.remove()
      throw error
    }
    await hub.remove()
  }

  /// Path of a new hosted context, below the root.
  private func host(_ hub: TestHub, _ content: String = content) async -> String {
    let answer = await hub.post("jsonldContexts", #"{"@context": \#(content)}"#)
    #expect(answer.status == 201 && answer.bytes.isEmpty)
    return String(answer.header("Location")?.dropFirst("/ngsi-ld/v1/".count) ?? "none")
  }

  private func station(_ number: Int, _ context: String) -> String {
    #"{"id": "urn:x:\#(number)", "type": "Station", "pm10": {"type": "Property", "value": 1}, "@context": \#(context)}"#
  }

  private func encoded(_ url: String) -> String { url.replacing(":", with: "%3A").replacing("/", with: "%2F") }

  // Clauses: 5.13.2, 5.13.3, 5.13.4, 5.13.5, 6.29, 6.30
  /// Clauses 5.13.2 to 5.13.5 for a context that a client gives.
  @Test func aHostedContextIsStoredListedServedUsedAndDeleted() async throws {
    try await withWeb { hub, web in
      let answer = await hub.post(
        "jsonldContexts", #"{"@context": \#(Self.content), "beside": 1}"#, headers: ["NGSILD-Tenant": "new"])
      let path = String(try #require(answer.header("Location")).dropFirst("/ngsi-ld/v1/".count))
      #expect(answer.status == 201 && answer.header("NGSILD-Tenant") == "new")
      let served = await hub.get(path)
      #expect(served.json == (try JSONParser.parse(#"{"@context": \#(Self.content)}"#)))
      #expect(served.header("Content-Type") == "application/json" && served.header("Link") == nil)
      let wanted = await hub.get(path, headers: ["Accept": "application/ld+json"])
      #expect(wanted.header("Content-Type") == "application/ld+json")
      #expect(await hub.send(.HEAD, path).status == 200)

      let host = ["Host": "hub.example:8080"]
      let url = "http://hub.example:8080/ngsi-ld/v1/" + path
      #expect(await hub.get("jsonldContexts?kind=Hosted", headers: host).json == [.string(url)])
      let details = await hub.get("jsonldContexts?kind=Hosted&details=true", headers: host).json.array?.first
      #expect(details?["URL"] == .string(url) && details?["kind"] == "Hosted")
      #expect(details?["localId"]?.string.map { path.hasSuffix($0) } == true)
      #expect(details?["createdAt"]?.string == hub.clock.now.description)
      #expect(details?["numberOfHits"] == 3, "it was served three times")

      // Whatever the hub is called, it does not ask itself.
      for (number, name) in ["hub.example:8080", "10.0.0.7", "localhost:9090"].enumerated() {
        let context = #""http://\#(name)/ngsi-ld/v1/\#(path)""#
        #expect(await hub.post("entities", station(number, context), headers: Self.jsonLD).status == 201)
      }
      #expect(await hub.get("entities?type=https%3A%2F%2Fexample.org%2FStation").ids.count == 3)
      #expect(web.asked.isEmpty)
      #expect(await hub.get(path + "?details=true").json["numberOfHits"] == 6)

      #expect(await hub.delete(path + "?reload=true").problem == "BadRequestData")
      #expect(await hub.delete(path).status == 204)
      #expect(await hub.get(path).problem == "ResourceNotFound")
      #expect(await hub.get(path + "?details=true").problem == "ResourceNotFound")
      #expect(await hub.delete(path).problem == "ResourceNotFound")
      let late = await hub.post("entities", station(9, #""\#(url)""#), headers: Self.jsonLD)
      #expect(late.problem == "LdContextNotAvailable", "what was made of it is forgotten too")
    }
  }

  // Clauses: 5.13.2, 5.5.4, 5.5.7
  @Test(arguments: [
    ("{", 400, "InvalidRequest"), ("[]", 400, "InvalidRequest"), ("{}", 400, "InvalidRequest"),
    (#"{"pm10": "https://example.org/pm10"}"#, 400, "InvalidRequest"),
    (#"{"@context": 42}"#, 400, "BadRequestData"), (#"{"@context": true}"#, 400, "BadRequestData"),
    (#"{"@context": ["https://example.org/c", 7]}"#, 400, "BadRequestData"),
    (#"{"@context": "relative/c.jsonld"}"#, 400, "BadRequestData"),
    (#"{"@context": {"a": {"@id": "b", "@context": {}}}}"#, 400, "BadRequestData"),
    (#"{"@context": {"a": "b:c", "b": "a:d"}}"#, 400, "BadRequestData"),
    (#"{"@context": {"a": ["b"]}}"#, 400, "BadRequestData"),
  ])
  func whatIsNoContextIsNotStored(body: String, status: Int, problem: String) async throws {
    try await withWeb { hub, _ in
      let answer = await hub.post("jsonldContexts", body)
      #expect(answer.status == status && answer.problem == problem, "\(answer.text)")
      #expect(answer.header("Location") == nil)
      #expect(await hub.get("jsonldContexts?kind=Hosted").json == [])
    }
  }

  // Clauses: 6.29, 6.30, 6.3.20
  @Test func requestsThatMakeNoSenseAreRefused() async throws {
    try await withWeb { hub, _ in
      for query in ["kind=other", "details=other", "kind=Hosted&details=1"] {
        #expect(await hub.get("jsonldContexts?" + query).problem == "BadRequestData", "\(query)")
      }
      #expect(await hub.get("jsonldContexts?limit=1").problem == "InvalidRequest")
      #expect(await hub.delete("jsonldContexts/none").problem == "ResourceNotFound")
      #expect(await hub.delete("jsonldContexts/none?reload=true").problem == "BadRequestData")
      #expect(await hub.delete("jsonldContexts/none?reload=maybe").problem == "BadRequestData")
      #expect(await hub.send(.PUT, "jsonldContexts/none", "{}").status == 405)
      let text = await hub.post("jsonldContexts", "{}", headers: ["Content-Type": "text/plain"])
      #expect(text.status == 415)
    }
  }

  // Clauses: 5.13.1, 5.13.3, 5.13.4
  /// A context that was fetched is listed by its address and used, but not served (5.13.4.4).
  @Test func aFetchedContextIsCached() async throws {
    try await withWeb { hub, web in
      let path = "jsonldContexts/" + encoded(TestContexts.city)
      #expect(await hub.get(path + "?details=true").problem == "ResourceNotFound")
      _ = await hub.post("entities", station(1, #""\#(TestContexts.city)""#), headers: Self.jsonLD)
      let details = await hub.get(path + "?details=true").json
      #expect(details["URL"] == .string(TestContexts.city) && details["kind"] == "Cached")
      #expect(details["numberOfHits"] == 1 && details["lastUsage"]?.string == hub.clock.now.description)
      #expect(details["expiresAt"]?.string == hub.clock.now.adding(seconds: 86_400).description)
      let id = try #require(details["localId"]?.string)
      #expect(await hub.get("jsonldContexts/" + id).problem == "OperationNotSupported")
      #expect(await hub.get(path).status == 422)
      #expect(await hub.get("jsonldContexts?kind=Cached").json.array?.contains(.string(TestContexts.city)) == true)
      _ = await hub.post("entities", station(2, #""\#(TestContexts.city)""#), headers: Self.jsonLD)
      #expect(await hub.get("jsonldContexts/\(id)?details=true").json["numberOfHits"] == 3)
      #expect(web.asked.count == 1)
      #expect(await hub.delete(path).status == 204)
      #expect(await hub.get("jsonldContexts?kind=Cached").json.array?.contains(.string(TestContexts.city)) == false)
      _ = await hub.post("entities", station(3, #""\#(TestContexts.city)""#), headers: Self.jsonLD)
      #expect(web.asked.count == 2, "a deleted one is fetched anew")
    }
  }

  // Clauses: 5.13.5, 6.30
  @Test func reloadingFetchesAndKeepsTheOldCopyWhenItCannot() async throws {
    try await withWeb { hub, web in
      let path = "jsonldContexts/" + encoded(TestContexts.city)
      let link = ["Link": "<\(TestContexts.city)>; rel=\"http://www.w3.org/ns/json-ld#context\""]
      _ = await hub.post("entities", station(1, #""\#(TestContexts.city)""#), headers: Self.jsonLD)
      let broken = [nil, "no JSON", "{}", #"{"@context": 7}"#, #"{"@context": ["https://nowhere.example/c"]}"#]
      for text in broken {
        web.put(TestContexts.city, text)
        #expect(await hub.delete(path + "?reload=true").problem == "LdContextNotAvailable", "\(text ?? "gone")")
        #expect(await hub.get("entities/urn:x:1", headers: link).json["pm10"] != nil)
        #expect(await hub.get(path + "?details=true").status == 200)
      }
      web.put(TestContexts.city, #"{"@context": {"dust": "https://example.org/pm10"}}"#)
      let before = web.asked.count
      hub.clock.move(60)
      #expect(await hub.delete(path + "?reload=true").status == 204)
      #expect(web.asked.count == before + 1)
      #expect(await hub.get("entities/urn:x:1", headers: link).json["dust"] != nil)
      #expect(web.asked.count == before + 1, "the copy that was fetched serves")
      let details = await hub.get(path + "?details=true").json
      #expect(details["createdAt"]?.string == hub.clock.now.description)
    }
  }

  // Clauses: 6.3.16
  /// What the server of a context says about keeping it (6.3.16; RFC 9111 section 4.2.1).
  @Test(
    arguments: [
      (["Cache-Control": "max-age=60"], 60.0), (["Cache-Control": "public, s-maxage=\"5\", max-age=60"], 5),
      (["Cache-Control": "no-store"], 0), (["Cache-Control": "private"], nil), ([:], nil), (["Expires": "0"], 0),
      (["Expires": "Sun, 01 Mar 2026 12:05:00 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"], 300),
      (["Expires": "Sun, 01 Mar 2026 12:05:00 GMT", "Cache-Control": "max-age=7"], 7),
    ] as [([String: String], Double?)])
  func lifetimes(headers: [String: String], seconds: Double?) {
    #expect(HTTPOutlet.lifetime(HTTPHeaders(headers.map { ($0.key, $0.value) })) == seconds)
  }

  // Clauses: 5.13.4, 5.13.5
  @Test func coreContextsAreBuiltIn() async throws {
    try await withWeb { hub, web in
      let url = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld"
      let path = "jsonldContexts/" + encoded(url)
      let details = await hub.get(path + "?details=true").json
      #expect(details["URL"] == .string(url) && details["kind"] == "Cached" && details["createdAt"] != nil)
      #expect(await hub.get(path).status == 422)
      #expect(await hub.delete(path).problem == "BadRequestData")
      #expect(await hub.delete(path + "?reload=true").status == 204)
      #expect(await hub.get("jsonldContexts?kind=Cached").json.array?.contains(.string(url)) == true)
      #expect(web.asked.isEmpty)
    }
  }

  // Clauses: 5.13.1, 5.2.12, 6.3.8
  /// An array cannot stand in a Link header: the hub makes a context of it that can (5.13.1).
  @Test func anArrayOfASubscriptionGetsAnAddress() async throws {
    let folder = NSTemporaryDirectory() + "hub-" + UUID().uuidString
    let hub = try await TestHub(folder: folder, contexts: Web())
    let array = #"["\#(TestContexts.city)", {"no2": "https://example.org/no2"}]"#
    func subscription(_ context: String) -> String {
      #"{"type": "Subscription", "entities": [{"type": "Station"}], "@context": \#(context), "#
        + #""notification": {"endpoint": {"uri": "http://receiver.test/n"}}}"#
    }
    let headers = ["Content-Type": "application/ld+json", "Host": "hub.example"]
    let made = await hub.post("subscriptions", subscription(array), headers: headers)
    let path = String(try #require(made.header("Location")).dropFirst("/ngsi-ld/v1/".count))
    let url = try #require(await hub.get(path).json["jsonldContext"]?.string)
    #expect(url.hasPrefix("http://hub.example/ngsi-ld/v1/jsonldContexts/"))
    #expect(await hub.get("jsonldContexts?kind=ImplicitlyCreated", headers: headers).json == [.string(url)])
    let own = String(url.dropFirst("http://hub.example/ngsi-ld/v1/".count))
    #expect(await hub.get(own).json["@context"] == (try JSONParser.parse(array)))
    #expect(await hub.delete(own + "?reload=true").problem == "BadRequestData")
    // The same array is the same context; one URL needs none, nor does the core context beside it.
    _ = await hub.post("subscriptions", subscription(array), headers: headers)
    let core = CoreContext.url
    for alone in [#"["\#(TestContexts.city)", "\#(core)"]"#, #"["\#(core)", "\#(TestContexts.city)"]"#] {
      let other = await hub.post("subscriptions", subscription(alone), headers: headers)
      let shown = await hub.get(String(try #require(other.header("Location")).dropFirst("/ngsi-ld/v1/".count)))
      #expect(shown.json["jsonldContext"] == .string(TestContexts.city))
    }
    #expect(await hub.get("jsonldContexts?kind=ImplicitlyCreated").json.array?.count == 1)

    await hub.stop()
    let again = try await TestHub(folder: folder, contexts: Web())
    #expect(await again.get(path).json["jsonldContext"] == .string(url))
    #expect(await again.get(own).json["@context"] == (try JSONParser.parse(array)))
    _ = await again.post("subscriptions", subscription(array), headers: headers)
    #expect(await again.get("jsonldContexts?kind=ImplicitlyCreated").json.array?.count == 1)
    _ = await again.post("entities", station(1, #""\#(url)""#), headers: Self.jsonLD)
    let messages = await again.recorder.wait(for: 5)
    let links = messages.compactMap { $0.headers.first { $0.0 == "Link" }?.1 }
    #expect(links.filter { $0.hasPrefix("<\(url)>") }.count == 3 && links.count == 5)
    await again.remove()
  }

  // Clauses: 5.13.1, 6.3.6
  /// The answer to a query whose context came in the body names one that can be had (6.3.6).
  @Test func aQueryWithAnInlineContextIsAnsweredWithALink() async throws {
    try await withWeb { hub, _ in
      _ = await hub.post("entities", station(1, Self.content), headers: Self.jsonLD)
      let query = #"{"type": "Query", "entities": [{"type": "Station"}], "@context": \#(Self.content)}"#
      let answer = await hub.post("entityOperations/query", query, headers: Self.jsonLD)
      #expect(answer.ids == ["urn:x:1"] && answer.json.array?.first?["pm10"] != nil)
      let url = try #require(answer.links().first?.split(separator: ">").first?.dropFirst())
      let path = try #require(url.firstRange(of: "jsonldContexts/"))
      #expect(await hub.get(String(url[path.lowerBound...])).json["@context"] == (try JSONParser.parse(Self.content)))
      let embedded = await hub.post(
        "entityOperations/query", query.replacing("pm10", with: "dust"),
        headers: ["Content-Type": "application/ld+json", "Accept": "application/ld+json"])
      #expect(embedded.status == 200)
      #expect(await hub.get("jsonldContexts?kind=ImplicitlyCreated").json.array?.count == 1, "it stands in the body")
    }
  }

  // Clauses: 5.13.1
  @Test func whatIsStoredSurvivesARestart() async throws {
    let folder = NSTemporaryDirectory() + "hub-" + UUID().uuidString
    let hub = try await TestHub(folder: folder, contexts: Web())
    let path = await host(hub)
    _ = await hub.post("entities", station(1, #""\#(TestContexts.city)""#), headers: Self.jsonLD)
    let listed = await hub.get("jsonldContexts?details=true").json
    await hub.hub.library.saveUsage()
    await hub.stop()
    let web = Web()
    let again = try await TestHub(folder: folder, contexts: web)
    #expect(await again.get("jsonldContexts?details=true").json == listed)
    _ = await again.post("entities", station(2, #""http://h/ngsi-ld/v1/\#(path)""#), headers: Self.jsonLD)
    _ = await again.post("entities", station(3, #""\#(TestContexts.city)""#), headers: Self.jsonLD)
    #expect(await again.get("entities?type=https%3A%2F%2Fexample.org%2FStation").ids.count == 3)
    #expect(web.asked.isEmpty)
    await again.remove()
  }

  // Clauses: 5.13.1
  @Test func whatAHubOfAnEarlierVersionKeptIsTakenUp() async throws {
    let folder = NSTemporaryDirectory() + "hub-" + UUID().uuidString
    let hub = try await TestHub(folder: folder, contexts: Web([:]))
    let body: JSON = [
      "body": .string(#"{"@context": \#(Self.content)}"#), "fetchedAt": .string(hub.clock.now.description),
    ]
    try await hub.store.write { writer in
      try writer.put(
        StoredDocument(id: TestContexts.city, body: body), collection: ContextLibrary.cachedCollection, in: .default)
    }
    await hub.stop()
    let path = "jsonldContexts/" + encoded(TestContexts.city) + "?details=true"
    var ids: [JSON?] = []
    for _ in 0..<2 {
      let again = try await TestHub(folder: folder, contexts: Web([:]))
      ids.append(await again.get(path).json["localId"])
      _ = await again.post("entities", station(1, #""\#(TestContexts.city)""#), headers: Self.jsonLD)
      #expect(await again.get("entities/urn:x:1").status == 200)
      await again.stop()
    }
    #expect(ids[0] != nil && ids[0] == ids[1])
    try? FileManager.default.removeItem(atPath: folder)
  }

  // Clauses: 5.13.5
  /// A subscription does not end with the context that it was made with.
  @Test func aSubscriptionOutlivesItsHostedContext() async throws {
    let folder = NSTemporaryDirectory() + "hub-" + UUID().uuidString
    let hub = try await TestHub(folder: folder, contexts: Web())
    let path = await host(hub)
    let url = "http://localhost/ngsi-ld/v1/" + path
    let body =
      #"{"type": "Subscription", "entities": [{"type": "Station"}], "jsonldContext": "\#(url)", "@context": "\#(url)", "#
      + #""notification": {"endpoint": {"uri": "http://receiver.test/n"}}}"#
    let made = await hub.post("subscriptions", body, headers: Self.jsonLD)
    let own = String(try #require(made.header("Location")).dropFirst("/ngsi-ld/v1/".count))
    #expect(await hub.delete(path).status == 204)
    #expect(await hub.patch(own, #"{"description": "still here"}"#).problem == "LdContextNotAvailable")
    await hub.stop()
    let again = try await TestHub(folder: folder, contexts: Web())
    _ = await again.post("entities", station(1, Self.content), headers: Self.jsonLD)
    let message = try #require(await again.recorder.wait(for: 1).first)
    #expect((try JSONParser.parse(message.body))["data"]?.array?.first?["pm10"] != nil)
    #expect(await again.patch(own, #"{"jsonldContext": "\#(TestContexts.city)"}"#).status == 204)
    await again.remove()
  }

  // Clauses: 5.13.1
  @Test func contextsAreBounded() async throws {
    var limits = Limits()
    limits.hostedContexts = 3
    limits.implicitContexts = 3
    limits.cachedContexts = 2
    limits.contextBytes = 1000
    try await withWeb(limits: limits) { hub, web in
      let large = String(repeating: "x", count: 1000)
      #expect(await hub.post("jsonldContexts", #"{"@context": {"a": "https://x/\#(large)"}}"#).status == 413)
      for _ in 0..<3 { _ = await host(hub) }
      let fourth = await hub.post("jsonldContexts", #"{"@context": \#(Self.content)}"#)
      #expect(fourth.status == 403 && fourth.problem == "TooManyResults")
      for number in 0..<5 {
        let query =
          #"{"type": "Query", "entities": [{"type": "T"}], "@context": {"t\#(number)": "https://example.org/t"}}"#
        #expect(await hub.post("entityOperations/query", query, headers: Self.jsonLD).status == 200)
        hub.clock.move(1)
      }
      let implicit = await hub.get("jsonldContexts?kind=ImplicitlyCreated&details=true").json.array
      #expect(implicit?.count == 3, "the oldest make room")
      for number in 0..<4 {
        let url = "https://example.org/\(number)"
        web.put(url, #"{"@context": \#(Self.content)}"#)
        #expect(await hub.post("entities", station(number, #""\#(url)""#), headers: Self.jsonLD).status == 201)
        hub.clock.move(1)
      }
      let cached = await hub.get("jsonldContexts?kind=Cached").json.array?.compactMap(\.string)
      #expect(
        cached?.filter { $0.hasPrefix("https://example.org") } == ["https://example.org/2", "https://example.org/3"])
      let health = try hub.hub.health()["contexts"]
      #expect(health?["hosted"] == ["value": 3, "bound": 3] && health?["cached"] == ["value": 2, "bound": 2])
    }
  }
}
