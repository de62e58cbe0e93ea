import NGSI
import Query
import Store

extension Hub {
  /// Takes up the stored subscriptions and what waits in the outbox.
  func resumeSubscriptions() async throws(Problem) {
    let tenants = try read { try $0.tenants() }
    var waiting: [Tenant: [String: Int]] = [:]
    for entry in try read({ try $0.outboxCounts() }) {
      waiting[entry.tenant, default: [:]][entry.subscriptionId] = entry.count
    }
    for tenant in tenants {
      for subject in SubscriptionSubject.allCases {
        var page = Page(limit: 1000)
        while true {
          let asked = page
          let documents = try read { try $0.documents(subject.collection, in: tenant, page: asked) }
          for document in documents {
            let count = waiting[tenant]?.removeValue(forKey: subject.key(document.id)) ?? 0
            if try await !resume(document, about: subject, in: tenant, waiting: count) {
              book.putAside(document, about: subject, in: tenant, waiting: count)
            }
          }
          guard documents.count == page.limit else { break }
          page.offset += page.limit
        }
      }
    }
    // Notifications whose subscription was deleted just before the hub stopped.
    for (tenant, counts) in waiting {
      for (id, count) in counts { notifier.resume(id, in: tenant, record: nil, waiting: count) }
    }
  }

  /// False when the subscription cannot be read now: a context that it needs cannot be had.
  private func resume(
    _ stored: StoredDocument, about subject: SubscriptionSubject, in tenant: Tenant, waiting: Int
  ) async throws(Problem) -> Bool {
    guard case .object(let document)? = stored.body["document"] else {
      throw Problem(.internalError, "the stored subscription \(stored.id) cannot be read")
    }
    let createdAt = stored.body["createdAt"]?.string.flatMap { DateTime($0) } ?? now()
    var subscription: Subscription
    do {
      var context = try await context(stored.body["context"] ?? .null)
      if let address = stored.body["contextAddress"]?.string { context = context.restated(address: address) }
      // A subscription that has expired meanwhile stays readable.
      var readable = document
      readable["expiresAt"] = nil
      subscription = try await compile(
        readable, id: stored.id, about: subject, context: context,
        notificationSource: stored.body["notificationContext"], createdAt: createdAt,
        owner: stored.body["owner"].flatMap { Caller(stored: $0) }, in: tenant)
      if let address = stored.body["notificationAddress"]?.string {
        subscription.notificationContext = subscription.notificationContext.restated(address: address)
      }
      subscription.document = document
      subscription.rule.expiresAt = document["expiresAt"]?.string.flatMap { DateTime($0) }
      subscription.origin = SubscriptionOrigin(stored: stored.body["origin"])
      subscription.since = stored.body["since"]?.integer ?? 0
      subscription.modifiedAt = stored.body["modifiedAt"]?.string.flatMap { DateTime($0) } ?? createdAt
    } catch {
      log.error(
        "a subscription waits to be taken up", metadata: ["id": "\(stored.id)", "error": "\(error.detail)"])
      return false
    }
    let key = subscription.key
    let record = try read { try $0.document(key, collection: Notifier.recordCollection, in: tenant) }
    book.put(subscription)
    noteForSources(subscription)
    notifier.resume(key, in: tenant, record: record?.body, waiting: waiting)
    return true
  }

  /// Tries again to take up subscriptions whose contexts could not be had at the start.
  func takeUpLater() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(10))
      for aside in book.takeAside() {
        let key = aside.subject.key(aside.document.id)
        guard book.subscription(key, in: aside.tenant) == nil else { continue }
        do {
          let current = try read {
            try $0.document(aside.document.id, collection: aside.subject.collection, in: aside.tenant)
          }
          guard let current else {
            notifier.resume(key, in: aside.tenant, record: nil, waiting: aside.waiting)
            continue
          }
          if try await resume(current, about: aside.subject, in: aside.tenant, waiting: aside.waiting) { continue }
        } catch { log.error("a subscription cannot be taken up", metadata: ["error": "\(error.detail)"]) }
        book.putAside(aside.document, about: aside.subject, in: aside.tenant, waiting: aside.waiting)
      }
    }
  }

  // MARK: - By the clock

  /// Enqueues the notifications of subscriptions with `timeInterval` when they are due.
  func sendPeriodically() async {
    var nextAt: [String: DateTime] = [:]
    while !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(100))
      let periodic = book.periodic()
      var scheduled: [String: DateTime] = [:]
      for subscription in periodic where subscription.status(at: now()) == "active" {
        guard let interval = subscription.rule.timeInterval else { continue }
        let key = subscription.tenant.name + " " + subscription.key
        let time = now()
        // A clock that was set back must not make the next period longer.
        let due = min(nextAt[key] ?? subscription.modifiedAt.adding(seconds: interval), time.adding(seconds: interval))
        scheduled[key] = due
        guard due <= time else { continue }
        // Missed periods are not made up for: one message says the present state.
        let next = due.adding(seconds: interval)
        scheduled[key] = next > time ? next : time.adding(seconds: interval)
        // Nor does one that cannot be delivered pile up.
        guard notifier.record(of: subscription.key, in: subscription.tenant).waiting == 0 else { continue }
        do { try await enqueuePeriodic(subscription) } catch {
          log.warning("a periodic notification is put off", metadata: ["error": "\(error.detail)"])
        }
      }
      nextAt = scheduled
    }
  }

  /// All entities that match now, a page in each notification; none when nothing matches.
  private func enqueuePeriodic(_ subscription: Subscription) async throws(Problem) {
    if subscription.subject == .registrations {
      return try await write { writer in try self.tellOfMatches(subscription, writer) }
    }
    let (limits, notifier, at) = (limits, notifier, now())
    var page = Page(limit: limits.maxPage)
    while true {
      let asked = page
      let notes = AccessNotes()
      var query = subscription.rule.query
      query.visibility = subscription.visibility
      let asking = query
      let (found, whole) = try read { reader in
        try AccessNotes.$current.withValue(notes) {
          let found = try reader.entities(asking, in: subscription.tenant, page: asked, countsTotal: false)
          guard asking.visibility != nil else { return (found, [Entity]()) }
          return (found, try found.entities.map { try reader.entity($0.id, in: subscription.tenant) ?? $0 })
        }
      }
      guard !found.entities.isEmpty else { return }
      try await record(notes)
      var payload = Notification.payload(found.entities)
      if asking.visibility != nil { payload = Notification.judged(payload, by: whole) }
      let item = OutboxItem(
        tenant: subscription.tenant, subscriptionId: subscription.key, payload: payload, dueAt: at)
      try await write { writer in
        guard notifier.waiting < limits.outboxItems else {
          throw Problem(.unavailable, "more than \(limits.outboxItems) notifications wait")
        }
        var committed = item
        committed.sequence = try writer.enqueue([item]).first ?? 0
        let accepted = committed
        writer.afterCommit { notifier.accept([accepted]) }
      }
      guard found.hasMore else { return }
      page.offset += page.limit
    }
  }
}
