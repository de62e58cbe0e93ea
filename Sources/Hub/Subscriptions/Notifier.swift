import Logging
import NGSI
import Store
import Synchronization

/// Sends what is in the outbox, each subscription in its own lane.
///
/// A lane sends in order, one message at a time, and holds at most ``Limits/endpointQueue`` messages and
/// ``Limits/endpointQueueBytes`` in memory; what is beyond stays in the outbox and is read when the lane has room. A
/// slow or dead receiver therefore delays its own lane only. Delivery is at least once: a message leaves the outbox
/// after the receiver took it.
final class Notifier: Sendable {
  struct Lane {
    var queue: [OutboxItem] = []
    var queuedBytes = 0
    /// Items beyond the queue wait in the outbox.
    var spilled = false
    var isRefilling = false
    /// Last sequence that has been in the queue: what comes again up to here is known.
    var lastSequence: Int64 = 0
    /// Last sequence that was accepted.
    var lastAccepted: Int64 = 0
    /// Items up to here belong to a subscription with the same id that was deleted.
    var forgottenThrough: Int64 = 0
    var isRunning = false
    /// Attempts that failed since the last success.
    var failures = 0
    /// No attempt before this time (cooldown after a failure).
    var restsUntil: DateTime?
  }

  struct Key: Hashable {
    var tenant: Tenant
    var subscriptionId: String
  }

  struct State {
    /// One for each subscription that has had a notification in this run.
    var lanes: [Key: Lane] = [:]
    var records: [Key: DeliveryRecord] = [:]
    var settled: [Int64] = []
    var touched: Set<Key> = []
    var deadLetters: [(Tenant, StoredDocument)] = []
    var isFlushing = false
    var isStopped = false
    var totals = DeliveryRecord()
  }

  let store: any Store
  let book: SubscriptionBook
  let limits: Limits
  let now: @Sendable () -> DateTime
  let log: Logger
  let state = Mutex(State())
  /// Puts entities together of which a notification has parts.
  let assembler = Mutex<PartsAssembling?>(nil)
  private let sender: any NotificationSending
  private let places: Places

