import Evacuation
import Testing

/// What happens while an evacuation runs: closed roads, signs, counts.
@Suite struct ConductTests {
  @Test func aNewPlanIsAsGoodAsOneFromTheBeginning() throws {
    var dice = Dice(3)
    var (kept, planned) = (0, 0)
    for _ in 0..<150 {
      let network = try EvacuationNetwork.random(&dice)
      let plan = try QuickestPlan(network).plan
      let step = dice.roll(0...max(1, plan.makespan))
      let closed: Set<Int> = [dice.roll(0...(network.arcs.count - 1)), dice.roll(0...(network.arcs.count - 1))]
      let rest = try Replanning(plan, for: network, at: step, closing: closed)
      let inside = rest.network.people
      #expect(inside + rest.settled == network.people)
      kept += rest.kept.reduce(0) { $0 + $1.people }
      let warm: QuickestPlan
      do { warm = try rest.plan() } catch {
        // A closed road may cut people off.
        guard case .unreachable = error else { throw error }
        continue
      }
      planned += 1
      let cold = try QuickestPlan(rest.network)
      #expect(warm.plan.arrivals == cold.plan.arrivals, "\(network) at \(step) without \(closed)")
      #expect(PlanCheck(warm.plan, for: rest.network).isGood)
      #expect(warm.plan.groups.allSatisfy { $0.moves.allSatisfy { !closed.contains($0.arc) } })
    }
    #expect(kept > 500 && planned > 100)
  }

  @Test func nothingClosedMeansNothingChanged() throws {
    var dice = Dice(8)
    for _ in 0..<50 {
      let network = try EvacuationNetwork.random(&dice)
      let plan = try QuickestPlan(network).plan
      let rest = try Replanning(plan, for: network, at: 0, closing: [])
      #expect(max(try rest.plan().plan.makespan, rest.settledBy) == plan.makespan)
    }
  }

  @Test func convergentPlansHaveOneWayAtEachJunction() throws {
    var dice = Dice(17)
    var (optimum, convergent) = (0, 0)
    for _ in 0..<100 {
      let network = try EvacuationNetwork.random(&dice)
      let plan = try QuickestPlan(network).plan
      let made = try #require(ConvergentPlan(network, from: plan))
      #expect(PlanCheck(made.plan, for: network).isGood, "\(network)")
      for group in made.plan.groups {
        for move in group.moves { #expect(made.next[network.arcs[move.arc].from] == move.arc) }
      }
      #expect(made.plan.makespan >= plan.makespan)
      optimum += plan.makespan
      convergent += made.plan.makespan
    }
    // Forks are worth something, and trees are not hopeless.
    #expect(convergent > optimum && convergent < 2 * optimum)
  }

  @Test func countsTellWhatIsLate() throws {
    let arcs = [
      EvacuationNetwork.Arc(from: 0, to: 1, transit: 2, capacity: 2),
      EvacuationNetwork.Arc(from: 1, to: 2, transit: 2, capacity: 2),
    ]
    let network = try EvacuationNetwork(
      nodeCount: 3, arcs: arcs, sources: [.init(node: 0, people: 10)], exits: [.init(node: 2)])
    let plan = try QuickestPlan(network).plan
    #expect(plan.makespan == 8)
    // Arc 0 is entered at steps 0 to 4, arc 1 at 2 to 6, by two each time.
    let late = PlanProgress(plan, counts: [0: 10, 1: 3], at: 6)
    #expect(late.isLate)
    #expect(late.points.first == .init(arc: 1, planned: 8, counted: 3, late: 3))
    #expect(late.points.last == .init(arc: 0, planned: 10, counted: 10, late: 0))
    #expect(!PlanProgress(plan, counts: [0: 2, 1: 0], at: 1).isLate)
  }

  @Test func placingIsTheSameForTheSameSeed() throws {
    let graph = Drawn.grid(6)
    let exits = [EvacuationNetwork.Exit(node: 0)]
    let first = StreetEvacuation.placing(500, on: graph, exits: exits, seed: 4)
    #expect(first == StreetEvacuation.placing(500, on: graph, exits: exits, seed: 4))
    #expect(first != StreetEvacuation.placing(500, on: graph, exits: exits, seed: 5))
    #expect(first.reduce(0) { $0 + $1.people } == 500)
    #expect(first.allSatisfy { $0.node != 0 })
  }
}
