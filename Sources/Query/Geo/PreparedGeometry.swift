import CGEOS
import NGSI

/// A geometry with the index GEOS makes for many questions about it. Everything in it belongs to one GEOS context, and
/// it is only reached under a lock.
// Sendable under the Mutex that holds it: neither pointers nor context leave it.
struct PreparedGeometry: ~Copyable, @unchecked Sendable {
  private let context: GeosContext
  private let reference: GeosGeometry
  private let prepared: OpaquePointer

  init(_ json: JSON) throws(Problem) {
    let context = try GeosContext()
    guard let built = context.geometry(json) else { throw .badRequest("the geometry of the query cannot be built") }
    guard let sound = context.sound(built, drawnAs: json) else {
      throw .badRequest(
        "the geometry of the query is not valid: \(context.fault(of: built, drawnAs: json) ?? "it has no area")")
    }
    let reference = json["geometries"] == nil ? sound : context.united(sound) ?? sound
    guard let prepared = reference.with({ GEOSPrepare_r(context.handle, $0) }) else {
      throw .badRequest("the geometry of the query cannot be prepared")
    }
    self.context = context
    self.reference = reference
    self.prepared = prepared
  }

  deinit { GEOSPreparedGeom_destroy_r(context.handle, prepared) }

  /// Whether the two share a position; `nil` when the other is not valid.
  func meets(_ json: JSON) -> Bool? {
    valid(json)?.with { other in
      isMixed(other) ? parts(of: other).contains { meets($0) } : meets(other)
    }
  }

  /// Whether the geometry stands in the relation to this one. One that is not valid stands in none.
  ///
  /// A GeometryCollection counts as the union of its parts. GEOS 3.11 relates no collection of points, lines and areas
  /// together: it is taken part by part, so that `contains` asks for one part that does so alone, and it equals and
  /// overlaps nothing.
  func relate(_ relation: GeoFilter.Relation, _ json: JSON) -> Bool {
    valid(json)?.with { isMixed($0) ? relate(relation, parts: parts(of: $0)) : relate(relation, $0) } ?? false
  }

  private func relate(_ relation: GeoFilter.Relation, parts: [OpaquePointer]) -> Bool {
    switch relation {
    case .intersects: parts.contains { meets($0) }
    case .disjoint: !parts.contains { meets($0) }
    case .within:
      parts.allSatisfy { GEOSPreparedCovers_r(context.handle, prepared, $0) == 1 }
        && parts.contains { relate(.within, $0) }
    case .contains: parts.contains { relate(.contains, $0) }
    case .equals, .overlaps, .nearMax, .nearMin: false
    }
  }

  private func relate(_ relation: GeoFilter.Relation, _ other: OpaquePointer) -> Bool {
    let handle = context.handle
    switch relation {
    case .intersects: return meets(other)
    case .disjoint: return GEOSPreparedDisjoint_r(handle, prepared, other) == 1
    // The target is asked about: it is within the reference when the reference contains it.
    case .within: return GEOSPreparedContains_r(handle, prepared, other) == 1
    case .contains: return GEOSPreparedWithin_r(handle, prepared, other) == 1
    case .overlaps: return GEOSPreparedOverlaps_r(handle, prepared, other) == 1
    case .equals: return reference.with { GEOSEquals_r(handle, $0, other) == 1 }
    case .nearMax, .nearMin: return false
    }
  }

  private func meets(_ other: OpaquePointer) -> Bool {
    GEOSPreparedIntersects_r(context.handle, prepared, other) == 1
  }

  private func valid(_ json: JSON) -> GeosGeometry? {
    guard let geometry = context.geometry(json) else { return nil }
    // Points are always valid.
    if json["type"] == "Point" || json["type"] == "MultiPoint" { return geometry }
    guard let sound = context.sound(geometry, drawnAs: json) else { return nil }
    return json["geometries"] == nil ? sound : context.united(sound)
  }

  /// Whether it is a collection of parts of different dimensions.
  private func isMixed(_ geometry: OpaquePointer) -> Bool {
    GEOSGeomTypeId_r(context.handle, geometry) == Int32(GEOS_GEOMETRYCOLLECTION.rawValue)
  }

  /// The parts of a collection, which belong to it.
  private func parts(of collection: OpaquePointer) -> [OpaquePointer] {
    (0..<max(0, GEOSGetNumGeometries_r(context.handle, collection))).compactMap { part in
      GEOSGetGeometryN_r(context.handle, collection, part)
    }
  }
}
