import Hummingbird
import NGSI
import Synchronization

/// Challenges that were given out: each is good once, for who got it. In memory: a restart ends a login that is under way.
final class Challenges: Sendable {
  static let most = 10_000
  static let lifetime = 300

  private let open = Mutex<[String: (holder: String, until: Int)]>([:])

  /// - Parameter holder: hash of the cookie that it is tied to.
  func make(for holder: String, at now: Int) -> String? {
    let challenge = Secret.make()
    return open.withLock { open in
      if open.count >= Self.most { open = open.filter { $0.value.until > now } }
      guard open.count < Self.most else { return nil }
      open[challenge] = (holder, now + Self.lifetime)
      return challenge
    }
  }

  /// Whether it is one that this holder may use now; it is used up by asking.
  func take(_ challenge: String, by holder: String, at now: Int) -> Bool {
    guard let found = open.withLock({ $0.removeValue(forKey: challenge) }) else { return false }
    return found.holder == holder && found.until > now
  }
}

extension IdentityProvider {
  static let mostPasskeys = 10

  private var check: PasskeyCheck { PasskeyCheck(party: Self.host(of: issuer), origin: issuer) }

  private static func host(of address: String) -> String {
    String((address.split(separator: "/").last ?? "").prefix { $0 != ":" })
  }

  /// The challenge that an answer is about, as the answer itself says; it is looked up before anything is believed.
  private func challenge(of credential: JSON) -> String? {
    guard let bytes = credential["response"]?["clientDataJSON"]?.string.flatMap(Base64URL.decode), bytes.count <= 8192
    else { return nil }
    return (try? JSONParser.parse(bytes, maxDepth: 8))?["challenge"]?.string
  }

  // MARK: Logging in

  /// What a browser needs for `navigator.credentials.get` (section 5.5).
  func passkeyLoginOptions(_ request: Incoming) -> Response {
    guard let visit = Self.cookie(visitCookie, in: request.cookie), isOwn(request, csrf: Self.csrf(of: visit)) else {
      return Reply.error(OAuthError(.accessDenied, "the page is too old; load it again"))
    }
    guard let challenge = challenges.make(for: Secret.hash(visit), at: now()) else {
      return Reply.error(OAuthError(.temporarilyUnavailable, "too many logins are under way", retryAfter: 30))
    }
    return Reply.json([
      "challenge": .string(challenge), "rpId": .string(check.party), "userVerification": "required",
      "timeout": .integer(Int64(Challenges.lifetime) * 1000), "allowCredentials": [],
    ])
  }

  func passkeyLogin(_ request: Incoming) async throws -> Response {
    let back = Self.ownAddress(request.form["back"])
    func again(_ problem: String, retryAfter: Int? = nil) -> Response {
      pages.login(request, back: back, username: "", problem: problem, retryAfter: retryAfter, self)
    }
    guard let visit = Self.cookie(visitCookie, in: request.cookie), isOwn(request, csrf: Self.csrf(of: visit)) else {
      return again("pageTooOld")
    }
    let buckets = [(key: "source:" + request.source, rule: Attempts.source)]
    if let wait = attempts.take(buckets, at: now()) {
      try await tell(event(.loginHeldBack, request))
      return again("tooManyAttempts", retryAfter: wait)
    }
    guard let credential = request.form["credential"].flatMap({ try? JSONParser.parse($0, maxDepth: 8) }),
      let challenge = challenge(of: credential), challenges.take(challenge, by: Secret.hash(visit), at: now()),
      let id = credential["id"]?.string,
      let handle = credential["response"]?["userHandle"]?.string.flatMap(Base64URL.decode)
    else {
      attempts.countFailure()
      return again("passkeyFailed")
    }
    let personId = String(decoding: handle, as: UTF8.self)
    let check = check
    let entered = try await storage.write { writer -> (Person, [String])? in
      guard var person = try writer.person(personId), !person.isDisabled,
        let index = person.passkeys.firstIndex(where: { $0.id == id }),
        let login = try? check.asserted(credential, challenge: challenge, by: person.passkeys[index])
      else { return nil }
      person.passkeys[index].counter = login.counter
      try writer.put(person)
      return (person, login.methods)
    }
    guard let (person, methods) = entered else {
      attempts.countFailure()
      try await tell(event(.loginFailed, request))
      return again("passkeyFailed")
    }
    attempts.giveBack(buckets, at: now())
    return try await enter(person, methods: methods, back: back, request)
  }

