import Foundation
import Incidents
import NGSI
import Safety

/// What the pages say of incidents, in the reader's language.
extension Visit {
  /// The number that people say: what comes after the last colon of its id.
  static func number(_ incident: String) -> String { incident.split(separator: ":").last.map(String.init) ?? incident }

  static func incidentPath(_ id: String, _ rest: String = "") -> String {
    "/operations/incidents/" + Percent.encode(id) + rest
  }

  func title(_ title: Procedure.Title) -> String { language == .ko ? title.korean : title.english }

  func categoryTitle(_ id: String, _ plan: SafetyPlan) -> String { plan.category(id).map { title($0.title) } ?? id }

  func place(_ incident: Incident) -> String {
    if let address = incident.address, !address.isEmpty { return address }
    return incident.position.map(place) ?? text("placeUnknown")
  }

  /// `35.15800, 129.06000 ±30 m`
  func place(_ position: Position) -> String {
    var text = String(format: "%.5f, %.5f", position.latitude, position.longitude)
    if let uncertainty = position.uncertainty { text += " ±" + NumberText.short(uncertainty.rounded()) + " m" }
    return text
  }

  /// A name for who did something: his account, with his agency; the city by its own name.
  func who(_ party: Party?) -> String {
    guard let party else { return text("whoNobody") }
    let name =
      switch party.kind {
      case .city: text("whoCity")
      case .nobody: text("whoOpen")
      default: room.source.displayName(party.kind.rawValue, party.id)
      }
    return party.agency.map { "\(name) (\($0))" } ?? name
  }

  func reason(_ reason: Attention.Reason, _ incident: Incident) -> String? {
    switch reason {
    case .alarm, .severity: nil
    case .late(let milestone): text("reasonLate", ["what": text("milestone_" + milestone.rawValue)])
    case .stepLate(let step):
      text("reasonStepLate", ["what": incident.run?.procedure.step(step).map { title($0.title) } ?? step])
    case .noUnit: text("reasonNoUnit")
    case .noOwner: text("reasonNoOwner")
    }
  }

  /// One line of the queue.
  func row(_ item: Attention, _ plan: SafetyPlan) -> [String: Any] {
    let incident = item.incident
    var row: [String: Any] = [
      "incidentId": incident.id, "incidentNumber": Self.number(incident.id),
      "incidentHref": Self.incidentPath(incident.id),
      "incidentTitle": categoryTitle(incident.category, plan), "severity": incident.severity.rawValue,
      "severityText": text("severity_" + incident.severity.rawValue),
      "statusText": text("incidentStatus_" + incident.status.rawValue), "status": incident.status.rawValue,
      "isAlarming": incident.isAlarming, "place": place(incident), "opened": incident.openedAt.description,
      "age": clock(incident.age(at: now)), "reasons": item.reasons.compactMap { reason($0, incident) },
      "reports": NumberText.short(Double(incident.reports.count + incident.repetitions)),
      "owner": incident.owner.map(who) ?? "", "exercise": incident.exercise ?? "",
    ]
    if let units = units(incident) { row["units"] = units }
    if let due = item.nextDue {
      row["due"] = due.description
      row["dueLeft"] = clock(due.secondsSince1970 - now.secondsSince1970)
    }
    return row.withoutEmpty
  }

  private func units(_ incident: Incident) -> String? {
    let out = incident.dispatches.filter(\.status.isOut)
    guard !out.isEmpty else { return nil }
    return text("unitsOut", ["n": "\(out.count)", "s": "\(out.count { $0.status == .onScene })"])
  }

  /// `4:07`, `1:02:45`, `-0:12`
  func clock(_ seconds: Double) -> String {
    let whole = Int(abs(seconds))
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let sign = seconds <= -1 ? "-" : ""
    return hours > 0 ? "\(sign)\(hours):\(two(minutes)):\(two(rest))" : "\(sign)\(minutes):\(two(rest))"
  }

  /// One line of the record.
  func row(_ entry: Entry, of record: Record, _ plan: SafetyPlan) -> [String: Any] {
    let name = entry.command.name
    var row: [String: Any] = [
      "entryNumber": "\(entry.sequence)", "entryTime": entry.at.description, "entryLocal": room.time.text(entry.at),
      "entrySince": clock(entry.at.secondsSince1970 - record.incident.openedAt.secondsSince1970),
      "entryText": text("entry_" + name), "entryKind": name, "entryWho": who(entry.by),
      "entryDetail": detail(entry.command, record.incident, plan),
    ]
    if case .note(_, let audience) = entry.command, !audience.isEmpty {
      row["entryAudience"] = text("onlyFor", ["who": audience.joined(separator: ", ")])
    }
    return row.withoutEmpty
  }

  func detail(of line: ShiftLog.Line, _ plan: SafetyPlan) -> String {
    detail(line.entry.command, line.incident, plan)
  }

  private func detail(_ command: Command, _ incident: Incident, _ plan: SafetyPlan) -> String {
    func step(_ id: String) -> String { incident.run?.procedure.step(id).map { title($0.title) } ?? id }
    func said(_ parts: String?...) -> String {
      parts.compactMap(\.self).filter { !$0.isEmpty }.joined(separator: " · ")
    }
    switch command {
    case .report(let report):
      return said(
        categoryTitle(report.category, plan), report.text, text("channel_" + report.channel.rawValue), report.source,
        report.address, report.isSilent ? text("silent") : nil)
    case .repeated(let key, let times): return said(text("times", ["n": "\(times)"]), key.source)
    case .merge(let into): return Self.number(into)
    case .absorb(let absorbed): return said(Self.number(absorbed.incident), reportCount(absorbed.reports.count))
    case .acknowledge: return ""
    case .assign(let party): return who(party)
    case .classify(let category, let severity, let reason):
      return said(
        category.map { categoryTitle($0, plan) }, severity.map { text("severity_" + $0.rawValue) }, reason)
    case .locate(let position, let address): return said(address, place(position))
    case .involve(let agency): return agency
    case .begin(let procedure): return title(procedure.title)
    case .step(let id, let action):
      switch action {
      case .start: return said(step(id), text("stepDid_start"))
      case .done(let note): return said(step(id), text("stepDid_done"), note)
      case .skip(let reason): return said(step(id), text("stepDid_skip"), reason)
      case .undo(let reason): return said(step(id), text("stepDid_undo"), reason)
      }
    case .dispatch(let dispatch): return said(dispatch.unit, dispatch.agency, dispatch.task)
    case .unit(let id, let status, let reason): return said(id, text("unit_" + status.rawValue), reason)
    case .grant(let id): return Self.number(id)
    case .note(let text, _), .tell(let text): return text
    case .handOver(let party, let summary): return said(who(party), summary)
    case .resolve(let outcome): return said(text("outcome_" + outcome.kind.rawValue), outcome.text)
    case .close(let summary): return summary
    case .reopen(let reason): return reason
    }
  }

  func reportCount(_ count: Int) -> String { text("reportCount", ["n": "\(count)"]) }

  /// Why a command was not carried out, as a sentence for people; the detail is for who runs the city.
  func sentence(_ problem: Problem) -> String {
    switch problem.kind {
    case .forbidden, .unauthorized: text("refusedIncidentForbidden")
    case .resourceNotFound: text("refusedIncidentUnknown")
    case .conflict: text("refusedIncidentConflict")
    case .badRequestData, .invalidRequest: text("refusedIncidentInvalid")
    case .tooManyRequests: text("refusedIncidentBusy")
    default: text("refusedFailed")
    }
  }
}
