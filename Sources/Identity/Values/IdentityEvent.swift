/// What happened at the doors, for the city's log and its audit. No secret is in it, and no name that was only guessed.
public struct IdentityEvent: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case loggedIn, loginFailed, loggedOut
    case passwordChanged, passkeyAdded, passkeyRemoved, oneTimeCodeSet, oneTimeCodeRemoved
    /// A person has let a client or a device have tokens.
    case allowed, declined
    case tokensGiven, tokenRevoked
    /// A code or refresh token came a second time: somebody has what is not his.
    case tokenReplayed
    case clientAdded, clientRemoved, personAdded, personChanged
  }

  public var kind: Kind
  /// Seconds since 1970.
  public var at: Int
  /// The address that the request came from.
  public var source: String
  /// Id of the person whom it is about.
  public var person: String?
  /// Id of the client that it is about.
  public var client: String?
  /// Who did it to them: the subject of an administrator.
  public var administrator: String?
}

extension IdentityProvider {
  func tell(
    _ kind: IdentityEvent.Kind, _ request: Incoming, person: String? = nil, client: String? = nil,
    by administrator: Authenticated? = nil
  ) {
    hears(
      IdentityEvent(
        kind: kind, at: now(), source: request.source, person: person, client: client,
        administrator: administrator?.subject))
  }
}
