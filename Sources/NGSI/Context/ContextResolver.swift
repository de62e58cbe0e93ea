import Synchronization

/// Gives the ``Context`` for the context value of a request, fetching and keeping what it names.
///
/// - Core contexts of every version are built in and never fetched.
/// - A document is fetched once however many requests wait for it, and kept as long as its sender allows, at least
///   ``Limits/shortestLifetime``. When a newer copy cannot be had, the old one goes on serving.
/// - A failure is remembered for ``Limits/failureLifetime`` and fails only the request that needs the document.
/// - Everything is bounded; what was used longest ago makes room.
public final class ContextResolver: Sendable {
  public struct Limits: Sendable, Hashable {
    /// Most documents, and most bytes of them, that are kept.
    public var documents = 1000
    public var bytes = 64 << 20
    /// Largest document in bytes.
    public var documentBytes = 2 << 20
    /// Most documents that one request may need.
    public var documentsPerRequest = 32
    /// Seconds after which a request fetches no further document, however many more it names.
    public var secondsPerRequest = 15.0
    /// Most fetches under way at once.
    public var fetches = 32
    /// Most processed contexts that are kept: those given by URL, and those with inline parts.
    public var contexts = 2000
    public var inlineContexts = 200
    /// Largest inline context that is kept, in bytes of its text.
    public var inlineBytes = 64 << 10
    /// Seconds.
    public var defaultLifetime = 86_400.0
    public var shortestLifetime = 60.0
    public var longestLifetime = 30 * 86_400.0
    public var failureLifetime = 30.0

    public init() {}
  }

  /// What the health page shows.
  public struct Statistics: Sendable, Hashable {
    public var documents = 0
    public var bytes = 0
    public var contexts = 0
    public var hits = 0
    public var misses = 0
    public var fetches = 0
    public var failures = 0
    public var evictions = 0
    public var limits = Limits()
  }

  private struct Document {
    var value: JSON
    var bytes: Int
    var expiresAt: DateTime
  }

  /// A processed context, good until the first of its documents grows old.
  private struct Processed {
    var context: Context
    var expiresAt: DateTime
    /// The documents it was made of.
    var addresses: Set<String>
    var usages: [ContextUsage]
  }

  private struct Failure {
    var problem: Problem
    var until: DateTime
  }

  private struct State {
    var documents: LeastRecentlyUsed<String, Document>
    var failures: LeastRecentlyUsed<String, Failure>
    var byAddress: LeastRecentlyUsed<JSON, Processed>
    var inline: LeastRecentlyUsed<JSON, Processed>
    var underWay: [String: Task<Result<JSON, Problem>, Never>] = [:]
    /// Counts what was forgotten: what was begun before is not kept after.
    var generation = 0
    var statistics = Statistics()
  }

  private let fetcher: any ContextFetching
  private let limits: Limits
  private let now: @Sendable () -> DateTime
  private let state: Mutex<State>

  public init(
    fetcher: any ContextFetching, limits: Limits = Limits(), now: @escaping @Sendable () -> DateTime
  ) {
    self.fetcher = fetcher
    self.limits = limits
    self.now = now
    state = Mutex(
      State(
        documents: LeastRecentlyUsed(count: limits.documents, weight: limits.bytes),
        failures: LeastRecentlyUsed(count: limits.documents),
        byAddress: LeastRecentlyUsed(count: limits.contexts),
        inline: LeastRecentlyUsed(count: limits.inlineContexts)))
  }

  /// The context if no document has to be fetched for it; takes one lock and never waits. `null` is the core context.
  public func cached(_ source: JSON) -> Context? {
    if Self.isCoreAlone(source) { return .core }
    let time = now()
    let known: Processed? = state.withLock { state in
      let found = Self.isByAddress(source) ? state.byAddress.value(source) : state.inline.value(source)
      guard let found, found.expiresAt > time else { return nil }
      state.statistics.hits += 1
      return found
    }
    guard let known else { return nil }
    for usage in known.usages { usage.note(time) }
    return known.context
  }

