import Foundation
import Synchronization
import Testing

@testable import NGSI

/// A web of documents in memory that counts what is asked of it.
private final class Web: ContextFetching {
  struct State {
    var documents: [String: String]
    var asked: [String] = []
    var isDown = false
    var lifetime: Double?
  }
  let state: Mutex<State>

  /// What happens while a document comes.
  private let meanwhile: @Sendable () -> Void

  init(_ documents: [String: String], meanwhile: @escaping @Sendable () -> Void = {}) {
    state = Mutex(State(documents: documents))
    self.meanwhile = meanwhile
  }

  func fetch(_ url: String) async throws(Problem) -> FetchedContext {
    try? await Task.sleep(for: .milliseconds(5))
    meanwhile()
    let answer: FetchedContext? = state.withLock { state in
      state.asked.append(url)
      guard !state.isDown, let text = state.documents[url] else { return nil }
      return FetchedContext(bytes: Array(text.utf8), lifetime: state.lifetime)
    }
    if let answer { return answer }
    throw Problem(.ldContextNotAvailable, "\(url) does not answer")
  }

  var asked: [String] { state.withLock(\.asked) }
}

private final class Clock: Sendable {
  let time = Mutex(DateTime(microseconds: 0))
  func advance(_ seconds: Double) { time.withLock { $0 = $0.adding(seconds: seconds) } }
  var now: DateTime { time.withLock { $0 } }
}

// Clauses: 4.4, 5.13.1
@Suite("Context resolver")
struct ContextResolverTests {
  private let clock = Clock()

  private func resolver(_ web: Web, _ limits: ContextResolver.Limits = .init()) -> ContextResolver {
    let clock = clock
    return ContextResolver(fetcher: web, limits: limits) { clock.now }
  }

  // Clauses: 5.5.5
  @Test("core contexts are never fetched")
  func core() async throws {
    let web = Web([:])
    let resolver = resolver(web)
    for version in CoreContext.versions {
      _ = try await resolver.context(
        .string("https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.\(version).jsonld"))
    }
    #expect(resolver.cached(.null) === Context.core)
    #expect(web.asked.isEmpty)
  }

  @Test("a document is fetched once by many at a time, and nested ones are followed")
  func sharing() async throws {
    let web = Web([
      "https://a.example/c": #"{"@context": ["https://b.example/c", {"x": "https://a.example/x"}]}"#,
      "https://b.example/c": #"{"@context": {"y": "https://b.example/y"}}"#,
    ])
    let resolver = resolver(web)
    #expect(resolver.cached("https://a.example/c") == nil)
    try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<50 { group.addTask { try await resolver.context("https://a.example/c").expand("y") } }
      for try await iri in group { #expect(iri == "https://b.example/y") }
    }
    #expect(web.asked.sorted() == ["https://a.example/c", "https://b.example/c"])
    #expect(resolver.cached("https://a.example/c")?.expand("x") == "https://a.example/x")
    #expect(resolver.statistics.documents == 2)
    #expect(resolver.statistics.fetches == 2)
  }

