import Evacuation
import NGSI
import TestSupport
import Testing

/// Plans against maximum flows of OR-Tools over the time-expanded network, in which people may wait anywhere.
@Suite struct OracleTests {
  private func answers(_ questions: [JSON], for test: String) throws -> [JSON]? {
    guard let answer = try Oracle.ask("evacuation_oracle.py", ["networks": .array(questions)], for: test) else {
      return nil
    }
    return try #require(answer["answers"]?.array)
  }

  @Test(arguments: [false, true])
  func everyStepHasAsManyArrivalsAsPossible(_ instant: Bool) throws {
    var dice = Dice(instant ? 11 : 7)
    var networks: [(EvacuationNetwork, QuickestPlan)] = []
    for _ in 0..<150 {
      let network = try EvacuationNetwork.random(&dice, instant: instant)
      let plan = try QuickestPlan(network)
      #expect(PlanCheck(plan.plan, for: network).isGood, "\(network)")
      #expect(plan.isEarliestArrival)
      networks.append((network, plan))
    }
    let questions = networks.map { $0.0.question(horizon: 400, pattern: true) }
    guard let answers = try answers(questions, for: "OracleTests.everyStepHasAsManyArrivalsAsPossible") else { return }
    for ((network, plan), answer) in zip(networks, answers) {
      #expect(answer["arrivals"]?.array?.compactMap(\.integer) == plan.plan.arrivals.map { Int64($0) }, "\(network)")
    }
    #expect(networks.contains { $0.1.plan.makespan > 20 })
  }

  @Test func sheltersFillUpInTheLeastTime() throws {
    var dice = Dice(23)
    var networks: [(EvacuationNetwork, QuickestPlan)] = []
    for _ in 0..<150 {
      let network = try EvacuationNetwork.random(&dice, shelters: true)
      let plan = try QuickestPlan(network)
      #expect(PlanCheck(plan.plan, for: network).isGood, "\(network)")
      networks.append((network, plan))
    }
    let questions = networks.map { $0.0.question(horizon: 800, pattern: false) }
    guard let answers = try answers(questions, for: "OracleTests.sheltersFillUpInTheLeastTime") else { return }
    for ((network, plan), answer) in zip(networks, answers) {
      #expect(answer["makespan"]?.integer == Int64(plan.plan.makespan), "\(network)")
    }
    #expect(networks.count { !$0.1.isEarliestArrival } > 30, "hardly a shelter filled up")
  }

  @Test func boundsAreBelowTheOptimumAndPlansAbove() throws {
    var dice = Dice(5)
    var networks: [(EvacuationNetwork, [BoundedPlan])] = []
    for _ in 0..<100 {
      let network = try EvacuationNetwork.random(&dice)
      let plans = try [2, 3, 8].map { try BoundedPlan(network, factor: $0) }
      for plan in plans { #expect(PlanCheck(plan.plan, for: network).isGood, "\(network)") }
      networks.append((network, plans))
    }
    let questions = networks.map { $0.0.question(horizon: 400, pattern: false) }
    guard let answers = try answers(questions, for: "OracleTests.boundsAreBelowTheOptimumAndPlansAbove") else { return }
    for ((network, plans), answer) in zip(networks, answers) {
      let optimum = try #require(answer["makespan"]?.integer)
      for plan in plans {
        #expect(plan.lowerBound <= optimum && plan.plan.makespan >= optimum, "\(plan.factor) \(network)")
      }
    }
  }
}
