import Hummingbird
import NGSI

/// What is asked about tokens: introspection, revocation, who the person is.
extension IdentityProvider {
  /// `/oauth/introspect` (RFC 7662): a client sees its own tokens, a resource server all of them.
  func introspect(_ request: Incoming) async throws -> Response {
    try request.form.refuseRepeated()
    let client = try await client(of: request, needsSecret: true)
    guard let text = request.form["token"] else { throw OAuthError(.invalidRequest, "token must be given") }
    let inactive: JSON = ["active": false]
    let seesAll = client.standing.roles.contains(Standing.resourceServer)
    if let (family, _) = RefreshFamily.parts(of: text) {
      guard let known = try refreshFamily(family, token: text), known.grant.client == client.id || seesAll else {
        return Reply.json(inactive)
      }
      let end = min(known.startedAt + settings.refreshLifetime, known.renewedAt + settings.refreshIdle)
      return Reply.json([
        "active": true, "client_id": .string(known.grant.client), "sub": .string(known.grant.person),
        "scope": .string(known.grant.scopes.joined(separator: " ")), "iss": .string(issuer),
        "iat": .integer(Int64(known.renewedAt)), "exp": .integer(Int64(end)),
      ])
    }
    guard let token = accessToken(text), token.clientId == client.id || seesAll, try isAlive(token) else {
      return Reply.json(inactive)
    }
    guard var object = token.claims.object else { return Reply.json(inactive) }
    object["active"] = true
    object["token_type"] = "Bearer"
    if token.subject != token.clientId, let person = try storage.read({ try $0.person(token.subject) }) {
      object["username"] = .string(person.username)
    }
    return Reply.json(.object(object))
  }

  /// `/oauth/revoke` (RFC 7009). A refresh token takes its whole family and all their access tokens with it.
  func revoke(_ request: Incoming) async throws -> Response {
    try request.form.refuseRepeated()
    let client = try await client(of: request)
    guard let text = request.form["token"] else { throw OAuthError(.invalidRequest, "token must be given") }
    guard revocations.count < Revocations.most else {
      throw OAuthError(.temporarilyUnavailable, "too many tokens were revoked lately", retryAfter: 60)
    }
    let now = now()
    let entry = Revocations.Entry(at: now, until: now + settings.accessTokenLifetime + settings.clockSkew)
    if let (family, _) = RefreshFamily.parts(of: text) {
      // What is not known is as good as revoked (section 2.2).
      guard let known = try refreshFamily(family, token: text) else { return Reply.json([:]) }
      guard known.grant.client == client.id else {
        throw OAuthError(.invalidGrant, "the token was given to another client")
      }
      var event = event(.tokenRevoked, request, person: known.grant.person, client: client.id)
      event.actor = .client(client.id)
      let noted = event
      try await storage.write { writer in
        _ = try writer.delete(family, in: .refreshFamilies)
        try Revocations.write(.grant(known.grant.id), entry, to: writer)
        try writer.note(noted)
      }
      revocations.add(.grant(known.grant.id), entry)
      return Reply.json([:])
    }
    guard let token = accessToken(text) else { return Reply.json([:]) }
    guard token.clientId == client.id else {
      throw OAuthError(.invalidGrant, "the token was given to another client")
    }
    let event = event(.tokenRevoked, request, client: client.id)
    try await storage.write { writer in
      // One that is revoked already needs no second entry.
      guard try writer.document(Revocations.Target.token(token.id).key, in: .revocations) == nil else { return }
      try Revocations.write(.token(token.id), entry, to: writer)
      try writer.note(event)
    }
    revocations.add(.token(token.id), entry)
    return Reply.json([:])
  }

  /// `/oauth/userinfo` (OpenID Connect Core 1.0 section 5.3).
  func userInfo(_ request: Incoming) throws -> Response {
    do throws(TokenRefusal) {
      // A token may also come in a form (RFC 6750 section 2.2), never in the query, where it would be noted down.
      let header = request.authorization ?? request.form["access_token"].map { "Bearer " + $0 }
      guard let header else { throw TokenRefusal(nil, "send an access token") }
      let caller = try verifier.verify(authorization: header)
      guard caller.scopes.contains(Scopes.openid) else {
        throw TokenRefusal(.insufficientScope, "the token has not the scope openid", scope: Scopes.openid)
      }
      guard caller.issuer == issuer, let person = try? storage.read({ try $0.person(caller.subject) }),
        !person.isDisabled
      else {
        throw TokenRefusal(.invalidToken, "the person is not known any more")
      }
      var object = JSONObject(["sub": .string(person.id)])
      addClaims(of: person, Array(caller.scopes), to: &object)
      return Reply.json(.object(object))
    } catch { return Reply.refusal(error) }
  }

  // MARK: Looking at tokens

  /// A family, if this is its one good token.
  private func refreshFamily(_ id: String, token: String) throws -> RefreshFamily? {
    guard
      let family = try storage.read({ try $0.document(id, in: .refreshFamilies) }).flatMap({ RefreshFamily(id: id, $0) }
      ),
      Secret.areSame(family.tokenHash, Secret.hash(token)), !family.isOver(settings, at: now())
    else { return nil }
    return family
  }

  /// An access token that was made here, whether it still holds or not.
  private func accessToken(_ text: String) -> AccessToken? {
    guard let token = try? SignedToken(parsing: text), token.type == AccessToken.type, keys.haveSigned(token),
      let access = AccessToken(claims: token.payload), access.issuer == issuer
    else { return nil }
    return access
  }

  private func isAlive(_ token: AccessToken) throws -> Bool {
    guard token.expiresAt > now(), !revocations.isRevoked(token) else { return false }
    if token.subject == token.clientId { return try storage.read { try $0.client(token.clientId) } != nil }
    return try storage.read { try $0.person(token.subject) }.map { !$0.isDisabled } ?? false
  }
}
