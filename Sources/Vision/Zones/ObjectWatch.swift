/// What was left in an area: stands still, and nobody is near, for long enough.
struct ObjectWatch: Sendable {
  private struct Case: Sendable {
    /// Since when nobody is near.
    var alone: Double?
    var number: Int?
    var seen: Double
    var box: Box
  }

  private let zone: Zone
  private let area: Polygon
  private let dwell, away: Double
  private let size: PictureSize
  private var cases: [Int: Case] = [:]

  init?(_ zone: Zone, _ size: PictureSize) {
    guard case .abandonedObject(let area, let dwell, let away) = zone.rule else { return nil }
    self.zone = zone
    self.area = area.scaled(to: size)
    self.dwell = dwell
    self.away = away
    self.size = size
  }

  mutating func advance(
    _ objects: [StillObject], _ tracks: [Track], at time: Double, number: inout Int
  ) -> [ZoneEvent] {
    var events: [ZoneEvent] = []
    func event(_ one: Case, _ number: Int, _ phase: ZoneEvent.Phase, _ at: Double) -> ZoneEvent {
      ZoneEvent(number: number, zone: zone.id, rule: .abandonedObject, phase: phase, time: at, told: time, box: one.box)
    }
    for object in objects where object.seen == time && area.contains(object.box.foot) {
      var one = cases[object.id] ?? Case(seen: time, box: object.box)
      one.seen = time
      let isAlone = !tracks.contains {
        $0.box.foot.distance(to: object.box.foot) < away * Double(size.height)
      }
      one.alone = isAlone ? one.alone ?? time : (one.number == nil ? nil : one.alone)
      if one.number == nil, let alone = one.alone, time - alone >= dwell - 1e-9 {
        one.number = number
        events.append(event(one, number, .begin, alone))
        number += 1
      }
      cases[object.id] = one
    }
    for id in cases.keys.sorted() {
      guard let one = cases[id], time - one.seen > zone.inertia else { continue }
      if let number = one.number { events.append(event(one, number, .end, one.seen)) }
      cases[id] = nil
    }
    return events
  }
}
