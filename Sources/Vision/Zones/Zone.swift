/// A rule for a part of a camera's picture. Places are parts of the picture, 0 to 1, so that they hold for any size of it;
/// times are seconds.
public struct Zone: Sendable, Hashable {
  public enum Rule: Sendable, Hashable {
    /// Somebody stands or walks in the area for at least `dwell` seconds.
    case intrusion(area: Polygon, dwell: Double)
    /// Somebody's feet cross the line from `begin` to `end`.
    case lineCrossing(begin: Point, end: Point, direction: Direction)
    /// Somebody stays in the area for at least `dwell` seconds.
    case loitering(area: Polygon, dwell: Double)
    /// At least so many people are in the area for at least `dwell` seconds.
    case crowd(area: Polygon, people: Int, dwell: Double)
    /// Something that nobody stands at stays in the area for at least `dwell` seconds. `away`: how far people have to be from it,
    /// in parts of the picture's height.
    case abandonedObject(area: Polygon, dwell: Double, away: Double)

    public var name: Name {
      switch self {
      case .intrusion: .intrusion
      case .lineCrossing: .lineCrossing
      case .loitering: .loitering
      case .crowd: .crowd
      case .abandonedObject: .abandonedObject
      }
    }
  }

  public enum Name: String, Sendable, Hashable, CaseIterable, Codable {
    case intrusion
    case lineCrossing
    case loitering
    case crowd
    case abandonedObject
  }

  /// Seen from the line's begin towards its end, in the picture.
  public enum Direction: String, Sendable, Hashable, CaseIterable, Codable {
    case leftToRight
    case rightToLeft
    case both
  }

  public var id: String
  public var rule: Rule
  /// Seconds for which what a rule says must have ended before it counts as ended; what comes back before is the same event. For
  /// lines: seconds for which somebody must be on the other side before it counts.
  public var inertia: Double
  /// Least height of people that count, in parts of the picture's height.
  public var leastHeight: Double

  public init(id: String, rule: Rule, inertia: Double, leastHeight: Double = 0) {
    self.id = id
    self.rule = rule
    self.inertia = inertia
    self.leastHeight = leastHeight
  }

  /// Seconds of inertia where a file says none.
  public static func usualInertia(_ name: Name) -> Double { name == .lineCrossing ? 0.4 : 2 }
}

/// What a rule says of a camera's picture.
public struct ZoneEvent: Sendable, Hashable {
  public enum Phase: String, Sendable, Hashable, Codable {
    case begin
    case end
  }

  /// Counted from 1 for each camera; begin and end bear the same.
  public var number: Int
  public var zone: String
  public var rule: Zone.Name
  public var phase: Phase
  /// Seconds: when what the rule says came about (somebody came in, crossed), or ended.
  public var time: Double
  /// Seconds: when that was certain, so that the event was told.
  public var told: Double
  /// The track; `nil` for crowds and objects.
  public var track: Int?
  /// Where, in pixels of the picture.
  public var box: Box
  /// How many people, for crowds.
  public var people: Int?
  /// Which way, for lines.
  public var direction: Zone.Direction?

  public init(
    number: Int, zone: String, rule: Zone.Name, phase: Phase, time: Double, told: Double, track: Int? = nil, box: Box,
    people: Int? = nil, direction: Zone.Direction? = nil
  ) {
    self.number = number
    self.zone = zone
    self.rule = rule
    self.phase = phase
    self.time = time
    self.told = told
    self.track = track
    self.box = box
    self.people = people
    self.direction = direction
  }
}
