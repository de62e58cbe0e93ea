import NGSI
import Store

// Storing, managing and serving @contexts (clause 5.13).

extension Hub {
  /// Stores a context that a client gives (clause 5.13.2).
  ///
  /// - Parameter value: the `@context` itself.
  /// - Returns: its local id.
  /// - Throws: `BadRequestData` for what is no context, `RequestEntityTooLarge` and `TooManyResults` beyond the bounds.
  public func addContext(_ value: JSON) async throws(Problem) -> String {
    try permit(.configure, in: .default)
    try contexts.check(value)
    return try await store(value, as: .hosted)
  }

  /// All stored contexts in the order they came, the built-in core contexts first (clause 5.13.3).
  public func storedContexts(_ kind: ContextKind? = nil) throws(Problem) -> [StoredContext] {
    try permitKnowing(in: .default)
    let stored = library.shelf.withLock { $0.list(kind) }
    return kind == nil || kind == .cached ? CoreContext.versions.map(builtIn) + stored : stored
  }

  /// What is known of one (clause 5.13.4).
  ///
  /// - Parameter id: its local id, or the address it was fetched from or is served at.
  public func storedContext(_ id: String) throws(Problem) -> StoredContext {
    if let version = CoreContext.version(of: id) { return builtIn(version) }
    guard let entry = library.shelf.withLock({ $0.found(id) }) else {
      throw .notFound("there is no @context \(id.prefix(200))")
    }
    return entry
  }

  /// The text of one, as a document with the member `@context` (clause 5.13.4).
  ///
  /// - Throws: `OperationNotSupported` for one that was fetched: it is to be had where it came from.
  public func contextDocument(_ id: String) throws(Problem) -> [UInt8] {
    let entry = try storedContext(id)
    guard entry.kind != .cached else {
      throw Problem(.operationNotSupported, "the @context \(id.prefix(200)) is cached; get it from its own address")
    }
    return try library.served(entry)
  }

  /// Counts that a client was served with a context, or with what is known of it.
  public func noteServing(_ entry: StoredContext) { entry.usage.note(now()) }

  /// Deletes one, not those that it names (clause 5.13.5).
  public func deleteContext(_ id: String) async throws(Problem) {
    try permit(.configure, in: .default)
    let entry = try storedContext(id)
    guard !entry.isBuiltIn else { throw .badRequest("the core @context cannot be deleted") }
    let isMeant = isMeant(entry)
    let content = entry.kind == .cached ? nil : try JSONParser.contextValue(library.served(entry))
    let library = library
    try await write { writer in
      try library.remove(entry, writer)
      // Subscriptions that were made with it go on with what it said.
      if let content { try self.keep(content, inSubscriptionsThatName: isMeant, writer) }
    }
    contexts.forget(isMeant)
  }

  /// Fetches a cached one anew from its address and takes the new copy in its place (clause 5.13.5).
  ///
  /// - Throws: `LdContextNotAvailable` when no new copy can be had; the old one then stays.
  public func reloadContext(_ id: String) async throws(Problem) {
    try permit(.configure, in: .default)
    let entry: StoredContext
    do { entry = try storedContext(id) } catch {
      // Nothing that is not cached can be reloaded, what is not there included.
      throw .badRequest("there is no cached @context \(id.prefix(200)) to reload")
    }
    guard let url = entry.url, entry.kind == .cached else {
      throw .badRequest("the @context \(id.prefix(200)) is \(entry.kind.rawValue); only a cached one can be reloaded")
    }
    // A core context is part of the program, which always has the newest copy that it knows.
    guard !entry.isBuiltIn else { return }
    let fetched = try await library.fetchAnew(url)
    try await contexts.check(fetched.bytes, from: url)
    await library.keep(fetched, url)
    contexts.forget { $0 == url }
  }

