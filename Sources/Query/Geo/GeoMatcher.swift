import CGEOS
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
    guard let set = entity[attribute: filter.property] else { return false }
    return set.instances.contains { matches($0.value) }
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

/// A geometry with the index GEOS makes for many questions about it. Everything in it belongs to one GEOS context, and
/// it is only reached under a lock.
// Sendable under the Mutex that holds it: neither pointers nor context leave it.
private struct PreparedGeometry: ~Copyable, @unchecked Sendable {
  private let context: GeosContext
  private let reference: GeosGeometry
  private let prepared: OpaquePointer
  private let isCollection: Bool

  init(_ json: JSON) throws(Problem) {
    let context = try GeosContext()
    guard let reference = context.geometry(json) else { throw .badRequest("the geometry of the query cannot be built") }
    if let failure = context.failure(of: reference) {
      throw .badRequest("the geometry of the query is not valid: \(failure)")
    }
    guard let prepared = GEOSPrepare_r(context.handle, reference.pointer) else {
      throw .badRequest("the geometry of the query cannot be prepared")
    }
    self.context = context
    self.reference = reference
    self.prepared = prepared
    isCollection = json["geometries"] != nil
  }

  deinit { GEOSPreparedGeom_destroy_r(context.handle, prepared) }

  func meets(_ json: JSON) -> Bool? {
    guard let other = valid(json) else { return nil }
    let outcome = GEOSPreparedIntersects_r(context.handle, prepared, other.pointer)
    return outcome > 1 ? nil : outcome == 1
  }

  func relate(_ relation: GeoFilter.Relation, _ json: JSON) -> Bool {
    guard let other = valid(json) else { return false }
    let handle = context.handle
    switch relation {
    case .intersects: return GEOSPreparedIntersects_r(handle, prepared, other.pointer) == 1
    case .disjoint: return GEOSPreparedDisjoint_r(handle, prepared, other.pointer) == 1
    // The target is asked about: it is within the reference when the reference contains it.
    case .within: return GEOSPreparedContains_r(handle, prepared, other.pointer) == 1
    case .contains: return GEOSPreparedWithin_r(handle, prepared, other.pointer) == 1
    case .overlaps: return GEOSPreparedOverlaps_r(handle, prepared, other.pointer) == 1
    case .equals: return GEOSEquals_r(handle, reference.pointer, other.pointer) == 1
    case .nearMax, .nearMin: return false
    }
  }

  private func valid(_ json: JSON) -> GeosGeometry? {
    guard let geometry = context.geometry(json) else { return nil }
    // Points are always valid.
    if json["type"] == "Point" || json["type"] == "MultiPoint" { return geometry }
    return GEOSisValid_r(context.handle, geometry.pointer) == 1 ? geometry : nil
  }
}
