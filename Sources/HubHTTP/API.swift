import Federation
import Hub
import NIOHTTP1
import NGSI

/// The NGSI-LD API (ETSI GS CIM 009 v1.9.1, clause 6): requests in, answers out, apart from the server.
public struct API: Sendable {
  let federation: Federation
  var hub: Hub { federation.hub }

  public init(federation: Federation) { self.federation = federation }

  /// Answers one request; every failure becomes problem details.
  public func respond(to request: APIRequest) async -> APIResponse {
    let isHead = request.method == .HEAD
    var response = await answer(to: request, as: isHead ? .GET : request.method)
    Preference.tellWhereNothingChanges(request.headers, in: &response)
    if isHead { response.leaveOutBody() }
    if let snapshot = request.headers[first: HeaderName.snapshot] {
      response.headers[first: HeaderName.snapshot] = snapshot
    }
    return response
  }

  /// - Parameter method: the one that is carried out: `HEAD` is a `GET` whose body is left out.
  private func answer(to request: APIRequest, as method: HTTPMethod) async -> APIResponse {
    do throws(Problem) {
      let (collection, path) = try Self.segments(request.path)
      if method == .OPTIONS, let allowed = Self.methods(collection, path) {
        var response = APIResponse.noContent
        response.headers[first: HeaderName.allow] = allowed
        return response
      }
      var asked = request
      asked.method = method
      var exchange = try Exchange(hub: hub, request: asked).inSnapshot(collection)
      if federation.concerns(exchange.tenant) { exchange.share = federation.share() }
      defer { exchange.share?.close() }
      do { return try await routeNoting(exchange, collection, path) } catch  where error.kind == .methodNotAllowed {
        var response = Exchange.problem(error)
        response.headers[first: HeaderName.allow] = Self.methods(
          collection, Self.withoutLastSlash(method, collection, path))
        return response
      }
    } catch {
      noteRefused(request, error)
      return Exchange.problem(error)
    }
  }

  /// Answers, and says what a write did although it does not meet its data model.
  private func routeNoting(_ exchange: Exchange, _ collection: String, _ path: [String]) async throws(Problem)
    -> APIResponse
  {
    guard exchange.request.method != .GET, hub.mayWarn(in: exchange.tenant) else {
      return try await route(exchange, collection, path)
    }
    let notes = WriteNotes()
    let outcome: Result<APIResponse, Problem> = await WriteNotes.$current.withValue(notes) {
      do throws(Problem) { return .success(try await route(exchange, collection, path)) } catch {
        return .failure(error)
      }
    }
    var response = try outcome.get()
    for text in notes.texts { response.headers.add(name: HeaderName.warning, value: Self.warning(text)) }
    return response
  }

