import NGSI
import Query
import Store

// What the hub keeps of its subscriptions at context sources; who makes them is the federation.

extension Hub {
  /// Takes up those that an earlier run made. All are looked at anew.
  func resumeSourceSubscriptions() throws(Problem) {
    for tenant in try read({ try $0.tenants() }) {
      var page = Page(limit: 1000)
      while true {
        let asked = page
        let documents = try read { try $0.documents(SourceSubscription.collection, in: tenant, page: asked) }
        for document in documents {
          guard let one = SourceSubscription(document, in: tenant) else {
            log.error("a subscription at a source cannot be taken up", metadata: ["id": "\(document.id)"])
            continue
          }
          sourceSubscriptions.put(one)
          sourceSubscriptions.note(.subscription(one.key.subscription, tenant))
        }
        guard documents.count == page.limit else { break }
        page.offset += page.limit
      }
    }
  }

  /// Subscriptions and registrations that changed since the last time; at first, all that may matter.
  package func takeSourceSubscriptionChanges() -> Set<SourceSubscriptionChange> { sourceSubscriptions.takeChanges() }

  /// Has it looked at again.
  package func noteSourceSubscriptionChange(_ change: SourceSubscriptionChange) { sourceSubscriptions.note(change) }

  /// How often there was something new to do; see ``waitForSourceSubscriptions(after:)``.
  public var sourceSubscriptionWakes: Int { sourceSubscriptions.wakes.count }

  /// Returns when there is something new to do after this count.
  package func waitForSourceSubscriptions(after count: Int) async { await sourceSubscriptions.wakes.wait(after: count) }

  /// The subscription as far as it concerns sources; `nil` when it does not.
  package func distributed(_ id: String, in tenant: Tenant) -> DistributedSubscription? {
    book.subscription(SubscriptionSubject.entities.key(id), in: tenant).flatMap {
      $0.mayFederate ? DistributedSubscription($0, at: now()) : nil
    }
  }

  /// All of a tenant that concern sources.
  package func distributedSubscriptions(in tenant: Tenant) -> [DistributedSubscription] {
    let time = now()
    return book.all(in: tenant).compactMap { $0.mayFederate ? DistributedSubscription($0, at: time) : nil }
  }

  /// Whether the subscription is there but waits for a context that cannot be had now.
  package func isAside(_ id: String, in tenant: Tenant) throws(Problem) -> Bool {
    guard book.subscription(SubscriptionSubject.entities.key(id), in: tenant) == nil else { return false }
    return try read { try $0.document(id, collection: SubscriptionSubject.entities.collection, in: tenant) } != nil
  }

  package func sourceSubscriptions(of subscription: String, in tenant: Tenant) -> [SourceSubscription] {
    sourceSubscriptions.of(subscription: subscription, in: tenant)
  }

  package func sourceSubscriptions(at registration: String, in tenant: Tenant) -> [SourceSubscription] {
    sourceSubscriptions.of(registration: registration, in: tenant)
  }

  package func sourceSubscriptions(where condition: (SourceSubscription) -> Bool) -> [SourceSubscription] {
    sourceSubscriptions.all(where: condition)
  }

  package func sourceSubscription(_ id: String) -> SourceSubscription? { sourceSubscriptions.byId(id) }

  /// The one whose source knows this token.
  package func sourceSubscription(token: String) -> SourceSubscription? { sourceSubscriptions.byToken(token) }

  /// Whether there is room for one more; where there is none, that is counted.
  package func hasRoomForSourceSubscription() -> Bool { sourceSubscriptions.hasRoom(limits.sourceSubscriptions) }

  /// Changes what this run knows of it; what has to outlive it is kept with ``keep(_:)-(String)``.
  @discardableResult
  package func changeSourceSubscription(_ id: String, _ body: (inout SourceSubscription) -> Void)
    -> SourceSubscription?
  { sourceSubscriptions.change(id, body) }

  /// Keeps new ones.
  package func keep(_ new: [SourceSubscription]) async throws(Problem) {
    guard !new.isEmpty else { return }
    let book = sourceSubscriptions
    try await write { writer in
      for one in new { try writer.put(one.stored, collection: SourceSubscription.collection, in: one.key.tenant) }
      writer.afterCommit { for one in new { book.put(one) } }
    }
  }

