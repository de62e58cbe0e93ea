import Foundation
import Hub
import NGSI
import Store
import Synchronization

// What is asked of sources so that subscriptions there are as they should be (clauses 5.8.1 to 5.8.5).

/// What the keeping of subscriptions at sources remembers while the hub runs.
final class Subscribing: Sendable {
  /// Where sources reach this hub; `nil` until that is known.
  let base = Mutex<String?>(nil)
  private let busy = Mutex<Set<String>>([])

  /// Keeps a source for one worker; false when another has it.
  func begin(_ source: String) -> Bool { busy.withLock { $0.insert(source).inserted } }

  func end(_ source: String) { busy.withLock { _ = $0.remove(source) } }
}

extension Federation {
  /// Sources, by the base of their interface, where something is due.
  func dueSources() -> Set<String> {
    let time = hub.time
    return Set(hub.sourceSubscriptions { isDue($0, time) }.map(\.registration.endpoint))
  }

  private func isDue(_ one: SourceSubscription, _ time: DateTime) -> Bool {
    if let rest = one.restsUntil, time < rest { return false }
    return !one.isSettled || (one.target != nil && needsRenewal(one, at: time))
  }

  private func needsRenewal(_ one: SourceSubscription, at time: DateTime) -> Bool {
    if let end = one.ownEnds, end <= one.leaseEnds { return false }
    return one.leaseEnds.adding(seconds: -limits.subscriptionLease * 2 / 3) <= time
  }

  /// Does what is due at one source, one after the other; a source that does not answer is left alone for a while.
  func settleSubscriptions(at source: String) async {
    while !Task.isCancelled {
      let time = hub.time
      // What is to be there comes before what is to go: better twice than not at all.
      let due = hub.sourceSubscriptions { $0.registration.endpoint == source && isDue($0, time) }
        .sorted { ($0.isEnding ? 1 : 0, $0.id) < ($1.isEnding ? 1 : 0, $1.id) }
      guard !due.isEmpty else { return }
      for (index, one) in due.enumerated() {
        guard !Task.isCancelled else { return }
        guard let current = hub.sourceSubscription(one.id), isDue(current, time) else { continue }
        do throws(SourceFailure) { try await settle(current) } catch {
          for one in error.concernsAll ? due[index...] : [one] { note(error, of: one, at: time) }
          if error.concernsAll { return }
        }
      }
    }
  }

  private func note(_ failure: SourceFailure, of one: SourceSubscription, at time: DateTime) {
    hub.changeSourceSubscription(one.id) { one in
      one.failures += 1
      one.lastFailure = time
      one.reason = failure.reason
      let (first, longest) = failure.concernsAll ? (1.0, 300.0) : (30.0, 3_600.0)
      one.restsUntil = time.adding(seconds: min(longest, first * Double(1 << min(one.failures - 1, 12))))
    }
  }

  private func settle(_ one: SourceSubscription) async throws(SourceFailure) {
    if one.isEnding { return try await end(one) }
    guard let wanted = one.wanted, let target = one.target else { return }
    if one.told == nil { return try await create(one, wanted, target) }
    guard one.registration.offers(.updateSubscription) else { return try await replace(one, wanted) }
    try await update(one, wanted, target)
  }

  /// What a source is told; `nil` before it is known where sources reach this hub.
  func target(of one: SourceSubscription, _ wanted: SourceSubscription.Copy) -> JSON? {
    subscribing.base.withLock { $0 }.map { wanted.told(notifying: $0 + Self.notificationPath + one.token) }
  }

  // MARK: - Steps

  private func create(_ one: SourceSubscription, _ wanted: SourceSubscription.Copy, _ told: JSON)
    async throws(SourceFailure)
  {
    let end = leaseEnd(of: one)
    guard case .object(var document)? = told["document"] else { return }
    document["id"] = .string(one.id)
    document["expiresAt"] = .string(end.description)
    // It may be there from now on, whatever is heard of it.
    hub.changeSourceSubscription(one.id) { $0.leaseEnds = end }
    do throws(SourceFailure) {
      let answer = try await ask(.post, ["subscriptions"], document, wanted, one)
      if let named = answer.header("Location")?.split(separator: "/").last.map(String.init)?.removingPercentEncoding {
        hub.changeSourceSubscription(one.id) { $0.idAtSource = named }
      }
    } catch .refused(409, _) {
      // An earlier question was heard though its answer was not.
      if one.registration.offers(.updateSubscription) {
        hub.changeSourceSubscription(one.id) { $0.told = .null }
        return
      }
    }
    try await tookOver(one, told, wanted, end)
  }

