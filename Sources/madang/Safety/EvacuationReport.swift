import Evacuation
import Foundation

/// What `madang safety evacuate` says of its plans.
struct EvacuationReport: Encodable {
  struct Check: Encodable {
    var passed: Bool
    var violations: [String]

    init(_ check: PlanCheck) {
      passed = check.isGood
      violations = check.violations.prefix(10).map(\.description)
    }
  }

  /// Seconds that each part took.
  struct Seconds: Encodable {
    var read = 0.0
    var plan = 0.0
    var check = 0.0
    var convergent: Double?
    var replan: Double?
  }

  struct Convergent: Encodable {
    var makespanSteps: Int
    var makespanSeconds: Double
    var gap: Double
    /// Junctions that need a sign.
    var signs: Int
    var check: Check
  }

  struct Replan: Encodable {
    var closedAtStep, closedArcs: Int
    /// Counted from the begin of the evacuation, like the first makespan.
    var makespanSteps: Int
    var makespanSeconds: Double
    var settled, kept: Int
    var check: Check
  }

  var people: Int
  var stepSeconds: Double
  var seed: UInt64
  var placement = "synthetic: at random over junctions by the length of their streets"
  var nodes = 0
  var arcs = 0
  var exits = 0
  var makespanSteps = 0
  var makespanSeconds = 0.0
  var boundSteps = 0
  var boundSeconds = 0.0
  /// How much longer the plan takes than the bound, as a part of the bound.
  var gap = 0.0
  /// Whether as many people as possible are at an exit by every step.
  var earliestArrival = false
  /// Steps that the planner put together; 1: exact.
  var stepsTogether = 1
  var seconds = Seconds()
  var check: Check?
  var convergent: Convergent?
  var replan: Replan?

  init(people: Int, step: Double, seed: UInt64) {
    self.people = people
    stepSeconds = step
    self.seed = seed
  }

  var isGood: Bool {
    check?.passed == true && convergent?.check.passed != false && replan?.check.passed != false
  }

  /// Runs a part and notes how long it took.
  mutating func timing<T, E: Error>(
    _ part: WritableKeyPath<Seconds, Double>, _ body: () throws(E) -> T
  ) throws(E) -> T {
    let begin = ContinuousClock.now
    let made = try body()
    seconds[keyPath: part] = (ContinuousClock.now - begin) / .seconds(1)
    return made
  }

  mutating func timing<T, E: Error>(
    _ part: WritableKeyPath<Seconds, Double?>, _ body: () throws(E) -> T
  ) throws(E) -> T {
    let begin = ContinuousClock.now
    let made = try body()
    seconds[keyPath: part] = (ContinuousClock.now - begin) / .seconds(1)
    return made
  }

  mutating func describe(_ evacuation: StreetEvacuation) {
    nodes = evacuation.network.nodeCount
    arcs = evacuation.network.arcs.count
    exits = evacuation.network.exits.count
  }

  mutating func describe(_ found: BoundedPlan, _ check: PlanCheck) {
    makespanSteps = check.makespan
    makespanSeconds = Double(check.makespan) * stepSeconds
    boundSteps = found.lowerBound
    boundSeconds = Double(found.lowerBound) * stepSeconds
    gap = found.gap
    earliestArrival = found.isEarliestArrival
    stepsTogether = found.factor
    self.check = Check(check)
  }

  mutating func describe(_ made: ConvergentPlan?, optimum: Int, _ network: EvacuationNetwork) {
    guard let made else { return }
    let check = PlanCheck(made.plan, for: network)
    convergent = Convergent(
      makespanSteps: check.makespan, makespanSeconds: Double(check.makespan) * stepSeconds,
      gap: optimum == 0 ? 0 : Double(check.makespan - optimum) / Double(optimum),
      signs: made.next.count { $0 != nil }, check: Check(check))
  }

  mutating func describe(_ made: QuickestPlan, _ rest: Replanning, closedAt step: Int, closedArcs: Int) {
    let check = PlanCheck(made.plan, for: rest.network)
    let makespan = step + max(check.makespan, rest.settledBy)
    replan = Replan(
      closedAtStep: step, closedArcs: closedArcs, makespanSteps: makespan,
      makespanSeconds: Double(makespan) * stepSeconds, settled: rest.settled,
      kept: rest.kept.reduce(0) { $0 + $1.people }, check: Check(check))
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  var text: String {
    func time(_ steps: Int) -> String { "\(steps) steps, \(Int(Double(steps) * stepSeconds)) s" }
    func percent(_ part: Double) -> String { String(format: "%.1f %%", part * 100) }
    func verdict(_ check: Check?) -> String {
      guard let check else { return "not checked" }
      return check.passed ? "passed" : "FAILED: " + check.violations.joined(separator: "; ")
    }
    var lines = [
      "\(people) people (synthetic), \(nodes) junctions, \(arcs) stretches, \(exits) exits, steps of \(stepSeconds) s",
      "all are out after \(time(makespanSteps)); no plan can do it before \(time(boundSteps)): gap \(percent(gap))",
      "planned in \(String(format: "%.2f", seconds.plan)) s, read in \(String(format: "%.2f", seconds.read)) s",
      "check: \(verdict(check))",
    ]
    if let convergent {
      lines.append(
        "one way at each junction: \(time(convergent.makespanSteps)), gap \(percent(convergent.gap)), "
          + "\(convergent.signs) signs; check: \(verdict(convergent.check))")
    } else if seconds.convergent != nil {
      lines.append("one way at each junction: no such plan was found within the shelters' room")
    }
    if let replan {
      lines.append(
        "closed at step \(replan.closedAtStep): all are out after \(time(replan.makespanSteps)), planned anew in "
          + "\(String(format: "%.2f", seconds.replan ?? 0)) s; check: \(verdict(replan.check))")
    }
    return lines.joined(separator: "\n")
  }
}
