/// What is left of an evacuation at a step, when some roads close: the people where they are, and the groups that can go on
/// as they were told.
///
/// Steps are counted anew from that step. Whoever is on an arc then goes on to its end, also when it closes behind him.
public struct Replanning: Sendable {
  /// The network from now on, with the closed arcs blocked.
  public let network: EvacuationNetwork
  /// Groups whose way is open, as groups of `network`.
  public let kept: [EvacuationPlan.Group]
  /// People who are safe already, or on the last arc of their way.
  public let settled: Int
  /// The last arrival of those who are on the last arc of their way, counted anew.
  public let settledBy: Int

  /// - Throws: `EvacuationError.invalid` when the plan is not one for the network.
  public init(
    _ plan: EvacuationPlan, for network: EvacuationNetwork, at step: Int, closing closed: Set<Int>
  ) throws(EvacuationError) {
    guard PlanCheck(plan, for: network).isGood, step >= 0 else { throw .invalid("the plan is not one for it") }
    struct Place: Hashable { var node, ready: Int }
    var places: [Place: Int] = [:]
    var sources: [EvacuationNetwork.Source] = []
    var room = network.exits.map(\.capacity)
    var kept: [EvacuationPlan.Group] = []
    var (settled, settledBy) = (0, 0)
    for group in plan.groups {
      let done = group.moves.prefix { $0.step < step }.count
      if done == group.moves.count {
        settled += group.people
        settledBy = max(settledBy, group.arrival - step)
        if let capacity = room[group.exit] { room[group.exit] = capacity - group.people }
        continue
      }
      var place = Place(node: network.sources[group.source].node, ready: network.sources[group.source].ready)
      if done > 0 {
        let last = group.moves[done - 1]
        place = Place(node: network.arcs[last.arc].to, ready: last.step + network.arcs[last.arc].transit)
      }
      place.ready = max(0, place.ready - step)
      if places[place] == nil {
        places[place] = sources.count
        sources.append(EvacuationNetwork.Source(node: place.node, people: 0, ready: place.ready))
      }
      guard let source = places[place] else { continue }
      sources[source].people += group.people
      let left = group.moves[done...].map { EvacuationPlan.Move(arc: $0.arc, step: $0.step - step) }
      let isStraight = zip(left, left.dropFirst()).allSatisfy { $0.step + network.arcs[$0.arc].transit == $1.step }
      if isStraight && left.allSatisfy({ !closed.contains($0.arc) }) {
        kept.append(
          EvacuationPlan.Group(
            source: source, people: group.people, moves: left, exit: group.exit, arrival: group.arrival - step))
      }
    }
    self.network = try EvacuationNetwork(
      nodeCount: network.nodeCount, arcs: network.blocking(closed).arcs, sources: sources,
      exits: zip(network.exits, room).map { EvacuationNetwork.Exit(node: $0.node, capacity: $1) })
    self.kept = kept
    self.settled = settled
    self.settledBy = settledBy
  }

  /// The best plan for those who are not safe yet; as good as one made from the beginning.
  public func plan(cellLimit: Int = QuickestPlan.cellLimit) throws(EvacuationError) -> QuickestPlan {
    try QuickestPlan(network, keeping: kept, cellLimit: cellLimit)
  }
}
