import Foundation
import Hummingbird
import NGSI

/// `/oauth/account`, `/oauth/password`, `/oauth/logout`: what people do about their own login.
extension IdentityProvider {
  /// The session of a page for people; who is not logged in is sent to do so.
  func visitor(_ request: Incoming) throws -> Result<OpenSession, PageInstead> {
    let present = try present(inCookie: request.cookie)
    if case .outside(let outside) = present {
      // Password, second step, passkeys and devices are for the city's own people.
      return .failure(
        PageInstead(
          response: request.path == "/oauth/account"
            ? pages.account(request, outside, self) : Reply.redirect(to: "/oauth/account")))
    }
    guard case .own(let open) = present else {
      let here = request.path + (request.query.isEmpty ? "" : "?" + request.query)
      let back = request.method == .get ? here : "/oauth/account"
      return .failure(PageInstead(response: Reply.redirect(to: "/oauth/login?back=" + Form.percent(back))))
    }
    if open.person.mustChangePassword, request.path != "/oauth/password", request.path != "/oauth/logout" {
      return .failure(PageInstead(response: Reply.redirect(to: "/oauth/password?back=" + Form.percent(request.path))))
    }
    if request.method == .post, !isOwn(request, csrf: open.csrf) {
      return .failure(
        PageInstead(
          response: pages.problem(request, OAuthError(.accessDenied, "the page is too old; begin again"), self)))
    }
    return .success(open)
  }

  /// Another answer than the page that was asked for.
  struct PageInstead: Error {
    let response: Response
  }

