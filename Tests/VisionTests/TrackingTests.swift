import Testing
import Vision

@Suite struct TrackingTests {
  @Test func theAssignmentCostsLeast() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<300 {
      let (rows, columns) = (Int.random(in: 1...5, using: &random), Int.random(in: 1...5, using: &random))
      let cost = (0..<rows).map { _ in (0..<columns).map { _ in Double(Int.random(in: -20...20, using: &random)) } }
      let found = leastCostAssignment(cost)
      #expect(found.compactMap { $0 }.count == min(rows, columns))
      #expect(Set(found.compactMap { $0 }).count == min(rows, columns))
      let sum = found.enumerated().reduce(0) { sum, pair in sum + (pair.element.map { cost[pair.offset][$0] } ?? 0) }
      #expect(sum == Self.least(cost, from: 0, used: [], open: min(rows, columns)))
    }
    #expect(leastCostAssignment([]).isEmpty)
    #expect(leastCostAssignment([[], []]) == [nil, nil])
  }

  /// All ways tried.
  private static func least(_ cost: [[Double]], from row: Int, used: Set<Int>, open: Int) -> Double {
    if open == 0 { return 0 }
    if row == cost.count { return .infinity }
    var best = least(cost, from: row + 1, used: used, open: open)
    for column in cost[row].indices where !used.contains(column) {
      best = min(best, cost[row][column] + least(cost, from: row + 1, used: used.union([column]), open: open - 1))
    }
    return best
  }

  private func person(_ x: Double, _ y: Double = 100, score: Double = 0.9) -> Detection {
    Detection(box: Box(x: x, y: y, width: 30, height: 80), score: score)
  }

  @Test func twoWhoMeetKeepTheirNumbers() throws {
    var tracker = Tracker()
    var last: [Track] = []
    for index in 0..<60 {
      let way = 6 * Double(index)
      last = tracker.advance([person(100 + way), person(460 - way, 130)], at: Double(index) / 10)
    }
    #expect(last.map(\.id) == [1, 2])
    #expect(try #require(last.first).box.x > 400)
    #expect(try #require(last.last).box.x < 160)
    #expect(abs(try #require(last.first).velocity.x - 60) < 6)
  }

  @Test func oneSightIsNobody() {
    var tracker = Tracker()
    #expect(tracker.advance([person(100)], at: 0).isEmpty)
    for index in 1..<20 { #expect(tracker.advance([], at: Double(index) / 10).isEmpty) }
  }

  @Test func whoIsHiddenForAMomentIsTheSame() {
    var tracker = Tracker()
    var ids: Set<Int> = []
    for index in 0..<50 {
      let seen = (20..<32).contains(index) ? [] : [person(100 + 4 * Double(index))]
      ids.formUnion(tracker.advance(seen, at: Double(index) / 10).map(\.id))
    }
    #expect(ids == [1])
  }

  @Test func unsureDetectionsHoldATrackAndBeginNone() {
    var tracker = Tracker()
    for index in 0..<10 { _ = tracker.advance([person(100)], at: Double(index) / 10) }
    var tracks: [Track] = []
    for index in 10..<30 {
      tracks = tracker.advance([person(100, score: 0.3), person(400, score: 0.3)], at: Double(index) / 10)
    }
    #expect(tracks.map(\.id) == [1])
    #expect(tracks.first?.unseen == 0)
  }

  @Test func timeThatGoesBackHarmsNothing() {
    var tracker = Tracker()
    for index in 0..<10 { _ = tracker.advance([person(100)], at: Double(index) / 10) }
    let tracks = tracker.advance([person(100)], at: 0.2)
    #expect(tracks.map(\.id) == [1])
    #expect(abs((tracks.first?.box.x ?? 0) - 100) < 1)
  }
}
