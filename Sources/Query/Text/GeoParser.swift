import NGSI

extension GeoFilter {
  /// Reads the parameters of a geographic query (clause 4.10).
  ///
  /// - Parameters:
  ///   - coordinates: a JSON array as text.
  ///   - geoproperty: short name or IRI; `location` where there is none.
  /// - Throws: ``Problem`` `BadRequestData`: a relation or geometry type that is unknown, coordinates that do not fit
  ///   it, or a geometry that is not valid (crosses itself, for example).
  public init(
    georel: String, geometry: String, coordinates: String, geoproperty: String? = nil, context: Context
  ) throws(Problem) {
    guard coordinates.utf8.count <= QueryLimits.positions * 60 else {
      throw Problem(.tooComplexQuery, "coordinates: at most \(QueryLimits.positions) positions are taken")
    }
    let parsed: JSON
    do { parsed = try JSONParser.parse(coordinates, maxDepth: 8) } catch {
      throw .badRequest("coordinates: expected a JSON array, \(error)")
    }
    try self.init(
      georel: georel, geometry: geometry, coordinates: parsed, geoproperty: geoproperty, context: context)
  }

  /// Reads a `geoQ` object (clause 5.2.13), whose `coordinates` may be an array or the text of one.
  public init(json: JSON, context: Context) throws(Problem) {
    guard let object = json.object else { throw .badRequest("geoQ must be a JSON object") }
    guard let georel = try Member.text("georel", of: object, in: "geoQ") else {
      throw .badRequest("geoQ needs 'georel'")
    }
    guard let geometry = try Member.text("geometry", of: object, in: "geoQ") else {
      throw .badRequest("geoQ needs 'geometry'")
    }
    let property = try Member.text("geoproperty", of: object, in: "geoQ")
    switch object["coordinates"] {
    case .string(let text)?:
      try self.init(georel: georel, geometry: geometry, coordinates: text, geoproperty: property, context: context)
    case let coordinates?:
      try self.init(
        georel: georel, geometry: geometry, coordinates: coordinates, geoproperty: property, context: context)
    case nil: throw .badRequest("geoQ needs 'coordinates'")
    }
  }

  private init(
    georel: String, geometry: String, coordinates: JSON, geoproperty: String?, context: Context
  ) throws(Problem) {
    let relation = try Self.relation(georel)
    let reference = try Geometry.reference(type: geometry, coordinates: coordinates, subject: "geometry")
    if case .nearMax = relation { try reference.requireDistancePositions() }
    if case .nearMin = relation { try reference.requireDistancePositions() }
    try self.init(
      relation: relation, reference: reference.json,
      property: geoproperty.map { CoreName.expand($0, context) } ?? Core.location)
  }

  /// A query with its window computed and its geometry checked.
  ///
  /// - Throws: ``Problem`` `BadRequestData` when the geometry is not valid.
  public init(relation: Relation, reference: JSON, property: String = Core.location) throws(Problem) {
    guard let bounds = Geometry.boundingBox(of: reference) else {
      throw .badRequest("geometry: \(Geometry.failure(of: reference) ?? "it has no position")")
    }
    self.init(
      relation: relation, geometry: reference, property: property,
      window: Self.window(of: relation, reference: bounds))
    _ = try GeoMatcher(self)
  }

  private static func relation(_ text: String) throws(Problem) -> Relation {
    let parts = text.split(separator: ";", omittingEmptySubsequences: false)
    switch parts.first {
    case "near" where parts.count == 2:
      for (modifier, make) in [("maxDistance", Relation.nearMax), ("minDistance", Relation.nearMin)] {
        guard parts[1].hasPrefix(modifier) else { continue }
        var rest = parts[1].dropFirst(modifier.count)
        // `=` alone is common in the field and cannot mean anything else.
        rest = rest.hasPrefix("==") ? rest.dropFirst(2) : rest.hasPrefix("=") ? rest.dropFirst() : ""
        guard let metres = (try? JSONParser.parse(String(rest)))?.number, metres > 0, metres.isFinite else {
          throw .badRequest(
            "georel: expected \(modifier)== and a number of metres above 0, found '\(parts[1].prefix(60))'")
        }
        return make(metres)
      }
      throw .badRequest("georel: expected maxDistance== or minDistance== after 'near;', found '\(parts[1].prefix(60))'")
    case "near": throw .badRequest("georel: 'near' needs ';maxDistance==' or ';minDistance==' and a number of metres")
    default: break
    }
    switch text {
    case "within": return .within
    case "contains": return .contains
    case "intersects": return .intersects
    case "equals": return .equals
    case "disjoint": return .disjoint
    case "overlaps": return .overlaps
    default:
      throw .badRequest(
        "georel: expected near, within, contains, intersects, equals, disjoint or overlaps, found '\(text.prefix(60))'")
    }
  }
}

extension Geometry {
  struct Reference {
    var json: JSON
    var positions: Int

    func requireDistancePositions() throws(Problem) {
      guard positions <= QueryLimits.distancePositions else {
        throw Problem(
          .tooComplexQuery, "a geometry for distances may have at most \(QueryLimits.distancePositions) positions")
      }
    }
  }

  /// The geometry of a query, from its type and coordinates.
  static func reference(type: String, coordinates: JSON, subject: String) throws(Problem) -> Reference {
    guard type != "GeometryCollection", Geometry.isGeometry(["type": .string(type), "coordinates": []]) else {
      throw .badRequest(
        "\(subject): expected Point, MultiPoint, LineString, MultiLineString, Polygon or MultiPolygon, found '\(type.prefix(40))'"
      )
    }
    guard case .array = coordinates else { throw .badRequest("coordinates: expected an array that fits a \(type)") }
    let json: JSON = ["type": .string(type), "coordinates": coordinates]
    if let failure = failure(of: json) { throw .badRequest("coordinates: \(failure)") }
    let positions = Shape(json)?.positionCount ?? 0
    guard positions > 0 else { throw .badRequest("coordinates: expected at least one position") }
    guard positions <= QueryLimits.positions else {
      throw Problem(.tooComplexQuery, "coordinates: at most \(QueryLimits.positions) positions are taken")
    }
    return Reference(json: json, positions: positions)
  }
}
