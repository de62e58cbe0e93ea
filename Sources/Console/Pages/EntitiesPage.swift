import Hummingbird
import NGSI

/// `/entities`: find by type, state and words; works without scripts.
enum EntitiesPage {
  static func answer(_ visit: Visit) async throws -> Response {
    let room = visit.room
    let query = ListQuery(visit.query)
    let overview = await room.board.overview(at: visit.now)
    let page = await room.board.list(query, at: visit.now, language: visit.language)
    var content: [String: Any] = [
      "rows": page.summaries.map { visit.row($0) }, "range": rangeText(visit, query, page), "queryText": query.text,
      "isNothing": page.summaries.isEmpty, "isLoading": overview.phase == .loading,
      "isEmpty": overview.total == 0 && overview.phase == .ready,
      "types": overview.types.map { type -> [String: Any] in
        [
          "typeName": type.type, "typeLabel": room.names.type(type.type, visit.language),
          "typeCount": NumberText.short(Double(type.count)), "typeChosen": type.type == query.type,
        ]
      },
      "states": EntityState.allCases.map { state -> [String: Any] in
        [
          "stateName": state.name, "stateText": visit.text("state_" + state.name),
          "stateCount": NumberText.short(Double(overview.states[state] ?? 0)), "stateChosen": state == query.state,
        ]
      },
      "sorts": ListQuery.Sort.allCases.map { sort -> [String: Any] in
        ["sortName": sort.rawValue, "sortText": visit.text("sort_" + sort.rawValue), "sortChosen": sort == query.sort]
      },
    ]
    if let cause = query.cause, let rule = room.rules.rules.first(where: { $0.id == cause }) {
      content["causeId"] = rule.id
      content["causeText"] = rule.label(query.state ?? .attention).in(visit.language)
      content["withoutCauseHref"] = "/entities?" + visit.query.with(["cause": nil, "offset": nil, "lang": nil])
    }
    if query.offset > 0 {
      content["previousHref"] = href(visit, offset: max(0, query.offset - query.limit))
    }
    if query.offset + page.summaries.count < page.total {
      content["nextHref"] = href(visit, offset: query.offset + query.limit)
    }
    return PageFrame.answer(
      visit, template: "entities", title: visit.text("entitiesTitle"), section: "entities", content: content)
  }

  private static func href(_ visit: Visit, offset: Int) -> String {
    "/entities?" + visit.query.with(["offset": offset == 0 ? nil : "\(offset)", "lang": nil])
  }

  /// `1–50 of 12,345`
  static func rangeText(_ visit: Visit, _ query: ListQuery, _ page: ListPage) -> String {
    guard !page.summaries.isEmpty else { return visit.text("nothingFound") }
    return visit.text(
      "range",
      [
        "from": NumberText.short(Double(query.offset + 1)),
        "to": NumberText.short(Double(query.offset + page.summaries.count)),
        "total": NumberText.short(Double(page.total)),
      ])
  }
}

extension ListQuery {
  /// Reads an address; what it does not understand falls back to the default.
  init(_ query: Query) {
    type = query["type"].flatMap { $0.isEmpty ? nil : $0 }
    text = String((query["q"] ?? "").prefix(Self.maxText))
    state = query["state"].flatMap(EntityState.init(name:))
    cause = query["cause"].flatMap { $0.isEmpty ? nil : $0 }
    sort = query["sort"].flatMap(Sort.init(rawValue:)) ?? .state
    limit = min(max(query["limit"].flatMap(Int.init) ?? 50, Self.limits.lowerBound), Self.limits.upperBound)
    offset = min(max(query["offset"].flatMap(Int.init) ?? 0, 0), Self.maxOffset)
  }
}
