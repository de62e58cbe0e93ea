import HTTPTypes
import Hub
import NGSI
import Query
import Store

/// `/temporal` (clauses 6.18 to 6.24).
extension API {
  func temporal(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    let method = exchange.request.method
    switch (path.first, path.count) {
    case ("entityOperations", 2) where path[1] == "query":
      guard method == .post else { throw Self.notAllowed(exchange) }
      return try await postTemporalQuery(exchange)
    case ("entities", 1):
      if method == .get { return try await queryTemporal(exchange) }
      if method == .post { return try await createTemporal(exchange) }
      throw Self.notAllowed(exchange)
    case ("entities", 2...6): break
    default: throw Self.unknown(exchange.request.path)
    }
    let id = path[1]
    guard IRI.isAbsolute(id) else { throw .badRequest("the entity id must be a URI, found '\(id.prefix(100))'") }
    switch (method, path.count) {
    case (.get, 2): return try await retrieveTemporal(exchange, id)
    case (.delete, 2):
      try await hub.deleteHistory(of: id, in: exchange.tenant)
      return .noContent
    default: break
    }
    guard path.count >= 3, path[2] == "attrs" else {
      throw path.count == 2 ? Self.notAllowed(exchange) : Self.unknown(exchange.request.path)
    }
    switch (method, path.count) {
    case (.post, 3):
      let (json, context) = try await exchange.body()
      let fragment = try EntityReader(context: context, rules: .evolution).entity(json)
      try await hub.addHistory(of: id, fragment, in: exchange.tenant)
      return .noContent
    case (.delete, 4):
      let context = try await exchange.context()
      let datasetId = exchange.items["datasetId"].flatMap { $0 == "@none" ? nil : $0 }
      try await hub.deleteHistory(
        of: id, attribute: context.expand(path[3]), datasetId: datasetId,
        allDatasets: try exchange.items.flag("deleteAll"), in: exchange.tenant)
      return .noContent
    case (.delete, 5):
      let context = try await exchange.context()
      try await hub.deleteHistory(
        of: id, attribute: context.expand(path[3]), instanceId: path[4], in: exchange.tenant)
      return .noContent
    case (.patch, 5):
      let (json, context) = try await exchange.body(mergePatch: true)
      try await replaceInstance(json, context, exchange, path)
      return .noContent
    default: throw Self.notAllowed(exchange)
    }
  }

  /// The body names the attribute again, with one instance.
  private func replaceInstance(_ json: JSON, _ context: Context, _ exchange: Exchange, _ path: [String]) async throws(Problem) {
    let name = context.expand(path[3])
    let fragment = try EntityReader(context: context, rules: .evolution).entity(json)
    guard let set = fragment.attributes.first(where: { $0.name == name }), set.instances.count == 1 else {
      throw .badRequest("one instance of '\(path[3].prefix(100))' is expected")
    }
    let instance = try set.instances[0].attribute(named: name)
    try await hub.replaceHistory(
      of: path[1], attribute: name, instanceId: path[4], with: instance, in: exchange.tenant)
  }

  private func createTemporal(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let (json, context) = try await exchange.body()
    let fragment = try EntityReader(context: context, rules: .evolution).entity(json)
    let isNew = try await hub.recordHistory(fragment, in: exchange.tenant)
    guard isNew else { return .noContent }
    var response = APIResponse(status: 201)
    response.headers[.location] = "/ngsi-ld/v1/temporal/entities/" + PercentCoding.encode(fragment.id ?? "")
    exchange.echoTenant(&response)
    return response
  }

  // MARK: Read

  private func retrieveTemporal(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    let context = try await exchange.context()
    var request = try TemporalRequest(exchange, context: context, needsTime: false)
    request.query.entities = EntityQuery()
    request.query.entities.ids = [id]
    request.query.page = Page(limit: 1)
    let sent = request
    let found = try await hub.offLoop { hub throws(Problem) in try hub.evolutions(sent.query, in: exchange.tenant) }
    guard let entity = found.entities.first else { throw .notFound("there is no history of \(id)") }
    var writer = JSONWriter(capacity: 1 << 14)
    try request.writer.write(
      request.projected(entity), embeddedContext: request.type == .jsonLD ? context.embedded : nil, to: &writer)
    return finish(writer.bytes, found, request, exchange)
  }

  private func queryTemporal(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let context = try await exchange.context()
    var request = try TemporalRequest(exchange, context: context, needsTime: true)
    request.query.entities = try exchange.entityQuery(context)
    let entities = request.query.entities
    let isNarrowed =
      entities.types != nil || !entities.attributes.isEmpty || entities.filter != nil || entities.geo != nil
      || entities.scope != nil
    let isLocal = try exchange.items.flag("local")
    guard isNarrowed || isLocal else {
      throw .badRequest("a temporal query needs at least one of type, attrs, q, georel, scopeQ or local=true")
    }
    return try await answer(request, exchange)
  }

