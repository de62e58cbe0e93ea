import CGEOS
import NGSI

/// One GEOS context and the geometries made in it. Not for use by two threads at a time.
///
/// No message handler is set, so that GEOS prints nothing; a failure is a `nil` or a negative outcome.
final class GeosContext {
  let handle: GEOSContextHandle_t

  init() throws(Problem) {
    guard let handle = GEOS_init_r() else { throw Problem(.internalError, "GEOS cannot be started") }
    self.handle = handle
  }

  deinit { GEOS_finish_r(handle) }

  /// A geometry that destroys itself; `nil` when the JSON is no geometry, or GEOS refuses it.
  func geometry(_ json: JSON) -> GeosGeometry? {
    make(json, depth: 0).map { GeosGeometry($0, in: self) }
  }

  /// What is wrong with a geometry (crossing itself, for example) and where; `nil` when it is valid.
  func failure(of geometry: GeosGeometry) -> String? {
    geometry.with { pointer in
      if GEOSisValid_r(handle, pointer) == 1 { return nil }
      guard let reason = GEOSisValidReason_r(handle, pointer) else { return "it is not valid" }
      defer { GEOSFree_r(handle, reason) }
      return String(cString: reason)
    }
  }

  /// The union of the parts of a collection, as simple as it can be.
  func united(_ geometry: GeosGeometry) -> GeosGeometry? {
    geometry.with { GEOSUnaryUnion_r(handle, $0) }.map { GeosGeometry($0, in: self) }
  }

  // MARK: - Building

  private func make(_ json: JSON, depth: Int) -> OpaquePointer? {
    guard case .object(let object) = json, depth < 5 else { return nil }
    if let parts = object["geometries"]?.array {
      return collection(GEOS_GEOMETRYCOLLECTION, parts) { self.make($0, depth: depth + 1) }
    }
    guard let type = object["type"]?.string, let coordinates = object["coordinates"] else { return nil }
    switch type {
    case "Point": return point(coordinates)
    case "LineString": return line(coordinates)
    case "Polygon": return polygon(coordinates)
    case "MultiPoint": return collection(GEOS_MULTIPOINT, coordinates.array, point)
    case "MultiLineString": return collection(GEOS_MULTILINESTRING, coordinates.array, line)
    case "MultiPolygon": return collection(GEOS_MULTIPOLYGON, coordinates.array, polygon)
    default: return nil
    }
  }

  private func point(_ json: JSON) -> OpaquePointer? {
    guard let position = Position(json) else { return nil }
    return GEOSGeom_createPointFromXY_r(handle, position.longitude, position.latitude)
  }

  private func line(_ json: JSON) -> OpaquePointer? {
    sequence(json).flatMap { GEOSGeom_createLineString_r(handle, $0) }
  }

  private func polygon(_ json: JSON) -> OpaquePointer? {
    guard case .array(let items) = json, let shell = items.first.flatMap(ring) else { return nil }
    guard let holes = all(Array(items.dropFirst()), ring) else {
      GEOSGeom_destroy_r(handle, shell)
      return nil
    }
    var pointers: [OpaquePointer?] = holes
    return pointers.withUnsafeMutableBufferPointer { buffer in
      GEOSGeom_createPolygon_r(handle, shell, buffer.baseAddress, UInt32(buffer.count))
    }
  }

  private func ring(_ json: JSON) -> OpaquePointer? {
    sequence(json).flatMap { GEOSGeom_createLinearRing_r(handle, $0) }
  }

  private func sequence(_ json: JSON) -> OpaquePointer? {
    guard case .array(let items) = json else { return nil }
    var flat: [Double] = []
    flat.reserveCapacity(items.count * 2)
    for item in items {
      guard let position = Position(item) else { return nil }
      flat.append(position.longitude)
      flat.append(position.latitude)
    }
    return GEOSCoordSeq_copyFromBuffer_r(handle, flat, UInt32(items.count), 0, 0)
  }

  private func collection(
    _ type: GEOSGeomTypes, _ items: [JSON]?, _ make: (JSON) -> OpaquePointer?
  ) -> OpaquePointer? {
    guard let items, let parts = all(items, make) else { return nil }
    var pointers: [OpaquePointer?] = parts
    return pointers.withUnsafeMutableBufferPointer { buffer in
      GEOSGeom_createCollection_r(handle, Int32(type.rawValue), buffer.baseAddress, UInt32(buffer.count))
    }
  }

  /// All of them or none: what was made before a failure is destroyed.
  private func all(_ items: [JSON], _ make: (JSON) -> OpaquePointer?) -> [OpaquePointer]? {
    var made: [OpaquePointer] = []
    made.reserveCapacity(items.count)
    for item in items {
      guard let one = make(item) else {
        for one in made { GEOSGeom_destroy_r(handle, one) }
        return nil
      }
      made.append(one)
    }
    return made
  }
}

/// A GEOS geometry; keeps its context alive.
final class GeosGeometry {
  private let pointer: OpaquePointer
  private let context: GeosContext

  init(_ pointer: OpaquePointer, in context: GeosContext) {
    self.pointer = pointer
    self.context = context
  }

  deinit { GEOSGeom_destroy_r(context.handle, pointer) }

  /// Gives the pointer for a call; the geometry lives as long as the call takes.
  func with<Value>(_ body: (OpaquePointer) -> Value) -> Value { withExtendedLifetime(self) { body(pointer) } }
}
