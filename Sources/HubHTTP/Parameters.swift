import NGSI

/// Query parameters and options that each operation takes, by the tables of clause 6; others are refused (6.3.20).
enum Parameters {
  static let none: Set<String> = []
  static let page: Set<String> = ["limit", "offset", "count"]
  static let form: Set<String> = ["options", "format"]
  static let type: Set<String> = ["type"]
  static let details: Set<String> = ["details"]
  static let contexts: Set<String> = ["details", "kind"]
  static let reload: Set<String> = ["reload"]
  static let purgeSnapshots: Set<String> = ["q"]
  static let instance: Set<String> = ["datasetId", "deleteAll", "type"]
  static let merge: Set<String> = ["type", "lang", "observedAt", "options", "format"]
  static let append: Set<String> = ["type", "options"]

  /// What selects entities.
  private static let selection: Set<String> = [
    "id", "idPattern", "type", "q", "scopeQ", "georel", "geometry", "coordinates", "geoproperty", "csf", "jsonKeys",
    "expandValues", "splitEntities",
  ]
  private static let shape: Set<String> = [
    "attrs", "pick", "omit", "lang", "datasetId", "geometryProperty", "join", "joinLevel", "containedBy",
  ]
  private static let order: Set<String> = ["orderBy", "orderFrom", "orderGeometry", "collation"]
  private static let time: Set<String> = [
    "timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "aggrMethods", "aggrPeriodDuration",
  ]

  static let entityMap: Set<String> = ["entityMap", "entityMapLifetime"]

  static let retrieve: Set<String> = shape.union(form).union(type).union(entityMap)
  static let query: Set<String> = selection.union(shape).union(order).union(form).union(page).union(entityMap)
  static let postQuery: Set<String> = shape.union(form).union(page)
  static let registrations: Set<String> =
    selection.union(["attrs", "datasetId", "lang", "timerel", "timeAt", "endTimeAt", "timeproperty", "options"])
    .union(["geometryProperty"]).union(page)
  static let purge: Set<String> = selection.union(["keep", "drop"])
  static let retrieveTemporal: Set<String> =
    time.union(form).union(page).union(entityMap).union(["attrs", "pick", "omit", "lang", "datasetId"])
  static let queryTemporal: Set<String> = selection.union(order).union(retrieveTemporal)
  static let postTemporalQuery: Set<String> = form.union(page).union(["pick", "omit", "lang", "datasetId"])
}

extension Exchange {
  /// Refuses parameters that the operation does not take. `local` and `via` go with every operation (6.3.18).
  func takes(_ names: Set<String>) throws(Problem) {
    for item in items.items where !names.contains(item.name) && item.name != "local" && item.name != "via" {
      throw Problem(.invalidRequest, "the parameter '\(item.name.prefix(60))' does not apply here")
    }
  }

  /// The members of `options`; each must be one of these.
  func options(_ known: Set<String>) throws(Problem) -> [String] {
    let options = try items.list("options") ?? []
    for option in options where !known.contains(option) {
      throw Problem(.invalidRequest, "'options' has '\(option.prefix(40))', which does not apply here")
    }
    return options
  }

  /// `format`, which must be one of these.
  func format(_ known: Set<String>) throws(Problem) -> String? {
    guard let format = items["format"] else { return nil }
    guard known.contains(format) else {
      throw Problem(.invalidRequest, "'format' cannot be '\(format.prefix(40))' here")
    }
    return format
  }

  /// The expanded name of an attribute that a path or parameter names (clause 4.6.2).
  ///
  /// - Throws: for a name that no attribute can have.
  func attributeName(_ name: String, _ context: Context) throws(Problem) -> String {
    guard !Self.members.contains(name) else { throw .badRequest("'\(name)' is no attribute") }
    return try EntityReader(context: context).name(ofAttribute: name)
  }

  private static let members: Set<String> = ["id", "@id", "type", "@type", "scope", "@context"]
}
