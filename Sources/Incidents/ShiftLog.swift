import NGSI

/// What was done in a shift, and what the next one takes over.
public struct ShiftLog: Sendable {
  public struct Line: Sendable, Hashable {
    public var incident: Incident
    public var entry: Entry
  }

  public let from: DateTime
  public let to: DateTime
  /// In order of time.
  public let lines: [Line]
  /// Those that are open at the end, in the order in which they want to be looked at.
  public let open: [Attention]
  public let opened: Int
  public let closed: Int
  public let falseAlarms: Int
  /// How much each of those who worked did, the most first.
  public let parties: [(party: Party, entries: Int)]

  /// - Parameters:
  ///   - records: all that were open or changed in the time.
  ///   - readable: the entries that the reader may read.
  public init(
    _ records: [Record], from: DateTime, to: DateTime, targets: ResponseTargets, readable: (Record) -> [Entry]
  ) {
    (self.from, self.to) = (from, to)
    lines = records.flatMap { record in
      readable(record).filter { $0.at >= from && $0.at < to }.map { Line(incident: record.incident, entry: $0) }
    }.sorted {
      ($0.entry.at, $0.incident.id, $0.entry.sequence) < ($1.entry.at, $1.incident.id, $1.entry.sequence)
    }
    var queue = AttentionQueue(targets: targets)
    for record in records { if let then = record.incident(at: to) { queue.put(then, at: to) } }
    open = Array(queue.items)
    opened = records.count { $0.incident.openedAt >= from && $0.incident.openedAt < to }
    let ended = records.filter { record in
      record.incident.status == .closed && (record.incident.closedAt.map { $0 >= from && $0 < to } ?? false)
    }
    closed = ended.count
    falseAlarms = ended.count { $0.incident.outcome?.kind == .falseAlarm }
    var counts: [String: (party: Party, entries: Int)] = [:]
    for line in lines where line.entry.by.kind == .person {
      counts[line.entry.by.id, default: (line.entry.by, 0)].entries += 1
    }
    parties = counts.values.sorted { ($1.entries, $0.party.id) < ($0.entries, $1.party.id) }
  }
}
