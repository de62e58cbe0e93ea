import Hub
import NGSI
import Query

extension Exchange {
  /// Reads the query parameters of clause 6.4.3.2 that select and order entities.
  func entityQuery(_ context: Context, readsAttributes: Bool = true) throws(Problem) -> EntityQuery {
    var query = EntityQuery()
    if let ids = try items.list("id") {
      for id in ids where !IRI.isAbsolute(id) { throw .badRequest("'id' must hold URIs, found '\(id.prefix(100))'") }
      query.ids = ids
    }
    if let pattern = items["idPattern"] { query.idPattern = pattern }
    if let type = items["type"] { query.types = try TypeSelection(type, context: context) }
    if readsAttributes {
      for name in try items.list("attrs") ?? [] { query.attributes.append(try attributeName(name, context)) }
    }
    if let q = items["q"] { query.filter = try Filter(q: q, context: context) }
    if let scopeQ = items["scopeQ"] { query.scope = try ScopeFilter(scopeQ: scopeQ) }
    query.geo = try geoFilter(context)
    if let orderBy = items["orderBy"] {
      query.order = try OrderKey.list(
        orderBy: orderBy, from: items["orderFrom"], geometry: items["orderGeometry"], context: context)
      query.collation = items["collation"]
    }
    return query
  }

  private func geoFilter(_ context: Context) throws(Problem) -> GeoFilter? {
    let (georel, geometry, coordinates) = (items["georel"], items["geometry"], items["coordinates"])
    guard georel != nil || geometry != nil || coordinates != nil else { return nil }
    guard let georel, let geometry, let coordinates else {
      throw .badRequest("a geographic query needs georel, geometry and coordinates")
    }
    return try GeoFilter(
      georel: georel, geometry: geometry, coordinates: coordinates, geoproperty: items["geoproperty"],
      context: context)
  }
}
