import NGSI
import Store
import Synchronization

/// All subscriptions that this hub holds at context sources, and what has changed that they depend on.
final class SourceSubscriptionBook: Sendable {
  private struct Owner: Hashable {
    var tenant: Tenant
    var id: String
  }

  private struct State {
    var byId: [String: SourceSubscription] = [:]
    var idByToken: [String: String] = [:]
    var bySubscription: [Owner: Set<String>] = [:]
    var byRegistration: [Owner: Set<String>] = [:]
    var changes: Set<SourceSubscriptionChange> = []
    /// Such as there is no room for.
    var unmade = 0
  }

  private let state = Mutex(State())
  let wakes = Wakes()

  func note(_ change: SourceSubscriptionChange) {
    state.withLock { _ = $0.changes.insert(change) }
    wakes.wake()
  }

  func takeChanges() -> Set<SourceSubscriptionChange> {
    state.withLock { state in
      defer { state.changes = [] }
      return state.changes
    }
  }

  func put(_ new: SourceSubscription) {
    var one = new
    one.compare()
    state.withLock { [one] state in
      state.byId[one.id] = one
      state.idByToken[one.token] = one.id
      state.bySubscription[Owner(tenant: one.key.tenant, id: one.key.subscription), default: []].insert(one.id)
      state.byRegistration[Owner(tenant: one.key.tenant, id: one.key.registration), default: []].insert(one.id)
    }
  }

  /// Gives it as it is after the change; `nil` when it is gone.
  func change(_ id: String, _ body: (inout SourceSubscription) -> Void) -> SourceSubscription? {
    state.withLock { state in
      guard var one = state.byId[id] else { return nil }
      body(&one)
      one.compare()
      state.byId[id] = one
      return one
    }
  }

  func remove(_ id: String) {
    state.withLock { state in
      guard let one = state.byId.removeValue(forKey: id) else { return }
      state.idByToken[one.token] = nil
      Self.take(id, from: &state.bySubscription, Owner(tenant: one.key.tenant, id: one.key.subscription))
      Self.take(id, from: &state.byRegistration, Owner(tenant: one.key.tenant, id: one.key.registration))
    }
  }

  private static func take(_ id: String, from lists: inout [Owner: Set<String>], _ owner: Owner) {
    lists[owner]?.remove(id)
    if lists[owner]?.isEmpty == true { lists[owner] = nil }
  }

  func byId(_ id: String) -> SourceSubscription? { state.withLock { $0.byId[id] } }

  func byToken(_ token: String) -> SourceSubscription? {
    state.withLock { state in state.idByToken[token].flatMap { state.byId[$0] } }
  }

  func of(subscription id: String, in tenant: Tenant) -> [SourceSubscription] {
    state.withLock { state in
      (state.bySubscription[Owner(tenant: tenant, id: id)] ?? []).sorted().compactMap { state.byId[$0] }
    }
  }

  func of(registration id: String, in tenant: Tenant) -> [SourceSubscription] {
    state.withLock { state in
      (state.byRegistration[Owner(tenant: tenant, id: id)] ?? []).sorted().compactMap { state.byId[$0] }
    }
  }

  func all(where condition: (SourceSubscription) -> Bool) -> [SourceSubscription] {
    state.withLock { $0.byId.values.filter(condition) }
  }

  /// Makes room for one more; false when there is none.
  func hasRoom(_ bound: Int) -> Bool {
    state.withLock { state in
      if state.byId.count < bound { return true }
      state.unmade += 1
      return false
    }
  }

  var figures: (count: Int, failing: Int, unmade: Int) {
    state.withLock { state in (state.byId.count, state.byId.values.count { $0.failures > 0 }, state.unmade) }
  }
}

/// Something that subscriptions at sources depend on.
public enum SourceSubscriptionChange: Hashable, Sendable {
  case subscription(String, Tenant)
  case registration(String, Tenant)
}
