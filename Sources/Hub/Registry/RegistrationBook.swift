import NGSI
import Store
import Synchronization

/// All registrations in memory, in the order they were made.
///
/// The store holds the truth; the book follows it on the writer's thread after each commit.
final class RegistrationBook: Sendable {
  private struct Shelf {
    var byId: [String: Registration] = [:]
    var order: [String] = []
  }

  private let shelves = Mutex<[Tenant: Shelf]>([:])

  func put(_ registration: Registration) {
    shelves.withLock { shelves in
      var shelf = shelves.removeValue(forKey: registration.tenant) ?? Shelf()
      if shelf.byId.updateValue(registration, forKey: registration.id) == nil { shelf.order.append(registration.id) }
      shelves[registration.tenant] = shelf
    }
  }

  func remove(_ id: String, in tenant: Tenant) {
    shelves.withLock { shelves in
      guard shelves[tenant]?.byId.removeValue(forKey: id) != nil else { return }
      shelves[tenant]?.order.removeAll { $0 == id }
      if shelves[tenant]?.order.isEmpty == true { shelves[tenant] = nil }
    }
  }

  func registration(_ id: String, in tenant: Tenant) -> Registration? { shelves.withLock { $0[tenant]?.byId[id] } }

  func isEmpty(in tenant: Tenant) -> Bool { shelves.withLock { $0[tenant] == nil } }

  func all(in tenant: Tenant) -> [Registration] {
    shelves.withLock { shelves in
      guard let shelf = shelves[tenant] else { return [] }
      return shelf.order.compactMap { shelf.byId[$0] }
    }
  }

  var total: Int { shelves.withLock { $0.values.reduce(0) { $0 + $1.order.count } } }

  /// Those whose time has come.
  func expired(at time: DateTime) -> [Registration] {
    shelves.withLock { shelves in
      shelves.values.flatMap { $0.byId.values.filter { $0.expiresAt.map { $0 <= time } ?? false } }
    }
  }
}
