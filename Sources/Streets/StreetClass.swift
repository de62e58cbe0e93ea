/// What OpenStreetMap's `highway` calls a way, as far as people or cars go there.
public enum StreetClass: String, Sendable, CaseIterable {
  case motorway, trunk, primary, secondary, tertiary, unclassified, residential, service, road, track
  case motorwayLink = "motorway_link"
  case trunkLink = "trunk_link"
  case primaryLink = "primary_link"
  case secondaryLink = "secondary_link"
  case tertiaryLink = "tertiary_link"
  case livingStreet = "living_street"
  case pedestrian, footway, path, steps, cycleway, bridleway, corridor, platform

  /// Whether people may walk there where no tag says more: OpenStreetMap's wiki, "OSM tags for routing/Access
  /// restrictions", table "Worldwide" (as of 2024). Cycleways are left to the tag `foot`.
  var isWalkedByDefault: Bool {
    switch self {
    case .motorway, .motorwayLink, .trunk, .trunkLink, .cycleway: false
    default: true
    }
  }

  /// Whether cars may drive there where no tag says more (same table).
  var isDrivenByDefault: Bool {
    switch self {
    case .pedestrian, .footway, .path, .steps, .cycleway, .bridleway, .corridor, .platform: false
    default: true
    }
  }

  /// Whether it has a carriageway, so that walkers go on its pavements.
  public var isCarriageway: Bool { isDrivenByDefault && self != .track }

  /// Lanes of both directions together where the tag `lanes` is absent: OpenStreetMap's wiki, "Key:lanes", section
  /// "Assumptions" (as of 2024).
  func defaultLanes(oneWay: Bool) -> Int {
    switch self {
    case .motorway, .trunk: oneWay ? 2 : 4
    case .service, .track, .motorwayLink, .trunkLink, .primaryLink, .secondaryLink, .tertiaryLink: 1
    default: oneWay ? 1 : 2
    }
  }

  /// Speed of cars in km/h where the tag `maxspeed` is absent. An assumption of this project (2026) for built-up areas:
  /// the 50 km/h that the Vienna Convention's parties keep in towns, less where streets are shared.
  var defaultSpeed: Double {
    switch self {
    case .motorway: 100
    case .trunk: 80
    case .motorwayLink, .trunkLink: 60
    case .primary, .secondary, .tertiary, .primaryLink, .secondaryLink, .tertiaryLink, .unclassified, .road: 50
    case .residential: 30
    case .livingStreet, .service, .track: 20
    default: 5
    }
  }
}
