import Foundation

/// Where the devices of a fleet stand.
public struct Placement: Codable, Sendable, Hashable {
  public enum Pattern: String, Codable, Sendable, CaseIterable {
    /// On an even lattice.
    case grid
    /// Anywhere inside.
    case scatter
    /// Along the streets between the blocks.
    case street
    /// Inside blocks, one place each.
    case block
    /// Along the line through `points`.
    case route
    /// At `points`.
    case points
  }

  public var pattern: Pattern
  public var points: [Coordinate]?
}

/// Gives each device of a fleet its place; the same seed gives the same places.
struct Placer {
  /// Side of a block from street to street; blocks and streets follow one lattice, so that lamps line the streets
  /// and buildings stand between them.
  static let blockMetres = 120.0
  /// Side of a building plot; three by three plots fill a block, the rest is street.
  static let plotMetres = 34.0
  /// Turns the lattice off north, as old towns are.
  static let turn = 0.35

  let ground: Ground
  let stream: RandomStream

  func places(_ placement: Placement, count: Int) -> [Coordinate] {
    switch placement.pattern {
    case .points: Array((placement.points ?? []).prefix(count))
    case .route: along(placement.points ?? [ground.centre], count: count)
    case .grid: lattice(count)
    case .scatter: scattered(count) { point, _ in point }
    case .street: scattered(count) { point, draw in onStreet(point, draw) }
    case .block: plots(count)
    }
  }

  private func along(_ points: [Coordinate], count: Int) -> [Coordinate] {
    let line = Polyline(points: points.map(ground.point))
    return (0..<count).map { ground.coordinate(line.point(at: line.length * (Double($0) + 0.5) / Double(count))) }
  }

  /// Even rows at a distance that gives about the count; what is over is left out evenly.
  private func lattice(_ count: Int) -> [Coordinate] {
    let bounds = ground.bounds
    var step = (ground.areaSquareMetres / Double(count)).squareRoot()
    var found: [Ground.Point] = []
    for _ in 0..<40 {
      found = []
      for y in stride(from: bounds.y.lowerBound + step / 2, through: bounds.y.upperBound, by: step) {
        for x in stride(from: bounds.x.lowerBound + step / 2, through: bounds.x.upperBound, by: step) {
          let point = Ground.Point(x: x, y: y)
          if ground.contains(point) { found.append(point) }
        }
      }
      if found.count >= count { break }
      step *= 0.93
    }
    guard found.count >= count else { return scattered(count) { point, _ in point } }
    return (0..<count).map { ground.coordinate(found[$0 * found.count / count]) }
  }

  private func scattered(_ count: Int, _ move: (Ground.Point, Int64) -> Ground.Point) -> [Coordinate] {
    let bounds = ground.bounds
    var places: [Coordinate] = []
    var draw: Int64 = 0
    // A very thin outline may catch few draws; then devices share the centre rather than none being placed.
    while places.count < count, draw < Int64(count) * 400 {
      let x = bounds.x.lowerBound + stream.unit(draw, 1) * (bounds.x.upperBound - bounds.x.lowerBound)
      let y = bounds.y.lowerBound + stream.unit(draw, 2) * (bounds.y.upperBound - bounds.y.lowerBound)
      draw += 1
      let point = move(Ground.Point(x: x, y: y), draw)
      if ground.contains(point) { places.append(ground.coordinate(point)) }
    }
    while places.count < count { places.append(ground.centre) }
    return places
  }

  /// The nearest place on one of the two streets that pass.
  private func onStreet(_ point: Ground.Point, _ draw: Int64) -> Ground.Point {
    var local = turned(point, by: -Self.turn)
    if stream.unit(draw, 3) < 0.5 {
      local.x = (local.x / Self.blockMetres).rounded() * Self.blockMetres
    } else {
      local.y = (local.y / Self.blockMetres).rounded() * Self.blockMetres
    }
    return turned(local, by: Self.turn)
  }

  /// Middles of distinct plots, in an order drawn by lot.
  private func plots(_ count: Int) -> [Coordinate] {
    let reach = Int((ground.outline.map { ($0.x * $0.x + $0.y * $0.y).squareRoot() }.max() ?? 0) / Self.blockMetres) + 1
    var found: [(rank: Double, point: Ground.Point)] = []
    for column in -reach...reach {
      for row in -reach...reach {
        for plot in 0..<9 {
          let local = Ground.Point(
            x: (Double(column) + 0.5) * Self.blockMetres + Double(plot % 3 - 1) * Self.plotMetres,
            y: (Double(row) + 0.5) * Self.blockMetres + Double(plot / 3 - 1) * Self.plotMetres)
          let point = turned(local, by: Self.turn)
          guard ground.contains(point) else { continue }
          found.append((stream.unit(Int64(column) &* 100_003 &+ Int64(row), UInt64(plot) + 10), point))
        }
      }
    }
    found.sort { ($0.rank, $0.point.x) < ($1.rank, $1.point.x) }
    var places = found.prefix(count).map { ground.coordinate($0.point) }
    if places.count < count { places += scattered(count - places.count) { point, _ in point } }
    return places
  }

  private func turned(_ point: Ground.Point, by angle: Double) -> Ground.Point {
    Ground.Point(
      x: point.x * cos(angle) - point.y * sin(angle), y: point.x * sin(angle) + point.y * cos(angle))
  }
}

/// A line through points, walked by its length in metres.
struct Polyline: Sendable {
  let points: [Ground.Point]
  /// Distance from the start to each point.
  private let distances: [Double]

  init(points: [Ground.Point]) {
    self.points = points
    var sum = 0.0
    var distances = [0.0]
    for (a, b) in zip(points, points.dropFirst()) {
      sum += ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot()
      distances.append(sum)
    }
    self.distances = distances
  }

  var length: Double { distances.last ?? 0 }

  func point(at distance: Double) -> Ground.Point {
    let (a, b, share) = segment(at: distance)
    return Ground.Point(x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share)
  }

  /// Direction at a distance, degrees clockwise from north.
  func bearing(at distance: Double) -> Double {
    let (a, b, _) = segment(at: distance)
    let degrees = atan2(b.x - a.x, b.y - a.y) * 180 / .pi
    return degrees < 0 ? degrees + 360 : degrees
  }

  private func segment(at distance: Double) -> (Ground.Point, Ground.Point, Double) {
    guard points.count > 1 else { return (points[0], points[0], 0) }
    var low = 0
    var high = points.count - 2
    while low < high {
      let middle = (low + high + 1) / 2
      if distances[middle] <= distance { low = middle } else { high = middle - 1 }
    }
    let length = distances[low + 1] - distances[low]
    let share = length > 0 ? ((distance - distances[low]) / length).clamped(0...1) : 0
    return (points[low], points[low + 1], share)
  }
}
