import Federation
import Hub
import NGSI
import NIOHTTP1
import Query
import Store

// Operations that are put to context sources too (clauses 4.3.6, 6.3.17 and 6.3.18).

extension Exchange {
  /// Where the request comes from, for what is sent on because of it.
  var origin: RequestOrigin {
    let headers = request.headers
    let via = headers.contains(name: HeaderName.via) ? headers[HeaderName.via].joined(separator: ", ") : nil
    return RequestOrigin(tenant: tenant, via: via, share: share) { headers[first: $0] }
  }

  /// Parameters of a write that go to its sources.
  var sentOn: [(name: String, value: String)] { items.items.filter { $0.name != "local" && $0.name != "via" } }
}

extension API {
  /// Whether sources may be concerned: some are registered, and the client does not keep the request here.
  func asksSources(_ exchange: Exchange) throws(Problem) -> Bool {
    guard federation.concerns(exchange.tenant) else { return false }
    return try !exchange.items.flag("local")
  }

  // MARK: Read

  func retrieveFromSources(_ exchange: Exchange, _ id: String, _ context: Context) async throws(Problem) -> APIResponse
  {
    try exchange.takes(Parameters.retrieve)
    let presenter = try Presenter(exchange, context: context)
    let found = try await federation.retrieve(
      id, types: try typeSelection(exchange, context), attributes: Set(presenter.attributes),
      datasetIds: presenter.datasetIds, context: context, exchange.origin)
    return try await linkedAnswer(found, id, presenter, exchange)
  }

  /// The answer with one entity, and with what it links to where that was asked for.
  func linkedAnswer(_ found: FederatedEntity, _ id: String, _ presenter: Presenter, _ exchange: Exchange)
    async throws(Problem) -> APIResponse
  {
    var (found, presenter) = (found, presenter)
    let linked = try await link(found.entity.map { [$0] } ?? [], &presenter, silent: found.silent, exchange)
    found.warnings += linked.filter { !found.warnings.contains($0) }
    return answer(found, id, presenter, exchange)
  }

  /// Looks up what the entities of an answer link to, where sources may have it.
  ///
  /// - Returns: what is missing.
  func link(
    _ entities: [Entity], _ presenter: inout Presenter, silent: Set<String>, _ exchange: Exchange
  ) async throws(Problem) -> [SourceWarning] {
    guard presenter.join != nil, !entities.isEmpty, try asksSources(exchange) else { return [] }
    let linked = try await federation.linkedEntities(
      of: entities.compactMap(presenter.reduced), presenter.projecting, levels: presenter.joinLevel,
      met: presenter.contained, context: presenter.context, silent: silent, exchange.origin)
    presenter.found = linked.entities
    // An entity of the page that another links to is shown inside it whole.
    for entity in entities { presenter.found[entity.id] = entity }
    return linked.warnings
  }

  private func answer(_ found: FederatedEntity, _ id: String, _ presenter: Presenter, _ exchange: Exchange)
    -> APIResponse
  {
    var response: APIResponse
    if let entity = found.entity {
      do throws(Problem) { response = try presenter.answer(entity, exchange) } catch {
        response = Exchange.problem(error)
      }
    } else {
      response = Exchange.problem(.notFound("there is no entity \(id), and no context source has one"))
    }
    warn(&response, found.warnings, exchange)
    return response
  }

  func answerFromSources(_ query: FederatedQuery, _ presenter: Presenter, _ exchange: Exchange) async throws(Problem)
    -> APIResponse
  {
    let (page, counts) = try exchange.page()
    var found = try await federation.query(query, page: page, countsTotal: counts, exchange.origin)
    var presenter = presenter
    let missing = try await link(found.entities, &presenter, silent: found.silent, exchange)
    found.warnings += missing.filter { !found.warnings.contains($0) }
    var response = try presenter.answer(found.entities, exchange)
    exchange.addPaging(
      &response, page: page, total: counts ? found.total : nil, hasMore: found.hasMore, path: "/entities")
    warn(&response, found.warnings, exchange)
    return response
  }

  /// Says what is missing (clause 6.3.17).
  func warn(_ response: inout APIResponse, _ warnings: [SourceWarning], _ exchange: Exchange) {
    let alias = hub.alias(of: exchange.tenant)
    for warning in warnings { response.headers.add(name: HeaderName.warning, value: warning.header(by: alias)) }
  }

