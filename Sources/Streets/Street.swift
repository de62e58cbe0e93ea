/// What a way says of all the edges that it was split into.
public struct Street: Sendable, Equatable {
  /// Which sides have a pavement, as the tag `sidewalk` says.
  public enum Pavements: Sendable, Equatable {
    case none, one, both, unstated
    /// The pavements are mapped as ways of their own.
    case separate
  }

  /// In which directions cars drive, along the way's nodes.
  public enum Traffic: Sendable, Equatable {
    case none, both, forward, backward
  }

  /// OpenStreetMap's id of the way.
  public var way: Int64
  public var `class`: StreetClass
  public var name: String?
  public var isWalked: Bool
  public var traffic: Traffic
  /// Lanes for cars of both directions together; by the class where no tag says it.
  public var lanes: Int
  /// Speed of cars in km/h; by the class where no tag says it.
  public var speed: Double
  /// Width in metres, where it is tagged.
  public var width: Double?
  public var pavements: Pavements

  /// Lanes that a car can take in one of the directions that traffic has.
  public var lanesEachWay: Int { traffic == .both ? max(1, lanes / 2) : max(1, lanes) }
}

extension Street {
  /// Reads a way's tags; `nil` when it is no street that anybody goes along: an area, under construction, of a kind
  /// that OpenStreetMap's table of access does not know, or closed to walkers and cars alike.
  init?(_ way: StreetWay) {
    let tags = way.tags
    guard let kind = tags["highway"].flatMap(StreetClass.init(rawValue:)), tags["area"] != "yes" else { return nil }
    let isOneWay: Bool
    switch tags["oneway"] {
    case "yes", "1", "true", "-1", "reverse": isOneWay = true
    case "no", "0", "false": isOneWay = false
    default: isOneWay = tags["junction"] == "roundabout" || kind == .motorway || kind == .motorwayLink
    }
    let drives = Self.permits(tags, ["motorcar", "motor_vehicle", "vehicle", "access"]) ?? kind.isDrivenByDefault
    let isBackward = tags["oneway"] == "-1" || tags["oneway"] == "reverse"

    self.way = way.id
    self.class = kind
    name = tags["name"]
    isWalked = Self.permits(tags, ["foot", "access"]) ?? kind.isWalkedByDefault
    traffic = drives && kind.isDrivenByDefault ? isOneWay ? isBackward ? .backward : .forward : .both : .none
    lanes = tags["lanes"].flatMap(Self.lanes) ?? kind.defaultLanes(oneWay: isOneWay)
    speed = tags["maxspeed"].flatMap(Self.speed) ?? kind.defaultSpeed
    width = tags["width"].flatMap(Self.metres)
    pavements = Self.pavements(tags)
    if !isWalked && traffic == .none { return nil }
  }

  /// What the first of the keys that is there says; `nil` when none is, or what it says is left to the class.
  private static func permits(_ tags: [String: String], _ keys: [String]) -> Bool? {
    for key in keys {
      switch tags[key] {
      case nil, "unknown": continue
      case "no", "private", "use_sidepath", "agricultural", "forestry", "delivery", "military": return false
      case "yes", "designated", "permissive", "destination", "customers", "official", "public":
        // `access=yes` opens a footway to nobody but walkers.
        return key == "access" ? nil : true
      default: return nil
      }
    }
    return nil
  }

  private static func lanes(_ text: String) -> Int? {
    guard let lanes = Int(text), (1...20).contains(lanes) else { return nil }
    return lanes
  }

  /// km/h out of `50`, `50 km/h` or `30 mph`.
  private static func speed(_ text: String) -> Double? {
    let parts = text.split(separator: " ")
    guard let number = parts.first.flatMap({ Double($0) }), number > 0 else { return nil }
    let speed = parts.count > 1 && parts[1] == "mph" ? number * 1.609344 : number
    return speed <= 200 ? speed : nil
  }

  /// Metres out of `3`, `3.5 m`.
  private static func metres(_ text: String) -> Double? {
    let parts = text.split(separator: " ")
    guard let number = parts.first.flatMap({ Double($0) }), (0.3...100).contains(number) else { return nil }
    return parts.count == 1 || parts[1] == "m" ? number : nil
  }

  private static func pavements(_ tags: [String: String]) -> Pavements {
    switch tags["sidewalk"] ?? tags["sidewalk:both"] {
    case "both", "yes": return .both
    case "left", "right": return .one
    case "no", "none": return .none
    case "separate": return .separate
    default: break
    }
    let sides = [tags["sidewalk:left"], tags["sidewalk:right"]]
    if sides == [nil, nil] { return .unstated }
    if sides.contains("separate") { return .separate }
    return [.none, .one, .both][sides.filter { $0 == "yes" }.count]
  }
}
