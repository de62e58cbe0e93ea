/// Who crosses a line. Feet tremble, and somebody who stands on the line would cross it again and again: he has to be on the other
/// side for the zone's inertia, and somewhat off the line, before he has crossed.
struct LineWatch: Sendable {
  /// Heights of a person off the line from which he is on a side.
  private static let margin = 0.06
  /// Seconds after which a track that is gone is forgotten.
  private static let memory = 10.0

  private struct Walker: Sendable {
    /// -1: left, 1: right, as seen from begin to end.
    var side: Double
    var last: Point
    var seen: Double
    /// When and where he went over, if it is not certain yet; `isWithin`: between the ends of the line.
    var over: (time: Double, box: Box, isWithin: Bool)?
  }

  private let zone: Zone
  private let begin, end: Point
  private let direction: Zone.Direction
  private let size: PictureSize
  private var walkers: [Int: Walker] = [:]

  init?(_ zone: Zone, _ size: PictureSize) {
    guard case .lineCrossing(let begin, let end, let direction) = zone.rule else { return nil }
    self.zone = zone
    self.begin = begin.scaled(to: size)
    self.end = end.scaled(to: size)
    self.direction = direction
    self.size = size
  }

  mutating func advance(_ tracks: [Track], at time: Double, number: inout Int) -> [ZoneEvent] {
    var events: [ZoneEvent] = []
    for track in tracks where zone.counts(track, size) {
      let foot = track.box.foot
      let off = distance(foot)
      let isClear = abs(off) >= Self.margin * track.box.height
      guard var walker = walkers[track.id] else {
        if isClear { walkers[track.id] = Walker(side: off < 0 ? -1 : 1, last: foot, seen: time) }
        continue
      }
      let isOther = off * walker.side < 0
      if isOther, walker.over == nil {
        walker.over = (time, track.box, crosses(from: walker.last, to: foot))
      } else if !isOther {
        walker.over = nil
      }
      if let over = walker.over, isClear, time - over.time >= zone.inertia - 1e-9 {
        walker.side = -walker.side
        walker.over = nil
        let way = walker.side > 0 ? Zone.Direction.leftToRight : .rightToLeft
        if over.isWithin, direction == .both || direction == way {
          events.append(
            ZoneEvent(
              number: number, zone: zone.id, rule: .lineCrossing, phase: .begin, time: over.time, told: time,
              track: track.id, box: over.box, direction: way))
          number += 1
        }
      }
      walker.last = foot
      walker.seen = time
      walkers[track.id] = walker
    }
    walkers = walkers.filter { time - $0.value.seen <= Self.memory }
    return events
  }

  /// Pixels from the line through both ends; below 0 on its left. In pictures y goes down, so what is left of somebody who
  /// goes from begin to end has a negative cross product.
  private func distance(_ point: Point) -> Double {
    let (across, down) = (end.x - begin.x, end.y - begin.y)
    let length = max((across * across + down * down).squareRoot(), 1e-9)
    return (across * (point.y - begin.y) - down * (point.x - begin.x)) / length
  }

  /// Whether the way from one point to another goes over the line between its ends.
  private func crosses(from one: Point, to other: Point) -> Bool {
    let (before, after) = (distance(one), distance(other))
    let part = before == after ? 0.5 : (before / (before - after)).clamped(to: 0...1)
    let place = Point(x: one.x + part * (other.x - one.x), y: one.y + part * (other.y - one.y))
    let (across, down) = (end.x - begin.x, end.y - begin.y)
    let along = (across * (place.x - begin.x) + down * (place.y - begin.y)) / max(across * across + down * down, 1e-9)
    return (0...1).contains(along)
  }
}
