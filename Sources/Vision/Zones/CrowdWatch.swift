/// Whether too many people are in an area.
struct CrowdWatch: Sendable {
  private let zone: Zone
  private let area: Polygon
  private let people: Int
  private let dwell: Double
  private let size: PictureSize
  /// Since when there are enough, and when there last were.
  private var enough: (since: Double, last: Double)?
  private var number: Int?
  private var place: Box

  init?(_ zone: Zone, _ size: PictureSize) {
    guard case .crowd(let area, let people, let dwell) = zone.rule else { return nil }
    self.zone = zone
    self.area = area.scaled(to: size)
    self.people = people
    self.dwell = dwell
    self.size = size
    place = Box(x: 0, y: 0, width: 0, height: 0)
  }

  mutating func advance(_ tracks: [Track], at time: Double, number next: inout Int) -> [ZoneEvent] {
    let inside = tracks.filter { zone.counts($0, size) && area.contains($0.box.foot) }
    if inside.count >= people, let first = inside.first {
      place = inside.dropFirst().reduce(first.box) { $0.union($1.box) }
      enough = (enough?.since ?? time, time)
    }
    guard let enough else { return [] }
    func event(_ number: Int, _ phase: ZoneEvent.Phase, _ at: Double) -> ZoneEvent {
      ZoneEvent(
        number: number, zone: zone.id, rule: .crowd, phase: phase, time: at, told: time, box: place,
        people: inside.count)
    }
    if time - enough.last > zone.inertia {
      self.enough = nil
      guard let number else { return [] }
      self.number = nil
      return [event(number, .end, enough.last)]
    }
    guard number == nil, enough.last == time, time - enough.since >= dwell - 1e-9 else { return [] }
    number = next
    next += 1
    return number.map { [event($0, .begin, enough.since)] } ?? []
  }
}
