import Hub
import NGSI
import Query
import Store

/// The parameters of a temporal query (clauses 4.11, 6.18.3, 6.19.3).
struct TemporalRequest {
  let context: Context
  let type: MediaType
  var query: EvolutionQuery
  var form = EvolutionWriter.Form.normalized { didSet { query.showsInstanceIds = form.showsInstances } }
  var systemAttributes = false
  var timeProperty = TemporalFilter.Property.observedAt
  var languages: [String] = []
  var projecting = Projecting()
  /// `Prefer: ngsi-ld=1.5`: the version that the answer is to conform to (clause 4.3.6.8).
  let version: SpecificationVersion?

  init(_ exchange: Exchange, context: Context, needsTime: Bool) throws(Problem) {
    self.context = context
    let items = exchange.items
    type = try exchange.accepted()
    version = Preference.version(exchange.request.headers)
    let (page, counts) = try exchange.page()
    query = EvolutionQuery(entities: EntityQuery(), page: page, instanceLimit: exchange.hub.limits.temporalInstances)
    query.countsTotal = counts
    query.lastN = try items.integer("lastN", in: 1...1_000_000)
    query.newestFirst = query.lastN != nil
    for name in try items.list("attrs") ?? [] { query.attributes.append(try exchange.attributeName(name, context)) }
    query.datasetIds = try items.list("datasetId") ?? []
    if let lang = items["lang"] { languages = try Presenter.languages(lang) }
    if let text = items["pick"] { projecting.pick = try Projection(text, subject: "pick", context: context) }
    if let text = items["omit"] { projecting.omit = try Projection(text, subject: "omit", context: context) }
    try check()
    if let timerel = items["timerel"] {
      query.time = try TemporalFilter(
        timerel: timerel, timeAt: items["timeAt"], endTimeAt: items["endTimeAt"], timeproperty: items["timeproperty"])
    } else if items["timeAt"] != nil || items["endTimeAt"] != nil {
      throw .badRequest("'timeAt' needs 'timerel'")
    }
    if needsTime, query.time == nil { throw .badRequest("a temporal query needs 'timerel' and 'timeAt'") }
    if let name = items["timeproperty"] {
      guard let property = TemporalFilter.Property(rawValue: name) else {
        throw .badRequest("'timeproperty' cannot be '\(name.prefix(40))'")
      }
      timeProperty = property
      // Without 'timerel' it asks for the instances that have the property (clause 4.11).
      if query.time == nil { query.time = TemporalFilter(relation: nil, property: property) }
    }
    try readForm(exchange, items["aggrMethods"], items["aggrPeriodDuration"])
  }

  /// What of the parameters excludes each other (clause 5.7.4.4).
  func check() throws(Problem) {
    try projecting.check()
    guard query.attributes.isEmpty || projecting == Projecting() else {
      throw .badRequest("'attrs' cannot be combined with 'pick' or 'omit'")
    }
    guard projecting.hops == 0 else { throw .badRequest("histories have no linked entities") }
  }

  /// `temporalQ` of a Query object (clause 5.2.21).
  mutating func read(_ json: JSON, _ context: Context) throws(Problem) {
    query.time = try TemporalFilter(json: json)
    timeProperty = query.time?.property ?? .observedAt
    if let last = json["lastN"] {
      guard let count = last.integer, (1...1_000_000).contains(count) else {
        throw .badRequest("'lastN' must be a whole number from 1 to 1000000")
      }
      query.lastN = Int(count)
      query.newestFirst = true
    }
    if let methods = json["aggrMethods"] {
      let names = methods.items.compactMap(\.string).flatMap { $0.split(separator: ",").map(String.init) }
      form = .aggregated(
        try Aggregation(methods: names, period: json["aggrPeriodDuration"]?.string), from: start, to: end)
    }
  }

  private static let forms: Set<String> = [
    "normalized", "concise", "simplified", "keyValues", "temporalValues", "aggregatedValues",
  ]

  private mutating func readForm(_ exchange: Exchange, _ methods: String?, _ period: String?) throws(Problem) {
    var wanted = try exchange.format(Self.forms)
    for option in try exchange.options(Self.forms.union(["sysAttrs"])) {
      if option == "sysAttrs" { systemAttributes = true } else { wanted = wanted ?? option }
    }
    switch wanted {
    case "concise": form = .concise
    case "simplified", "keyValues", "temporalValues": form = .simplified
    case "aggregatedValues":
      guard let methods else { throw .badRequest("aggregated values need 'aggrMethods'") }
      let names = methods.split(separator: ",").map { String($0).trimmingSpaces }
      form = .aggregated(try Aggregation(methods: names, period: period), from: start, to: end)
    default: form = .normalized
    }
  }

  private var start: DateTime? {
    switch query.time?.relation {
    case .after(let time), .between(let time, _): time
    default: nil
    }
  }

  private var end: DateTime? {
    switch query.time?.relation {
    case .before(let time), .between(_, let time): time
    default: nil
    }
  }

  var writer: EvolutionWriter {
    EvolutionWriter(
      context: context, form: form, systemAttributes: systemAttributes, timeProperty: timeProperty,
      languages: languages)
  }

  /// What stands in the body as `@context`; `nil` where a `Link` header gives it.
  var embeddedContext: JSON? {
    if type == .jsonLD { return context.embedded }
    return nil
  }

  /// What of histories an earlier version knows; whether anything had to be changed for it.
  func amend(_ found: inout EvolutionPage) -> Bool {
    guard let version, version < .current else { return false }
    let context = context
    let earlier = EarlierEntities(version, keepsLanguages: !languages.isEmpty, keepsInstances: true) {
      context.compact($0)
    }
    let amended = found.entities.map { earlier.amended($0) }
    defer { found.entities = amended }
    found.beyondCut = found.beyondCut.mapValues { $0.mapValues { $0.shown(in: version) } }
    return amended != found.entities
  }

  /// `Content-Range` of an answer that was cut short (clause 6.3.10): where the answer begins, by the question if that
  /// says it, and how far it came.
  ///
  /// - Parameter cut: the earliest and the latest time in the answer.
  func range(_ cut: (from: DateTime, to: DateTime)) -> String {
    let earliest = min(cut.from, cut.to)
    let latest = max(cut.from, cut.to)
    guard let lastN = query.lastN else {
      return "date-time \(start ?? earliest)-\(latest)/*"
    }
    return "date-time \(end ?? latest)-\(earliest)/\(lastN)"
  }
}
