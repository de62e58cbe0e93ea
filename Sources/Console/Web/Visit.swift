import Hummingbird
import NGSI

/// One request as the pages see it: who reads, in which language, at which moment of the city.
struct Visit: Sendable {
  let language: Language
  let query: Query
  let path: String
  let now: DateTime
  /// Whether the address itself chose the language, which is then remembered in a cookie.
  let choosesLanguage: Bool
  /// Whether the answer may be packed.
  let acceptsGzip: Bool
  let room: ConsoleRoom

  init(_ request: Request, _ room: ConsoleRoom) {
    query = Query(request.uri.query)
    path = request.uri.path
    now = room.source.now()
    choosesLanguage = query["lang"].flatMap(Language.init(rawValue:)) != nil
    language = Language.chosen(
      query: query["lang"], cookie: request.cookies["lang"]?.value,
      acceptLanguage: request.headers[.acceptLanguage])
    acceptsGzip = Gzip.isAccepted(request.headers[.acceptEncoding])
    self.room = room
  }

  func text(_ key: String, _ values: [String: String] = [:]) -> String {
    room.strings.text(key, language, values)
  }

  func age(_ instant: DateTime) -> String { room.strings.age(of: instant, at: now, language) }

  /// `12.3 µg/m³`, `lamp defective`, `2026-01-01 09:00`
  func reading(_ text: String, of attribute: String, unit code: String?) -> String {
    let unit = room.names.unit(code)
    if !unit.isEmpty { return "\(text) \(unit)" }
    if text.count >= 20, let instant = DateTime(text) { return room.time.text(instant) }
    let whole = room.names.word(text, of: attribute, language)
    guard whole == text, text.contains(Names.listSeparator) else { return whole }
    return text.split(separator: Names.listSeparator)
      .map { room.names.word(String($0), of: attribute, language) }.joined(separator: Names.listSeparator)
  }

  static func entityPath(_ id: String) -> String { "/entities/" + Percent.encode(id) }

  /// One line of a list, for templates and as JSON for the modules: texts ready to be shown.
  func row(_ summary: EntitySummary) -> [String: String] {
    let state = summary.state(at: now)
    var row = [
      "rowId": summary.id,
      "rowHref": Self.entityPath(summary.id),
      "rowName": room.names.display(summary, language),
      "rowType": summary.types.map { room.names.type($0, language) }.joined(separator: ", "),
      "rowState": state.name,
      "rowStateText": text("state_" + state.name),
      "rowReading": "",
      "rowCause": "",
      "rowAge": "",
      "rowTime": "",
    ]
    var value = ""
    if let reading = summary.cause?.reading ?? summary.headline {
      value = self.reading(reading.text, of: reading.attribute, unit: reading.unitCode)
      row["rowReading"] = room.names.attribute(reading.attribute, language) + " " + value
    }
    if let cause = summary.cause {
      let label = room.rules.rules[cause.rule].label(summary.judged).in(language)
      // A word and the label that explains it are often the same.
      if label != value { row["rowCause"] = label }
    }
    if let observedAt = summary.observedAt {
      row["rowAge"] = age(observedAt)
      row["rowTime"] = observedAt.description
      row["rowLocalTime"] = room.time.text(observedAt)
    }
    return row
  }
}
