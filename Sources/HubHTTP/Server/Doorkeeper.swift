import Hub
import NGSI
import NIOHTTP1

/// Tells who asks.
public protocol Doorkeeper: Sendable {
  /// Who asks, as far as the request proves it; ``Caller/nobody`` where it does not try to.
  ///
  /// - Throws: `Unauthorized` when what it brings as proof is none.
  func caller(of request: APIRequest) throws(Problem) -> Caller

  /// Who asks, where what the request brings as proof was found good before, or it brings none: that costs next to
  /// nothing. `nil` for everyone else.
  ///
  /// - Parameter shown: what the connection's requests showed before; kept for its next one.
  func known(_ request: APIRequest, _ shown: inout ShownProof?) -> Caller?

  /// Makes ready what ``caller(of:)`` needs for this request and may have to be fetched.
  func prepare(for request: APIRequest) async
}

/// A proof that a connection has shown, and who was found to show it: most connections show the same again and again.
public struct ShownProof: Sendable {
  /// The header `Authorization`.
  public var header: String
  public var caller: Caller
  /// Whether it has neither run out nor been revoked since.
  public var holds: @Sendable () -> Bool

  public init(header: String, caller: Caller, holds: @escaping @Sendable () -> Bool) {
    self.header = header
    self.caller = caller
    self.holds = holds
  }
}

extension Doorkeeper {
  public func prepare(for request: APIRequest) async {}

  public func known(_ request: APIRequest, _ shown: inout ShownProof?) -> Caller? { try? caller(of: request) }
}

extension HubDoors {
  /// Answers a request as its caller. What rules want recorded of the answer is recorded before it leaves.
  func answer(_ request: APIRequest, keptBy keeper: any Doorkeeper, _ answer: () async -> APIResponse) async
    -> APIResponse
  {
    do throws(Problem) {
      var request = request
      let caller: Caller
      if let known = request.caller {
        caller = known
      } else {
        await keeper.prepare(for: request)
        do throws(Problem) { caller = try keeper.caller(of: request) } catch {
          limiter?.noteWrongProof(from: request.remote)
          throw error
        }
        if let refusal = count(caller, &request) { return refusal }
      }
      let notes = AccessNotes()
      let response = await Caller.$current.withValue(caller) {
        await AccessNotes.$current.withValue(notes) { await answer() }
      }
      try await hub.record(notes, failed: response.status >= 400)
      return telling(Self.challenging(response), request)
    } catch { return Self.challenging(Exchange.problem(error)) }
  }

  /// With the scheme by which a client may say who it is (RFC 6750 section 3).
  static func challenging(_ response: APIResponse) -> APIResponse {
    guard response.status == 401 else { return response }
    var response = response
    response.headers.replaceOrAdd(name: "WWW-Authenticate", value: "Bearer")
    return response
  }
}
