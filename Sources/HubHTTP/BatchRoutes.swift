import Federation
import Hub
import NIOHTTP1
import NGSI
import Query
import Store

/// `/entityOperations` (clauses 6.14 to 6.18, 6.23, 6.31).
extension API {
  static let batchOperations = ["create", "upsert", "update", "delete", "merge", "query"]

  func entityOperations(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    guard path.count == 1 else { throw Self.unknown(exchange.request.path) }
    guard Self.batchOperations.contains(path[0]) else { throw Self.unknown(exchange.request.path) }
    guard exchange.request.method == .POST else { throw Self.notAllowed(exchange) }
    try exchange.takes(path[0] == "query" ? Parameters.postQuery : Parameters.form)
    switch path[0] {
    case "create":
      return try await batch(.create, .create, try await items(exchange), exchange, successStatus: 201)
    case "upsert":
      let updates = try exchange.options(["update", "replace"]).contains("update")
      return try await batch(
        updates ? .upsertUpdate : .upsertReplace, .upsert(updates: updates), try await items(exchange), exchange)
    case "update":
      let keeps = try exchange.options(["noOverwrite", "overwrite"]).contains("noOverwrite")
      return try await batch(
        keeps ? .updateKeeping : .update, .update(overwrites: !keeps), try await items(exchange, rules: .null), exchange
      )
    case "merge":
      return try await batch(.merge, .merge, try await items(exchange, rules: .null), exchange)
    case "delete": return try await batchDelete(exchange)
    default: return try await postQuery(exchange)
    }
  }

  /// Carries out a batch here, or here and at sources.
  ///
  /// - Parameter successStatus: where all went well; `nil` is 201 when an entity was created, else 204.
  private func batch(
    _ operation: BatchOperation, _ kind: SourceBatch.Kind, _ items: Items, _ exchange: Exchange,
    successStatus: Int? = nil
  ) async throws(Problem) -> APIResponse {
    guard try asksSources(exchange) else {
      let result = try await hub.batch(operation, items.items, in: exchange.tenant)
      return batchAnswer(result, successStatus: successStatus ?? (result.created.isEmpty ? 204 : 201), exchange)
    }
    return try await batchAtSources(operation, kind, items, exchange, successStatus: successStatus)
  }

  /// The entities of a batch, with what they came as where they may be sent on.
  struct Items: Sendable {
    var items: [BatchItem] = []
    var bodies: [(json: JSON, context: Context)] = []
  }

  /// The entities of the body, each read with its own context; what cannot be read keeps its place with its problem.
  private func items(_ exchange: Exchange, rules: EntityReader.Rules = []) async throws(Problem) -> Items {
    let type = try exchange.contentType()
    let link = try exchange.linkedContext()
    guard type != .jsonLD || link == nil else { throw Exchange.twoContexts }
    guard case .array(let array) = try exchange.json() else { throw .badRequest("an array of entities is expected") }
    guard !array.isEmpty else { throw .badRequest("the array of entities is empty") }
    guard array.count <= hub.limits.batchEntities else {
      throw Problem(.payloadTooLarge, "a batch may have at most \(hub.limits.batchEntities) entities")
    }
    guard !array.contains(.null) else { throw .badRequest("the array of entities holds null") }
    let keepsBodies = try asksSources(exchange)
    var read = Items()
    read.items.reserveCapacity(array.count)
    var lastSource: JSON?
    var context = Context.core
    var reader = EntityReader(context: .identity)
    for json in array {
      do throws(Problem) {
        let source = try exchange.contextSource(of: json, type: type, link: link)
        if source != lastSource {
          context = try await hub.context(source)
          reader = EntityReader(context: context, rules: rules)
          lastSource = source
        }
        let fragment = try reader.entity(json)
        guard let id = fragment.id else { throw .badRequest("the entity has no 'id'") }
        read.items.append(BatchItem(id: id, content: .success(fragment)))
      } catch {
        read.items.append(BatchItem(id: json["id"]?.string ?? "", content: .failure(error)))
      }
      if keepsBodies { read.bodies.append((json.withoutContext, context)) }
    }
    return read
  }

  private func batchDelete(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    _ = try exchange.contentType()
    guard case .array(let array) = try exchange.json() else { throw .badRequest("an array of entity ids is expected") }
    guard !array.isEmpty, array.count <= hub.limits.batchEntities else {
      throw .badRequest("1 to \(hub.limits.batchEntities) entity ids are expected")
    }
    var ids: [String] = []
    for item in array {
      // Clients also send the entities themselves.
      guard let id = item.string ?? item["id"]?.string else { throw .badRequest("an array of entity ids is expected") }
      ids.append(id)
    }
    guard try asksSources(exchange) else {
      return batchAnswer(try await hub.batchDelete(ids, in: exchange.tenant), successStatus: 204, exchange)
    }
    return try await batchDeleteAtSources(ids, exchange)
  }

