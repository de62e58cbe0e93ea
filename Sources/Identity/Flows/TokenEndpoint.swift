import Crypto
import Foundation
import Hummingbird
import NGSI

/// `/oauth/token` (RFC 6749 section 3.2).
extension IdentityProvider {
  /// What a client gets.
  struct Issued: Sendable {
    var accessToken: String
    var scopes: [String]
    var refreshToken: String?
    var idToken: String?
  }

  func token(_ request: Incoming) async throws -> Response {
    try request.form.refuseRepeated()
    guard let name = request.form["grant_type"] else { throw OAuthError(.invalidRequest, "grant_type is missing") }
    let client = try await client(of: request)
    guard let type = Client.GrantType(rawValue: name) else {
      throw OAuthError(.unsupportedGrantType, "grant_type is none of those in the provider's metadata")
    }
    guard client.grantTypes.contains(type) else {
      throw OAuthError(.unauthorizedClient, "the client is not registered for this grant type")
    }
    let issued =
      switch type {
      case .authorizationCode: try await exchange(code: request, client)
      case .clientCredentials: try await ownToken(request, client)
      case .refreshToken: try await renew(request, client)
      case .deviceCode: try await exchange(device: request, client)
      }
    let body = JSONObject([
      "access_token": .string(issued.accessToken), "token_type": "Bearer",
      "expires_in": .integer(Int64(settings.accessTokenLifetime)),
      "scope": .string(issued.scopes.joined(separator: " ")),
      "refresh_token": issued.refreshToken.map(JSON.string), "id_token": issued.idToken.map(JSON.string),
    ])
    return Reply.json(.object(body))
  }

  // MARK: Scopes and audiences

  /// The scopes of a request: what is asked for, all that the client may have where nothing is.
  func scopes(asked text: String?, of client: Client) throws(OAuthError) -> [String] {
    let asked = Scopes.list(text)
    guard !asked.isEmpty else { return client.scopes.filter { $0 != Scopes.openid && $0 != Scopes.offline } }
    for scope in asked where !client.scopes.contains(scope) {
      throw OAuthError(.invalidScope, "the client may not have the scope \(scope.prefix(64))")
    }
    return asked
  }

  /// What tokens are to be for (RFC 8707 section 2); empty for the city itself.
  func resources(asked: [String], of client: Client) throws(OAuthError) -> [String] {
    for resource in asked where resource != issuer && !client.resources.contains(resource) {
      throw OAuthError(.invalidTarget, "the client may have no token for \(resource.prefix(200))")
    }
    return asked == [issuer] ? [] : asked
  }

  // MARK: Grants

  /// The client acts for itself (RFC 6749 section 4.4).
  private func ownToken(_ request: Incoming, _ client: Client) async throws -> Issued {
    guard !client.isPublic else { throw OAuthError(.unauthorizedClient, "a client without a secret acts for nobody") }
    let scopes = try scopes(asked: request.form["scope"], of: client)
    guard !scopes.contains(Scopes.openid), !scopes.contains(Scopes.offline) else {
      throw OAuthError(.invalidScope, "openid and offline_access are for people")
    }
    let resources = try resources(asked: request.form.all("resource"), of: client)
    let now = now()
    let token = AccessToken(
      issuer: issuer, subject: client.id, audience: resources.isEmpty ? [issuer] : resources, clientId: client.id,
      scopes: scopes, issuedAt: now, expiresAt: now + settings.accessTokenLifetime, standing: client.standing,
      grant: nil)
    let text = try keys.signing(at: now).sign(token.claims, type: AccessToken.type)
    try await tell(event(.loggedIn, request, client: client.id, detail: scopes.joined(separator: " ")))
    return Issued(accessToken: text, scopes: scopes)
  }

