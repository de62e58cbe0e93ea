import Foundation

/// Which cameras an operator should see now, and why. Values in, values out; knows no clock.
///
/// One person cannot watch many screens: what is shown must be chosen, and the choice must be explained. Each camera gets points for
/// each reason; reasons are codes with values, so that pages say them in any language.
public struct CameraChoice: Sendable, Hashable {
  public struct Place: Sendable, Hashable {
    /// Degrees, WGS 84.
    public var longitude, latitude: Double

    public init(longitude: Double, latitude: Double) {
      self.longitude = longitude
      self.latitude = latitude
    }

    /// Metres on the ground, for short ways (a sphere of 6,371,008.8 m, laid flat), and degrees clockwise from north.
    func way(to other: Place) -> (metres: Double, bearing: Double) {
      let metresPerDegree = 6_371_008.8 * .pi / 180
      let north = (other.latitude - latitude) * metresPerDegree
      var degrees = (other.longitude - longitude).truncatingRemainder(dividingBy: 360)
      if degrees > 180 { degrees -= 360 } else if degrees < -180 { degrees += 360 }
      let east = degrees * metresPerDegree * cos((latitude + other.latitude) / 2 * .pi / 180)
      let bearing = atan2(east, north) * 180 / .pi
      return ((north * north + east * east).squareRoot(), bearing < 0 ? bearing + 360 : bearing)
    }
  }

  public struct Incident: Sendable, Hashable {
    public var id: String
    /// `nil`: not known.
    public var place: Place?
    /// Metres by which the place may be off.
    public var uncertainty: Double
    /// 0 (unknown, minor) to 3 (extreme).
    public var severity: Int
    /// Whether the alarm still sounds.
    public var sounds: Bool
    /// Cameras that reported it, or were named with it.
    public var cameras: Set<String>

    public init(
      id: String, place: Place?, uncertainty: Double = 0, severity: Int, sounds: Bool, cameras: Set<String> = []
    ) {
      self.id = id
      self.place = place
      self.uncertainty = uncertainty
      self.severity = severity
      self.sounds = sounds
      self.cameras = cameras
    }
  }

  public struct Event: Sendable, Hashable {
    public var camera: String
    public var rule: Zone.Name
    /// Seconds since it began.
    public var age: Double
    /// Whether it goes on.
    public var lasts: Bool

    public init(camera: String, rule: Zone.Name, age: Double, lasts: Bool) {
      self.camera = camera
      self.rule = rule
      self.age = age
      self.lasts = lasts
    }
  }

  public struct Camera: Sendable, Hashable {
    public var id: String
    public var place: Place?
    /// Degrees clockwise from north that it looks to; `nil`: not known, or all round.
    public var bearing: Double?
    /// Degrees of its field of view.
    public var fieldOfView: Double
    /// Metres that it sees people at.
    public var range: Double
    public var state: StreamHealth.State
    /// Seconds since somebody last looked at it; `nil`: never, or unknown.
    public var sinceLooked: Double?

    public init(
      id: String, place: Place? = nil, bearing: Double? = nil, fieldOfView: Double = 90, range: Double = 100,
      state: StreamHealth.State = .running, sinceLooked: Double? = nil
    ) {
      self.id = id
      self.place = place
      self.bearing = bearing
      self.fieldOfView = fieldOfView
      self.range = range
      self.state = state
      self.sinceLooked = sinceLooked
    }
  }

  public enum Reason: Sendable, Hashable {
    /// It was named with the incident.
    case reported(incident: String)
    /// It looks at the incident's place, so many metres away.
    case sees(incident: String, metres: Int)
    /// It stands near and looks elsewhere, or may not reach as far; whoever comes or goes may pass.
    case near(incident: String, metres: Int)
    /// A rule said something so many seconds ago.
    case event(rule: Zone.Name, seconds: Int)
    /// Nobody looked at it for so many minutes.
    case unwatched(minutes: Int)
    /// What it shows cannot be trusted, or is not there: a person should know.
    case state(code: String)

    /// What a page translates.
    public var code: String {
      switch self {
      case .reported: "reported"
      case .sees: "sees"
      case .near: "near"
      case .event: "event"
      case .unwatched: "unwatched"
      case .state: "state"
      }
    }
  }