  /// The success status, or 207 with a BatchOperationResult (clause 5.2.16).
  ///
  /// - Parameter sources: further failures, with the registration at whose source they happened.
  func batchAnswer(
    _ result: BatchResult, successStatus: Int, _ exchange: Exchange? = nil,
    sources: [(id: String, problem: Problem, registration: String)] = []
  ) -> APIResponse {
    var response: APIResponse
    if result.errors.isEmpty, sources.isEmpty {
      response = APIResponse(status: successStatus)
      if successStatus == 201 {
        response.body = JSONWriter.bytes(.array(result.created.map(JSON.string)))
        response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
      }
    } else {
      if let exchange { noteRefused(result.errors, exchange.request, in: exchange.tenant) }
      var errors = result.errors.map { entry -> JSON in
        ["entityId": .string(entry.id), "error": entry.problem.json]
      }
      errors += sources.map { entry -> JSON in
        [
          "entityId": .string(entry.id), "error": entry.problem.json, "registrationId": .string(entry.registration),
        ]
      }
      let success = (result.created + result.updated).map(JSON.string)
      response = APIResponse(
        status: 207, body: JSONWriter.bytes(["success": .array(success), "errors": .array(errors)]))
      response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
    }
    exchange?.echoTenant(&response)
    return response
  }

  // MARK: Query by POST (clause 6.23)

  private func postQuery(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let (json, given) = try await exchange.body()
    let context = try await exchange.linkable(given)
    let object = try Self.queryObject(json)
    var presenter = try Presenter(exchange, context: context)
    let (query, isLocal) = try federatedQuery(object, exchange, &presenter, context)
    let wish = try exchange.entityMapWish(object)
    if wish.isUsed { return try await answer(query, over: wish, presenter, exchange, isLocal: isLocal) }
    if isLocal { return try await answer(query.entities, presenter, exchange) }
    return try await answerFromSources(query, presenter, exchange)
  }

  static func queryObject(_ json: JSON) throws(Problem) -> JSONObject {
    guard case .object(let object) = json else { throw .badRequest("a Query object is expected") }
    guard object["type"]?.string == "Query" else { throw .badRequest("'type' must be \"Query\"") }
    return object
  }

  /// What a Query object asks for, and whether it asks it of the hub alone.
  func federatedQuery(
    _ object: JSONObject, _ exchange: Exchange, _ presenter: inout Presenter, _ context: Context
  ) throws(Problem) -> (query: FederatedQuery, isLocal: Bool) {
    var query = FederatedQuery(
      try EntityQuery(queryObject: object, context: context), .object(object), context: context)
    try presenter.read(object, context)
    guard try asksSources(exchange), object["local"] != .bool(true) else { return (query, true) }
    try Self.refuseOrder(query.entities)
    query.datasetIds = presenter.datasetIds
    if let csf = object["csf"]?.string { query.sourceFilter = try Filter(q: csf, context: context) }
    query.splits = object["splitEntities"]?.bool
    return (query, false)
  }
}

extension Presenter {
  /// Members of a Query object that shape the answer (clause 5.2.23).
  mutating func read(_ object: JSONObject, _ context: Context) throws(Problem) {
    attributes = (object["attrs"]?.items ?? []).compactMap(\.string).map { context.expand($0) }
    if let pick = object["pick"] { projecting.pick = try Projection(json: pick, subject: "pick", context: context) }
    if let omit = object["omit"] { projecting.omit = try Projection(json: omit, subject: "omit", context: context) }
    if let lang = object["lang"]?.string { representation.languages = try Self.languages(lang) }
    if let ids = object["datasetId"] { datasetIds = ids.items.compactMap(\.string) }
    switch object["join"]?.string {
    case "flat": join = .flat
    case "inline": join = .inline
    default: break
    }
    if let ids = object["containedBy"] { contained = try Self.contained(ids.items.compactMap(\.string)) }
    if let level = object["joinLevel"] {
      guard let number = level.integer, (1...Int64(Limits().joinLevel)).contains(number) else {
        throw .badRequest("'joinLevel' must be a whole number from 1 to \(Limits().joinLevel)")
      }
      joinLevel = Int(number)
    }
    try check()
  }
}
