/// A plan for orders to people: at each junction everybody goes the same way, so that one sign is enough and nobody has
/// to be told apart (a confluent flow). It costs time against the optimum; how much, its makespan says.
public struct ConvergentPlan: Sendable {
  /// The arc that the sign at each node points along; `nil` at exits and where no sign is needed.
  public let next: [Int?]
  /// All people on their way by the signs, from their first step on, waiting in line where an arc is full.
  public let plan: EvacuationPlan

  /// Derives signs from a plan and improves them.
  ///
  /// It begins with the better of two trees: each node's fullest arc in the plan, and the shortest way to an exit. Then
  /// nodes of the exit that is done last are given to others as long as that helps.
  ///
  /// - Parameters:
  ///   - plan: an optimum, or one near it
  ///   - trials: how many changed trees are tried at most
  /// - Returns: `nil` when no tree was found that keeps to the shelters' room.
  public init?(_ network: EvacuationNetwork, from plan: EvacuationPlan, trials: Int = 600) {
    let search = TreeSearch(network, slack: 4 * plan.makespan + 64)
    let trees = [search.tree(byLoad: plan.load(arcs: network.arcs.count)), search.tree(byLoad: nil)]
    guard let tree = trees.map({ ($0, search.rate($0)) }).min(by: { $0.1 < $1.1 }) else { return nil }
    let best = search.improve(tree.0, trials: trials)
    let itineraries = network.sources.enumerated().compactMap { index, source in
      search.itinerary(of: index, source, along: best)
    }
    guard search.rate(best).isWithinRoom,
      itineraries.count == network.sources.count,
      let walked = QueueReplay.plan(itineraries, on: network)
    else { return nil }
    next = search.signs(best)
    self.plan = walked
  }
}
