import Logging
import NGSI
import Store
import Synchronization

/// Sends what is in the outbox, each endpoint in its own lane.
///
/// A lane sends in order, one message at a time, and holds at most ``Limits/endpointQueue`` messages in memory; what
/// is beyond stays in the outbox and is read when the lane has room. A slow or dead receiver therefore delays its own
/// lane only. Delivery is at least once: a message leaves the outbox after the receiver took it.
final class Notifier: Sendable {
  private struct Lane {
    var queue: [OutboxItem] = []
    /// Items beyond the queue wait in the outbox.
    var spilled = false
    /// Last sequence that has been in the queue.
    var lastSequence: Int64 = 0
    var isRunning = false
    /// No attempt before this time (cooldown after a failure).
    var restsUntil: DateTime?
  }

  private struct Key: Hashable {
    var tenant: Tenant
    var subscriptionId: String
  }

  private struct State {
    var lanes: [Key: Lane] = [:]
    var records: [Key: DeliveryRecord] = [:]
    var settled: [Int64] = []
    var touched: Set<Key> = []
    var deadLetters: [(Tenant, StoredDocument)] = []
    var isFlushing = false
    var isStopped = false
    var inFlight = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
    var totals = DeliveryRecord()
  }

  private let store: any Store
  private let book: SubscriptionBook
  private let sender: any NotificationSending
  private let limits: Limits
  private let now: @Sendable () -> DateTime
  private let log: Logger
  private let state = Mutex(State())

  static let recordCollection = "delivery-records"
  static let deadLetterCollection = "dead-letters"

  init(
    store: any Store, book: SubscriptionBook, sender: any NotificationSending, limits: Limits,
    now: @escaping @Sendable () -> DateTime, log: Logger
  ) {
    self.store = store
    self.book = book
    self.sender = sender
    self.limits = limits
    self.now = now
    self.log = log
  }

  // MARK: - Records

  func record(of id: String, in tenant: Tenant) -> DeliveryRecord {
    state.withLock { $0.records[Key(tenant: tenant, subscriptionId: id)] ?? DeliveryRecord() }
  }

  /// Sums over all subscriptions since the hub started, those deleted since included.
  var totals: DeliveryRecord { state.withLock { $0.totals } }

  var figures: (lanes: Int, inFlight: Int, queued: Int) {
    state.withLock { ($0.lanes.count, $0.inFlight, $0.lanes.values.reduce(0) { $0 + $1.queue.count }) }
  }

  /// Takes up what an earlier run left: records, and items in the outbox.
  func resume(_ subscription: Subscription, record: JSON?, waiting: Int) {
    let key = Key(tenant: subscription.tenant, subscriptionId: subscription.id)
    let resumed = DeliveryRecord(json: record ?? .null, waiting: waiting)
    state.withLock { state in
      state.records[key] = resumed
      state.totals.due += waiting
      if waiting > 0 { state.lanes[key, default: Lane()].spilled = true }
    }
    if waiting > 0 { start(key) }
  }

  /// Takes items that have just been committed. Called on the writer's thread.
  func accept(_ items: [OutboxItem]) {
    var started: [Key] = []
    state.withLock { state in
      for item in items {
        let key = Key(tenant: item.tenant, subscriptionId: item.subscriptionId)
        state.records[key, default: DeliveryRecord()].due += 1
        state.totals.due += 1
        var lane = state.lanes.removeValue(forKey: key) ?? Lane()
        if lane.spilled || lane.queue.count >= limits.endpointQueue {
          lane.spilled = true
        } else {
          lane.queue.append(item)
          lane.lastSequence = item.sequence
        }
        if !lane.isRunning { started.append(key) }
        state.lanes[key] = lane
      }
    }
    for key in started { start(key) }
  }

  /// Forgets a deleted subscription; what still waits is held back and counted so.
  func forget(_ id: String, in tenant: Tenant) { start(Key(tenant: tenant, subscriptionId: id)) }

