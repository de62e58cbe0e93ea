import Federation
import Hub
import NGSI
import NIOHTTP1
import Store

/// The city's own resources beside NGSI-LD, below `/city/v1`. The tenant is named as in the API (`NGSILD-Tenant`).
///
/// - `GET|PUT validation`: `{"mode": "strict" | "warn" | "open"}`, what happens to entities that do not meet the data
///   model of their type.
/// - `GET|POST models`, `GET|PUT|DELETE models/{type IRI}`: data models.
/// - `GET schemas`, `GET|PUT|DELETE schemas/{URL}`: schemas that data models refer to by `$ref`.
/// - `GET|POST datasets`, `GET|PUT|DELETE datasets/{id}`: what the city gives out, with its quality.
/// - `GET|PUT catalogue`: all datasets in DCAT-AP 3.0, as JSON-LD or, by `Accept`, as Turtle.
/// - `GET|POST grants`, `GET grants/{id}`, `POST grants/{id}/approve|refuse|revoke|review`: leave for what one otherwise
///   may not.
/// - `GET|PUT rules`: `{"rules": "…"}`, rules of access beside those of the manifest, in the Cedar policy language.
/// - `POST ingest/{id}`: messages of other standards (``IngestDoor``).
/// - `GET adapters`, `GET adapters/{id}`: how the adapters fare that fetch or listen.
/// - `POST notifications/{token}`: what context sources tell of what this hub has subscribed to at them.
/// - `{service}/…`: what the city's services answer (``ServiceOperation``).
/// - `GET refusals`, `POST refusals/discard`: the verification history of refused input.
///
/// Bodies are `application/json`; another type would let any web page post here without being asked first.
public struct CityAPI: Sendable {
  let hub: Hub
  /// Who takes what sources notify; `nil` where none are asked.
  let federation: Federation?
  let doors: [String: IngestDoor]
  /// What the city's services answer.
  let services: ServiceOperations
  private let adapters: @Sendable () -> [JSON]

