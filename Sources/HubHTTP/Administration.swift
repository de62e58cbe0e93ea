import Hub
import NGSI
import NIOHTTP1
import Store

/// The door for those who run the hub, below `/admin`: what the standard has no resource for.
///
/// - `GET dead-letters`: notifications that were given up, oldest first. Parameters `subscriptionId`, `limit`, `offset`,
///   `count`. Each has `id`, `subscriptionId`, `at`, `reason` and `data` (entities with expanded names).
/// - `POST dead-letters/resend`, `POST dead-letters/discard`: sends them again or takes them off the list. The body says
///   which: `{"ids": […]}`, `{"subscriptionId": "…"}` or `{"all": true}`. The answer is a BatchOperationResult
///   (clause 5.2.16): 200 with `success` when nothing stays, otherwise 207 with `errors`.
/// - `POST retention` with `{}`: removes at once what is older than datasets keep it, which is done every hour otherwise;
///   the answer says how much that was, of all tenants.
///
/// The tenant is named as in the API. It is open to whom the API is open to.
public struct Administration: Sendable {
  let hub: Hub

  public init(hub: Hub) { self.hub = hub }

  /// Answers one request; its path is the one below `/admin`. Every failure becomes problem details.
  public func respond(to request: APIRequest) async -> APIResponse {
    do throws(Problem) {
      let exchange = try Exchange(hub: hub, request: request)
      switch (request.path, request.method) {
      case ("dead-letters", .GET): return try list(exchange)
      case ("dead-letters/resend", .POST):
        return Self.answer(try await hub.resendDeadLetters(try selection(exchange), in: exchange.tenant))
      case ("dead-letters/discard", .POST):
        return Self.answer(try await hub.discardDeadLetters(try selection(exchange), in: exchange.tenant))
      case ("retention", .POST):
        try exchange.takes(Parameters.none)
        guard try exchange.contentType() == .json, try exchange.json() == [:] else {
          throw .badRequest("expected {} as application/json")
        }
        let removed = try await hub.carryOutRetention()
        return Self.json([
          "removedInstances": .integer(Int64(removed.instances)), "removedEntities": .integer(Int64(removed.entities)),
        ])
      case ("dead-letters", _), ("retention", _), ("dead-letters/resend", _), ("dead-letters/discard", _):
        var response = Exchange.problem(API.notAllowed(exchange))
        response.headers[first: HeaderName.allow] = request.path == "dead-letters" ? "GET" : "POST"
        return response
      default: throw API.unknown(request.path)
      }
    } catch { return Exchange.problem(error) }
  }

  private func list(_ exchange: Exchange) throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.page.union(["subscriptionId"]))
    let (page, counts) = try exchange.page()
    let (letters, total) = try hub.deadLetters(of: exchange.items["subscriptionId"], in: exchange.tenant, page: page)
    var response = Self.json(
      .array(
        letters.map { letter in
          [
            "id": .string(letter.id), "subscriptionId": .string(letter.subscriptionId),
            "at": letter.at.map { .string($0.description) } ?? .null, "reason": .string(letter.reason),
            "data": letter.data,
          ]
        }))
    if counts { response.headers[first: HeaderName.resultsCount] = String(total) }
    return response
  }

  private func selection(_ exchange: Exchange) throws(Problem) -> DeadLetterSelection {
    try exchange.takes(Parameters.none)
    // Another type would let any web page post here without being asked by the browser first.
    guard try exchange.contentType() == .json else {
      throw Problem(.unsupportedMediaType, "the body must be application/json")
    }
    let expected = Problem.badRequest(#"expected {"ids": […]}, {"subscriptionId": "…"} or {"all": true}"#)
    guard case .object(let object) = try exchange.json(), object.count == 1 else { throw expected }
    if object["all"] == true { return .all }
    if let id = object["subscriptionId"]?.string { return .subscription(id) }
    guard let items = object["ids"]?.array else { throw expected }
    guard items.count <= hub.limits.batchEntities else {
      throw Problem(.tooManyResults, "at most \(hub.limits.batchEntities) dead letters may be named at once")
    }
    let ids = items.compactMap(\.string)
    guard ids.count == items.count else { throw expected }
    return .ids(ids)
  }

  private static func answer(_ outcome: DeadLetterOutcome) -> APIResponse {
    var body = JSONObject()
    body["success"] = .array(outcome.done.map(JSON.string))
    if !outcome.kept.isEmpty {
      body["errors"] = .array(outcome.kept.map { ["id": .string($0.id), "error": $0.problem.json] })
    }
    return json(.object(body), status: outcome.kept.isEmpty ? 200 : 207)
  }

  private static func json(_ json: JSON, status: Int = 200) -> APIResponse {
    var response = APIResponse(status: status, body: JSONWriter.bytes(json))
    response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
    return response
  }
}
