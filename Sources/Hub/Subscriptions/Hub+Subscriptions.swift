import NGSI
import Query
import Store

extension Hub {
  static let subscriptionCollection = "subscriptions"

  /// Makes a subscription (clause 5.8.1).
  ///
  /// - Returns: its id, generated where the document has none.
  public func createSubscription(_ object: JSONObject, context: Context, in tenant: Tenant) async throws(Problem) -> String {
    var document = object
    let id: String
    switch object["id"] {
    case nil: id = "urn:ngsi-ld:Subscription:" + Identifier.random()
    case .string(let text)? where IRI.isAbsolute(text): id = text
    default: throw .badRequest("the subscription's 'id' must be a URI")
    }
    document["id"] = .string(id)
    let subscription = try await compile(document, id: id, context: context, createdAt: now(), in: tenant)
    let (book, limits, stored) = (book, limits, subscription.stored)
    try await write { writer in
      try self.requireRoom(for: tenant, writer)
      guard try writer.document(id, collection: Self.subscriptionCollection, in: tenant) == nil else {
        throw Problem(.alreadyExists, "there is a subscription \(id) already")
      }
      guard try writer.documentCount(Self.subscriptionCollection, in: tenant) < limits.subscriptions else {
        throw Problem(.tooManyResults, "a tenant may have at most \(limits.subscriptions) subscriptions")
      }
      try writer.put(StoredDocument(id: id, body: stored), collection: Self.subscriptionCollection, in: tenant)
      writer.afterCommit { book.put(subscription) }
    }
    return id
  }

  /// Changes members of a subscription; the NGSI-LD Null removes one (clause 5.8.2).
  public func updateSubscription(_ id: String, with patch: JSONObject, context: Context, in tenant: Tenant) async throws(Problem) {
    let known = try await existing(id, in: tenant)
    if let other = patch["id"], other != .string(id) { throw .badRequest("the id of a subscription cannot change") }
    var document = known.document
    for member in patch.members where !SubscriptionParser.readOnly.contains(member.key) && member.key != "@context" {
      if member.value == .null { throw .badRequest("'\(member.key)' is null; to remove it send \"\(Core.null)\"") }
      if member.value == .string(Core.null) {
        document[member.key] = nil
      } else if member.key == "notification", case .object(let parameters) = member.value,
        case .object(var merged)? = document["notification"]
      {
        for parameter in parameters.members where !SubscriptionParser.readOnlyNotification.contains(parameter.key) {
          merged[parameter.key] = parameter.value == .string(Core.null) ? nil : parameter.value
        }
        document["notification"] = .object(merged)
      } else {
        document[member.key] = member.value
      }
    }
    document["type"] = "Subscription"
    // Names that stay are read with the context they came with, unless the patch brings one of its own.
    let context = context.source == .null ? known.context : context
    let subscription = try await compile(document, id: id, context: context, createdAt: known.createdAt, in: tenant)
    let (book, stored) = (book, subscription.stored)
    try await write { writer in
      guard try writer.document(id, collection: Self.subscriptionCollection, in: tenant) != nil else {
        throw Problem.notFound("there is no subscription \(id)")
      }
      try writer.put(StoredDocument(id: id, body: stored), collection: Self.subscriptionCollection, in: tenant)
      writer.afterCommit { book.put(subscription) }
    }
  }