  private func update(_ one: SourceSubscription, _ wanted: SourceSubscription.Copy, _ told: JSON)
    async throws(SourceFailure)
  {
    let end = leaseEnd(of: one)
    guard case .object(let new)? = told["document"] else { return }
    let isSameContext = one.told?["context"] == told["context"]
    let old = one.told?["document"]?.object ?? JSONObject()
    var patch = JSONObject()
    for member in new.members where member.key != "type" && !(isSameContext && old[member.key] == member.value) {
      patch[member.key] = member.value
    }
    for member in old.members where new[member.key] == nil { patch[member.key] = .string(Core.null) }
    patch["expiresAt"] = .string(end.description)
    do throws(SourceFailure) {
      _ = try await ask(.patch, ["subscriptions", one.idAtSource], patch, wanted, one)
    } catch .refused(404, let why) {
      // It has lost it: it is made anew. One that has it when it is made and not when it is changed is left alone first.
      hub.changeSourceSubscription(one.id) { $0.told = nil }
      if one.told == .null { throw .refused(404, why) }
      return
    }
    try await tookOver(one, told, wanted, end)
  }

  /// For a source that changes none: another one is made, and this one ends.
  private func replace(_ one: SourceSubscription, _ wanted: SourceSubscription.Copy) async throws(SourceFailure) {
    var new = SourceSubscription(
      one.key, at: one.registration, wanted: wanted, leaseEnds: leaseEnd(of: one), ownEnds: one.ownEnds)
    new.target = target(of: new, wanted)
    let other = new
    hub.changeSourceSubscription(one.id) { $0.end() }
    try await keeping { () throws(Problem) in
      try await hub.keep([other])
      try await hub.keepSourceSubscriptions([one.id])
    }
  }

  private func end(_ one: SourceSubscription) async throws(SourceFailure) {
    // One that cannot be taken away ends by itself; what it says until then is refused.
    if one.registration.offers(.deleteSubscription) {
      do throws(SourceFailure) { _ = try await ask(.delete, ["subscriptions", one.idAtSource], nil, nil, one) } catch {
        switch error {
        case .refused(404, _), .refused(410, _): break
        case _ where one.leaseEnds <= hub.time: break
        default: throw error
        }
      }
    }
    try await keeping { () throws(Problem) in try await hub.forget(one) }
  }

  private func tookOver(
    _ one: SourceSubscription, _ told: JSON, _ wanted: SourceSubscription.Copy, _ end: DateTime
  ) async throws(SourceFailure) {
    hub.changeSourceSubscription(one.id) { one in
      one.told = told
      one.filtersHere = wanted.filtersHere
      one.leaseEnds = end
      one.failures = 0
      one.reason = nil
      one.restsUntil = nil
    }
    try await keeping { () throws(Problem) in try await hub.keepSourceSubscriptions([one.id]) }
  }

  private func leaseEnd(of one: SourceSubscription) -> DateTime {
    let lease = hub.time.adding(seconds: limits.subscriptionLease)
    return one.ownEnds.map { min($0, lease) } ?? lease
  }

  // MARK: - Asking

  private func ask(
    _ method: SourceCall.Method, _ path: [String], _ body: JSONObject?, _ copy: SourceSubscription.Copy?,
    _ one: SourceSubscription
  ) async throws(SourceFailure) -> SourceAnswer {
    var request = SourceRequest(method: method, path: path, context: copy?.context ?? .core)
    request.body = body.map(JSON.object)
    request.namesAreIRIs = copy?.namesAreIRIs ?? true
    let own = hub.distributed(one.key.subscription, in: one.key.tenant)?.origin ?? SubscriptionOrigin()
    let origin = RequestOrigin(tenant: one.key.tenant, via: own.via) { name in
      own.headers.first { $0.key.lowercased() == name.lowercased() }?.value
    }
    return try await call(call(for: request, to: one.registration, origin), one.registration).get()
  }

  /// Runs a step of the store; that it fails keeps all from going on.
  private func keeping(_ body: () async throws(Problem) -> Void) async throws(SourceFailure) {
    do throws(Problem) { try await body() } catch { throw .unreachable("it cannot be noted here: \(error.detail)") }
  }
}

extension SourceFailure {
  /// Whether it is about the source rather than about what it was asked.
  fileprivate var concernsAll: Bool {
    switch self {
    case .late, .cooling, .unreachable, .forbidden, .noRoom: true
    case .refused(let status, _): status >= 500 || status == 401 || status == 403 || status == 429
    case .loop, .unreadable: false
    }
  }
}
