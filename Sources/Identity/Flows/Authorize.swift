import Hummingbird
import NGSI

/// What a client asks of a person through the browser (RFC 6749 section 4.1.1), checked.
struct AuthorizationRequest: Sendable {
  let client: Client
  let redirectURI: String
  let state: String?
  let scopes: [String]
  let resources: [String]
  let challenge: String
  let nonce: String?
  let prompt: Set<String>
  /// Seconds; an older login is not enough.
  let maxAge: Int?
  let loginHint: String?
}

/// A refusal that goes back to the client, by way of the browser.
struct RedirectedError: Error, Sendable {
  let redirectURI: String
  let state: String?
  let error: OAuthError
}

/// `/oauth/authorize`.
extension IdentityProvider {
  func authorize(_ request: Incoming) async throws -> Response {
    let form = request.method == .post ? request.form : request.parameters
    let asked: AuthorizationRequest
    do { asked = try authorizationRequest(form) } catch let error as RedirectedError {
      return redirect(error)
    } catch let error as OAuthError {
      return pages.problem(request, error, self)
    }
    let present = try present(inCookie: request.cookie)
    if case .outside = present, !asked.prompt.contains("login") {
      return refuse(
        asked, .accessDenied, "the person comes from another provider, which gives programs their tokens itself")
    }
    guard case .own(let open) = present else {
      if asked.prompt.contains("none") { return refuse(asked, .loginRequired, "nobody is logged in") }
      return Reply.redirect(
        to: loginAddress(back: Self.afterLogin(form), hint: asked.loginHint, again: present != nil))
    }
    let age = now() - open.session.authenticatedAt
    if asked.prompt.contains("login") || asked.maxAge.map({ age > $0 }) ?? false {
      if asked.prompt.contains("none") { return refuse(asked, .loginRequired, "the login is too old") }
      return Reply.redirect(to: loginAddress(back: Self.afterLogin(form), hint: open.person.username, again: true))
    }
    if open.person.mustChangePassword { return Reply.redirect(to: Self.passwordAddress(form)) }
    guard try asked.client.isFirstParty || hasConsented(open.person.id, asked) && !asked.prompt.contains("consent")
    else {
      if asked.prompt.contains("none") { return refuse(asked, .consentRequired, "the person has not agreed yet") }
      return pages.consent(request, asked, open, self)
    }
    return try await giveCode(asked, open, request)
  }

  /// The person answers the page that asks.
  func consent(_ request: Incoming) async throws -> Response {
    guard let open = try session(inCookie: request.cookie), isOwn(request, csrf: open.csrf) else {
      return pages.problem(request, OAuthError(.accessDenied, "the page is too old; begin again"), self)
    }
    guard let form = request.form["request"].flatMap({ Form($0) }) else {
      throw OAuthError(.invalidRequest, "the request is missing")
    }
    let asked: AuthorizationRequest
    do { asked = try authorizationRequest(form) } catch let error as RedirectedError { return redirect(error) }
    if open.person.mustChangePassword { return Reply.redirect(to: Self.passwordAddress(form)) }
    guard request.form["answer"] == "yes" else {
      try await tell(event(.declined, request, person: open.person.id, client: asked.client.id))
      return refuse(asked, .accessDenied, "the person has declined")
    }
    let id = Self.consentId(open.person.id, asked.client.id)
    try await storage.write { writer in
      let before = try writer.document(id, in: .consents)?["scopes"]?.strings ?? []
      try writer.put(["scopes": JSON(Array(Set(before + asked.scopes)).sorted())], id: id, in: .consents)
    }
    return try await giveCode(asked, open, request)
  }

  private static func consentId(_ person: String, _ client: String) -> String { Secret.hash(person + "\n" + client) }

  private func hasConsented(_ person: String, _ asked: AuthorizationRequest) throws -> Bool {
    let id = Self.consentId(person, asked.client.id)
    let scopes = try storage.read { try $0.document(id, in: .consents) }?["scopes"]?.strings ?? []
    return Set(asked.scopes).isSubset(of: scopes)
  }

  private func giveCode(
    _ asked: AuthorizationRequest, _ open: OpenSession, _ request: Incoming
  ) async throws -> Response {
    let grant = Grant(
      client: asked.client.id, open, scopes: asked.scopes, resources: asked.resources, nonce: asked.nonce)
    let now = now()
    let code = AuthorizationCode(
      grant: grant, redirectURI: asked.redirectURI, challenge: asked.challenge, expiresAt: now + settings.codeLifetime,
      keptUntil: now + settings.accessTokenLifetime + settings.codeLifetime)
    let text = Secret.make()
    let event = event(
      .allowed, request, person: open.person.id, client: asked.client.id, detail: asked.scopes.joined(separator: " "))
    try await storage.write { writer in
      try writer.put(code.json, id: Secret.hash(text), in: .codes)
      try writer.note(event)
    }
    return Reply.redirect(
      to: Self.address(asked.redirectURI, ["code": text, "state": asked.state, "iss": issuer]))
  }

