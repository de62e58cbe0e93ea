import Federation
import Hub
import NGSI
import NIOHTTP1
import Query
import Store

/// What a client wants of EntityMaps (clauses 5.5.14 and 6.4.3.2).
struct EntityMapWish {
  /// Whether a map is to be made where none is named, or the one named is gone.
  var wants = false
  /// Seconds.
  var lifetime: Double?
  /// Id of the map that the request names.
  var reference: String?

  var isUsed: Bool { wants || reference != nil }
}

extension Exchange {
  /// Id of the map that `NGSILD-EntityMap` names: by its URI, by its path, or by its id alone.
  private var entityMapReference: String? {
    guard let text = request.headers[first: HeaderName.entityMap], !text.isEmpty else { return nil }
    let id = text.ranges(of: "entityMaps/").last.map { text[$0.upperBound...] } ?? text[...]
    return (try? PercentCoding.decode(id, plusIsSpace: false)) ?? text
  }

  /// Parameters and header of a request.
  func entityMapWish() throws(Problem) -> EntityMapWish {
    let lifetime = try items["entityMapLifetime"].map { text throws(Problem) in try Self.lifetime(.string(text)) }
    return EntityMapWish(wants: try items.flag("entityMap"), lifetime: lifetime, reference: entityMapReference)
  }

  /// Members of a Query object, and header.
  func entityMapWish(_ object: JSONObject) throws(Problem) -> EntityMapWish {
    var wish = EntityMapWish(reference: entityMapReference)
    if let flag = object["entityMap"] {
      guard let wants = flag.bool else { throw .badRequest("'entityMap' must be true or false") }
      wish.wants = wants
    }
    wish.lifetime = try object["entityMapLifetime"].map { json throws(Problem) in try Self.lifetime(json) }
    return wish
  }

  private static func lifetime(_ json: JSON) throws(Problem) -> Double {
    guard let seconds = json.string.flatMap(ISODuration.seconds), seconds > 0 else {
      throw .badRequest("'entityMapLifetime' must be an ISO 8601 duration such as PT10M")
    }
    return seconds
  }

  /// Names the map that was used; 201 where it was made for this.
  func tell(_ map: EntityMap, isNew: Bool, in response: inout APIResponse) {
    response.headers[first: HeaderName.entityMap] = "/ngsi-ld/v1/entityMaps/" + PercentCoding.encode(map.id)
    if isNew, response.status == 200 { response.status = 201 }
  }
}

/// `/entityMaps` and `/temporal/entityMaps` (clauses 6.32, 6.34 and 6.35).
extension API {
  func entityMaps(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    guard let id = path.first else { return try await createEntityMap(exchange) }
    guard path.count == 1 else { throw Self.unknown(exchange.request.path) }
    guard IRI.isAbsolute(id) else { throw .badRequest("the id of an EntityMap is a URI, found '\(id.prefix(100))'") }
    try exchange.takes(Parameters.none)
    switch exchange.request.method {
    case .GET:
      // Where rules look at each entity, that takes long.
      let map = try await hub.offLoop { hub throws(Problem) in try hub.entityMap(id, in: exchange.tenant) }
      return try answer(map, exchange, status: 200)
    case .PATCH:
      guard case .object(let fragment) = try await exchange.body(mergePatch: true).json else {
        throw .badRequest("a fragment of an EntityMap is expected")
      }
      try hub.updateEntityMap(id, with: fragment, in: exchange.tenant)
      return .noContent
    case .DELETE:
      try hub.deleteEntityMap(id, in: exchange.tenant)
      return .noContent
    default: throw Self.notAllowed(exchange)
    }
  }

  private func createEntityMap(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let (query, isLocal, wish): (FederatedQuery, Bool, EntityMapWish)
    switch exchange.request.method {
    case .GET:
      try exchange.takes(Parameters.query)
      let context = try await exchange.context()
      let presenter = try Presenter(exchange, context: context)
      (query, isLocal) = try federatedQuery(exchange, presenter, context)
      wish = try exchange.entityMapWish()
    case .POST:
      try exchange.takes(Parameters.postQuery)
      let (json, context) = try await exchange.body()
      let object = try Self.queryObject(json)
      var presenter = try Presenter(exchange, context: context)
      (query, isLocal) = try federatedQuery(object, exchange, &presenter, context)
      wish = try exchange.entityMapWish(object)
    default: throw Self.notAllowed(exchange)
    }
    // Refused before anything is asked of others.
    _ = try exchange.accepted()
    let made = try await federation.makeEntityMap(query, isLocal: isLocal, lifetime: wish.lifetime, exchange.origin)
    var response = try answer(made.map, exchange, status: 201)
    exchange.tell(made.map, isNew: true, in: &response)
    warn(&response, made.warnings, exchange)
    return response
  }

  func answer(_ map: EntityMap, _ exchange: Exchange, status: Int) throws(Problem) -> APIResponse {
    let type = try exchange.accepted()
    var json = map.json
    if type == .jsonLD, case .object(var object) = json {
      object["@context"] = Context.core.embedded
      json = .object(object)
    }
    return exchange.answer(JSONWriter.bytes(json), status: status, type: type, context: .core)
  }

  // MARK: Queries over maps

  func answer(
    _ query: FederatedQuery, over wish: EntityMapWish, _ presenter: Presenter, _ exchange: Exchange, isLocal: Bool
  ) async throws(Problem) -> APIResponse {
    let (page, counts) = try exchange.page()
    let known = wish.reference.flatMap { hub.entityMapIfAny($0, in: exchange.tenant) }
    var warnings: [SourceWarning] = []
    let map: EntityMap
    if let known {
      map = known
    } else {
      let made = try await federation.makeEntityMap(
        query, isLocal: isLocal, lifetime: wish.lifetime, exchange.origin)
      (map, warnings) = (made.map, made.warnings)
    }
    let found = try await federation.query(
      query, over: map, page: page, countsTotal: counts, isLocal: isLocal, exchange.origin)
    var presenter = presenter
    if !isLocal { warnings += try await link(found.entities, &presenter, silent: found.silent, exchange) }
    var response = try presenter.answer(found.entities, exchange)
    exchange.addPaging(
      &response, page: page, total: counts ? found.total : nil, hasMore: found.hasMore, path: "/entities")
    exchange.tell(map, isNew: known == nil, in: &response)
    warn(&response, warnings + found.warnings.filter { !warnings.contains($0) }, exchange)
    return response
  }

  /// Retrieve Entity with a map (clause 5.7.1.4): who is asked is on it, and who gave something stands on a new one.
  func retrieve(_ exchange: Exchange, _ id: String, _ context: Context, over wish: EntityMapWish)
    async throws(Problem) -> APIResponse
  {
    try exchange.takes(Parameters.retrieve)
    let presenter = try Presenter(exchange, context: context)
    let known = wish.reference.flatMap { hub.entityMapIfAny($0, in: exchange.tenant) }
    let found = try await federation.retrieve(
      id, types: try typeSelection(exchange, context), attributes: Set(presenter.attributes),
      datasetIds: presenter.datasetIds, context: context, over: known, isLocal: try !asksSources(exchange),
      exchange.origin)
    var response = try await linkedAnswer(found, id, presenter, exchange)
    if let known {
      exchange.tell(known, isNew: false, in: &response)
    } else if found.entity != nil {
      let map = EntityMap(of: .entities, [.init(id: id, sources: found.sources)])
      exchange.tell(
        try hub.keep(map, lifetime: wish.lifetime, in: exchange.tenant), isNew: false, in: &response)
    }
    return response
  }
}
