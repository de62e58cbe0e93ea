import Federation
import Hub
import NGSI
import NIOHTTP1
import Store

/// `/snapshots` (clauses 6.36 to 6.38).
extension API {
  func snapshots(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    let method = exchange.request.method
    guard let id = path.first else {
      if method == .POST { return try await createSnapshot(exchange) }
      if method == .DELETE { return try await purgeSnapshots(exchange) }
      throw Self.notAllowed(exchange)
    }
    guard path.count == 1 || path == [id, "clone"] else { throw Self.unknown(exchange.request.path) }
    guard IRI.isAbsolute(id) else { throw .badRequest("the id of a snapshot is a URI, found '\(id.prefix(100))'") }
    try exchange.takes(Parameters.none)
    switch (method, path.count) {
    case (.GET, 1): return try answer(try hub.snapshot(id, in: exchange.tenant), exchange)
    case (.PATCH, 1):
      let fragment = try Self.snapshotObject(try await exchange.body(mergePatch: true).json)
      return try answer(try await hub.updateSnapshot(id, with: fragment, in: exchange.tenant), exchange)
    case (.DELETE, 1):
      try await hub.deleteSnapshot(id, in: exchange.tenant)
      return .noContent
    case (.POST, 2):
      let object = try Self.snapshotObject(try await exchange.body().json)
      return created(try await hub.cloneSnapshot(id, as: object, in: exchange.tenant), exchange)
    default: throw Self.notAllowed(exchange)
    }
  }

  private static func snapshotObject(_ json: JSON) throws(Problem) -> JSONObject {
    guard case .object(let object) = json else { throw .badRequest("a Snapshot object is expected") }
    return object
  }

  private func createSnapshot(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    let (json, context) = try await exchange.body()
    let id = try await hub.createSnapshot(
      try Self.snapshotObject(json), context: context, in: exchange.tenant
    ) { document throws(Problem) in try federation.check(snapshot: document, context: context) }
    return created(id, exchange)
  }

  private func created(_ id: String, _ exchange: Exchange) -> APIResponse {
    var response = APIResponse(status: 201)
    response.headers[first: HeaderName.location] = "/ngsi-ld/v1/snapshots/" + PercentCoding.encode(id)
    exchange.echoTenant(&response)
    return response
  }

  private func purgeSnapshots(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.purgeSnapshots)
    guard let q = exchange.items["q"] else { throw .badRequest("a purge of snapshots needs 'q'") }
    try await hub.purgeSnapshots(q: q, in: exchange.tenant)
    return .noContent
  }

  private func answer(_ snapshot: Snapshot, _ exchange: Exchange) throws(Problem) -> APIResponse {
    let type = try exchange.accepted()
    var object = snapshot.shown
    if type == .jsonLD { object["@context"] = Context.core.embedded }
    return exchange.answer(JSONWriter.bytes(.object(object)), type: type, context: .core)
  }
}

extension Exchange {
  /// The same request, put to the snapshot that `NGSILD-Snapshot` names (clauses 5.5.15 and 6.3.22).
  ///
  /// - Throws: `ResourceNotFound`; `OperationNotSupported` where the resource has nothing to do with snapshots.
  func inSnapshot(_ collection: String) throws(Problem) -> Exchange {
    guard let id = snapshot else { return self }
    guard IRI.isAbsolute(id) else { throw .badRequest("'NGSILD-Snapshot' must be a URI") }
    guard Self.ofSnapshots.contains(collection) else {
      throw Problem(.operationNotSupported, "'\(collection)' does not apply to a snapshot")
    }
    var inner = self
    inner.tenant = try hub.space(ofSnapshot: id, in: tenant)
    return inner
  }

  /// The Core API and the Temporal API (table 4.3.5-1), and maps to page with.
  private static let ofSnapshots: Set<String> = [
    "entities", "entityOperations", "temporal", "subscriptions", "types", "attributes", "entityMaps",
  ]
}
