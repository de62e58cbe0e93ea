import CGEOS
import NGSI

// Which polygons have an inside that can be told (docs/decisions/005-crossing-polygons.md).

extension Geometry {
  /// Why nobody can tell what is inside a Polygon or MultiPolygon (it crosses itself like a bow tie, for example);
  /// `nil` for a sound one and for any other geometry.
  ///
  /// - Parameter json: a geometry of the right shape (``Geometry/failure(of:)``).
  public static func unsoundness(of json: JSON) -> String? {
    guard json["type"] == "Polygon" || json["type"] == "MultiPolygon" else { return nil }
    guard let context = try? GeosContext(), let geometry = context.geometry(json) else {
      return "the polygon cannot be built"
    }
    guard context.sound(geometry, drawnAs: json) == nil else { return nil }
    return "the polygon is not valid: \(context.fault(of: geometry, drawnAs: json) ?? "it has no area")"
  }
}

extension GeosContext {
  /// Most positions of a polygon that is mended, and most places where it meets itself: mending takes time with the
  /// square of both.
  private static let mendedPositions = 1000
  private static let mendedMeetings = 16
  /// Greatest part of a polygon's area that mending may change.
  private static let mendedPart = 0.001

  /// The geometry when it is valid; what it was meant to be when a slip in drawing cut a sliver off it; `nil` when its
  /// inside cannot be told.
  func sound(_ geometry: GeosGeometry, drawnAs json: JSON) -> GeosGeometry? {
    guard fault(of: geometry, drawnAs: json) != nil else { return geometry }
    guard json["type"] == "Polygon" || json["type"] == "MultiPolygon", let shape = Shape(json),
      shape.positionCount <= Self.mendedPositions, shape.meetings(atMost: Self.mendedMeetings) != nil
    else { return nil }
    guard let mended = mended(geometry) else { return nil }
    // The area within a ring as it is walked counts what lies beyond a crossing negative, so the two differ by twice
    // what the crossing cut off.
    let (drawn, sure) = (area(of: geometry), area(of: mended))
    return sure > 0 && abs(drawn - sure) <= Self.mendedPart * sure ? mended : nil
  }

  /// What is wrong with a geometry; `nil` when it is valid.
  func fault(of geometry: GeosGeometry, drawnAs json: JSON) -> String? {
    if let shape = Shape(json), shape.hasArea, shape.isTooIntricate {
      return "its edges run so close to one another that whether any two cross takes too long to tell; simplify it"
    }
    return failure(of: geometry)
  }

  /// The polygons that its rings enclose; spikes and other parts without area go.
  private func mended(_ geometry: GeosGeometry) -> GeosGeometry? {
    guard let parameters = GEOSMakeValidParams_create_r(handle) else { return nil }
    defer { GEOSMakeValidParams_destroy_r(handle, parameters) }
    _ = GEOSMakeValidParams_setMethod_r(handle, parameters, GEOS_MAKE_VALID_STRUCTURE)
    _ = GEOSMakeValidParams_setKeepCollapsed_r(handle, parameters, 0)
    return geometry.with { GEOSMakeValidWithParams_r(handle, $0, parameters) }.map { GeosGeometry($0, in: self) }
  }

  private func area(of geometry: GeosGeometry) -> Double {
    var area = 0.0
    return geometry.with { GEOSArea_r(handle, $0, &area) } == 1 ? area : 0
  }
}

extension Shape {
  /// In how many places segments that are no neighbours meet; `nil` when in more than the bound.
  fileprivate func meetings(atMost bound: Int) -> Int? {
    var segments: [(from: Position, to: Position, line: Int, place: Int, last: Int)] = []
    for (number, line) in lines.enumerated() {
      var corners: [Position] = []
      for corner in line where corners.last != corner { corners.append(corner) }
      for place in corners.indices.dropLast() {
        segments.append((corners[place], corners[place + 1], number, place, corners.count - 2))
      }
    }
    var count = 0
    for (index, one) in segments.enumerated() {
      for other in segments[(index + 1)...] where Self.meet(one.from, one.to, other.from, other.to) {
        let isNext = other.place == one.place + 1 || (one.place == 0 && other.place == other.last)
        if one.line == other.line, isNext { continue }
        count += 1
        if count > bound { return nil }
      }
    }
    return count
  }

  private static func meet(_ a: Position, _ b: Position, _ c: Position, _ d: Position) -> Bool {
    guard max(a.longitude, b.longitude) >= min(c.longitude, d.longitude),
      max(c.longitude, d.longitude) >= min(a.longitude, b.longitude),
      max(a.latitude, b.latitude) >= min(c.latitude, d.latitude),
      max(c.latitude, d.latitude) >= min(a.latitude, b.latitude)
    else { return false }
    return side(a, b, c) * side(a, b, d) <= 0 && side(c, d, a) * side(c, d, b) <= 0
  }

  /// On which side of a line a position lies: 1, -1, or 0 for on it.
  private static func side(_ from: Position, _ to: Position, _ position: Position) -> Double {
    let cross =
      (to.longitude - from.longitude) * (position.latitude - from.latitude)
      - (to.latitude - from.latitude) * (position.longitude - from.longitude)
    return cross > 0 ? 1 : cross < 0 ? -1 : 0
  }
}