  /// The context for a context value: a URL, an object, an array of both, or `null` for the core context.
  ///
  /// - Throws: ``Problem`` `BadRequestData` for a malformed value, `LdContextNotAvailable` when a document that it
  ///   names cannot be had or is no context.
  public func context(_ source: JSON) async throws(Problem) -> Context {
    if let context = cached(source) { return context }
    let generation = state.withLock { state in
      state.statistics.misses += 1
      return state.generation
    }
    let processed = try await process(source)
    let time = now()
    for usage in processed.usages { usage.note(time) }
    keep(processed, for: source, since: generation)
    return processed.context
  }

  /// Whether what came from an address is a context, everything that it names included.
  ///
  /// - Throws: ``Problem`` `LdContextNotAvailable` when it is none.
  public func check(_ document: [UInt8], from url: String) async throws(Problem) {
    let value = try value(of: document, from: url).get()
    _ = try await process(.string(url), with: [url: value])
  }

  /// Whether a value can be a context, as far as that shows without the documents that it names.
  ///
  /// - Throws: ``Problem`` `BadRequestData` when it cannot.
  public func check(_ value: JSON) throws(Problem) {
    var documents: [String: JSON] = [:]
    for url in ContextProcessor.addresses(in: value) where CoreContext.version(of: url) == nil {
      try Self.requireAddress(url)
      documents[url] = .object(JSONObject())
    }
    guard documents.count <= limits.documentsPerRequest else {
      throw .badRequest("the @context needs more than \(limits.documentsPerRequest) documents")
    }
    _ = try ContextProcessor.context(value, documents: documents)
  }

  /// Forgets documents and everything that was made of them.
  public func forget(_ isMeant: (_ url: String) -> Bool) {
    state.withLock { state in
      state.generation += 1
      state.documents.removeAll { url, _ in isMeant(url) }
      state.failures.removeAll { url, _ in isMeant(url) }
      state.byAddress.removeAll { _, processed in processed.addresses.contains(where: isMeant) }
      state.inline.removeAll { _, processed in processed.addresses.contains(where: isMeant) }
    }
  }

  /// - Parameter known: documents that need not be fetched.
  private func process(_ source: JSON, with known: [String: JSON] = [:]) async throws(Problem) -> Processed {
    var documents = known
    var expiresAt = now().adding(seconds: limits.longestLifetime)
    var wanted = ContextProcessor.addresses(in: source) + known.values.flatMap(ContextProcessor.addresses)
    let latest = now().adding(seconds: limits.secondsPerRequest)
    // Breadth first, so that the chain of inclusions is as long as the number of rounds.
    for _ in 0...ContextProcessor.maxDepth {
      var next: [String] = []
      for url in wanted where documents[url] == nil && CoreContext.version(of: url) == nil {
        guard documents.count < limits.documentsPerRequest else {
          throw .badRequest("the @context needs more than \(limits.documentsPerRequest) documents")
        }
        guard now() < latest else {
          throw Problem(
            .ldContextNotAvailable,
            "the @context needs \(documents.count + 1) documents and more, which did not come in "
              + "\(limits.secondsPerRequest) s")
        }
        let document = try await document(url)
        documents[url] = document
        if let end = state.withLock({ $0.documents.value(url)?.expiresAt }) { expiresAt = min(expiresAt, end) }
        next += ContextProcessor.addresses(in: document)
      }
      wanted = next
      if wanted.isEmpty { break }
    }
    let context = try ContextProcessor.context(source, documents: documents)
    return Processed(
      context: context, expiresAt: expiresAt, addresses: Set(documents.keys),
      usages: documents.keys.compactMap(fetcher.usage))
  }

  public var statistics: Statistics {
    state.withLock { state in
      var statistics = state.statistics
      statistics.documents = state.documents.count
      statistics.bytes = state.documents.weight
      statistics.contexts = state.byAddress.count + state.inline.count
      statistics.evictions = state.documents.evictions + state.byAddress.evictions + state.inline.evictions
      statistics.limits = limits
      return statistics
    }
  }

  private static func isCoreAlone(_ source: JSON) -> Bool {
    switch source {
    case .null: true
    case .string(let url): CoreContext.version(of: url) == CoreContext.versions.upperBound
    default: false
    }
  }

