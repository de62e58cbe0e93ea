import Hummingbird
import NGSI

/// `/`: what is wrong first, then the map and the search.
enum CityPage {
  static let wrongShown = 30
  static let listShown = 20

  static func answer(_ visit: Visit) async throws -> Response {
    let room = visit.room
    let overview = await room.board.overview(at: visit.now)
    let wrong = await room.board.attention(at: visit.now, limit: wrongShown)
    let list = await room.board.list(
      ListQuery(sort: .name, limit: listShown), at: visit.now, language: visit.language)
    let site = room.source.site
    let indicators = await room.source.indicators()
    var content = CityData.overviewContent(visit, overview, wrong)
    content["indicators"] = indicators.map { visit.row($0) }
    content["hasIndicators"] = !indicators.isEmpty
    content["rows"] = list.summaries.map { visit.row($0) }
    content["types"] = overview.types.map { type in
      ["typeName": type.type, "typeLabel": room.names.type(type.type, visit.language), "typeCount": "\(type.count)"]
    }
    content["isEmpty"] = overview.total == 0 && overview.phase == .ready
    content["centre"] = "\(site.longitude),\(site.latitude)"
    content["boundary"] = site.boundary.map { JSONWriter.text($0) } ?? ""
    return PageFrame.answer(visit, template: "city", title: "", section: "city", content: content)
  }
}

/// The data that the modules of the pages ask for.
enum CityData {
  static func map(_ visit: Visit) async throws -> Response {
    let board = visit.room.board
    let overview = await board.overview(at: visit.now)
    return Answer.json(MapDocument.bytes(await board.items, overview: overview), visit)
  }

  /// Where the event stream is now.
  static func cursor(_ visit: Visit) async -> Response {
    let log = await visit.room.board.log
    return Answer.json(["cursor": .string("\(log.epoch)-\(log.last)")], visit)
  }

  /// Counts and what is wrong, ready to be shown.
  static func overview(_ visit: Visit) async throws -> Response {
    let overview = await visit.room.board.overview(at: visit.now)
    let wrong = await visit.room.board.attention(at: visit.now, limit: CityPage.wrongShown)
    let indicators = await visit.room.source.indicators()
    var states = JSONObject()
    for state in EntityState.allCases { states[state.name] = .integer(Int64(overview.states[state] ?? 0)) }
    return Answer.json(
      [
        "phase": .string("\(overview.phase)"), "total": .integer(Int64(overview.total)),
        "states": .object(states), "wrongTotal": .integer(Int64(wrong.total)),
        "wrongSummary": .string(wrongSummary(visit, overview)),
        "newest": .string(newest(visit, overview)),
        "rows": .array(wrong.entries.map { row(visit.row($0)) }),
        "indicators": .array(indicators.map { row(visit.row($0)) }),
      ], visit)
  }

  static func list(_ visit: Visit) async throws -> Response {
    let query = ListQuery(visit.query)
    let page = await visit.room.board.list(query, at: visit.now, language: visit.language)
    return Answer.json(
      [
        "total": .integer(Int64(page.total)), "offset": .integer(Int64(query.offset)),
        "limit": .integer(Int64(query.limit)),
        "text": .string(EntitiesPage.rangeText(visit, query, page)),
        "rows": .array(page.summaries.map { row(visit.row($0)) }),
      ], visit)
  }

  static func summary(_ visit: Visit) async throws -> Response {
    guard let summary = await visit.room.board.summary(visit.query["id"] ?? "") else {
      return Answer.json(["found": false], visit)
    }
    return Answer.json(["found": true, "row": row(visit.row(summary))], visit)
  }

  private static func row(_ texts: [String: String]) -> JSON {
    var object = JSONObject()
    for (key, value) in texts { object[key] = .string(value) }
    return .object(object)
  }

  static func overviewContent(_ visit: Visit, _ overview: Overview, _ wrong: AttentionPage) -> [String: Any] {
    var content: [String: Any] = [
      "wrongRows": wrong.entries.map { visit.row($0) }, "wrongSummary": wrongSummary(visit, overview),
      "isWell": wrong.total == 0 && overview.total > 0,
      "isLoading": overview.phase == .loading,
      "isFailed": overview.phase == .failed,
      "newest": newest(visit, overview), "total": NumberText.short(Double(overview.total)),
      "legend": EntityState.allCases.map { state in
        [
          "stateName": state.name, "stateText": visit.text("state_" + state.name),
          "stateCount": NumberText.short(Double(overview.states[state] ?? 0)), "stateIndex": "\(state.rawValue)",
        ]
      },
    ]
    if !wrong.isWhole {
      content["wrongMore"] = visit.text("wrongMore", ["n": NumberText.short(Double(wrong.total))])
    }
    if overview.leftOut > 0 {
      content["leftOut"] = visit.text(
        "leftOut", ["n": "\(visit.room.board.capacity)", "m": "\(overview.leftOut)"])
    }
    return content
  }

  private static func wrongSummary(_ visit: Visit, _ overview: Overview) -> String {
    let count = { (state: EntityState) in NumberText.short(Double(overview.states[state] ?? 0)) }
    return visit.text("wrongSummary", ["a": count(.alarm), "b": count(.attention), "c": count(.stale)])
  }

  private static func newest(_ visit: Visit, _ overview: Overview) -> String {
    guard let newest = overview.newestReading else { return visit.text("noReadings") }
    return visit.text("newestReading", ["age": visit.age(newest)])
  }
}
