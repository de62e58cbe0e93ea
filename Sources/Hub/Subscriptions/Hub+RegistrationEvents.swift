import NGSI
import Query
import Store

// Subscriptions to registrations (ETSI GS CIM 009 clauses 5.11 and 5.12): who wants to know which sources there are.

/// Why a subscriber hears of a registration (clause 5.3.2).
enum RegistrationEvent: String {
  case newlyMatching
  case updated
  case noLongerMatching
}

extension Hub {
  /// Puts a notification into the outbox for each subscriber that a change of a registration concerns.
  func tellSubscribers(of new: Registration?, before old: Registration?, _ writer: any StoreWriter) throws {
    guard let tenant = (new ?? old)?.tenant else { return }
    let time = now()
    var items: [OutboxItem] = []
    for subscription in book.aboutRegistrations(in: tenant)
    where subscription.status(at: time) == "active" && mayHearOfRegistrations(subscription) {
      let query = subscription.sourceQuery
      // A pattern that gives up on this registration does not match it.
      let (before, after) = ((try? old?.match(query)) ?? nil, (try? new?.match(query)) ?? nil)
      let event: (RegistrationEvent, SourceMatch)? =
        switch (before, after) {
        case (nil, let match?): (.newlyMatching, match)
        case (_?, let match?): (.updated, match)
        case (let match?, nil): (.noLongerMatching, match)
        case (nil, nil): nil
        }
      guard let (reason, match) = event else { continue }
      items.append(Self.item(for: subscription, reason, [match], at: time))
    }
    try send(items, writer)
  }

  /// Tells a subscriber of all registrations that match now; nobody is told that there are none.
  func tellOfMatches(_ subscription: Subscription, _ writer: any StoreWriter) throws {
    let time = now()
    guard subscription.subject == .registrations, subscription.status(at: time) == "active",
      mayHearOfRegistrations(subscription)
    else { return }
    let matches = try sources(subscription.sourceQuery, in: subscription.tenant)
    guard !matches.isEmpty else { return }
    try send([Self.item(for: subscription, .newlyMatching, matches, at: time)], writer)
  }

  /// Whether the owner might see the registrations today.
  private func mayHearOfRegistrations(_ subscription: Subscription) -> Bool {
    subscription.visibility?.isNothing != true
  }

  private func send(_ items: [OutboxItem], _ writer: any StoreWriter) throws {
    var items = items
    try enqueue(&items, writer)
    guard !items.isEmpty else { return }
    let (notifier, committed) = (notifier, items)
    writer.afterCommit { notifier.accept(committed) }
  }

  /// Only those parts of a registration are told that match (clause 5.11.7).
  private static func item(
    for subscription: Subscription, _ reason: RegistrationEvent, _ matches: [SourceMatch], at time: DateTime
  ) -> OutboxItem {
    let shown = matches.map { match in
      JSON.object(
        match.registration.shown(subscription.notificationContext, parts: match.information, listsTypes: true))
    }
    let payload: JSON = ["triggerReason": .string(reason.rawValue), "data": .array(shown)]
    return OutboxItem(
      tenant: subscription.tenant, subscriptionId: subscription.key, payload: JSONWriter.bytes(payload), dueAt: time)
  }
}

extension Subscription {
  /// What registrations are matched against (clause 5.12).
  var sourceQuery: SourceQuery {
    var query = SourceQuery(rule.query)
    if rule.query.selectors.isEmpty { query.selectors = [] }
    let told = rule.notification.attributes
    // Without the one list or the other all attributes are meant (clause 5.11.2.4).
    query.attributes = rule.watched.isEmpty || told.isEmpty ? [] : rule.watched.union(told)
    query.datasetIds = rule.datasetIds
    query.time = rule.time
    query.filter = rule.sourceFilter
    query.toleratesSilence = false
    return query
  }
}

extension Notification {
  /// The message of a change of registrations (clauses 5.3.2 and 5.11.7).
  static func registrationMessage(payload: JSON, subscription: Subscription, now: DateTime) -> NotificationMessage {
    let context = subscription.notificationContext
    let isLD = subscription.rule.notification.accept == .jsonLD
    var object = JSONObject()
    object["id"] = .string("urn:ngsi-ld:ContextSourceNotification:" + Identifier.random())
    object["type"] = "ContextSourceNotification"
    object["subscriptionId"] = .string(subscription.id)
    object["notifiedAt"] = .string(now.description)
    object["data"] = payload["data"] ?? []
    object["triggerReason"] = payload["triggerReason"]
    if isLD { object["@context"] = context.embedded }
    return NotificationMessage(
      url: subscription.rule.notification.uri, headers: headers(subscription, context),
      body: JSONWriter.bytes(.object(object)), settings: subscription.rule.notification.settings,
      timeout: subscription.timeout)
  }
}

extension Subscription {
  /// Seconds that a receiver has to answer.
  var timeout: Double { min(rule.notification.timeout ?? 10, 30) }
}
