import Logging
import NGSI
import Store
import Synchronization

/// The stored @contexts of the hub: those fetched for its own use, and those it serves (clause 5.13).
///
/// What is fetched is kept, so that a restart needs no network for it: subscriptions are read with the contexts that
/// they came with. What is served is found by its local id whatever host name a client reached this hub by, so that
/// the hub never asks itself over the network.
///
/// Contexts belong to no tenant: whoever meets the address of one must be able to get it, and a JSON-LD processor
/// that does sends no tenant.
final class ContextLibrary: ContextFetching {
  static let cachedCollection = "contexts"
  static let servedCollection = "served-contexts"
  static let usageCollection = "context-usage"
  /// Path under which contexts are served, before the local id.
  static let path = "/ngsi-ld/v1/jsonldContexts/"
  /// Seconds that a document is good for when its sender says nothing, and when it cannot be fetched anew.
  static let defaultLifetime = 86_400.0
  static let borrowedLifetime = 300.0

  let store: any Store
  let limits: Limits
  let now: @Sendable () -> DateTime
  let log: Logger
  let shelf = Mutex(ContextShelf())
  private let fetcher: any ContextFetching

  init(
    store: any Store, fetcher: any ContextFetching, limits: Limits, now: @escaping @Sendable () -> DateTime,
    log: Logger
  ) {
    self.store = store
    self.fetcher = fetcher
    self.limits = limits
    self.now = now
    self.log = log
  }

  func usage(of url: String) -> ContextUsage? { shelf.withLock { $0.found(url)?.usage } }

  /// A served context from the store; the stored copy of another while it is good, otherwise a new one; the old one
  /// again when that cannot be had.
  func fetch(_ url: String) async throws(Problem) -> FetchedContext {
    if let entry = shelf.withLock({ $0.found(url) }), entry.kind != .cached {
      return FetchedContext(bytes: try served(entry))
    }
    let known = stored(url)
    if let known, known.goodFor > 0 { return FetchedContext(bytes: known.bytes, lifetime: known.goodFor) }
    do {
      let fetched = try await fetcher.fetch(url)
      await keep(fetched, url)
      return fetched
    } catch {
      guard let known else { throw error }
      return FetchedContext(bytes: known.bytes, lifetime: Self.borrowedLifetime)
    }
  }

  /// A new copy from the address itself, not kept yet.
  func fetchAnew(_ url: String) async throws(Problem) -> FetchedContext { try await fetcher.fetch(url) }

  /// The text of a context that is served from here.
  func served(_ entry: StoredContext) throws(Problem) -> [UInt8] {
    let document: StoredDocument?
    do {
      document = try store.read { try $0.document(entry.localId, collection: Self.servedCollection, in: .default) }
    } catch { throw Problem(storeFailure: error) }
    guard let text = document?.body["body"]?.string else {
      throw .notFound("there is no @context \(entry.localId)")
    }
    return Array(text.utf8)
  }

  private func stored(_ url: String) -> (bytes: [UInt8], goodFor: Double)? {
    let document: StoredDocument?
    do {
      document = try store.read { try $0.document(url, collection: Self.cachedCollection, in: .default) }
    } catch {
      log.warning("a stored context cannot be read", metadata: ["url": "\(url)", "error": "\(error)"])
      return nil
    }
    guard let body = document?.body, let text = body["body"]?.string else { return nil }
    let fetchedAt = body["fetchedAt"]?.string.flatMap { DateTime($0) }
    let lifetime = body["lifetime"]?.number ?? Self.defaultLifetime
    let age = fetchedAt.map { now().secondsSince1970 - $0.secondsSince1970 } ?? lifetime
    return (Array(text.utf8), age >= 0 ? lifetime - age : 0)
  }

  /// Keeps a fetched document; the ones fetched longest ago make room.
  func keep(_ fetched: FetchedContext, _ url: String) async {
    // What is no context is not worth keeping; the resolver says so to the client.
    guard let text = String(validating: fetched.bytes, as: UTF8.self),
      let json = try? JSONParser.parse(fetched.bytes), json["@context"] != nil
    else { return }
    let time = now()
    let old = shelf.withLock { $0.found(url) }
    let entry = StoredContext(
      localId: old?.localId ?? Self.makeId(), kind: .cached, url: url, createdAt: time,
      expiresAt: time.adding(seconds: fetched.lifetime ?? Self.defaultLifetime), bytes: fetched.bytes.count,
      usage: old?.usage ?? ContextUsage())
    var body = JSONObject()
    body["localId"] = .string(entry.localId)
    body["body"] = .string(text)
    body["fetchedAt"] = .string(time.description)
    body["lifetime"] = fetched.lifetime.map { .double($0) }
    let document = StoredDocument(id: url, body: .object(body))
    do {
      try await store.write { [self] writer in
        let leaving = shelf.withLock { $0.leaving(for: entry, limits: limits) }
        for old in leaving { try remove(old, writer) }
        // Anew, so that the order of the collection is the order of fetching.
        _ = try writer.deleteDocument(url, collection: Self.cachedCollection, in: .default)
        try writer.put(document, collection: Self.cachedCollection, in: .default)
        writer.afterCommit { self.shelf.withLock { $0.put(entry) } }
      }
    } catch { log.warning("a context is not kept", metadata: ["url": "\(url)", "error": "\(error)"]) }
  }

