extension TimeExpandedFlow {
  /// Takes the flow apart into groups that go the same way, and leaves it empty.
  func takeApart() -> [EvacuationPlan.Group] {
    var groups: [EvacuationPlan.Group] = []
    for source in departures.indices {
      for (step, people) in departures[source].sorted(by: { $0.step < $1.step }) {
        var left = people
        while left > 0 {
          let group = takeGroup(of: source, from: Int(step), atMost: left)
          left -= Int32(group.people)
          groups.append(group)
        }
      }
      departures[source] = []
    }
    return groups
  }

  /// Follows the flow from a source until somebody leaves, and takes as many people out of it as went all the way.
  private func takeGroup(of source: Int, from step: Int, atMost most: Int32) -> EvacuationPlan.Group {
    var moves: [EvacuationPlan.Move] = []
    var (node, time) = (network.sources[source].node, step)
    while true {
      let exit = Int(exitAt[node])
      if exit >= 0, leaving[time * exitCount + exit] > 0 {
        let cells = moves.map { entering + ($0.step * arcCount + $0.arc) }
        let people = min(most, leaving[time * exitCount + exit], cells.map(\.pointee).min() ?? most)
        for cell in cells { cell.pointee -= people }
        leaving[time * exitCount + exit] -= people
        return EvacuationPlan.Group(source: source, people: Int(people), moves: moves, exit: exit, arrival: time)
      }
      let row = time * arcCount
      guard let arc = outOf[node].lazy.map({ Int($0) }).first(where: { entering[row + $0] > 0 }) else {
        preconditionFailure("the flow is not conserved")
      }
      moves.append(EvacuationPlan.Move(arc: arc, step: time))
      time += Int(transit[arc])
      node = Int(to[arc])
      dropRound(&moves, at: node, time)
    }
  }

  /// Takes a round that came back to the same node at the same step (over arcs that take no time) out of the flow.
  private func dropRound(_ moves: inout [EvacuationPlan.Move], at node: Int, _ time: Int) {
    var begin = moves.count
    while begin > 0, moves[begin - 1].step == time {
      begin -= 1
      guard Int(from[moves[begin].arc]) == node else { continue }
      let round = moves[begin...].map { entering + ($0.step * arcCount + $0.arc) }
      let people = round.map(\.pointee).min() ?? 0
      for cell in round { cell.pointee -= people }
      moves.removeSubrange(begin...)
      return
    }
  }
}
