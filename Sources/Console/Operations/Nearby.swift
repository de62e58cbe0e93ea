import Incidents
import NGSI

/// Cameras and units around a place, the nearest first, as the board knows them.
struct Nearby {
  struct Thing {
    var summary: EntitySummary
    var metres: Double
  }

  /// Types whose entities are cameras: `Camera` of Smart Data Models.
  static let cameraTypes: Set<String> = ["Camera"]
  /// Types whose entities are vehicles and people that are sent: our own, as no data model has them.
  static let unitTypes: Set<String> = ["ResponseUnit"]
  /// Areas that are dangerous: `Alert` of Smart Data Models.
  static let hazardTypes: Set<String> = ["Alert"]

  let cameras: [Thing]
  let units: [Thing]

  /// Metres beyond which nothing is near.
  private static let reach = 5_000.0

  init(_ items: [EntitySummary], around place: Position) {
    var (cameras, units): ([Thing], [Thing]) = ([], [])
    for item in items {
      let isCamera = item.types.contains(where: Self.cameraTypes.contains)
      guard isCamera || item.types.contains(where: Self.unitTypes.contains),
        case .point(let longitude, let latitude) = item.place,
        let there = Position(longitude: longitude, latitude: latitude)
      else { continue }
      let metres = place.distance(to: there)
      guard metres <= Self.reach else { continue }
      if isCamera {
        cameras.append(Thing(summary: item, metres: metres))
      } else {
        units.append(Thing(summary: item, metres: metres))
      }
    }
    self.cameras = cameras.sorted { $0.metres < $1.metres }
    self.units = units.sorted { $0.metres < $1.metres }
  }
}
