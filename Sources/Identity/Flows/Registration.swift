import Hummingbird
import NGSI

/// `/oauth/register`: clients, made by administrators (RFC 7591, RFC 7592 with the administrator's own token in place of a
/// token for each client).
extension IdentityProvider {
  /// What ID tokens may be signed with.
  static let idTokenAlgorithms: [SignatureAlgorithm] = [.es256, .rs256]

  /// The administrator that a request comes from.
  func administrator(_ request: Incoming) async throws(TokenRefusal) -> Authenticated {
    let caller = try await verifier.authenticate(
      authorization: request.authorization, cookie: request.cookie, csrf: request.csrfHeader,
      changes: request.method != .get)
    guard caller.has(role: Standing.administrator) else {
      throw TokenRefusal(.insufficientScope, "only an administrator may do this")
    }
    if caller.clientId != nil, !caller.scopes.contains("city:admin") {
      throw TokenRefusal(.insufficientScope, "the token has not the scope city:admin", scope: "city:admin")
    }
    return caller
  }

  func register(_ request: Incoming, by administrator: Authenticated) async throws -> Response {
    let (client, secret) = try registered(try Self.json(request), as: Secret.make(bytes: 16))
    try keys.provide(client.idTokenAlgorithm, at: now())
    let most = settings.mostClients
    var events = [event(.clientAdded, request, client: client.id, by: administrator)]
    if !client.standing.roles.isEmpty {
      events.append(
        event(
          .rolesGiven, request, client: client.id, by: administrator,
          detail: client.standing.roles.joined(separator: ", ")))
    }
    let noted = events
    try await storage.write { writer in
      guard try writer.count(in: .clients) < most else {
        throw OAuthError(.invalidClientMetadata, "there are \(most) clients already")
      }
      try writer.put(client)
      for event in noted { try writer.note(event) }
    }
    var object = shown(client)
    if let secret {
      object["client_secret"] = .string(secret)
      object["client_secret_expires_at"] = 0
    }
    return Reply.json(.object(object), status: .created)
  }

  func registration(_ id: String) throws -> Response {
    guard let client = try storage.read({ try $0.client(id) }) else { return Reply.nothingHere }
    return Reply.json(.object(shown(client)))
  }

  /// A client that is taken away takes its tokens with it.
  func unregister(_ id: String, _ request: Incoming, by administrator: Authenticated) async throws -> Response {
    guard id != BuiltInClients.commandLine else {
      throw OAuthError(.invalidRequest, "this client belongs to the city")
    }
    let now = now()
    let entry = Revocations.Entry(at: now, until: now + settings.accessTokenLifetime + settings.clockSkew)
    let event = event(.clientRemoved, request, client: id, by: administrator)
    let isGone = try await storage.write { writer in
      guard try writer.delete(id, in: .clients) else { return false }
      try Revocations.write(.client(id), entry, to: writer)
      try writer.note(event)
      return true
    }
    guard isGone else { return Reply.nothingHere }
    revocations.add(.client(id), entry)
    return Response(status: .noContent)
  }

  static func json(_ request: Incoming) throws(OAuthError) -> JSONObject {
    guard let object = (try? JSONParser.parse(request.body, maxDepth: 16))?.object else {
      throw OAuthError(.invalidRequest, "the body must be a JSON object")
    }
    return object
  }

