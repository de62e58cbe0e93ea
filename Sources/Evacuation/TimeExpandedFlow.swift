/// A flow in the time-expanded network: how many people enter each arc at each step.
///
/// The network is not written out. A *state* is a node at a step; what joins states is computed from the arcs. People
/// wait only at their source: a quickest flow never needs to hold anybody on the way (Hoppe and Tardos, "The quickest
/// transshipment problem", Mathematics of Operations Research 25, 2000).
///
/// All numbers are in buffers of 32-bit integers that grow by layers of a step; this is where the planner's time goes.
final class TimeExpandedFlow {
  typealias Cells = UnsafeMutablePointer<Int32>

  /// An `Index` in buffers.
  struct Groups {
    let first, members: Cells

    subscript(key: Int) -> UnsafeBufferPointer<Int32> {
      UnsafeBufferPointer(start: members + Int(first[key]), count: Int(first[key + 1] - first[key]))
    }
  }

  let network: EvacuationNetwork
  let nodeCount, arcCount, exitCount, sourceCount: Int
  /// Arcs that may be entered, by where they end and where they begin.
  let into, outOf: Groups
  let sourcesAt: Groups
  /// The exit at each node, -1 where there is none.
  let exitAt: Cells
  let from, to, transit, capacity: Cells
  /// The first step at which people of each source may leave.
  let ready: Cells

  /// Layers that the buffers have; steps `0 ..< layers` can be named.
  private(set) var layers = 0
  let limit: Int
  /// People who enter arc `a` at step `t`: `entering[t * arcCount + a]`.
  private(set) var entering: Cells
  /// People who leave by exit `e` at step `t`: `leaving[t * exitCount + e]`.
  private(set) var leaving: Cells
  /// What the search knows of a state: `marks[t * nodeCount + v]`.
  private(set) var marks: Cells
  /// People of each source who have no way yet.
  let waiting: Cells
  /// The steps at which people of each source leave it, and how many do.
  var departures: [[(step: Int32, people: Int32)]]
  /// Room that each exit has left.
  var room: [Int]
  /// People with no way yet.
  private(set) var waitingPeople: Int
  /// People who leave by any exit at each step.
  var leavingAt: [Int] = []

  /// - Parameter limit: the most cells (arcs times steps) that are kept.
  init(_ network: EvacuationNetwork, limit: Int) {
    func cells(_ numbers: [Int]) -> Cells {
      let cells = Cells.allocate(capacity: max(1, numbers.count))
      for (index, number) in numbers.enumerated() { cells[index] = Int32(number) }
      return cells
    }
    self.network = network
    self.limit = limit
    nodeCount = network.nodeCount
    arcCount = network.arcs.count
    exitCount = network.exits.count
    sourceCount = network.sources.count
    var into = Index(keys: network.arcs.map(\.to), count: nodeCount)
    var outOf = Index(keys: network.arcs.map(\.from), count: nodeCount)
    into.drop { network.arcs[$0].isBlocked }
    outOf.drop { network.arcs[$0].isBlocked }
    self.into = Groups(first: cells(into.first), members: cells(into.members))
    self.outOf = Groups(first: cells(outOf.first), members: cells(outOf.members))
    let sourcesAt = Index(keys: network.sources.map(\.node), count: nodeCount)
    self.sourcesAt = Groups(first: cells(sourcesAt.first), members: cells(sourcesAt.members))
    exitAt = cells([Int](repeating: -1, count: nodeCount))
    for (index, exit) in network.exits.enumerated() { exitAt[exit.node] = Int32(index) }
    ready = cells(network.sources.map(\.ready))
    from = cells(network.arcs.map(\.from))
    to = cells(network.arcs.map(\.to))
    transit = cells(network.arcs.map(\.transit))
    capacity = cells(network.arcs.map(\.capacity))
    waiting = cells(network.sources.map(\.people))
    waitingPeople = network.people
    departures = Array(repeating: [], count: network.sources.count)
    room = network.exits.map { $0.capacity ?? Int(Int32.max) }
    entering = .allocate(capacity: 1)
    leaving = .allocate(capacity: 1)
    marks = .allocate(capacity: 1)
  }

  deinit {
    for cells in [from, to, transit, capacity, ready, exitAt, waiting, entering, leaving, marks] { cells.deallocate() }
    for groups in [into, outOf, sourcesAt] {
      groups.first.deallocate()
      groups.members.deallocate()
    }
  }

  /// Makes sure that step `step` can be named.
  func reach(_ step: Int) throws(EvacuationError) {
    guard step >= layers else { return }
    let cells = (step + 1) * max(arcCount, nodeCount, 1)
    guard cells <= limit else { throw .tooLarge(cells: cells, limit: limit) }
    let most = limit / max(arcCount, nodeCount, 1)
    let grown = min(max(step + 1, 2 * layers, 64), most)
    entering = Self.grown(entering, from: layers * arcCount, to: grown * arcCount)
    leaving = Self.grown(leaving, from: layers * exitCount, to: grown * exitCount)
    marks = Self.grown(marks, from: layers * nodeCount, to: grown * nodeCount)
    leavingAt += Array(repeating: 0, count: grown - layers)
    layers = grown
  }

  private static func grown(_ cells: Cells, from old: Int, to new: Int) -> Cells {
    let larger = Cells.allocate(capacity: max(1, new))
    larger.update(from: cells, count: old)
    (larger + old).initialize(repeating: 0, count: max(1, new) - old)
    cells.deallocate()
    return larger
  }

  /// Forgets what searches learned of states.
  func clearMarks() { marks.update(repeating: 0, count: layers * nodeCount) }

  /// Lets people of a source (or, where negative, fewer of them) leave it at a step.
  func depart(_ source: Int, at step: Int, _ people: Int32) {
    if let known = departures[source].firstIndex(where: { $0.step == Int32(step) }) {
      departures[source][known].people += people
      if departures[source][known].people == 0 { departures[source].swapAt(known, departures[source].count - 1) }
      if departures[source].last?.people == 0 { departures[source].removeLast() }
    } else {
      departures[source].append((Int32(step), people))
    }
  }

  /// Takes people of a source from those who have no way.
  func assign(_ source: Int, _ people: Int32) {
    waiting[source] -= people
    waitingPeople -= Int(people)
  }

  /// Lets people leave (or, where negative, fewer of them) by an exit at a step.
  func leave(_ exit: Int, at step: Int, _ people: Int32) {
    leaving[step * exitCount + exit] += people
    leavingAt[step] += Int(people)
    room[exit] -= Int(people)
  }

  /// Takes over groups of a plan, whose sources are those of this network and whose people fit.
  func take(_ groups: [EvacuationPlan.Group]) throws(EvacuationError) {
    for group in groups where group.people > 0 {
      try reach(group.arrival)
      let people = Int32(group.people)
      assign(group.source, people)
      depart(group.source, at: group.moves.first?.step ?? group.arrival, people)
      for move in group.moves { entering[move.step * arcCount + move.arc] += people }
      leave(group.exit, at: group.arrival, people)
    }
  }
}
