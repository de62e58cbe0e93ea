/// What an independent look at a plan says: it knows the network and the plan, and nothing of how the plan was made.
public struct PlanCheck: Sendable, Equatable {
  public enum Violation: Sendable, Equatable, CustomStringConvertible {
    case noSuchArc(group: Int, arc: Int)
    case noSuchSource(group: Int, source: Int)
    case noSuchExit(group: Int, exit: Int)
    case noPeople(group: Int)
    /// A move does not begin where the one before ended, or where the source is.
    case jump(group: Int, move: Int)
    /// A move begins before the one before is over, or before people are ready.
    case tooEarly(group: Int, move: Int)
    /// The way does not end at the exit that the plan names.
    case notAtExit(group: Int)
    /// The plan names another step of arrival.
    case wrongArrival(group: Int, says: Int, is: Int)
    case blocked(arc: Int, step: Int)
    case overCapacity(arc: Int, step: Int, people: Int, capacity: Int)
    case overRoom(exit: Int, people: Int, capacity: Int)
    /// A source whose people are not all on their way, or more than all.
    case notAll(source: Int, planned: Int, people: Int)

    public var description: String {
      switch self {
      case .noSuchArc(let group, let arc): "group \(group) enters arc \(arc), which is none"
      case .noSuchSource(let group, let source): "group \(group) begins at source \(source), which is none"
      case .noSuchExit(let group, let exit): "group \(group) leaves by exit \(exit), which is none"
      case .noPeople(let group): "group \(group) has no people"
      case .jump(let group, let move): "group \(group) is not where its move \(move) begins"
      case .tooEarly(let group, let move): "group \(group) begins its move \(move) too early"
      case .notAtExit(let group): "group \(group) does not end at its exit"
      case .wrongArrival(let group, let says, let real): "group \(group) arrives at step \(real), not \(says)"
      case .blocked(let arc, let step): "arc \(arc) is blocked and entered at step \(step)"
      case .overCapacity(let arc, let step, let people, let capacity):
        "\(people) people enter arc \(arc) at step \(step), \(capacity) can"
      case .overRoom(let exit, let people, let capacity):
        "\(people) people are sent to exit \(exit), which takes \(capacity)"
      case .notAll(let source, let planned, let people): "\(planned) of \(people) people of source \(source) have a way"
      }
    }
  }

  /// What is wrong, at most 100 of it.
  public private(set) var violations: [Violation] = []
  /// The step at which the last person is at an exit, as counted here.
  public private(set) var makespan = 0
  /// People who arrive.
  public private(set) var arrived = 0
  /// Pairs of an arc and a step at which as many enter as can.
  public private(set) var fullCells = 0

  public var isGood: Bool { violations.isEmpty }

  public init(_ plan: EvacuationPlan, for network: EvacuationNetwork) {
    var entered: [EvacuationPlan.Move: Int] = [:]
    var planned = [Int](repeating: 0, count: network.sources.count)
    var left = [Int](repeating: 0, count: network.exits.count)
    for (index, group) in plan.groups.enumerated() {
      guard network.sources.indices.contains(group.source) else {
        note(.noSuchSource(group: index, source: group.source))
        continue
      }
      if group.people <= 0 { note(.noPeople(group: index)) }
      planned[group.source] += group.people
      let source = network.sources[group.source]
      var (node, time) = (source.node, source.ready)
      for (position, move) in group.moves.enumerated() {
        guard network.arcs.indices.contains(move.arc) else {
          note(.noSuchArc(group: index, arc: move.arc))
          continue
        }
        let arc = network.arcs[move.arc]
        if arc.from != node { note(.jump(group: index, move: position)) }
        if move.step < time { note(.tooEarly(group: index, move: position)) }
        if arc.isBlocked { note(.blocked(arc: move.arc, step: move.step)) }
        entered[move, default: 0] += group.people
        (node, time) = (arc.to, move.step + arc.transit)
      }
      guard network.exits.indices.contains(group.exit) else {
        note(.noSuchExit(group: index, exit: group.exit))
        continue
      }
      if network.exits[group.exit].node != node { note(.notAtExit(group: index)) }
      if group.arrival != time && !(group.moves.isEmpty && group.arrival >= time) {
        note(.wrongArrival(group: index, says: group.arrival, is: time))
      }
      left[group.exit] += group.people
      makespan = max(makespan, time)
      arrived += group.people
    }
    for (move, people) in entered.sorted(by: { ($0.key.step, $0.key.arc) < ($1.key.step, $1.key.arc) }) {
      let capacity = network.arcs[move.arc].capacity
      if people > capacity {
        note(.overCapacity(arc: move.arc, step: move.step, people: people, capacity: capacity))
      } else if people == capacity {
        fullCells += 1
      }
    }
    for (index, exit) in network.exits.enumerated() {
      if let capacity = exit.capacity, left[index] > capacity {
        note(.overRoom(exit: index, people: left[index], capacity: capacity))
      }
    }
    for (index, source) in network.sources.enumerated() where planned[index] != source.people {
      note(.notAll(source: index, planned: planned[index], people: source.people))
    }
  }

  private mutating func note(_ violation: Violation) {
    if violations.count < 100 { violations.append(violation) }
  }
}