  /// - Parameters:
  ///   - federation: the hub with the context sources that are registered at it.
  ///   - doors: the ways in for messages of other standards.
  ///   - services: what the city's services answer, by their names.
  ///   - adapters: how each adapter fares that fetches or listens; an object with its `id`.
  public init(
    hub: Hub, federation: Federation? = nil, doors: [IngestDoor] = [], services: ServiceOperations = [:],
    adapters: @escaping @Sendable () -> [JSON] = { [] }
  ) {
    self.hub = hub
    self.federation = federation
    self.adapters = adapters
    self.services = services
    self.doors = Dictionary(doors.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Answers one request; its path is the one below `/city/v1`. Every failure becomes problem details.
  public func respond(to request: APIRequest) async -> APIResponse {
    var asked = request
    if request.method == .HEAD { asked.method = .GET }
    var response: APIResponse
    do throws(Problem) {
      let exchange = try Exchange(hub: hub, request: asked)
      let path = try API.segments(request.path)
      do { response = try await route(exchange, path.0, path.1) } catch  where error.kind == .methodNotAllowed {
        response = Exchange.problem(error)
        response.headers[first: HeaderName.allow] = methods(of: path.0, path.1)
      }
      exchange.echoTenant(&response)
    } catch { response = Exchange.problem(error) }
    if request.method == .HEAD { response.leaveOutBody() }
    return response
  }

  private func route(_ exchange: Exchange, _ collection: String, _ path: [String]) async throws(Problem) -> APIResponse
  {
    guard let allowed = methods(of: collection, path) else { throw API.unknown(exchange.request.path) }
    if exchange.request.method == .OPTIONS {
      var response = APIResponse.noContent
      response.headers[first: HeaderName.allow] = allowed
      return response
    }
    if let operations = services[collection] { return try await serve(exchange, operations, path) }
    switch collection {
    case "validation": return try await validation(exchange)
    case "models": return try await models(exchange, path.first)
    case "schemas": return try await schemas(exchange, path.first)
    case "ingest": return try await ingest(exchange, path[0])
    case "notifications": return try await notified(exchange, path[0])
    case "adapters": return try adapters(exchange, path.first)
    case "datasets": return try await datasets(exchange, path.first)
    case "catalogue": return try await catalogue(exchange)
    case "grants": return try await grants(exchange, path)
    case "rules": return try await rules(exchange)
    default: return try await refusals(exchange, path.first)
    }
  }

  private func methods(of collection: String, _ path: [String]) -> String? {
    services[collection].map { Self.methods($0, path) } ?? Self.methods(collection, path)
  }

  static func methods(_ collection: String, _ path: [String]) -> String? {
    switch (collection, path.count) {
    case ("validation", 0): "GET, HEAD, PUT, OPTIONS"
    case ("models", 0): "GET, HEAD, POST, OPTIONS"
    case ("models", 1): "GET, HEAD, PUT, DELETE, OPTIONS"
    case ("schemas", 0): "GET, HEAD, OPTIONS"
    case ("schemas", 1): "GET, HEAD, PUT, DELETE, OPTIONS"
    case ("ingest", 1), ("notifications", 1): "POST, OPTIONS"
    case ("adapters", 0...1): "GET, HEAD, OPTIONS"
    case ("datasets", 0): "GET, HEAD, POST, OPTIONS"
    case ("datasets", 1): "GET, HEAD, PUT, DELETE, OPTIONS"
    case ("catalogue", 0): "GET, HEAD, PUT, OPTIONS"
    case ("rules", 0): "GET, HEAD, PUT, OPTIONS"
    case ("grants", 0): "GET, HEAD, POST, OPTIONS"
    case ("grants", 1): "GET, HEAD, OPTIONS"
    case ("grants", 2) where ["approve", "refuse", "revoke", "review"].contains(path[1]): "POST, OPTIONS"
    case ("refusals", 0): "GET, HEAD, OPTIONS"
    case ("refusals", 1) where path == ["discard"]: "POST, OPTIONS"
    default: nil
    }
  }

  /// The body of a request that changes something.
  static func body(_ exchange: Exchange) throws(Problem) -> JSON {
    guard try exchange.contentType() == .json else {
      throw Problem(.unsupportedMediaType, "the body must be application/json")
    }
    return try exchange.json()
  }

  static func json(_ json: JSON, status: Int = 200) -> APIResponse {
    var response = APIResponse(status: status, body: JSONWriter.bytes(json))
    response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
    return response
  }

  /// The page of a list that is at hand.
  static func window<Item>(_ items: [Item], _ exchange: Exchange) throws(Problem) -> (
    items: ArraySlice<Item>, response: APIResponse
  ) {
    let (page, counts) = try exchange.page()
    var response = APIResponse(status: 200)
    if counts { response.headers[first: HeaderName.resultsCount] = String(items.count) }
    return (items.dropFirst(page.offset).prefix(page.limit), response)
  }
}

// MARK: - Rules of access

extension CityAPI {
  private func rules(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    switch exchange.request.method {
    case .GET: return Self.json(["rules": .string(try hub.addedRules())])
    case .PUT:
      guard case .object(let body) = try Self.body(exchange), body.members.map(\.key) == ["rules"],
        let text = body["rules"]?.string
      else { throw .badRequest("the body is {\"rules\": \"…\"}") }
      try await hub.setRules(text)
      return .noContent
    default: throw API.notAllowed(exchange)
    }
  }
}

// MARK: - Adapters

extension CityAPI {
  /// Adapters feed the default tenant; only it sees them.
  private func adapters(_ exchange: Exchange, _ id: String?) throws(Problem) -> APIResponse {
    guard exchange.request.method == .GET else { throw API.notAllowed(exchange) }
    try exchange.takes(Parameters.none)
    let all = exchange.tenant == .default ? adapters() : []
    guard let id else { return Self.json(.array(all)) }
    guard let one = all.first(where: { $0["id"]?.string == id }) else {
      throw .notFound("there is no adapter '\(id.prefix(60))' that fetches or listens")
    }
    return Self.json(one)
  }
}

// MARK: - Data models

extension CityAPI {
  private func validation(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    switch exchange.request.method {
    case .GET: return Self.json(["mode": .string(try hub.validationMode(in: exchange.tenant).rawValue)])
    case .PUT:
      guard case .object(let body) = try Self.body(exchange), body.count == 1,
        let mode = body["mode"]?.string.flatMap(ValidationMode.init(rawValue:))
      else { throw .badRequest(#"expected {"mode": "strict"}, "warn" or "open""#) }
      try await hub.setValidationMode(mode, in: exchange.tenant)
      return .noContent
    default: throw API.notAllowed(exchange)
    }
  }

  private func models(_ exchange: Exchange, _ type: String?) async throws(Problem) -> APIResponse {
    try exchange.takes(type == nil && exchange.request.method == .GET ? Parameters.page : Parameters.none)
    switch (exchange.request.method, type) {
    case (.GET, nil):
      var (entries, response) = try Self.window(try hub.dataModels(in: exchange.tenant), exchange)
      response.body = JSONWriter.bytes(.array(entries.map { $0.json(showsSchema: false) }))
      response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
      entries = []
      return response
    case (.POST, nil):
      let (type, isNew) = try await put(exchange)
      var response = APIResponse(status: isNew ? 201 : 204)
      response.headers[first: HeaderName.location] = "/city/v1/models/" + PercentCoding.encode(type)
      return response
    case (.GET, let type?):
      guard let entry = try hub.dataModels(in: exchange.tenant).first(where: { $0.type == type }) else {
        throw .notFound("there is no data model of \(type.prefix(200))")
      }
      return Self.json(entry.json(showsSchema: true))
    case (.PUT, let type?):
      let (put, isNew) = try await put(exchange, expected: type)
      var response = APIResponse(status: isNew ? 201 : 204)
      if isNew { response.headers[first: HeaderName.location] = "/city/v1/models/" + PercentCoding.encode(put) }
      return response
    case (.DELETE, let type?):
      try await hub.deleteDataModel(type, in: exchange.tenant)
      return .noContent
    default: throw API.notAllowed(exchange)
    }
  }

  private func put(_ exchange: Exchange, expected: String? = nil) async throws(Problem) -> (type: String, isNew: Bool) {
    guard case .object(let body) = try Self.body(exchange) else { throw .badRequest("a data model is an object") }
    if let expected {
      let context = try await hub.context(body["@context"] ?? .null)
      guard let name = body["type"]?.string, context.expand(name) == expected else {
        throw .badRequest("the body is about another type than the path")
      }
    }
    return try await hub.putDataModel(body, in: exchange.tenant)
  }

  private func schemas(_ exchange: Exchange, _ url: String?) async throws(Problem) -> APIResponse {
    try exchange.takes(url == nil ? Parameters.page : Parameters.none)
    switch (exchange.request.method, url) {
    case (.GET, nil):
      let all = try hub.modelSchemas(in: exchange.tenant)
      var (documents, response) = try Self.window(all, exchange)
      response.body = JSONWriter.bytes(
        .array(
          documents.map { ["url": .string($0.id), "title": .string($0.body["title"]?.string ?? "")] }))
      response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
      documents = []
      return response
    case (.GET, let url?):
      guard let document = try hub.modelSchemas(in: exchange.tenant).first(where: { $0.id == url }) else {
        throw .notFound("there is no schema \(url.prefix(200))")
      }
      return Self.json(document.body)
    case (.PUT, let url?):
      try await hub.putModelSchema(url, try Self.body(exchange), in: exchange.tenant)
      return .noContent
    case (.DELETE, let url?):
      try await hub.deleteModelSchema(url, in: exchange.tenant)
      return .noContent
    default: throw API.notAllowed(exchange)
    }
  }
}

extension ModelEntry {
  fileprivate func json(showsSchema: Bool) -> JSON {
    var shown = document
    if !showsSchema { shown["schema"] = nil }
    shown["id"] = .string(type)
    shown["modifiedAt"] = modifiedAt.map { .string($0.description) }
    shown["judged"] = .integer(Int64(judged))
    shown["failed"] = .integer(Int64(failed))
    shown["waitsFor"] = waitsFor.map(JSON.string)
    return .object(shown)
  }
}

// MARK: - Refused input

extension CityAPI {
  private func refusals(_ exchange: Exchange, _ action: String?) async throws(Problem) -> APIResponse {
    switch (exchange.request.method, action) {
    case (.GET, nil):
      try exchange.takes(Parameters.page.union(["door", "source", "problem"]))
      let (page, counts) = try exchange.page()
      let (lines, total) = try hub.refusedInput(
        door: exchange.items["door"], source: exchange.items["source"], problem: exchange.items["problem"],
        in: exchange.tenant, page: page)
      var response = Self.json(.array(lines.map(\.shown)))
      if counts { response.headers[first: HeaderName.resultsCount] = String(total) }
      return response
    case (.POST, "discard"?):
      try exchange.takes(Parameters.none)
      let expected = Problem.badRequest(#"expected {"ids": […]} or {"all": true}"#)
      guard case .object(let body) = try Self.body(exchange), body.count == 1 else { throw expected }
      if body["all"] == true { return Self.discarded(try hub.discardRefused(nil, in: exchange.tenant)) }
      guard let items = body["ids"]?.array, items.count <= hub.limits.batchEntities else { throw expected }
      let ids = items.compactMap(\.string)
      guard ids.count == items.count else { throw expected }
      return Self.discarded(try hub.discardRefused(ids, in: exchange.tenant))
    default: throw API.notAllowed(exchange)
    }
  }

  private static func discarded(_ count: Int) -> APIResponse { json(["discarded": .integer(Int64(count))]) }
}

extension Refusal {
  fileprivate var shown: JSON {
    [
      "id": .string(id), "door": .string(door), "source": .string(source), "problem": .string(problem),
      "detail": .string(detail), "count": .integer(Int64(count)), "firstAt": .string(firstAt.description),
      "lastAt": .string(lastAt.description), "entityIds": .array(entityIds.map(JSON.string)),
      "sample": .string(sample),
    ]
  }
}
