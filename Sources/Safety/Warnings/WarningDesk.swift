import CAP
import Hub
import Incidents
import NGSI
import Store

/// Warnings: the city's own, which it issues, updates and cancels, and those of others that are brought to it.
public final class WarningDesk: Sendable {
  public static let door = "/city/v1/safety/warnings"

  let hub: Hub
  let plan: SafetyPlan
  let book: IncidentBook
  let turns: Turns
  let links: LinkDesk

  init(hub: Hub, plan: SafetyPlan, book: IncidentBook, turns: Turns, links: LinkDesk) {
    (self.hub, self.plan, self.book, self.turns, self.links) = (hub, plan, book, turns, links)
    hub.reserve([Context.core.expand(Warning.typeName)], for: SafetyService.name, door: Self.door)
  }

  private func ownPlan() throws(Problem) -> WarningPlan {
    guard let own = plan.warnings else {
      throw Problem(.conflict, "the city's plan does not say who warns in its name ('warnings.sender')")
    }
    return own
  }

  // MARK: - The city's own

  /// Issues a warning; the same request, by its `id`, is carried out once.
  ///
  /// - Returns: the warning, and whether it is new.
  /// - Throws: `BadRequestData` with the member's name; `Conflict`; `Forbidden` for who may not warn.
  func issue(_ json: JSON, in tenant: Tenant) async throws(Problem) -> (Warning, isNew: Bool) {
    let own = try ownPlan()
    let party = Party(Caller.current)
    let fields = try Fields(json, "", only: WarningDraft.members)
    let request = try fields.text("id", most: 200)
    let about = try fields.optional("incident", most: 500)
    let exercise = try fields.optional("exercise", most: 200)
    let isTest = try fields.flag("test") ?? false
    guard exercise == nil || !isTest else { throw .badRequest("a warning is of an exercise or a test, not both") }
    let (plan, book, links) = (plan, book, links)
    if let about { _ = try hub.entity(about, in: tenant) }
    return try await hub.transact(as: SafetyService.name, in: tenant) { transaction in
      if let known = try Self.known(request, json, party, transaction) { return (known, false) }
      var incident: Incident?
      if let about { incident = try RecordShelf.record(about, book.record(about, in: tenant), transaction).incident }
      let kind = try Self.kind(exercise, isTest, incident)
      let title = incident.flatMap { plan.category($0.category)?.title }
      let draft = try WarningDraft(json: json, own, incident: incident, title: title, at: transaction.time)
      let number = try WarningShelf.number(transaction)
      let alert = try Self.message(draft, kind, "madang-\(number)-1", own, .alert, [], about, transaction.time)
      let warning = Warning(
        id: "urn:ngsi-ld:Warning:" + number, sequence: 1, kind: kind, isOwn: true, incident: about, alert: alert,
        references: [alert.reference], issuedAt: transaction.time)
      try WarningShelf.keep(warning, by: party, &transaction)
      try Self.remember(request, json, party, warning, transaction)
      try Self.tell(warning, "발령/issued", by: party, links, &transaction)
      return (warning, true)
    }
  }

  /// Says anew what people are warned of, or that the warning is over.
  ///
  /// - Parameter json: a draft, or, to cancel, `{"id", "reason": {"ko", "en"}}`.
  func change(_ id: String, _ type: CAPAlert.MessageType, _ json: JSON, in tenant: Tenant) async throws(Problem)
    -> Warning
  {
    let own = try ownPlan()
    let party = Party(Caller.current)
    let cancels = type == .cancel
    let fields = try Fields(
      json, "", only: cancels ? ["id", "reason"] : WarningDraft.members.subtracting(["incident", "exercise", "test"]))
    let request = try fields.text("id", most: 200)
    let reason = cancels ? try Procedure.Title(json: fields.object["reason"], "reason") : nil
    _ = try hub.entity(id, in: tenant)
    let (book, links) = (book, links)
    return try await hub.transact(as: SafetyService.name, in: tenant) { transaction in
      if let known = try Self.known(request, json, party, transaction) { return known }
      var warning = try WarningShelf.warning(id, transaction)
      guard warning.isOwn else {
        throw Problem(.conflict, "the warning is of \(warning.alert.sender), who alone changes it")
      }
      let state = warning.state(at: transaction.time)
      guard state == "in-force" else { throw Problem(.conflict, "the warning is \(state): issue another one") }
      guard warning.sequence < Warning.messages else {
        throw Problem(.conflict, "a warning has at most \(Warning.messages) messages")
      }
      let identifier = "madang-\(id.split(separator: ":").last ?? "")-\(warning.sequence + 1)"
      let alert: CAPAlert
      if let reason {
        alert = try Self.cancelling(warning, reason, identifier, own, transaction.time)
      } else {
        var incident: Incident?
        if let about = warning.incident {
          incident = try RecordShelf.record(about, book.record(about, in: tenant), transaction).incident
        }
        let draft = try WarningDraft(json: json, own, incident: incident, title: nil, at: transaction.time)
        alert = try Self.message(
          draft, warning.kind, identifier, own, type, warning.references, warning.incident, transaction.time)
      }
      warning.alert = alert
      warning.isCancelled = cancels
      warning.sequence += 1
      warning.references = Array((warning.references + [alert.reference]).suffix(50))
      try WarningShelf.keep(warning, by: party, &transaction)
      try Self.remember(request, json, party, warning, transaction)
      try Self.tell(warning, cancels ? "해제/cancelled" : "변경/updated", by: party, links, &transaction)
      return warning
    }
  }

