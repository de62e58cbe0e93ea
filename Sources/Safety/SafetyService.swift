import City
import Hub
import Incidents
import NGSI
import Store

/// The city's incidents: takes reports, carries out commands, keeps the records. Nobody else writes them.
///
/// Entities of type `Incident` say what is known of each, and are read, queried, subscribed to and ruled upon like all others.
public final class SafetyService: CityService {
  public static let name = "safety"
  public static let door = "/city/v1/safety/incidents"

  let hub: Hub
  public let plan: SafetyPlan
  let book = IncidentBook()
  private let intake = Turns(bound: 10_000)

  public init(hub: Hub, plan: SafetyPlan) {
    self.hub = hub
    self.plan = plan
    hub.reserve([Context.core.expand(Incident.typeName)], for: Self.name, door: Self.door)
  }

  public var contract: ServiceContract {
    ServiceContract(
      name: Self.name, owns: [Incident.typeName], wakesOn: [],
      publishes: [Incident.typeName: ["status", "category", "severity", "location", "dateIssued", "owner", "agencies"]])
  }

  /// It acts when it is asked.
  public func run(clock: any CityClock, sink: any EntitySink) async throws {}

  /// Has the incidents at hand that were open when the city stopped. Call it before requests come in.
  public func resume() throws(Problem) {
    for tenant in try hub.tenants() {
      var offset = 0
      while true {
        let ids = try hub.documents(of: Self.name, in: RecordShelf.open, from: offset, limit: 1_000, of: tenant).map(
          \.id)
        for id in ids { book.put(try record(id, in: tenant), in: tenant) }
        offset += ids.count
        if ids.count < 1_000 { break }
      }
    }
  }

  // MARK: - Reports

  /// What became of a report.
  public struct Taken: Sendable {
    public enum Way: String, Sendable {
      case opened
      case joined
      /// It had come before.
      case known
      /// The same source said the same again: it is counted.
      case repeated
    }

    public var incident: String
    public var way: Way
    /// Other incidents that it may be about; an operator is to say.
    public var candidates: [JoiningRules.Match] = []
  }

  /// Takes a report in: it opens an incident, or joins one that is about the same event. The same report is taken once,
  /// however often it is sent.
  ///
  /// - Parameter exercise: the exercise that it belongs to.
  /// - Throws: `Forbidden`, `Unauthorized` for who may not make incidents; `TooManyRequests` when too many wait.
  public func report(_ report: Report, exercise: String? = nil, in tenant: Tenant) async throws(Problem) -> Taken {
    // One after the other: of two reports of one event that come at once, one opens the incident and the other joins it.
    try await intake.take { () throws(Problem) in try await self.takeIn(report, exercise, tenant) }
  }

  private func takeIn(_ report: Report, _ exercise: String?, _ tenant: Tenant) async throws(Problem) -> Taken {
    let (party, book, plan) = (Party(Caller.current), book, plan)
    return try await hub.transact(as: Self.name, in: tenant) { transaction in
      let time = transaction.time
      var report = plan.plausibility.judging(report, at: time)
      if report.severity == .unknown, let category = plan.category(report.category) {
        report.severity = category.severity
      }
      let key = "\(report.source.utf8.count):\(report.source) \(report.number)"
      if let known = try transaction.document(key, in: RecordShelf.reports)?["incident"]?.string {
        return Taken(incident: known, way: .known)
      }
      let matches = plan.joining.matches(
        of: report, at: time, among: book.incidents(in: tenant), exercise: exercise,
        lastReported: { book.reported($0, in: tenant) })
      let command = "report " + key
      if let match = matches.first, match.isAutomatic {
        var record = try RecordShelf.record(match.incident, book.record(match.incident, in: tenant), transaction)
        let taken = try Self.join(&record, report, match, command, party, plan, &transaction)
        if let taken {
          try transaction.keep(["incident": .string(match.incident)], as: key, in: RecordShelf.reports)
          book.put(record, in: tenant, with: transaction)
          return taken
        }
      }
      let id = "urn:ngsi-ld:Incident:" + (try Self.number(at: time, transaction))
      var record = Record(opening: id, exercise: exercise, report, command: command, by: party, at: time)
      if let procedure = plan.procedure(for: report.category) {
        try Self.carryOut(.begin(procedure), "begin", .city, on: &record, at: time)
      }
      try RecordShelf.keep(record, from: 1, plan, &transaction)
      try transaction.keep(["incident": .string(id)], as: key, in: RecordShelf.reports)
      book.put(record, in: tenant, with: transaction)
      return Taken(incident: id, way: .opened, candidates: matches)
    }
  }

  /// - Returns: `nil` when the incident takes no more, and another is to be opened.
  private static func join(
    _ record: inout Record, _ report: Report, _ match: JoiningRules.Match, _ command: String, _ party: Party,
    _ plan: SafetyPlan, _ transaction: inout ServiceTransaction
  ) throws -> Taken? {
    let first = record.incident.sequence + 1
    // It may have ended since; and room is left for what people do about it.
    guard !record.incident.status.isOver, record.entries.count < Incident.Bounds.entries / 2 else { return nil }
    let isWorse = report.severity > record.incident.severity || record.incident.status == .resolved
    guard match.reason == .sameSource, !isWorse else {
      try carryOut(.report(report), command, party, on: &record, at: transaction.time)
      try RecordShelf.keep(record, from: first, plan, &transaction)
      return Taken(incident: match.incident, way: .joined)
    }
    // A storm of one source is a line a minute.
    let waiting = Int(try transaction.document(match.incident, in: RecordShelf.repeats)?["times"]?.integer ?? 0) + 1
    let last = record.entries.last { if case .repeated = $0.command { true } else { false } }
    if let last, transaction.time < last.at.adding(seconds: 60) {
      try transaction.keep(["times": .integer(Int64(waiting))], as: match.incident, in: RecordShelf.repeats)
    } else {
      try carryOut(.repeated(report.key, times: waiting), command, party, on: &record, at: transaction.time)
      try transaction.drop(match.incident, in: RecordShelf.repeats)
      try RecordShelf.keep(record, from: first, plan, &transaction)
    }
    return Taken(incident: match.incident, way: .repeated)
  }