  /// Takes an entry out of the store and, once that is durable, off the shelf.
  func remove(_ entry: StoredContext, _ writer: any StoreWriter) throws {
    let collection = entry.kind == .cached ? Self.cachedCollection : Self.servedCollection
    _ = try writer.deleteDocument(entry.url ?? entry.localId, collection: collection, in: .default)
    _ = try writer.deleteDocument(entry.localId, collection: Self.usageCollection, in: .default)
    writer.afterCommit { self.shelf.withLock { $0.remove(entry.localId) } }
  }

  static func makeId() -> String { "urn:ngsi-ld:JsonldContext:" + Identifier.random() }
}

// MARK: - From one run to the next

extension ContextLibrary {
  /// Takes up what an earlier run left.
  func load() async throws(Problem) {
    do {
      var page = Page(limit: 16)
      var unnamed: [StoredDocument] = []
      while true {
        let asked = page
        let documents = try store.read { reader in
          try reader.documents(Self.cachedCollection, in: .default, page: asked)
        }
        for document in documents where !take(cached: document) { unnamed.append(document) }
        guard documents.count == page.limit else { break }
        page.offset += documents.count
      }
      try await name(unnamed)
      page.offset = 0
      while true {
        let asked = page
        let documents = try store.read { reader in
          try reader.documents(Self.servedCollection, in: .default, page: asked)
        }
        for document in documents { try take(served: document) }
        guard documents.count == page.limit else { break }
        page.offset += documents.count
      }
    } catch { throw Problem(storeFailure: error) }
  }

  /// False when the document has no local id yet: a hub of an earlier version kept it.
  private func take(cached document: StoredDocument) -> Bool {
    guard let id = document.body["localId"]?.string else { return false }
    let time = document.body["fetchedAt"]?.string.flatMap { DateTime($0) } ?? now()
    let lifetime = document.body["lifetime"]?.number ?? Self.defaultLifetime
    let entry = StoredContext(
      localId: id, kind: .cached, url: document.id, createdAt: time, expiresAt: time.adding(seconds: lifetime),
      bytes: document.body["body"]?.string?.utf8.count ?? 0, usage: savedUsage(id))
    shelf.withLock { $0.put(entry) }
    return true
  }

  private func name(_ documents: [StoredDocument]) async throws {
    guard !documents.isEmpty else { return }
    let named = documents.compactMap { document -> StoredDocument? in
      guard case .object(var body) = document.body else { return nil }
      body["localId"] = .string(Self.makeId())
      return StoredDocument(id: document.id, body: .object(body))
    }
    try await store.write { writer in
      for document in named { try writer.put(document, collection: Self.cachedCollection, in: .default) }
    }
    for document in named { _ = take(cached: document) }
  }

  private func take(served document: StoredDocument) throws {
    guard let kind = document.body["kind"]?.string.flatMap(ContextKind.init), let text = document.body["body"]?.string
    else { throw Problem(.internalError, "the stored context \(document.id) cannot be read") }
    let entry = StoredContext(
      localId: document.id, kind: kind, createdAt: document.body["createdAt"]?.string.flatMap { DateTime($0) } ?? now(),
      bytes: text.utf8.count, usage: savedUsage(document.id))
    let content = kind == .implicitlyCreated ? try JSONParser.parse(text)["@context"] : nil
    shelf.withLock { $0.put(entry, content: content) }
  }

  private func savedUsage(_ id: String) -> ContextUsage {
    let saved = try? store.read { try $0.document(id, collection: Self.usageCollection, in: .default) }
    return ContextUsage(
      hits: saved?.body["hits"]?.integer.map { Int($0) } ?? 0,
      lastUsage: saved?.body["lastUsage"]?.string.flatMap { DateTime($0) })
  }

  /// Makes the counts durable that have changed since the last time. A crash costs those of the last minute.
  func saveUsage() async {
    let changed = shelf.withLock { $0.takeChangedUsage() }
    guard !changed.isEmpty else { return }
    do {
      try await store.write { writer in
        for (id, hits, lastUsage) in changed {
          var body = JSONObject()
          body["hits"] = .integer(Int64(hits))
          body["lastUsage"] = lastUsage.map { .string($0.description) }
          try writer.put(StoredDocument(id: id, body: .object(body)), collection: Self.usageCollection, in: .default)
        }
      }
    } catch { log.warning("uses of contexts are not noted", metadata: ["error": "\(error)"]) }
  }

  func saveUsageRegularly() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(60))
      await saveUsage()
    }
  }
}
