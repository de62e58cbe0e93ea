extension CAPAlert {
  /// A ring whose last point is its first: at least four, each a place, and no side crosses another.
  public struct Polygon: Sendable, Hashable {
    public enum Fault: Error, Sendable, Hashable {
      case unreadable
      case tooFew
      case notClosed
      case noPlace
      case crossesItself
      case tooMany(Int)

      public var words: String {
        switch self {
        case .unreadable: "is no list of latitude,longitude"
        case .tooFew: "has less than four points"
        case .notClosed: "does not end where it begins"
        case .noPlace: "has a point that is no place"
        case .crossesItself: "crosses itself"
        case .tooMany(let bound): "has more than \(bound) points"
        }
      }
    }

    /// Points of one ring at most.
    public static let bound = 1_000

    public let points: [Point]

    public init(_ points: [Point]) throws(Fault) {
      guard points.count >= 4 else { throw .tooFew }
      guard points.count <= Self.bound else { throw .tooMany(Self.bound) }
      guard points.allSatisfy(Self.isPlace) else { throw .noPlace }
      guard points.first == points.last else { throw .notClosed }
      guard !Self.crosses(points) else { throw .crossesItself }
      self.points = points
    }

    /// - Parameter text: `latitude,longitude` pairs with spaces between.
    init(reading text: String) throws(Fault) {
      var points: [Point] = []
      for pair in text.split(whereSeparator: \.isWhitespace) {
        guard points.count <= Self.bound else { throw .tooMany(Self.bound) }
        guard let point = Point(reading: pair) else { throw .unreadable }
        points.append(point)
      }
      try self.init(points)
    }

    static func isPlace(_ point: Point) -> Bool {
      (-90...90).contains(point.latitude) && (-180...180).contains(point.longitude)
    }

    /// Sides in the order in which they begin in the west: most never stand beside one another.
    private static func crosses(_ points: [Point]) -> Bool {
      let count = points.count - 1
      let sides = (0..<count).map { side in
        let (a, b) = (points[side], points[side + 1])
        return (
          side: side, west: min(a.longitude, b.longitude), east: max(a.longitude, b.longitude),
          south: min(a.latitude, b.latitude), north: max(a.latitude, b.latitude)
        )
      }.sorted { $0.west < $1.west }
      for index in sides.indices {
        let one = sides[index]
        for other in sides[(index + 1)...] {
          guard other.west <= one.east else { break }
          guard other.south <= one.north, one.south <= other.north else { continue }
          // Neighbours meet in one point.
          let apart = abs(one.side - other.side)
          guard apart > 1, apart < count - 1 else { continue }
          let (a, b) = (one.side, other.side)
          if meet(points[a], points[a + 1], points[b], points[b + 1]) { return true }
        }
      }
      return false
    }

    private static func meet(_ a: Point, _ b: Point, _ c: Point, _ d: Point) -> Bool {
      func side(_ p: Point, _ q: Point, _ r: Point) -> Double {
        (q.longitude - p.longitude) * (r.latitude - p.latitude) - (q.latitude - p.latitude)
          * (r.longitude - p.longitude)
      }
      func isBetween(_ p: Point, _ q: Point, _ r: Point) -> Bool {
        min(p.longitude, q.longitude) <= r.longitude && r.longitude <= max(p.longitude, q.longitude)
          && min(p.latitude, q.latitude) <= r.latitude && r.latitude <= max(p.latitude, q.latitude)
      }
      let (d1, d2, d3, d4) = (side(c, d, a), side(c, d, b), side(a, b, c), side(a, b, d))
      if d1 * d2 < 0, d3 * d4 < 0 { return true }
      return d1 == 0 && isBetween(c, d, a) || d2 == 0 && isBetween(c, d, b) || d3 == 0 && isBetween(a, b, c)
        || d4 == 0 && isBetween(a, b, d)
    }
  }
}

extension CAPAlert.Point {
  init?(reading text: Substring) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == 2, let latitude = Double(parts[0]), let longitude = Double(parts[1]), latitude.isFinite,
      longitude.isFinite
    else { return nil }
    self.init(latitude: latitude, longitude: longitude)
  }
}

extension CAPAlert.Circle {
  /// - Parameter text: `latitude,longitude radius`.
  init?(reading text: String) {
    let parts = text.split(whereSeparator: \.isWhitespace)
    guard parts.count == 2, let centre = CAPAlert.Point(reading: parts[0]), let radius = Double(parts[1]) else {
      return nil
    }
    self.init(centre: centre, radius: radius)
  }
}
