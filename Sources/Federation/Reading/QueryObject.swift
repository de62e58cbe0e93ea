import NGSI
import Query
import Store

extension EntityQuery {
  /// What a Query object selects (clause 5.2.23).
  public init(queryObject object: JSONObject, context: Context) throws(Problem) {
    self.init()
    if let attrs = object["attrs"] {
      for name in attrs.items {
        guard let text = name.string else { throw .badRequest("'attrs' must be an array of names") }
        attributes.append(try EntityReader(context: context).name(ofAttribute: text))
      }
      guard !attributes.isEmpty else { throw .badRequest("'attrs' is empty") }
    }
    if let q = object["q"] {
      guard let text = q.string else { throw .badRequest("'q' must be a text") }
      filter = try Filter(q: text, context: context)
    }
    if let scopeQ = object["scopeQ"] {
      guard let text = scopeQ.string else { throw .badRequest("'scopeQ' must be a text") }
      scope = try ScopeFilter(scopeQ: text)
    }
    if let geoQ = object["geoQ"] { geo = try GeoFilter(json: geoQ, context: context) }
    if let entities = object["entities"] { selectors = try EntitySelector.list(json: entities, context: context) }
    if let ordering = object["ordering"] {
      (order, collation) = try OrderKey.list(json: ordering, context: context)
    }
    let isNarrowed =
      !selectors.isEmpty || filter != nil || geo != nil || scope != nil
      || !attributes.isEmpty
    guard isNarrowed || object["local"] == .bool(true) else {
      throw .badRequest("a query needs at least one of entities, attrs, q, geoQ or scopeQ")
    }
  }
}

extension JSONObject {
  /// What a Query object selects by content, as parameters of a `GET` (clause 6.4.3.2).
  var queryParameters: [(name: String, value: String)] {
    var items: [(name: String, value: String)] = []
    for name in ["q", "scopeQ", "expandValues", "jsonKeys"] {
      if let text = self[name]?.string { items.append((name, text)) }
    }
    guard let geo = self["geoQ"] else { return items }
    for name in ["georel", "geometry", "coordinates", "geoproperty"] {
      guard let value = geo[name] else { continue }
      items.append((name, value.string ?? JSONWriter.text(value)))
    }
    return items
  }
}

extension EvolutionQuery {
  /// The instances that a Query object with `temporalQ` selects (clauses 5.2.21 and 5.2.23).
  public init(queryObject object: JSONObject, context: Context, instanceLimit: Int) throws(Problem) {
    guard let temporalQ = object["temporalQ"] else { throw .badRequest("'temporalQ' is expected") }
    let entities = try EntityQuery(queryObject: object, context: context)
    self.init(entities: entities, page: Page(limit: 1), instanceLimit: instanceLimit)
    time = try TemporalFilter(json: temporalQ)
    attributes = entities.attributes
    datasetIds = object["datasetId"]?.items.compactMap(\.string) ?? []
    guard let last = temporalQ["lastN"] else { return }
    guard let count = last.integer, (1...1_000_000).contains(count) else {
      throw .badRequest("'lastN' must be a whole number from 1 to 1000000")
    }
    (lastN, newestFirst) = (Int(count), true)
  }
}
