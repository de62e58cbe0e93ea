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

  /// Where it stands, the smaller the sooner.
  struct Order: Comparable, Sendable {
    var alarm: UInt8
    var resolved: UInt8
    var severity: Int8
    var late: UInt8
    var due: Int64
    var opened: Int64
    var id: String

    static func < (left: Order, right: Order) -> Bool {
      if left.alarm != right.alarm { return left.alarm < right.alarm }
      if left.resolved != right.resolved { return left.resolved < right.resolved }
      if left.severity != right.severity { return left.severity < right.severity }
      if left.late != right.late { return left.late < right.late }
      if left.due != right.due { return left.due < right.due }
      if left.opened != right.opened { return left.opened < right.opened }
      return left.id < right.id
    }
  }

  var order: Order {
    let isLate = reasons.contains {
      switch $0 {
      case .late, .stepLate, .noUnit: true
      default: false
      }
    }
    return Order(
      alarm: incident.isAlarming ? 0 : 1, resolved: incident.status == .resolved ? 1 : 0,
      severity: Int8(-incident.severity.rank), late: isLate ? 0 : 1, due: nextDue?.microseconds ?? .max,
      opened: incident.openedAt.microseconds, id: incident.id)
  }
}