  func stop() async {
    let waiters = state.withLock { state in
      state.isStopped = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
    await flush()
  }

  // MARK: - Lanes

  private func start(_ key: Key) {
    let starts = state.withLock { state in
      guard !state.isStopped else { return false }
      var lane = state.lanes[key] ?? Lane()
      guard !lane.isRunning else { return false }
      lane.isRunning = true
      state.lanes[key] = lane
      return true
    }
    if starts { Task { await run(key) } }
  }

  private func run(_ key: Key) async {
    while let item = next(key) {
      guard let subscription = book.subscription(key.subscriptionId, in: key.tenant),
        subscription.status(at: now()) == "active"
      else {
        settle(item, key) { $0.throttled += 1 }
        continue
      }
      if isThrottled(subscription, key) {
        settle(item, key) { $0.throttled += 1 }
        continue
      }
      await deliver(item, of: subscription, key)
      if state.withLock({ $0.isStopped }) { break }
    }
    await flush()
  }

  /// The lane's next item; ends the lane when there is none.
  private func next(_ key: Key) -> OutboxItem? {
    enum Step {
      case item(OutboxItem)
      case refill(after: Int64)
      case end
    }
    while true {
      let step: Step = state.withLock { state in
        guard !state.isStopped, var lane = state.lanes[key] else { return .end }
        defer { state.lanes[key] = lane.isRunning || !lane.queue.isEmpty ? lane : nil }
        if !lane.queue.isEmpty { return .item(lane.queue.removeFirst()) }
        if lane.spilled { return .refill(after: lane.lastSequence) }
        lane.isRunning = false
        return .end
      }
      switch step {
      case .item(let item): return item
      case .end: return nil
      case .refill(let after):
        let items: [OutboxItem]
        do {
          items = try store.read {
            try $0.outbox(of: key.subscriptionId, in: key.tenant, after: after, limit: limits.endpointQueue)
          }
        } catch {
          log.error("the outbox cannot be read", metadata: ["error": "\(error)"])
          state.withLock { $0.lanes[key]?.isRunning = false }
          return nil
        }
        state.withLock { state in
          guard var lane = state.lanes[key] else { return }
          // What an accept() put aside while this was read is found by the next refill.
          lane.queue += items
          lane.lastSequence = items.last?.sequence ?? lane.lastSequence
          lane.spilled = items.count >= limits.endpointQueue
          state.lanes[key] = lane
        }
      }
    }
  }

  private func isThrottled(_ subscription: Subscription, _ key: Key) -> Bool {
    guard let pause = subscription.rule.throttling,
      let last = state.withLock({ $0.records[key]?.lastNotification })
    else { return false }
    return now() < last.adding(seconds: pause)
  }

  private func deliver(_ item: OutboxItem, of subscription: Subscription, _ key: Key) async {
    var attempts = item.attempts
    var dueAt = item.dueAt
    while true {
      await wait(until: max(dueAt, state.withLock { $0.lanes[key]?.restsUntil } ?? dueAt))
      guard await enter() else { return }
      let message: NotificationMessage
      do {
        message = try Notification.message(
          payload: item.payload, subscription: subscription, store: store, limits: limits, now: now())
      } catch {
        leave()
        give(up: item, key, reason: error.detail)
        return
      }
      let failure = await sender.send(message)
      leave()
      attempts += 1
      let at = now()
      if let failure {
        note(key) { record in
          record.timesSent += 1
          record.timesFailed += 1
          record.lastNotification = at
          record.lastFailure = at
          record.lastReason = failure
        }
        if attempts >= limits.deliveryAttempts {
          rest(key, until: subscription.rule.notification.cooldown.map { at.adding(seconds: $0) })
          give(up: item, key, reason: failure)
          return
        }
        dueAt = at.adding(seconds: subscription.rule.notification.cooldown ?? Self.backOff(attempts))
        rest(key, until: dueAt)
        let (sequence, until, tries) = (item.sequence, dueAt, attempts)
        do {
          try await store.write { try $0.postpone(sequence, attempts: tries, until: until) }
        } catch { log.error("a retry cannot be noted", metadata: ["error": "\(error)"]) }
        guard book.subscription(key.subscriptionId, in: key.tenant)?.status(at: now()) == "active" else {
          settle(item, key) { $0.throttled += 1 }
          return
        }
      } else {
        rest(key, until: nil)
        note(key) { record in
          record.timesSent += 1
          record.lastNotification = at
          record.lastSuccess = at
        }
        settle(item, key) { $0.delivered += 1 }
        return
      }
      if state.withLock({ $0.isStopped }) { return }
    }
  }

  /// Seconds before the next attempt: 0.5, 1, 2, 4 … 60.
  static func backOff(_ attempts: Int) -> Double { min(60, 0.25 * Double(1 << min(attempts, 10))) }

  private func rest(_ key: Key, until time: DateTime?) {
    state.withLock { $0.lanes[key]?.restsUntil = time }
  }

  private func wait(until time: DateTime) async {
    while !state.withLock({ $0.isStopped }) {
      let left = time.secondsSince1970 - now().secondsSince1970
      guard left > 0 else { return }
      try? await Task.sleep(for: .seconds(min(left, 1)))
    }
  }

  /// Waits for one of the places for requests under way; false when the notifier stops.
  private func enter() async -> Bool {
    await withCheckedContinuation { continuation in
      let passes = state.withLock { state in
        guard state.inFlight >= limits.notificationsInFlight, !state.isStopped else {
          state.inFlight += 1
          return true
        }
        state.waiters.append(continuation)
        return false
      }
      if passes { continuation.resume() }
    }
    return !state.withLock { $0.isStopped }
  }

  private func leave() {
    let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
      if state.waiters.isEmpty {
        state.inFlight -= 1
        return nil
      }
      return state.waiters.removeFirst()
    }
    waiter?.resume()
  }
}

