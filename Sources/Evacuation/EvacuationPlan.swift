/// Who leaves when and goes where.
public struct EvacuationPlan: Sendable, Equatable {
  /// One arc on the way of a group.
  public struct Move: Sendable, Hashable {
    public var arc: Int
    /// The step at which the arc is entered.
    public var step: Int

    public init(arc: Int, step: Int) {
      self.arc = arc
      self.step = step
    }
  }

  /// People who go together all the way.
  public struct Group: Sendable, Equatable {
    /// Index of the source at which they are.
    public var source: Int
    public var people: Int
    /// Empty for those who are at an exit from the beginning.
    public var moves: [Move]
    /// Index of the exit by which they leave.
    public var exit: Int
    /// The step at which they are there.
    public var arrival: Int

    public init(source: Int, people: Int, moves: [Move], exit: Int, arrival: Int) {
      self.source = source
      self.people = people
      self.moves = moves
      self.exit = exit
      self.arrival = arrival
    }
  }

  public var groups: [Group]

  public init(groups: [Group]) { self.groups = groups }

  /// The step at which the last person is at an exit.
  public var makespan: Int { groups.lazy.map(\.arrival).max() ?? 0 }

  /// People who are at an exit by each step, up to the makespan.
  public var arrivals: [Int] {
    var counts = [Int](repeating: 0, count: makespan + 1)
    for group in groups { counts[group.arrival] += group.people }
    for step in counts.indices.dropFirst() { counts[step] += counts[step - 1] }
    return counts
  }

  /// People who enter each arc, over all steps.
  public func load(arcs: Int) -> [Int] {
    var load = [Int](repeating: 0, count: arcs)
    for group in groups {
      for move in group.moves { load[move.arc] += group.people }
    }
    return load
  }
}
