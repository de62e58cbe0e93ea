import Logging
import NGSI
import Query
import Store
import Synchronization

/// The one way in for a fact, and the way to read what is known.
///
/// Every write goes through ``Hub``: it checks bounds and form, applies the change to what is stored, and commits
/// entity, history, outbox in one transaction. Subscribers, services and pages hear of it after the commit.
public final class Hub: Sendable {
  public let limits: Limits
  public let contexts: ContextResolver
  public let changes: ChangeStream
  /// Where clients reach this hub (`https://hub.example`), when whoever runs it has said so.
  public let address: String?
  let library: ContextLibrary
  let store: any Store
  /// Who may do what; `nil` where everybody may do everything.
  let rules: (any AccessRules)?
  let book: SubscriptionBook
  let registry: RegistrationBook
  let sourceRecords = SourceRecords()
  let sourceSubscriptions = SourceSubscriptionBook()
  /// Who this hub is among others: a pseudonym for `Via` (clause 5.2.40).
  let identity: Mutex<String>
  let notifier: Notifier
  let sender: any NotificationSending
  let models = ModelBook()
  let refusals: RefusalBook
  let entityMaps: EntityMapShelf
  let snapshots = SnapshotBook()
  let grants = GrantBook()
  let ownership = Ownership()
  let grantSettings: GrantSettings
  let snapshotNotices = SnapshotNotices()
  /// Wakes who fills snapshots.
  let snapshotWork = Wakes()
  let retention = RetentionFigures()
  let now: @Sendable () -> DateTime
  let log: Logger
  let startedAt: DateTime

  /// - Parameters:
  ///   - contexts: fetches the contexts that clients name.
  ///   - sender: carries notifications out.
  ///   - rules: who may do what; where there are none, everybody who reaches the hub may do everything.
  ///   - address: where clients reach this hub, without a slash at the end; where it is not given, what a client
  ///     called it by.
  ///   - now: the clock that stamps what is written.
  public init(
    store: any Store, contexts fetcher: any ContextFetching = NoContextFetching(),
    sender: any NotificationSending = NoNotifications(), limits: Limits = Limits(), rules: (any AccessRules)? = nil,
    grants: GrantSettings = GrantSettings(), address: String? = nil, now: @escaping @Sendable () -> DateTime,
    log: Logger = Logger(label: "madang.hub")
  ) {
    self.store = store
    self.rules = rules
    grantSettings = grants
    self.address = address
    self.sender = sender
    library = ContextLibrary(store: store, fetcher: fetcher, limits: limits, now: now, log: log)
    contexts = ContextResolver(fetcher: library, now: now)
    self.limits = limits
    self.now = now
    self.log = log
    startedAt = now()
    changes = ChangeStream(buffer: limits.streamBuffer, maxListeners: limits.streamListeners)
    book = SubscriptionBook()
    registry = RegistrationBook()
    identity = Mutex("madang-" + Identifier.random().prefix(8))
    refusals = RefusalBook(limits: limits)
    entityMaps = EntityMapShelf(limits: limits)
    notifier = Notifier(store: store, book: book, sender: sender, limits: limits, now: now, log: log)
  }

  /// The time on the hub's clock.
  public var time: DateTime { now() }

  /// Takes up what an earlier run left: identity, contexts, data models, registrations, subscriptions, notifications that
  /// still wait. Call it once, before requests come in.
  public func resume() async throws(Problem) {
    let result: Result<Void, Problem> = await Self.asCity {
      do throws(Problem) { return .success(try await takeUp()) } catch { return .failure(error) }
    }
    try result.get()
  }

  private func takeUp() async throws(Problem) {
    try await resumeIdentity()
    try await library.load()
    try resumeRefusals()
    try await resumeModels()
    try resumeSnapshots()
    try resumeRules()
    try resumeGrants()
    try await resumeRegistrations()
    try resumeSourceSubscriptions()
    try await resumeSubscriptions()
  }

  /// Runs until cancelled: sends periodic notifications, ends expired entities.
  public func run() async { await Self.asCity { await work() } }

