/// A place in a picture: pixels from the upper left corner, x to the right, y down.
public struct Point: Sendable, Hashable {
  public var x, y: Double

  public init(x: Double, y: Double) {
    self.x = x
    self.y = y
  }

  public func distance(to other: Point) -> Double {
    ((x - other.x) * (x - other.x) + (y - other.y) * (y - other.y)).squareRoot()
  }
}

/// The size of a picture in pixels.
public struct PictureSize: Sendable, Hashable, CustomStringConvertible {
  public var width, height: Int

  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  public var description: String { "\(width)x\(height)" }
}

/// An upright rectangle in pixels of a picture.
public struct Box: Sendable, Hashable {
  public var x, y, width, height: Double

  public init(x: Double, y: Double, width: Double, height: Double) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }

  public var right: Double { x + width }
  public var bottom: Double { y + height }
  public var area: Double { max(0, width) * max(0, height) }
  public var centre: Point { Point(x: x + width / 2, y: y + height / 2) }
  /// Where a person stands: the middle of the lower edge.
  public var foot: Point { Point(x: x + width / 2, y: y + height) }
  public var isEmpty: Bool { !(width > 0 && height > 0) }

  public func intersection(_ other: Box) -> Box {
    let left = max(x, other.x)
    let top = max(y, other.y)
    return Box(
      x: left, y: top, width: max(0, min(right, other.right) - left), height: max(0, min(bottom, other.bottom) - top))
  }

  public func union(_ other: Box) -> Box {
    let left = min(x, other.x)
    let top = min(y, other.y)
    return Box(x: left, y: top, width: max(right, other.right) - left, height: max(bottom, other.bottom) - top)
  }

  /// Intersection over union, 0 to 1.
  public func overlap(_ other: Box) -> Double {
    let shared = intersection(other).area
    let all = area + other.area - shared
    return all > 0 ? shared / all : 0
  }

  /// The share of this box that lies in another, 0 to 1.
  public func share(in other: Box) -> Double { area > 0 ? intersection(other).area / area : 0 }

  public func contains(_ point: Point) -> Bool {
    point.x >= x && point.x < right && point.y >= y && point.y < bottom
  }

  /// The box with its sides moved outwards.
  public func grown(across: Double, down: Double) -> Box {
    Box(x: x - across, y: y - down, width: width + 2 * across, height: height + 2 * down)
  }

  public func clipped(to size: PictureSize) -> Box {
    intersection(Box(x: 0, y: 0, width: Double(size.width), height: Double(size.height)))
  }
}

/// A closed polygon in pixels of a picture.
public struct Polygon: Sendable, Hashable {
  public var corners: [Point]

  public init(_ corners: [Point]) { self.corners = corners }

  /// Whether a point is inside (even-odd rule).
  public func contains(_ point: Point) -> Bool {
    guard var before = corners.last else { return false }
    var isInside = false
    for corner in corners {
      if (corner.y > point.y) != (before.y > point.y),
        point.x < (before.x - corner.x) * (point.y - corner.y) / (before.y - corner.y) + corner.x
      {
        isInside.toggle()
      }
      before = corner
    }
    return isInside
  }
}

extension Double {
  package func clamped(to bounds: ClosedRange<Double>) -> Double {
    Swift.min(Swift.max(self, bounds.lowerBound), bounds.upperBound)
  }
}