  /// The context with an address under which it can be had: where an array or an object is meant by it, the hub makes
  /// a context of its own and serves it (clause 5.13.1).
  ///
  /// - Parameter base: what this hub's URL begins with, where ``address`` does not say it.
  public func linkable(_ context: Context, base: String) async throws(Problem) -> Context {
    guard context.address == nil, !context.isSaidByOneURL else { return context }
    guard rules == nil || Caller.current.kind != .nobody else {
      throw Problem(.unauthorized, "nobody is logged in; only who is may have the city keep a @context")
    }
    let id = try await implicitContext(context.source)
    return context.restated(address: contextAddress(id, base: base))
  }

  /// Where a served context is to be had.
  public func contextAddress(_ id: String, base: String) -> String { (address ?? base) + ContextLibrary.path + id }

  private func builtIn(_ version: Int) -> StoredContext {
    let url = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.\(version).jsonld"
    return StoredContext(
      localId: url, kind: .cached, url: url, createdAt: startedAt, bytes: 0, usage: ContextUsage(), isBuiltIn: true)
  }

  private func isMeant(_ entry: StoredContext) -> @Sendable (String) -> Bool {
    { url in url == entry.url || (entry.kind != .cached && ContextShelf.localId(in: url) == entry.localId) }
  }

  private func implicitContext(_ value: JSON) async throws(Problem) -> String {
    let candidates = library.shelf.withLock { shelf in
      shelf.ids(ofContent: value).compactMap { shelf.found($0) }
    }
    for entry in candidates where try JSONParser.contextValue(library.served(entry)) == value { return entry.localId }
    return try await store(value, as: .implicitlyCreated)
  }

  private func store(_ value: JSON, as kind: ContextKind) async throws(Problem) -> String {
    let (id, time, limits, library) = (ContextLibrary.makeId(), now(), limits, library)
    let text = JSONWriter.text(["@context": value])
    let entry = StoredContext(
      localId: id, kind: kind, createdAt: time, bytes: text.utf8.count, usage: ContextUsage())
    guard entry.bytes <= limits.contextBytes else {
      throw Problem(.payloadTooLarge, "a @context may have at most \(limits.contextBytes) bytes")
    }
    let document = StoredDocument(
      id: id,
      body: ["kind": .string(kind.rawValue), "body": .string(text), "createdAt": .string(time.description)])
    try await write { writer in
      try self.makeRoom(for: entry, writer)
      try writer.put(document, collection: ContextLibrary.servedCollection, in: .default)
      writer.afterCommit { library.shelf.withLock { $0.put(entry, content: kind == .hosted ? nil : value) } }
    }
    return id
  }

  /// - Throws: when there is no room. For what the hub makes itself, what it made longest ago and no subscription needs
  ///   makes room.
  private func makeRoom(for entry: StoredContext, _ writer: any StoreWriter) throws {
    let shelf = library.shelf.withLock { $0 }
    let bound = entry.kind == .hosted ? limits.hostedContexts : limits.implicitContexts
    var count = shelf.counts[entry.kind] ?? 0
    var bytes = shelf.servedBytes + entry.bytes
    if entry.kind == .implicitlyCreated, count >= bound || bytes > limits.servedContextBytes {
      let needed = Set(book.all().compactMap { ContextShelf.localId(in: $0.notificationContext.url) })
      for old in shelf.list(.implicitlyCreated) where !needed.contains(old.localId) {
        guard count >= bound || bytes > limits.servedContextBytes else { break }
        try library.remove(old, writer)
        let isMeant = isMeant(old)
        writer.afterCommit { self.contexts.forget(isMeant) }
        count -= 1
        bytes -= old.bytes
      }
    }
    guard count < bound else { throw Problem(.tooManyResults, "at most \(bound) contexts are kept; delete some") }
    guard bytes <= limits.servedContextBytes else {
      throw Problem(.tooManyResults, "contexts may have \(limits.servedContextBytes) bytes together; delete some")
    }
  }
}

extension JSONParser {
  /// The `@context` of a document that the hub wrote itself.
  static func contextValue(_ bytes: [UInt8]) throws(Problem) -> JSON {
    do { return try parse(bytes)["@context"] ?? .null } catch {
      throw Problem(.internalError, "a stored context cannot be read: \(error)")
    }
  }
}