  /// Day and number in the day, as people say it: `20261123-0042`. Days are those of UTC.
  private static func number(at time: DateTime, _ transaction: ServiceTransaction) throws -> String {
    let day = String(time.description.prefix(10).filter { $0 != "-" })
    let next = Int(try transaction.document(day, in: RecordShelf.days)?["count"]?.integer ?? 0) + 1
    try transaction.keep(["count": .integer(Int64(next))], as: day, in: RecordShelf.days)
    let digits = String(next)
    return day + "-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  // MARK: - Commands

  /// Carries out a command on an incident. One that was given before under the same id is not done again.
  ///
  /// - Parameters:
  ///   - id: of the command, given by who sends it.
  ///   - expected: the sequence number that who sends it has seen; `nil` when he does not care.
  /// - Returns: the incident afterwards, and the entry.
  /// - Throws: `Conflict` where the incident does not allow it, or has moved on; `ResourceNotFound`; `Forbidden`.
  public func carryOut(
    _ command: Command, as id: String, on incident: String, expected: Int? = nil, in tenant: Tenant
  ) async throws(Problem) -> (Incident, Entry) {
    let (party, book, plan) = (Party(Caller.current), book, plan)
    _ = try hub.entity(incident, in: tenant)
    return try await hub.transact(as: Self.name, in: tenant) { transaction in
      var record = try RecordShelf.record(incident, book.record(incident, in: tenant), transaction)
      if let known = record.incident.entry(ofCommand: id) { return (record.incident, record.entries[known - 1]) }
      if let expected, expected != record.incident.sequence {
        throw Problem(
          .conflict,
          "the incident has moved on: it stands at \(record.incident.sequence), not at \(expected); look at it again")
      }
      let first = record.incident.sequence + 1
      try Self.writeDownRepeats(of: &record, transaction)
      if case .merge(let other) = command {
        var target = try RecordShelf.record(other, book.record(other, in: tenant), transaction)
        guard target.incident.exercise == record.incident.exercise else { throw CommandRefusal.exerciseAndReal.problem }
        let start = target.incident.sequence + 1
        let absorb = Command.absorb(
          incident, record.incident.reports, record.incident.dispatches.filter(\.status.isOut))
        try Self.carryOut(absorb, "absorb \(id)", party, on: &target, at: transaction.time)
        try RecordShelf.keep(target, from: start, plan, &transaction)
        book.put(target, in: tenant, with: transaction)
      }
      let entry = try Self.carryOut(command, id, party, on: &record, at: transaction.time)
      try RecordShelf.keep(record, from: first, plan, &transaction)
      book.put(record, in: tenant, with: transaction)
      return (record.incident, entry)
    }
  }

  /// What came again and is only counted so far becomes a line before the next command.
  private static func writeDownRepeats(of record: inout Record, _ transaction: ServiceTransaction) throws {
    let id = record.incident.id
    guard let times = try transaction.document(id, in: RecordShelf.repeats)?["times"]?.integer,
      let report = record.incident.reports.first, !record.incident.status.isOver
    else { return }
    try carryOut(
      .repeated(report.key, times: Int(times)), "repeated before \(record.incident.sequence + 1)", .city, on: &record,
      at: transaction.time)
    try transaction.drop(id, in: RecordShelf.repeats)
  }

  @discardableResult
  private static func carryOut(
    _ command: Command, _ id: String, _ party: Party, on record: inout Record, at time: DateTime
  ) throws(Problem) -> Entry {
    do throws(CommandRefusal) { return try record.give(command, id: id, by: party, at: time).0 } catch {
      throw error.problem
    }
  }

  // MARK: - Reading

  /// The whole record, as far as the caller may read it: what is for other agencies alone is left out.
  public func record(_ id: String, in tenant: Tenant) throws(Problem) -> Record {
    _ = try hub.entity(id, in: tenant)
    if let known = book.record(id, in: tenant) { return known }
    let heads = try hub.document(of: Self.name, id, in: RecordShelf.heads, of: tenant)
    guard let head = heads else { throw .notFound("there is no incident \(id.prefix(200))") }
    let bodies = try hub.documents(
      of: Self.name, in: RecordShelf.entries(of: id), limit: Incident.Bounds.entries, of: tenant
    ).map(\.body)
    return try RecordShelf.fold(id, head, bodies)
  }

  /// The queue of all that is open and that the caller may see, in the order in which it wants to be looked at.
  public func queue(in tenant: Tenant) throws(Problem) -> [Attention] {
    let sees = try hub.sight(in: tenant)
    return Attention.queue(
      of: book.incidents(in: tenant).filter { sees($0.facts) }, targets: plan.targets, at: hub.time)
  }

  public func openCount(in tenant: Tenant) -> Int { book.count(in: tenant) }
}

extension Party {
  init(_ caller: Caller) {
    let kind: Kind =
      switch caller.kind {
      case .person: .person
      case .client: .client
      case .device: .device
      case .adapter: .adapter
      case .city: .city
      case .nobody: .nobody
      }
    self.init(kind, id: caller.id, agency: caller.agency, roles: caller.roles)
  }
}
