import Hub
import Incidents
import NGSI
import Store
import Synchronization

/// The incidents that are open, at hand: for the queue, and to find what a report is about. What counts stands in the store.
final class IncidentBook: Sendable {
  fileprivate struct Room {
    var records: [String: Record] = [:]
    /// What the hub holds of each, which rules are asked about.
    var facts: [String: Entity] = [:]
    /// When each was last reported, which what is done about it does not change.
    var reported: [String: DateTime] = [:]
    var index = JoiningIndex()
    var queue: AttentionQueue
    /// Counts what has changed.
    var revision: UInt64 = 0
  }

  private let rooms = Mutex<[Tenant: Room]>([:])
  private let targets: ResponseTargets

  init(targets: ResponseTargets) { self.targets = targets }

  /// Has it at hand once it is durable, in the order of the commits.
  func put(_ record: Record, in tenant: Tenant, with transaction: ServiceTransaction) {
    let time = transaction.time
    transaction.afterCommit { self.put(record, in: tenant, at: time) }
  }

  /// It was reported again, which is only counted.
  func hear(of id: String, at time: DateTime, in tenant: Tenant, with transaction: ServiceTransaction) {
    transaction.afterCommit { self.rooms.withLock { $0[tenant]?.reported[id] = time } }
  }

  func put(_ record: Record, in tenant: Tenant, at time: DateTime) {
    let facts = record.incident.facts
    rooms.withLock { rooms in
      rooms[tenant, default: Room(queue: AttentionQueue(targets: targets))].put(record, facts, at: time)
    }
  }

  func record(_ id: String, in tenant: Tenant) -> Record? { rooms.withLock { $0[tenant]?.records[id] } }

  /// The incidents that a report may be about.
  func candidates(for report: Report, by rules: JoiningRules, in tenant: Tenant) -> [Incident] {
    rooms.withLock { rooms in
      guard let room = rooms[tenant] else { return [] }
      return room.index.candidates(for: report, by: rules).compactMap { room.records[$0]?.incident }
    }
  }

  func count(in tenant: Tenant) -> Int { rooms.withLock { $0[tenant]?.records.count ?? 0 } }

  func reported(_ incident: Incident, in tenant: Tenant) -> DateTime {
    rooms.withLock { $0[tenant]?.reported[incident.id] } ?? incident.changedAt
  }

  /// The incident that was opened last of those that are asked for.
  func incident(in tenant: Tenant, where isWanted: (Incident) -> Bool) -> Incident? {
    let records = rooms.withLock { $0[tenant]?.records ?? [:] }
    return records.values.map(\.incident).filter(isWanted).max { $0.openedAt < $1.openedAt }
  }

  /// Counts what has changed; what was read at the same number is the same, but for clocks that ran out.
  func revision(in tenant: Tenant) -> UInt64 { rooms.withLock { $0[tenant]?.revision ?? 0 } }

  /// The queue at a time, with what rules are asked about; what is not to be seen is left out.
  func queue(in tenant: Tenant, at time: DateTime, where sees: (Entity) -> Bool) -> [Attention] {
    // Rules are asked outside the lock, which the writer waits for.
    let (queue, facts) = rooms.withLock { rooms in
      rooms[tenant]?.queue.advance(to: time)
      return (rooms[tenant]?.queue, rooms[tenant]?.facts ?? [:])
    }
    guard let queue else { return [] }
    return queue.items.filter { facts[$0.incident.id].map(sees) ?? false }
  }
}

extension IncidentBook.Room {
  fileprivate mutating func put(_ record: Record, _ facts: Entity, at time: DateTime) {
    let incident = record.incident
    revision += 1
    queue.put(incident, at: time)
    guard !incident.status.isOver else {
      index.remove(incident.id)
      records[incident.id] = nil
      self.facts[incident.id] = nil
      reported[incident.id] = nil
      return
    }
    index.put(incident)
    records[incident.id] = record
    self.facts[incident.id] = facts
    let last = record.entries.last { entry in
      switch entry.command {
      case .report, .repeated, .absorb: true
      default: false
      }
    }
    let heard = reported[incident.id] ?? incident.openedAt
    reported[incident.id] = max(heard, last?.at ?? incident.openedAt)
  }
}
