import Hummingbird
import Incidents
import NGSI
import Safety

/// `/operations/incidents/{id}`: all of one incident, and everything that can be done about it.
enum IncidentPage {
  private static let camerasShown = 6
  private static let picturesShown = 4
  private static let unitsShown = 8

  private struct Fault {
    var sentence: String
    var detail = ""
    var status: HTTPResponse.Status
    var form: Query
  }

  static func answer(_ visit: Visit, id: String) async throws -> Response {
    guard let safety = visit.room.source.safety else { return OperationsPage.none(visit) }
    return await page(visit, safety, id, nil)
  }

  static func answer(_ visit: Visit, id: String, _ form: Query) async throws -> Response {
    guard let safety = visit.room.source.safety else { return OperationsPage.none(visit) }
    do {
      let deed = try await visit.room.source.asReader { () throws(Problem) in
        let asking = safety.asking
        return Result { try IncidentDeed(form, asking: asking, plan: safety.plan) }
      }.get()
      _ = try await visit.room.source.asReader { () throws(Problem) in
        try await safety.carryOut(deed.command, as: "page " + deed.id, on: id, in: .default)
      }
      // From the queue one goes on in the queue.
      let back = form["back"] == "queue" ? "/operations" : Visit.incidentPath(id, "?done=" + deed.name)
      return Answer.seeOther(back)
    } catch let fault as IncidentDeed.Fault {
      return await page(
        visit, safety, id, Fault(sentence: visit.text(fault.key), status: .badRequest, form: form))
    } catch let problem as Problem {
      return await page(
        visit, safety, id,
        Fault(
          sentence: visit.sentence(problem), detail: problem.detail,
          status: .init(code: problem.status), form: form))
    }
  }

  // MARK: - The page

  private static func page(_ visit: Visit, _ safety: SafetyService, _ id: String, _ fault: Fault?) async -> Response {
    let (record, entries): (Record, [Entry])
    do throws(Problem) {
      (record, entries) = try await visit.room.source.asReader { () throws(Problem) in
        let record = try safety.record(id, in: .default)
        return (record, safety.readable(record))
      }
    } catch { return OperationsPage.refused(visit, error) }
    let (incident, plan) = (record.incident, safety.plan)
    var content = visit.row(Attention(incident, targets: plan.targets, at: visit.now), plan)
    content.merge(facts(visit, incident, plan)) { $1 }
    content.merge(doors(visit, incident, plan)) { $1 }
    content["entries"] = entries.reversed().map { visit.row($0, of: record, plan) }
    content["entryCount"] = "\(record.entries.count)"
    let hidden = record.entries.count - entries.count
    if hidden > 0 { content["hiddenText"] = visit.text("entriesHidden", ["n": "\(hidden)"]) }
    if incident.reports.contains(where: { $0.channel == .page }) {
      content["photos"] = SafetyService.photoNumbers(of: record).map {
        ["photoHref": Visit.incidentPath(id, "/photos/\($0)"), "photoNumber": "\($0)"]
      }
      content["isCall"] = true
    }
    let guardians = try? await visit.room.source.asReader { () throws(Problem) in
      try safety.guardians(of: incident, in: .default)
    }
    content["guardians"] = (guardians ?? []).map {
      ["ward": $0.ward, "guardianName": $0.name, "guardianPhone": $0.telephone, "guardianRelation": $0.relation ?? ""]
        .withoutEmpty
    }
    content["hasGuardians"] = guardians?.isEmpty == false
    content["sequence"] = "\(incident.sequence)"
    content["nonce"] = String(UInt64.random(in: .min ... .max), radix: 36)
    content["steps"] = incident.run.map { steps(visit, $0) }
    content["procedureTitle"] = incident.run.map { visit.title($0.procedure.title) }
    content["units"] = incident.dispatches.map { unit(visit, $0) }
    content["hasUnits"] = !incident.dispatches.isEmpty
    content["reportRows"] = incident.reports.suffix(20).reversed().map { report(visit, $0, plan) }
    if let video = visit.room.source.video {
      let sights = try? await visit.room.source.asReader { () throws(Problem) in
        try video.sights(for: id, most: Self.picturesShown)
      }
      content["csrf"] = visit.room.source.reader?.csrf ?? ""
      content["sights"] = (sights ?? []).map { VideoWords.tile(visit, $0) }
      content["hasSights"] = sights?.isEmpty == false
      content["hasVideo"] = true
    }
    if visit.seesCity, let position = incident.position {
      let near = Nearby(await visit.room.board.items, around: position)
      content["cameras"] = near.cameras.prefix(camerasShown).map { place(visit, $0) }
      content["hasCameras"] = !near.cameras.isEmpty
      content["nearUnits"] = near.units.prefix(unitsShown).map { place(visit, $0) }
    }
    if let fault {
      content["fault"] = fault.sentence
      content["faultDetail"] = fault.detail
      for field in ["text", "summary", "reason", "task"] {
        content["typed_\(fault.form["deed"] ?? "")_\(field)"] = fault.form[field]
      }
    } else if let done = visit.query["done"] {
      content["done"] = visit.text("did_" + done)
    }
    let title = visit.categoryTitle(incident.category, plan) + " " + Visit.number(id)
    return PageFrame.answer(
      visit, template: "incident", title: title, section: "operations", content: content.withoutEmpty,
      strings: "js", status: fault?.status ?? .ok)
  }

