import NGSI

extension OrderKey {
  /// Reads `orderBy` (clause 4.23.3): members with `;asc`, `;desc`, `;dist-asc` or `;dist-desc`, separated by commas.
  ///
  /// - Parameters:
  ///   - from: `orderFrom`, the coordinates as the text of a JSON array.
  ///   - geometry: `orderGeometry`; a Point where there is none.
  public static func list(
    orderBy text: String, from: String? = nil, geometry: String? = nil, context: Context
  ) throws(Problem) -> [OrderKey] {
    var coordinates: JSON?
    if let from {
      guard from.utf8.count <= QueryLimits.text * 4, let json = try? JSONParser.parse(from, maxDepth: 8) else {
        throw .badRequest("orderFrom: expected a JSON array such as [126.97,37.56]")
      }
      coordinates = json
    }
    guard text.utf8.count <= QueryLimits.text else {
      throw Problem(.tooComplexQuery, "orderBy may have at most \(QueryLimits.text) bytes")
    }
    let items = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    return try keys(items, coordinates: coordinates, geometry: geometry, context: context)
  }

  /// Reads an `ordering` object (clause 5.2.43) and its collation.
  public static func list(json: JSON, context: Context) throws(Problem) -> (keys: [OrderKey], collation: String?) {
    guard let object = json.object else { throw .badRequest("ordering must be a JSON object") }
    var items: [String] = []
    for item in object["orderBy"]?.items ?? [] {
      guard let text = item.string else { throw .badRequest("'orderBy' of ordering must be an array of strings") }
      items.append(text)
    }
    if let coordinates = object["coordinates"], coordinates.array == nil {
      throw .badRequest("'coordinates' of ordering must be a JSON array")
    }
    let geometry = try Member.text("geometry", of: object, in: "ordering")
    let collation = try Member.text("collation", of: object, in: "ordering")
    if let collation { _ = try Collation(collation) }
    return (
      try keys(items, coordinates: object["coordinates"], geometry: geometry, context: context), collation
    )
  }

  private static func keys(
    _ items: [String], coordinates: JSON?, geometry: String?, context: Context
  ) throws(Problem) -> [OrderKey] {
    guard items.count <= QueryLimits.orderKeys else {
      throw Problem(.tooComplexQuery, "orderBy may have at most \(QueryLimits.orderKeys) keys")
    }
    var reference: JSON?
    if let coordinates {
      let checked = try Geometry.reference(
        type: geometry ?? "Point", coordinates: coordinates, subject: "orderGeometry")
      try checked.requireDistancePositions()
      reference = checked.json
    }
    var keys: [OrderKey] = []
    for item in items { keys.append(try key(item, reference: reference, context: context)) }
    return keys
  }

  private static func key(_ item: String, reference: JSON?, context: Context) throws(Problem) -> OrderKey {
    let parts = item.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
    guard let name = parts.first, !name.isEmpty, parts.count <= 2 else {
      throw .badRequest(
        "orderBy: expected a name, or a name with ';asc', ';desc', ';dist-asc' or ';dist-desc', found '\(item.prefix(60))'"
      )
    }
    let direction = parts.count == 2 ? parts[1] : "asc"
    switch direction {
    case "asc", "desc":
      return OrderKey(subject: try subject(name, context), ascending: direction == "asc")
    case "dist-asc", "dist-desc":
      guard let reference else {
        throw .badRequest("orderBy: '\(direction)' needs the coordinates to measure from (orderFrom)")
      }
      let path = try AttributePath(name, subject: "orderBy", context: context)
      guard path == AttributePath(attribute: path.attribute) else {
        throw .badRequest("orderBy: '\(direction)' needs the name of a GeoProperty, found '\(name.prefix(60))'")
      }
      return OrderKey(
        subject: .distance(from: reference, property: path.attribute), ascending: direction == "dist-asc")
    default:
      throw .badRequest("orderBy: expected asc, desc, dist-asc or dist-desc after ';', found '\(direction.prefix(40))'")
    }
  }

  private static func subject(_ name: String, _ context: Context) throws(Problem) -> Subject {
    switch name {
    case "id": return .id
    case "type": return .type
    case "scope": return .scope
    case "createdAt": return .createdAt
    case "modifiedAt": return .modifiedAt
    default:
      let path = try AttributePath(name, subject: "orderBy", context: context)
      guard path.linked == nil else { throw .badRequest("orderBy: a linked path cannot be ordered by") }
      return .attribute(path)
    }
  }
}