  /// A code is exchanged (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
  private func exchange(code request: Incoming, _ client: Client) async throws -> Issued {
    let form = request.form
    guard let code = form["code"], let verifier = form["code_verifier"] else {
      throw OAuthError(.invalidRequest, "code and code_verifier must be given")
    }
    guard (43...128).contains(verifier.utf8.count), verifier.utf8.allSatisfy(Self.isVerifierLetter) else {
      throw OAuthError(.invalidRequest, "code_verifier must have from 43 to 128 unreserved characters")
    }
    let challenge = Secret.hash(verifier)
    let redirectURI = form["redirect_uri"]
    let id = Secret.hash(code)
    let now = now()
    let revoked = Revocations.Entry(at: now, until: now + settings.accessTokenLifetime + settings.clockSkew)
    enum Outcome: Sendable {
      case good(Grant)
      case replayed(Grant)
      case refused(String)
    }
    // Whoever shows a code ends it, whether he may have it or not.
    let outcome: Outcome = try await storage.write { writer in
      guard var code = try writer.document(id, in: .codes).flatMap(AuthorizationCode.init) else {
        return .refused("the code is not one of ours, or has run out")
      }
      let grant = code.grant
      if code.isUsed {
        // Its tokens may be with a thief (RFC 6749 section 4.1.2).
        _ = try writer.delete(grant.id, in: .refreshFamilies)
        try Revocations.write(.grant(grant.id), revoked, to: writer)
        return .replayed(grant)
      }
      code.isUsed = true
      try writer.put(code.json, id: id, in: .codes)
      guard code.expiresAt > now else { return .refused("the code has run out") }
      guard grant.client == client.id else { return .refused("the code was given to another client") }
      guard code.redirectURI == redirectURI else { return .refused("redirect_uri is not that of the request") }
      guard Secret.areSame(code.challenge, challenge) else {
        return .refused("code_verifier is not that of the request")
      }
      return .good(grant)
    }
    switch outcome {
    case .good(let grant): return try await issue(grant, to: client, narrowed: nil, request)
    case .refused(let reason): throw OAuthError(.invalidGrant, reason)
    case .replayed(let grant):
      revocations.add(.grant(grant.id), revoked)
      try await tell(event(.tokenReplayed, request, person: grant.person, client: client.id))
      throw OAuthError(.invalidGrant, "the code was used before; what was given for it is revoked")
    }
  }

