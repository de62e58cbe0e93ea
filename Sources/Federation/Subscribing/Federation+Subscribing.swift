import Hub
import NGSI
import Query
import Store

// Subscriptions over context sources (ETSI GS CIM 009 clauses 5.8.1.4, 5.8.2.4 and 5.8.5.4). What is to be there follows
// from the hub's subscriptions and registrations at any time; what is there is kept by the hub. The work is to make the
// one like the other, however often it is interrupted.

extension Federation {
  /// Says where context sources reach this hub (`https://hub.example`); before that none is subscribed to.
  public func isReached(at base: String) {
    subscribing.base.withLock { $0 = base }
    for one in hub.sourceSubscriptions(where: { _ in true }) {
      hub.noteSourceSubscriptionChange(.subscription(one.key.subscription, one.key.tenant))
    }
    hub.wakeSourceSubscriptions()
  }

  /// Below ``isReached(at:)``: where sources notify, without their token.
  public static let notificationPath = "/city/v1/notifications/"

  /// Refuses a subscription that this hub has passed on before: what changes here would be told twice (clause 4.3.6.4).
  public func requireNoCircle(_ origin: RequestOrigin) throws(Problem) {
    guard origin.passed.contains(hub.alias(of: origin.tenant)) else { return }
    throw Problem(.loopDetected, "this subscription has come by this hub already")
  }

  /// Keeps the subscriptions at sources as they should be, until cancelled.
  func keepSubscribing() async {
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        let count = hub.sourceSubscriptionWakes
        await planSubscriptions()
        for source in dueSources() where subscribing.begin(source) {
          group.addTask {
            await settleSubscriptions(at: source)
            subscribing.end(source)
          }
        }
        await withTaskGroup(of: Void.self) { race in
          race.addTask { await hub.waitForSourceSubscriptions(after: count) }
          race.addTask { try? await Task.sleep(for: Self.pause) }
          await race.next()
          race.cancelAll()
        }
      }
    }
  }

  /// Does all that is due now.
  func settleSubscriptions() async {
    await planSubscriptions()
    while case let sources = dueSources(), !sources.isEmpty {
      for source in sources { await settleSubscriptions(at: source) }
      await planSubscriptions()
    }
  }

  private static let pause = Duration.seconds(2)

  // MARK: - What should be there

  /// Looks at all that changed.
  private func planSubscriptions() async {
    guard subscribing.base.withLock({ $0 }) != nil else { return }
    for change in hub.takeSourceSubscriptionChanges() {
      guard !Task.isCancelled else { return }
      do throws(Problem) {
        switch change {
        case .subscription(let id, let tenant): try await plan(subscription: id, in: tenant)
        case .registration(let id, let tenant): try await plan(registration: id, in: tenant)
        }
      } catch {
        // The store takes nothing now, or not all of it.
        hub.noteSourceSubscriptionChange(change)
        try? await Task.sleep(for: .milliseconds(200))
      }
    }
    let time = hub.time
    for ended in hub.sourceSubscriptions(where: { $0.ownEnds.map { $0 <= time } ?? false && !$0.isEnding }) {
      hub.changeSourceSubscription(ended.id) { $0.end() }
    }
  }

  private func plan(subscription id: String, in tenant: Tenant) async throws(Problem) {
    let known = hub.sourceSubscriptions(of: id, in: tenant)
    guard let subscription = hub.distributed(id, in: tenant) else {
      guard try !hub.isAside(id, in: tenant) else { return }
      return end(known)
    }
    var wanted: Set<String> = []
    for registration in hub.allRegistrations(in: tenant) {
      try await plan(subscription, at: registration)
      wanted.insert(registration.id)
    }
    end(known.filter { !wanted.contains($0.key.registration) })
  }

  private func plan(registration id: String, in tenant: Tenant) async throws(Problem) {
    guard hub.isRegistered(id, in: tenant) else { return end(hub.sourceSubscriptions(at: id, in: tenant)) }
    for subscription in hub.distributedSubscriptions(in: tenant) {
      guard let registration = try? hub.registration(id, in: tenant) else { return }
      try await plan(subscription, at: registration)
    }
  }

  /// What one subscription needs at one source.
  private func plan(_ subscription: DistributedSubscription, at registration: Registration) async throws(Problem) {
    let known = hub.sourceSubscriptions(of: subscription.id, in: subscription.tenant).filter {
      $0.key.registration == registration.id && !$0.isEnding
    }
    let copies = await copies(of: subscription, at: registration)
    var new: [SourceSubscription] = []
    var kept: Set<String> = []
    for (part, copy) in copies.enumerated() {
      if let one = known.first(where: { $0.key.part == part && $0.registration.isAtSamePlace(as: registration) }) {
        kept.insert(one.id)
        hub.changeSourceSubscription(one.id) { one in
          one.registration = registration
          one.wanted = copy
          one.target = target(of: one, copy)
          one.ownEnds = subscription.expiresAt
          // Whatever kept it from being made may have been mended.
          one.restsUntil = nil
        }
      } else if hub.hasRoomForSourceSubscription() {
        let key = SourceSubscription.Key(
          tenant: subscription.tenant, subscription: subscription.id, registration: registration.id, part: part)
        var one = SourceSubscription(
          key, at: registration, wanted: copy, leaseEnds: hub.time.adding(seconds: limits.subscriptionLease),
          ownEnds: subscription.expiresAt)
        one.target = target(of: one, copy)
        new.append(one)
      }
    }
    try await hub.keep(new)
    end(known.filter { !kept.contains($0.id) })
  }

  /// What the source is to hold; nothing where it cannot be asked, or is not concerned.
  private func copies(of subscription: DistributedSubscription, at registration: Registration) async
    -> [SourceSubscription.Copy]
  {
    guard registration.mode != .auxiliary, registration.offers(.createSubscription),
      registration.expiresAt.map({ $0 > hub.time }) ?? true
    else { return [] }
    var query = subscription.sourceQuery
    query.via = RequestOrigin(tenant: subscription.tenant, via: subscription.origin.via).passed
    // A pattern that gives up on this registration does not match it.
    guard let match = (try? registration.match(query)) ?? nil else { return [] }
    let copying = SubscriptionCopying(
      subscription: subscription, splits: subscription.splits ?? splitsEntities,
      wording: await wording(for: registration, subscription.context))
    return (try? copying.copies(match)) ?? []
  }

  private func end(_ known: [SourceSubscription]) {
    for one in known where !one.isEnding { hub.changeSourceSubscription(one.id) { $0.end() } }
  }
}
