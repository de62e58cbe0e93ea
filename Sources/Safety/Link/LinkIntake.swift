import AgencyLink
import Hub
import Incidents
import NGSI
import Store

/// Takes in what an agency tells, inside one transaction with all that follows from it.
///
/// A beginning is a report of an incident, and so is what says more; that the danger is over there, that there was none,
/// or that the agency is done is noted here, and resolves the incident only where nobody but the agency reported it and
/// its alarm was heard.
struct LinkIntake: Sendable {
  let link: ServiceLink
  let plan: SafetyPlan
  let book: IncidentBook
  let body: EventBody

  private var party: Party { Party(.adapter, id: Self.source(of: link), agency: link.agency) }

  /// Whose reports they are.
  static func source(of link: ServiceLink) -> String { "link:" + link.id }

  /// The exercise that everything belongs to which a far side of exercises tells.
  static func exercise(of link: ServiceLink) -> String? { link.isExercise ? source(of: link) : nil }

  /// - Returns: what is answered.
  /// - Throws: only what keeps the message from being kept: the sender is to try again.
  func take(_ transaction: inout ServiceTransaction) throws -> Answer {
    let shelf = LinkShelf.heard(from: link.wire.agency)
    let name = "\(body.event.utf8.count):\(body.event)\(body.number)"
    let known = try transaction.document(name, in: shelf)
    let answer: Answer
    if let known, let kept = known["occurrence"], let incident = known["incident"]?.string {
      answer = try goOn(Occurrence(kept: kept), incident, name, shelf, &transaction)
    } else {
      let (occurrence, taking) = Occurrence.first(body)
      let incident = try report(&transaction)
      if taking == .ended { try note(incident, &transaction) }
      try keep(occurrence, incident, name, shelf, transaction)
      try LinkShelf.count(.received, of: link.id, transaction)
      answer = .success("")
    }
    return answer
  }

  private func goOn(
    _ before: Occurrence, _ incident: String, _ name: String, _ shelf: String, _ transaction: inout ServiceTransaction
  ) throws -> Answer {
    var occurrence = before
    var incident = incident
    let taking: Occurrence.Taking
    do throws(Occurrence.Refusal) { taking = try occurrence.take(body) } catch {
      try LinkShelf.count(.rejected, of: link.id, transaction)
      return .failure(error.description)
    }
    switch taking {
    case .duplicate:
      try LinkShelf.count(.duplicate, of: link.id, transaction)
      return .success("")
    case .stale: try note(incident, late: true, &transaction)
    case .changed where body.status == .cleared: try end(incident, .handled, &transaction)
    case .changed, .opened, .openedLate: incident = try change(incident, after: before.status, &transaction)
    case .ended: try end(incident, body.status == .cancelled ? .falseAlarm : .handled, &transaction)
    }
    try keep(occurrence, incident, name, shelf, transaction)
    try LinkShelf.count(.received, of: link.id, transaction)
    return .success("")
  }

  private func keep(
    _ occurrence: Occurrence, _ incident: String, _ name: String, _ shelf: String, _ transaction: ServiceTransaction
  ) throws {
    try transaction.keep(["occurrence": occurrence.json, "incident": .string(incident)], as: name, in: shelf)
  }

  // MARK: - What follows

  private func report(_ transaction: inout ServiceTransaction) throws -> String {
    let intake = Intake(
      plan: plan, book: book, tenant: .default, party: party, exercise: Self.exercise(of: link), sees: { _ in true })
    let taken = try intake.take(Report(body, link), &transaction)
    guard let incident = taken.incident else { throw Problem(.internalError, "a report of an agency has no incident") }
    return incident
  }

  /// It is known better. Where the incident goes on as another one, so does this.
  private func change(_ incident: String, after status: OccurrenceStatus, _ transaction: inout ServiceTransaction)
    throws
    -> String
  {
    var record = try current(incident, transaction)
    guard record.incident.id != incident, !record.incident.status.isOver else {
      let taken = try report(&transaction)
      // Nothing new is said but that the danger is there again.
      record = try current(taken, transaction)
      if status == .cleared, record.incident.status == .resolved {
        try give(.reopen(reason: words), to: &record, &transaction)
      }
      return taken
    }
    try give(.report(Report(body, link)), to: &record, &transaction)
    return record.incident.id
  }

