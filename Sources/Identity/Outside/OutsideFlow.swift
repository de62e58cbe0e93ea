import HTTPTypes
import Hummingbird
import NGSI

/// `/oauth/outside/{id}`: people log in to the city's pages at an outside provider (OpenID Connect Core 1.0 section 3.1).
///
/// Each provider has a redirect URI of its own, so that an answer of one is never taken for that of another
/// (RFC 9700 section 4.4.2).
extension IdentityProvider {
  /// Longest path that a login leads back to; it travels in an address.
  private static let longestBack = 1000
  private static let longestState = 8 << 10
  private static let longestCode = 4 << 10
  /// Longest ID token that is kept for logging out.
  private static let longestHint = 4 << 10

  private func provider(loggingIn id: String) -> (OutsideProvider, OutsideLogin)? {
    outside.values.lazy.compactMap { provider in
      provider.login.flatMap { $0.id == id ? (provider, $0) : nil }
    }.first
  }

  private func redirectURI(_ login: OutsideLogin) -> String { issuer + "/oauth/outside/" + login.id }

  // MARK: To the provider

  /// `/oauth/outside/{id}/login`: sends the browser to the provider.
  func beginOutside(_ request: Incoming, _ id: String) async throws -> Response {
    guard let (provider, login) = provider(loggingIn: id) else { return Reply.nothingHere }
    var back = Self.ownAddress(request.parameters["back"])
    if back.utf8.count > Self.longestBack { back = "/" }
    guard try present(inCookie: request.cookie) == nil else { return Reply.redirect(to: back) }
    // Only our own pages begin a login; who comes from elsewhere sees them first (Fetch Metadata).
    guard ["same-origin", "none"].contains(request.headers[.secFetchSite] ?? "none") else {
      return pages.login(request, back: back, username: "", problem: nil, self)
    }
    let metadata: OutsideMetadata
    do { metadata = try await provider.metadata(at: now()) } catch {
      return try await refuse(OutsideRefusal(.away, "its metadata cannot be had"), login, back, request)
    }
    guard let endpoint = metadata.authorization else {
      return try await refuse(OutsideRefusal(.notTaken, "it has no authorization endpoint"), login, back, request)
    }
    let known = Self.cookie(visitCookie, in: request.cookie)
    let visit = known ?? Secret.make()
    let ticket = OutsideTicket(provider: id, back: back, expiresAt: now() + settings.loginLifetime)
    let state = try keys.seal(JSONWriter.bytes(ticket.json), for: "outside " + visit)
    let scopes = [Scopes.openid] + login.scopes.filter { $0 != Scopes.openid }
    let query = Form.encode([
      "response_type": "code", "client_id": login.client, "redirect_uri": redirectURI(login),
      "scope": scopes.joined(separator: " "), "state": state, "nonce": ticket.nonce,
      "code_challenge": Secret.hash(ticket.verifier), "code_challenge_method": "S256",
      "ui_locales": IdentityPages.language(of: request),
    ])
    var response = Reply.redirect(to: endpoint + (endpoint.contains("?") ? "&" : "?") + query)
    if known == nil { response.headers[values: .setCookie].append(setCookie(visitCookie, visit, seconds: nil)) }
    return response
  }

  // MARK: Back from it

  /// `/oauth/outside/{id}`: the browser comes back with a code or an error.
  func returnFromOutside(_ request: Incoming, _ id: String) async throws -> Response {
    guard let (provider, login) = provider(loggingIn: id) else { return Reply.nothingHere }
    guard let visit = Self.cookie(visitCookie, in: request.cookie), let state = request.parameters["state"],
      let ticket = openOutside(state, visit), ticket.provider == id
    else {
      return try await refuse(
        OutsideRefusal(.stale, "its answer belongs to no login of this browser"), login, "/", request)
    }
    // A bucket of its own, and after the state: what other pages make a browser ask for keeps nobody from logging in.
    let buckets = [(key: "outside-source:" + request.source, rule: Attempts.source)]
    if let wait = attempts.take(buckets, at: now()) {
      try await tell(event(.loginHeldBack, request, detail: login.id))
      return pages.login(
        request, back: "/", username: "", problem: "tooManyAttempts", retryAfter: wait, about: login, self)
    }
    let proven: ProvenOutside
    do throws(OutsideRefusal) { proven = try await prove(request.parameters, ticket, provider, login) } catch {
      return try await refuse(error, login, ticket.back, request)
    }
    attempts.giveBack(buckets, at: now())
    return try await enter(proven, login, back: ticket.back, request)
  }

  private func openOutside(_ text: String, _ visit: String) -> OutsideTicket? {
    guard text.utf8.count <= Self.longestState, let bytes = keys.open(text, for: "outside " + visit),
      let json = try? JSONParser.parse(bytes), let ticket = OutsideTicket(json), ticket.expiresAt > now()
    else { return nil }
    return ticket
  }

