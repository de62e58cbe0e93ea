import Crypto
import Foundation
import NGSI
import Synchronization

/// Somebody who is logged in at the city's pages.
struct Session: Sendable, Hashable {
  /// Hash of the cookie.
  let id: String
  /// Id of the person, or the account of ``outside``.
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
  /// Who logged in at an outside provider; `nil` for the city's own people.
  private(set) var outside: OutsidePerson?
  /// When it ends at the latest, where that is sooner than sessions end anyway.
  private(set) var endsAt: Int?
  /// The provider's ID token, sealed, for logging out there.
  private(set) var sealedIDToken: String?

  var json: JSON {
    .object(
      JSONObject([
        "person": .string(person), "startedAt": .integer(Int64(startedAt)), "lastSeen": .integer(Int64(lastSeen)),
        "authenticatedAt": .integer(Int64(authenticatedAt)), "methods": JSON(methods),
        "epoch": .integer(Int64(epoch)), "outside": outside?.json, "endsAt": endsAt.map { .integer(Int64($0)) },
        "idToken": sealedIDToken.map(JSON.string),
      ]))
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

  /// - Parameter lifetime: seconds until it ends, however busy.
  init(
    id: String, outside: OutsidePerson, at now: Int, methods: [String], lifetime: Int, sealedIDToken: String?
  ) {
    self.id = id
    person = outside.account
    epoch = 0
    startedAt = now
    lastSeen = now
    authenticatedAt = now
    self.methods = methods
    self.outside = outside
    endsAt = now + lifetime
    self.sealedIDToken = sealedIDToken
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
    outside = json["outside"].flatMap(OutsidePerson.init)
    endsAt = (json["endsAt"]?.integer).map { Int($0) }
    sealedIDToken = json["idToken"]?.string
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

/// A session of one of the city's own people, as a request shows it.
struct OpenSession: Sendable {
  let session: Session
  let person: Person
  /// What pages put into their forms. It comes of the cookie, which no other site can read, and tells nothing about it.
  let csrf: String
  let authenticated: Authenticated
}

/// A session of somebody whom an outside provider speaks for, as a request shows it.
struct OutsideSession: Sendable {
  let session: Session
  let person: OutsidePerson
  let csrf: String
  let authenticated: Authenticated
}

/// A session as a request shows it, whosever it is.
enum PresentSession: Sendable {
  case own(OpenSession)
  case outside(OutsideSession)

  var session: Session {
    switch self {
    case .own(let open): open.session
    case .outside(let open): open.session
    }
  }

  var csrf: String {
    switch self {
    case .own(let open): open.csrf
    case .outside(let open): open.csrf
    }
  }

  var authenticated: Authenticated {
    switch self {
    case .own(let open): open.authenticated
    case .outside(let open): open.authenticated
    }
  }

  /// The name that people know.
  var name: String {
    switch self {
    case .own(let open): open.person.name
    case .outside(let open): open.person.name
    }
  }

  /// Whether nothing may be done before a password of one's own is chosen.
  var mustChangePassword: Bool {
    if case .own(let open) = self { open.person.mustChangePassword } else { false }
  }
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

  /// The session of one of the city's own people in a header `Cookie`; `nil` when there is none, or it has ended.
  func session(inCookie header: String?) throws(TokenRefusal) -> OpenSession? {
    guard case .own(let open) = try present(inCookie: header) else { return nil }
    return open
  }

  /// The session of a header `Cookie`, whosever it is; `nil` when there is none, or it has ended.
  func present(inCookie header: String?) throws(TokenRefusal) -> PresentSession? {
    guard let cookie = Self.cookie(sessionCookie, in: header), cookie.utf8.count == 43 else { return nil }
    let id = Secret.hash(cookie)
    let found: (Session, Person?)?
    do {
      found = try storage.read { reader in
        guard let session = try reader.document(id, in: .sessions).flatMap({ Session(id: id, $0) }) else { return nil }
        return (session, session.outside == nil ? try reader.person(session.person) : nil)
      }
    } catch {
      throw TokenRefusal(.invalidToken, "the session cannot be looked up now")
    }
    guard case (var session, let person)? = found else { return nil }
    let now = now()
    session.lastSeen = max(session.lastSeen, activity[id] ?? 0)
    guard isAlive(session, at: now) else { return nil }
    let csrf = Self.csrf(of: cookie)
    func authenticated(_ subject: String, of issuer: String, _ standing: Standing) -> Authenticated {
      Authenticated(
        subject: subject, issuer: issuer, standing: standing, methods: session.methods,
        expiresAt: min(end(of: session), now + settings.sessionIdle), means: .session(csrf: csrf))
    }
    let present: PresentSession
    if let outside = session.outside {
      // A provider that the manifest does not name any more speaks for nobody.
      guard let provider = self.outside[outside.issuer], provider.login != nil else { return nil }
      let proven = authenticated(outside.subject, of: outside.issuer, provider.standing(ofRoles: outside.roles))
      present = .outside(OutsideSession(session: session, person: outside, csrf: csrf, authenticated: proven))
    } else {
      guard let person, !person.isDisabled, session.epoch == person.sessionEpoch else { return nil }
      let proven = authenticated(person.id, of: issuer, person.standing)
      present = .own(OpenSession(session: session, person: person, csrf: csrf, authenticated: proven))
    }
    activity.note(id, at: now)
    return present
  }

  /// When a session ends, however busy.
  func end(of session: Session) -> Int {
    min(session.endsAt ?? .max, session.startedAt + settings.sessionLifetime)
  }

  func isAlive(_ session: Session, at now: Int) -> Bool {
    now < end(of: session) && now < session.lastSeen + settings.sessionIdle
  }

  /// Begins a session with an id that nobody knew before; the one that the browser had ends.
  ///
  /// - Parameters:
  ///   - make: gives the session that has an id.
  ///   - event: what is noted of it.
  /// - Returns: the cookie.
  func beginSession(
    replacing old: Session?, _ event: IdentityEvent, _ make: (_ id: String) throws -> Session
  ) async throws -> String {
    let cookie = Secret.make()
    let session = try make(Secret.hash(cookie))
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

  /// - Returns: whether there was one.
  @discardableResult
  func endSession(_ id: String, _ event: IdentityEvent) async throws -> Bool {
    try await storage.write { writer in
      guard try writer.delete(id, in: .sessions) else { return false }
      try writer.note(event)
      return true
    }
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