  private func work() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.sendPeriodically() }
      group.addTask { await self.removeExpired() }
      group.addTask { await self.takeUpLater() }
      group.addTask { await self.keepSourceRecordsNowAndThen() }
      group.addTask { await self.library.saveUsageRegularly() }
      group.addTask { await self.takeUpModelsLater() }
      group.addTask { await self.keepRefusals() }
      group.addTask { await self.keepSnapshots() }
      group.addTask { await self.keepSnapshotUses() }
      group.addTask { await self.keepRetention() }
      await group.waitForAll()
    }
    await library.saveUsage()
    changes.finish()
    await notifier.stop()
    await keepSourceRecords()
    await saveSnapshotUses()
    while await flushRefusals() {}
  }

  /// The processed form of a context; `null` gives the core context.
  public func context(_ source: JSON) async throws(Problem) -> Context {
    if let known = contexts.cached(source) { return known }
    // Nobody makes the city fetch or keep anything.
    guard rules == nil || Caller.current.kind != .nobody else {
      throw Problem(.unauthorized, "nobody is logged in; only who is may bring a @context that the city does not know")
    }
    return try await contexts.context(source)
  }

  /// A context that need not be fetched.
  public func contextAtHand(_ source: JSON) -> Context? { contexts.cached(source) }

  /// Runs a read, with the store's failures as problems.
  func read<Value>(_ body: (any StoreReader) throws -> Value) throws(Problem) -> Value {
    do { return try store.read(body) } catch { throw Problem(storeFailure: error) }
  }

  /// Runs a write, with the store's failures as problems. What rules want recorded of who makes it is recorded with it.
  func write<Value: Sendable>(_ body: @escaping @Sendable (any StoreWriter) throws -> Value) async throws(Problem)
    -> Value
  {
    guard let rules, let notes = AccessNotes.current, case let acts = notes.takeActs(), !acts.isEmpty else {
      do { return try await store.write(body) } catch { throw Problem(storeFailure: error) }
    }
    do {
      return try await store.write { writer in
        let value = try body(writer)
        try rules.record(acts, writer)
        return value
      }
    } catch {
      notes.putBack(acts: acts)
      throw Problem(storeFailure: error)
    }
  }

  private func removeExpired() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(1))
      do {
        while try await removeExpired(atMost: Self.expiryStep) == Self.expiryStep, !Task.isCancelled {}
        try await removeExpiredRegistrations()
        entityMaps.removeExpired(at: now())
      } catch { log.warning("expired entities stay", metadata: ["error": "\(error)"]) }
    }
  }

  private static let expiryStep = 500

  /// Deletes entities whose time has come; gives how many.
  func removeExpired(atMost limit: Int) async throws(Problem) -> Int {
    let at = now()
    let expired = try read { try $0.expired(at: at, limit: limit) }
    guard !expired.isEmpty else { return 0 }
    return try await write { writer in
      var count = 0
      for tenant in Set(expired.map(\.tenant)) {
        var updates: [EntityUpdate] = []
        for (_, id) in expired.filter({ $0.tenant == tenant }) {
          // Judged by what is stored now: it may have been given more time meanwhile.
          guard let entity = try writer.expiredEntity(id, at: at, in: tenant) else { continue }
          updates.append(entity.deletion(at: at))
        }
        try self.commit(updates, in: tenant, at: at, by: .city, writer)
        count += updates.count
      }
      return count
    }
  }
}

extension Problem {
  /// A failure below the hub as a client hears of it.
  init(storeFailure error: any Error) {
    switch error {
    case let problem as Problem: self = problem
    case StoreError.busy: self.init(.unavailable, "the hub has more writes waiting than it may; try again")
    case StoreError.closed: self.init(.unavailable, "the hub is stopping")
    case StoreError.full: self.init(.unavailable, "no disk space is left; nothing of this was stored")
    case StoreError.tooComplex(let why): self.init(.tooComplexQuery, why)
    case StoreError.failed(let why): self.init(.internalError, "the store failed: \(why)")
    default: self.init(.internalError, "the hub failed: \(error)")
    }
  }
}
