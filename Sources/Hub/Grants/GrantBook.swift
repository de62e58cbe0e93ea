import NGSI
import Store
import Synchronization

/// The grants that give something now or later.
final class GrantBook: Sendable {
  private let live = Mutex<[String: Grant]>([:])

  func grants(at time: DateTime) -> [Grant] {
    live.withLock { live in
      live = live.filter { $0.value.isLive(at: time) }
      return live.values.sorted { $0.id < $1.id }
    }
  }

  func put(_ grant: Grant, at time: DateTime) {
    live.withLock { $0[grant.id] = grant.isLive(at: time) ? grant : nil }
  }

  /// The grants that end with one of these entities.
  func grants(for incidents: Set<String>, in tenant: Tenant) -> [Grant] {
    live.withLock { live in
      guard !live.isEmpty else { return [] }
      return live.values.filter { $0.tenant == tenant && $0.incident.map(incidents.contains) ?? false }
    }
  }
}