  // MARK: Write

  func distribute(
    _ write: SourceWrite, _ exchange: Exchange,
    local: @escaping @Sendable (Set<String>?) async throws(Problem) -> Void
  ) async throws(Problem) -> APIResponse {
    let outcome = try await federation.write(write, exchange.origin, local: local)
    return try answer(outcome, write.id, exchange, success: .noContent)
  }

  /// The success, one problem, or 207 with what failed where (clause 5.2.16).
  func answer(_ outcome: WriteOutcome, _ id: String, _ exchange: Exchange, success: APIResponse) throws(Problem)
    -> APIResponse
  {
    if outcome.failures.isEmpty { return success }
    if let problem = outcome.problem { throw problem }
    var result = BatchResult()
    if outcome.hasSuccess { result.updated = [id] }
    var sources: [(id: String, problem: Problem, registration: String)] = []
    for failure in outcome.failures {
      if let registration = failure.registration {
        sources.append((id, failure.problem, registration))
      } else {
        result.errors.append((id, failure.problem))
      }
    }
    return batchAnswer(result, successStatus: 204, exchange, sources: sources)
  }

  func batchAtSources(
    _ operation: BatchOperation, _ kind: SourceBatch.Kind, _ items: Items, _ exchange: Exchange, successStatus: Int?
  ) async throws(Problem) -> APIResponse {
    // What cannot be read goes nowhere.
    var unread = BatchResult()
    var sound: [BatchItem] = []
    var sent: [SourceBatch.Item] = []
    for (item, body) in zip(items.items, items.bodies) {
      switch item.content {
      case .failure(let problem): unread.errors.append((item.id, problem))
      case .success(let fragment):
        sound.append(item)
        sent.append(
          SourceBatch.Item(
            id: item.id, types: fragment.types, attributes: fragment.names, body: body.json, context: body.context))
      }
    }
    let (kept, tenant) = (sound, exchange.tenant)
    let result = try await federation.batch(SourceBatch(kind, sent), exchange.origin) { [hub] parts throws(Problem) in
      let own = parts.map { part in
        BatchItem(id: kept[part.index].id, content: kept[part.index].content.map { $0.keeping(part.attributes) })
      }
      return try await hub.batch(operation, own, in: tenant)
    }
    return answer(result, unread, exchange, successStatus: successStatus)
  }

  func batchDeleteAtSources(_ ids: [String], _ exchange: Exchange) async throws(Problem) -> APIResponse {
    let items = ids.map {
      SourceBatch.Item(id: $0, types: nil, attributes: nil, body: .string($0), context: .core)
    }
    let tenant = exchange.tenant
    let result = try await federation.batch(SourceBatch(.delete, items), exchange.origin) {
      [hub] parts throws(Problem) in
      try await hub.batchDelete(parts.map { ids[$0.index] }, in: tenant)
    }
    return answer(result, BatchResult(), exchange, successStatus: 204)
  }

  private func answer(
    _ result: FederatedBatchResult, _ unread: BatchResult, _ exchange: Exchange, successStatus: Int?
  ) -> APIResponse {
    var told = unread
    (told.created, told.updated) = (result.created, result.updated)
    var sources: [(id: String, problem: Problem, registration: String)] = []
    for failure in result.failures {
      if let registration = failure.registration {
        sources.append((failure.id, failure.problem, registration))
      } else {
        told.errors.append((failure.id, failure.problem))
      }
    }
    let status = successStatus ?? (told.created.isEmpty ? 204 : 201)
    return batchAnswer(told, successStatus: status, exchange, sources: sources)
  }
}

extension EntityFragment {
  /// Expanded names of its attributes.
  var names: Set<String> { Set(attributes.map(\.name)) }

  /// The fragment with these attributes only; `nil` keeps all.
  func keeping(_ names: Set<String>?) -> EntityFragment {
    guard let names else { return self }
    var fragment = self
    fragment.attributes.removeAll { !names.contains($0.name) }
    return fragment
  }
}

extension UpdateOutcome {
  /// - Throws: what was not updated, where an answer has no room to say it beside others.
  func throwRefusal() throws(Problem) {
    guard !notUpdated.isEmpty else { return }
    throw .badRequest(
      "not updated: " + notUpdated.prefix(20).map { "\($0.name) (\($0.reason))" }.joined(separator: ", "))
  }
}