  static let recordCollection = "delivery-records"
  static let deadLetterCollection = "dead-letters"
  /// Settled items that may wait for their transaction before lanes stand still: a store that takes no writes.
  static let maxUnflushed = 20_000

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
    places = Places(limits.notificationsInFlight)
  }

  // MARK: - Figures

  func record(of id: String, in tenant: Tenant) -> DeliveryRecord {
    state.withLock { $0.records[Key(tenant: tenant, subscriptionId: id)] ?? DeliveryRecord() }
  }

  /// Sums over all subscriptions since the hub started, those deleted since included.
  var totals: DeliveryRecord { state.withLock { $0.totals } }

  /// Notifications that wait, in memory and in the outbox.
  var waiting: Int { state.withLock { $0.totals.waiting } }

  /// Lanes at work, requests under way, messages in memory.
  var figures: (lanes: Int, inFlight: Int, queued: Int) {
    let (lanes, queued) = state.withLock { state in
      (state.lanes.values.count { $0.isRunning }, state.lanes.values.reduce(0) { $0 + $1.queue.count })
    }
    return (lanes, places.taken, queued)
  }

  // MARK: - What comes in

  /// Takes up what an earlier run left: the record, and items in the outbox. A subscription that is gone has its items
  /// settled as held back.
  func resume(_ id: String, in tenant: Tenant, record: JSON?, waiting: Int) {
    let key = Key(tenant: tenant, subscriptionId: id)
    state.withLock { state in
      state.records[key] = DeliveryRecord(json: record ?? .null, waiting: waiting)
      state.totals.due += waiting
      if waiting > 0 { state.lanes[key, default: Lane()].spilled = true }
    }
    if waiting > 0 { start(key) }
  }

  /// Takes items that have just been committed. Called on the writer's thread, in commit order.
  func accept(_ items: [OutboxItem]) {
    var started: [Key] = []
    state.withLock { state in
      for item in items {
        let key = Key(tenant: item.tenant, subscriptionId: item.subscriptionId)
        state.records[key, default: DeliveryRecord()].due += 1
        state.totals.due += 1
        var lane = state.lanes.removeValue(forKey: key) ?? Lane()
        lane.lastAccepted = item.sequence
        // What was forgotten is from before this item.
        if lane.forgottenThrough == .max { lane.forgottenThrough = item.sequence - 1 }
        if item.sequence <= lane.lastSequence {
          // A refill has read it between its commit and this call.
        } else if lane.spilled || lane.isRefilling || lane.queue.count >= limits.endpointQueue
          || (lane.queuedBytes + item.payload.count > limits.endpointQueueBytes && !lane.queue.isEmpty)
        {
          lane.spilled = true
        } else {
          lane.queue.append(item)
          lane.queuedBytes += item.payload.count
          lane.lastSequence = item.sequence
        }
        if !lane.isRunning { started.append(key) }
        state.lanes[key] = lane
      }
    }
    for key in started { start(key) }
  }

  /// Forgets a deleted subscription; what still waits is held back and counted so. Called on the writer's thread.
  func forget(_ id: String, in tenant: Tenant) {
    let key = Key(tenant: tenant, subscriptionId: id)
    let hasLane = state.withLock { state in
      state.records[key] = nil
      guard var lane = state.lanes[key] else { return false }
      // Of one that was taken up from an earlier run everything is meant, up to the next item that comes.
      lane.forgottenThrough = lane.lastAccepted == 0 ? .max : lane.lastAccepted
      state.lanes[key] = lane
      return true
    }
    if hasLane { start(key) }
  }

  /// Ends all lanes; messages under way have a moment to be answered, so that they need not be sent again.
  func stop() async {
    state.withLock { $0.isStopped = true }
    places.close()
    for _ in 0..<40 where places.taken > 0 { try? await Task.sleep(for: .milliseconds(50)) }
    for _ in 0..<100 {
      await flush()
      if state.withLock({ !$0.isFlushing }) { return }
      try? await Task.sleep(for: .milliseconds(20))
    }
  }

  // MARK: - Lanes

  private var isStopped: Bool { state.withLock { $0.isStopped } }

  private func start(_ key: Key) {
    let starts = state.withLock { state in
      guard !state.isStopped, var lane = state.lanes[key], !lane.isRunning else { return false }
      lane.isRunning = true
      state.lanes[key] = lane
      return true
    }
    if starts { Task { await run(key) } }
  }

  private func run(_ key: Key) async {
    while let item = await next(key) {
      let isForgotten = state.withLock { item.sequence <= $0.lanes[key]?.forgottenThrough ?? 0 }
      guard !isForgotten, let subscription = book.subscription(key.subscriptionId, in: key.tenant),
        // What is older belongs to one with the same id that was deleted.
        item.sequence > subscription.since
      else {
        settleForgotten(item)
        continue
      }
      guard subscription.status(at: now()) == "active", !isThrottled(subscription, key) else {
        settle(item, key) { $0.throttled += 1 }
        continue
      }
      await deliver(item, key)
      if isStopped { break }
    }
    await flush()
  }

  /// The lane's next item; ends the lane when there is none.
  private func next(_ key: Key) async -> OutboxItem? {
    enum Step {
      case item(OutboxItem)
      case refill(after: Int64)
      case wait
      case end
    }
    while true {
      let step: Step = state.withLock { state in
        guard !state.isStopped, var lane = state.lanes[key] else { return .end }
        if state.settled.count >= Self.maxUnflushed { return .wait }
        defer { state.lanes[key] = lane }
        if !lane.queue.isEmpty {
          let item = lane.queue.removeFirst()
          lane.queuedBytes -= item.payload.count
          return .item(item)
        }
        if lane.spilled {
          lane.spilled = false
          lane.isRefilling = true
          return .refill(after: lane.lastSequence)
        }
        lane.isRunning = false
        return .end
      }
      switch step {
      case .item(let item): return item
      case .end:
        forgetLane(key)
        return nil
      case .refill(let after): if !refill(key, after: after) { try? await Task.sleep(for: .seconds(1)) }
      case .wait:
        await flush()
        try? await Task.sleep(for: .milliseconds(200))
      }
    }
  }

  /// A lane whose subscription is gone is not needed any more.
  private func forgetLane(_ key: Key) {
    guard book.subscription(key.subscriptionId, in: key.tenant) == nil else { return }
    state.withLock { state in
      guard let lane = state.lanes[key], !lane.isRunning, lane.queue.isEmpty, !lane.spilled else { return }
      state.lanes[key] = nil
      state.records[key] = nil
    }
  }

  /// Reads the next items from the outbox; false when that failed. What is accepted meanwhile is found by the next one.
  private func refill(_ key: Key, after sequence: Int64) -> Bool {
    let items: [OutboxItem]
    do {
      items = try store.read {
        try $0.outbox(of: key.subscriptionId, in: key.tenant, after: sequence, limit: limits.endpointRefill)
      }
    } catch {
      log.error("the outbox cannot be read", metadata: ["error": "\(error)"])
      state.withLock { state in
        state.lanes[key]?.spilled = true
        state.lanes[key]?.isRefilling = false
      }
      return false
    }
    state.withLock { state in
      guard var lane = state.lanes[key] else { return }
      lane.isRefilling = false
      var taken = 0
      for item in items where taken == 0 || lane.queuedBytes + item.payload.count <= limits.endpointQueueBytes {
        lane.queue.append(item)
        lane.queuedBytes += item.payload.count
        lane.lastSequence = item.sequence
        taken += 1
      }
      if taken < items.count || items.count >= limits.endpointRefill { lane.spilled = true }
      state.lanes[key] = lane
    }
    return true
  }

  private func isThrottled(_ subscription: Subscription, _ key: Key) -> Bool {
    guard let pause = subscription.rule.throttling,
      let last = state.withLock({ $0.records[key]?.lastNotification })
    else { return false }
    let time = now()
    // A clock that was set back must not hold notifications until it has caught up.
    return last <= time && time < last.adding(seconds: pause)
  }
}

