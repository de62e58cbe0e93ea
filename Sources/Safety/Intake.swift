import Hub
import Incidents
import NGSI
import Store

/// Takes one report in, inside its transaction: the same report again, one about an incident that is open, or a new incident.
struct Intake: Sendable {
  let plan: SafetyPlan
  let book: IncidentBook
  let tenant: Tenant
  let party: Party
  let exercise: String?
  /// Whether who reports may know of an incident.
  let sees: @Sendable (Entity) -> Bool

  typealias Taken = SafetyService.Taken

  /// - Throws: `Forbidden`, `Unauthorized` for who may not bring incidents about.
  func take(_ sent: Report, _ transaction: inout ServiceTransaction) throws -> Taken {
    let time = transaction.time
    var report = plan.plausibility.judging(sent, at: time)
    if report.severity == .unknown, let category = plan.category(report.category) {
      report.severity = category.severity
    }
    if report.position == nil, exercise == nil, let position = try located(report, transaction) {
      report.position = position
    }
    let key = key(of: report)
    let digest = Self.digest(of: sent)
    let command = SafetyService.ownId("report", key + " " + digest)
    // Asked first: what becomes of a report is the city's doing, and is nothing to who may not bring one.
    let opening = Record(
      opening: "urn:ngsi-ld:Incident:new", exercise: exercise, report, command: command, by: party, at: time)
    try transaction.permitCreating(RecordShelf.facts(opening.incident, plan))

    if let taken = try again(report, key, digest, command, &transaction) { return taken }
    let matches = plan.joining.matches(
      of: report, at: time, among: book.candidates(for: report, by: plan.joining, in: tenant),
      exercise: exercise,
      lastReported: { book.reported($0, in: tenant) })
    for match in matches where match.isAutomatic {
      if let taken = try join(match.incident, report, isSameSource: match.reason == .sameSource, command, &transaction)
      {
        try remember(match.incident, key, digest, transaction)
        return taken
      }
    }
    let id = "urn:ngsi-ld:Incident:" + (try Self.number(at: time, transaction))
    var record = Record(opening: id, exercise: exercise, report, command: command, by: party, at: time)
    if let procedure = plan.procedure(for: report.category) {
      try SafetyService.carryOut(
        .begin(procedure), SafetyService.ownId("begin", procedure.id), .city, on: &record, at: time)
    }
    try RecordShelf.keep(record, from: 1, plan, asCity: true, &transaction)
    try remember(id, key, digest, transaction)
    book.put(record, in: tenant, with: transaction)
    let seen = matches.filter { match in
      book.record(match.incident, in: tenant).map { sees(RecordShelf.facts($0.incident, plan)) } ?? false
    }
    return Taken(incident: id, way: .opened, candidates: seen)
  }

  /// Where the handset said it is that the call comes from.
  private func located(_ report: Report, _ transaction: ServiceTransaction) throws -> Position? {
    guard let contact = report.contact,
      let known = try transaction.document(SafetyService.key(contact), in: SafetyService.locations),
      let at = known["at"]?.string.flatMap({ DateTime($0) }),
      transaction.time < at.adding(seconds: SafetyService.locationWaits)
    else { return nil }
    return try? Position(json: known["position"], "position")
  }

  /// Adds what belongs to an incident that is known.
  ///
  /// - Returns: false where it takes no more.
  func add(_ report: Report, to incident: String, _ transaction: inout ServiceTransaction) throws -> Bool {
    let key = key(of: report)
    let digest = Self.digest(of: report)
    let command = SafetyService.ownId("report", key + " " + digest)
    if let known = try transaction.document(key, in: RecordShelf.reports), known["digest"]?.string == digest {
      return true
    }
    let taken = try join(incident, report, isSameSource: false, command, &transaction)
    if taken != nil { try remember(incident, key, digest, transaction) }
    return taken != nil
  }

  // MARK: - The same report

  /// Numbers are of who sends them: nobody takes another's.
  private func key(of report: Report) -> String {
    let parts = [exercise ?? "", party.kind.rawValue, party.id, report.source, report.number]
    return parts.map { "\($0.utf8.count):\($0)" }.joined()
  }

  /// What tells a report that is sent again from one that says something else (FNV-1a, 64 bits).
  private static func digest(of report: Report) -> String {
    let hash = CanonicalJSON.bytes(report.json).reduce(UInt64(0xcbf2_9ce4_8422_2325)) {
      ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3
    }
    return String(hash, radix: 16)
  }

  private func remember(_ incident: String, _ key: String, _ digest: String, _ transaction: ServiceTransaction) throws {
    let what: JSON = [
      "incident": .string(incident), "digest": .string(digest), "at": .string(transaction.time.description),
    ]
    try transaction.keep(what, as: key, in: RecordShelf.reports)
    try forgetOld(RecordShelf.reports, transaction)
  }

  /// Numbers count for as long as their incident is open, and a day longer. Two of the oldest are looked at with each report, so that
  /// there are never many more than are needed.
  func forgetOld(_ collection: String = RecordShelf.reports, _ transaction: ServiceTransaction) throws {
    for (key, known) in try transaction.documents(in: collection, limit: 2) {
      let at = known["at"]?.string.flatMap { DateTime($0) } ?? transaction.time
      guard transaction.time > at.adding(seconds: plan.plausibility.oldest), let incident = known["incident"]?.string
      else { return }
      try transaction.drop(key, in: collection)
      let isOpen = try transaction.document(incident, in: RecordShelf.open) != nil
      // It goes to the end of the line.
      if isOpen { try transaction.keep(known, as: key, in: collection) }
    }
  }

