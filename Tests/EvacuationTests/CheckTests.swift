import Evacuation
import Testing

/// The check refuses plans that were changed: each kind of change on many plans.
@Suite struct CheckTests {
  private func plans() throws -> [(EvacuationNetwork, EvacuationPlan)] {
    var dice = Dice(41)
    return try (0..<60).compactMap { number in
      let network = try EvacuationNetwork.random(&dice, shelters: number % 2 == 0)
      let plan = try QuickestPlan(network).plan
      return plan.groups.contains { $0.moves.count > 1 } ? (network, plan) : nil
    }
  }

  /// Applies a change to the first group with at least two moves; the plans that the check then accepts.
  private func accepted(
    _ change: (inout EvacuationPlan, Int, EvacuationNetwork) -> Void
  ) throws -> Int {
    let plans = try plans()
    #expect(plans.count > 30)
    return plans.count { network, plan in
      guard let index = plan.groups.firstIndex(where: { $0.moves.count > 1 }) else { return true }
      var changed = plan
      change(&changed, index, network)
      return PlanCheck(plan, for: network).isGood && PlanCheck(changed, for: network).isGood
    }
  }

  @Test func peopleWhoAreMissingAreMissed() throws {
    #expect(try accepted { plan, index, _ in plan.groups[index].people -= 1 } == 0)
    #expect(try accepted { plan, index, _ in plan.groups.remove(at: index) } == 0)
    #expect(try accepted { plan, index, _ in plan.groups.append(plan.groups[index]) } == 0)
    #expect(try accepted { plan, index, _ in plan.groups[index].source = 99 } == 0)
  }

  @Test func movesThatCannotBeAreSeen() throws {
    #expect(try accepted { plan, index, _ in plan.groups[index].moves[1].step -= 1 } == 0)
    #expect(try accepted { plan, index, _ in plan.groups[index].moves.removeLast() } == 0)
    #expect(try accepted { plan, index, _ in plan.groups[index].moves.removeFirst() } == 0)
    #expect(try accepted { plan, index, _ in plan.groups[index].moves[0].arc = 10_000 } == 0)
    #expect(try accepted { plan, index, _ in plan.groups[index].exit = 99 } == 0)
    #expect(try accepted { plan, index, _ in plan.groups[index].arrival -= 1 } == 0)
    #expect(try accepted { plan, index, _ in plan.groups[index].moves[0].step = -1 } == 0)
  }

  @Test func arcsAreNeitherOverfilledNorEnteredWhenBlocked() throws {
    for (network, plan) in try plans() {
      guard let group = plan.groups.first(where: { $0.moves.count > 1 }), let move = group.moves.first else { continue }
      let blocked = PlanCheck(plan, for: network.blocking([move.arc]))
      #expect(blocked.violations.contains { if case .blocked(move.arc, _) = $0 { true } else { false } })
      var arcs = network.arcs
      arcs[move.arc].capacity = 0
      let narrowed = try EvacuationNetwork(
        nodeCount: network.nodeCount, arcs: arcs, sources: network.sources, exits: network.exits)
      #expect(!PlanCheck(plan, for: narrowed).isGood)
      let cramped = try EvacuationNetwork(
        nodeCount: network.nodeCount, arcs: network.arcs, sources: network.sources,
        exits: network.exits.map { .init(node: $0.node, capacity: 0) })
      #expect(PlanCheck(plan, for: cramped).violations.contains { if case .overRoom = $0 { true } else { false } })
    }
  }

  @Test func whatCannotBePlannedIsRefused() throws {
    let arcs = [EvacuationNetwork.Arc(from: 0, to: 1, transit: 1, capacity: 1)]
    func network(_ sources: [EvacuationNetwork.Source], _ exits: [EvacuationNetwork.Exit]) throws -> EvacuationNetwork {
      try EvacuationNetwork(nodeCount: 3, arcs: arcs, sources: sources, exits: exits)
    }
    #expect(throws: EvacuationError.invalid("no exits")) { try network([], []) }
    #expect(throws: EvacuationError.self) { try network([.init(node: 3, people: 1)], [.init(node: 1)]) }
    #expect(throws: EvacuationError.self) { try network([.init(node: 0, people: -1)], [.init(node: 1)]) }
    #expect(throws: EvacuationError.self) { try network([], [.init(node: 1), .init(node: 1)]) }
    #expect(throws: EvacuationError.unreachable(people: 4)) {
      try QuickestPlan(try network([.init(node: 2, people: 4)], [.init(node: 1)]))
    }
    #expect(throws: EvacuationError.tooLittleRoom(people: 2)) {
      try QuickestPlan(try network([.init(node: 0, people: 4)], [.init(node: 1, capacity: 2)]))
    }
    #expect(throws: EvacuationError.self) {
      try QuickestPlan(try network([.init(node: 0, people: 400)], [.init(node: 1)]), cellLimit: 300)
    }
    let few = try QuickestPlan(try network([], [.init(node: 1)]))
    #expect(few.plan.groups.isEmpty && few.plan.makespan == 0)
  }
}
