/// Finds ways for more people through a `TimeExpandedFlow`, from the exits back to where people wait.
///
/// Levels are laid by a breadth-first search over the residual network, then as many ways as fit are taken that go down
/// level by level (after Dinic, "Algorithm for solution of a problem of maximum flow in networks with power estimation",
/// 1970). Levels do not end where the first people are found, as Dinic's do: people stand at all distances, and one
/// search then serves them all. What a search that fails has seen can never again be on a way: ways begin at people who wait, and those states cannot be
/// reached from there. They are marked and left alone, so that all failing searches together see each state once.
final class AugmentingSearch {
  /// One step back on a way.
  private enum Kind {
    /// More people enter an arc, or fewer.
    case enter, cancel
    /// More people of a source leave it at a step; fewer do.
    case depart, stay
    /// Fewer people leave by an exit at a step; more do.
    case giveUp, takeUp
  }

  private struct Step {
    var kind: Kind
    /// The arc, source or exit.
    var index: Int
    /// When the arc is entered, the source or the network left.
    var step: Int
    /// Where the step leads.
    var state: Int
  }

  private static let dead = Int32.max

  let flow: TimeExpandedFlow
  /// Whether people may be moved from one shelter to another to make room: for shelters that are full.
  let isRerouting: Bool
  /// The step into which a search looks for ways, that is, the last step at which people may leave.
  private var horizon = 0
  /// Marks of this round begin here; `base + d` is a state `d` steps from the exits.
  private var base: Int32 = 1
  private var depth: Int32 = 0
  private var queue: [Int] = []
  /// Marks of sources, then of exits, whose states are the numbers below 0.
  private let hubMarks: TimeExpandedFlow.Cells
  private let hubCount: Int

  init(_ flow: TimeExpandedFlow, isRerouting: Bool) {
    self.flow = flow
    self.isRerouting = isRerouting
    hubCount = flow.sourceCount + flow.exitCount
    hubMarks = .allocate(capacity: max(1, hubCount))
    hubMarks.initialize(repeating: 0, count: hubCount)
  }

  deinit { hubMarks.deallocate() }

  /// Finds ways for as many more people as can be at an exit by `step`, which has been reached.
  ///
  /// Called for each step in turn, without rerouting, it makes an earliest arrival flow: after each call as many people
  /// as possible are at an exit by that step, and no call takes that back for an earlier one.
  func run(_ step: Int) {
    horizon = step
    while layLevels() { takeWays() }
    if !isRerouting {
      for state in queue { setMark(state, Self.dead) }
    }
  }

  private func mark(_ state: Int) -> Int32 { state >= 0 ? flow.marks[state] : hubMarks[-1 - state] }

  private func setMark(_ state: Int, _ mark: Int32) {
    if state >= 0 { flow.marks[state] = mark } else { hubMarks[-1 - state] = mark }
  }

  private func exitState(_ exit: Int) -> Int { -1 - flow.sourceCount - exit }

  private var roots: [Int] {
    flow.network.exits.indices.filter { flow.room[$0] > 0 }.map {
      isRerouting ? exitState($0) : horizon * flow.nodeCount + flow.network.exits[$0].node
    }
  }

  // ---- Levels ----

  /// Whether a way was found.
  private func layLevels() -> Bool {
    base += depth + 2
    if base > Int32.max / 2 {
      flow.clearMarks()
      hubMarks.update(repeating: 0, count: hubCount)
      base = 1
    }
    depth = 0
    queue.removeAll(keepingCapacity: true)
    var isFound = false
    for root in roots where mark(root) != Self.dead {
      setMark(root, base)
      queue.append(root)
      if !isFound, start(root) != nil { isFound = true }
    }
    var next = 0
    while next < queue.count {
      let levelEnd = queue.count
      depth += 1
      while next < levelEnd {
        let state = queue[next]
        next += 1
        _ = before(state) { step in
          guard mark(step.state) < base else { return false }
          setMark(step.state, base + depth)
          queue.append(step.state)
          if !isFound, start(step.state) != nil { isFound = true }
          return false
        }
      }
    }
    return isFound
  }

  /// Calls `visit` with each step that leads back from a state, until it returns true; the step at which it did.
  @inline(__always)
  private func before(_ state: Int, _ visit: (Step) -> Bool) -> Step? {
    guard state >= 0 else { return beforeHub(-1 - state, visit) }
    let (time, node) = state.quotientAndRemainder(dividingBy: flow.nodeCount)
    for arc in flow.into[node] {
      let arc = Int(arc)
      let entered = time - Int(flow.transit[arc])
      guard entered >= 0, flow.entering[entered * flow.arcCount + arc] < flow.capacity[arc] else { continue }
      let step = Step(
        kind: .enter, index: arc, step: entered, state: entered * flow.nodeCount + Int(flow.from[arc]))
      if visit(step) { return step }
    }
    let row = flow.entering + time * flow.arcCount
    for arc in flow.outOf[node] where row[Int(arc)] > 0 {
      let arc = Int(arc)
      let step = Step(
        kind: .cancel, index: arc, step: time,
        state: (time + Int(flow.transit[arc])) * flow.nodeCount + Int(flow.to[arc]))
      if visit(step) { return step }
    }
    for source in flow.sourcesAt[node] where Int(flow.ready[Int(source)]) <= time {
      let source = Int(source)
      let step = Step(kind: .depart, index: source, step: time, state: -1 - source)
      if visit(step) { return step }
    }
    let exit = Int(flow.exitAt[node])
    if isRerouting, exit >= 0, flow.leaving[time * flow.exitCount + exit] > 0 {
      let step = Step(kind: .giveUp, index: exit, step: time, state: exitState(exit))
      if visit(step) { return step }
    }
    return nil
  }