  public func deleteSubscription(_ id: String, in tenant: Tenant) async throws(Problem) {
    let (book, notifier) = (book, notifier)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard try writer.deleteDocument(id, collection: Self.subscriptionCollection, in: tenant) else {
        throw Problem.notFound("there is no subscription \(id)")
      }
      _ = try writer.deleteDocument(id, collection: Notifier.recordCollection, in: tenant)
      writer.afterCommit {
        book.remove(id, in: tenant)
        notifier.forget(id, in: tenant)
      }
    }
  }

  /// The subscription as a client sees it, with status and counters.
  public func subscription(_ id: String, context: Context, in tenant: Tenant) throws(Problem) -> JSONObject {
    try read { try self.requireTenant(tenant, $0) }
    guard let subscription = book.subscription(id, in: tenant) else { throw .notFound("there is no subscription \(id)") }
    return shown(subscription, context)
  }

  /// A page of subscriptions in the order they were made, and how many there are.
  public func subscriptions(context: Context, in tenant: Tenant, page: Page) throws(Problem) -> ([JSONObject], total: Int) {
    let (ids, total) = try read { reader in
      try self.requireTenant(tenant, reader)
      let documents = try reader.documents(Self.subscriptionCollection, in: tenant, page: page)
      return (documents.map(\.id), try reader.documentCount(Self.subscriptionCollection, in: tenant))
    }
    return (ids.compactMap { book.subscription($0, in: tenant).map { shown($0, context) } }, total)
  }

  private func existing(_ id: String, in tenant: Tenant) async throws(Problem) -> Subscription {
    try read { try self.requireTenant(tenant, $0) }
    guard let known = book.subscription(id, in: tenant) else { throw .notFound("there is no subscription \(id)") }
    return known
  }

  private func compile(_ document: JSONObject, id: String, context: Context, createdAt: DateTime, in tenant: Tenant)
    async throws(Problem) -> Subscription
  {
    var document = document
    document["@context"] = nil
    for member in SubscriptionParser.readOnly { document[member] = nil }
    if case .object(var notification)? = document["notification"] {
      for member in SubscriptionParser.readOnlyNotification { notification[member] = nil }
      document["notification"] = .object(notification)
    }
    var rule = try SubscriptionParser(context: context, limits: limits, now: now()).subscription(document)
    rule.matcher = try EntityMatcher(rule.query)
    var notificationContext = context
    if let url = document["jsonldContext"]?.string {
      guard IRI.isAbsolute(url) else { throw .badRequest("'jsonldContext' must be a URL") }
      notificationContext = try await self.context(.string(url))
    }
    return Subscription(
      id: id, tenant: tenant, document: document, context: context, notificationContext: notificationContext,
      createdAt: createdAt, modifiedAt: now(), rule: rule)
  }

  private func shown(_ subscription: Subscription, _ context: Context) -> JSONObject {
    let at = now()
    var object = subscription.document.renamed { context.compact(subscription.context.expand($0)) }
    object["isActive"] = .bool(subscription.rule.isActive)
    object["status"] = .string(subscription.status(at: at))
    let record = notifier.record(of: subscription.id, in: subscription.tenant)
    if case .object(var notification)? = object["notification"] {
      if record.timesSent > 0 {
        notification["timesSent"] = .integer(Int64(record.timesSent))
        if record.timesFailed > 0 { notification["timesFailed"] = .integer(Int64(record.timesFailed)) }
        notification["status"] = record.status.map { .string($0) }
        notification["lastNotification"] = record.lastNotification.map { .string($0.description) }
        notification["lastSuccess"] = record.lastSuccess.map { .string($0.description) }
        notification["lastFailure"] = record.lastFailure.map { .string($0.description) }
      }
      object["notification"] = .object(notification)
    }
    if object["jsonldContext"] == nil { object["jsonldContext"] = .string(subscription.context.url) }
    return object
  }
}

// MARK: - Start

extension Hub {
  /// Takes up the stored subscriptions and what waits in the outbox.
  func resumeSubscriptions() async throws(Problem) {
    let tenants = try read { try $0.tenants() }
    let waiting = try read { try $0.outboxCounts() }
    for tenant in tenants {
      var page = Page(limit: 1000)
      while true {
        let documents = try read { try $0.documents(Self.subscriptionCollection, in: tenant, page: page) }
        for document in documents { try await resume(document, in: tenant, waiting: waiting) }
        guard documents.count == page.limit else { break }
        page.offset += page.limit
      }
    }
  }

