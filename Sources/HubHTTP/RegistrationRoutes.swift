import Hub
import NGSI
import NIOHTTP1
import Query
import Store

/// `/csourceRegistrations` (clauses 6.8 and 6.9).
extension API {
  func registrations(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    guard path.count <= 1 else { throw Self.unknown(exchange.request.path) }
    switch (exchange.request.method, path.first) {
    case (.GET, nil): return try await queryRegistrations(exchange)
    case (.GET, let id?):
      try exchange.takes(["options"])
      let showsTimes = try exchange.options(["sysAttrs"]).contains("sysAttrs")
      let context = try await exchange.context()
      let type = try exchange.accepted()
      let registration = try hub.registration(try registrationId(id), in: exchange.tenant)
      return exchange.answer(
        JSONWriter.bytes(shown(registration, nil, type, context, showsTimes)), type: type, context: context)
    case (.POST, nil):
      try exchange.takes(Parameters.none)
      let (json, context) = try await exchange.body()
      guard case .object(let object) = json else { throw .badRequest("a ContextSourceRegistration object is expected") }
      let id = try await hub.register(object, context: context, in: exchange.tenant)
      var response = APIResponse(status: 201)
      response.headers[first: HeaderName.location] = "/ngsi-ld/v1/csourceRegistrations/" + PercentCoding.encode(id)
      exchange.echoTenant(&response)
      return response
    case (.PATCH, let id?):
      try exchange.takes(Parameters.none)
      let id = try registrationId(id)
      let (json, given) = try await exchange.body(mergePatch: true)
      let context = try exchange.namesContext(json) ? given : nil
      guard case .object(let object) = json else { throw .badRequest("a ContextSourceRegistration object is expected") }
      try await hub.updateRegistration(id, with: object, context: context, in: exchange.tenant)
      return .noContent
    case (.DELETE, let id?):
      try exchange.takes(Parameters.none)
      try await hub.deleteRegistration(try registrationId(id), in: exchange.tenant)
      return .noContent
    default: throw Self.notAllowed(exchange)
    }
  }

  private func registrationId(_ id: String) throws(Problem) -> String {
    guard IRI.isAbsolute(id) else { throw .badRequest("the registration id must be a URI, found '\(id.prefix(100))'") }
    return id
  }

  /// Query Context Source Registrations (clause 5.10.2): who may have what is asked for.
  private func queryRegistrations(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.registrations)
    let showsTimes = try exchange.options(["sysAttrs"]).contains("sysAttrs")
    let context = try await exchange.context()
    let type = try exchange.accepted()
    let entities = try exchange.entityQuery(context)
    guard
      entities.types != nil || !entities.attributes.isEmpty || entities.filter != nil || entities.geo != nil
        || exchange.items["csf"] != nil || entities.scope != nil
    else { throw .badRequest("a query for registrations needs at least one of type, attrs, q or georel") }
    var query = SourceQuery(entities)
    // The attributes that `q` looks at are asked for as those in `attrs` are.
    query.attributes.formUnion(entities.filter?.attributes ?? [])
    query.filter = try exchange.sourceFilter(context)
    query.datasetIds = try exchange.items.list("datasetId") ?? []
    query.time = try exchange.temporalFilter()
    query.toleratesSilence = false
    let (page, counts) = try exchange.page()
    let found = try hub.registrations(query, in: exchange.tenant)
    let shown = found.dropFirst(page.offset).prefix(page.limit).map {
      self.shown($0.registration, nil, type, context, showsTimes)
    }
    var response = exchange.answer(JSONWriter.bytes(.array(Array(shown))), type: type, context: context)
    exchange.addPaging(
      &response, page: page, total: counts ? found.count : nil, hasMore: page.offset + shown.count < found.count,
      path: "/csourceRegistrations")
    return response
  }

  private func shown(
    _ registration: Registration, _ parts: [Registration.Information]?, _ type: MediaType, _ context: Context,
    _ showsTimes: Bool
  ) -> JSON {
    var document = registration.shown(context, showsTimes: showsTimes, parts: parts)
    for member in hub.figures(of: registration).members { document[member.key] = member.value }
    if type == .jsonLD { document["@context"] = context.embedded }
    return .object(document)
  }
}

extension Exchange {
  /// The context source filter (`csf`).
  func sourceFilter(_ context: Context) throws(Problem) -> Filter? {
    guard let csf = items["csf"] else { return nil }
    return try Filter(q: csf, context: context)
  }

  /// The temporal query of clause 4.11 in the parameters.
  func temporalFilter() throws(Problem) -> TemporalFilter? {
    guard let timerel = items["timerel"] else {
      guard items["timeAt"] == nil else { throw .badRequest("timeAt goes with a timerel") }
      return nil
    }
    return try TemporalFilter(
      timerel: timerel, timeAt: items["timeAt"], endTimeAt: items["endTimeAt"],
      timeproperty: items["timeproperty"])
  }
}
