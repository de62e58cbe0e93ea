import Foundation
import Hummingbird
import NGSI

/// The steps of a login between two pages: which person has passed which step. Sealed and handed to the browser, so that
/// nothing is kept of those who have not logged in yet.
struct LoginTicket: Sendable {
  let person: String
  let methods: [String]
  let back: String
  let expiresAt: Int

  var json: JSON {
    [
      "person": .string(person), "methods": JSON(methods), "back": .string(back),
      "expiresAt": .integer(Int64(expiresAt)),
    ]
  }

  init(person: String, methods: [String], back: String, expiresAt: Int) {
    self.person = person
    self.methods = methods
    self.back = back
    self.expiresAt = expiresAt
  }

  init?(_ json: JSON) {
    guard let person = json["person"]?.string, let back = json["back"]?.string,
      let expiresAt = json["expiresAt"]?.integer
    else { return nil }
    self.init(person: person, methods: json["methods"]?.strings ?? [], back: back, expiresAt: Int(expiresAt))
  }
}

/// `/oauth/login`: password, then the code of an authenticator application where the person has one.
extension IdentityProvider {
  func showLogin(_ request: Incoming) throws -> Response {
    let back = Self.ownAddress(request.parameters["back"])
    if request.parameters["again"] == nil, try present(inCookie: request.cookie) != nil {
      return Reply.redirect(to: back)
    }
    return pages.login(request, back: back, username: request.parameters["hint"] ?? "", problem: nil, self)
  }

  func login(_ request: Incoming) async throws -> Response {
    let back = Self.ownAddress(request.form["back"])
    let username = request.form["username"] ?? ""
    func again(_ problem: String, retryAfter: Int? = nil) -> Response {
      pages.login(request, back: back, username: username, problem: problem, retryAfter: retryAfter, self)
    }
    guard let visit = Self.cookie(visitCookie, in: request.cookie), isOwn(request, csrf: Self.csrf(of: visit)) else {
      return again("pageTooOld")
    }
    guard let password = request.form["password"], password.utf8.count <= 1000 else { return again("wrongPassword") }
    let name = Person.normalized(username: username)
    let buckets = [
      (key: "source:" + request.source, rule: Attempts.source),
      (key: "account:" + (name ?? ""), rule: Attempts.account),
    ]
    let person = try storage.read { try $0.person(named: username) }
    if let wait = attempts.take(buckets, at: now()) {
      try await tell(event(.loginHeldBack, request, person: person?.id))
      return again("tooManyAttempts", retryAfter: wait)
    }
    let isRight: Bool
    do throws(HashingPool.Refusal) { isRight = try await matches(password, person, for: request.source) } catch {
      // Whoever tries many at once pays for those, too; the account is not his.
      attempts.giveBack(error == .busy ? buckets : Array(buckets.dropFirst()), at: now())
      return again("busy", retryAfter: 5)
    }
    guard isRight, let person, !person.isDisabled else {
      attempts.countFailure()
      try await tell(event(.loginFailed, request, person: person?.id))
      return again("wrongPassword")
    }
    attempts.giveBack(buckets, at: now())
    guard person.oneTimeCode?.isConfirmed ?? false else {
      return try await enter(person, methods: ["pwd"], back: back, request)
    }
    let ticket = LoginTicket(
      person: person.id, methods: ["pwd"], back: back, expiresAt: now() + settings.loginLifetime)
    return pages.code(request, ticket: try seal(ticket, visit), problem: nil, self)
  }

  /// Whether it is the person's password. Takes as long for a person that there is not.
  private func matches(_ password: String, _ person: Person?, for source: String) async throws(HashingPool.Refusal)
    -> Bool
  {
    let known = person?.password.flatMap { PasswordHash($0) }
    let cost = settings.passwordCost
    return try await passwords.run(for: source) {
      guard let known else {
        _ = try? PasswordHash(of: password, cost: cost)
        return false
      }
      return known.matches(password)
    }
  }