  private func beforeHub(_ hub: Int, _ visit: (Step) -> Bool) -> Step? {
    if hub < flow.sourceCount {
      let node = flow.network.sources[hub].node
      for (time, _) in flow.departures[hub] {
        let step = Step(kind: .stay, index: hub, step: Int(time), state: Int(time) * flow.nodeCount + node)
        if visit(step) { return step }
      }
      return nil
    }
    let exit = hub - flow.sourceCount
    let node = flow.network.exits[exit].node
    for time in 0...horizon {
      let step = Step(kind: .takeUp, index: exit, step: time, state: time * flow.nodeCount + node)
      if visit(step) { return step }
    }
    return nil
  }

  /// Where a way can begin at a state: a source with people who wait, or an exit by which people leave later than they
  /// could (in a flow that was taken over).
  private func start(_ state: Int) -> (source: Int?, exit: Int, people: Int32)? {
    guard state >= 0 else { return nil }
    let (time, node) = state.quotientAndRemainder(dividingBy: flow.nodeCount)
    for source in flow.sourcesAt[node] {
      let source = Int(source)
      guard flow.waiting[source] > 0, Int(flow.ready[source]) <= time else { continue }
      return (source, -1, flow.waiting[source])
    }
    let exit = Int(flow.exitAt[node])
    if exit >= 0, time > horizon, flow.leaving[time * flow.exitCount + exit] > 0 {
      return (nil, exit, flow.leaving[time * flow.exitCount + exit])
    }
    return nil
  }

  // ---- Ways ----

  /// Takes ways along the levels until there are none.
  private func takeWays() {
    for root in roots where mark(root) == base {
      let exit = root >= 0 ? Int(flow.exitAt[root % flow.nodeCount]) : -1 - root - flow.sourceCount
      var states = [root]
      var way: [Step] = []
      while let state = states.last, flow.room[exit] > 0 {
        let level = Int32(way.count)
        if let start = start(state) {
          let kept = augment(way, exit, start, state)
          way.removeSubrange(kept...)
          states.removeSubrange((kept + 1)...)
        } else if let step = before(state, { mark($0.state) == base + level + 1 }) {
          way.append(step)
          states.append(step.state)
        } else {
          setMark(state, 0)
          states.removeLast()
          _ = way.popLast()
        }
      }
    }
  }

  /// Sends people along a way; how many of its steps, from the exit on, can take more.
  private func augment(
    _ way: [Step], _ exit: Int, _ start: (source: Int?, exit: Int, people: Int32), _ state: Int
  ) -> Int {
    var people = min(start.people, Int32(min(flow.room[exit], Int(Int32.max))))
    for step in way { people = min(people, residual(step)) }
    var kept = way.count
    for (position, step) in way.enumerated().reversed() {
      apply(step, people)
      if residual(step) == 0 { kept = position }
    }
    let time = state / flow.nodeCount
    if let source = start.source {
      flow.assign(source, people)
      flow.depart(source, at: time, people)
    } else {
      flow.leave(start.exit, at: time, -people)
    }
    if !isRerouting { flow.leave(exit, at: horizon, people) }
    return kept
  }

  private func residual(_ step: Step) -> Int32 {
    let cell = step.step * flow.arcCount + step.index
    switch step.kind {
    case .enter: return flow.capacity[step.index] - flow.entering[cell]
    case .cancel: return flow.entering[cell]
    case .depart, .takeUp: return Int32.max
    case .stay: return flow.departures[step.index].first { $0.step == Int32(step.step) }?.people ?? 0
    case .giveUp: return flow.leaving[step.step * flow.exitCount + step.index]
    }
  }

  private func apply(_ step: Step, _ people: Int32) {
    let cell = step.step * flow.arcCount + step.index
    switch step.kind {
    case .enter: flow.entering[cell] += people
    case .cancel: flow.entering[cell] -= people
    case .depart: flow.depart(step.index, at: step.step, people)
    case .stay: flow.depart(step.index, at: step.step, -people)
    case .giveUp: flow.leave(step.index, at: step.step, -people)
    case .takeUp: flow.leave(step.index, at: step.step, people)
    }
  }
}
