/// The shape rules of GeoJSON geometries (RFC 7946 section 3.1). A GeometryCollection is none that NGSI-LD takes
/// (ETSI GS CIM 009 clause 4.7.1).
public enum Geometry {
  static let types: Set<String> = [
    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon",
  ]

  /// Most positions in one geometry.
  public static let maxPositions = 200_000
  /// Most positions in a Polygon or MultiPolygon: whether one crosses itself takes more time than they are many.
  public static let maxAreaPositions = 20_000

  /// Whether the value looks like a geometry: an object with a geometry type and its coordinates.
  public static func isGeometry(_ json: JSON) -> Bool {
    guard case .object(let object) = json, let type = object["type"]?.string, types.contains(type) else { return false }
    return object["coordinates"] != nil
  }

  /// What is wrong with a geometry's shape; `nil` when nothing is.
  public static func failure(of json: JSON) -> String? {
    guard case .object(let object) = json, let type = object["type"]?.string, types.contains(type) else {
      return
        "one of the GeoJSON geometries Point, MultiPoint, LineString, MultiLineString, Polygon, MultiPolygon is expected"
    }
    guard let coordinates = object["coordinates"] else { return "a \(type) needs 'coordinates'" }
    let bound = type.hasSuffix("Polygon") ? maxAreaPositions : maxPositions
    var left = bound
    let failure = failure(of: coordinates, type, &left)
    return left < 0 ? "a \(type) may have at most \(bound) positions" : failure
  }

  private static func failure(of coordinates: JSON, _ type: String, _ left: inout Int) -> String? {
    switch type {
    case "Point": return position(coordinates, &left)
    case "MultiPoint": return each(coordinates, 0, &left, position)
    case "LineString": return each(coordinates, 2, &left, position)
    case "MultiLineString": return each(coordinates, 0, &left) { each($0, 2, &$1, position) }
    case "Polygon": return polygon(coordinates, &left)
    default: return each(coordinates, 0, &left, polygon)
    }
  }

  private static func each(
    _ json: JSON, _ atLeast: Int, _ left: inout Int, _ check: (JSON, inout Int) -> String?
  ) -> String? {
    guard case .array(let items) = json, items.count >= atLeast else {
      return "coordinates must be an array\(atLeast > 0 ? " of at least \(atLeast) items" : "")"
    }
    for item in items { if let failure = check(item, &left) { return failure } }
    return nil
  }

  private static func polygon(_ json: JSON, _ left: inout Int) -> String? {
    each(json, 1, &left) { ring, left in
      if let failure = each(ring, 4, &left, position) { return failure }
      guard let items = ring.array, items.first == items.last else { return "a polygon ring must end where it starts" }
      return nil
    }
  }

  private static func position(_ json: JSON, _ left: inout Int) -> String? {
    left -= 1
    guard left >= 0 else { return "too many" }
    guard case .array(let items) = json, items.count >= 2, items.count <= 4,
      let longitude = items[0].number, let latitude = items[1].number, items.allSatisfy({ $0.number != nil })
    else { return "a position must be [longitude, latitude] or [longitude, latitude, altitude]" }
    guard abs(longitude) <= 180, abs(latitude) <= 90 else {
      return "the position [\(longitude), \(latitude)] is outside longitude ±180, latitude ±90"
    }
    return nil
  }
}
