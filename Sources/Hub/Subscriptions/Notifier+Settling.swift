import NGSI
import Store

// What became of notifications: counted in memory at once, made durable together.

extension Notifier {
  func note(_ key: Key, _ change: (inout DeliveryRecord) -> Void) {
    state.withLock { state in
      // A subscription that was deleted meanwhile has no record any more.
      guard state.records[key] != nil else { return }
      change(&state.records[key, default: DeliveryRecord()])
      state.touched.insert(key)
    }
  }

  /// Counts the item and takes it out of the outbox with the next flush.
  func settle(_ item: OutboxItem, _ key: Key, _ count: (inout DeliveryRecord) -> Void) {
    let flushes = state.withLock { state in
      if state.records[key] != nil, item.sequence > state.lanes[key]?.forgottenThrough ?? 0 {
        count(&state.records[key, default: DeliveryRecord()])
        state.touched.insert(key)
      }
      count(&state.totals)
      state.settled.append(item.sequence)
      return !state.isFlushing && state.settled.count >= 64
    }
    if flushes { Task { await flush() } }
  }

  /// Settles an item whose subscription is gone.
  func settleForgotten(_ item: OutboxItem) {
    let flushes = state.withLock { state in
      state.totals.throttled += 1
      state.settled.append(item.sequence)
      return !state.isFlushing && state.settled.count >= 64
    }
    if flushes { Task { await flush() } }
  }

  /// Puts the item on the dead-letter list.
  func give(up item: OutboxItem, _ key: Key, reason: String) {
    let body: JSON = [
      "subscriptionId": .string(item.subscriptionId), "reason": .string(reason),
      "at": .string(now().description), "data": .string(String(decoding: item.payload, as: UTF8.self)),
    ]
    state.withLock { $0.deadLetters.append((item.tenant, StoredDocument(id: "\(item.sequence)", body: body))) }
    settle(item, key) { $0.failed += 1 }
  }

  private struct Batch: Sendable {
    var settled: [Int64]
    var records: [(key: Key, json: JSON)]
    var deadLetters: [(Tenant, StoredDocument)]
  }

  /// Makes settled items, records and dead letters durable, in one transaction.
  func flush() async {
    while true {
      let taken: Batch? = state.withLock { state in
        guard !state.isFlushing, !state.settled.isEmpty || !state.touched.isEmpty else { return nil }
        state.isFlushing = true
        defer {
          state.settled = []
          state.touched = []
          state.deadLetters = []
        }
        let records = state.touched.compactMap { key in state.records[key].map { (key: key, json: $0.json) } }
        return Batch(settled: state.settled, records: records, deadLetters: state.deadLetters)
      }
      guard let batch = taken else { return }
      let bound = limits.deadLetters
      do {
        try await store.write { try Self.write(batch, deadLetterBound: bound, $0) }
        state.withLock { $0.isFlushing = false }
      } catch {
        // Nothing is lost: the items stay in the outbox and are settled again.
        log.error("deliveries cannot be noted", metadata: ["error": "\(error)"])
        state.withLock { state in
          state.settled = batch.settled + state.settled
          state.touched.formUnion(batch.records.map(\.key))
          state.deadLetters = batch.deadLetters + state.deadLetters
          state.isFlushing = false
        }
        return
      }
    }
  }

  private static func write(_ batch: Batch, deadLetterBound bound: Int, _ writer: any StoreWriter) throws {
    try writer.removeFromOutbox(batch.settled)
    for (key, json) in batch.records {
      // Judged by the transaction: the subscription may have been deleted in this same group.
      let (subject, id) = SubscriptionSubject.parts(ofKey: key.subscriptionId)
      let isThere = try writer.document(id, collection: subject.collection, in: key.tenant)
      guard isThere != nil else { continue }
      try writer.put(StoredDocument(id: key.subscriptionId, body: json), collection: recordCollection, in: key.tenant)
    }
    for (tenant, letter) in batch.deadLetters { try writer.put(letter, collection: deadLetterCollection, in: tenant) }
    for tenant in Set(batch.deadLetters.map(\.0)) {
      let excess = try writer.documentCount(deadLetterCollection, in: tenant) - bound
      guard excess > 0 else { continue }
      for old in try writer.documents(deadLetterCollection, in: tenant, page: Page(limit: excess)) {
        _ = try writer.deleteDocument(old.id, collection: deadLetterCollection, in: tenant)
      }
    }
  }
}