  // MARK: Refusing

  private func refuse(_ asked: AuthorizationRequest, _ code: OAuthError.Code, _ reason: String) -> Response {
    redirect(RedirectedError(redirectURI: asked.redirectURI, state: asked.state, error: OAuthError(code, reason)))
  }

  /// RFC 6749 section 4.1.2.1, with `iss` (RFC 9207).
  private func redirect(_ error: RedirectedError) -> Response {
    Reply.redirect(
      to: Self.address(
        error.redirectURI,
        [
          "error": error.error.code.rawValue, "error_description": error.error.json["error_description"]?.string,
          "state": error.state, "iss": issuer,
        ]))
  }

  private static func address(_ uri: String, _ items: KeyValuePairs<String, String?>) -> String {
    uri + (uri.contains("?") ? "&" : "?") + Form.encode(items)
  }

  // MARK: Reading

  /// Checks a request. Until client and redirect URI are known to belong together nothing is sent anywhere.
  func authorizationRequest(_ form: Form) throws -> AuthorizationRequest {
    guard let id = form["client_id"] else { throw OAuthError(.invalidRequest, "client_id is missing") }
    guard let client = try storage.read({ try $0.client(id) }), client.grantTypes.contains(.authorizationCode) else {
      throw OAuthError(.invalidClient, "no client of this name may ask people")
    }
    guard let redirectURI = form["redirect_uri"], client.owns(redirect: redirectURI) else {
      throw OAuthError(.invalidRequest, "redirect_uri is not one that the client has registered")
    }
    let state = form["state"]
    func back(_ code: OAuthError.Code, _ reason: String) -> RedirectedError {
      RedirectedError(redirectURI: redirectURI, state: state, error: OAuthError(code, reason))
    }
    do throws(OAuthError) { try form.refuseRepeated() } catch { throw back(error.code, error.description) }
    if form["request"] != nil { throw back(.requestNotSupported, "request objects are not read") }
    if form["request_uri"] != nil { throw back(.requestURINotSupported, "request_uri is not fetched") }
    guard form["response_type"] == "code" else {
      throw back(.unsupportedResponseType, "response_type must be code")
    }
    guard form["response_mode"] ?? "query" == "query" else {
      throw back(.invalidRequest, "response_mode must be query")
    }
    guard let challenge = form["code_challenge"], form["code_challenge_method"] == "S256" else {
      throw back(.invalidRequest, "code_challenge with the method S256 must be given")
    }
    guard challenge.utf8.count == 43, Base64URL.decode(challenge) != nil else {
      throw back(.invalidRequest, "code_challenge is no SHA-256 hash in base64url")
    }
    let prompt = Set(Scopes.list(form["prompt"]))
    guard !prompt.contains("none") || prompt.count == 1 else {
      throw back(.invalidRequest, "prompt has none beside others")
    }
    guard form["nonce"].map({ $0.utf8.count <= 512 }) ?? true, state.map({ $0.utf8.count <= 4096 }) ?? true else {
      throw back(.invalidRequest, "nonce or state is too long")
    }
    let maxAge = try form["max_age"].map { text in
      guard let seconds = Int(text), seconds >= 0 else {
        throw back(.invalidRequest, "max_age is no number of seconds")
      }
      return seconds
    }
    do throws(OAuthError) {
      return AuthorizationRequest(
        client: client, redirectURI: redirectURI, state: state, scopes: try scopes(asked: form["scope"], of: client),
        resources: try resources(asked: form.all("resource"), of: client), challenge: challenge, nonce: form["nonce"],
        prompt: prompt, maxAge: maxAge, loginHint: form["login_hint"])
    } catch { throw back(error.code, error.description) }
  }

  /// The request again, as a query.
  private static func query(_ form: Form) -> String {
    form.items.map { Form.percent($0.name) + "=" + Form.percent($0.value) }.joined(separator: "&")
  }

  /// The request as it goes on after a login: what asked for the login is done. The client sees in `auth_time` when.
  private static func afterLogin(_ form: Form) -> String {
    let items = form.items.compactMap { name, value -> String? in
      switch name {
      case "max_age": return nil
      case "prompt":
        let left = Scopes.list(value).filter { $0 != "login" }
        return left.isEmpty ? nil : "prompt=" + Form.percent(left.joined(separator: " "))
      default: return Form.percent(name) + "=" + Form.percent(value)
      }
    }
    return "/oauth/authorize?" + items.joined(separator: "&")
  }

  private static func passwordAddress(_ form: Form) -> String {
    "/oauth/password?back=" + Form.percent("/oauth/authorize?" + query(form))
  }

  private func loginAddress(back: String, hint: String?, again: Bool = false) -> String {
    "/oauth/login?" + Form.encode(["back": back, "hint": hint, "again": again ? "1" : nil])
  }
}