  /// A value of `NGSILD-Warning`, formed as those of clause 6.3.17: 299, who warns, and what of.
  private static func warning(_ text: String) -> String {
    var quoted = ""
    for scalar in text.unicodeScalars.prefix(600) {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case " "..."~": quoted.unicodeScalars.append(scalar)
      default: quoted += "?"
      }
    }
    return "299 madang \"\(quoted)\""
  }

  /// The answer to a retrieval of an entity whose context is at hand; `nil` for everything else.
  ///
  /// The most frequent request of all is thus answered without a task. It answers as ``respond(to:)`` does. What rules
  /// want recorded has to wait for that, and is not answered here.
  func respondAtOnce(to request: APIRequest) -> APIResponse? {
    let collection: StaticString = "entities/"
    guard request.method == .GET, request.path.utf8.begins(with: collection) else { return nil }
    let text = request.path.utf8
    let segment = request.path[text.index(text.startIndex, offsetBy: collection.utf8CodeUnitCount)...]
    guard !segment.isEmpty, !segment.utf8.has(UInt8(ascii: "/")) else { return nil }
    do {
      let id = try PercentCoding.decode(segment, plusIsSpace: false)
      let exchange = try Exchange(hub: hub, request: request)
      guard !federation.concerns(exchange.tenant), exchange.snapshot == nil, try !exchange.entityMapWish().isUsed,
        let context = try exchange.contextAtHand()
      else { return nil }
      guard hub.hasRules else { return try retrieveEntity(exchange, id, context) }
      let notes = AccessNotes()
      let answer = AccessNotes.$current.withValue(notes) {
        Result { () throws(Problem) in try retrieveEntity(exchange, id, context) }
      }
      return notes.isEmpty ? try answer.get() : nil
    } catch { return Exchange.problem(error) }
  }

  /// The collection and the decoded segments after it.
  static func segments(_ path: Substring) throws(Problem) -> (String, [String]) {
    let text = path.utf8
    var segments: [String] = []
    var start = text.startIndex
    while true {
      let end = text[start...].firstIndex(of: UInt8(ascii: "/")) ?? text.endIndex
      segments.append(try PercentCoding.decode(path[start..<end], plusIsSpace: false))
      guard end < text.endIndex, segments.count <= 8 else { break }
      start = text.index(after: end)
    }
    guard let collection = segments.first, !collection.isEmpty, segments.count <= 8 else { throw unknown(path) }
    segments.removeFirst()
    return (collection, segments)
  }

  private func route(_ exchange: Exchange, _ collection: String, _ path: [String]) async throws(Problem) -> APIResponse
  {
    let path = Self.withoutLastSlash(exchange.request.method, collection, path)
    switch collection {
    case "entities": return try await entities(exchange, path)
    case "entityOperations": return try await entityOperations(exchange, path)
    case "temporal": return try await temporal(exchange, path)
    case "subscriptions": return try await subscriptions(exchange, path)
    case "csourceSubscriptions": return try await subscriptions(exchange, path, about: .registrations)
    case "csourceRegistrations": return try await registrations(exchange, path)
    case "types": return try await types(exchange, path)
    case "attributes": return try await attributes(exchange, path)
    case "info": return try info(exchange, path)
    case "entityMaps": return try await entityMaps(exchange, path)
    case "snapshots": return try await snapshots(exchange, path)
    case "jsonldContexts": return try await jsonldContexts(exchange, path)
    default: throw Self.unknown(exchange.request.path)
    }
  }

  /// A slash at the end of a resource says nothing: clause 6 itself writes `/entities/` for `/entities`. A method that
  /// the resource does not have is then a wrong verb (405, clause 6.3.2). Only of `PUT` and `PATCH` of `/entities/` it
  /// is said that the id is missing (400, clauses 5.6.17.4 and 5.6.18.4): the official suite tells them apart.
  private static func withoutLastSlash(
    _ method: HTTPMethod, _ collection: String, _ path: [String]
  ) -> [String] {
    guard path.last == "" else { return path }
    if collection == "entities", path.count == 1, method == .PUT || method == .PATCH { return path }
    let shorter = Array(path.dropLast())
    return methods(collection, shorter) == nil ? path : shorter
  }

  /// What `Allow` names for a path (RFC 9110 section 10.2.1); `nil` where there is no such resource.
  static func methods(_ collection: String, _ path: [String]) -> String? {
    switch (collection, path.count) {
    case ("entities", 0): "GET, HEAD, POST, DELETE, OPTIONS"
    case ("entities", 1): "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"
    case ("entities", 2) where path[1] == "attrs": "POST, PATCH, OPTIONS"
    case ("entities", 3) where path[1] == "attrs": "PUT, PATCH, DELETE, OPTIONS"
    case ("entityOperations", 1) where batchOperations.contains(path[0]): "POST, OPTIONS"
    case ("temporal", 1) where path[0] == "entities": "GET, HEAD, POST, OPTIONS"
    case ("temporal", 2) where path == ["entityOperations", "query"]: "POST, OPTIONS"
    case ("temporal", 2) where path[0] == "entities": "GET, HEAD, DELETE, OPTIONS"
    case ("temporal", 3) where path[0] == "entities" && path[2] == "attrs": "POST, OPTIONS"
    case ("temporal", 4) where path[0] == "entities" && path[2] == "attrs": "DELETE, OPTIONS"
    case ("temporal", 5) where path[0] == "entities" && path[2] == "attrs": "PATCH, DELETE, OPTIONS"
    case ("subscriptions", 0), ("csourceSubscriptions", 0), ("csourceRegistrations", 0): "GET, HEAD, POST, OPTIONS"
    case ("subscriptions", 1), ("csourceSubscriptions", 1), ("csourceRegistrations", 1):
      "GET, HEAD, PATCH, DELETE, OPTIONS"
    case ("entityMaps", 0): "GET, HEAD, POST, OPTIONS"
    case ("entityMaps", 1): "GET, HEAD, PATCH, DELETE, OPTIONS"
    case ("snapshots", 0): "POST, DELETE, OPTIONS"
    case ("snapshots", 1): "GET, HEAD, PATCH, DELETE, OPTIONS"
    case ("snapshots", 2) where path[1] == "clone": "POST, OPTIONS"
    case ("temporal", 1) where path[0] == "entityMaps": "GET, HEAD, POST, OPTIONS"
    case ("types", 0...1), ("attributes", 0...1): "GET, HEAD, OPTIONS"
    case ("jsonldContexts", 0): "GET, HEAD, POST, OPTIONS"
    case ("jsonldContexts", 1): "GET, HEAD, DELETE, OPTIONS"
    case ("info", 1) where path == ["sourceIdentity"]: "GET, HEAD, OPTIONS"
    default: nil
    }
  }

  static func unknown(_ path: Substring) -> Problem { .notFound("there is no resource at '\(path.prefix(200))'") }

  static func notAllowed(_ exchange: Exchange) -> Problem {
    Problem(
      .methodNotAllowed,
      "\(exchange.request.method.rawValue) does not apply to '\(exchange.request.path.prefix(200))'")
  }

  /// `GET /info/sourceIdentity` (clause 6.33): who answers here.
  private func info(_ exchange: Exchange, _ path: [String]) throws(Problem) -> APIResponse {
    guard path == ["sourceIdentity"] else { throw Self.unknown(exchange.request.path) }
    guard exchange.request.method == .GET else { throw Self.notAllowed(exchange) }
    try exchange.takes(Parameters.none)
    var response = APIResponse(
      status: 200,
      body: JSONWriter.bytes([
        "id": .string("urn:ngsi-ld:ContextSourceIdentity:" + hub.alias(of: exchange.tenant)),
        "type": "ContextSourceIdentity",
        "contextSourceAlias": .string(hub.alias(of: exchange.tenant)),
        "contextSourceUptime": .string("PT\(hub.uptimeSeconds)S"),
        "contextSourceTimeAt": .string(hub.time.description),
      ]))
    response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
    return response
  }
}
