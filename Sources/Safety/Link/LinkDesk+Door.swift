import AgencyLink
import Hub
import HubHTTP
import NGSI
import Store

// The door where agencies log in and tell of events.
extension LinkDesk {
  /// Answers as the wire wants it: 200 with what was made of the message, whatever that is.
  public func answer(_ request: APIRequest) async -> APIResponse {
    guard request.method == .POST else {
      return APIResponse(
        status: 405, headers: ["Allow": "POST", "Content-Type": "text/plain"], body: Array("POST\n".utf8))
    }
    guard state.withLock({ $0.secrets != nil }) else {
      return APIResponse(
        status: 404, headers: ["Content-Type": "text/plain"], body: Array("no link is open here\n".utf8))
    }
    // A page in somebody's browser, whose address may be one of the agency's, is no agency.
    guard !request.headers.contains(name: "Origin"), !request.headers.contains(name: "Sec-Fetch-Site") else {
      return APIResponse(status: 403, headers: ["Content-Type": "text/plain"], body: Array("no browser\n".utf8))
    }
    let answer: Answer
    do throws(Refused) { answer = try await take(request) } catch {
      guard !error.isPassing else {
        return APIResponse(
          status: 503, headers: ["Content-Type": "text/plain", "Retry-After": "5"],
          body: Array((error.reason + "\n").utf8))
      }
      hub.noteRefused(
        RefusedInput(
          door: "link", source: request.remote ?? "", tenant: .default, problem: .badRequest(error.reason),
          sample: Self.sample(request)))
      answer = .failure(error.reason)
    }
    return APIResponse(status: 200, headers: ["Content-Type": "application/json"], body: answer.bytes)
  }

  /// The beginning of what came, without keys.
  private static func sample(_ request: APIRequest) -> String {
    let length = min(2_048, request.body.readableBytes)
    let text = String(
      decoding: request.body.getBytes(at: request.body.readerIndex, length: length) ?? [], as: UTF8.self)
    guard !text.contains("apiKey") else { return "" }
    return String(text.replacing(#/rrKey("?\s*[:=]\s*"?)[^"&,}]*/#) { "rrKey\($0.output.1)…" }.prefix(512))
  }

  private struct Refused: Error {
    var reason: String
    /// Whether it may be taken later: senders that are ours try again where no answer of the wire comes.
    var isPassing = false
  }

  private func take(_ request: APIRequest) async throws(Refused) -> Answer {
    let wire = WireRequest(
      headers: request.headers.map { WireRequest.Header($0.name, $0.value) },
      body: request.body.getBytes(at: request.body.readerIndex, length: request.body.readableBytes) ?? [])
    var bounds = Bounds()
    bounds.keepsDoubtful = true
    let message: Message
    do throws(MessageError) { message = try Message(reading: wire, bounds: bounds) } catch {
      throw Refused(reason: error.description)
    }
    let sender = message.envelope.sender
    let links = plan.links.links(of: sender)
    // One answer for who is not known and who comes from elsewhere.
    guard let first = links.first, let proof = first.proof, comes(request, by: proof) else {
      throw Refused(reason: "'sendCd' is not known here")
    }
    if case .authentication(let key) = message.body { return try logIn(sender, key) }
    if proof.key != nil {
      let secret = message.secret(of: wire)
      let holds = state.withLock { state in
        do throws(SessionRegister.Refusal) { try state.sessions.check(sender, secret: secret, at: hub.time) } catch {
          return false
        }
        return true
      }
      guard holds else { throw Refused(reason: "'rrKey' is the key of no session") }
    }
    let opened = try open(message, links, bounds)
    guard case .event(let body) = opened.body else { throw Refused(reason: "'body' cannot be read") }
    guard let link = plan.links.link(of: sender, event: body.event) else {
      throw Refused(reason: "'sendCd' is not known here")
    }
    if case .aria = link.wire.encryption, case .event = message.body {
      throw Refused(reason: MessageError("body", .encryption).description)
    }
    return try await take(body, by: link, from: request.remote)
  }

  /// Whether a request comes as the plan says that the agency comes.
  private func comes(_ request: APIRequest, by proof: ServiceLink.Proof) -> Bool {
    if !proof.addresses.isEmpty {
      guard let remote = request.remote, proof.addresses.contains(where: { $0.contains(remote) }) else { return false }
    }
    guard let device = proof.certificate else { return true }
    return request.peer?.id == device
  }

  private func logIn(_ sender: String, _ key: String) throws(Refused) -> Answer {
    let session = Self.sessionKey()
    let isIn = state.withLock { state in
      do throws(SessionRegister.Refusal) {
        try state.sessions.logIn(sender, apiKey: key, giving: session, at: hub.time)
      } catch { return false }
      return true
    }
    guard isIn else { throw Refused(reason: "'apiKey' is not the one that was agreed on") }
    return .success(session)
  }

  /// 256 bits of the system's randomness.
  private static func sessionKey() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<4).map { _ in
      let word = String(UInt64.random(in: .min ... .max, using: &generator), radix: 16)
      return String(repeating: "0", count: 16 - word.count) + word
    }.joined()
  }

  /// Decrypts with the keys that were agreed on with the agency: which service it is stands in the body.
  private func open(_ message: Message, _ links: [ServiceLink], _ bounds: Bounds) throws(Refused) -> Message {
    guard case .sealed = message.body else { return message }
    let secrets = state.withLock { $0.secrets }
    for link in links {
      guard case .aria(let encoding) = link.wire.encryption, let place = link.bodyKey, let key = try? secrets?(place),
        let cipher = try? BodyCipher(key: key, encoding: encoding),
        let opened = try? cipher.open(message, bounds: bounds)
      else { continue }
      return opened
    }
    throw Refused(reason: MessageError("body", .unreadable).description)
  }

  private func take(_ body: EventBody, by link: ServiceLink, from remote: String?) async throws(Refused) -> Answer {
    var caller = Caller(.adapter, id: LinkIntake.source(of: link))
    caller.agency = link.agency
    caller.produces = [Context.core.expand("Incident")]
    caller.source = remote
    let intake = LinkIntake(link: link, plan: plan, book: book, body: body)
    let (hub, turns) = (hub, turns)
    let result = await Caller.$current.withValue(caller) {
      await Result { () async throws(Problem) -> Answer in
        try await turns.take { () throws(Problem) in
          try await hub.transact(as: SafetyService.name, in: .default) { try intake.take(&$0) }
        }
      }
    }
    do throws(Problem) { return try result.get() } catch {
      // Nothing was kept of it.
      throw Refused(
        reason: "the city cannot take it now: \(error.detail)", isPassing: error.status >= 500 || error.status == 429)
    }
  }
}

extension Result {
  fileprivate init(_ body: () async throws(Failure) -> Success) async {
    do throws(Failure) { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
