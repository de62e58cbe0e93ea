import Foundation

/// The plane of a site: metres east and north of its centre.
///
/// Equirectangular around the centre; over a city (tens of kilometres) lengths are true to about one in a thousand.
struct Ground: Sendable {
  struct Point: Sendable, Hashable {
    var x: Double
    var y: Double
  }

  let centre: Coordinate
  /// The outline, open: the last point is not the first.
  let outline: [Point]
  private let metresPerLongitude: Double
  /// Mean length of a degree of latitude on the WGS 84 ellipsoid.
  private static let metresPerLatitude = 111_132.95

  init(site: Site) {
    centre = site.centre
    metresPerLongitude = Self.metresPerLatitude * cos(site.centre.latitude * .pi / 180)
    if let boundary = site.boundary {
      var points: [Point] = []
      for position in boundary {
        let point = Self.plane(position, site.centre, metresPerLongitude)
        if points.last != point { points.append(point) }
      }
      if points.count > 1, points.first == points.last { points.removeLast() }
      outline = points
    } else {
      let radius = (site.area * 1e6 / .pi).squareRoot()
      outline = (0..<36).map { step in
        let angle = Double(step) * 10 * .pi / 180
        return Point(x: radius * cos(angle), y: radius * sin(angle))
      }
    }
  }

  private static func plane(_ position: Coordinate, _ centre: Coordinate, _ metresPerLongitude: Double) -> Point {
    Point(
      x: (position.longitude - centre.longitude) * metresPerLongitude,
      y: (position.latitude - centre.latitude) * metresPerLatitude)
  }

  func point(_ position: Coordinate) -> Point { Self.plane(position, centre, metresPerLongitude) }

  func coordinate(_ point: Point) -> Coordinate {
    Coordinate(
      longitude: centre.longitude + point.x / metresPerLongitude,
      latitude: centre.latitude + point.y / Self.metresPerLatitude)
  }

  /// Shoelace formula.
  var areaSquareMetres: Double {
    var sum = 0.0
    for (offset, a) in outline.enumerated() {
      let b = outline[(offset + 1) % outline.count]
      sum += a.x * b.y - b.x * a.y
    }
    return abs(sum) / 2
  }

  var bounds: (x: ClosedRange<Double>, y: ClosedRange<Double>) {
    let xs = outline.map(\.x)
    let ys = outline.map(\.y)
    return ((xs.min() ?? 0)...(xs.max() ?? 0), (ys.min() ?? 0)...(ys.max() ?? 0))
  }

  func contains(_ position: Coordinate) -> Bool { contains(point(position)) }

  /// Whether a ray to the east crosses the outline an odd number of times.
  func contains(_ point: Point) -> Bool {
    var inside = false
    for (offset, a) in outline.enumerated() {
      let b = outline[(offset + 1) % outline.count]
      guard (a.y > point.y) != (b.y > point.y) else { continue }
      if point.x < a.x + (point.y - a.y) / (b.y - a.y) * (b.x - a.x) { inside.toggle() }
    }
    return inside
  }
}
