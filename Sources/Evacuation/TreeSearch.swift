/// Trees in which each node has one arc to go on, and how long everybody takes along them.
struct TreeSearch {
  struct Rating: Comparable {
    var isWithinRoom: Bool
    var makespan: Int
    /// The sum of the squares of the exits' last steps: of two trees that are done at the same time the one whose exits
    /// are done earlier leaves more to gain.
    var sum: Int
    /// The last step at each exit.
    var last: [Int]

    static func < (a: Rating, b: Rating) -> Bool {
      if a.isWithinRoom != b.isWithinRoom { return a.isWithinRoom }
      return (a.makespan, a.sum) < (b.makespan, b.sum)
    }
  }

  let network: EvacuationNetwork
  private let outOf: Index
  private let steps: [Int?]
  private let exitAt: [Int?]
  private let horizon: Int

  init(_ network: EvacuationNetwork, slack: Int) {
    self.network = network
    var outOf = Index(keys: network.arcs.map(\.from), count: network.nodeCount)
    outOf.drop { network.arcs[$0].isBlocked || network.arcs[$0].capacity == 0 }
    self.outOf = outOf
    steps = network.stepsToExit()
    var exitAt = [Int?](repeating: nil, count: network.nodeCount)
    for (index, exit) in network.exits.enumerated() where exit.capacity != 0 { exitAt[exit.node] = index }
    self.exitAt = exitAt
    horizon = slack + (steps.lazy.compactMap { $0 }.max() ?? 0) + (network.sources.lazy.map(\.ready).max() ?? 0)
  }

  /// Each node's fullest arc, or, where it has none or would lead round in circles, the one of the shortest way.
  func tree(byLoad load: [Int]?) -> [Int?] {
    var tree = [Int?](repeating: nil, count: network.nodeCount)
    for node in tree.indices where exitAt[node] == nil && steps[node] != nil {
      tree[node] = outOf[node].filter { steps[network.arcs[$0].to] != nil }
        .min { wayLength($0) < wayLength($1) }
    }
    guard let load else { return tree }
    let fullest = tree.indices.compactMap { node -> (arc: Int, load: Int)? in
      guard tree[node] != nil, let arc = outOf[node].max(by: { load[$0] < load[$1] }), load[arc] > 0 else { return nil }
      return (arc, load[arc])
    }
    for (arc, _) in fullest.sorted(by: { ($0.load, $1.arc) > ($1.load, $0.arc) })
    where !leads(network.arcs[arc].to, to: network.arcs[arc].from, tree) {
      tree[network.arcs[arc].from] = arc
    }
    return tree
  }

  /// Steps to the nearest exit over an arc; of arcs without transit the one that ends nearer counts first.
  private func wayLength(_ arc: Int) -> (Int, Int) {
    let end = network.arcs[arc]
    return (end.transit + (steps[end.to] ?? .max / 2), steps[end.to] ?? .max)
  }

  private func leads(_ begin: Int, to node: Int, _ tree: [Int?]) -> Bool {
    var at = begin
    var count = 0
    while at != node {
      guard let arc = tree[at], count <= tree.count else { return false }
      at = network.arcs[arc].to
      count += 1
    }
    return true
  }

  /// Nodes so that each comes before the one that it leads to, and the exit of each; `nil` for nodes that lead to none.
  private func order(_ tree: [Int?]) -> (nodes: [Int], exit: [Int?]) {
    var exit = exitAt
    let back = Index(
      keys: tree.map { $0.map { network.arcs[$0].to } ?? network.nodeCount }, count: network.nodeCount + 1)
    var nodes = tree.indices.filter { exitAt[$0] != nil }
    var next = 0
    while next < nodes.count {
      let node = nodes[next]
      next += 1
      for member in back[node] where exitAt[member] == nil {
        exit[member] = exit[node]
        nodes.append(member)
      }
    }
    return (nodes.reversed(), exit)
  }

