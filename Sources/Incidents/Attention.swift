import NGSI

/// Which incident an operator should look at first, and why. Nothing that is open is ever left out.
public struct Attention: Sendable, Hashable {
  /// Why it stands where it stands, the weightiest first.
  public enum Reason: Sendable, Hashable {
    case alarm
    case late(ResponseTargets.Milestone)
    case stepLate(String)
    /// Units were asked to come, and none is coming.
    case noUnit
    case severity(Severity)
    case noOwner
  }

  public let incident: Incident
  public let reasons: [Reason]
  /// The next time that runs out; `nil` when none does.
  public let nextDue: DateTime?

  public init(_ incident: Incident, targets: ResponseTargets, at time: DateTime) {
    self.incident = incident
    let clocks = targets.clocks(of: incident)
    var reasons: [Reason] = []
    if incident.isAlarming { reasons.append(.alarm) }
    reasons += clocks.filter { $0.state(at: time) == .late }.map { .late($0.target.milestone) }
    let steps = incident.run.map { run in
      run.procedure.steps.compactMap { step in run.dueAt(step.id).map { (step.id, $0) } }
    }
    reasons += (steps ?? []).filter { $0.1 < time }.map { .stepLate($0.0) }
    if incident.isLeftAlone { reasons.append(.noUnit) }
    reasons.append(.severity(incident.severity))
    if incident.owner == nil { reasons.append(.noOwner) }
    self.reasons = reasons
    let running = clocks.filter { $0.state(at: time) == .running }.map(\.dueAt)
    nextDue = (running + (steps ?? []).map(\.1).filter { $0 >= time }).min()
  }

  /// An alarm comes before what is heard, what is grave before what is not, what is late before what is in time; then what
  /// runs out first, then the older.
  public static func isBefore(_ left: Attention, _ right: Attention) -> Bool { left.order < right.order }

  private struct Order: Comparable {
    var values: [Int64]
    var id: String

    static func < (left: Order, right: Order) -> Bool {
      left.values == right.values ? left.id < right.id : left.values.lexicographicallyPrecedes(right.values)
    }
  }

  private var order: Order {
    let isLate = reasons.contains {
      switch $0 {
      case .late, .stepLate, .noUnit: true
      default: false
      }
    }
    return Order(
      values: [
        incident.isAlarming ? 0 : 1, incident.status == .resolved ? 1 : 0, Int64(-incident.severity.rank),
        isLate ? 0 : 1, nextDue?.microseconds ?? .max, incident.openedAt.microseconds,
      ], id: incident.id)
  }

  /// The queue: all incidents that are open, in the order in which they want to be looked at.
  public static func queue(
    of incidents: some Sequence<Incident>, targets: ResponseTargets, at time: DateTime
  ) -> [Attention] {
    incidents.filter { !$0.status.isOver }.map { Attention($0, targets: targets, at: time) }.sorted(by: isBefore)
  }
}
