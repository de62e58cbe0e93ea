import Incidents
import NGSI

extension CommandRefusal {
  /// What is said to who gave the command.
  var problem: Problem { Problem(.conflict, text) }

  private var text: String {
    switch self {
    case .notReported: "the record does not begin with a report, or has a gap"
    case .ended(let status): "the incident is \(status.rawValue); reopen it first"
    case .alreadyAcknowledged(let party):
      "\(party.id.isEmpty ? "the city" : party.id) has acknowledged the alarm already"
    case .notAcknowledged: "the alarm still sounds: acknowledge it first"
    case .notResolved: "the danger is not said to be over: resolve the incident first"
    case .alreadyResolved: "the incident is resolved already"
    case .stepsOpen(let steps): "these steps are neither done nor skipped: \(steps.joined(separator: ", "))"
    case .unitsOut(let units): "these units are not clear: \(units.joined(separator: ", "))"
    case .noProcedure: "no procedure is begun"
    case .procedureBegun(let id): "the procedure '\(id)' is begun and not over"
    case .noStep(let id): "the procedure has no step '\(id.prefix(60))'"
    case .stepWaits(let steps): "the step waits for \(steps.joined(separator: ", "))"
    case .stepIs(let state): "the step is \(state.rawValue)"
    case .roleNeeded(let roles): "the step is for the role \(roles.joined(separator: " or "))"
    case .mayNotBeSkipped(let id): "the step '\(id)' may not be skipped"
    case .noUnit(let unit): "the unit '\(unit.prefix(60))' was not dispatched"
    case .unitIsOut(let unit): "the unit '\(unit)' is out for the incident already"
    case .unitCannot(let from, let to): "a unit that is \(from.rawValue) cannot become \(to.rawValue)"
    case .sameIncident: "that is the incident itself"
    case .exerciseAndReal: "an exercise and what is real, or two exercises, are never mixed"
    case .alreadySo: "it is so already"
    case .full(let what, let bound): "an incident has at most \(bound) \(what)"
    }
  }
}