// MARK: - Settling

extension Notifier {
  private func note(_ key: Key, _ change: (inout DeliveryRecord) -> Void) {
    state.withLock { state in
      change(&state.records[key, default: DeliveryRecord()])
      state.touched.insert(key)
    }
  }

  private func settle(_ item: OutboxItem, _ key: Key, _ count: (inout DeliveryRecord) -> Void) {
    let flushes = state.withLock { state in
      count(&state.records[key, default: DeliveryRecord()])
      count(&state.totals)
      state.touched.insert(key)
      state.settled.append(item.sequence)
      guard !state.isFlushing, state.settled.count >= 64 else { return false }
      return true
    }
    if flushes { Task { await flush() } }
  }

  private func give(up item: OutboxItem, _ key: Key, reason: String) {
    let id = "\(item.sequence)"
    let body: JSON = [
      "subscriptionId": .string(item.subscriptionId), "reason": .string(reason),
      "at": .string(now().description), "data": .string(String(decoding: item.payload, as: UTF8.self)),
    ]
    state.withLock { $0.deadLetters.append((item.tenant, StoredDocument(id: id, body: body))) }
    settle(item, key) { $0.failed += 1 }
  }

  /// Makes settled items, records and dead letters durable, in one transaction.
  private func flush() async {
    while true {
      let batch: ([Int64], [(Key, JSON)], [(Tenant, StoredDocument)])? = state.withLock { state in
        guard !state.isFlushing, !state.settled.isEmpty || !state.touched.isEmpty else { return nil }
        state.isFlushing = true
        defer {
          state.settled = []
          state.touched = []
          state.deadLetters = []
        }
        let records = state.touched.compactMap { key in state.records[key].map { (key, $0.json) } }
        return (state.settled, records, state.deadLetters)
      }
      guard let (sequences, records, letters) = batch else { return }
      let (book, bound) = (book, limits.deadLetters)
      do {
        try await store.write { writer in
          try writer.removeFromOutbox(sequences)
          for (key, json) in records where book.subscription(key.subscriptionId, in: key.tenant) != nil {
            try writer.put(
              StoredDocument(id: key.subscriptionId, body: json), collection: Self.recordCollection, in: key.tenant)
          }
          for (tenant, letter) in letters {
            try writer.put(letter, collection: Self.deadLetterCollection, in: tenant)
            let excess = try writer.documentCount(Self.deadLetterCollection, in: tenant) - bound
            guard excess > 0 else { continue }
            for old in try writer.documents(Self.deadLetterCollection, in: tenant, page: Page(limit: excess)) {
              _ = try writer.deleteDocument(old.id, collection: Self.deadLetterCollection, in: tenant)
            }
          }
        }
        state.withLock { state in
          state.isFlushing = false
          for (key, _) in records where book.subscription(key.subscriptionId, in: key.tenant) == nil {
            if state.records[key]?.waiting == 0 { state.records[key] = nil }
          }
        }
      } catch {
        // Nothing is lost: the items stay in the outbox and are settled again.
        log.error("deliveries cannot be noted", metadata: ["error": "\(error)"])
        state.withLock { state in
          state.settled = sequences + state.settled
          state.touched.formUnion(records.map(\.0))
          state.deadLetters = letters + state.deadLetters
          state.isFlushing = false
        }
        return
      }
    }
  }
}