  /// What is of an exercise stays it, whatever is asked for; what is real is not warned of as an exercise.
  private static func kind(_ exercise: String?, _ isTest: Bool, _ incident: Incident?) throws(Problem) -> WarningKind {
    if let incident {
      guard exercise == nil || exercise == incident.exercise, !isTest else {
        throw CommandRefusal.exerciseAndReal.problem
      }
      return incident.exercise.map(WarningKind.exercise) ?? .actual
    }
    if let exercise { return .exercise(exercise) }
    return isTest ? .test : .actual
  }

  private static func message(
    _ draft: WarningDraft, _ kind: WarningKind, _ identifier: String, _ plan: WarningPlan, _ type: CAPAlert.MessageType,
    _ references: [CAPAlert.Reference], _ incident: String?, _ time: DateTime
  ) throws(Problem) -> CAPAlert {
    let alert = kind.message(
      { alert in
        alert.restriction = draft.restriction
        alert.addresses = draft.addresses
        alert.note = draft.note
        alert.references = references
        alert.incidents = incident.map { [$0] } ?? []
        alert.infos = draft.infos
      }, identifier: identifier, sender: plan.sender, sent: whole(time), type, scope: draft.scope)
    return try whole(alert)
  }

  /// The last message with what was said of its end.
  private static func cancelling(
    _ warning: Warning, _ reason: Procedure.Title, _ identifier: String, _ plan: WarningPlan, _ time: DateTime
  ) throws(Problem) -> CAPAlert {
    let last = warning.alert
    let alert = warning.kind.message(
      { alert in
        (alert.restriction, alert.addresses) = (last.restriction, last.addresses)
        alert.references = warning.references
        alert.incidents = last.incidents
        alert.note = reason.english
        alert.infos = last.infos.map { info in
          var info = info
          info.responses = [.allClear]
          info.urgency = .past
          info.headline = info.language.hasPrefix("ko") ? reason.korean : reason.english
          info.description = nil
          info.instruction = nil
          info.effective = time
          return info
        }
      }, identifier: identifier, sender: plan.sender, sent: whole(time), .cancel, scope: last.scope)
    return try whole(alert)
  }

  /// Messages count in seconds.
  private static func whole(_ time: DateTime) -> DateTime {
    DateTime(microseconds: time.microseconds - time.microseconds % 1_000_000)
  }

  /// What leaves has to come back: what readers here would not take is not issued.
  private static func whole(_ alert: CAPAlert?) throws(Problem) -> CAPAlert {
    guard let alert, let read = try? CAPAlert(reading: Array(alert.xml.utf8)), read.doubts.isEmpty else {
      throw .badRequest("the warning cannot be written as CAP 1.2 within its bounds")
    }
    return alert
  }

  private static func tell(
    _ warning: Warning, _ word: String, by party: Party, _ links: LinkDesk, _ transaction: inout ServiceTransaction
  ) throws {
    guard let incident = warning.incident, transaction.tenant == .default else { return }
    let event = warning.alert.info(in: "ko")?.event ?? ""
    try links.note("경보/warning \(word): \(event) (\(warning.id))", on: incident, by: party, asCity: true, &transaction)
  }

  // MARK: - Requests that come again

  private static func known(_ request: String, _ json: JSON, _ party: Party, _ transaction: ServiceTransaction) throws
    -> Warning?
  {
    let known = try transaction.document("\(party.kind.rawValue) \(party.id) \(request)", in: WarningShelf.requests)
    guard let known, let id = known["warning"]?.string else { return nil }
    guard known["digest"]?.string == digest(json) else { throw CommandRefusal.idTaken(request).problem }
    return try WarningShelf.warning(id, transaction)
  }

  private static func remember(
    _ request: String, _ json: JSON, _ party: Party, _ warning: Warning, _ transaction: ServiceTransaction
  ) throws {
    try transaction.keep(
      ["warning": .string(warning.id), "digest": .string(digest(json))],
      as: "\(party.kind.rawValue) \(party.id) \(request)",
      in: WarningShelf.requests)
  }

  private static func digest(_ json: JSON) -> String { String(CanonicalJSON.bytes(json).fnv, radix: 16) }
}

extension Sequence<UInt8> {
  /// FNV-1a, 64 bits.
  var fnv: UInt64 { reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 } }
}
