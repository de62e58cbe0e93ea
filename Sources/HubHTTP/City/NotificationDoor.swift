import Federation
import Hub
import NGSI
import NIOHTTP1

/// The door for what context sources notify: `POST /city/v1/notifications/{token}` (clauses 5.8.1.4 and 5.8.6).
///
/// Each subscription at a source has an address of its own, which only that source was told.
extension CityAPI {
  func notified(_ exchange: Exchange, _ token: String) async throws(Problem) -> APIResponse {
    guard exchange.request.method == .POST else { throw API.notAllowed(exchange) }
    try exchange.takes(Parameters.none)
    // A stranger costs no fetching of contexts.
    guard let federation, hub.sourceSubscription(token: token) != nil else {
      throw .notFound("nothing is to be notified here")
    }
    let (json, context) = try await exchange.body()
    try await federation.receive(json, context: context, token: token)
    // Clause 5.8.6 knows 200 as the only success.
    return APIResponse(status: 200)
  }
}