// MARK: - Delivering

extension Notifier {
  /// Tries until the receiver took the message, or it is given up.
  private func deliver(_ item: OutboxItem, _ key: Key) async {
    var attempts = item.attempts
    var notBefore: DateTime? = attempts > 0 ? item.dueAt : nil
    while true {
      await wait(until: later(notBefore, state.withLock { $0.lanes[key]?.restsUntil }), longest: 3600)
      // The subscription as it is now: it may have changed, or ended, while this waited.
      guard !isStopped else { return }
      guard !state.withLock({ item.sequence <= $0.lanes[key]?.forgottenThrough ?? 0 }),
        let subscription = book.subscription(key.subscriptionId, in: key.tenant)
      else { return settleForgotten(item) }
      guard subscription.status(at: now()) == "active" else { return settle(item, key) { $0.throttled += 1 } }
      let message: NotificationMessage
      do {
        guard let heard = try Notification.permitted(item.payload, subscription) else {
          return settle(item, key) { $0.throttled += 1 }
        }
        let reader = subscription.reader?() ?? .city
        let assembled: Result<[UInt8]?, Problem> = await Caller.$current.withValue(reader) {
          do throws(Problem) { return .success(try await whole(heard, subscription)) } catch {
            return .failure(error)
          }
        }
        guard let payload = try assembled.get() else {
          // Together with the rest it is none that the subscriber asked for: it was never due.
          return settle(item, key) { $0.due -= 1 }
        }
        message = try Notification.message(
          payload: payload, subscription: subscription, store: store, limits: limits, now: now())
      } catch { return give(up: item, key, reason: error.detail) }
      guard let failure = await attempt(message, key) else {
        let at = now()
        state.withLock { state in
          state.lanes[key]?.failures = 0
          state.lanes[key]?.restsUntil = nil
        }
        let isFirst = attempts == 0
        note(key) { record in
          if isFirst { record.timesSent += 1 }
          record.lastNotification = at
          record.lastSuccess = at
        }
        return settle(item, key) { $0.delivered += 1 }
      }
      guard failure != Self.stopped else { return }
      attempts += 1
      let cooldown = subscription.rule.notification.cooldown
      noteFailure(failure, key, isFirst: attempts == 1, cooldown: cooldown)
      guard attempts < limits.deliveryAttempts else { return give(up: item, key, reason: failure) }
      let next = now().adding(seconds: cooldown ?? Self.backOff(attempts))
      notBefore = next
      await postpone(item, attempts: attempts, until: next)
    }
  }

  private static let stopped = "the hub stops"

  /// One attempt; `nil` when the receiver took it.
  private func attempt(_ message: NotificationMessage, _ key: Key) async -> String? {
    let isTroubled = state.withLock { $0.lanes[key]?.failures ?? 0 > 0 }
    let endpoint = message.endpoint
    guard await places.enter(endpoint, isTroubled: isTroubled) else { return Self.stopped }
    defer { places.leave(endpoint, isTroubled: isTroubled) }
    return await sender.send(message)
  }

  private func noteFailure(_ reason: String, _ key: Key, isFirst: Bool, cooldown: Double?) {
    let at = now()
    state.withLock { state in
      state.lanes[key]?.failures += 1
      state.lanes[key]?.restsUntil = cooldown.map { at.adding(seconds: $0) }
    }
    note(key) { record in
      if isFirst {
        record.timesSent += 1
        record.timesFailed += 1
      }
      record.lastNotification = at
      record.lastFailure = at
      record.lastReason = reason
    }
  }

  private func postpone(_ item: OutboxItem, attempts: Int, until time: DateTime) async {
    // What was settled before must not wait for this one.
    await flush()
    do {
      try await store.write { try $0.postpone(item.sequence, attempts: attempts, until: time) }
    } catch { log.error("a retry cannot be noted", metadata: ["error": "\(error)"]) }
  }

  /// Seconds before the next attempt: 0.5, 1, 2, 4 … 60.
  static func backOff(_ attempts: Int) -> Double { min(60, 0.25 * Double(1 << min(attempts, 10))) }

  /// Waits until the clock says so, but no longer than it said at first: a clock may be set back meanwhile.
  private func wait(until time: DateTime?, longest: Double) async {
    guard let time else { return }
    let end = ContinuousClock.now + .seconds(min(longest, max(0, time.secondsSince1970 - now().secondsSince1970)))
    while !isStopped, ContinuousClock.now < end {
      let left = time.secondsSince1970 - now().secondsSince1970
      guard left > 0 else { return }
      try? await Task.sleep(for: min(.seconds(min(left, 0.5)), end - ContinuousClock.now))
    }
  }
}

private func later(_ left: DateTime?, _ right: DateTime?) -> DateTime? {
  guard let left else { return right }
  guard let right else { return left }
  return left < right ? right : left
}
