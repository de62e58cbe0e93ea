import NGSI
import Query
import Store

extension Hub {
  /// Makes a subscription (clauses 5.8.1 and 5.11.2). One to registrations is told of those that match already.
  ///
  /// - Parameters:
  ///   - base: what this hub's URL begins with, for the address of a context that is an array or an object.
  ///   - origin: how the request came here; it is kept for the context sources that are told of the subscription.
  /// - Returns: its id, generated where the document has none.
  public func createSubscription(
    _ object: JSONObject, about subject: SubscriptionSubject = .entities, context: Context,
    base: String = Hub.localBase, origin: SubscriptionOrigin = SubscriptionOrigin(), in tenant: Tenant
  ) async throws(Problem) -> String {
    try permit(subject.action, in: tenant)
    var document = object
    let id: String
    switch object["id"] {
    case nil: id = "urn:ngsi-ld:Subscription:" + Identifier.random()
    case .string(let text)? where IRI.isAbsolute(text): id = text
    default: throw .badRequest("the subscription's 'id' must be a URI")
    }
    document["id"] = .string(id)
    var subscription = try await compile(
      document, id: id, about: subject, context: context, createdAt: now(),
      owner: rules == nil ? nil : Caller.current, in: tenant)
    subscription.origin = origin
    try await makeLinkable(&subscription, base: base)
    let compiled = subscription
    let (book, limits) = (book, limits)
    try await write { writer in
      try self.requireRoom(for: tenant, writer)
      guard try writer.document(id, collection: subject.collection, in: tenant) == nil else {
        throw Problem(.alreadyExists, "there is a subscription \(id) already")
      }
      guard try writer.documentCount(subject.collection, in: tenant) < limits.subscriptions else {
        throw Problem(.tooManyResults, "a tenant may have at most \(limits.subscriptions) subscriptions")
      }
      var subscription = compiled
      subscription.since = try writer.latestInOutbox(for: subscription.key, in: tenant)
      let made = subscription
      try writer.put(StoredDocument(id: id, body: made.stored), collection: subject.collection, in: tenant)
      writer.afterCommit {
        book.put(made)
        self.noteForSources(made)
      }
      try self.tellOfMatches(made, writer)
    }
    return id
  }

  /// Changes members of a subscription; the NGSI-LD Null removes one (clauses 5.8.2 and 5.11.3).
  ///
  /// - Parameters:
  ///   - context: what the client reads names with; `nil` where it names none: then they are read as before.
  ///   - origin: how the request came here; its headers replace those that are kept.
  public func updateSubscription(
    _ id: String, about subject: SubscriptionSubject = .entities, with patch: JSONObject, context: Context?,
    base: String = Hub.localBase, origin: SubscriptionOrigin = SubscriptionOrigin(), in tenant: Tenant
  ) async throws(Problem) {
    try permit(subject.action, in: tenant)
    if let other = patch["id"], other != .string(id) { throw .badRequest("the id of a subscription cannot change") }
    // Someone else may change it while this one is compiled; then it is done again on the new state.
    for _ in 0..<5
    where try await tryUpdate(id, subject, with: patch, context: context, base: base, origin: origin, in: tenant) {
      return
    }
    throw Problem(.conflict, "the subscription \(id) is being changed by others")
  }

  private func tryUpdate(
    _ id: String, _ subject: SubscriptionSubject, with patch: JSONObject, context: Context?, base: String,
    origin: SubscriptionOrigin, in tenant: Tenant
  ) async throws(Problem) -> Bool {
    let known = try existing(id, subject, in: tenant)
    let owner = try owner(changing: known, with: patch)
    var document = known.document
    for member in patch.members where !SubscriptionParser.readOnly.contains(member.key) && member.key != "@context" {
      if member.value == .null { throw .badRequest("'\(member.key)' is null; to remove it send \"\(Core.null)\"") }
      // A member is replaced as a whole (clause 5.5.8).
      if member.value == .string(Core.null) { document[member.key] = nil } else { document[member.key] = member.value }
    }
    document["type"] = "Subscription"
    // Names that stay are read with the context they came with, unless the patch brings one of its own.
    let context = context ?? known.context
    var expiresAt: DateTime?
    if patch["expiresAt"] == nil, let stays = known.rule.expiresAt, stays <= now() {
      // One that has expired may be changed and stays expired.
      expiresAt = stays
      document["expiresAt"] = nil
    }
    var subscription = try await compile(
      document, id: id, about: subject, context: context, createdAt: known.createdAt,
      owner: owner, in: tenant)
    if let expiresAt {
      subscription.rule.expiresAt = expiresAt
      subscription.document["expiresAt"] = .string(expiresAt.description)
    }
    subscription.origin = known.origin.updated(by: origin)
    subscription.since = known.since
    try await makeLinkable(&subscription, base: base)
    let changed = subscription
    let (book, stored, before) = (book, subscription.stored, known.stored)
    return try await write { writer in
      guard let current = try writer.document(id, collection: subject.collection, in: tenant) else {
        throw Problem.notFound("there is no subscription \(id)")
      }
      guard current.body == before else { return false }
      try writer.put(StoredDocument(id: id, body: stored), collection: subject.collection, in: tenant)
      writer.afterCommit {
        book.put(changed)
        self.noteForSources(changed)
      }
      try self.tellOfMatches(changed, writer)
      return true
    }
  }