  private static func isByAddress(_ source: JSON) -> Bool { source.items.allSatisfy { $0.string != nil } }

  private func keep(_ processed: Processed, for source: JSON, since generation: Int) {
    let isByAddress = Self.isByAddress(source)
    guard isByAddress || JSONWriter.bytes(source).count <= limits.inlineBytes else { return }
    state.withLock { state in
      guard state.generation == generation else { return }
      if isByAddress {
        state.byAddress.insert(processed, for: source)
      } else {
        state.inline.insert(processed, for: source)
      }
    }
  }
}

// MARK: - Documents

extension ContextResolver {
  /// The `@context` of the document at an address.
  private func document(_ url: String) async throws(Problem) -> JSON {
    try Self.requireAddress(url)
    let time = now()
    enum Found {
      case document(JSON)
      case failure(Problem)
      case underWay(Task<Result<JSON, Problem>, Never>)
    }
    let found: Found = state.withLock { state in
      if let document = state.documents.value(url), document.expiresAt > time { return .document(document.value) }
      if let failure = state.failures.value(url), failure.until > time {
        // An old copy is better than none while the address fails.
        if let old = state.documents.value(url) { return .document(old.value) }
        return .failure(failure.problem)
      }
      if let task = state.underWay[url] { return .underWay(task) }
      guard state.underWay.count < limits.fetches else {
        return .failure(Problem(.ldContextNotAvailable, "too many contexts are being fetched, try \(url) again later"))
      }
      // Not bound to the request that comes first: others wait for it too.
      let task = Task { await self.fetch(url) }
      state.underWay[url] = task
      return .underWay(task)
    }
    switch found {
    case .document(let value): return value
    case .failure(let problem): throw problem
    case .underWay(let task): return try await task.value.get()
    }
  }

  private static func requireAddress(_ url: String) throws(Problem) {
    guard url.hasPrefix("https://") || url.hasPrefix("http://"), IRI.isAbsolute(url) else {
      throw .badRequest("a @context must have an http or https address, found '\(url.prefix(200))'")
    }
  }

  private func fetch(_ url: String) async -> Result<JSON, Problem> {
    let generation = state.withLock { $0.generation }
    let result = await load(url)
    let time = now()
    return state.withLock { state in
      state.underWay[url] = nil
      state.statistics.fetches += 1
      switch result {
      case .success(let document):
        state.failures.remove(url)
        guard state.generation == generation else { return .success(document.value) }
        state.documents.insert(document, for: url, weight: document.bytes)
        return .success(document.value)
      case .failure(let problem):
        state.statistics.failures += 1
        let until = time.adding(seconds: limits.failureLifetime)
        state.failures.insert(Failure(problem: problem, until: until), for: url)
        guard var old = state.documents.value(url) else { return .failure(problem) }
        old.expiresAt = until
        state.documents.insert(old, for: url, weight: old.bytes)
        return .success(old.value)
      }
    }
  }

  private func load(_ url: String) async -> Result<Document, Problem> {
    let fetched: FetchedContext
    do { fetched = try await fetcher.fetch(url) } catch {
      return .failure(Problem(.ldContextNotAvailable, error.detail))
    }
    let lifetime = min(max(fetched.lifetime ?? limits.defaultLifetime, limits.shortestLifetime), limits.longestLifetime)
    let expiresAt = now().adding(seconds: lifetime)
    return value(of: fetched.bytes, from: url).map {
      Document(value: $0, bytes: fetched.bytes.count, expiresAt: expiresAt)
    }
  }

  /// The `@context` of a document that was fetched.
  private func value(of document: [UInt8], from url: String) -> Result<JSON, Problem> {
    func unavailable(_ reason: String) -> Result<JSON, Problem> {
      .failure(Problem(.ldContextNotAvailable, "the @context \(url) \(reason)"))
    }
    guard document.count <= limits.documentBytes else {
      return unavailable("has more than \(limits.documentBytes) bytes")
    }
    let json: JSON
    do { json = try JSONParser.parse(document) } catch { return unavailable("is not JSON: \(error)") }
    guard let value = json["@context"] else { return unavailable("has no member '@context'") }
    return .success(value)
  }
}