  static func facts(_ visit: Visit, _ incident: Incident, _ plan: SafetyPlan) -> [String: Any] {
    var facts: [String: Any] = [
      "placeText": visit.place(incident),
      "ownerText": visit.who(incident.owner), "agenciesText": incident.agencies.joined(separator: ", "),
      "openedLocal": visit.room.time.text(incident.openedAt),
      "clocks": plan.targets.clocks(of: incident).map { clock(visit, $0) },
      "isOver": incident.status.isOver, "isResolved": incident.status == .resolved,
    ]
    if let position = incident.position {
      facts["longitude"] = "\(position.longitude)"
      facts["latitude"] = "\(position.latitude)"
      facts["uncertainty"] = position.uncertainty.map { "\($0)" } ?? ""
      facts["positionText"] = visit.place(position)
    }
    if let outcome = incident.outcome {
      facts["outcomeText"] = visit.text("outcome_" + outcome.kind.rawValue) + " · " + outcome.text
    }
    if let other = incident.mergedInto {
      facts["mergedHref"] = Visit.incidentPath(other)
      facts["mergedNumber"] = Visit.number(other)
    }
    facts["absorbed"] = incident.absorbed.map {
      ["absorbedHref": Visit.incidentPath($0), "absorbedNumber": Visit.number($0)]
    }
    facts["hasAbsorbed"] = !incident.absorbed.isEmpty
    return facts
  }

  private static func clock(_ visit: Visit, _ clock: TargetClock) -> [String: Any] {
    let state = clock.state(at: visit.now)
    let left = clock.left(at: visit.now)
    var row: [String: Any] = [
      "clockName": visit.text("milestone_" + clock.target.milestone.rawValue), "clockState": state.rawValue,
      "clockStateText": visit.text("clock_" + state.rawValue), "clockSource": clock.target.source,
      "clockDue": clock.dueAt.description, "clockWithin": visit.clock(clock.target.within),
    ]
    switch state {
    case .running, .late: row["clockLeft"] = visit.clock(left)
    case .met, .missed:
      if let reached = clock.reachedAt {
        let taken = clock.target.within + reached.secondsSince1970 - clock.dueAt.secondsSince1970
        row["clockTaken"] = visit.clock(taken)
      }
    case .notNeeded: break
    }
    return row.withoutEmpty
  }