  /// Keeps them as they are now.
  package func keepSourceSubscriptions(_ ids: [String]) async throws(Problem) {
    let known = ids.compactMap(sourceSubscriptions.byId)
    guard !known.isEmpty else { return }
    try await write { writer in
      for one in known { try writer.put(one.stored, collection: SourceSubscription.collection, in: one.key.tenant) }
    }
  }

  /// Forgets one that the source has no more.
  package func forget(_ gone: SourceSubscription) async throws(Problem) {
    let book = sourceSubscriptions
    try await write { writer in
      _ = try writer.deleteDocument(gone.id, collection: SourceSubscription.collection, in: gone.key.tenant)
      writer.afterCommit { book.remove(gone.id) }
    }
  }

  /// Keys of `contextSourceInfo` whose values are taken from the request (clause 4.3.6.5).
  package func headersSentOn(in tenant: Tenant) -> Set<String> {
    var keys: Set<String> = []
    for registration in registry.all(in: tenant) {
      for (key, value) in registration.sourceInfo where value == "urn:ngsi-ld:request" { keys.insert(key) }
    }
    return keys
  }
}

// MARK: - What sources notify

extension Hub {
  /// What is left of what a source notifies: entities that the subscription is about.
  ///
  /// - Parameter judges: apply the filters too; what was deleted cannot be judged any more and stays.
  package func selected(_ entities: [Entity], for id: String, judges: Bool, in tenant: Tenant) -> [Entity] {
    guard let subscription = book.subscription(SubscriptionSubject.entities.key(id), in: tenant) else { return [] }
    return entities.filter { entity in
      let matcher = judges && entity.deletedAt == nil ? subscription.rule.matcher : subscription.rule.partMatcher
      guard let matcher else { return true }
      let linked: (String) -> Entity? = { id in (try? self.store.entity(id, in: tenant)) ?? nil }
      // A pattern that gives up on this entity does not match it.
      return (try? matcher.matches(entity, linked: linked)) ?? false
    }
  }

  /// Puts what a source notified into the outbox of the subscription that it is for (clause 5.8.6).
  ///
  /// - Parameter assembles: the entities are parts, which are put together with what others have before they are judged.
  /// - Returns: false when the subscription is not active, so that nothing is due.
  package func passOn(_ entities: [Entity], from one: SourceSubscription, assembles: Bool) async throws(Problem) -> Bool
  {
    let tenant = one.key.tenant
    let key = SubscriptionSubject.entities.key(one.key.subscription)
    let entities = Notification.payload(entities)
    let source = one.key.registration
    let payload =
      assembles
      ? Notification.parts(entities, from: source)
      : rules == nil ? entities : Notification.ofOthers(entities, from: source)
    let at = now()
    return try await write { writer in
      guard let subscription = self.book.subscription(key, in: tenant),
        try writer.document(one.key.subscription, collection: subscription.subject.collection, in: tenant) != nil
      else { throw Problem.notFound("the subscription is gone") }
      guard subscription.status(at: at) == "active" else { return false }
      var items = [OutboxItem(tenant: tenant, subscriptionId: key, payload: payload, dueAt: at)]
      try self.enqueue(&items, writer)
      let (notifier, committed) = (self.notifier, items)
      writer.afterCommit { notifier.accept(committed) }
      return true
    }
  }
}

// MARK: - Changes

extension Hub {
  /// Has sources looked at for a subscription that was made or changed.
  func noteForSources(_ subscription: Subscription) {
    guard subscription.subject == .entities, subscription.snapshot == nil else { return }
    sourceSubscriptions.note(.subscription(subscription.id, subscription.tenant))
  }

  /// Has all that waits looked at.
  package func wakeSourceSubscriptions() { sourceSubscriptions.wakes.wake() }

  /// Says who puts entities together of which a notification has parts.
  package func assembleParts(_ assembler: @escaping PartsAssembling) { notifier.assembler.withLock { $0 = assembler } }
}

/// Puts entities together of which parts were told: the parts, for whom, and the registration of the source that they
/// came from. Gives those that the subscriber is to hear of.
public typealias PartsAssembling =
  @Sendable (_ parts: [Entity], _ subscription: DistributedSubscription, _ source: String?) async -> [Entity]
