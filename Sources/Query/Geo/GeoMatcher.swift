import NGSI
import Synchronization

/// A geographic query made ready: its geometry is built and prepared once.
public final class GeoMatcher: Sendable {
  public let filter: GeoFilter
  private let shape: Shape
  private let bounds: BoundingBox
  private let prepared: Mutex<PreparedGeometry>

  /// - Throws: ``Problem`` `BadRequestData` when the geometry of the query is not valid.
  public init(_ filter: GeoFilter) throws(Problem) {
    guard let shape = Shape(filter.geometry), let bounds = Geometry.boundingBox(of: filter.geometry) else {
      throw .badRequest("the geometry of the query is no GeoJSON geometry")
    }
    self.filter = filter
    self.shape = shape
    self.bounds = bounds
    prepared = Mutex(try PreparedGeometry(filter.geometry))
  }

  /// Whether any instance of the GeoProperty stands in the relation. An entity without it does not match.
  public func matches(_ entity: Entity) -> Bool {
    guard let position = entity.attributes.position(of: filter.property) else { return false }
    for index in entity.attributes[position].instances.indices
    where matches(entity.attributes[position].instances[index].value) {
      return true
    }
    return false
  }

  /// Whether a stored geometry stands in the relation. One that is not valid stands in none.
  public func matches(_ geometry: JSON) -> Bool {
    guard let box = Geometry.boundingBox(of: geometry) else { return false }
    if let window = filter.window, !window.intersects(box) { return false }
    switch filter.relation {
    case .nearMax(let metres): return isNear(geometry, within: metres) ?? false
    case .nearMin(let metres):
      // Disjoint with the buffer, whose edge belongs to it.
      return isNear(geometry, within: metres.nextDown).map { !$0 } ?? false
    default: break
    }
    return prepared.withLock { $0.relate(filter.relation, geometry) }
  }

  /// `nil` when the geometry is not valid.
  private func isNear(_ geometry: JSON, within metres: Double) -> Bool? {
    guard let other = Shape(geometry) else { return nil }
    if !shape.lines.isEmpty || !other.lines.isEmpty {
      guard let meets = prepared.withLock({ $0.meets(geometry) }) else { return nil }
      if meets { return true }
    }
    return ShapeDistance.least(shape, other, metric: .ellipsoid, limit: metres) != nil
  }
}

/// Spherical distances from one geometry to many (clause 4.23.1).
final class DistanceMeter: Sendable {
  private let shape: Shape
  private let prepared: Mutex<PreparedGeometry>

  init(from geometry: JSON) throws(Problem) {
    guard let shape = Shape(geometry), shape.positionCount > 0 else {
      throw .badRequest("orderFrom: it is no GeoJSON geometry")
    }
    self.shape = shape
    prepared = Mutex(try PreparedGeometry(geometry))
  }

  /// Metres; `nil` when it is no valid geometry.
  func distance(to geometry: JSON) -> Double? {
    guard let other = Shape(geometry), other.positionCount > 0 else { return nil }
    if !shape.lines.isEmpty || !other.lines.isEmpty {
      guard let meets = prepared.withLock({ $0.meets(geometry) }) else { return nil }
      if meets { return 0 }
    }
    return ShapeDistance.least(shape, other, metric: .sphere)
  }
}