  public func deleteSubscription(
    _ id: String, about subject: SubscriptionSubject = .entities, in tenant: Tenant
  ) async throws(Problem) {
    try permit(subject.action, in: tenant)
    if rules != nil { _ = try existing(id, subject, in: tenant) }
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard try self.removeSubscription(id, about: subject, in: tenant, writer) else {
        throw Problem.notFound("there is no subscription \(id)")
      }
    }
  }

  /// False when there is none.
  func removeSubscription(
    _ id: String, about subject: SubscriptionSubject, in tenant: Tenant, _ writer: any StoreWriter
  ) throws -> Bool {
    guard try writer.deleteDocument(id, collection: subject.collection, in: tenant) else { return false }
    let (book, notifier, key) = (book, notifier, subject.key(id))
    _ = try writer.deleteDocument(key, collection: Notifier.recordCollection, in: tenant)
    let atSources = subject == .entities ? sourceSubscriptions : nil
    writer.afterCommit {
      book.remove(key, in: tenant)
      notifier.forget(key, in: tenant)
      atSources?.note(.subscription(id, tenant))
    }
    return true
  }

  /// The subscription as a client sees it, with status and counters.
  public func subscription(
    _ id: String, about subject: SubscriptionSubject = .entities, context: Context, showsTimes: Bool = false,
    in tenant: Tenant
  ) throws(Problem) -> JSONObject {
    try permit(subject.action, in: tenant)
    return shown(try existing(id, subject, in: tenant), context, showsTimes)
  }

  /// A page of subscriptions in the order they were made, and how many there are.
  public func subscriptions(
    about subject: SubscriptionSubject = .entities, context: Context, showsTimes: Bool = false, in tenant: Tenant,
    page: Page
  ) throws(Problem) -> ([JSONObject], total: Int) {
    try permit(subject.action, in: tenant)
    if rules != nil {
      try read { try self.requireTenant(tenant, $0) }
      let own = try read {
        try $0.documents(subject.collection, in: tenant, page: Page(limit: self.limits.subscriptions))
      }
      .compactMap { book.subscription(subject.key($0.id), in: tenant) }.filter(mayManage)
      return (own.dropFirst(page.offset).prefix(page.limit).map { shown($0, context, showsTimes) }, own.count)
    }
    let (ids, total) = try read { reader in
      try self.requireTenant(tenant, reader)
      let documents = try reader.documents(subject.collection, in: tenant, page: page)
      return (documents.map(\.id), try reader.documentCount(subject.collection, in: tenant))
    }
    let known = ids.compactMap { book.subscription(subject.key($0), in: tenant) }
    return (known.map { shown($0, context, showsTimes) }, total)
  }

  private func existing(_ id: String, _ subject: SubscriptionSubject, in tenant: Tenant) throws(Problem)
    -> Subscription
  {
    try read { try self.requireTenant(tenant, $0) }
    guard let known = book.subscription(subject.key(id), in: tenant) else {
      throw .notFound("there is no subscription \(id)")
    }
    guard mayManage(known) else { throw .notFound("there is no subscription \(id)") }
    return known
  }

  /// Whether the caller made a subscription, or administers those of all.
  private func mayManage(_ subscription: Subscription) -> Bool {
    let caller = Caller.current
    guard rules != nil, caller.kind != .city else { return true }
    if let owner = subscription.owner, owner.kind == caller.kind, owner.id == caller.id { return true }
    do throws(Problem) { try permit(.administer, in: subscription.tenant) } catch { return false }
    return true
  }

  /// Whose the subscription is after a change: it stays its maker's, since what it tells is what he may see.
  ///
  /// - Throws: `Forbidden` for who changes more of another's than whether and how long it is at work.
  private func owner(changing subscription: Subscription, with patch: JSONObject) throws(Problem) -> Caller? {
    let caller = Caller.current
    guard rules != nil, caller.kind != .city else { return subscription.owner }
    guard let owner = subscription.owner else { return caller }
    guard owner.kind != caller.kind || owner.id != caller.id else { return caller }
    let others = patch.members.map(\.key).filter { !Self.membersOfAdministrators.contains($0) }
    guard others.isEmpty else {
      throw Problem(
        .forbidden,
        "the subscription is not yours: of it you may change 'isActive' and 'expiresAt', not '\(others[0])'; or delete it"
      )
    }
    return owner
  }

  /// What administrators may change of the subscriptions of others; the rest says what is told and to whom.
  private static let membersOfAdministrators: Set<String> = ["id", "type", "@context", "isActive", "expiresAt"]

  /// What an address of this hub begins with where neither a client nor whoever runs it has said so.
  public static let localBase = "http://localhost"

  /// Gives the context of the notifications an address where it has none (clause 5.13.1).
  private func makeLinkable(_ subscription: inout Subscription, base: String) async throws(Problem) {
    guard subscription.document["jsonldContext"] == nil else { return }
    subscription.notificationContext = try await linkable(subscription.notificationContext, base: base)
  }

  /// - Parameter notificationSource: what the `jsonldContext` said, where it can be had no more.
  func compile(
    _ document: JSONObject, id: String, about subject: SubscriptionSubject, context: Context,
    notificationSource: JSON? = nil, createdAt: DateTime, owner: Caller?,
    in tenant: Tenant
  ) async throws(Problem) -> Subscription {
    var document = document
    document["@context"] = nil
    for member in SubscriptionParser.readOnly { document[member] = nil }
    if case .object(var notification)? = document["notification"] {
      for member in SubscriptionParser.readOnlyNotification { notification[member] = nil }
      document["notification"] = .object(notification)
    }
    var rule = try SubscriptionParser(context: context, limits: limits, now: now(), sender: sender)
      .subscription(document)
    rule.matcher = try EntityMatcher(rule.query)
    rule.partMatcher = try EntityMatcher(rule.query.withoutFilters)
    var notificationContext = context
    if let url = document["jsonldContext"]?.string {
      guard IRI.isAbsolute(url) else { throw .badRequest("'jsonldContext' must be a URL") }
      notificationContext = try await self.context(notificationSource ?? .string(url))
      if notificationSource != nil { notificationContext = notificationContext.restated(address: url) }
    }
    var reader: (@Sendable () -> Caller)?
    var sight: (@Sendable () -> EntityVisibility?)?
    var federates: (@Sendable () -> Bool)?
    if let rules, owner?.kind != .city {
      let standing: @Sendable () -> Caller = { owner.flatMap(rules.standing) ?? .nobody }
      reader = standing
      federates = { Self.mayFederate(standing(), in: tenant, by: rules) }
      sight =
        switch subject {
        case .entities: { rules.visibility(for: standing(), in: tenant.owner) }
        // Who hears of registrations sees all of them.
        case .registrations: { rules.decide(.register, by: standing(), in: tenant.owner).isAllowed ? nil : .nothing }
        }
    }
    return Subscription(
      subject: subject, id: id, tenant: tenant, snapshot: snapshots.snapshot(of: tenant)?.id, document: document,
      context: context,
      notificationContext: notificationContext, notificationSource: notificationSource, owner: owner, reader: reader,
      sight: sight, federates: federates,
      createdAt: createdAt, modifiedAt: now(), rule: rule)
  }

  private func shown(_ subscription: Subscription, _ context: Context, _ showsTimes: Bool) -> JSONObject {
    let at = now()
    var object = subscription.document.renamed { context.compact(subscription.context.expand($0)) }
    object["status"] = .string(subscription.status(at: at))
    // The default is told (clause 5.2.12); what is sent at intervals has no trigger.
    if object["notificationTrigger"] == nil, subscription.rule.timeInterval == nil, subscription.subject == .entities {
      object["notificationTrigger"] = ["attributeCreated", "attributeUpdated"]
    }
    let record = notifier.record(of: subscription.key, in: subscription.tenant)
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
    let atSources = sourceSubscriptions.of(subscription: subscription.id, in: subscription.tenant).filter {
      !$0.isEnding
    }
    if subscription.subject == .entities, !atSources.isEmpty { object["sources"] = .array(atSources.map(\.shown)) }
    if showsTimes {
      object["createdAt"] = .string(subscription.createdAt.description)
      object["modifiedAt"] = .string(subscription.modifiedAt.description)
    }
    if object["jsonldContext"] == nil, subscription.subject == .entities {
      object["jsonldContext"] = .string(subscription.notificationContext.url)
    }
    return object
  }
}

extension StoreWriter {
  /// A number above those of all items that are in the outbox or ever were, and below those that come.
  fileprivate func latestInOutbox(for key: String, in tenant: Tenant) throws -> Int64 {
    let mark = OutboxItem(tenant: tenant, subscriptionId: key, payload: [], dueAt: DateTime(microseconds: 0))
    let sequences = try enqueue([mark])
    try removeFromOutbox(sequences)
    return sequences.first ?? 0
  }
}

extension Subscription {
  /// What the store keeps.
  var stored: JSON {
    var object = JSONObject()
    object["document"] = .object(document)
    object["context"] = context.source
    // Where they can be had beside what they say.
    object["contextAddress"] = context.address.map { .string($0) }
    object["notificationContext"] = notificationSource
    if document["jsonldContext"] == nil {
      object["notificationAddress"] = notificationContext.address.map { .string($0) }
    }
    object["origin"] = origin.stored
    object["owner"] = owner?.stored
    object["createdAt"] = .string(createdAt.description)
    object["modifiedAt"] = .string(modifiedAt.description)
    object["since"] = .integer(since)
    return .object(object)
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
