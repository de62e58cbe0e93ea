import Hummingbird
import NGSI

/// `/oauth/sessions`: who is logged in at the pages, for administrators.
extension IdentityProvider {
  func sessions(_ request: Incoming) throws -> Response {
    let offset = request.parameters["offset"].flatMap(Int.init).map { max(0, $0) } ?? 0
    let limit =
      request.parameters["limit"].flatMap(Int.init).map { min(max(1, $0), Self.mostListed) } ?? Self.mostListed
    let now = now()
    let (shown, count) = try storage.read { reader in
      let page = try reader.documents(in: .sessions, offset: offset, limit: limit)
      let shown = try page.compactMap { id, body -> JSON? in
        guard var session = Session(id: id, body) else { return nil }
        session.lastSeen = max(session.lastSeen, activity[id] ?? 0)
        guard isAlive(session, at: now) else { return nil }
        let own = session.outside == nil ? try reader.person(session.person) : nil
        // A new password, or shutting the person out, has ended it.
        guard
          session.outside.map({ outside[$0.issuer]?.login != nil })
            ?? own.map({ !$0.isDisabled && $0.sessionEpoch == session.epoch }) ?? false
        else { return nil }
        return .object(
          JSONObject([
            "id": .string(id), "person": .string(session.person),
            "name": .string(session.outside?.name ?? own?.name ?? ""), "username": own.map { .string($0.username) },
            "issuer": .string(session.outside?.issuer ?? issuer), "startedAt": .integer(Int64(session.startedAt)),
            "lastSeen": .integer(Int64(session.lastSeen)), "endsAt": .integer(Int64(end(of: session))),
            "methods": JSON(session.methods),
          ]))
      }
      return (shown, try reader.count(in: .sessions))
    }
    return Reply.json(["sessions": .array(shown), "count": .integer(Int64(count))])
  }

  func endSession(_ id: String, _ request: Incoming, by administrator: Authenticated) async throws -> Response {
    guard let session = try storage.read({ try $0.document(id, in: .sessions) }).flatMap({ Session(id: id, $0) })
    else { return Reply.nothingHere }
    let isEnded = try await endSession(
      id, event(.sessionEnded, request, person: session.person, by: administrator))
    return isEnded ? Response(status: .noContent) : Reply.nothingHere
  }
}
