import NGSI
import Query

/// A part of the city that rules may name: what lies in it is in `Place::"name"`.
public struct Place: Sendable {
  public let name: String
  private let matcher: EntityMatcher

  /// - Parameter ring: longitudes and latitudes of its corners (WGS 84).
  /// - Throws: `BadRequestData` when they make no polygon.
  public init(name: String, ring: [[Double]]) throws(Problem) {
    self.name = name
    guard ring.count >= 3, ring.allSatisfy({ $0.count == 2 }), let first = ring.first, let last = ring.last else {
      throw .badRequest("the place '\(name)' needs three corners, each a longitude and a latitude")
    }
    let closed = first == last ? ring : ring + [first]
    var query = EntityQuery()
    query.geo = try GeoFilter(
      json: [
        "georel": "within", "geometry": "Polygon",
        "coordinates": .array([.array(closed.map { .array($0.map { .double($0) }) })]),
      ], context: .core)
    matcher = try EntityMatcher(query)
  }

  /// Whether all of the entity's `location` lies in it. An entity without one lies nowhere.
  func holds(_ entity: Entity) -> Bool { (try? matcher.matches(entity)) ?? false }
}