  private func postTemporalQuery(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let (json, context) = try await exchange.body()
    guard case .object(let object) = json, object["type"]?.string == "Query" else {
      throw .badRequest("a Query object is expected")
    }
    guard let temporalQ = object["temporalQ"] else { throw .badRequest("'temporalQ' is expected") }
    var request = try TemporalRequest(exchange, context: context, needsTime: false)
    try request.read(temporalQ, context)
    request.query.entities = try entityQuery(object, context)
    request.query.attributes = request.query.entities.attributes
    return try await answer(request, exchange)
  }

  private func answer(_ request: TemporalRequest, _ exchange: Exchange) async throws(Problem) -> APIResponse {
    let found = try await hub.offLoop { hub throws(Problem) in try hub.evolutions(request.query, in: exchange.tenant) }
    var writer = JSONWriter(capacity: 1 << 14)
    let embedded = request.type == .jsonLD ? request.context.embedded : nil
    writer.open("[")
    for entity in found.entities {
      writer.separate()
      try request.writer.write(request.projected(entity), embeddedContext: embedded, to: &writer)
    }
    writer.close("]")
    var response = finish(writer.bytes, found, request, exchange)
    exchange.addPaging(
      &response, page: request.query.page, total: found.total, hasMore: found.hasMore, path: "/temporal/entities")
    return response
  }

  /// 200, or 206 with `Content-Range` when there are more instances than one answer holds (clause 6.3.10).
  private func finish(_ body: [UInt8], _ found: EvolutionPage, _ request: TemporalRequest, _ exchange: Exchange) -> APIResponse {
    var response = exchange.answer(
      body, status: found.cut == nil ? 200 : 206, type: request.type, context: request.context)
    if let cut = found.cut {
      let size = request.query.lastN.map { String($0) } ?? "*"
      response.headers[.contentRange] = "date-time \(cut.from.rangeText)-\(cut.to.rangeText)/\(size)"
    }
    return response
  }
}

extension DateTime {
  /// Whole seconds without zone, as clause 6.3.10 writes `Content-Range`.
  fileprivate var rangeText: String { String(description.prefix(19)) }
}

/// The parameters of a temporal query (clauses 4.11, 6.18.3, 6.19.3).
struct TemporalRequest {
  let context: Context
  let type: MediaType
  var query: EvolutionQuery
  var form = EvolutionWriter.Form.normalized
  var systemAttributes = false
  var timeProperty = TemporalFilter.Property.observedAt
  var languages: [String] = []
  var pick: Projection?
  var omit: Projection?

  init(_ exchange: Exchange, context: Context, needsTime: Bool) throws(Problem) {
    self.context = context
    let items = exchange.items
    type = try exchange.accepted()
    let (page, counts) = try exchange.page()
    query = EvolutionQuery(entities: EntityQuery(), page: page, instanceLimit: exchange.hub.limits.temporalInstances)
    query.countsTotal = counts
    query.lastN = try items.integer("lastN", in: 1...1_000_000)
    query.newestFirst = query.lastN != nil
    query.attributes = (try items.list("attrs") ?? []).map { context.expand($0) }
    query.datasetIds = try items.list("datasetId") ?? []
    if let lang = items["lang"] { languages = try Presenter.languages(lang) }
    if let text = items["pick"] { pick = try Projection(text, context: context) }
    if let text = items["omit"] { omit = try Projection(text, context: context) }
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
    }
    try readForm(try items.list("options") ?? [], items["format"], items["aggrMethods"], items["aggrPeriodDuration"])
  }

  /// `temporalQ` of a Query object (clause 5.2.21).
  mutating func read(_ json: JSON, _ context: Context) throws(Problem) {
    query.time = try TemporalFilter(json: json)
    timeProperty = query.time?.property ?? .observedAt
    if let last = json["lastN"]?.integer {
      guard (1...1_000_000).contains(last) else { throw .badRequest("'lastN' must be from 1 to 1000000") }
      query.lastN = Int(last)
      query.newestFirst = true
    }
    if let methods = json["aggrMethods"] {
      let names = methods.items.compactMap(\.string).flatMap { $0.split(separator: ",").map(String.init) }
      form = .aggregated(
        try Aggregation(methods: names, period: json["aggrPeriodDuration"]?.string), from: start, to: end)
    }
  }

  private mutating func readForm(_ options: [String], _ format: String?, _ methods: String?, _ period: String?)
    throws(Problem)
  {
    var wanted = format
    for option in options {
      switch option {
      case "sysAttrs": systemAttributes = true
      case "normalized", "concise", "simplified", "temporalValues", "aggregatedValues": wanted = wanted ?? option
      default: throw .badRequest("'options' has '\(option.prefix(40))', which does not apply here")
      }
    }
    switch wanted {
    case nil, "normalized": form = .normalized
    case "concise": form = .concise
    case "simplified", "temporalValues": form = .simplified
    case "aggregatedValues":
      guard let methods else { throw .badRequest("aggregated values need 'aggrMethods'") }
      let names = methods.split(separator: ",").map { String($0).trimmingSpaces }
      form = .aggregated(try Aggregation(methods: names, period: period), from: start, to: end)
    case let other?: throw .badRequest("'format' cannot be '\(other.prefix(40))'")
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

  func projected(_ entity: Entity) -> Entity {
    entity.projected(pick: pick, omit: omit)
  }
}