  /// What the reader may do next; what the incident does not allow is not offered.
  private static func doors(_ visit: Visit, _ incident: Incident, _ plan: SafetyPlan) -> [String: Any] {
    let isOver = incident.status.isOver
    return [
      "canAcknowledge": incident.isAlarming && !isOver,
      "canTake": !isOver && incident.owner != visit.room.source.safety?.asking || incident.owner == nil && !isOver,
      "canAct": !isOver,
      "canResolve": !isOver && !incident.isAlarming && incident.status != .resolved,
      "canClose": incident.status == .resolved,
      "canReopen": incident.status == .closed,
      "canBegin": !isOver && incident.run == nil && !plan.procedures.isEmpty,
      "procedures": plan.procedures.map { ["procedureId": $0.id, "procedureName": visit.title($0.title)] },
      "categories": plan.categories.map { ["categoryId": $0.id, "categoryName": visit.title($0.title)] },
      "severities": Severity.allCases.filter { $0 != .unknown }.map {
        ["severityId": $0.rawValue, "severityName": visit.text("severity_" + $0.rawValue)]
      },
      "outcomes": Command.Outcome.Kind.allCases.map {
        ["outcomeId": $0.rawValue, "outcomeName": visit.text("outcome_" + $0.rawValue)]
      },
    ]
  }

  private static func steps(_ visit: Visit, _ run: ProcedureRun) -> [[String: Any]] {
    var number = 0
    return run.procedure.steps.map { step in
      let state = run.steps[step.id]?.state ?? .waiting
      let isOpen = state == .ready || state == .started
      var row: [String: Any] = [
        "stepId": step.id, "stepTitle": visit.title(step.title), "stepState": state.rawValue,
        "stepStateText": visit.text("stepState_" + state.rawValue), "stepIsOpen": isOpen,
        "stepIsDone": [.done, .skipped].contains(state), "stepIsWaiting": state == .waiting,
        "stepMaySkip": step.maySkip && (isOpen || state == .waiting), "stepNote": run.steps[step.id]?.note ?? "",
        "stepRoles": step.roles.joined(separator: ", "),
      ]
      if isOpen {
        number += 1
        if number <= 9 { row["stepKey"] = "\(number)" }
      }
      if let by = run.steps[step.id]?.by, let ended = run.steps[step.id]?.endedAt {
        row["stepBy"] = visit.who(by)
        row["stepEnded"] = visit.room.time.text(ended)
      }
      if let due = run.dueAt(step.id) {
        row["stepDue"] = due.description
        row["stepLeft"] = visit.clock(due.secondsSince1970 - visit.now.secondsSince1970)
        row["stepIsLate"] = due < visit.now
      }
      return row.withoutEmpty
    }
  }

  private static func unit(_ visit: Visit, _ state: Dispatch.State) -> [String: Any] {
    let next = Dispatch.Status.allCases.filter { state.status.mayBecome($0) }
    return [
      "unitName": state.unit, "unitAgency": state.dispatch.agency, "unitTask": state.dispatch.task,
      "unitStatus": state.status.rawValue, "unitStatusText": visit.text("unit_" + state.status.rawValue),
      "unitSince": state.times[state.status].map { visit.room.time.text($0) } ?? "",
      "unitNext": next.map { ["statusId": $0.rawValue, "statusName": visit.text("unit_" + $0.rawValue)] },
      "unitIsOut": state.status.isOut,
    ].withoutEmpty
  }

  private static func report(_ visit: Visit, _ report: Report, _ plan: SafetyPlan) -> [String: Any] {
    [
      "reportCategory": visit.categoryTitle(report.category, plan), "reportText": report.text ?? "",
      "reportChannel": visit.text("channel_" + report.channel.rawValue), "reportSource": report.source,
      "reportContact": report.isSilent ? "" : report.contact ?? "",
      "reportSilent": report.isSilent ? visit.text("silentHint") : "",
      "reportPlace": report.address ?? report.position.map(visit.place) ?? "",
      "reportTime": report.observedAt.map { visit.room.time.text($0) } ?? "",
      "reportDoubts": report.doubts.map { visit.text("doubt_" + $0.rawValue) }.sorted().joined(separator: ", "),
      "reportAbout": report.about.map { ["aboutId": $0, "aboutHref": Visit.entityPath($0)] },
    ].withoutEmpty
  }

  private static func place(_ visit: Visit, _ near: Nearby.Thing) -> [String: Any] {
    [
      "nearId": near.summary.id, "nearName": visit.room.names.display(near.summary, visit.language),
      "nearHref": Visit.entityPath(near.summary.id), "nearMetres": NumberText.short(near.metres.rounded()) + " m",
      "nearState": near.summary.state(at: visit.now).name,
      "nearStateText": visit.text("state_" + near.summary.state(at: visit.now).name),
    ]
  }
}