  private func resume(
    _ stored: StoredDocument, in tenant: Tenant, waiting: [(tenant: Tenant, subscriptionId: String, count: Int)]
  ) async throws(Problem) {
    guard case .object(let document)? = stored.body["document"] else { return }
    let createdAt = stored.body["createdAt"]?.string.flatMap { DateTime($0) } ?? now()
    let subscription: Subscription
    do {
      let context = try await context(stored.body["context"] ?? .null)
      // A subscription that has expired meanwhile stays readable.
      var readable = document
      let expiresAt = document["expiresAt"]?.string.flatMap { DateTime($0) }
      readable["expiresAt"] = nil
      var resumed = try await compile(readable, id: stored.id, context: context, createdAt: createdAt, in: tenant)
      resumed.document = document
      resumed.rule.expiresAt = expiresAt
      subscription = resumed
    } catch {
      log.error("a subscription cannot be taken up", metadata: ["id": "\(stored.id)", "error": "\(error.detail)"])
      return
    }
    book.put(subscription)
    let record = try read { try $0.document(stored.id, collection: Notifier.recordCollection, in: tenant) }
    let count = waiting.first { $0.tenant == tenant && $0.subscriptionId == stored.id }?.count ?? 0
    notifier.resume(subscription, record: record?.body, waiting: count)
  }

  // MARK: - By the clock

  /// Enqueues the notifications of subscriptions with `timeInterval` when they are due.
  func sendPeriodically() async {
    var nextAt: [String: DateTime] = [:]
    while !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(100))
      let periodic = book.periodic()
      if periodic.isEmpty {
        nextAt = [:]
        continue
      }
      for subscription in periodic where subscription.status(at: now()) == "active" {
        guard let interval = subscription.rule.timeInterval else { continue }
        let key = subscription.tenant.name + " " + subscription.id
        let due = nextAt[key] ?? subscription.modifiedAt.adding(seconds: interval)
        guard due <= now() else {
          nextAt[key] = due
          continue
        }
        // Missed periods are not made up for: one message says the present state.
        let next = due.adding(seconds: interval)
        nextAt[key] = next > now() ? next : now().adding(seconds: interval)
        do { try await enqueuePeriodic(subscription) } catch {
          log.warning("a periodic notification is put off", metadata: ["error": "\(error.detail)"])
        }
      }
    }
  }

  private func enqueuePeriodic(_ subscription: Subscription) async throws(Problem) {
    let (limits, notifier, at) = (limits, notifier, now())
    try await write { writer in
      let found = try writer.entities(
        subscription.rule.query, in: subscription.tenant, page: Page(limit: limits.maxPage), countsTotal: false)
      guard !found.entities.isEmpty else { return }
      let payload = Notification.payload(found.entities)
      var items = [
        OutboxItem(tenant: subscription.tenant, subscriptionId: subscription.id, payload: payload, dueAt: at)
      ]
      let sequences = try writer.enqueue(items)
      for (index, sequence) in sequences.enumerated() { items[index].sequence = sequence }
      let committed = items
      writer.afterCommit { notifier.accept(committed) }
    }
  }
}

extension Subscription {
  /// What the store keeps.
  var stored: JSON {
    [
      "document": .object(document), "context": context.source, "createdAt": .string(createdAt.description),
      "modifiedAt": .string(modifiedAt.description),
    ]
  }
}

extension JSONObject {
  /// A subscription document with its attribute and type names written another way.
  func renamed(_ rename: (String) -> String) -> JSONObject {
    func names(_ json: JSON) -> JSON { .array(json.items.map { $0.string.map { .string(rename($0)) } ?? $0 }) }
    var object = self
    if let watched = self["watchedAttributes"] { object["watchedAttributes"] = names(watched) }
    if let entities = self["entities"]?.array {
      object["entities"] = .array(
        entities.map { selector in
          guard case .object(var part) = selector, let type = part["type"]?.string else { return selector }
          // A selection of several types keeps its text.
          if !type.contains(where: { ",;|&()*".contains($0) }) { part["type"] = .string(rename(type)) }
          return .object(part)
        })
    }
    if case .object(var notification)? = self["notification"] {
      if let attributes = notification["attributes"] { notification["attributes"] = names(attributes) }
      object["notification"] = .object(notification)
    }
    return object
  }
}
