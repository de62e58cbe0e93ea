import Logging
import NGSI
import Store

/// Keeps fetched contexts in the store, so that a restart needs no network for them: subscriptions are read with the
/// contexts that they came with.
///
/// ```swift
/// let contexts = ContextResolver(fetcher: StoredContexts(store: store, fetcher: outlet, now: now), now: now)
/// ```
public struct StoredContexts: ContextFetching {
  static let collection = "contexts"
  /// Most documents that are kept; the one fetched longest ago makes room.
  public static let bound = 500
  /// Seconds that a document is good for when its sender says nothing, and when it cannot be fetched anew.
  static let defaultLifetime = 86_400.0
  static let borrowedLifetime = 300.0

  private let store: any Store
  private let fetcher: any ContextFetching
  private let now: @Sendable () -> DateTime
  private let log: Logger

  public init(
    store: any Store, fetcher: any ContextFetching, now: @escaping @Sendable () -> DateTime,
    log: Logger = Logger(label: "madang.contexts")
  ) {
    self.store = store
    self.fetcher = fetcher
    self.now = now
    self.log = log
  }

  /// The stored document while it is good, otherwise a new one; the old one again when that cannot be had.
  public func fetch(_ url: String) async throws(Problem) -> FetchedContext {
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

  private func stored(_ url: String) -> (bytes: [UInt8], goodFor: Double)? {
    let document: StoredDocument?
    do {
      document = try store.read { try $0.document(url, collection: Self.collection, in: .default) }
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

  private func keep(_ fetched: FetchedContext, _ url: String) async {
    // What is no context is not worth keeping; the resolver says so to the client.
    guard let text = String(validating: fetched.bytes, as: UTF8.self),
      let json = try? JSONParser.parse(fetched.bytes), json["@context"] != nil
    else { return }
    var body = JSONObject()
    body["body"] = .string(text)
    body["fetchedAt"] = .string(now().description)
    body["lifetime"] = fetched.lifetime.map { .double($0) }
    let document = StoredDocument(id: url, body: .object(body))
    do {
      try await store.write { writer in
        // Anew, so that the order of the collection is the order of fetching.
        _ = try writer.deleteDocument(url, collection: Self.collection, in: .default)
        let excess = try writer.documentCount(Self.collection, in: .default) + 1 - Self.bound
        if excess > 0 {
          for old in try writer.documents(Self.collection, in: .default, page: Page(limit: excess)) {
            _ = try writer.deleteDocument(old.id, collection: Self.collection, in: .default)
          }
        }
        try writer.put(document, collection: Self.collection, in: .default)
      }
    } catch { log.warning("a context is not kept", metadata: ["url": "\(url)", "error": "\(error)"]) }
  }
}
