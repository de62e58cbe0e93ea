import AgencyLink
import Hub
import Incidents
import NGSI
import Store

/// What is kept of the links, in the transaction of what it follows from: what waits to leave, what each agency was told
/// of which incident, what it told, and how much each link is used.
enum LinkShelf {
  /// Messages that wait or were set aside, in the order in which they are to leave.
  static func outbox(of link: String) -> String { "link-out/\(link)" }
  /// What an agency was told last, by incident.
  static func told(by link: String) -> String { "link-told/\(link)" }
  /// Occurrences that an agency told of, by event and number.
  static func heard(from sender: String) -> String { "link-in/\(sender)" }
  static let usage = "link-usage"
  static let numbers = "link-numbers"

  /// Puts into the outboxes what agencies are to hear of what has come to a record.
  static func tell(_ record: Record, from first: Int, _ plan: SafetyPlan, _ transaction: ServiceTransaction) throws {
    // The agencies are those of the city, not of its tenants.
    guard transaction.tenant == .default else { return }
    for link in plan.links.links where link.peer != nil {
      if link.isExercise {
        try Teller<ExerciseFooting>(link: link, plan: plan, incident: record.incident).tell(record, first, transaction)
      } else {
        try Teller<RealFooting>(link: link, plan: plan, incident: record.incident).tell(record, first, transaction)
      }
    }
  }

  static func count(_ act: Usage.Act, times: Int = 1, of link: String, _ transaction: ServiceTransaction) throws {
    var usage = Usage(kept: try transaction.document(link, in: usage) ?? [:])
    usage.count(act, times: times, at: transaction.time)
    try transaction.keep(usage.json, as: link, in: Self.usage)
  }

  /// A number that no occurrence of the city had before.
  fileprivate static func number(_ transaction: ServiceTransaction) throws -> String {
    let last = try transaction.document("occurrence", in: numbers)?["last"]?.integer
    var next = OccurrenceNumbers(after: last.map { DateTime(microseconds: $0) })
    let number = next.next(at: transaction.time)
    let kept = next.last?.microseconds ?? transaction.time.microseconds
    try transaction.keep(["last": .integer(kept)], as: "occurrence", in: numbers)
    return number
  }

  /// A name for a message: they sort in the order in which they were put.
  fileprivate static func serial(_ transaction: ServiceTransaction) throws -> String {
    let next = (try transaction.document("message", in: numbers)?["last"]?.integer ?? 0) + 1
    try transaction.keep(["last": .integer(next)], as: "message", in: numbers)
    return String(next)
  }
}

/// Tells one agency of one incident, on one footing.
private struct Teller<On: Footing> {
  let link: ServiceLink
  let plan: SafetyPlan
  let incident: Incident

  func tell(_ record: Record, _ first: Int, _ transaction: ServiceTransaction) throws {
    guard On.holds(incident.exercise) else { return }
    for entry in record.entries where entry.sequence >= first { try tell(entry, transaction) }
  }

  private func tell(_ entry: Entry, _ transaction: ServiceTransaction) throws {
    guard let happening = ServiceLink.Happening(entry.command), let state = link.state(of: happening) else { return }
    // What it told itself is no news to it.
    guard entry.by.id != LinkIntake.source(of: link) else { return }
    let shelf = LinkShelf.told(by: link.id)
    let known = try transaction.document(incident.id, in: shelf)
    var status = known?["status"]?.string.flatMap(OccurrenceStatus.init(rawValue:))
    guard let news = try news(entry.command, state, isTold: status != nil, transaction) else { return }
    var telling = Telling(status: status, isExercise: false)
    // Who was told of nothing hears of nothing; an exercise is kept apart by the footing.
    guard let step = try? telling.hear(news) else { return }
    let event: String
    let number: String
    switch step {
    case .nothing: return
    case .send where status != nil:
      guard let old = known?["event"]?.string, let given = known?["number"]?.string else { return }
      (event, number) = (old, given)
    case .send, .sendAnew:
      // Only a beginning asks whether the agency is told of such incidents.
      guard let fitting = link.event(of: incident) else { return }
      (event, number) = (fitting, try LinkShelf.number(transaction))
    }
    status = telling.status
    let title = plan.category(incident.category)?.title.korean ?? incident.category
    guard let status,
      let outgoing = Outgoing<On>(
        of: incident, by: entry, link, title: title, event: event, number: number, status: status)
    else { return }
    try transaction.keep(outgoing.json, as: LinkShelf.serial(transaction), in: LinkShelf.outbox(of: link.id))
    try transaction.keep(
      ["status": .string(status.rawValue), "event": .string(event), "number": .string(number)], as: incident.id,
      in: shelf)
    let bell = plan.links.bells[link.id]
    transaction.afterCommit { bell?.ring(isNews: true) }
  }

  /// What a command means to the agency; `nil` for nothing.
  private func news(
    _ command: Command, _ state: OccurrenceStatus, isTold: Bool, _ transaction: ServiceTransaction
  ) throws -> Telling.Happening? {
    switch command {
    // Another agency is asked.
    case .dispatch(let dispatch) where dispatch.agency != link.agency && state == .occurred:
      return isTold ? .changed : nil
    case .involve(let agency) where agency != link.agency && state == .occurred: return nil
    // The agency was told of one that goes on here: what it was told ends with that, so it is told of this one.
    case .absorb(let other) where !isTold:
      let shelf = LinkShelf.told(by: link.id)
      return try transaction.document(other.incident, in: shelf) == nil ? nil : .told
    case .reopen where isTold: return .reopened
    default:
      let news: Telling.Happening =
        switch state {
        case .occurred: .told
        case .updated: .changed
        case .cleared: .resolved
        case .cancelled: .cancelled
        case .completed: .closed
        }
      // It became of a kind, or as grave, that the agency is told of: what it was asked before is told now.
      return news == .changed && !isTold && isAsked ? .told : news
    }
  }

  /// Whether the agency was asked to help, or is told of all such incidents anyway.
  private var isAsked: Bool {
    link.state(of: .report) == .occurred
      || incident.dispatches.contains { $0.dispatch.agency == link.agency && $0.status.isOut }
  }
}