  private func end(_ incident: String, _ kind: Command.Outcome.Kind, _ transaction: inout ServiceTransaction) throws {
    try note(incident, &transaction)
    var record = try current(incident, transaction)
    let isOnlyReporter = record.incident.reports.allSatisfy { $0.source == Self.source(of: link) }
    let isOpen = !record.incident.status.isOver && record.incident.status != .resolved
    guard isOnlyReporter, isOpen, !record.incident.isAlarming else { return }
    try give(.resolve(.init(kind, text: words)), to: &record, &transaction)
  }

  private func note(_ incident: String, late: Bool = false, _ transaction: inout ServiceTransaction) throws {
    var record = try current(incident, transaction)
    guard record.entries.count < Incident.Bounds.entries / 2 else { return }
    try give(.note(late ? words + " (늦게 도착/late)" : words, audience: []), to: &record, &transaction)
  }

  /// The state in words, with what the agency says of it.
  private var words: String {
    let title = link.wire.names["ko"] ?? link.id
    let said = [body.content, body.detail?.detail].compactMap { $0?.wired(to: 1_000) }.joined(separator: " ")
    return "[\(title)] \(body.status.rawValue) \(body.status.name): \(body.name?.wired(to: 100) ?? body.event) \(said)"
      .bounded(to: Incident.Bounds.text)
  }

  private func give(_ command: Command, to record: inout Record, _ transaction: inout ServiceTransaction) throws {
    let first = record.incident.sequence + 1
    try SafetyService.carryOut(
      command, SafetyService.ownId("link", "\(link.id) \(first)"), party, on: &record, at: transaction.time)
    try RecordShelf.keep(record, from: first, plan, asCity: true, &transaction)
    book.put(record, in: .default, with: transaction)
  }

  private func current(_ incident: String, _ transaction: ServiceTransaction) throws -> Record {
    var record = try RecordShelf.record(incident, book.record(incident, in: .default), transaction)
    // Merges lead to an end: none leads back.
    while let next = record.incident.mergedInto {
      record = try RecordShelf.record(next, book.record(next, in: .default), transaction)
    }
    return record
  }
}

extension Report {
  /// What an agency tells, as a report. What cannot be is doubted, and stands in the text as it came.
  init(_ body: EventBody, _ link: ServiceLink) {
    var lines = [body.name, body.content].compactMap { $0 }
    lines += body.items.map { "\($0.key): \($0.value ?? "")" }
    lines += body.doubts.map { "[\($0.field): \($0.text)]" }
    let category = link.category(of: body.event).bounded(to: 100)
    var doubts: Set<Doubt> = []
    for doubt in body.doubts {
      switch doubt.kind {
      case .time: doubts.insert(.time)
      case .place: doubts.insert(.place)
      case .status: break
      }
    }
    let position = body.coordinates.flatMap { coordinates in
      coordinates.longitude.flatMap { x in coordinates.latitude.flatMap { Position(longitude: x, latitude: $0) } }
    }
    self.init(
      source: LinkIntake.source(of: link), number: "\(body.event) \(body.number)".bounded(to: 200), channel: .agency,
      category: category.isEmpty ? "other" : category, severity: link.severity(of: body.grade),
      observedAt: body.occurredAt, position: position, address: body.place?.bounded(to: 500).nonEmpty,
      text: lines.joined(separator: "\n").bounded(to: Incident.Bounds.text).nonEmpty, doubts: doubts)
  }
}

extension String {
  /// As records keep texts: so many bytes at most, without controls but lines and tabs. What is cut off is told apart by the
  /// digest of it all, as numbers have to be.
  func bounded(to most: Int) -> String {
    let text = replacing("\r\n", with: "\n").wired(to: .max)
    guard text.utf8.count > most else { return text }
    let digest = String(text.utf8.fnv, radix: 16)
    var cut = String.UnicodeScalarView()
    var size = digest.utf8.count + 4
    for scalar in text.unicodeScalars {
      size += UTF8.width(scalar)
      guard size <= most else { break }
      cut.append(scalar)
    }
    return String(cut) + "…" + digest
  }

  var nonEmpty: String? { isEmpty ? nil : self }
}
