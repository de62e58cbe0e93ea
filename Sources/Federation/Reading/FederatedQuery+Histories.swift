import Hub
import NGSI
import Query
import Store

extension FederatedQuery {
  /// Whether whole histories have to be looked at, before some of their instances are left out.
  func judgesWhole(splits: Bool) -> Bool {
    guard let history, splits else { return false }
    return hasFilters || !history.datasetIds.isEmpty
  }

  private func sentLastN(splits: Bool, isBrief: Bool) -> Int? {
    if isBrief { return 1 }
    return judgesWhole(splits: splits) ? nil : history?.lastN
  }

  func sentDatasetIds(splits: Bool, isBrief: Bool) -> [String]? {
    guard let history, !isBrief, !history.datasetIds.isEmpty, !judgesWhole(splits: splits) else { return nil }
    return history.datasetIds
  }

  func temporalParameters(splits: Bool, isBrief: Bool) -> [(name: String, value: String)] {
    guard let history else { return [] }
    var items = history.time?.parameters ?? []
    if let count = sentLastN(splits: splits, isBrief: isBrief) { items.append(("lastN", String(count))) }
    if let ids = sentDatasetIds(splits: splits, isBrief: isBrief) {
      items.append(("datasetId", ids.joined(separator: ",")))
    }
    return items
  }

  func temporalObject(splits: Bool, isBrief: Bool) -> JSON? {
    guard let history else { return nil }
    var object = JSONObject()
    for item in history.time?.parameters ?? [] { object[item.name] = .string(item.value) }
    if let count = sentLastN(splits: splits, isBrief: isBrief) { object["lastN"] = .integer(Int64(count)) }
    return .object(object)
  }

  /// What the hub is asked for of the histories of these entities; `nil` where entities are asked for as they are now.
  func evolution(of entities: EntityQuery, splits: Bool, isBrief: Bool) -> EvolutionQuery? {
    guard var asked = history else { return nil }
    (asked.entities, asked.attributes) = (entities, entities.attributes)
    if judgesWhole(splits: splits) { (asked.lastN, asked.datasetIds) = (nil, []) }
    if isBrief { (asked.lastN, asked.newestFirst, asked.showsInstanceIds) = (1, true, false) }
    return asked
  }
}

extension TemporalFilter {
  /// As parameters of a query (clause 4.11).
  var parameters: [(name: String, value: String)] {
    var items: [(name: String, value: String)] = []
    switch relation {
    case nil: break
    case .before(let end): items = [("timerel", "before"), ("timeAt", end.description)]
    case .after(let start): items = [("timerel", "after"), ("timeAt", start.description)]
    case .between(let start, let end):
      items = [("timerel", "between"), ("timeAt", start.description), ("endTimeAt", end.description)]
    }
    return items + [("timeproperty", property.rawValue)]
  }
}

/// Judges what sources gave: entities as they are, or histories.
enum PartMatcher: Sendable {
  case entities(EntityMatcher)
  case histories(HistoryMatcher)

  init(_ query: FederatedQuery) throws(Problem) {
    self =
      if let history = query.history { .histories(try HistoryMatcher(query.entities, in: history.time)) } else {
        .entities(try EntityMatcher(query.entities))
      }
  }

  /// What of it the query selects; `nil` when it does not meet the query.
  func selected(of entity: Entity) throws(Problem) -> Entity? {
    switch self {
    case .entities(let matcher): try matcher.matches(entity) ? entity : nil
    case .histories(let matcher): try matcher.selected(of: entity)
    }
  }
}
