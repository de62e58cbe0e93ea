import Crypto
import Foundation
import NGSI
import Synchronization

/// A person who is logged in at the city's pages.
struct Session: Sendable, Hashable {
  /// Hash of the cookie.
  let id: String
  let person: String
  /// Seconds since 1970.
  let startedAt: Int
  var lastSeen: Int
  /// When the person last showed who he is.
  var authenticatedAt: Int
  /// How (RFC 8176).
  var methods: [String]
  /// Of the person when it began: a later one ends it (``Person/sessionEpoch``).
  let epoch: Int

  var json: JSON {
    [
      "person": .string(person), "startedAt": .integer(Int64(startedAt)), "lastSeen": .integer(Int64(lastSeen)),
      "authenticatedAt": .integer(Int64(authenticatedAt)), "methods": JSON(methods),
      "epoch": .integer(Int64(epoch)),
    ]
  }

  init(id: String, person: Person, at now: Int, methods: [String]) {
    self.id = id
    self.person = person.id
    epoch = person.sessionEpoch
    startedAt = now
    lastSeen = now
    authenticatedAt = now
    self.methods = methods
  }

  init?(id: String, _ json: JSON) {
    guard let person = json["person"]?.string, let startedAt = json["startedAt"]?.integer else { return nil }
    self.id = id
    self.person = person
    self.startedAt = Int(startedAt)
    lastSeen = Int(json["lastSeen"]?.integer ?? startedAt)
    authenticatedAt = Int(json["authenticatedAt"]?.integer ?? startedAt)
    methods = json["methods"]?.strings ?? []
    epoch = Int(json["epoch"]?.integer ?? 0)
  }
}

/// When sessions were last used: noted in memory with each request, in the store once a minute.
final class SessionActivity: Sendable {
  static let most = 50_000
  private let seen = Mutex<[String: Int]>([:])

  func note(_ id: String, at now: Int) {
    seen.withLock { seen in
      // At the bound the sessions that are noted already go on; the others live by what the store says.
      if seen[id] != nil || seen.count < Self.most { seen[id] = now }
    }
  }

  subscript(id: String) -> Int? { seen.withLock { $0[id] } }

  func take() -> [String: Int] {
    seen.withLock { seen in
      defer { seen = [:] }
      return seen
    }
  }
}

/// A session as a request shows it.
struct OpenSession: Sendable {
  let session: Session
  let person: Person
  /// What pages put into their forms. It comes of the cookie, which no other site can read, and tells nothing about it.
  let csrf: String
  let authenticated: Authenticated
}

extension IdentityProvider {
  /// `__Host-` makes browsers refuse a cookie of this name that is not ours alone: without TLS, from a subdomain, for a
  /// part of the pages (RFC 6265bis section 4.1.3.2).
  var sessionCookie: String { isSecure ? "__Host-madang-session" : "madang-session" }
  /// Ties the steps of a login together before there is a session.
  var visitCookie: String { isSecure ? "__Host-madang-visit" : "madang-visit" }

  /// A token for the forms of who holds a cookie.
  static func csrf(of cookie: String) -> String {
    let key = SymmetricKey(data: Data(cookie.utf8))
    return Base64URL.encode(HMAC<SHA256>.authenticationCode(for: Data("madang csrf".utf8), using: key))
  }

  /// The value of a cookie in a header `Cookie` (RFC 6265 section 4.2).
  static func cookie(_ name: String, in header: String?) -> String? {
    for pair in (header ?? "").prefix(8192).split(separator: ";") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, parts[0].trimmed == name { return parts[1].trimmed }
    }
    return nil
  }

  /// The session of a header `Cookie`; `nil` when there is none, or it has ended.
  func session(inCookie header: String?) throws(TokenRefusal) -> OpenSession? {
    guard let cookie = Self.cookie(sessionCookie, in: header), cookie.utf8.count == 43 else { return nil }
    let id = Secret.hash(cookie)
    let found: (Session, Person)?
    do {
      found = try storage.read { reader in
        guard let session = try reader.document(id, in: .sessions).flatMap({ Session(id: id, $0) }),
          let person = try reader.person(session.person)
        else { return nil }
        return (session, person)
      }
    } catch {
      throw TokenRefusal(.invalidToken, "the session cannot be looked up now")
    }
    guard var (session, person) = found, !person.isDisabled, session.epoch == person.sessionEpoch else { return nil }
    let now = now()
    session.lastSeen = max(session.lastSeen, activity[id] ?? 0)
    guard isAlive(session, at: now) else { return nil }
    activity.note(id, at: now)
    let csrf = Self.csrf(of: cookie)
    let authenticated = Authenticated(
      subject: person.id, issuer: issuer, standing: person.standing, methods: session.methods,
      expiresAt: min(session.startedAt + settings.sessionLifetime, now + settings.sessionIdle),
      means: .session(csrf: csrf))
    return OpenSession(session: session, person: person, csrf: csrf, authenticated: authenticated)
  }

  func isAlive(_ session: Session, at now: Int) -> Bool {
    now < session.startedAt + settings.sessionLifetime && now < session.lastSeen + settings.sessionIdle
  }

  /// Begins a session with an id that nobody knew before; the one that the browser had ends.
  ///
  /// - Parameter event: what is noted of it.
  /// - Returns: the cookie.
  func beginSession(
    of person: Person, methods: [String], replacing old: Session?, _ event: IdentityEvent
  ) async throws -> String {
    let cookie = Secret.make()
    let session = Session(id: Secret.hash(cookie), person: person, at: now(), methods: methods)
    let most = settings.mostSessions
    try await storage.write { writer in
      guard try writer.count(in: .sessions) < most else {
        throw OAuthError(.temporarilyUnavailable, "too many people are logged in", retryAfter: 60)
      }
      if let old { _ = try writer.delete(old.id, in: .sessions) }
      try writer.put(session.json, id: session.id, in: .sessions)
      try writer.note(event)
    }
    return cookie
  }

  func endSession(_ id: String, _ event: IdentityEvent) async throws {
    try await storage.write { writer in if try writer.delete(id, in: .sessions) { try writer.note(event) } }
  }

  /// Writes down when sessions were last used.
  func noteActivity() async throws {
    let seen = activity.take()
    guard !seen.isEmpty else { return }
    try await storage.write { writer in
      for (id, time) in seen {
        guard var session = try writer.document(id, in: .sessions).flatMap({ Session(id: id, $0) }) else { continue }
        session.lastSeen = max(session.lastSeen, time)
        try writer.put(session.json, id: id, in: .sessions)
      }
    }
  }
}

extension Substring {
  /// Without the spaces and tabs around it.
  var trimmed: String {
    var text = self
    while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
    while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
    return String(text)
  }
}
