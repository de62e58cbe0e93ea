import NGSI
import Store
import Synchronization

/// All subscriptions in memory, found by the types they select.
///
/// The store holds the truth; the book follows it on the writer's thread after each commit.
final class SubscriptionBook: Sendable {
  private struct Shelf {
    var byKey: [String: Subscription] = [:]
    /// Subscriptions whose selectors all name plain types, by expanded type.
    var byType: [String: Set<String>] = [:]
    /// Subscriptions that may match any type.
    var others: Set<String> = []
    /// Subscriptions that are sent by the clock rather than by changes.
    var periodic: Set<String> = []
    /// Subscriptions to registrations rather than to entities.
    var aboutRegistrations: Set<String> = []
  }

  /// A stored subscription that cannot be read yet, with the notifications that wait for it.
  struct Aside: Sendable {
    var document: StoredDocument
    var subject: SubscriptionSubject
    var tenant: Tenant
    var waiting: Int
  }

  private let shelves = Mutex<[Tenant: Shelf]>([:])
  private let aside = Mutex<[Aside]>([])

  func putAside(_ document: StoredDocument, about subject: SubscriptionSubject, in tenant: Tenant, waiting: Int) {
    aside.withLock { $0.append(Aside(document: document, subject: subject, tenant: tenant, waiting: waiting)) }
  }

  func takeAside() -> [Aside] {
    aside.withLock { aside in
      defer { aside = [] }
      return aside
    }
  }

  func put(_ subscription: Subscription) {
    shelves.withLock { shelves in
      let key = subscription.key
      remove(key, from: &shelves[subscription.tenant, default: Shelf()])
      var shelf = shelves[subscription.tenant] ?? Shelf()
      shelf.byKey[key] = subscription
      if subscription.rule.timeInterval != nil {
        shelf.periodic.insert(key)
      } else if subscription.subject == .registrations {
        shelf.aboutRegistrations.insert(key)
      } else if let types = subscription.plainTypes {
        for type in types { shelf.byType[type, default: []].insert(key) }
      } else {
        shelf.others.insert(key)
      }
      shelves[subscription.tenant] = shelf
    }
  }

  func remove(_ key: String, in tenant: Tenant) {
    shelves.withLock { shelves in
      guard shelves[tenant] != nil else { return }
      remove(key, from: &shelves[tenant, default: Shelf()])
    }
  }

  private func remove(_ key: String, from shelf: inout Shelf) {
    guard let subscription = shelf.byKey.removeValue(forKey: key) else { return }
    for type in subscription.plainTypes ?? [] {
      shelf.byType[type]?.remove(key)
      if shelf.byType[type]?.isEmpty == true { shelf.byType[type] = nil }
    }
    shelf.others.remove(key)
    shelf.periodic.remove(key)
    shelf.aboutRegistrations.remove(key)
  }

  /// - Parameter key: by ``SubscriptionSubject/key(_:)``.
  func subscription(_ key: String, in tenant: Tenant) -> Subscription? {
    shelves.withLock { $0[tenant]?.byKey[key] }
  }

  /// Subscriptions to registrations that are not sent by the clock.
  func aboutRegistrations(in tenant: Tenant) -> [Subscription] {
    shelves.withLock { shelves in
      guard let shelf = shelves[tenant] else { return [] }
      return shelf.aboutRegistrations.sorted().compactMap { shelf.byKey[$0] }
    }
  }

  /// Subscriptions of a tenant, by their keys in order.
  func all(in tenant: Tenant) -> [Subscription] {
    shelves.withLock { shelves in
      guard let shelf = shelves[tenant] else { return [] }
      return shelf.byKey.keys.sorted().compactMap { shelf.byKey[$0] }
    }
  }

  func count(in tenant: Tenant) -> Int { shelves.withLock { $0[tenant]?.byKey.count ?? 0 } }

  var total: Int { shelves.withLock { $0.values.reduce(0) { $0 + $1.byKey.count } } }

  /// Every subscription of every tenant.
  func all() -> [Subscription] { shelves.withLock { $0.values.flatMap(\.byKey.values) } }

  /// Subscriptions that are sent by the clock rather than by changes.
  func periodic() -> [Subscription] {
    shelves.withLock { shelves in
      shelves.values.flatMap { shelf in shelf.periodic.sorted().compactMap { shelf.byKey[$0] } }
    }
  }

  /// Subscriptions that a change of an entity with these types may concern.
  func candidates(types: [String], in tenant: Tenant) -> [Subscription] {
    shelves.withLock { shelves in
      guard let shelf = shelves[tenant], !shelf.byKey.isEmpty else { return [] }
      var ids = shelf.others
      for type in types { if let more = shelf.byType[type] { ids.formUnion(more) } }
      return ids.sorted().compactMap { shelf.byKey[$0] }
    }
  }

  /// Whether any change in the tenant may concern a subscription.
  func isEmpty(in tenant: Tenant) -> Bool { shelves.withLock { $0[tenant]?.byKey.isEmpty ?? true } }
}

extension Subscription {
  /// The types that the selectors name, if each names plain types only.
  fileprivate var plainTypes: Set<String>? {
    guard !rule.query.selectors.isEmpty else { return nil }
    var types: Set<String> = []
    for selector in rule.query.selectors {
      switch selector.types {
      case .type(let type): types.insert(type)
      case .any(let members):
        for member in members {
          guard case .type(let type) = member else { return nil }
          types.insert(type)
        }
      default: return nil
      }
    }
    return types
  }
}
