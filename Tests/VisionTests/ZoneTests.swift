import Testing
import Vision

/// People as boxes of 20 by 50 pixels in a picture of 1000 by 500, by where their feet are; ten pictures a second.
@Suite struct ZoneTests {
  private let size = PictureSize(width: 1000, height: 500)
  private let middle = Polygon([(0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0)].map { Point(x: $0.0, y: $0.1) })

  private func track(_ id: Int, _ x: Double, _ y: Double = 250) -> Track {
    Track(
      id: id, box: Box(x: x - 10, y: y - 50, width: 20, height: 50), velocity: Point(x: 0, y: 0), score: 1, unseen: 0,
      age: 0)
  }

  /// The events of a film, each picture of which is who is in it.
  private func events(_ zone: Zone, _ pictures: [[Track]]) -> [ZoneEvent] {
    var watch = ZoneWatch([zone], size: size)
    return pictures.enumerated().flatMap { index, tracks in watch.advance(tracks, at: Double(index) / 10) }
  }

  @Test func whoComesInIsAnIntruderOnce() {
    let zone = Zone(id: "a", rule: .intrusion(area: middle, dwell: 0.5), inertia: 1)
    // In at 300 + 10 n > 400: the eleventh picture.
    let film = (0..<60).map { [track(7, 300 + 10 * Double($0))] }
    let found = events(zone, film)
    #expect(found.map(\.phase) == [.begin, .end])
    #expect(found.first?.time == 1.0 && found.first?.told == 1.5 && found.first?.track == 7)
    #expect(found.allSatisfy { $0.number == 1 })
    // Out from 600 on; the end is told when the inertia is over, and named with the time he was last inside.
    #expect(found.last?.time == 2.9)
  }

  @Test func whoOnlyTouchesTheEdgeIsNone() {
    let zone = Zone(id: "a", rule: .intrusion(area: middle, dwell: 0.5), inertia: 0.15)
    let film = (0..<40).map { [track(1, $0 % 6 < 3 ? 405 : 395)] }
    #expect(events(zone, film).isEmpty)
  }

  @Test func anAbsenceWithinTheInertiaIsTheSameVisit() {
    let zone = Zone(id: "a", rule: .intrusion(area: middle, dwell: 0.2), inertia: 1)
    let film = (0..<50).map { (10..<15).contains($0) ? [track(1, 300)] : [track(1, 500)] }
    #expect(events(zone, film).map(\.phase) == [.begin])
  }

  @Test func whoStaysLoitersAlsoUnderANewNumber() {
    let zone = Zone(id: "a", rule: .loitering(area: middle, dwell: 4), inertia: 2)
    let film = (0..<60).map { index -> [Track] in
      if index < 20 { return [track(1, 500)] }
      return index < 30 ? [] : [track(2, 520)]
    }
    let found = events(zone, film)
    #expect(found.map(\.phase) == [.begin])
    #expect(found.first?.time == 0 && found.first?.told == 4 && found.first?.track == 2)
  }

  @Test func whoComesElsewhereDoesNotTakeOverTheTimeOfAnother() {
    let zone = Zone(id: "a", rule: .loitering(area: middle, dwell: 4), inertia: 2)
    let film = (0..<60).map { index -> [Track] in
      index < 25 ? [track(1, 430)] : [track(2, 580)]
    }
    #expect(events(zone, film).isEmpty)
  }

  @Test func aLineIsCrossedInOneDirection() {
    func line(_ direction: Zone.Direction) -> Zone {
      Zone(
        id: "l", rule: .lineCrossing(begin: Point(x: 0.5, y: 1), end: Point(x: 0.5, y: 0), direction: direction),
        inertia: 0.3)
    }
    // The line goes up; who walks to the right crosses it from left to right.
    let there = (0..<40).map { [track(1, 400 + 6 * Double($0))] }
    #expect(events(line(.leftToRight), there).count == 1)
    #expect(events(line(.rightToLeft), there).isEmpty)
    let both = events(line(.both), there + there.reversed())
    #expect(both.map(\.direction) == [.leftToRight, .rightToLeft])
    #expect(both.first?.time == 1.7)
  }

  @Test func tremblingOnALineIsNoCrossing() {
    let zone = Zone(
      id: "l", rule: .lineCrossing(begin: Point(x: 0.5, y: 0), end: Point(x: 0.5, y: 1), direction: .both), inertia: 0.3
    )
    let film = (0..<50).map { [track(1, $0 < 10 ? 450 : ($0 % 2 == 0 ? 495 : 505))] }
    #expect(events(zone, film).isEmpty)
  }

  @Test func whoPassesBesideTheEndsDoesNotCross() {
    let zone = Zone(
      id: "l", rule: .lineCrossing(begin: Point(x: 0.5, y: 0), end: Point(x: 0.5, y: 0.3), direction: .both),
      inertia: 0.3)
    #expect(events(zone, (0..<40).map { [track(1, 400 + 6 * Double($0), 400)] }).isEmpty)
    #expect(events(zone, (0..<40).map { [track(1, 400 + 6 * Double($0), 100)] }).count == 1)
  }

  @Test func aCrowdIsManyForAWhile() {
    let zone = Zone(id: "c", rule: .crowd(area: middle, people: 3, dwell: 1), inertia: 0.5)
    let three = [track(1, 450), track(2, 500), track(3, 550)]
    let film =
      Array(repeating: three, count: 5) + Array(repeating: [three[0]], count: 10) + Array(repeating: three, count: 20)
      + Array(repeating: [three[0]], count: 10)
    let found = events(zone, film)
    #expect(found.map(\.phase) == [.begin, .end])
    #expect(found.first?.time == 1.5 && found.first?.told == 2.5 && found.first?.people == 3)
  }

  @Test func smallPeopleDoNotCountWhereTheyAreNotMeant() {
    let zone = Zone(id: "a", rule: .intrusion(area: middle, dwell: 0), inertia: 1, leastHeight: 0.2)
    #expect(events(zone, [[track(1, 500)]]).isEmpty)
  }

  @Test func whatIsLeftBehindIsToldAndWhatIsGuardedIsNot() {
    let zone = Zone(id: "o", rule: .abandonedObject(area: middle, dwell: 3, away: 0.3), inertia: 1)
    let bag = Box(x: 490, y: 230, width: 20, height: 20)
    func film(_ owner: (Int) -> Double) -> [ZoneEvent] {
      var watch = ZoneWatch([zone], size: size)
      var still = StillObjects()
      return (0..<80).flatMap { index -> [ZoneEvent] in
        let people = [track(1, owner(index))]
        let objects = still.advance(index < 70 ? [bag] : [], people: people.map(\.box), at: Double(index) / 10)
        return watch.advance(people, still: objects, at: Double(index) / 10)
      }
    }
    // He walks away 20 pixels a picture and is 150 pixels from it after the 8th.
    let left = film { 500 + 20 * Double($0) }
    #expect(left.map(\.phase) == [.begin])
    #expect(left.first?.box == bag)
    #expect((left.first?.told ?? 0) >= 3.7 && (left.first?.told ?? 9) <= 4)
    #expect(film { _ in 560 }.isEmpty)
  }

  @Test func oneStandingStillIsNoObject() {
    var still = StillObjects()
    let person = Box(x: 490, y: 200, width: 20, height: 50)
    for index in 0..<50 {
      #expect(still.advance([person], people: [person], at: Double(index) / 10).isEmpty)
    }
  }
}
