import Hub
import NGSI
import NIOHTTP1

/// `/jsonldContexts` (clauses 6.29 and 6.30). Contexts belong to no tenant.
extension API {
  func jsonldContexts(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    guard path.count <= 1 else { throw Self.unknown(exchange.request.path) }
    switch (exchange.request.method, path.first) {
    case (.POST, nil):
      try exchange.takes(Parameters.none)
      let id = try await hub.addContext(try givenContext(exchange))
      var response = APIResponse(status: 201)
      response.headers[first: HeaderName.location] = "/ngsi-ld/v1/jsonldContexts/" + PercentCoding.encode(id)
      exchange.echoTenant(&response)
      return response
    case (.GET, nil):
      try exchange.takes(Parameters.contexts)
      return try list(exchange)
    case (.GET, let id?):
      try exchange.takes(Parameters.details)
      return try serve(id, exchange)
    case (.DELETE, let id?):
      try exchange.takes(Parameters.reload)
      guard !id.isEmpty else { throw .badRequest("the id of the @context is missing") }
      if try exchange.items.flag("reload") { try await hub.reloadContext(id) } else { try await hub.deleteContext(id) }
      var response = APIResponse.noContent
      exchange.echoTenant(&response)
      return response
    default: throw Self.notAllowed(exchange)
    }
  }

  private func givenContext(_ exchange: Exchange) throws(Problem) -> JSON {
    _ = try exchange.contentType()
    guard exchange.request.body.readableBytes <= hub.limits.contextBytes else {
      throw Problem(.payloadTooLarge, "a @context may have at most \(hub.limits.contextBytes) bytes")
    }
    // What stands beside the @context says nothing (clause 5.13.2.3).
    guard let value = try exchange.json()["@context"] else {
      throw Problem(.invalidRequest, "an object with the member '@context' is expected")
    }
    return value
  }

  private func list(_ exchange: Exchange) throws(Problem) -> APIResponse {
    var kind: ContextKind?
    if let text = exchange.items["kind"] {
      guard let known = ContextKind(rawValue: text) else {
        let kinds = ContextKind.allCases.map(\.rawValue).joined(separator: ", ")
        throw .badRequest("'kind' must be one of \(kinds), found '\(text.prefix(40))'")
      }
      kind = known
    }
    let details = try exchange.items.flag("details")
    let body = try hub.storedContexts(kind).map { entry -> JSON in
      let address = hub.contextAddress(entry.localId, base: exchange.base)
      return details ? entry.json(address: address) : .string(entry.url ?? address)
    }
    return contextAnswer(JSONWriter.bytes(.array(body)), type: .json, exchange)
  }

  private func serve(_ id: String, _ exchange: Exchange) throws(Problem) -> APIResponse {
    let details = try exchange.items.flag("details")
    let type = try exchange.accepted()
    let entry = try hub.storedContext(id)
    let body =
      details
      ? JSONWriter.bytes(entry.json(address: hub.contextAddress(entry.localId, base: exchange.base)))
      : try hub.contextDocument(id)
    hub.noteServing(entry)
    return contextAnswer(body, type: details ? .json : type, exchange)
  }

  /// An answer that is no NGSI-LD data and therefore has no context of its own.
  private func contextAnswer(_ body: [UInt8], type: MediaType, _ exchange: Exchange) -> APIResponse {
    var response = APIResponse(status: 200, body: body)
    response.headers[first: HeaderName.contentType] = type.rawValue
    exchange.echoTenant(&response)
    return response
  }
}