  @Test("contexts that include each other, or ever more, end in a problem")
  func loops() async throws {
    var documents = [
      "https://a.example/c": #"{"@context": "https://b.example/c"}"#,
      "https://b.example/c": #"{"@context": "https://a.example/c"}"#,
    ]
    for step in 0..<50 { documents["https://d.example/\(step)"] = #"{"@context": "https://d.example/\#(step + 1)"}"# }
    let web = Web(documents)
    let resolver = resolver(web)
    for url in ["https://a.example/c", "https://d.example/0"] {
      let problem = await #expect(throws: Problem.self) { try await resolver.context(.string(url)) }
      #expect(problem?.kind == .ldContextNotAvailable)
    }
    #expect(web.asked.count < 20)
  }

  @Test("a failure is remembered for a short time, and an old copy goes on serving")
  func failures() async throws {
    let web = Web(["https://a.example/c": #"{"@context": {"x": "https://a.example/x"}}"#])
    let resolver = resolver(web)
    for _ in 0..<3 {
      let problem = await #expect(throws: Problem.self) { try await resolver.context("https://gone.example/c") }
      #expect(problem?.kind == .ldContextNotAvailable)
      #expect(problem?.status == 504)
    }
    #expect(web.asked.count == 1)
    clock.advance(31)
    _ = try? await resolver.context("https://gone.example/c")
    #expect(web.asked.count == 2)

    _ = try await resolver.context("https://a.example/c")
    clock.advance(2 * 86_400)
    web.state.withLock { $0.isDown = true }
    #expect(resolver.cached("https://a.example/c") == nil)
    #expect(try await resolver.context("https://a.example/c").expand("x") == "https://a.example/x")
    #expect(web.asked.count == 4)
    #expect(resolver.cached("https://a.example/c") != nil)
    #expect(resolver.statistics.failures == 3)
  }

  @Test(
    "what is no context is refused",
    arguments: ["not json", "[]", "{}", #"{"@context": {"a": 1}}"#, #"{"@context": 7}"#])
  func noContexts(text: String) async {
    let resolver = resolver(Web(["https://a.example/c": text]))
    let problem = await #expect(throws: Problem.self) { try await resolver.context("https://a.example/c") }
    #expect(problem?.kind == .ldContextNotAvailable)
  }

  @Test("addresses other than http and https are bad requests and are not fetched")
  func addresses() async {
    let web = Web([:])
    let resolver = resolver(web)
    for url in ["file:///etc/passwd", "nonsense", "", "https://a b"] {
      let problem = await #expect(throws: Problem.self) { try await resolver.context(.string(url)) }
      #expect(problem?.kind == .badRequestData)
    }
    #expect(web.asked.isEmpty)
  }

  @Test("counts and bytes stay within their limits")
  func limits() async throws {
    var documents: [String: String] = [:]
    for step in 0..<100 { documents["https://a.example/\(step)"] = #"{"@context": {"x": "https://a.example/x"}}"# }
    documents["https://a.example/big"] =
      #"{"@context": {"x": "https://a.example/\#(String(repeating: "y", count: 900))"}}"#
    var limits = ContextResolver.Limits()
    limits.documents = 10
    limits.bytes = 300
    limits.contexts = 10
    limits.inlineContexts = 5
    limits.documentBytes = 500
    let resolver = resolver(Web(documents), limits)
    for step in 0..<100 {
      _ = try await resolver.context(.string("https://a.example/\(step)"))
      _ = try await resolver.context(["t\(step)": "https://a.example/t"])
    }
    await #expect(throws: Problem.self) { try await resolver.context("https://a.example/big") }
    let statistics = resolver.statistics
    #expect(statistics.documents <= 10)
    #expect(statistics.bytes <= 300)
    #expect(statistics.contexts <= 15)
    #expect(resolver.cached("https://a.example/99") != nil)
    #expect(resolver.cached("https://a.example/0") == nil)
  }

  @Test("a request that needs too many documents is refused")
  func tooMany() async {
    var documents: [String: String] = [:]
    for step in 0..<40 { documents["https://a.example/\(step)"] = #"{"@context": {}}"# }
    let resolver = resolver(Web(documents))
    let problem = await #expect(throws: Problem.self) {
      try await resolver.context(.array((0..<40).map { .string("https://a.example/\($0)") }))
    }
    #expect(problem?.kind == .badRequestData)
  }

  @Test("a chain of slow documents is given up in time")
  func slowChain() async {
    var documents: [String: String] = [:]
    for step in 0..<9 {
      documents["https://a.example/\(step)"] = #"{"@context": "https://a.example/\#(step + 1)"}"#
    }
    let clock = clock
    let web = Web(documents) { clock.advance(4) }
    let problem = await #expect(throws: Problem.self) { try await resolver(web).context("https://a.example/0") }
    #expect(problem?.kind == .ldContextNotAvailable)
    #expect(web.asked.count == 4)
  }
}
