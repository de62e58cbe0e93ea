import HTTPTypes
import Hub
import NGSI

/// The NGSI-LD API (ETSI GS CIM 009 v1.9.1, clause 6): requests in, answers out, apart from the server.
public struct API: Sendable {
  let hub: Hub

  public init(hub: Hub) { self.hub = hub }

  /// Answers one request; every failure becomes problem details.
  public func respond(to request: APIRequest) async -> APIResponse {
    do {
      let exchange = try Exchange(hub: hub, request: request)
      return try await route(exchange)
    } catch { return Exchange.problem(error) }
  }

  private func route(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    let request = exchange.request
    let segments = request.path.split(separator: "/", omittingEmptySubsequences: true)
    guard let collection = segments.first, segments.count <= 7 else { throw Self.unknown(request.path) }
    var decoded: [String] = []
    for segment in segments.dropFirst() { decoded.append(try PercentCoding.decode(segment, plusIsSpace: false)) }
    switch collection {
    case "entities": return try await entities(exchange, decoded)
    case "entityOperations": return try await entityOperations(exchange, decoded)
    case "temporal": return try await temporal(exchange, decoded)
    case "subscriptions": return try await subscriptions(exchange, decoded)
    case "types": return try await types(exchange, decoded)
    case "attributes": return try await attributes(exchange, decoded)
    case "info": return try info(exchange, decoded)
    default: throw Self.unknown(request.path)
    }
  }

  static func unknown(_ path: Substring) -> Problem { .notFound("there is no resource at '\(path.prefix(200))'") }

  static func notAllowed(_ exchange: Exchange) -> Problem {
    Problem(.methodNotAllowed, "\(exchange.request.method.rawValue) does not apply to '\(exchange.request.path.prefix(200))'")
  }

  /// `GET /info/sourceIdentity` (clause 6.37): who answers here.
  private func info(_ exchange: Exchange, _ path: [String]) throws(Problem) -> APIResponse {
    guard path == ["sourceIdentity"] else { throw Self.unknown(exchange.request.path) }
    guard exchange.request.method == .get else { throw Self.notAllowed(exchange) }
    var response = APIResponse(
      status: 200,
      body: JSONWriter.bytes([
        "id": "urn:ngsi-ld:ContextSourceIdentity:madang", "type": "ContextSourceIdentity",
        "contextSourceAlias": "madang", "contextSourceUptime": .string("PT\(hub.uptimeSeconds)S"),
        "contextSourceTimeAt": .string(hub.time.description),
      ]))
    response.headers[.contentType] = MediaType.json.rawValue
    return response
  }
}