  /// Who the person is, by what came back to this login. The answer is used up when the provider has spoken for somebody:
  /// what is made up takes no room, and a code that the provider took once is taken by it no more.
  private func prove(
    _ answer: Form, _ ticket: OutsideTicket, _ provider: OutsideProvider, _ login: OutsideLogin
  ) async throws(OutsideRefusal) -> ProvenOutside {
    guard answer.repeated == nil else { throw OutsideRefusal(.unbelieved, "its answer says something twice") }
    let metadata: OutsideMetadata
    do { metadata = try await provider.metadata(at: now()) } catch {
      throw OutsideRefusal(.away, "its metadata cannot be had")
    }
    // RFC 9207 section 2.4: nothing of an answer counts before it is known whose it is.
    let named = answer["iss"]
    guard named == provider.issuer || named == nil && !metadata.namesItself else {
      throw OutsideRefusal(.unbelieved, "its answer names another issuer, or none")
    }
    if let error = answer["error"] { throw OutsideRefusal(code: error) }
    guard let code = answer["code"], code.utf8.count <= Self.longestCode else {
      throw OutsideRefusal(.unbelieved, "its answer has no code")
    }
    let once = ["state " + ticket.nonce, "code " + provider.issuer + " " + code].map(Secret.hash)
    guard try !wasUsed(once) else { throw OutsideRefusal(.stale, "its answer was used before") }
    let proven = try await provider.prove(
      code: code, ticket, login, metadata, redirectURI: redirectURI(login), at: now(), skew: settings.clockSkew,
      longestAge: settings.loginLifetime)
    try await useUp(once)
    return proven
  }

  private func wasUsed(_ ids: [String]) throws(OutsideRefusal) -> Bool {
    do {
      return try storage.read { reader in
        for id in ids where try reader.document(id, in: .outsideUsed) != nil { return true }
        return false
      }
    } catch { throw OutsideRefusal(.away, "the city cannot read what was used") }
  }

  /// Remembers what may be used once: of several that come at the same moment one is first.
  ///
  /// - Throws: when one of it was used before.
  private func useUp(_ ids: [String]) async throws(OutsideRefusal) {
    let most = settings.mostOutsideLogins
    // As long as a state is good; a code that is shown later comes with another one.
    let until = now() + 2 * settings.loginLifetime
    enum Outcome: Sendable { case first, again, noRoom }
    let outcome = try? await storage.write { writer -> Outcome in
      guard try writer.count(in: .outsideUsed) < most else { return .noRoom }
      for id in ids {
        guard try writer.document(id, in: .outsideUsed) == nil else { return .again }
      }
      for id in ids { try writer.put(["until": .integer(Int64(until))], id: id, in: .outsideUsed) }
      return .first
    }
    switch outcome {
    case .first: return
    case .again: throw OutsideRefusal(.stale, "its answer was used before")
    case .noRoom, nil: throw OutsideRefusal(.away, "the city cannot remember another answer now")
    }
  }

  /// Begins a session of somebody whom a provider speaks for. No account is made of him.
  private func enter(
    _ proven: ProvenOutside, _ login: OutsideLogin, back: String, _ request: Incoming
  ) async throws -> Response {
    let old = try present(inCookie: request.cookie)
    let event = event(
      .loggedIn, request, person: proven.person.account,
      detail: ([login.id] + proven.methods).joined(separator: " "))
    let (now, keys) = (now(), keys)
    let lifetime = min(login.sessionLifetime, settings.sessionLifetime)
    let cookie = try await beginSession(replacing: old?.session, event) { id in
      let hint =
        proven.idToken.utf8.count <= Self.longestHint
        ? try keys.seal(Array(proven.idToken.utf8), for: "outside id " + id) : nil
      return Session(
        id: id, outside: proven.person, at: now, methods: proven.methods, lifetime: lifetime, sealedIDToken: hint)
    }
    var response = Reply.redirect(to: back)
    response.headers[values: .setCookie].append(setCookie(sessionCookie, cookie, seconds: nil))
    return response
  }

  /// The login page with a sentence of what went wrong: the city's own login works on.
  private func refuse(
    _ refusal: OutsideRefusal, _ login: OutsideLogin, _ back: String, _ request: Incoming
  ) async throws -> Response {
    attempts.countFailure()
    try await tell(event(.loginFailed, request, detail: login.id + ": " + refusal.reason))
    return pages.login(request, back: back, username: "", problem: refusal.kind.rawValue, about: login, self)
  }

  // MARK: Logging out there

  /// Where the browser goes to end its session at the provider, too (RP-Initiated Logout 1.0 section 2); `nil` for the
  /// city's own people, and where the provider has no such place.
  func logoutAddress(of open: PresentSession) async -> String? {
    guard case .outside(let open) = open, let provider = outside[open.person.issuer], let login = provider.login else {
      return nil
    }
    var metadata = provider.knownMetadata
    if metadata == nil { metadata = try? await provider.metadata(at: now()) }
    guard let endpoint = metadata?.endSession else { return nil }
    let hint = open.session.sealedIDToken.flatMap { keys.open($0, for: "outside id " + open.session.id) }
    return endpoint + (endpoint.contains("?") ? "&" : "?")
      + Form.encode([
        "id_token_hint": hint.map { String(decoding: $0, as: UTF8.self) }, "client_id": login.client,
        "post_logout_redirect_uri": issuer + "/oauth/login",
      ])
  }

  // MARK: For the provider

  /// `/oauth/outside/{id}/jwks`: the public key by which the city shows itself there.
  func clientKeys(_ id: String) -> Response {
    guard let (_, login) = provider(loggingIn: id), case .key(let key) = login.authentication else {
      return Reply.nothingHere
    }
    return Reply.json(key.jwks, cache: "public, max-age=300")
  }
}
