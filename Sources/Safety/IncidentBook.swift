import Hub
import Incidents
import NGSI
import Store
import Synchronization

/// The incidents that are open, at hand: for the queue, and to find what a report is about. What counts stands in the store.
final class IncidentBook: Sendable {
  private struct Room {
    var records: [String: Record] = [:]
    /// When each was last reported, which what is done about it does not change.
    var reported: [String: DateTime] = [:]
  }

  private let rooms = Mutex<[Tenant: Room]>([:])

  /// Has it at hand once it is durable, in the order of the commits.
  func put(_ record: Record, in tenant: Tenant, with transaction: ServiceTransaction) {
    transaction.afterCommit { self.put(record, in: tenant) }
  }

  /// It was reported again, which is only counted.
  func hear(of id: String, at time: DateTime, in tenant: Tenant, with transaction: ServiceTransaction) {
    transaction.afterCommit { self.rooms.withLock { $0[tenant]?.reported[id] = time } }
  }

  func put(_ record: Record, in tenant: Tenant) {
    rooms.withLock { rooms in
      let id = record.incident.id
      guard !record.incident.status.isOver else {
        rooms[tenant]?.records[id] = nil
        rooms[tenant]?.reported[id] = nil
        return
      }
      rooms[tenant, default: Room()].records[id] = record
      let last = record.entries.last { entry in
        switch entry.command {
        case .report, .repeated, .absorb: true
        default: false
        }
      }
      let heard = rooms[tenant]?.reported[id] ?? record.incident.openedAt
      rooms[tenant]?.reported[id] = max(heard, last?.at ?? record.incident.openedAt)
    }
  }

  func record(_ id: String, in tenant: Tenant) -> Record? { rooms.withLock { $0[tenant]?.records[id] } }

  func incidents(in tenant: Tenant) -> [Incident] {
    rooms.withLock { $0[tenant]?.records.values.map(\.incident) ?? [] }
  }

  func count(in tenant: Tenant) -> Int { rooms.withLock { $0[tenant]?.records.count ?? 0 } }

  func reported(_ incident: Incident, in tenant: Tenant) -> DateTime {
    rooms.withLock { $0[tenant]?.reported[incident.id] } ?? incident.changedAt
  }
}
