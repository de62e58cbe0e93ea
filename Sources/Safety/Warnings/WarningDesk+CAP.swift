import CAP
import Hub
import Incidents
import NGSI
import Store

// Messages of others.
extension WarningDesk {
  /// What became of a message.
  enum Way: String {
    /// It begins a warning, or a report an incident.
    case opened
    /// It changed a warning, or says more of an incident.
    case changed
    /// It had come before.
    case known
    /// It is older than what is known, or says nothing of a warning's state: kept.
    case kept
  }

  /// Takes a CAP message in as a warning of others.
  ///
  /// - Throws: `BadRequestData` that names the element; `Conflict` for one that would change the city's own.
  func take(_ bytes: [UInt8], in tenant: Tenant) async throws(Problem) -> (Warning?, Way) {
    let alert = try read(bytes)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .badRequest("the document is not in UTF-8") }
    let (party, plan) = (Party(Caller.current), plan)
    return try await hub.transact(as: SafetyService.name, in: tenant) { transaction in
      let judged = plan.plausibility.judging(alert, at: transaction.time)
      if let known = try transaction.document(WarningShelf.key(alert.reference), in: WarningShelf.index) {
        return (try known["warning"]?.string.map { try WarningShelf.warning($0, transaction) }, .known)
      }
      let kind = Self.kind(of: judged)
      var (warning, earlier) = (Warning?.none, Warning?.none)
      for reference in judged.references {
        guard let id = try transaction.document(WarningShelf.key(reference), in: WarningShelf.index)?["warning"]?.string
        else { continue }
        earlier = try WarningShelf.warning(id, transaction)
        break
      }
      switch judged.messageType {
      case .acknowledgement, .error:
        // It changes nothing: it stands with the warning that it is about, where that is known.
        if let earlier, earlier.sequence < Warning.messages {
          try Self.keep(text, judged, beside: earlier, party, &transaction)
        } else {
          try transaction.keep(["cap": .string(text)], as: WarningShelf.key(judged.reference), in: WarningShelf.index)
        }
        return (earlier, .kept)
      case .update, .cancel, .alert: break
      }
      // What is of an exercise changes nothing that is real.
      if var known = earlier, known.kind == kind, judged.messageType != .alert, known.sequence < Warning.messages {
        guard !known.isOwn, known.alert.sender == judged.sender else {
          throw Problem(.conflict, "the warning \(known.id) is of \(known.alert.sender), who alone changes it")
        }
        guard judged.sent >= known.alert.sent else {
          try Self.keep(text, judged, beside: known, party, &transaction)
          return (known, .kept)
        }
        known.alert = judged
        known.isCancelled = judged.messageType == .cancel
        known.sequence += 1
        known.references = Array((known.references + [judged.reference]).suffix(50))
        warning = known
      }
      let way: Way = warning == nil ? .opened : .changed
      let kept: Warning
      if let warning {
        kept = warning
      } else {
        kept = Warning(
          id: "urn:ngsi-ld:Warning:" + (try WarningShelf.number(transaction)), sequence: 1,
          isCancelled: judged.messageType == .cancel, kind: kind, isOwn: false, incident: nil, alert: judged,
          references: [judged.reference], issuedAt: transaction.time)
      }
      try WarningShelf.keep(kept, cap: text, by: party, &transaction)
      return (kept, way)
    }
  }

  /// Takes a CAP message in as a report of an incident; one that cancels is noted there.
  func takeAsReport(_ bytes: [UInt8], in tenant: Tenant) async throws(Problem) -> (SafetyService.Taken, Way) {
    let alert = try read(bytes)
    guard alert.status == .actual || alert.status == .exercise else {
      throw .badRequest("a message of the status \(alert.status.rawValue) reports no incident")
    }
    guard [.alert, .update, .cancel].contains(alert.messageType) else {
      throw .badRequest("a message of the type \(alert.messageType.rawValue) reports no incident")
    }
    let sees: @Sendable (Entity) -> Bool
    do throws(Problem) { sees = try hub.sight(in: tenant) } catch { sees = { _ in false } }
    let (plan, book, links, hub) = (plan, book, links, hub)
    let exercise = alert.status == .exercise ? Report.source(of: alert) : nil
    let intake = Intake(
      plan: plan, book: book, tenant: tenant, party: Party(Caller.current), exercise: exercise, sees: { _ in true })
    return try await turns.take { () throws(Problem) in
      try await hub.transact(as: SafetyService.name, in: tenant) { transaction in
        let root = Report.number(of: alert)
        let place = "\(alert.status.rawValue) \(alert.sender),\(root)"
        let known = try transaction.document(place, in: "cap-reports")?["incident"]?.string
        if alert.messageType == .cancel, let known {
          let key = "cancel " + WarningShelf.key(alert.reference)
          guard try transaction.document(key, in: "cap-reports") == nil else {
            return (.init(incident: known, way: .known), .known)
          }
          try transaction.keep([:], as: key, in: "cap-reports")
          let text = "[CAP \(alert.sender)] 취소/Cancel: \(alert.infos.first?.headline ?? alert.note ?? "")"
          if tenant == .default { try links.note(text, on: known, by: .city, asCity: true, &transaction) }
          return (.init(incident: known, way: .joined), .changed)
        }
        var taken = try intake.take(Report(alert, plan.warnings), &transaction)
        if let incident = taken.incident {
          try transaction.keep(["incident": .string(incident)], as: place, in: "cap-reports")
          let record = book.record(incident, in: tenant)?.incident
          if let record, !sees(RecordShelf.facts(record, plan)) { taken.incident = nil }
        }
        let way: Way = taken.way == .opened ? .opened : taken.way == .known ? .known : .changed
        return (taken, way)
      }
    }
  }

  private func read(_ bytes: [UInt8]) throws(Problem) -> CAPAlert {
    let alert: CAPAlert
    do throws(CAPError) { alert = try CAPAlert(reading: bytes) } catch {
      throw .badRequest("CAP: \(error.description)")
    }
    guard alert.sender != plan.warnings?.sender else {
      throw Problem(.conflict, "the message bears the city's own name as its sender: it warns at \(Self.door)")
    }
    return alert
  }

  private static func kind(of alert: CAPAlert) -> WarningKind {
    switch alert.status {
    case .actual: .actual
    case .exercise: .exercise(Report.source(of: alert))
    case .test, .system, .draft: .test
    }
  }

  /// A message that changes nothing stands beside the others, under a name that they do not have.
  private static func keep(
    _ text: String, _ alert: CAPAlert, beside warning: Warning, _ party: Party, _ transaction: inout ServiceTransaction
  ) throws {
    let message: JSON = [
      "at": .string(transaction.time.description), "by": party.json, "type": .string(alert.messageType.rawValue),
      "cap": .string(text),
    ]
    let key = WarningShelf.key(alert.reference)
    // Who may not change warnings adds nothing to them.
    try transaction.put(warning.facts(at: transaction.time))
    try transaction.keep(message, as: warning.id + "#" + key, in: WarningShelf.messages(of: warning.id))
    transaction.state("warning-step", alert.messageType.rawValue, of: warning.id, message)
    try transaction.keep(["warning": .string(warning.id)], as: key, in: WarningShelf.index)
  }
}

