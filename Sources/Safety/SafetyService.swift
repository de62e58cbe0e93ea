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
  let book: IncidentBook
  let turns = Turns(bound: 10_000)
  /// What is exchanged with other agencies.
  public let links: LinkDesk
  public let warnings: WarningDesk

  public init(hub: Hub, plan: SafetyPlan) {
    self.hub = hub
    self.plan = plan
    book = IncidentBook(targets: plan.targets)
    links = LinkDesk(hub: hub, plan: plan, book: book, turns: turns)
    warnings = WarningDesk(hub: hub, plan: plan, book: book, turns: turns, links: links)
    hub.reserve([Context.core.expand(Incident.typeName)], for: Self.name, door: Self.door)
  }

  public var contract: ServiceContract {
    ServiceContract(
      name: Self.name, owns: [Incident.typeName, Warning.typeName], wakesOn: [],
      publishes: [
        Incident.typeName: ["status", "category", "severity", "location", "dateIssued", "owner", "agencies"],
        Warning.typeName: ["status", "severity", "urgency", "certainty", "location", "validTo"],
      ])
  }

  /// It acts when it is asked.
  public func run(clock: any CityClock, sink: any EntitySink) async throws {}

  /// Has the incidents at hand that were open when the city stopped. Call it before requests come in.
  ///
  /// - Returns: the incidents whose records are damaged; they are left as they are, and the others are at hand.
  public func resume() throws(Problem) -> [String] {
    let result = Caller.$current.withValue(.city) {
      Result { () throws(Problem) in try takeUp() }
    }
    return try result.get()
  }

  private func takeUp() throws(Problem) -> [String] {
    var damaged: [String] = []
    for tenant in try hub.tenants() {
      var offset = 0
      while true {
        let ids = try hub.documents(of: Self.name, in: RecordShelf.open, from: offset, limit: 1_000, of: tenant).map(
          \.id)
        for id in ids {
          do throws(Problem) { book.put(try record(id, in: tenant), in: tenant, at: hub.time) } catch {
            damaged.append(id)
          }
        }
        offset += ids.count
        if ids.count < 1_000 { break }
      }
    }
    return damaged
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

    /// `nil` for one that was there, and that who reports may not see.
    public var incident: String?
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
    // People who call do not wait behind sensors.
    let isCall = report.channel != .sensor && report.channel != .camera
    return try await turns.take(first: isCall) { () throws(Problem) in
      try await self.takeIn(report, exercise, tenant)
    }
  }

  private func takeIn(_ report: Report, _ exercise: String?, _ tenant: Tenant) async throws(Problem) -> Taken {
    let sees: @Sendable (Entity) -> Bool
    do throws(Problem) { sees = try hub.sight(in: tenant) } catch { sees = { _ in false } }
    let intake = Intake(
      plan: plan, book: book, tenant: tenant, party: Party(Caller.current), exercise: exercise, sees: sees)
    return try await hub.transact(as: Self.name, in: tenant) { try intake.take(report, &$0) }
  }

  // MARK: - Commands

  /// Carries out a command on an incident. One that was given before under the same id is not done again.
  ///
  /// - Parameters:
  ///   - id: of the command, given by who sends it.
  ///   - expected: the sequence number that who sends it has seen; `nil` when he does not care.
  /// - Returns: the incident afterwards, and the entry.
  /// - Throws: `Conflict` where the incident does not allow it, or has moved on; `ResourceNotFound`; `Forbidden`.
  @discardableResult
  public func carryOut(
    _ command: Command, as id: String, on incident: String, expected: Int? = nil, in tenant: Tenant
  ) async throws(Problem) -> (Incident, Entry) {
    try await carryOut(command, as: id, on: incident, by: asking, expected: expected, in: tenant)
  }

  /// The same in the name of another party, of which the service itself knows.
  func carryOut(
    _ command: Command, as id: String, on incident: String, by party: Party, expected: Int? = nil, in tenant: Tenant
  ) async throws(Problem) -> (Incident, Entry) {
    let (book, plan) = (book, plan)
    try requireWhole(incident, in: tenant)
    if case .merge(let other) = command { try requireWhole(other, in: tenant) }
    return try await hub.transact(as: Self.name, in: tenant) { transaction in
      var record = try RecordShelf.record(incident, book.record(incident, in: tenant), transaction)
      let isKnown = record.incident.entry(ofCommand: id) != nil
      if !isKnown, let expected, expected != record.incident.sequence {
        throw Problem(
          .conflict,
          "the incident has moved on: it stands at \(record.incident.sequence), not at \(expected); look at it again")
      }
      guard !isKnown else {
        return (record.incident, try Self.carryOut(command, id, party, on: &record, at: transaction.time))
      }
      let first = record.incident.sequence + 1
      try Intake.writeDownRepeats(of: &record, transaction)
      if case .merge(let other) = command {
        var target = try RecordShelf.record(other, book.record(other, in: tenant), transaction)
        guard target.incident.exercise == record.incident.exercise else { throw CommandRefusal.exerciseAndReal.problem }
        let start = target.incident.sequence + 1
        // An incident goes on elsewhere once, so its name is one for the command.
        try Self.carryOut(
          .absorb(Command.Absorbed(record.incident)), Self.ownId("absorb", incident), party, on: &target,
          at: transaction.time)
        try RecordShelf.keep(target, from: start, plan, &transaction)
        book.put(target, in: tenant, with: transaction)
      }
      let entry = try Self.carryOut(command, id, party, on: &record, at: transaction.time)
      try RecordShelf.keep(record, from: first, plan, &transaction)
      book.put(record, in: tenant, with: transaction)
      return (record.incident, entry)
    }
  }

  /// Ids of the service's own commands, which nobody else gives.
  static func ownId(_ name: String, _ rest: String) -> String { ownPrefix + name + " " + rest }

  public static let ownPrefix = "madang "

  @discardableResult
  static func carryOut(
    _ command: Command, _ id: String, _ party: Party, on record: inout Record, at time: DateTime
  ) throws(Problem) -> Entry {
    do throws(CommandRefusal) { return try record.give(command, id: id, by: party, at: time).0 } catch {
      throw error.problem
    }
  }

  // MARK: - Reading

  /// The whole record, as far as the caller may read it: what is for other agencies alone is left out.
  public func record(_ id: String, in tenant: Tenant) throws(Problem) -> Record {
    try requireWhole(id, in: tenant)
    return try whole(id, in: tenant)
  }

  func whole(_ id: String, in tenant: Tenant) throws(Problem) -> Record {
    if let known = book.record(id, in: tenant) { return known }
    let heads = try hub.document(of: Self.name, id, in: RecordShelf.heads, of: tenant)
    guard let head = heads else { throw .notFound("there is no incident \(id.prefix(200))") }
    let bodies = try hub.documents(
      of: Self.name, in: RecordShelf.entries(of: id), limit: Incident.Bounds.entries, of: tenant
    ).map(\.body)
    return try RecordShelf.fold(id, head, bodies)
  }

  /// A record says more than its entity, so it is for who may see all of that.
  ///
  /// - Throws: `ResourceNotFound` for an incident that the caller may not know of, `Forbidden` for one that he may see in part.
  private func requireWhole(_ id: String, in tenant: Tenant) throws(Problem) {
    let seen = try hub.entity(id, in: tenant)
    let whole = Caller.$current.withValue(.city) {
      Result { () throws(Problem) in try hub.entity(id, in: tenant) }
    }
    guard seen.attributes.count == (try whole.get().attributes.count) else {
      throw Problem(.forbidden, "rules hide part of the incident \(id); what you may see of it is its entity")
    }
  }

  /// The entries of a record that the caller may read: notes may be for other agencies alone.
  public func readable(_ record: Record) -> [Entry] {
    let reader = asking
    return record.entries.filter { $0.isFor(reader) }
  }

  /// The queue of all that is open and that the caller may see whole, in the order in which it wants to be looked at.
  public func queue(in tenant: Tenant) throws(Problem) -> [Attention] {
    let sees = try hub.sight(in: tenant)
    return book.queue(in: tenant, at: hub.time, where: sees)
  }

  public func openCount(in tenant: Tenant) -> Int { book.count(in: tenant) }

  /// Counts what has changed of those that are open: whoever has read the queue at the same number has not missed anything.
  public func revision(in tenant: Tenant) -> UInt64 { book.revision(in: tenant) }

  public var time: DateTime { hub.time }

  /// Who asks, as the record would name him.
  public var asking: Party { Party(Caller.current) }
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
