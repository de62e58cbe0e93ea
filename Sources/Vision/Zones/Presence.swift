/// Who is in an area, and for how long: intrusion and loitering.
///
/// Somebody whom the tracker lost and found under another number is taken for the same where he appears near to where the other
/// vanished: otherwise who stays long enough to be lost once would never loiter.
struct Presence: Sendable {
  /// Heights of a person within which a new track takes over from one that vanished.
  private static let reach = 0.8

  private struct Visit: Sendable {
    var track: Int
    var begun: Double
    /// When he was last seen inside.
    var inside: Double
    var box: Box
    var isThere = true
    /// The event that was told.
    var number: Int?
  }

  private let zone: Zone
  private let area: Polygon
  private let dwell: Double
  private let size: PictureSize
  private var visits: [Visit] = []

  init?(_ zone: Zone, _ size: PictureSize) {
    switch zone.rule {
    case .intrusion(let area, let dwell), .loitering(let area, let dwell):
      self.area = area.scaled(to: size)
      self.dwell = dwell
    default: return nil
    }
    self.zone = zone
    self.size = size
  }

  mutating func advance(_ tracks: [Track], at time: Double, number: inout Int) -> [ZoneEvent] {
    let present = Set(tracks.map(\.id))
    for index in visits.indices { visits[index].isThere = present.contains(visits[index].track) }
    for track in tracks where zone.counts(track, size) && area.contains(track.box.foot) {
      if let index = visits.firstIndex(where: { $0.track == track.id }) ?? vacant(near: track) {
        visits[index].track = track.id
        visits[index].inside = time
        visits[index].box = track.box
        visits[index].isThere = true
      } else {
        visits.append(Visit(track: track.id, begun: time, inside: time, box: track.box))
      }
    }
    var events: [ZoneEvent] = []
    func event(_ visit: Visit, _ number: Int, _ phase: ZoneEvent.Phase, _ at: Double) -> ZoneEvent {
      ZoneEvent(
        number: number, zone: zone.id, rule: zone.rule.name, phase: phase, time: at, told: time, track: visit.track,
        box: visit.box)
    }
    for index in visits.indices where visits[index].number == nil {
      guard visits[index].inside == time, time - visits[index].begun >= dwell - 1e-9 else { continue }
      visits[index].number = number
      events.append(event(visits[index], number, .begin, visits[index].begun))
      number += 1
    }
    for visit in visits where time - visit.inside > zone.inertia {
      if let number = visit.number { events.append(event(visit, number, .end, visit.inside)) }
    }
    visits.removeAll { time - $0.inside > zone.inertia }
    return events
  }

  /// A visit whose track vanished near to here.
  private func vacant(near track: Track) -> Int? {
    visits.indices.filter {
      !visits[$0].isThere && visits[$0].box.foot.distance(to: track.box.foot) < Self.reach * track.box.height
    }
    .min { visits[$0].box.foot.distance(to: track.box.foot) < visits[$1].box.foot.distance(to: track.box.foot) }
  }
}
