import Hummingbird
import NGSI

/// Devices without a keyboard (RFC 8628).
enum UserCode {
  /// No vowels, so that no words come out, and nothing that looks like a digit (section 6.1): 20^8 codes.
  static let letters = Array("BCDFGHJKLMNPQRSTVWXZ")
  static let length = 8

  static func make() -> String {
    var generator = SystemRandomNumberGenerator()
    return String((0..<length).map { _ in letters[Int.random(in: 0..<letters.count, using: &generator)] })
  }

  /// As it is shown: `BCDF-GHJK`.
  static func shown(_ code: String) -> String { code.prefix(4) + "-" + code.dropFirst(4) }

  /// What was typed, without what people put between.
  static func normalized(_ text: String) -> String { text.uppercased().filter { letters.contains($0) } }
}

extension IdentityProvider {
  /// `/oauth/device_authorization` (section 3.1).
  func deviceAuthorization(_ request: Incoming) async throws -> Response {
    try request.form.refuseRepeated()
    let client = try await client(of: request)
    guard client.grantTypes.contains(.deviceCode) else {
      throw OAuthError(.unauthorizedClient, "the client is not registered for this grant type")
    }
    if let wait = attempts.take([(key: "device:" + request.source, rule: Attempts.source)], at: now()) {
      throw OAuthError(.temporarilyUnavailable, "too many devices from this address", retryAfter: wait)
    }
    let scopes = try scopes(asked: request.form["scope"], of: client)
    let resources = try resources(asked: request.form.all("resource"), of: client)
    let code = Secret.make()
    let userCode = UserCode.make()
    let grant = DeviceGrant(
      id: Secret.hash(code), client: client.id, scopes: scopes, resources: resources,
      userCodeHash: Secret.hash(userCode), expiresAt: now() + settings.deviceLifetime)
    let most = settings.mostDeviceGrants
    try await storage.write { writer in
      guard try writer.count(in: .deviceGrants) < most,
        try writer.document(grant.userCodeHash, in: .userCodes) == nil
      else { throw OAuthError(.temporarilyUnavailable, "too many devices wait to be let in", retryAfter: 30) }
      try writer.put(grant.json, id: grant.id, in: .deviceGrants)
      try writer.put(
        ["device": .string(grant.id), "expiresAt": .integer(Int64(grant.expiresAt))], id: grant.userCodeHash,
        in: .userCodes)
    }
    let page = issuer + "/oauth/device"
    return Reply.json([
      "device_code": .string(code), "user_code": .string(UserCode.shown(userCode)), "verification_uri": .string(page),
      "verification_uri_complete": .string(page + "?user_code=" + UserCode.shown(userCode)),
      "expires_in": .integer(Int64(settings.deviceLifetime)), "interval": .integer(Int64(settings.deviceInterval)),
    ])
  }

  /// The device asks whether it is let in (section 3.4).
  func exchange(device request: Incoming, _ client: Client) async throws -> Issued {
    guard let code = request.form["device_code"] else {
      throw OAuthError(.invalidRequest, "device_code must be given")
    }
    let id = Secret.hash(code)
    let now = now()
    guard let known = try storage.read({ try $0.document(id, in: .deviceGrants) }).flatMap({ DeviceGrant(id: id, $0) }),
      known.client == client.id
    else { throw OAuthError(.invalidGrant, "the device code is not one of ours for this client, or was used") }
    guard known.expiresAt > now else { throw OAuthError(.expiredToken, "the device code has run out; begin again") }
    guard polls.mayAsk(id, at: now, interval: settings.deviceInterval, most: settings.mostDeviceGrants) else {
      throw OAuthError(.slowDown, "ask less often", retryAfter: settings.deviceInterval)
    }
    if known.state == .waiting {
      throw OAuthError(.authorizationPending, "nobody has answered yet")
    }
    // Used once, whatever the answer was.
    let grant = try await storage.write { writer -> DeviceGrant? in
      guard let grant = try writer.document(id, in: .deviceGrants).flatMap({ DeviceGrant(id: id, $0) }) else {
        return nil
      }
      _ = try writer.delete(id, in: .deviceGrants)
      return grant
    }
    polls.forget(id)
    switch grant?.state {
    case .approved(let grant): return try await issue(grant, to: client, narrowed: nil, request)
    case .denied: throw OAuthError(.accessDenied, "the person has declined")
    case .waiting, nil: throw OAuthError(.invalidGrant, "the device code was used")
    }
  }

  /// `/oauth/device`: the person types the code that the device shows.
  func showDevice(_ request: Incoming) throws -> Response {
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let open):
      return pages.device(request, open, code: request.parameters["user_code"] ?? "", problem: nil, self)
    }
  }

  /// First the code, then yes or no: the page names the program, so that nobody lets in what he did not start himself.
  func answerDevice(_ request: Incoming) async throws -> Response {
    let open: OpenSession
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let session): open = session
    }
    let text = UserCode.normalized(request.form["user_code"] ?? "")
    let buckets = [
      (key: "usercode-source:" + request.source, rule: Attempts.source),
      (key: "usercode:" + open.person.id, rule: Attempts.account),
    ]
    if let wait = attempts.take(buckets, at: now()) {
      return pages.device(request, open, code: text, problem: "tooManyAttempts", retryAfter: wait, self)
    }
    let hash = Secret.hash(text)
    let now = now()
    let found = try storage.read { reader -> (DeviceGrant, Client)? in
      guard let id = try reader.document(hash, in: .userCodes)?["device"]?.string,
        let grant = try reader.document(id, in: .deviceGrants).flatMap({ DeviceGrant(id: id, $0) }),
        grant.expiresAt > now, grant.state == .waiting, let client = try reader.client(grant.client)
      else { return nil }
      return (grant, client)
    }
    guard let (grant, client) = found else {
      attempts.countFailure()
      return pages.device(request, open, code: text, problem: "wrongUserCode", self)
    }
    attempts.giveBack(buckets, at: now)
    guard let answer = request.form["answer"] else {
      return pages.deviceQuestion(request, open, code: text, client, grant, self)
    }
    var answered = grant
    answered.state =
      answer == "yes"
      ? .approved(Grant(client: client.id, open, scopes: grant.scopes, resources: grant.resources, nonce: nil))
      : .denied
    let stored = answered
    let event = event(
      answer == "yes" ? .allowed : .declined, request, person: open.person.id, client: client.id,
      detail: grant.scopes.joined(separator: " "))
    try await storage.write { writer in
      guard try writer.delete(hash, in: .userCodes) else { return }
      try writer.put(stored.json, id: stored.id, in: .deviceGrants)
      try writer.note(event)
    }
    return pages.deviceDone(request, isAllowed: answer == "yes", self)
  }
}
