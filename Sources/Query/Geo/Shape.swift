import NGSI

/// Degrees.
struct Position: Sendable, Hashable {
  var longitude: Double
  var latitude: Double
}

/// A geometry taken apart: its single points and its lines (rings of polygons included).
struct Shape: Sendable {
  var points: [Position] = []
  var lines: [[Position]] = []
  var hasArea = false

  /// `nil` when the JSON is no geometry of the right shape.
  init?(_ json: JSON) {
    guard add(json, depth: 0) else { return nil }
  }

  var positionCount: Int { lines.reduce(points.count) { $0 + $1.count } }

  /// The one position of a Point.
  var onlyPoint: Position? { points.count == 1 && lines.isEmpty ? points[0] : nil }

  private mutating func add(_ json: JSON, depth: Int) -> Bool {
    guard case .object(let object) = json, depth < 5 else { return false }
    if let parts = object["geometries"]?.array {
      for part in parts where !add(part, depth: depth + 1) { return false }
      return true
    }
    guard let type = object["type"]?.string, case .array(let items)? = object["coordinates"] else { return false }
    switch type {
    case "Point": return addPoint(.array(items))
    case "MultiPoint": return items.allSatisfy { addPoint($0) }
    case "LineString": return addLine(.array(items))
    case "MultiLineString": return items.allSatisfy { addLine($0) }
    case "Polygon": return addPolygon(.array(items))
    case "MultiPolygon": return items.allSatisfy { addPolygon($0) }
    default: return false
    }
  }

  private mutating func addPoint(_ json: JSON) -> Bool {
    guard let position = Position(json) else { return false }
    points.append(position)
    return true
  }

  private mutating func addLine(_ json: JSON) -> Bool {
    guard case .array(let items) = json else { return false }
    var line: [Position] = []
    line.reserveCapacity(items.count)
    for item in items {
      guard let position = Position(item) else { return false }
      line.append(position)
    }
    if !line.isEmpty { lines.append(line) }
    return true
  }

  private mutating func addPolygon(_ json: JSON) -> Bool {
    guard case .array(let rings) = json else { return false }
    hasArea = true
    return rings.allSatisfy { addLine($0) }
  }
}

extension Position {
  init?(_ json: JSON) {
    guard case .array(let items) = json, items.count >= 2, let longitude = items[0].number,
      let latitude = items[1].number, longitude.isFinite, latitude.isFinite
    else { return nil }
    self.init(longitude: longitude, latitude: latitude)
  }
}

extension BoundingBox {
  init(_ position: Position) {
    self.init(
      west: position.longitude, south: position.latitude, east: position.longitude, north: position.latitude)
  }

  mutating func include(_ position: Position) {
    west = min(west, position.longitude)
    east = max(east, position.longitude)
    south = min(south, position.latitude)
    north = max(north, position.latitude)
  }
}

extension Geometry {
  /// The bounds of all positions of a GeoJSON geometry, in degrees; `nil` when it has none or is no geometry.
  ///
  /// Longitudes are taken as they stand: a geometry that crosses the antimeridian is cut there (RFC 7946 section
  /// 3.1.9) or spans the way around.
  public static func boundingBox(of json: JSON) -> BoundingBox? {
    if let items = json["coordinates"], json["type"] == "Point" {
      return Position(items).map { BoundingBox($0) }
    }
    guard let shape = Shape(json), let first = shape.points.first ?? shape.lines.first?.first else { return nil }
    var box = BoundingBox(first)
    for point in shape.points { box.include(point) }
    for line in shape.lines { for point in line { box.include(point) } }
    return box
  }
}
