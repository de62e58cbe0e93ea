import NGSI
import Store

extension Hub {
  /// Seconds since this hub was made, by its own clock.
  public var uptimeSeconds: Int { max(0, Int(now().secondsSince1970 - startedAt.secondsSince1970)) }

  /// Bounds and counters of the hub, for the health page and for machines.
  public func health() throws(Problem) -> JSON {
    let (tenants, entities, waiting) = try read { reader in
      let tenants = try reader.tenants()
      return (
        tenants.count, try tenants.reduce(0) { try $0 + reader.entityCount(in: $1) }, try reader.outboxCount()
      )
    }
    let store = store.statistics
    let stream = changes.figures
    let lanes = notifier.figures
    let totals = notifier.totals
    let balanced = totals.due == totals.delivered + totals.failed + totals.throttled + totals.waiting
    return [
      "status": .string(balanced && store.queuedWrites < store.queueBound ? "ok" : "degraded"),
      "time": .string(now().description), "uptimeSeconds": .integer(Int64(uptimeSeconds)),
      "entities": ["count": .count(entities), "tenants": .count(tenants), "tenantBound": .count(limits.tenants)],
      "store": [
        "commits": .count(store.commits), "writes": .count(store.writes), "queuedWrites": .count(store.queuedWrites),
        "queueBound": .count(store.queueBound), "fileBytes": .count(store.fileBytes),
        "walBytes": .count(store.walBytes),
      ],
      "notifications": [
        "subscriptions": .count(book.total), "due": .count(totals.due), "delivered": .count(totals.delivered),
        "failed": .count(totals.failed), "throttled": .count(totals.throttled), "waiting": .count(totals.waiting),
        "outbox": .count(waiting), "outboxBound": .count(limits.outboxItems), "lanes": .count(lanes.lanes),
        "inFlight": .count(lanes.inFlight), "inFlightBound": .count(limits.notificationsInFlight),
        "queued": .count(lanes.queued), "queueBoundPerSubscription": .count(limits.endpointQueue),
      ],
      "changeStream": [
        "listeners": .count(stream.listeners), "listenerBound": .count(limits.streamListeners),
        "published": .integer(stream.published), "missed": .count(stream.missed),
        "bufferBound": .count(limits.streamBuffer),
      ],
      "bounds": [
        "bodyBytes": .count(limits.bodyBytes), "batchEntities": .count(limits.batchEntities),
        "page": .count(limits.maxPage), "offset": .count(limits.maxOffset),
        "temporalInstances": .count(limits.temporalInstances), "joinLevel": .count(limits.joinLevel),
        "joinedEntities": .count(limits.joinedEntities), "subscriptions": .count(limits.subscriptions),
        "jsonDepth": .count(JSONParser.defaultDepth), "attributes": .count(EntityReader.maxAttributes),
        "deliveryAttempts": .count(limits.deliveryAttempts), "deadLetters": .count(limits.deadLetters),
      ],
    ]
  }
}

extension JSON {
  static func count(_ value: Int) -> JSON { .integer(Int64(value)) }
}