  /// - Returns: `nil` for a number that was not used before, or long ago for something that is over.
  private func again(
    _ report: Report, _ key: String, _ digest: String, _ command: String, _ transaction: inout ServiceTransaction
  ) throws -> Taken? {
    guard let known = try transaction.document(key, in: RecordShelf.reports), let incident = known["incident"]?.string
    else { return nil }
    let record = try RecordShelf.record(incident, book.record(incident, in: tenant), transaction)
    let isSame = known["digest"]?.string == digest
    if isSame {
      let at = known["at"]?.string.flatMap { DateTime($0) } ?? transaction.time
      let isFresh = transaction.time < at.adding(seconds: plan.plausibility.oldest)
      guard !record.incident.status.isOver || isFresh else { return nil }
      return Taken(incident: shown(record), way: .known)
    }
    // It says more than before, of the same event.
    guard let taken = try join(incident, report, isSameSource: false, command, &transaction) else { return nil }
    try remember(incident, key, digest, transaction)
    return taken
  }

  private func shown(_ record: Record) -> String? {
    sees(RecordShelf.facts(record.incident, plan)) ? record.incident.id : nil
  }

  // MARK: - Joining

  /// - Returns: `nil` when the incident takes no more, and another is to be opened.
  private func join(
    _ incident: String, _ report: Report, isSameSource: Bool, _ command: String, _ transaction: inout ServiceTransaction
  ) throws -> Taken? {
    var record = try RecordShelf.record(incident, book.record(incident, in: tenant), transaction)
    let first = record.incident.sequence + 1
    // It may have ended since.
    guard !record.incident.status.isOver else { return nil }
    // Room is left for what people do about it.
    let isFull = record.entries.count >= Incident.Bounds.entries / 2
    let heard = record.incident.reports.filter { $0.source == report.source }.map(\.severity).max() ?? .unknown
    let isNews = report.severity > heard || record.incident.status == .resolved
    if isSameSource, isFull || !isNews {
      try count(report, of: &record, isFull: isFull, &transaction)
      return Taken(incident: shown(record), way: .repeated)
    }
    guard !isFull else { return nil }
    try SafetyService.carryOut(.report(report), command, party, on: &record, at: transaction.time)
    try RecordShelf.keep(record, from: first, plan, asCity: true, &transaction)
    book.put(record, in: tenant, with: transaction)
    return Taken(incident: shown(record), way: .joined)
  }

  /// A storm of one source is a line a minute.
  private func count(_ report: Report, of record: inout Record, isFull: Bool, _ transaction: inout ServiceTransaction)
    throws
  {
    let id = record.incident.id
    let first = record.incident.sequence + 1
    let waiting = Int(try transaction.document(id, in: RecordShelf.repeats)?["times"]?.integer ?? 0) + 1
    let last = record.entries.last { if case .repeated = $0.command { true } else { false } }
    if isFull || last.map({ transaction.time < $0.at.adding(seconds: 60) }) ?? false {
      let what: JSON = [
        "times": .integer(Int64(waiting)), "source": .string(report.source), "number": .string(report.number),
      ]
      try transaction.keep(what, as: id, in: RecordShelf.repeats)
      book.hear(of: id, at: transaction.time, in: tenant, with: transaction)
    } else {
      try SafetyService.carryOut(
        .repeated(report.key, times: waiting), SafetyService.ownId("repeated", "\(first)"), party, on: &record,
        at: transaction.time)
      try transaction.drop(id, in: RecordShelf.repeats)
      try RecordShelf.keep(record, from: first, plan, asCity: true, &transaction)
      book.put(record, in: tenant, with: transaction)
    }
  }

  /// What came again and is only counted so far becomes a line before the next command.
  static func writeDownRepeats(of record: inout Record, _ transaction: ServiceTransaction) throws {
    let id = record.incident.id
    guard let waiting = try transaction.document(id, in: RecordShelf.repeats), let times = waiting["times"]?.integer,
      let source = waiting["source"]?.string, let number = waiting["number"]?.string,
      !record.incident.status.isOver, record.entries.count < Incident.Bounds.entries / 2
    else { return }
    try SafetyService.carryOut(
      .repeated(Report.Key(source: source, number: number), times: Int(times)),
      SafetyService.ownId("repeated", "\(record.incident.sequence + 1)"), .city, on: &record, at: transaction.time)
    try transaction.drop(id, in: RecordShelf.repeats)
  }

  /// Day and number in the day, as people say it: `20261123-0042`. Days are those of UTC.
  private static func number(at time: DateTime, _ transaction: ServiceTransaction) throws -> String {
    let day = String(time.description.prefix(10).filter { $0 != "-" })
    let next = Int(try transaction.document(day, in: RecordShelf.days)?["count"]?.integer ?? 0) + 1
    try transaction.keep(["count": .integer(Int64(next))], as: day, in: RecordShelf.days)
    let digits = String(next)
    return day + "-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