  /// How everybody fares along a tree. The order in which people stand in a line does not matter for this: only how many
  /// there are at each node and step is counted.
  func rate(_ tree: [Int?]) -> Rating {
    let (nodes, exit) = order(tree)
    var counts = [Int32](repeating: 0, count: network.nodeCount * (horizon + 1))
    var used = [Bool](repeating: false, count: network.nodeCount)
    var loads = [Int](repeating: 0, count: network.exits.count)
    for source in network.sources where source.people > 0 {
      counts[source.node * (horizon + 1) + min(source.ready, horizon)] += Int32(source.people)
      used[source.node] = true
      if let exit = exit[source.node] { loads[exit] += source.people }
    }
    var last = [Int](repeating: 0, count: network.exits.count)
    counts.withUnsafeMutableBufferPointer { counts in
      for node in nodes where used[node] {
        let row = node * (horizon + 1)
        guard let arc = tree[node] else {
          if let exit = exitAt[node], let step = (0...horizon).last(where: { counts[row + $0] > 0 }) {
            last[exit] = step
          }
          continue
        }
        let (end, transit) = (network.arcs[arc].to, network.arcs[arc].transit)
        let capacity = Int32(network.arcs[arc].capacity)
        used[end] = true
        var line: Int32 = 0
        let target = end * (horizon + 1)
        for step in 0...horizon {
          line += counts[row + step]
          guard line > 0 else { continue }
          // Who would arrive beyond the horizon is counted at its end.
          let people = step == horizon ? line : min(line, capacity)
          counts[target + min(step + transit, horizon)] += people
          line -= people
        }
      }
    }
    let isWithinRoom = zip(network.exits, loads).allSatisfy { $1 <= $0.capacity ?? .max }
    return Rating(
      isWithinRoom: isWithinRoom, makespan: last.max() ?? 0, sum: last.reduce(0) { $0 + $1 * $1 }, last: last)
  }

  /// Gives nodes of the exit that is done last to neighbours whose exit is done earlier, as long as that helps.
  func improve(_ tree: [Int?], trials: Int) -> [Int?] {
    var (best, rating) = (tree, rate(tree))
    var left = trials
    var isImproved = true
    while isImproved && left > 0 {
      isImproved = false
      for arc in candidates(best, rating) where left > 0 {
        left -= 1
        var changed = best
        changed[network.arcs[arc].from] = arc
        let changedRating = rate(changed)
        if changedRating < rating {
          (best, rating) = (changed, changedRating)
          isImproved = true
          break
        }
      }
    }
    return best
  }

  /// Arcs from the exit that is done last to others, those to the exits that are done first before others.
  private func candidates(_ tree: [Int?], _ rating: Rating) -> [Int] {
    let exit = order(tree).exit
    guard let worst = rating.last.indices.max(by: { rating.last[$0] < rating.last[$1] }) else { return [] }
    var found: [(arc: Int, last: Int)] = []
    for node in tree.indices where exit[node] == worst && exitAt[node] == nil {
      for arc in outOf[node] {
        let end = network.arcs[arc].to
        guard let other = exit[end], other != worst else { continue }
        found.append((arc, rating.last[other] + network.arcs[arc].transit + (steps[end] ?? 0)))
      }
    }
    return found.sorted { ($0.last, $0.arc) < ($1.last, $1.arc) }.map(\.arc)
  }

  /// The way of a source's people along a tree; `nil` where it leads to no exit.
  func itinerary(of index: Int, _ source: EvacuationNetwork.Source, along tree: [Int?]) -> QueueReplay.Itinerary? {
    var arcs: [Int] = []
    var node = source.node
    while let arc = tree[node], arcs.count <= network.nodeCount {
      arcs.append(arc)
      node = network.arcs[arc].to
    }
    guard let exit = exitAt[node] else { return nil }
    return QueueReplay.Itinerary(source: index, people: source.people, departure: source.ready, arcs: arcs, exit: exit)
  }

  /// The tree's arcs at nodes where anybody comes by.
  func signs(_ tree: [Int?]) -> [Int?] {
    var signs = [Int?](repeating: nil, count: tree.count)
    for source in network.sources where source.people > 0 {
      var node = source.node
      while let arc = tree[node], signs[node] == nil {
        signs[node] = arc
        node = network.arcs[arc].to
      }
    }
    return signs
  }
}
