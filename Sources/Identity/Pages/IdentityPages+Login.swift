import Hummingbird
import NGSI

extension IdentityPages {
  /// The door. Where it leads back to a request of a client, browsers must be let go on to that client
  /// (CSP3 section 6.4.1: `form-action` holds for redirects too).
  func login(
    _ request: Incoming, back: String, username: String, problem: String?, retryAfter: Int? = nil,
    about outside: OutsideLogin? = nil, _ provider: IdentityProvider
  ) -> Response {
    let known = IdentityProvider.cookie(provider.visitCookie, in: request.cookie)
    let visit = known ?? Secret.make()
    var frame = PageFrame(template: "login", title: "loginTitle")
    frame.content = [
      "csrf": IdentityProvider.csrf(of: visit), "back": back, "username": String(username.prefix(64)),
      "hasUsername": !username.isEmpty,
    ]
    frame.content["clientName"] = clientName(back, provider)
    let outsideButtons = buttons(back, request, provider)
    frame.content["hasOutside"] = !outsideButtons.isEmpty
    frame.content["outside"] = outsideButtons
    frame.address = "/oauth/login?" + Form.encode(["back": back])
    frame.problemName = outside?.name ?? [:]
    frame.formTargets = targets(back, provider)
    frame.problem = problem
    frame.retryAfter = retryAfter
    frame.status = status(problem)
    if known == nil { frame.newVisit = visit }
    return answer(frame, request, provider)
  }

  /// The second step of a login.
  func code(
    _ request: Incoming, ticket: String, problem: String?, retryAfter: Int? = nil, _ provider: IdentityProvider
  ) -> Response {
    let visit = IdentityProvider.cookie(provider.visitCookie, in: request.cookie) ?? ""
    var frame = PageFrame(template: "code", title: "codeTitle")
    frame.content = ["csrf": IdentityProvider.csrf(of: visit), "ticket": ticket]
    frame.formTargets = provider.openTicket(ticket, visit).map { targets($0.back, provider) } ?? []
    frame.problem = problem
    frame.retryAfter = retryAfter
    frame.status = status(problem)
    return answer(frame, request, provider)
  }

  func password(
    _ request: Incoming, _ open: OpenSession, back: String, problem: String?, retryAfter: Int? = nil,
    _ provider: IdentityProvider
  ) -> Response {
    var frame = PageFrame(template: "password", title: "passwordTitle")
    frame.content = [
      "csrf": open.csrf, "back": back, "username": open.person.username, "mustChange": open.person.mustChangePassword,
      "least": "\(PasswordRule.least)",
    ]
    frame.formTargets = targets(back, provider)
    frame.problem = problem
    frame.retryAfter = retryAfter
    frame.status = status(problem)
    return answer(frame, request, provider)
  }

  func consent(
    _ request: Incoming, _ asked: AuthorizationRequest, _ open: OpenSession, _ provider: IdentityProvider
  ) -> Response {
    let form = request.method == .post ? request.form : request.parameters
    let query = form.items.map { Form.percent($0.name) + "=" + Form.percent($0.value) }.joined(separator: "&")
    var frame = PageFrame(template: "consent", title: "consentTitle")
    frame.content = [
      "csrf": open.csrf, "request": query, "clientName": asked.client.name, "personName": open.person.name,
      "scopes": scopeTexts(asked.scopes, request), "target": Self.origin(of: asked.redirectURI),
    ]
    frame.formTargets = [Self.origin(of: asked.redirectURI)]
    return answer(frame, request, provider)
  }

  /// What cannot go back to a client, because it is not known which one it is.
  func problem(_ request: Incoming, _ error: OAuthError, _ provider: IdentityProvider) -> Response {
    var frame = PageFrame(template: "problem", title: "problemTitle")
    frame.content = ["code": error.code.rawValue, "detail": error.description]
    frame.status = HTTPResponse.Status(code: error.status == 401 ? 400 : error.status)
    return answer(frame, request, provider)
  }

  /// - Parameter address: at an outside provider, where the browser goes to log out there, too.
  func logout(
    _ request: Incoming, _ form: Form, _ open: PresentSession, leadingTo address: String?, _ provider: IdentityProvider
  ) -> Response {
    var frame = PageFrame(template: "logout", title: "logoutTitle")
    let kept = ["client_id", "post_logout_redirect_uri", "state"]
    frame.content = [
      "csrf": open.csrf, "personName": open.name,
      "fields": form.items.filter { kept.contains($0.name) }.map { ["name": $0.name, "value": $0.value] },
    ]
    frame.formTargets = [form["post_logout_redirect_uri"], address].compactMap(\.self).map(Self.origin)
    return answer(frame, request, provider)
  }

  // MARK: Parts

  private func status(_ problem: String?) -> HTTPResponse.Status {
    switch problem {
    case nil: .ok
    case "tooManyAttempts": .tooManyRequests
    case "busy", OutsideRefusal.Kind.away.rawValue: .serviceUnavailable
    case "wrongPassword", "wrongCode": .unauthorized
    case OutsideRefusal.Kind.denied.rawValue: .forbidden
    case OutsideRefusal.Kind.notTaken.rawValue, OutsideRefusal.Kind.unbelieved.rawValue: .badGateway
    default: .badRequest
    }
  }

  /// The outside providers where people log in. Programs get their tokens from those providers, so that there are none
  /// where the login is for a program.
  private func buttons(_ back: String, _ request: Incoming, _ provider: IdentityProvider) -> [[String: String]] {
    guard !back.hasPrefix("/oauth/authorize?"), !back.hasPrefix("/oauth/device") else { return [] }
    let language = Self.language(of: request)
    return provider.outsideLogins.map { login in
      [
        "name": login.name[language] ?? login.id,
        "href": "/oauth/outside/\(login.id)/login?" + Form.encode(["back": back]),
      ]
    }
  }

  /// What scopes mean, in words where there are any.
  func scopeTexts(_ scopes: [String], _ request: Incoming) -> [[String: String]] {
    let texts = table(Self.language(of: request))
    return scopes.map { ["name": $0, "text": texts["scope_" + $0] ?? $0] }
  }

  private func asked(_ back: String, _ provider: IdentityProvider) -> AuthorizationRequest? {
    let start = "/oauth/authorize?"
    guard back.hasPrefix(start), let form = Form(back.dropFirst(start.count)) else { return nil }
    return try? provider.authorizationRequest(form)
  }

  private func clientName(_ back: String, _ provider: IdentityProvider) -> String? {
    asked(back, provider)?.client.name
  }

  private func targets(_ back: String, _ provider: IdentityProvider) -> [String] {
    asked(back, provider).map { [Self.origin(of: $0.redirectURI)] } ?? []
  }

  /// Scheme, host and port of an address, as a policy names them; the scheme alone for that of a native program.
  static func origin(of uri: String) -> String {
    guard let colon = uri.firstIndex(of: ":") else { return "'none'" }
    let rest = uri[colon...]
    guard rest.hasPrefix("://"), uri.hasPrefix("http") else { return String(uri[...colon]) }
    return uri[..<colon] + "://" + rest.dropFirst(3).prefix { $0 != "/" && $0 != "?" }
  }
}
