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
      if method == .POST { return try await createTemporal(exchange) }
      throw Self.notAllowed(exchange)
    case ("entityMaps", 1): return try await createHistoryMap(exchange)
    case ("entities", 2...6): break
    default: throw Self.unknown(exchange.request.path)
    }
    let id = path[1]
    guard IRI.isAbsolute(id) else { throw .badRequest("the entity id must be a URI, found '\(id.prefix(100))'") }
    switch (method, path.count) {
    case (.GET, 2): return try await retrieveTemporal(exchange, id)
    case (.DELETE, 2):
      try exchange.takes(Parameters.none)
      try await hub.deleteHistory(of: id, in: exchange.tenant)
      return .noContent
    default: break
    }
    guard path.count >= 3, path[2] == "attrs" else {
      throw path.count == 2 ? Self.notAllowed(exchange) : Self.unknown(exchange.request.path)
    }
    switch (method, path.count) {
    case (.POST, 3):
      try exchange.takes(Parameters.none)
      let (json, context) = try await exchange.body()
      let fragment = try EntityReader(context: context, rules: .evolution).entity(json)
      try await hub.addHistory(of: id, fragment, in: exchange.tenant)
      return .noContent
    case (.DELETE, 4):
      try exchange.takes(Parameters.instance)
      let context = try await exchange.context()
      let datasetId = exchange.items["datasetId"].flatMap { $0 == "@none" ? nil : $0 }
      try await hub.deleteHistory(
        of: id, attribute: try exchange.attributeName(path[3], context), datasetId: datasetId,
        allDatasets: try exchange.items.flag("deleteAll"), in: exchange.tenant)
      return .noContent
    case (.DELETE, 5):
      try exchange.takes(Parameters.none)
      let context = try await exchange.context()
      try await hub.deleteHistory(
        of: id, attribute: try exchange.attributeName(path[3], context), instanceId: try Self.instanceId(path[4]),
        in: exchange.tenant)
      return .noContent
    case (.PATCH, 5):
      try exchange.takes(Parameters.none)
      let (json, context) = try await exchange.body(mergePatch: true)
      try await replaceInstance(json, context, exchange, path)
      return .noContent
    default: throw Self.notAllowed(exchange)
    }
  }

  private static func instanceId(_ text: String) throws(Problem) -> String {
    guard IRI.isAbsolute(text) else { throw .badRequest("the instance id must be a URI, found '\(text.prefix(100))'") }
    return text
  }

  /// The body is the instance, or a fragment that names the attribute again and has one instance of it.
  private func replaceInstance(
    _ json: JSON, _ context: Context, _ exchange: Exchange, _ path: [String]
  ) async throws(Problem) {
    let name = try exchange.attributeName(path[3], context)
    let id = try Self.instanceId(path[4])
    let reader = EntityReader(context: context, rules: .evolution)
    let instances: [AttributeFragment]
    if case .object(let object) = json, object.members.contains(where: { context.expand($0.key) == name }) {
      instances = try reader.entity(json).attributes.first { $0.name == name }?.instances ?? []
    } else {
      instances = try reader.attribute(json.withoutContext, name: path[3])
    }
    guard instances.count == 1 else { throw .badRequest("one instance of '\(path[3].prefix(100))' is expected") }
    try await hub.replaceHistory(of: path[1], attribute: name, instanceId: id, with: instances[0], in: exchange.tenant)
  }

  private func createTemporal(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    let (json, context) = try await exchange.body()
    let fragment = try EntityReader(context: context, rules: .evolution).entity(json)
    let isNew = try await hub.recordHistory(fragment, in: exchange.tenant)
    guard isNew else { return .noContent }
    var response = APIResponse(status: 201)
    response.headers[first: HeaderName.location] =
      "/ngsi-ld/v1/temporal/entities/" + PercentCoding.encode(fragment.id ?? "")
    exchange.echoTenant(&response)
    return response
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
    let request = try await temporalQuery(exchange)
    return try await answer(request, try exchange.entityMapWish(), exchange)
  }

  /// What the parameters of a temporal query ask for.
  private func temporalQuery(_ exchange: Exchange) async throws(Problem) -> TemporalRequest {
    try exchange.takes(Parameters.queryTemporal)
    let context = try await exchange.context()
    var request = try TemporalRequest(exchange, context: context, needsTime: true)
    request.query.entities = try exchange.entityQuery(context)
    try Self.checkOrder(request.query.entities)
    let entities = request.query.entities
    let isNarrowed =
      entities.types != nil || !entities.attributes.isEmpty || entities.filter != nil || entities.geo != nil
      || entities.scope != nil
    let isLocal = try exchange.items.flag("local")
    guard isNarrowed || isLocal else {
      throw .badRequest("a temporal query needs at least one of type, attrs, q, georel, scopeQ or local=true")
    }
    return request
  }

  /// Histories are ordered by `id` only (clause 5.7.4.4).
  private static func checkOrder(_ query: EntityQuery) throws(Problem) {
    guard query.order.allSatisfy({ $0.subject == .id }) else {
      throw .badRequest("histories can be ordered by 'id' only")
    }
  }

  private func postTemporalQuery(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let (request, wish) = try await postedTemporalQuery(exchange)
    return try await answer(request, wish, exchange)
  }

  private func postedTemporalQuery(_ exchange: Exchange) async throws(Problem) -> (TemporalRequest, EntityMapWish) {
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
    return (request, try exchange.entityMapWish(object))
  }

  /// `GET` and `POST` of `/temporal/entityMaps` (clause 6.35).
  private func createHistoryMap(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let (request, wish): (TemporalRequest, EntityMapWish)
    switch exchange.request.method {
    case .GET: (request, wish) = (try await temporalQuery(exchange), try exchange.entityMapWish())
    case .POST: (request, wish) = try await postedTemporalQuery(exchange)
    default: throw Self.notAllowed(exchange)
    }
    let sent = request
    let map = try await hub.offLoop { hub throws(Problem) in
      try hub.makeHistoryMap(sent.query, lifetime: wish.lifetime, in: exchange.tenant)
    }
    var response = try answer(map, exchange, status: 201)
    exchange.tell(map, isNew: true, in: &response)
    return response
  }

  private func answer(_ request: TemporalRequest, _ wish: EntityMapWish, _ exchange: Exchange) async throws(Problem)
    -> APIResponse
  {
    try await hub.offLoop { hub throws(Problem) in
      let known = wish.reference.flatMap { hub.entityMapIfAny($0, in: exchange.tenant) }
      var map = known
      if map == nil, wish.isUsed {
        map = try hub.makeHistoryMap(request.query, lifetime: wish.lifetime, in: exchange.tenant)
      }
      var found =
        if let map { try hub.evolutions(request.query, over: map, in: exchange.tenant) } else {
          try hub.evolutions(request.query, in: exchange.tenant)
        }
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
      if let map { exchange.tell(map, isNew: known == nil, in: &response) }
      return response
    }
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