  public struct Weights: Sendable, Hashable {
    public var reported = 60.0
    public var sees = 50.0
    public var near = 12.0
    /// For each step of severity, as a part of the incident's points.
    public var severity = 0.5
    /// For an alarm that sounds, likewise.
    public var sounds = 0.5
    /// By rule, at its begin; half after ``halfLife`` seconds.
    public var events: [Zone.Name: Double] = [
      .intrusion: 30, .abandonedObject: 30, .crowd: 20, .loitering: 15, .lineCrossing: 10,
    ]
    public var halfLife = 60.0
    /// For an hour in which nobody looked; less for less.
    public var unwatched = 5.0
    /// Metres from a place within which a camera is near.
    public var nearMetres = 150.0

    public init() {}
  }

  public struct Ranked: Sendable, Hashable {
    public var camera: String
    public var points: Double
    /// The weightiest first.
    public var reasons: [Reason]
    /// Whether a picture can be shown now.
    public var isShown: Bool

    public init(camera: String, points: Double, reasons: [Reason], isShown: Bool) {
      (self.camera, self.points, self.reasons, self.isShown) = (camera, points, reasons, isShown)
    }
  }

  public var weights: Weights

  public init(weights: Weights = Weights()) { self.weights = weights }

  /// Cameras worth looking at, best first; equals by their ids. Cameras without a reason are left out. Those that show
  /// nothing are in the list where something happens, after all that do, since the operator must know.
  public func ranked(
    cameras: [Camera], incidents: [Incident], events: [Event], most: Int
  ) -> [Ranked] {
    let ranked = cameras.compactMap { camera -> Ranked? in
      var reasons: [(reason: Reason, points: Double)] = []
      for incident in incidents {
        if let found = self.reason(camera, incident) {
          let more =
            1 + weights.severity * Double(min(max(incident.severity, 0), 3)) + (incident.sounds ? weights.sounds : 0)
          reasons.append((found.reason, found.points * more))
        }
      }
      for event in events where event.camera == camera.id {
        let fresh = event.lasts ? 1 : pow(0.5, max(0, event.age) / max(1, weights.halfLife))
        let points = (weights.events[event.rule] ?? 0) * fresh
        if points >= 1 { reasons.append((.event(rule: event.rule, seconds: Self.whole(event.age)), points)) }
      }
      let isShown = camera.state == .running || camera.state == .frozen
      if isShown, let since = camera.sinceLooked {
        let points = weights.unwatched * min(1, max(0, since) / 3_600)
        if points >= 1 { reasons.append((.unwatched(minutes: Self.whole(since / 60)), points)) }
      }
      guard !reasons.isEmpty else { return nil }
      if camera.state != .running { reasons.append((.state(code: camera.state.code), 0)) }
      let ordered = reasons.enumerated().sorted { ($1.element.points, $0.offset) < ($0.element.points, $1.offset) }
      return Ranked(
        camera: camera.id, points: reasons.reduce(0) { $0 + $1.points }, reasons: ordered.map(\.element.reason),
        isShown: isShown)
    }
    return Array(
      ranked.sorted { one, other in
        if one.isShown != other.isShown { return one.isShown }
        return one.points == other.points ? one.camera < other.camera : one.points > other.points
      }.prefix(max(0, most)))
  }

  private func reason(_ camera: Camera, _ incident: Incident) -> (reason: Reason, points: Double)? {
    if incident.cameras.contains(camera.id) { return (.reported(incident: incident.id), weights.reported) }
    guard let place = incident.place, let own = camera.place else { return nil }
    let (metres, bearing) = own.way(to: place)
    let reach = camera.range + incident.uncertainty
    if metres <= reach, looks(camera, to: bearing, metres: metres, uncertainty: incident.uncertainty) {
      // Half as good at the end of its range as in front of it.
      return (
        .sees(incident: incident.id, metres: Self.whole(metres)),
        weights.sees * (1 - 0.5 * min(1, metres / max(1, reach)))
      )
    }
    guard metres <= weights.nearMetres + incident.uncertainty else { return nil }
    return (.near(incident: incident.id, metres: Self.whole(metres)), weights.near)
  }

  /// Whether a bearing is in the field of view, widened by what the place may be off.
  private func looks(_ camera: Camera, to bearing: Double, metres: Double, uncertainty: Double) -> Bool {
    guard let own = camera.bearing, camera.fieldOfView < 360, metres > uncertainty else { return true }
    let off = abs((bearing - own).truncatingRemainder(dividingBy: 360))
    let wide = camera.fieldOfView / 2 + asin(min(1, uncertainty / max(metres, 1))) * 180 / .pi
    return min(off, 360 - off) <= wide
  }

  private static func whole(_ value: Double) -> Int { Int(min(max(value.rounded(), 0), 1e9)) }
}
