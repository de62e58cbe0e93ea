/// How the events of one account compare with those of another, of the true tracks for example.
///
/// Two mean the same where zone, rule and direction are the same, their times differ by at most ``tolerance`` seconds, and
/// their boxes touch or nearly do.
public struct EventScore: Sendable, Hashable {
  public struct Count: Sendable, Hashable {
    public var found = 0
    public var wrong = 0
    public var missed = 0

    public init(found: Int = 0, wrong: Int = 0, missed: Int = 0) {
      self.found = found
      self.wrong = wrong
      self.missed = missed
    }

    /// 1 where nothing was said and nothing was.
    public var f1: Double {
      let all = 2 * found + wrong + missed
      return all == 0 ? 1 : Double(2 * found) / Double(all)
    }
  }

  /// Seconds.
  public static let tolerance = 1.0

  public private(set) var counts: [Zone.Name: Count] = [:]

  /// Compares where events begin.
  public init(_ events: [ZoneEvent], truth: [ZoneEvent]) {
    let (events, truth) = (events.filter { $0.phase == .begin }, truth.filter { $0.phase == .begin })
    for rule in Set((events + truth).map(\.rule)) {
      let (mine, real) = (events.filter { $0.rule == rule }, truth.filter { $0.rule == rule })
      let gains = mine.map { one in
        real.map { other in
          Self.isSame(one, other) ? 1 + (1 - abs(one.time - other.time) / Self.tolerance) / 1000 : 0.0
        }
      }
      var found = 0
      for (row, column) in leastCostAssignment(gains.map { $0.map { -$0 } }).enumerated() {
        if let column, gains[row][column] > 0 { found += 1 }
      }
      counts[rule] = Count(found: found, wrong: mine.count - found, missed: real.count - found)
    }
  }

  private static func isSame(_ one: ZoneEvent, _ other: ZoneEvent) -> Bool {
    guard one.zone == other.zone, one.direction == other.direction, abs(one.time - other.time) <= tolerance + 1e-9
    else {
      return false
    }
    return one.track == nil || one.box.foot.distance(to: other.box.foot) <= max(one.box.height, other.box.height)
  }
}
