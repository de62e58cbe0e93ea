import Hub
import NGSI
import NIOHTTP1
import Store

/// `/city/v1/grants`: exceptional access, as it is asked for, decided, ended and reviewed.
extension CityAPI {
  func grants(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    switch (exchange.request.method, path.first, path.dropFirst().first) {
    case (.GET, nil, _):
      try exchange.takes(Parameters.page.union(["status"]))
      let (selection, tenant) = (try selection(exchange), exchange.tenant)
      let found = try await hub.offLoop { hub throws(Problem) in try hub.grants(selection, in: tenant) }
      let (page, response) = try Self.window(found, exchange)
      return Self.json(.array(page.map(shown)), headersOf: response)
    case (.GET, let id?, nil):
      try exchange.takes(Parameters.none)
      return Self.json(shown(try hub.grant(id, in: exchange.tenant)))
    case (.POST, nil, _):
      try exchange.takes(Parameters.none)
      guard case .object(let body) = try Self.body(exchange) else { throw .badRequest("a grant is an object") }
      let grant = try await hub.requestGrant(body, in: exchange.tenant)
      var response = Self.json(shown(grant), status: 201)
      response.headers[first: HeaderName.location] = "/city/v1/grants/" + grant.id
      return response
    case (.POST, let id?, let step?):
      try exchange.takes(Parameters.none)
      return Self.json(shown(try await carryOut(step, id, exchange)))
    default: throw API.notAllowed(exchange)
    }
  }

  private func selection(_ exchange: Exchange) throws(Problem) -> GrantSelection {
    switch exchange.items["status"] {
    case nil: return .all
    case "unreviewed"?: return .unreviewed
    case let status?:
      let known = ["requested", "lapsed", "refused", "approved", "active", "ended", "revoked", "used"]
      guard known.contains(status) else {
        throw .badRequest("'status' is one of \((known + ["unreviewed"]).joined(separator: ", "))")
      }
      return .status(status)
    }
  }

  private func carryOut(_ step: String, _ id: String, _ exchange: Exchange) async throws(Problem) -> Grant {
    guard case .object(let body) = try Self.body(exchange) else { throw .badRequest("the body is an object") }
    if let other = body.members.first(where: { $0.key != "note" && $0.key != "justified" }) {
      throw .badRequest("there is no member '\(other.key.prefix(60))' here")
    }
    var note: String?
    if let given = body["note"] {
      guard let text = given.string, !text.isEmpty, text.utf8.count <= 1000 else {
        throw .badRequest("'note' is a text of at most 1000 bytes")
      }
      note = text
    }
    guard step == "review" || body["justified"] == nil else { throw .badRequest("only a review says 'justified'") }
    switch step {
    case "approve", "refuse":
      return try await hub.decideGrant(id, approves: step == "approve", note: note, in: exchange.tenant)
    case "revoke": return try await hub.revokeGrant(id, note: note, in: exchange.tenant)
    default:
      guard let isJustified = body["justified"]?.bool, let note else {
        throw .badRequest("a review says whether it was 'justified', and why in 'note'")
      }
      return try await hub.reviewGrant(id, isJustified: isJustified, note: note, in: exchange.tenant)
    }
  }

  private func shown(_ grant: Grant) -> JSON { .object(grant.shown(at: hub.time)) }
}
