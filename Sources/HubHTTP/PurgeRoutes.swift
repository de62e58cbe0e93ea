import Federation
import Hub
import NGSI
import NIOHTTP1
import Query
import Store

extension API {
  /// `DELETE /entities` (clause 6.4.3.3): all entities that a query selects, or some of their attributes.
  func purgeEntities(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.purge)
    let context = try await exchange.context()
    let query = try exchange.entityQuery(context, readsAttributes: false)
    var keep: [String] = []
    var drop: [String] = []
    for name in try exchange.items.list("keep") ?? [] { keep.append(try exchange.attributeName(name, context)) }
    for name in try exchange.items.list("drop") ?? [] { drop.append(try exchange.attributeName(name, context)) }
    guard keep.isEmpty || drop.isEmpty else { throw .badRequest("'keep' and 'drop' exclude each other") }
    let isNarrowed =
      query.types != nil || query.filter != nil || query.geo != nil || query.scope != nil || !query.ids.isEmpty
      || query.idPattern != nil || !keep.isEmpty || !drop.isEmpty
    let isLocal = try exchange.items.flag("local")
    guard isNarrowed || isLocal else {
      throw .badRequest(
        "a purge needs at least one of type, id, idPattern, q, georel, scopeQ, keep, drop or local=true")
    }
    let map = try await mapToPurge(query, exchange)
    func told(_ response: APIResponse) -> APIResponse {
      var response = response
      if let map { exchange.tell(map, isNew: false, in: &response) }
      return response
    }
    let own = map.map(query.within) ?? query
    guard try asksSources(exchange) else {
      let result = try await hub.purge(own, keep: keep, drop: drop, in: exchange.tenant)
      return told(result.errors.isEmpty ? .noContent : batchAnswer(result, successStatus: 204))
    }
    let (kept, dropped) = (keep, drop)
    let outcome = try await federation.purge(
      FederatedQuery(query, .parameters(exchange.items.items), context: context), over: map, exchange.origin
    ) { [hub] () throws(Problem) in
      var outcome = WriteOutcome()
      let result = try await hub.purge(own, keep: kept, drop: dropped, in: exchange.tenant)
      outcome.hasSuccess = result.errors.isEmpty
      outcome.failures = result.errors.map { .init(problem: $0.problem, registration: nil) }
      return outcome
    }
    return told(try answer(outcome, "", exchange, success: .noContent))
  }

  /// The map whose entities alone are to be purged (table 6.4.3.3-2).
  ///
  /// - Throws: `ResourceNotFound` when there is none: then more would be purged than the client has seen.
  private func mapToPurge(_ query: EntityQuery, _ exchange: Exchange) async throws(Problem) -> EntityMap? {
    guard let id = try exchange.entityMapWish().reference else { return nil }
    let map = try await hub.offLoop { hub throws(Problem) in try hub.entityMap(id, in: exchange.tenant) }
    try map.requireUse(for: .entities, query)
    return map
  }
}
