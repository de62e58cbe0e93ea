import NGSI

/// The map's data as compact JSON: rows instead of GeoJSON features, a third of the bytes.
enum MapDocument {
  /// `[id, type, longitude, latitude, state, staleAt]`: type is a place in `types`, state a place in
  /// ``EntityState``, `staleAt` seconds since 1970 or 0.
  static func bytes(_ items: [EntitySummary], overview: Overview) -> [UInt8] {
    var types: [String: Int] = [:]
    var typeNames: [JSON] = []
    let place = { (type: String) -> Int in
      if let known = types[type] { return known }
      types[type] = typeNames.count
      typeNames.append(.string(type))
      return typeNames.count - 1
    }
    var writer = JSONWriter(capacity: 96 * items.count + 256)
    writer.open("{")
    writer.key("cursor" as StaticString)
    writer.write("\(overview.epoch)-\(overview.sequence)")
    writer.key("points" as StaticString)
    writer.open("[")
    for item in items {
      guard case .point(let longitude, let latitude) = item.place else { continue }
      writer.separate()
      writer.write(
        .array([
          .string(item.id), .integer(Int64(place(item.types.first ?? ""))), .double(longitude), .double(latitude),
          .integer(Int64(item.judged.rawValue)), .integer(staleSeconds(item)),
        ]))
    }
    writer.close("]")
    writer.key("shapes" as StaticString)
    writer.open("[")
    for item in items {
      guard case .shape(let geometry, let height) = item.place else { continue }
      writer.separate()
      writer.write(
        .array([
          .string(item.id), .integer(Int64(place(item.types.first ?? ""))), geometry,
          height.map(JSON.double) ?? .null, .integer(Int64(item.judged.rawValue)), .integer(staleSeconds(item)),
        ]))
    }
    writer.close("]")
    writer.key("types" as StaticString)
    writer.write(.array(typeNames))
    writer.close("}")
    return writer.bytes
  }

  /// One changed entity for the event stream: `[id, type, longitude, latitude, state, staleAt]`, coordinates null
  /// where the place is a shape or unknown.
  static func change(_ item: EntitySummary) -> JSON {
    var place: (JSON, JSON) = (.null, .null)
    if case .point(let longitude, let latitude) = item.place { place = (.double(longitude), .double(latitude)) }
    return .array([
      .string(item.id), .string(item.types.first ?? ""), place.0, place.1, .integer(Int64(item.judged.rawValue)),
      .integer(staleSeconds(item)),
    ])
  }

  private static func staleSeconds(_ item: EntitySummary) -> Int64 {
    item.staleAt.map { $0.microseconds / 1_000_000 } ?? 0
  }
}