  /// A client from its metadata (RFC 7591 section 2), and its secret where it gets one.
  private func registered(_ json: JSONObject, as id: String) throws(OAuthError) -> (Client, secret: String?) {
    func wrong(_ text: String) -> OAuthError { OAuthError(.invalidClientMetadata, text) }
    func list(_ name: String) throws(OAuthError) -> [String]? {
      guard let value = json[name] else { return nil }
      guard let texts = value.strings, texts.count == value.array?.count, texts.count <= Client.mostURIs else {
        throw wrong("\(name) must be a list of at most \(Client.mostURIs) texts")
      }
      return texts
    }
    let method = json["token_endpoint_auth_method"]?.string ?? Client.Authentication.secretBasic.rawValue
    guard let authentication = Client.Authentication(rawValue: method) else {
      throw wrong("token_endpoint_auth_method is none of those in the provider's metadata")
    }
    let name = json["client_name"]?.string ?? id
    guard (1...200).contains(name.utf8.count) else { throw wrong("client_name must have from 1 to 200 bytes") }
    var client = Client(id: id, name: name, authentication: authentication)
    client.redirectURIs = try list("redirect_uris") ?? []
    client.postLogoutRedirectURIs = try list("post_logout_redirect_uris") ?? []
    for uri in client.redirectURIs + client.postLogoutRedirectURIs {
      if let problem = Client.problem(withRedirect: uri) {
        throw OAuthError(.invalidRedirectURI, "\(uri.prefix(100)): \(problem)")
      }
    }
    for type in try list("grant_types") ?? [Client.GrantType.authorizationCode.rawValue] {
      guard let type = Client.GrantType(rawValue: type) else {
        throw wrong("the grant type \(type.prefix(80)) is not known")
      }
      client.grantTypes.insert(type)
    }
    guard !client.grantTypes.contains(.authorizationCode) || !client.redirectURIs.isEmpty else {
      throw OAuthError(.invalidRedirectURI, "a client that asks people needs redirect_uris")
    }
    guard !client.grantTypes.contains(.clientCredentials) || authentication != .none else {
      throw wrong("client_credentials needs a client that can show itself")
    }
    guard try list("response_types") ?? ["code"] == ["code"] || client.redirectURIs.isEmpty else {
      throw wrong("response_types must be code")
    }
    let signature = json["id_token_signed_response_alg"]?.string ?? SignatureAlgorithm.es256.rawValue
    guard let algorithm = SignatureAlgorithm(rawValue: signature), Self.idTokenAlgorithms.contains(algorithm) else {
      throw wrong("id_token_signed_response_alg must be ES256 or RS256")
    }
    client.idTokenAlgorithm = algorithm
    client.scopes = Scopes.list(json["scope"]?.string)
    if client.scopes.isEmpty { client.scopes = [Scopes.openid, Scopes.profile, Scopes.email] }
    for scope in client.scopes where !settings.allScopes.contains(scope) {
      throw wrong("the scope \(scope.prefix(64)) is not known")
    }
    client.resources = try list("resources") ?? []
    client.standing = Standing(.object(json))
    guard client.standing.isFit else { throw wrong("roles, groups, agency or tenants are too many or too long") }
    client.isFirstParty = json["first_party"]?.bool ?? false
    client.createdAt = now()
    guard authentication == .privateKey else {
      guard authentication != .none else { return (client, nil) }
      let secret = Secret.make()
      client.secretHash = Secret.hash(secret)
      return (client, secret)
    }
    guard json["jwks_uri"] == nil, let keys = json["jwks"], !VerificationKey.set(keys).isEmpty else {
      throw wrong("private_key_jwt needs jwks with a public key of a kind in the provider's metadata")
    }
    guard !(keys["keys"]?.array ?? []).contains(where: { $0["d"] != nil || $0["k"] != nil }) else {
      throw wrong("jwks holds a private key: make a new one, this one is known now")
    }
    client.keys = keys
    return (client, nil)
  }

  private func shown(_ client: Client) -> JSONObject {
    var object = JSONObject([
      "client_id": .string(client.id), "client_name": .string(client.name),
      "client_id_issued_at": .integer(Int64(client.createdAt)),
      "token_endpoint_auth_method": .string(client.authentication.rawValue),
      "redirect_uris": JSON(client.redirectURIs), "post_logout_redirect_uris": JSON(client.postLogoutRedirectURIs),
      "grant_types": JSON(client.grantTypes.map(\.rawValue).sorted()),
      "response_types": client.grantTypes.contains(.authorizationCode) ? ["code"] : [],
      "scope": .string(client.scopes.joined(separator: " ")), "jwks": client.keys,
      "id_token_signed_response_alg": .string(client.idTokenAlgorithm.rawValue),
      "first_party": .bool(client.isFirstParty),
      "resources": client.resources.isEmpty ? nil : JSON(client.resources),
    ])
    client.standing.write(to: &object)
    return object
  }
}

extension Reply {
  static var nothingHere: Response {
    json(["error": "not_found", "error_description": "there is nothing of this name"], status: .notFound)
  }
}