extension Plausibility {
  /// The message with what cannot be of its times named.
  fileprivate func judging(_ alert: CAPAlert, at time: DateTime) -> CAPAlert {
    var alert = alert
    let now = time.secondsSince1970
    func judge(_ element: String, _ said: DateTime?, latest: Double) {
      guard let said else { return }
      let seconds = said.secondsSince1970
      guard seconds < now - 365 * 86_400 || seconds > now + latest else { return }
      alert.doubts.append(.init(element: element, text: said.description, reason: "cannot be"))
    }
    judge("sent", alert.sent, latest: newest)
    for (index, info) in alert.infos.enumerated() {
      judge("info[\(index)].onset", info.onset, latest: 365 * 86_400)
      judge("info[\(index)].effective", info.effective, latest: 365 * 86_400)
      judge("info[\(index)].expires", info.expires, latest: 365 * 86_400)
    }
    return alert
  }
}

extension Report {
  fileprivate static func source(of alert: CAPAlert) -> String { ("cap:" + alert.sender).bounded(to: 200) }

  /// All messages of one warning have the number of its first.
  fileprivate static func number(of alert: CAPAlert) -> String {
    (alert.references.first { $0.sender == alert.sender }?.identifier ?? alert.identifier).bounded(to: 200)
  }

  fileprivate init(_ alert: CAPAlert, _ plan: WarningPlan?) {
    let info = alert.info(in: "ko")
    var lines = [info?.headline, info?.description, info?.instruction].compactMap { $0 }
    lines += alert.doubts.prefix(20).map { "[\($0.element): \($0.text) \($0.reason)]" }
    let area = info?.areas.first
    var position: Position?
    if let circle = area?.circles.first {
      position = Position(
        longitude: circle.centre.longitude, latitude: circle.centre.latitude, uncertainty: circle.radius * 1_000)
    } else if let points = area?.polygons.first?.points.dropLast(), !points.isEmpty {
      let (x, y) = (
        points.map(\.longitude).reduce(0, +) / Double(points.count),
        points.map(\.latitude).reduce(0, +) / Double(points.count)
      )
      if let centre = Position(longitude: x, latitude: y) {
        let reach = points.compactMap { Position(longitude: $0.longitude, latitude: $0.latitude)?.distance(to: centre) }
          .max()
        position = Position(longitude: x, latitude: y, uncertainty: reach)
      }
    }
    let named = info?.categories.compactMap { plan?.categories[$0] }.first
    let category = named ?? info?.event.bounded(to: 100).nonEmpty ?? "other"
    let isUnread = alert.doubts.contains { $0.element.contains("polygon") || $0.element.contains("circle") }
    self.init(
      source: Self.source(of: alert), number: Self.number(of: alert), channel: .agency, category: category,
      severity: (info?.severity.rawValue).flatMap(Severity.init(rawValue:)) ?? .unknown,
      observedAt: info?.onset ?? info?.effective ?? alert.sent, position: position,
      address: area?.description.bounded(to: 500).nonEmpty,
      text: lines.joined(separator: "\n").bounded(to: Incident.Bounds.text).nonEmpty,
      doubts: isUnread ? [.place] : [])
  }
}
