/// An exact plan: nobody can bring all people to the exits in fewer steps.
public struct QuickestPlan: Sendable {
  public let plan: EvacuationPlan
  /// Whether, besides, as many people as possible are at an exit by every single step. That can always be had unless a
  /// shelter fills up; then only the last arrival is as early as possible.
  public let isEarliestArrival: Bool

  /// The most cells (arcs times steps) of an exact plan: 512 MiB of flow, and as much again while it grows.
  public static let cellLimit = 128 << 20

  /// Plans from the beginning, or, with `keeping`, from the groups of an earlier plan that can still go as they were
  /// meant to; the result is as good either way.
  ///
  /// - Parameter kept: groups without waits on their way, whose sources, exits and arcs are those of this network and
  ///   which go beyond none of its bounds.
  /// - Throws: `unreachable`, `tooLittleRoom`, `tooLarge`
  public init(
    _ network: EvacuationNetwork, keeping kept: [EvacuationPlan.Group] = [], cellLimit: Int = QuickestPlan.cellLimit
  ) throws(EvacuationError) {
    try Self.checkReach(network)
    let first = try Self.earliest(network, keeping: kept, cellLimit)
    let isOpen = network.exits.allSatisfy { $0.capacity == nil }
    if isOpen || !first.isFull {
      plan = EvacuationPlan(groups: first.groups)
      isEarliestArrival = true
      return
    }
    // A shelter filled up: what follows can only be said to be quickest.
    isEarliestArrival = false
    try Self.checkRoom(network, cellLimit)
    let unlimited = try EvacuationNetwork(
      nodeCount: network.nodeCount, arcs: network.arcs, sources: network.sources,
      exits: network.exits.filter { $0.capacity != 0 }.map { EvacuationNetwork.Exit(node: $0.node) })
    let bound = EvacuationPlan(groups: try Self.earliest(unlimited, keeping: [], cellLimit).groups).makespan
    let greedy = EvacuationPlan(groups: first.groups)
    if first.isComplete && greedy.makespan == bound {
      plan = greedy
    } else {
      plan = EvacuationPlan(groups: try Self.quickest(network, keeping: first.groups, from: bound, cellLimit))
    }
  }

  /// Whether each person can reach an exit at all.
  private static func checkReach(_ network: EvacuationNetwork) throws(EvacuationError) {
    let steps = network.stepsToExit()
    let stuck = network.sources.filter { steps[$0.node] == nil }.reduce(0) { $0 + $1.people }
    if stuck > 0 { throw .unreachable(people: stuck) }
  }

  /// Whether the shelters that people can reach have room for them: the same flow where all is done in no time.
  private static func checkRoom(_ network: EvacuationNetwork, _ cellLimit: Int) throws(EvacuationError) {
    let people = network.people
    let arcs = network.arcs.map { arc in
      EvacuationNetwork.Arc(
        from: arc.from, to: arc.to, transit: 0, capacity: arc.capacity == 0 ? 0 : people, isBlocked: arc.isBlocked)
    }
    let timeless = try EvacuationNetwork(
      nodeCount: network.nodeCount, arcs: arcs,
      sources: network.sources.map { EvacuationNetwork.Source(node: $0.node, people: $0.people) },
      exits: network.exits)
    let flow = TimeExpandedFlow(timeless, limit: cellLimit)
    try flow.reach(0)
    let search = AugmentingSearch(flow, isRerouting: true)
    search.run(0)
    if flow.waitingPeople > 0 { throw .tooLittleRoom(people: flow.waitingPeople) }
  }

  /// An earliest arrival flow, in which an exit that is full takes nobody more.
  private static func earliest(
    _ network: EvacuationNetwork, keeping kept: [EvacuationPlan.Group], _ cellLimit: Int
  ) throws(EvacuationError) -> (groups: [EvacuationPlan.Group], isFull: Bool, isComplete: Bool) {
    let flow = TimeExpandedFlow(network, limit: cellLimit)
    try flow.take(kept)
    var latest = EvacuationPlan(groups: kept).makespan
    let search = AugmentingSearch(flow, isRerouting: false)
    var openExits = flow.room.count { $0 > 0 }
    let isAllOpen = openExits == network.exits.count
    let ahead = network.stepsToExit()
    var step = 0
    while true {
      while latest > step && flow.leavingAt[latest] == 0 { latest -= 1 }
      if flow.waitingPeople == 0 && latest <= step - 1 { break }
      try flow.reach(step)
      search.run(step)
      let open = flow.room.count { $0 > 0 }
      if open < openExits {
        openExits = open
        if !canReachRoom(flow) { break }
      }
      step += 1
      // Nobody arrives before one of those who wait could without the others.
      if flow.waitingPeople > 0 && latest < step {
        let soonest = network.sources.indices.lazy.filter { flow.waiting[$0] > 0 }
          .compactMap { index in ahead[network.sources[index].node].map { $0 + network.sources[index].ready } }.min()
        step = max(step, soonest ?? step)
      }
    }
    let isComplete = flow.waitingPeople == 0
    let isFull = openExits < network.exits.count || !isAllOpen
    return (flow.takeApart(), isFull, isComplete)
  }

  /// Whether all who wait can reach an exit that is not full.
  private static func canReachRoom(_ flow: TimeExpandedFlow) -> Bool {
    guard flow.waitingPeople > 0 else { return true }
    let network = flow.network
    let open = network.exits.indices.filter { flow.room[$0] > 0 }.map { network.exits[$0] }
    guard !open.isEmpty,
      let left = try? EvacuationNetwork(
        nodeCount: network.nodeCount, arcs: network.arcs, sources: [], exits: open)
    else { return false }
    let steps = left.stepsToExit()
    return network.sources.indices.allSatisfy { flow.waiting[$0] == 0 || steps[network.sources[$0].node] != nil }
  }

  /// A quickest flow into shelters with room for so many: a maximum flow for each horizon from `bound` on, each begun
  /// with the one before, until all have a way.
  private static func quickest(
    _ network: EvacuationNetwork, keeping groups: [EvacuationPlan.Group], from bound: Int, _ cellLimit: Int
  ) throws(EvacuationError) -> [EvacuationPlan.Group] {
    let flow = TimeExpandedFlow(network, limit: cellLimit)
    try flow.take(groups.filter { $0.arrival <= bound })
    let search = AugmentingSearch(flow, isRerouting: true)
    var horizon = bound
    while true {
      try flow.reach(horizon)
      search.run(horizon)
      if flow.waitingPeople == 0 { return flow.takeApart() }
      horizon += 1
    }
  }
}
