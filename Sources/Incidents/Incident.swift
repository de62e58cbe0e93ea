import NGSI

/// What is known of an incident: the fold of its entries. It has no state besides them.
public struct Incident: Sendable, Hashable {
  public enum Status: String, Sendable, Hashable, CaseIterable {
    /// Reported, and nobody has heard the alarm yet.
    case new
    case acknowledged
    /// Something is being done.
    case inProgress = "in-progress"
    /// The danger is over; what is left is to be finished.
    case resolved
    case closed
    /// It goes on as another one.
    case merged

    public var isOver: Bool { self == .closed || self == .merged }
  }

  /// What an incident may hold at most.
  public enum Bounds {
    public static let entries = 5_000
    public static let reports = 500
    public static let dispatches = 200
    public static let agencies = 50
    public static let grants = 200
    public static let text = 4_000
  }

  public let id: String
  /// The exercise that it belongs to; `nil` for what is real.
  public let exercise: String?
  /// The last entry that stands in it.
  public internal(set) var sequence = 0
  public internal(set) var status = Status.new
  /// Whether an alarm sounds: nobody has acknowledged the incident, or what came after he did.
  public internal(set) var isAlarming = true
  public internal(set) var category: String
  public internal(set) var severity: Severity
  public internal(set) var position: Position?
  public internal(set) var address: String?
  /// In the order in which they came.
  public internal(set) var reports: [Report] = []
  /// How often reports came again.
  public internal(set) var repetitions = 0
  public internal(set) var openedAt: DateTime
  /// First of each, since it was opened or opened again.
  public internal(set) var acknowledgedAt: DateTime?
  public internal(set) var acknowledgedBy: Party?
  public internal(set) var firstDispatchAt: DateTime?
  public internal(set) var firstOnSceneAt: DateTime?
  public internal(set) var resolvedAt: DateTime?
  public internal(set) var closedAt: DateTime?
  public internal(set) var changedAt: DateTime
  public internal(set) var owner: Party?
  /// All that take part, the first is that of the first report or its owner.
  public internal(set) var agencies: [String] = []
  public internal(set) var dispatches: [Dispatch.State] = []
  public internal(set) var run: ProcedureRun?
  public internal(set) var grants: [String] = []
  public internal(set) var outcome: Command.Outcome?
  public internal(set) var mergedInto: String?
  public internal(set) var absorbed: [String] = []
  public internal(set) var handOvers = 0
  public internal(set) var reopenings = 0
  /// What the operator said it is weighs more than later reports.
  var isClassified = false
  var isLocated = false
  private(set) var commandIds: [String: Int] = [:]

  /// The state before the first entry; only a report makes an incident of it.
  init(id: String, exercise: String?, opening report: Report, at: DateTime) {
    self.id = id
    self.exercise = exercise
    category = report.category
    severity = report.severity
    position = report.believedPosition
    address = report.address
    openedAt = at
    changedAt = at
  }

  mutating func remember(_ entry: Entry) {
    sequence = entry.sequence
    changedAt = entry.at
    commandIds[entry.id] = entry.sequence
  }

  /// The entry that a command of this id made, if it was given before.
  public func entry(ofCommand id: String) -> Int? { commandIds[id] }

  public func dispatch(of unit: String) -> Dispatch.State? { dispatches.last { $0.unit == unit } }
}

/// An incident's record, from its first report on: entries only come to it.
public struct Record: Sendable, Hashable {
  public private(set) var incident: Incident
  public private(set) var entries: [Entry]

  /// Opens an incident.
  ///
  /// - Parameter exercise: the exercise that it belongs to; it stays what it is for ever.
  public init(opening id: String, exercise: String?, _ report: Report, command: String, by: Party, at: DateTime) {
    let entry = Entry(sequence: 1, id: command, at: at, by: by, command: .report(report))
    incident = Incident(id: id, exercise: exercise, opening: report, at: at)
    entries = [entry]
    incident.open(with: report, entry)
  }

  /// Folds what was kept.
  ///
  /// - Throws: ``CommandRefusal`` when the entries are not those of one incident: then the record is damaged.
  public init(id: String, exercise: String?, folding entries: [Entry]) throws(CommandRefusal) {
    guard let first = entries.first, case .report(let report) = first.command, first.sequence == 1 else {
      throw .notReported
    }
    self.init(opening: id, exercise: exercise, report, command: first.id, by: first.by, at: first.at)
    for entry in entries.dropFirst() {
      guard entry.sequence == incident.sequence + 1 else { throw .notReported }
      try incident.apply(entry)
      self.entries.append(entry)
    }
  }

  /// Does a command, or says why not. One that was given before is not done again.
  ///
  /// - Parameter at: the time now; where clocks were set back, that of the entry before counts.
  /// - Returns: the entry that it made, and whether it is new.
  @discardableResult
  public mutating func give(_ command: Command, id: String, by: Party, at: DateTime) throws(CommandRefusal) -> (
    Entry, isNew: Bool
  ) {
    if let known = incident.entry(ofCommand: id) { return (entries[known - 1], false) }
    guard entries.count < Incident.Bounds.entries else { throw .full("entries", bound: Incident.Bounds.entries) }
    let entry = Entry(
      sequence: incident.sequence + 1, id: id, at: max(at, incident.changedAt), by: by, command: command)
    var next = incident
    try next.apply(entry)
    incident = next
    entries.append(entry)
    return (entry, true)
  }

  /// What was known at a time; `nil` before the first report. For the review after it is over.
  public func incident(at time: DateTime) -> Incident? {
    let known = entries.prefix { $0.at <= time }
    guard !known.isEmpty else { return nil }
    return (try? Record(id: incident.id, exercise: incident.exercise, folding: Array(known)))?.incident
  }
}