  func showAccount(_ request: Incoming) throws -> Response {
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let open): return pages.account(request, open, problem: nil, self)
    }
  }

  func showPassword(_ request: Incoming) throws -> Response {
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let open):
      return pages.password(
        request, open, back: Self.ownAddress(request.parameters["back"] ?? "/oauth/account"), problem: nil, self)
    }
  }

  /// A new password ends all other sessions and all refresh tokens; this session goes on under another id.
  func changePassword(_ request: Incoming) async throws -> Response {
    let open: OpenSession
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let session): open = session
    }
    let back = Self.ownAddress(request.form["back"])
    func again(_ problem: String, retryAfter: Int? = nil) -> Response {
      pages.password(request, open, back: back, problem: problem, retryAfter: retryAfter, self)
    }
    let fresh = request.form["new"] ?? ""
    guard fresh == request.form["repeat"] ?? "" else { return again("passwordsDiffer") }
    if let problem = PasswordRule.problem(fresh, of: open.person.username) { return again(problem) }
    let buckets = [
      (key: "source:" + request.source, rule: Attempts.source),
      (key: "account:" + open.person.username, rule: Attempts.account),
    ]
    if let wait = attempts.take(buckets, at: now()) { return again("tooManyAttempts", retryAfter: wait) }
    let old = open.person.password.flatMap { PasswordHash($0) }
    let current = request.form["current"] ?? ""
    let isRight = try await passwords.run(for: request.source) { old?.matches(current) ?? false }
    guard isRight else {
      attempts.countFailure()
      try await tell(event(.loginFailed, request, person: open.person.id))
      return again("wrongPassword")
    }
    attempts.giveBack(buckets, at: now())
    guard fresh != current else { return again("passwordSame") }
    let hash = try await hashed(fresh, for: request.source)
    let id = open.person.id
    let event = event(.passwordChanged, request, person: id)
    let person = try await storage.write { writer -> Person? in
      guard var person = try writer.person(id) else { return nil }
      person.password = hash
      person.mustChangePassword = false
      person.sessionEpoch += 1
      try writer.put(person)
      try writer.note(event)
      return person
    }
    guard let person else { return again("wrongPassword") }
    return try await enter(person, methods: open.session.methods, back: back, request)
  }

  // MARK: Authenticator application

  /// Shows a new key, to be typed into the application; it counts once a code of it was shown.
  func beginOneTimeCode(_ request: Incoming) async throws -> Response {
    let open: OpenSession
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let session): open = session
    }
    guard !(open.person.oneTimeCode?.isConfirmed ?? false) else {
      return pages.account(request, open, problem: "hasOneTimeCode", self)
    }
    let secret = Base64URL.decode(Secret.make(bytes: OneTimeCode.secretBytes)) ?? []
    let sealed = try keys.seal(secret, for: "otp " + open.person.id)
    let id = open.person.id
    try await storage.write { writer in
      guard var person = try writer.person(id) else { return }
      person.oneTimeCode = OneTimeCodeKey(sealed: sealed, lastStep: 0, isConfirmed: false)
      try writer.put(person)
    }
    return pages.oneTimeCode(request, open, secret: secret, problem: nil, self)
  }

  func confirmOneTimeCode(_ request: Incoming) async throws -> Response {
    let open: OpenSession
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let session): open = session
    }
    guard let key = open.person.oneTimeCode, !key.isConfirmed,
      let secret = keys.open(key.sealed, for: "otp " + open.person.id)
    else { return Reply.redirect(to: "/oauth/account") }
    let code = (request.form["code"] ?? "").filter { $0 != " " }
    guard try await taken(code, of: open.person.id, event(.oneTimeCodeSet, request, person: open.person.id)) != nil
    else { return pages.oneTimeCode(request, open, secret: secret, problem: "wrongCode", self) }
    return Reply.redirect(to: "/oauth/account")
  }

  /// Takes the application away; a code of it is asked for, so that an open screen is not enough.
  func endOneTimeCode(_ request: Incoming) async throws -> Response {
    let open: OpenSession
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let session): open = session
    }
    let buckets = [(key: "code:" + open.person.id, rule: Attempts.account)]
    if attempts.take(buckets, at: now()) != nil {
      return pages.account(request, open, problem: "tooManyAttempts", self)
    }
    let code = (request.form["code"] ?? "").filter { $0 != " " }
    guard try await taken(code, of: open.person.id) != nil else {
      return pages.account(request, open, problem: "wrongCode", self)
    }
    let id = open.person.id
    let event = event(.oneTimeCodeRemoved, request, person: id)
    try await storage.write { writer in
      guard var person = try writer.person(id) else { return }
      person.oneTimeCode = nil
      try writer.put(person)
      try writer.note(event)
    }
    return Reply.redirect(to: "/oauth/account")
  }

  // MARK: Logging out

  /// `/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0). A page asks first, unless the client shows a token of the
  /// very person who is logged in.
  func logOut(_ request: Incoming) async throws -> Response {
    let form = request.method == .post ? request.form : request.parameters
    let open = try present(inCookie: request.cookie)
    let hint = form["id_token_hint"].flatMap(idToken)
    guard form["id_token_hint"] == nil || hint != nil else {
      return pages.problem(request, OAuthError(.invalidRequest, "id_token_hint was not made here"), self)
    }
    let clientId = form["client_id"] ?? hint?.client
    guard hint.map({ $0.client == clientId }) ?? true else {
      return pages.problem(request, OAuthError(.invalidRequest, "id_token_hint is of another client"), self)
    }
    let client = try clientId.flatMap { id in try storage.read { try $0.client(id) } }
    var after = "/oauth/login"
    if let uri = form["post_logout_redirect_uri"] {
      guard let client, client.postLogoutRedirectURIs.contains(uri) else {
        return pages.problem(
          request, OAuthError(.invalidRequest, "post_logout_redirect_uri is not one that the client has registered"),
          self)
      }
      after = uri
      if let state = form["state"] { after += (uri.contains("?") ? "&" : "?") + Form.encode(["state": state]) }
    }
    guard let open else { return loggedOut(to: after) }
    let isAsked = request.method == .post && isOwn(request, csrf: open.csrf)
    let provider = client == nil ? await logoutAddress(of: open) : nil
    guard isAsked || hint?.subject == open.session.person else {
      return pages.logout(request, form, open, leadingTo: provider, self)
    }
    try await endSession(open.session.id, event(.loggedOut, request, person: open.session.person, client: client?.id))
    return loggedOut(to: provider ?? after)
  }

  private func loggedOut(to address: String) -> Response {
    var response = Reply.redirect(to: address)
    response.headers[values: .setCookie].append(setCookie(sessionCookie, "", seconds: 0))
    return response
  }

  /// Client and subject of an ID token of ours, which may have run out (section 4).
  private func idToken(_ text: String) -> (client: String, subject: String)? {
    guard let token = try? SignedToken(parsing: text), token.type == "jwt", keys.haveSigned(token),
      token.payload["iss"]?.string == issuer, let client = token.payload["aud"]?.string,
      let subject = token.payload["sub"]?.string
    else { return nil }
    return (client, subject)
  }
}