  // MARK: Adding and removing

  /// What a browser needs for `navigator.credentials.create` (section 5.4).
  func passkeyAddOptions(_ request: Incoming) throws -> Response {
    guard let open = try session(inCookie: request.cookie), isOwn(request, csrf: open.csrf),
      !open.person.mustChangePassword
    else { return Reply.error(OAuthError(.accessDenied, "the page is too old; load it again")) }
    guard let challenge = challenges.make(for: open.session.id, at: now()) else {
      return Reply.error(OAuthError(.temporarilyUnavailable, "too many logins are under way", retryAfter: 30))
    }
    let person = open.person
    return Reply.json([
      "challenge": .string(challenge),
      "rp": ["id": .string(check.party), "name": .string(settings.siteName["en"] ?? "Madang")],
      "user": [
        "id": .string(Base64URL.encode(person.id.utf8)), "name": .string(person.username),
        "displayName": .string(person.name),
      ],
      "pubKeyCredParams": [["type": "public-key", "alg": -7]],
      "authenticatorSelection": [
        "residentKey": "required", "requireResidentKey": true, "userVerification": "required",
      ],
      "attestation": "none", "timeout": .integer(Int64(Challenges.lifetime) * 1000),
      "excludeCredentials": .array(
        person.passkeys.map { ["type": "public-key", "id": .string($0.id)] }),
    ])
  }

  func addPasskey(_ request: Incoming) async throws -> Response {
    let open: OpenSession
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let session): open = session
    }
    guard let credential = request.form["credential"].flatMap({ try? JSONParser.parse($0, maxDepth: 8) }),
      let challenge = challenge(of: credential), challenges.take(challenge, by: open.session.id, at: now())
    else { return pages.account(request, open, problem: "passkeyFailed", self) }
    let name = String((request.form["name"] ?? open.person.username).prefix(64))
    let passkey: Passkey
    do throws(PasskeyCheck.Problem) {
      passkey = try check.registered(credential, challenge: challenge, name: name, at: now())
    } catch { return pages.account(request, open, problem: "passkeyFailed", self) }
    let id = open.person.id
    let event = event(.passkeyAdded, request, person: id)
    let isAdded = try await storage.write { writer in
      guard var person = try writer.person(id), person.passkeys.count < Self.mostPasskeys,
        try writer.document(passkey.id, in: .passkeys) == nil
      else { return false }
      person.passkeys.append(passkey)
      try writer.put(person)
      try writer.put(.string(id), id: passkey.id, in: .passkeys)
      try writer.note(event)
      return true
    }
    guard isAdded else { return pages.account(request, open, problem: "passkeyFailed", self) }
    return Reply.redirect(to: "/oauth/account")
  }

  func endPasskey(_ request: Incoming) async throws -> Response {
    let open: OpenSession
    switch try visitor(request) {
    case .failure(let instead): return instead.response
    case .success(let session): open = session
    }
    let person = open.person.id
    let id = request.form["id"] ?? ""
    let event = event(.passkeyRemoved, request, person: person)
    try await storage.write { writer in
      guard var person = try writer.person(person), person.passkeys.contains(where: { $0.id == id }) else { return }
      person.passkeys.removeAll { $0.id == id }
      try writer.put(person)
      _ = try writer.delete(id, in: .passkeys)
      try writer.note(event)
    }
    return Reply.redirect(to: "/oauth/account")
  }
}