  /// The second step.
  func loginCode(_ request: Incoming) async throws -> Response {
    guard let visit = Self.cookie(visitCookie, in: request.cookie), isOwn(request, csrf: Self.csrf(of: visit)),
      let text = request.form["ticket"], let ticket = openTicket(text, visit)
    else { return pages.login(request, back: "/", username: "", problem: "pageTooOld", self) }
    let buckets = [
      (key: "source:" + request.source, rule: Attempts.source), (key: "code:" + ticket.person, rule: Attempts.account),
    ]
    if let wait = attempts.take(buckets, at: now()) {
      try await tell(event(.loginHeldBack, request, person: ticket.person))
      return pages.code(request, ticket: text, problem: "tooManyAttempts", retryAfter: wait, self)
    }
    let code = (request.form["code"] ?? "").filter { $0 != " " }
    guard let person = try await taken(code, of: ticket.person), !person.isDisabled else {
      attempts.countFailure()
      try await tell(event(.loginFailed, request, person: ticket.person))
      return pages.code(request, ticket: text, problem: "wrongCode", self)
    }
    attempts.giveBack(buckets, at: now())
    return try await enter(person, methods: ticket.methods + ["otp", "mfa"], back: ticket.back, request)
  }

  /// Takes a code of a person's application, so that it is not taken again.
  ///
  /// - Parameter event: what is noted of it.
  /// - Returns: `nil` when it is not one that may be taken now.
  func taken(_ code: String, of id: String, _ event: IdentityEvent? = nil) async throws -> Person? {
    let keys = keys
    let now = now()
    return try await storage.write { writer in
      guard var person = try writer.person(id), let key = person.oneTimeCode,
        let secret = keys.open(key.sealed, for: "otp " + id),
        let step = OneTimeCode.step(of: code, secret, at: now, after: key.lastStep)
      else { return nil }
      person.oneTimeCode?.lastStep = step
      person.oneTimeCode?.isConfirmed = true
      try writer.put(person)
      if let event { try writer.note(event) }
      return person
    }
  }

  /// Logs a person in; one with a password that somebody else gave him chooses his own first.
  func enter(_ person: Person, methods: [String], back: String, _ request: Incoming) async throws -> Response {
    let old = try present(inCookie: request.cookie)
    let event = event(.loggedIn, request, person: person.id, detail: methods.joined(separator: " "))
    let now = now()
    let cookie = try await beginSession(replacing: old?.session, event) { id in
      Session(id: id, person: person, at: now, methods: methods)
    }
    var response = Reply.redirect(
      to: person.mustChangePassword ? "/oauth/password?back=" + Form.percent(back) : back)
    response.headers[values: .setCookie].append(setCookie(sessionCookie, cookie, seconds: nil))
    return response
  }

  // MARK: Tickets, cookies, addresses

  func seal(_ ticket: LoginTicket, _ visit: String) throws(IdentityFailure) -> String {
    try keys.seal(JSONWriter.bytes(ticket.json), for: "login " + visit)
  }

  func openTicket(_ text: String, _ visit: String) -> LoginTicket? {
    guard text.utf8.count <= 16 << 10, let bytes = keys.open(text, for: "login " + visit),
      let json = try? JSONParser.parse(bytes), let ticket = LoginTicket(json), ticket.expiresAt > now()
    else { return nil }
    return ticket
  }

  /// - Parameter seconds: how long the browser keeps it; `nil` until it is closed, 0 not any more.
  func setCookie(_ name: String, _ value: String, seconds: Int?) -> String {
    var text = "\(name)=\(value); Path=/; HttpOnly; SameSite=Lax"
    if isSecure { text += "; Secure" }
    if let seconds { text += "; Max-Age=\(seconds)" }
    return text
  }

  /// Whether a form comes from a page of ours: it has the page's token, and the browser names no other origin.
  func isOwn(_ request: Incoming, csrf: String) -> Bool {
    guard Secret.areSame(request.form["csrf"] ?? "", csrf) else { return false }
    guard let origin = request.headers[.origin] else { return true }
    return origin == issuer || origin == Self.origin(of: request)
  }

  /// The origin that the browser called, where the city does not know better.
  private static func origin(of request: Incoming) -> String? { request.host.map { "http://" + $0 } }

  /// An address of our own pages to go back to; anything else is the first page, or a login would lead to strangers.
  static func ownAddress(_ text: String?) -> String {
    guard let text, text.utf8.count <= 8192, text.hasPrefix("/"), !text.hasPrefix("//"),
      text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") })
    else { return "/" }
    return text
  }
}
