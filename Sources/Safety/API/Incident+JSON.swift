import Incidents
import NGSI

extension SafetyService.Taken {
  var json: JSON {
    .object(
      JSONObject(of: [
        "incident": incident.map(JSON.string), "way": .string(way.rawValue),
        "candidates": candidates.isEmpty ? nil : .array(candidates.map(\.json)),
      ]))
  }
}

extension JoiningRules.Match {
  var json: JSON {
    let reason: JSON =
      switch reason {
      case .sameSource: "same-source"
      case .near(let metres, let seconds):
        ["metres": .double(metres.rounded()), "seconds": .double(seconds.rounded())]
      }
    return ["incident": .string(incident), "reason": reason]
  }
}

extension Incident {
  /// All that is known of it, with its clocks as they stand at a time.
  func json(at time: DateTime, _ targets: ResponseTargets) -> JSON {
    func text(_ time: DateTime?) -> JSON? { time.map { .string($0.description) } }
    return .object(
      JSONObject(of: [
        "id": .string(id), "exercise": exercise.map(JSON.string), "sequence": .integer(Int64(sequence)),
        "status": .string(status.rawValue), "alarming": .bool(isAlarming), "category": .string(category),
        "severity": .string(severity.rawValue), "position": position?.json, "address": address.map(JSON.string),
        "openedAt": text(openedAt), "acknowledgedAt": text(acknowledgedAt), "acknowledgedBy": acknowledgedBy?.json,
        "resolvedAt": text(resolvedAt), "closedAt": text(closedAt), "changedAt": text(changedAt),
        "age": .double(age(at: time)), "owner": owner?.json, "agencies": .array(agencies.map(JSON.string)),
        "reports": .array(reports.map(\.json)), "repetitions": .integer(Int64(repetitions)),
        "dispatches": .array(dispatches.map(\.json)), "procedure": run?.json, "grants": .array(grants.map(JSON.string)),
        "outcome": outcome.map { ["kind": .string($0.kind.rawValue), "text": .string($0.text)] },
        "mergedInto": mergedInto.map(JSON.string),
        "absorbed": absorbed.isEmpty ? nil : .array(absorbed.map(JSON.string)),
        "handOvers": .integer(Int64(handOvers)), "reopenings": .integer(Int64(reopenings)),
        "clocks": .array(targets.clocks(of: self).map { $0.json(at: time) }),
      ]))
  }
}

extension TargetClock {
  func json(at time: DateTime) -> JSON {
    .object(
      JSONObject(of: [
        "milestone": .string(target.milestone.rawValue), "within": .double(target.within),
        "source": .string(target.source), "dueAt": .string(dueAt.description),
        "reachedAt": reachedAt.map { .string($0.description) }, "state": .string(state(at: time).rawValue),
      ]))
  }
}

extension ProcedureRun {
  var json: JSON {
    let lines = procedure.steps.map { step -> JSON in
      let run = steps[step.id]
      var object = step.json.object ?? JSONObject()
      object["state"] = (run?.state).map { .string($0.rawValue) }
      object["readyAt"] = run?.readyAt.map { .string($0.description) }
      object["dueAt"] = dueAt(step.id).map { .string($0.description) }
      object["endedAt"] = run?.endedAt.map { .string($0.description) }
      object["by"] = run?.by?.json
      object["note"] = run?.note.map(JSON.string)
      return .object(object)
    }
    return [
      "id": .string(procedure.id), "title": procedure.title.json, "begunAt": .string(begunAt.description),
      "over": .bool(isOver), "steps": .array(lines),
    ]
  }
}

extension Attention {
  func json(at time: DateTime, _ targets: ResponseTargets) -> JSON {
    [
      "incident": incident.json(at: time, targets), "reasons": .array(reasons.map(\.json)),
      "nextDue": nextDue.map { .string($0.description) } ?? .null,
    ]
  }
}

extension Attention.Reason {
  var json: JSON {
    switch self {
    case .alarm: ["reason": "alarm"]
    case .late(let milestone): ["reason": "late", "milestone": .string(milestone.rawValue)]
    case .stepLate(let step): ["reason": "step-late", "step": .string(step)]
    case .severity(let severity): ["reason": "severity", "severity": .string(severity.rawValue)]
    case .noUnit: ["reason": "no-unit"]
    case .noOwner: ["reason": "no-owner"]
    }
  }
}

extension SafetyPlan {
  var json: JSON {
    [
      "categories": .array(
        categories.map {
          ["id": .string($0.id), "title": $0.title.json, "severity": .string($0.severity.rawValue)]
        }),
      "procedures": .array(procedures.map(\.json)),
      "targets": .array(
        targets.targets.map {
          [
            "milestone": .string($0.milestone.rawValue), "categories": .array($0.categories.map(JSON.string)),
            "from": .string($0.from.rawValue), "within": .double($0.within), "source": .string($0.source),
          ]
        }),
      "joining": .array(
        joining.rules.map {
          [
            "categories": .array($0.categories.map(JSON.string)), "metres": .double($0.metres),
            "seconds": .double($0.seconds), "automatic": .bool($0.isAutomatic),
          ]
        }),
    ]
  }
}
