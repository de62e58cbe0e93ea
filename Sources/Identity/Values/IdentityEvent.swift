import NGSI

/// What happened at the doors, for the city's evidence log. No secret is in it, and no name that was only guessed.
public struct IdentityEvent: Sendable, Hashable {
  /// The text is the action's name in the log.
  public enum Kind: String, Sendable, CaseIterable {
    /// A person has logged in, or a client got a token for itself.
    case loggedIn = "login"
    case loginFailed = "login-failed"
    /// Not even looked at: too many had failed.
    case loginHeldBack = "login-held-back"
    case loggedOut = "logout"
    case passwordChanged = "change-password"
    case passkeyAdded = "add-passkey"
    case passkeyRemoved = "remove-passkey"
    case oneTimeCodeSet = "set-one-time-code"
    case oneTimeCodeRemoved = "remove-one-time-code"
    /// A person has let a client or a device have tokens.
    case allowed = "allow-client"
    case declined = "decline-client"
    case tokenRevoked = "revoke-token"
    /// A code or refresh token came a second time: somebody has what is not his.
    case tokenReplayed = "replay-token"
    case clientAdded = "register-client"
    case clientRemoved = "remove-client"
    case personAdded = "add-person"
    case personChanged = "change-person"
    case personDisabled = "disable-person"
    case personEnabled = "enable-person"
    case passwordReset = "reset-password"
    case oneTimeCodeReset = "reset-one-time-code"
    case rolesGiven = "give-roles"
    case rolesTaken = "take-roles"
    /// All sessions and tokens of a person at once.
    case sessionsEnded = "end-sessions"
    /// One session, by an administrator.
    case sessionEnded = "end-session"
    case keyMade = "make-signing-key"

    /// Whether it was done by somebody who was not believed.
    var isByNobody: Bool { self == .loginFailed || self == .loginHeldBack || self == .tokenReplayed }
  }

  /// Who did it.
  public enum Actor: Sendable, Hashable {
    case person(String)
    case client(String)
    /// The city by itself.
    case city
    /// Who did not say, or was not believed.
    case nobody
  }

  public var kind: Kind
  /// Seconds since 1970.
  public var at: Int
  /// The address that the request came from.
  public var source: String
  public var actor: Actor
  /// Id of the person whom it is about.
  public var person: String?
  /// Id of the client that it is about.
  public var client: String?
  /// The agency of who did it.
  public var agency: String?
  /// As who did it states them (headers `Purpose` and `Reason`).
  public var purpose: String?
  public var reason: String?
  /// What exactly: which roles, which members.
  public var detail: String?

  /// Whether it may happen as often as somebody likes: then it is told once, and later how often.
  var isRepeatable: Bool { kind.isByNobody || kind == .loggedIn && person == nil }
}

extension IdentityProvider {
  /// - Parameter by: who did it, where it is another than the person or client that it is about.
  func event(
    _ kind: IdentityEvent.Kind, _ request: Incoming, person: String? = nil, client: String? = nil,
    by administrator: Authenticated? = nil, detail: String? = nil
  ) -> IdentityEvent {
    var event = IdentityEvent(kind: kind, at: now(), source: request.source, actor: .nobody)
    (event.person, event.client, event.detail) = (person, client, detail)
    if let administrator {
      let isOwn = administrator.issuer == issuer
      event.actor =
        isOwn && administrator.clientId == administrator.subject
        ? .client(administrator.subject)
        : .person(isOwn ? administrator.subject : administrator.issuer + "#" + administrator.subject)
      event.agency = administrator.agency
    } else if !kind.isByNobody {
      event.actor = person.map { .person($0) } ?? client.map { .client($0) } ?? .nobody
    }
    event.purpose = request.statedText("Purpose")
    event.reason = request.statedText("Reason")
    return event
  }

  /// Tells an event that no transaction belongs to.
  func tell(_ event: IdentityEvent) async throws {
    if event.isRepeatable { return try await storage.tell(event) }
    try await storage.write { try $0.note(event) }
  }
}