  private static func isVerifierLetter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      true
    default: false
    }
  }

  /// A refresh token is exchanged for the next (RFC 6749 section 6, RFC 9700 section 4.14.2).
  private func renew(_ request: Incoming, _ client: Client) async throws -> Issued {
    guard let text = request.form["refresh_token"] else {
      throw OAuthError(.invalidRequest, "refresh_token must be given")
    }
    guard let (family, _) = RefreshFamily.parts(of: text) else {
      throw OAuthError(.invalidGrant, "this is no refresh token of ours")
    }
    let asked = request.form["scope"].map { Scopes.list($0) }
    let hash = Secret.hash(text)
    let next = RefreshFamily.token(family: family, secret: Secret.make())
    let now = now()
    let settings = settings
    let revoked = Revocations.Entry(at: now, until: now + settings.accessTokenLifetime + settings.clockSkew)
    enum Outcome: Sendable {
      case good(Grant)
      case replayed(Grant)
      case refused(OAuthError)
    }
    let outcome: Outcome = try await storage.write { writer in
      guard var known = try writer.document(family, in: .refreshFamilies).flatMap({ RefreshFamily(id: family, $0) }),
        !known.isOver(settings, at: now)
      else { return .refused(OAuthError(.invalidGrant, "the refresh token is not known, or has run out")) }
      // An old one, or one in the wrong hands: somebody has what is not his.
      guard Secret.areSame(known.tokenHash, hash), known.grant.client == client.id else {
        _ = try writer.delete(family, in: .refreshFamilies)
        try Revocations.write(.grant(known.grant.id), revoked, to: writer)
        return .replayed(known.grant)
      }
      guard let person = try writer.person(known.grant.person), !person.isDisabled,
        person.sessionEpoch == known.grant.epoch
      else {
        _ = try writer.delete(family, in: .refreshFamilies)
        return .refused(OAuthError(.invalidGrant, "the person is not let in any more"))
      }
      if let asked, let more = asked.first(where: { !known.grant.scopes.contains($0) }) {
        return .refused(OAuthError(.invalidScope, "the grant does not have the scope \(more.prefix(64))"))
      }
      known.tokenHash = Secret.hash(next)
      known.renewedAt = now
      try writer.put(known.json, id: family, in: .refreshFamilies)
      return .good(known.grant)
    }
    switch outcome {
    case .good(var grant):
      grant.nonce = nil
      return try await issue(grant, to: client, narrowed: asked, refresh: next, request)
    case .refused(let error): throw error
    case .replayed(let grant):
      revocations.add(.grant(grant.id), revoked)
      try await tell(event(.tokenReplayed, request, person: grant.person, client: client.id))
      throw OAuthError(.invalidGrant, "the refresh token was used before; all of its family are revoked")
    }
  }

  /// Makes the tokens of a grant.
  ///
  /// - Parameters:
  ///   - narrowed: fewer scopes, for the access token alone.
  ///   - refresh: the refresh token that takes the place of another.
  func issue(
    _ grant: Grant, to client: Client, narrowed: [String]?, refresh: String? = nil, _ request: Incoming
  ) async throws -> Issued {
    guard let person = try storage.read({ try $0.person(grant.person) }), !person.isDisabled,
      person.sessionEpoch == grant.epoch
    else {
      throw OAuthError(.invalidGrant, "the person is not let in any more")
    }
    let now = now()
    let key = try keys.signing(at: now)
    let scopes = narrowed ?? grant.scopes
    let access = AccessToken(
      issuer: issuer, subject: person.id, audience: grant.resources.isEmpty ? [issuer] : grant.resources,
      clientId: client.id, scopes: scopes, issuedAt: now, expiresAt: now + settings.accessTokenLifetime,
      standing: person.standing, grant: grant.id, authenticatedAt: grant.authenticatedAt, methods: grant.methods)
    var issued = Issued(accessToken: try key.sign(access.claims, type: AccessToken.type), scopes: scopes)
    if scopes.contains(Scopes.openid) {
      let claims = idClaims(person, scopes, grant, client, accessToken: issued.accessToken, at: now)
      issued.idToken = try keys.signing(client.idTokenAlgorithm, at: now).sign(claims, type: "JWT")
    }
    issued.refreshToken = refresh
    if refresh == nil, client.grantTypes.contains(.refreshToken) {
      // The family bears the grant's id, so that what revokes the one finds the other.
      let token = RefreshFamily.token(family: grant.id, secret: Secret.make())
      let family = RefreshFamily(id: grant.id, grant: grant, tokenHash: Secret.hash(token), at: now)
      try await storage.write { writer in
        // The same code may have come a second time meanwhile.
        guard try writer.document(Revocations.Target.grant(grant.id).key, in: .revocations) == nil else {
          throw OAuthError(.invalidGrant, "the grant was revoked")
        }
        try writer.put(family.json, id: family.id, in: .refreshFamilies)
      }
      issued.refreshToken = token
    }
    return issued
  }

  /// What an ID token says (OpenID Connect Core 1.0 sections 2 and 3.1.3.6).
  private func idClaims(
    _ person: Person, _ scopes: [String], _ grant: Grant, _ client: Client, accessToken: String, at now: Int
  ) -> JSON {
    var object = JSONObject([
      "iss": .string(issuer), "sub": .string(person.id), "aud": .string(client.id), "iat": .integer(Int64(now)),
      "exp": .integer(Int64(now + settings.accessTokenLifetime)), "auth_time": .integer(Int64(grant.authenticatedAt)),
      "nonce": grant.nonce.map(JSON.string), "amr": JSON(grant.methods),
      "at_hash": .string(Base64URL.encode(Array(SHA256.hash(data: Data(accessToken.utf8))).prefix(16))),
    ])
    addClaims(of: person, scopes, to: &object)
    return .object(object)
  }

  /// The claims that scopes open (OpenID Connect Core 1.0 section 5.4).
  func addClaims(of person: Person, _ scopes: [String], to object: inout JSONObject) {
    if scopes.contains(Scopes.profile) {
      object["name"] = .string(person.name)
      object["preferred_username"] = .string(person.username)
      person.standing.write(to: &object)
    }
    if scopes.contains(Scopes.email), let email = person.email {
      object["email"] = .string(email)
      object["email_verified"] = false
    }
  }
}
