import NGSI
import Store

extension Hub {
  /// Seconds since this hub was made, by its own clock.
  public var uptimeSeconds: Int { max(0, Int(now().secondsSince1970 - startedAt.secondsSince1970)) }

  /// Bounds and counters of the hub, for the health page and for machines.
  ///
  /// Each member that is an object is a section; a member of a section is a number or
  /// `{"value": …, "bound": …, "unit": …}`.
  public func health() throws(Problem) -> JSON {
    let (tenants, entities, waiting, deadLetters, kept) = try read { reader in
      let all = try reader.tenants()
      let tenants = all.filter { !$0.isSpace }
      return (
        tenants.count, try tenants.reduce(0) { try $0 + reader.entityCount(in: $1) }, try reader.outboxCount(),
        try all.reduce(0) { try $0 + reader.documentCount(Notifier.deadLetterCollection, in: $1) },
        try tenants.reduce(0) { try $0 + reader.documentCount(Self.grantCollection, in: $1) }
      )
    }
    let store = store.statistics
    let stream = changes.figures
    let atSources = sourceSubscriptions.figures
    let lanes = notifier.figures
    let totals = notifier.totals
    let cache = contexts.statistics
    let shelf = library.shelf.withLock { $0 }
    return [
      "time": .string(now().description), "uptimeSeconds": .count(uptimeSeconds),
      "entities": ["count": .count(entities), "tenants": .gauge(tenants, limits.tenants)],
      "store": [
        "commits": .count(store.commits), "writes": .count(store.writes),
        "queuedWrites": .gauge(store.queuedWrites, store.queueBound),
        "fileBytes": .count(store.fileBytes, unit: "B"), "walBytes": .count(store.walBytes, unit: "B"),
      ],
      "outbox": [
        "due": .count(totals.due), "delivered": .count(totals.delivered), "failed": .count(totals.failed),
        "throttled": .count(totals.throttled), "pending": .count(totals.waiting),
        "stored": .gauge(waiting, limits.outboxItems), "inFlight": .gauge(lanes.inFlight, limits.notificationsInFlight),
        "lanes": .count(lanes.lanes), "queued": .count(lanes.queued), "laneBound": .count(limits.endpointQueue),
        "deadLetters": .count(deadLetters), "subscriptions": .count(book.total),
        "subscriptionBound": .count(limits.subscriptions),
      ],
      "dataModels": [
        "count": .count(models.total), "judged": .count(models.totals.judged), "failed": .count(models.totals.failed),
        "modelBound": .count(limits.dataModels), "schemaBound": .count(limits.dataModelSchemas),
        "schemaBytes": .count(limits.schemaBytes, unit: "B"),
      ],
      "refusedInput": [
        "total": .count(refusals.figures.total), "lines": .gauge(refusals.figures.lines, limits.refusals),
        "linesOfSourceBound": .count(limits.refusalsOfSource),
      ],
      "entityMaps": [
        "count": .gauge(entityMaps.figures.maps, limits.entityMaps),
        "entries": .gauge(entityMaps.figures.entries, limits.entityMapEntries),
        "pushedOut": .count(entityMaps.figures.pushedOut), "entitiesBound": .count(limits.entityMapEntities),
        "longestSeconds": .count(Int(limits.longestEntityMapSeconds), unit: "s"),
      ],
      "snapshots": [
        "count": .gauge(snapshots.all().count, limits.snapshots),
        "entities": .count(snapshots.all().reduce(0) { $0 + $1.entities }),
        "instances": .count(snapshots.all().reduce(0) { $0 + $1.instances }),
        "preparing": .count(waitingSnapshots.count), "notices": .count(snapshotNotices.all.count),
        "tenantBound": .count(limits.snapshotsOfTenant), "entitiesBound": .count(limits.snapshotEntities),
        "bytesBound": .count(limits.snapshotBytes, unit: "B"), "instancesBound": .count(limits.snapshotInstances),
        "longestSeconds": .count(Int(limits.longestSnapshotSeconds), unit: "s"),
      ],
      "grants": [
        "open": .gauge(grants.mostOpen(at: now()), limits.grants), "kept": .count(kept),
        "requesterBound": .count(limits.grantsOfRequester),
      ],
      "access": rules.map { rules in
        ["remembered": .gauge(rules.remembered.count, rules.remembered.bound)]
      } ?? [:],
      "sourceSubscriptions": [
        "count": .gauge(atSources.count, limits.sourceSubscriptions), "failing": .count(atSources.failing),
        "withoutRoom": .count(atSources.unmade),
      ],
      "retention": retention.health(pieces: limits.retentionPieces),
      "changeStream": [
        "listeners": .gauge(stream.listeners, limits.streamListeners), "published": .integer(stream.published),
        "missed": .count(stream.missed), "bufferBound": .count(limits.streamBuffer),
      ],
      "contexts": [
        "documents": .gauge(cache.documents, cache.limits.documents),
        "bytes": .gauge(cache.bytes, cache.limits.bytes, unit: "B"),
        "processed": .gauge(cache.contexts, cache.limits.contexts), "fetches": .count(cache.fetches),
        "failures": .count(cache.failures), "hits": .count(cache.hits),
        "cached": .gauge(shelf.counts[.cached] ?? 0, limits.cachedContexts),
        "cachedBytes": .gauge(shelf.cachedBytes, limits.cachedContextBytes, unit: "B"),
        "hosted": .gauge(shelf.counts[.hosted] ?? 0, limits.hostedContexts),
        "implicitlyCreated": .gauge(shelf.counts[.implicitlyCreated] ?? 0, limits.implicitContexts),
        "servedBytes": .gauge(shelf.servedBytes, limits.servedContextBytes, unit: "B"),
      ],
      "bounds": [
        "bodyBytes": .count(limits.bodyBytes, unit: "B"), "batchEntities": .count(limits.batchEntities),
        "page": .count(limits.maxPage), "offset": .count(limits.maxOffset),
        "temporalInstances": .count(limits.temporalInstances), "joinLevel": .count(limits.joinLevel),
        "joinedEntities": .count(limits.joinedEntities), "jsonDepth": .count(JSONParser.defaultDepth),
        "attributes": .count(EntityReader.maxAttributes), "deliveryAttempts": .count(limits.deliveryAttempts),
        "deadLetters": .count(limits.deadLetters), "contextDocuments": .count(cache.limits.documentsPerRequest),
        "contextSeconds": .count(Int(cache.limits.secondsPerRequest), unit: "s"),
        "contextBytes": .count(limits.contextBytes, unit: "B"),
      ],
    ]
  }
}

extension JSON {
  fileprivate static func count(_ value: Int) -> JSON { .integer(Int64(value)) }

  fileprivate static func count(_ value: Int, unit: String) -> JSON {
    ["value": .integer(Int64(value)), "unit": .string(unit)]
  }

  fileprivate static func gauge(_ value: Int, _ bound: Int) -> JSON {
    ["value": .integer(Int64(value)), "bound": .integer(Int64(bound))]
  }

  fileprivate static func gauge(_ value: Int, _ bound: Int, unit: String) -> JSON {
    ["value": .integer(Int64(value)), "bound": .integer(Int64(bound)), "unit": .string(unit)]
  }
}
