import Foundation

/// A way of OpenStreetMap that is tagged as a highway, with the nodes that it goes through.
public struct StreetWay: Sendable, Equatable {
  /// OpenStreetMap's id.
  public var id: Int64
  /// Indices into `StreetWays.nodes`; `nil` for a node that the file names and does not hold.
  public var nodes: [Int?]
  public var tags: [String: String]

  public init(id: Int64, nodes: [Int?], tags: [String: String]) {
    self.id = id
    self.nodes = nodes
    self.tags = tags
  }
}

/// A position in WGS 84 degrees.
public struct Position: Sendable, Equatable {
  public var longitude: Double
  public var latitude: Double

  public init(longitude: Double, latitude: Double) {
    self.longitude = longitude
    self.latitude = latitude
  }

  /// Metres to another position along the great circle (haversine), on a sphere of the WGS 84 mean radius 6,371,008.8 m. Against
  /// the ellipsoid it is off by 0.6 % at most.
  public func distance(to other: Position) -> Double {
    let rad = Double.pi / 180
    let north = sin((other.latitude - latitude) * rad / 2)
    let east = sin((other.longitude - longitude) * rad / 2)
    let half = north * north + cos(latitude * rad) * cos(other.latitude * rad) * east * east
    return 2 * 6_371_008.8 * asin(min(1, half.squareRoot()))
  }

  /// Degrees clockwise from north in which another position is first seen, 0 ..< 360.
  public func bearing(to other: Position) -> Double {
    let rad = Double.pi / 180
    let turn = (other.longitude - longitude) * rad
    let east = sin(turn) * cos(other.latitude * rad)
    let north =
      cos(latitude * rad) * sin(other.latitude * rad) - sin(latitude * rad) * cos(other.latitude * rad) * cos(turn)
    let degrees = atan2(east, north) / rad
    return degrees < 0 ? degrees + 360 : degrees
  }
}

/// What of an OpenStreetMap file is about streets.
public struct StreetWays: Sendable, Equatable {
  public struct Node: Sendable, Equatable {
    /// OpenStreetMap's id.
    public var id: Int64
    public var position: Position

    public init(id: Int64, position: Position) {
      self.id = id
      self.position = position
    }
  }

  public var nodes: [Node]
  public var ways: [StreetWay]

  public init(nodes: [Node], ways: [StreetWay]) {
    self.nodes = nodes
    self.ways = ways
  }
}
