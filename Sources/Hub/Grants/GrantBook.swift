import NGSI
import Store
import Synchronization

/// The grants that wait to be decided, or give something now or later.
final class GrantBook: Sendable {
  private let open = Mutex<[String: Grant]>([:])

  /// Those that give something.
  func live(at time: DateTime) -> [Grant] {
    open.withLock { open in
      open = open.filter { $0.value.isOpen(at: time) }
      return open.values.filter { $0.isLive(at: time) }.sorted { $0.id < $1.id }
    }
  }

  func put(_ grant: Grant, at time: DateTime) {
    open.withLock { $0[grant.id] = grant.isOpen(at: time) ? grant : nil }
  }

  /// How many are open in the tenant that has most.
  func mostOpen(at time: DateTime) -> Int {
    open.withLock { open in
      Dictionary(grouping: open.values.filter { $0.isOpen(at: time) }, by: \.tenant).values.map(\.count).max() ?? 0
    }
  }

  /// How many somebody has asked for that are open.
  func count(askedBy party: Grant.Party, at time: DateTime) -> Int {
    open.withLock { $0.values.count { $0.isOpen(at: time) && $0.requester?.isSame(as: party) ?? false } }
  }

  /// The grants that end with one of these entities.
  func grants(for incidents: Set<String>, in tenant: Tenant) -> [Grant] {
    open.withLock { open in
      guard !open.isEmpty else { return [] }
      return open.values.filter { $0.tenant == tenant && $0.incident.map(incidents.contains) ?? false }
    }
  }
}
