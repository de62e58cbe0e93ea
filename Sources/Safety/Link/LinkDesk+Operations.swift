import AgencyLink
import Hub
import HubHTTP
import NGSI
import Store

// What is shown of the links, and what people decide about messages that a far side refused.
extension LinkDesk {
  /// Each link with how it fares and how it is used, in the order of the plan; for pages of the operations centre.
  ///
  /// - Throws: what reading throws.
  public func overview() throws(Problem) -> [JSON] {
    var lines: [JSON] = []
    for link in plan.links.links { lines.append(try overview(of: link)) }
    return lines
  }

  var operations: [ServiceOperation] {
    [
      ServiceOperation(.get, "links", "The linked services: how each fares and is used", isList: true) {
        [self] call throws(Problem) in
        try hub.permitWatching()
        let lines = try overview()
        return ServiceOperation.Answer(
          .array(Array(lines.dropFirst(call.page.offset).prefix(call.page.limit))), total: lines.count)
      },
      ServiceOperation(.get, "links/{link}", "A linked service with the messages that wait or were refused") {
        [self] call throws(Problem) in
        try hub.permitWatching()
        let link = try link(call)
        guard case .object(var shown) = try overview(of: link) else { return ServiceOperation.Answer() }
        shown["messages"] = .array(try messages(of: link))
        return ServiceOperation.Answer(.object(shown))
      },
      ServiceOperation(
        .post, "links/{link}/messages/{message}", "Decides about a message that the far side refused",
        body: [
          "type": "object", "required": ["decision", "reason"],
          "properties": [
            "decision": ["type": "string", "enum": .array(LinkDecision.allCases.map { .string($0.rawValue) })],
            "reason": ["type": "string", "minLength": 1, "maxLength": 1000],
          ],
        ], statuses: [204]
      ) { [self] call throws(Problem) in
        let link = try link(call)
        guard let decision = call.body["decision"]?.string.flatMap(LinkDecision.init(rawValue:)) else {
          throw .badRequest("'decision' is one of retry, discard")
        }
        guard let reason = call.body["reason"]?.string?.bounded(to: 1_000), !reason.isEmpty else {
          throw .badRequest("'reason' is missing")
        }
        guard let runner = state.withLock({ $0.runners[link.id] }) else {
          throw Problem(.unavailable, "the link '\(link.id)' sends nothing")
        }
        try await runner.decide(call.names["message"] ?? "", decision, because: reason)
        return ServiceOperation.Answer(status: 204)
      },
    ]
  }

  private func link(_ call: ServiceOperation.Call) throws(Problem) -> ServiceLink {
    // The agencies are those of the city, not of its tenants.
    guard call.tenant == .default, let link = plan.links[call.names["link"] ?? ""] else {
      throw .notFound("there is no link '\((call.names["link"] ?? "").prefix(60))'")
    }
    return link
  }

  private func overview(of link: ServiceLink) throws(Problem) -> JSON {
    let fare = fare(of: link.id)
    let kept = try hub.document(of: SafetyService.name, link.id, in: LinkShelf.usage, of: .default)
    var usage = Usage(kept: kept ?? [:])
    for (act, times) in state.withLock({ $0.uncounted[link.id] }) ?? [:] {
      usage.count(act, times: times, at: hub.time)
    }
    func text(_ time: DateTime?) -> JSON? { time.map { .string($0.description) } }
    return .object(
      JSONObject(of: [
        "id": .string(link.id),
        "name": .object(
          JSONObject(
            uniqueMembers: link.wire.names.sorted { $0.key < $1.key }.map {
              .init(key: $0.key, value: .string($0.value))
            })),
        "party": .string(link.agency), "agency": .string(link.wire.agency), "exercise": .bool(link.isExercise),
        "peer": link.peer.map(JSON.string), "takes": .bool(link.proof != nil),
        "encrypted": .bool(link.wire.encryption != .none),
        "events": .object(
          JSONObject(
            uniqueMembers: link.events.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string($0.value)) })),
        "state": .string(Self.state(link, fare, usage)), "session": .bool(fare.hasSession),
        "failingSince": text(fare.failingSince), "lastFailure": fare.lastFailure.map(JSON.string),
        "lastTaken": text(fare.lastTaken), "waiting": .integer(Int64(fare.waiting)), "waitingSince": text(fare.oldest),
        "setAside": .integer(Int64(fare.setAside)), "unfit": .integer(Int64(fare.unfit)),
        "answeredIn": fare.answeredIn, "usage": usage.json, "lastUse": text(usage.lastUse),
        "used": [
          "today": .integer(Int64(usage.uses(inDays: 1, until: hub.time))),
          "week": .integer(Int64(usage.uses(inDays: 7, until: hub.time))),
          "month": .integer(Int64(usage.uses(inDays: 30, until: hub.time))),
        ],
      ]))
  }

  /// One word: `refused` where a person has to decide, `failing` where the far side does not answer as it should,
  /// `unused` where nothing ever went over it, `ok` otherwise.
  private static func state(_ link: ServiceLink, _ fare: LinkFare, _ usage: Usage) -> String {
    if fare.setAside + fare.unfit > 0 { return "refused" }
    if fare.failingSince != nil { return "failing" }
    return usage.lastUse == nil ? "unused" : "ok"
  }

  /// The first hundred that wait or were set aside, of incidents that the caller may see whole.
  private func messages(of link: ServiceLink) throws(Problem) -> [JSON] {
    let kept = try hub.documents(of: SafetyService.name, in: LinkShelf.outbox(of: link.id), limit: 100, of: .default)
    var shown: [JSON] = []
    for (serial, body) in kept {
      let incident = body["incident"]?.string ?? ""
      guard (try? hub.entity(incident, in: .default)) != nil else { continue }
      shown.append(
        .object(
          JSONObject(of: [
            "id": .string(serial), "incident": .string(incident), "exercise": body["exercise"],
            "event": body["body"]?["evtId"], "number": body["body"]?["ocrNbr"], "status": body["body"]?["ocrSts"],
            "refused": body["setAside"],
          ])))
    }
    return shown
  }
}
