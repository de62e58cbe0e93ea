/// How an evacuation goes against its plan, by counts of people who passed points.
public struct PlanProgress: Sendable, Equatable {
  public struct Point: Sendable, Equatable {
    /// The arc into whose beginning the point looks.
    public var arc: Int
    /// People who should have entered it before the step, and who did.
    public var planned, counted: Int
    /// Steps since the plan had as many people there as were counted; 0 where nobody is missing.
    public var late: Int

    public init(arc: Int, planned: Int, counted: Int, late: Int) {
      self.arc = arc
      self.planned = planned
      self.counted = counted
      self.late = late
    }
  }

  /// One for each count, the latest first.
  public let points: [Point]

  public var isLate: Bool { points.contains { $0.late > 0 } }

  /// - Parameters:
  ///   - counts: people who entered an arc before `step`, by arc
  public init(_ plan: EvacuationPlan, counts: [Int: Int], at step: Int) {
    var entering: [Int: [Int: Int]] = [:]
    for group in plan.groups {
      for move in group.moves where counts[move.arc] != nil && move.step < step {
        entering[move.arc, default: [:]][move.step, default: 0] += group.people
      }
    }
    points = counts.map { arc, counted in
      let steps = (entering[arc] ?? [:]).sorted { $0.key < $1.key }
      var (planned, late) = (0, 0)
      for (entered, people) in steps {
        planned += people
        // The first step that planned more than were counted is where the line stands still.
        if planned > counted && late == 0 { late = step - entered }
      }
      return Point(arc: arc, planned: planned, counted: counted, late: late)
    }
    .sorted { ($0.late, $1.arc) > ($1.late, $0.arc) }
  }
}
