import Federation
import Hub
import NGSI
import NIOHTTP1
import Store

/// `/subscriptions` and `/csourceSubscriptions` (clauses 6.10 to 6.13).
extension API {
  func subscriptions(
    _ exchange: Exchange, _ path: [String], about subject: SubscriptionSubject = .entities
  ) async throws(Problem) -> APIResponse {
    let collection = subject == .entities ? "/subscriptions" : "/csourceSubscriptions"
    guard path.count <= 1 else { throw Self.unknown(exchange.request.path) }
    if exchange.request.method == .GET {
      try exchange.takes(path.isEmpty ? Parameters.page.union(["options"]) : ["options"])
    } else {
      try exchange.takes(Parameters.none)
    }
    // `options=count` is how clients of earlier versions ask for `count=true`.
    let options = try exchange.options(path.isEmpty ? ["sysAttrs", "count"] : ["sysAttrs"])
    let showsTimes = options.contains("sysAttrs")
    switch (exchange.request.method, path.first) {
    case (.POST, nil):
      let (json, context) = try await exchange.body()
      guard case .object(let object) = json else { throw .badRequest("a Subscription object is expected") }
      let origin = exchange.origin
      if subject == .entities { try federation.requireNoCircle(origin) }
      let id = try await hub.createSubscription(
        object, about: subject, context: context, base: exchange.base, origin: subscriptionOrigin(origin),
        in: exchange.tenant)
      var response = APIResponse(status: 201)
      response.headers[first: HeaderName.location] = "/ngsi-ld/v1\(collection)/" + PercentCoding.encode(id)
      exchange.echoTenant(&response)
      return response
    case (.GET, nil):
      let context = try await exchange.context()
      let type = try exchange.accepted()
      let (page, countsByName) = try exchange.page()
      let counts = countsByName || options.contains("count")
      let (documents, total) = try hub.subscriptions(
        about: subject, context: context, showsTimes: showsTimes, in: exchange.tenant, page: page)
      let body = documents.map { shown($0, type, context, exchange) }
      var response = exchange.answer(JSONWriter.bytes(.array(body)), type: type, context: context)
      exchange.addPaging(
        &response, page: page, total: counts ? total : nil, hasMore: page.offset + documents.count < total,
        path: collection)
      return response
    case (.GET, let id?):
      let context = try await exchange.context()
      let type = try exchange.accepted()
      let document = try hub.subscription(
        try subscriptionId(id), about: subject, context: context, showsTimes: showsTimes, in: exchange.tenant)
      return exchange.answer(
        JSONWriter.bytes(shown(document, type, context, exchange)), type: type, context: context)
    case (.PATCH, let id?):
      let id = try subscriptionId(id)
      let (json, given) = try await exchange.body(mergePatch: true)
      let context = try exchange.namesContext(json) ? given : nil
      guard case .object(let object) = json else { throw .badRequest("a Subscription object is expected") }
      try await hub.updateSubscription(
        id, about: subject, with: object, context: context, base: exchange.base,
        origin: subscriptionOrigin(exchange.origin), in: exchange.tenant)
      return .noContent
    case (.DELETE, let id?):
      try await hub.deleteSubscription(try subscriptionId(id), about: subject, in: exchange.tenant)
      return .noContent
    default: throw Self.notAllowed(exchange)
    }
  }

  /// What context sources are told of where the request came from.
  private func subscriptionOrigin(_ origin: RequestOrigin) -> SubscriptionOrigin {
    var headers: [(key: String, value: String)] = []
    for key in hub.headersSentOn(in: origin.tenant).sorted() {
      if let value = origin.header(key) { headers.append((key, value)) }
    }
    return SubscriptionOrigin(via: origin.via, headers: headers)
  }

  private func subscriptionId(_ id: String) throws(Problem) -> String {
    guard IRI.isAbsolute(id) else { throw .badRequest("the subscription id must be a URI, found '\(id.prefix(100))'") }
    return id
  }

  private func shown(_ document: JSONObject, _ type: MediaType, _ context: Context, _ exchange: Exchange) -> JSON {
    var document = document
    if type == .jsonLD { document["@context"] = context.embedded }
    return .object(document)
  }
}
