import Federation
import NIOHTTP1
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
      guard method == .POST else { throw Self.notAllowed(exchange) }
      return try await postTemporalQuery(exchange)
    case ("entities", 1):
      if method == .GET { return try await queryTemporal(exchange) }
      if method == .POST { return try await createHistory(exchange) }
      throw Self.notAllowed(exchange)
    case ("entityMaps", 1): return try await createHistoryMap(exchange)
    case ("entities", 2...6): break
    default: throw Self.unknown(exchange.request.path)
    }
    let id = path[1]
    guard IRI.isAbsolute(id) else { throw .badRequest("the entity id must be a URI, found '\(id.prefix(100))'") }
    guard path.count == 2 || path[2] == "attrs" else { throw Self.unknown(exchange.request.path) }
    switch (method, path.count) {
    case (.GET, 2): return try await retrieveTemporal(exchange, id)
    case (.DELETE, 2): return try await deleteHistory(exchange, id)
    case (.POST, 3): return try await appendHistory(exchange, id)
    case (.DELETE, 4): return try await deleteHistory(exchange, id, attribute: path[3])
    case (.DELETE, 5): return try await deleteInstance(exchange, id, attribute: path[3], path[4])
    case (.PATCH, 5): return try await replaceInstance(exchange, id, attribute: path[3], path[4])
    default: throw Self.notAllowed(exchange)
    }
  }

  // MARK: Read

  private func retrieveTemporal(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.retrieveTemporal)
    let context = try await exchange.context()
    var request = try TemporalRequest(exchange, context: context, needsTime: false)
    request.query.entities = EntityQuery()
    request.query.entities.ids = [id]
    request.query.page = Page(limit: 1)
    let sent = request
    let wish = try exchange.entityMapWish()
    let known = wish.reference.flatMap { hub.entityMapIfAny($0, in: exchange.tenant) }
    try known?.requireUse(for: .histories, nil)
    var history: FederatedHistory?
    if try asksSources(exchange) {
      history = try await federation.history(
        of: id, sent.query, context: context, over: known, exchange.origin)
    }
    let gathered = history
    @Sendable func answer(_ hub: Hub) throws(Problem) -> APIResponse {
      if gathered == nil, known == nil, !wish.isUsed, sent.version == nil, sent.projecting == Projecting(),
        let body = try hub.evolution(
          id, sent.query, in: exchange.tenant, as: sent.writer, embeddedContext: sent.embeddedContext)
      {
        return exchange.answer(body, type: sent.type, context: sent.context)
      }
      var found = if let gathered { gathered.page } else { try hub.evolutions(sent.query, in: exchange.tenant) }
      let isAmended = sent.amend(&found)
      guard let entity = found.entities.first else { throw .notFound("there is no history of \(id)") }
      let view = sent.projecting.view(entity)
      guard !view.isEmpty else { throw .notFound("the history of \(id) has nothing of what was asked for") }
      var writer = JSONWriter(capacity: 1 << 14)
      try sent.writer.write(
        view, kinds: found.beyondCut[entity.id] ?? [:], embeddedContext: sent.embeddedContext, to: &writer)
      var response = finish(writer.bytes, found, sent, exchange, isAmended: isAmended)
      if let known {
        exchange.tell(known, isNew: false, in: &response)
      } else if wish.isUsed {
        let map = EntityMap(
          of: .histories, [.init(id: id, sources: gathered?.sources ?? [EntityMap.local])])
        exchange.tell(
          try hub.keep(map, lifetime: wish.lifetime, in: exchange.tenant), isNew: false, in: &response)
      }
      return response
    }
    var response: APIResponse
    do throws(Problem) { response = try await hub.offLoop { hub throws(Problem) in try answer(hub) } } catch {
      // Who did not answer is named all the same.
      guard let warnings = gathered?.warnings, !warnings.isEmpty else { throw error }
      response = Exchange.problem(error)
    }
    warn(&response, gathered?.warnings ?? [], exchange)
    return response
  }

  private func queryTemporal(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try await answer(try await temporalQuery(exchange), exchange)
  }

  /// A query for histories.
  private struct HistoryQuestion {
    /// What the answer is to look like.
    let request: TemporalRequest
    /// The same for sources.
    let query: FederatedQuery
    /// Whether it is put to the hub alone.
    let isLocal: Bool
    let wish: EntityMapWish
  }

  /// What the parameters of a temporal query ask for.
  private func temporalQuery(_ exchange: Exchange) async throws(Problem) -> HistoryQuestion {
    try exchange.takes(Parameters.queryTemporal)
    let context = try await exchange.context()
    var request = try TemporalRequest(exchange, context: context, needsTime: true)
    request.query.entities = try exchange.entityQuery(context)
    try Self.checkOrder(request.query.entities)
    let entities = request.query.entities
    let isNarrowed =
      entities.types != nil || !entities.attributes.isEmpty || entities.filter != nil || entities.geo != nil
      || entities.scope != nil
    let keepsHere = try exchange.items.flag("local")
    guard isNarrowed || keepsHere else {
      throw .badRequest("a temporal query needs at least one of type, attrs, q, georel, scopeQ or local=true")
    }
    var query = FederatedQuery(request.query, .parameters(exchange.items.items), context: context)
    let isLocal = try !asksSources(exchange) || entities.types == .anything
    if !isLocal {
      try Self.refuseOrder(entities)
      query.sourceFilter = try exchange.sourceFilter(context)
      if exchange.items["splitEntities"] != nil { query.splits = try exchange.items.flag("splitEntities") }
    }
    return HistoryQuestion(request: request, query: query, isLocal: isLocal, wish: try exchange.entityMapWish())
  }

  /// Histories are ordered by `id` only (clause 5.7.4.4).
  private static func checkOrder(_ query: EntityQuery) throws(Problem) {
    guard query.order.allSatisfy({ $0.subject == .id }) else {
      throw .badRequest("histories can be ordered by 'id' only")
    }
  }

  private func postTemporalQuery(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try await answer(try await postedTemporalQuery(exchange), exchange)
  }

  private func postedTemporalQuery(_ exchange: Exchange) async throws(Problem) -> HistoryQuestion {
    try exchange.takes(Parameters.postTemporalQuery)
    let (json, given) = try await exchange.body()
    let context = try await exchange.linkable(given)
    guard case .object(let object) = json, object["type"]?.string == "Query" else {
      throw .badRequest("a Query object is expected")
    }
    guard let temporalQ = object["temporalQ"] else { throw .badRequest("'temporalQ' is expected") }
    var request = try TemporalRequest(exchange, context: context, needsTime: false)
    try request.read(temporalQ, context)
    request.query.entities = try EntityQuery(queryObject: object, context: context)
    try Self.checkOrder(request.query.entities)
    if let pick = object["pick"] {
      request.projecting.pick = try Projection(json: pick, subject: "pick", context: context)
    }
    if let omit = object["omit"] {
      request.projecting.omit = try Projection(json: omit, subject: "omit", context: context)
    }
    if let ids = object["datasetId"] { request.query.datasetIds = ids.items.compactMap(\.string) }
    if let lang = object["lang"]?.string { request.languages = try Presenter.languages(lang) }
    request.query.attributes = request.query.entities.attributes
    try request.check()
    var query = FederatedQuery(request.query, .object(object), context: context)
    let isLocal = try !asksSources(exchange) || object["local"] == .bool(true)
    if !isLocal {
      try Self.refuseOrder(query.entities)
      if let csf = object["csf"]?.string { query.sourceFilter = try Filter(q: csf, context: context) }
      query.splits = object["splitEntities"]?.bool
    }
    return HistoryQuestion(
      request: request, query: query, isLocal: isLocal, wish: try exchange.entityMapWish(object))
  }

  /// `GET` and `POST` of `/temporal/entityMaps` (clause 6.35).
  private func createHistoryMap(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let question: HistoryQuestion
    switch exchange.request.method {
    case .GET: question = try await temporalQuery(exchange)
    case .POST: question = try await postedTemporalQuery(exchange)
    default: throw Self.notAllowed(exchange)
    }
    let made = try await federation.makeEntityMap(
      question.query, isLocal: question.isLocal, lifetime: question.wish.lifetime, exchange.origin)
    var response = try answer(made.map, exchange, status: 201)
    exchange.tell(made.map, isNew: true, in: &response)
    warn(&response, made.warnings, exchange)
    return response
  }

  private func answer(_ question: HistoryQuestion, _ exchange: Exchange) async throws(Problem) -> APIResponse {
    let (request, query, wish) = (question.request, question.query, question.wish)
    if question.isLocal, !wish.isUsed {
      return try await hub.offLoop { hub throws(Problem) in
        try page(of: try hub.evolutions(request.query, in: exchange.tenant), request, exchange)
      }
    }
    let (wanted, counts) = (request.query.page, request.query.countsTotal)
    let known = wish.reference.flatMap { hub.entityMapIfAny($0, in: exchange.tenant) }
    var warnings: [SourceWarning] = []
    var map = known
    if map == nil, wish.isUsed {
      let made = try await federation.makeEntityMap(
        query, isLocal: question.isLocal, lifetime: wish.lifetime, exchange.origin)
      (map, warnings) = (made.map, made.warnings)
    }
    let found: FederatedPage
    if let map {
      found = try await federation.query(
        query, over: map, page: wanted, countsTotal: counts, isLocal: question.isLocal, exchange.origin)
    } else {
      found = try await federation.histories(query, page: wanted, countsTotal: counts, exchange.origin)
    }
    var response = try await hub.offLoop { _ throws(Problem) in
      try page(of: EvolutionPage(found, countsTotal: counts), request, exchange)
    }
    if let map { exchange.tell(map, isNew: known == nil, in: &response) }
    warn(&response, warnings + found.warnings.filter { !warnings.contains($0) }, exchange)
    return response
  }

  /// The answer with a page of histories.
  private func page(of found: EvolutionPage, _ request: TemporalRequest, _ exchange: Exchange) throws(Problem)
    -> APIResponse
  {
    var found = found
    let isAmended = request.amend(&found)
    var writer = JSONWriter(capacity: 1 << 14)
    let embedded = request.embeddedContext
    writer.open("[")
    for view in found.entities.map(request.projecting.view) where !view.isEmpty {
      writer.separate()
      try request.writer.write(
        view, kinds: found.beyondCut[view.entity.id] ?? [:], embeddedContext: embedded, to: &writer)
    }
    writer.close("]")
    var response = finish(writer.bytes, found, request, exchange, isAmended: isAmended)
    exchange.addPaging(
      &response, page: request.query.page, total: found.total, hasMore: found.hasMore, path: "/temporal/entities")
    return response
  }

  /// 200, or 206 with `Content-Range` when there are more instances than one answer holds (clause 6.3.10).
  private func finish(
    _ body: [UInt8], _ found: EvolutionPage, _ request: TemporalRequest, _ exchange: Exchange, isAmended: Bool
  ) -> APIResponse {
    var response = exchange.answer(
      body, status: found.cut != nil ? 206 : isAmended ? 203 : 200, type: request.type, context: request.context)
    if let version = request.version { Preference.tell(version, in: &response) }
    if let cut = found.cut { response.headers[first: HeaderName.contentRange] = request.range(cut) }
    return response
  }
}

extension EvolutionPage {
  /// What the hub and its sources have.
  fileprivate init(_ found: FederatedPage, countsTotal: Bool) {
    self.init(
      entities: found.entities, total: countsTotal ? found.total : nil, hasMore: found.hasMore,
      cut: found.cut.map { ($0.from, $0.to) })
    beyondCut = found.beyondCut
  }
}
