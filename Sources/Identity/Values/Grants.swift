import NGSI
import Synchronization

/// What a person has let a client have: from here codes, refresh tokens and access tokens come.
struct Grant: Sendable, Hashable {
  /// All tokens that come of it name it, and are revoked with it.
  let id: String
  let client: String
  let person: String
  var scopes: [String]
  /// What the tokens are for (RFC 8707); empty for the city itself.
  var resources: [String]
  var nonce: String?
  /// Seconds since 1970.
  var authenticatedAt: Int
  var methods: [String]
  /// Of the person when it was given: a later one ends it (``Person/sessionEpoch``).
  var epoch: Int

  var json: JSONObject {
    JSONObject([
      "grant": .string(id), "client": .string(client), "person": .string(person), "scopes": JSON(scopes),
      "resources": resources.isEmpty ? nil : JSON(resources), "nonce": nonce.map(JSON.string),
      "authenticatedAt": .integer(Int64(authenticatedAt)), "methods": JSON(methods), "epoch": .integer(Int64(epoch)),
    ])
  }

  init(
    id: String = Secret.make(bytes: 16), client: String, person: String, scopes: [String], resources: [String],
    nonce: String?, authenticatedAt: Int, methods: [String], epoch: Int
  ) {
    self.id = id
    self.client = client
    self.person = person
    self.scopes = scopes
    self.resources = resources
    self.nonce = nonce
    self.authenticatedAt = authenticatedAt
    self.methods = methods
    self.epoch = epoch
  }

  /// What a person lets a client have in a session.
  init(client: String, _ open: OpenSession, scopes: [String], resources: [String], nonce: String?) {
    self.init(
      client: client, person: open.person.id, scopes: scopes, resources: resources, nonce: nonce,
      authenticatedAt: open.session.authenticatedAt, methods: open.session.methods, epoch: open.person.sessionEpoch)
  }

  init?(_ json: JSON) {
    guard let id = json["grant"]?.string, let client = json["client"]?.string, let person = json["person"]?.string,
      let authenticatedAt = json["authenticatedAt"]?.integer
    else { return nil }
    self.init(
      id: id, client: client, person: person, scopes: json["scopes"]?.strings ?? [],
      resources: json["resources"]?.strings ?? [], nonce: json["nonce"]?.string, authenticatedAt: Int(authenticatedAt),
      methods: json["methods"]?.strings ?? [], epoch: Int(json["epoch"]?.integer ?? 0))
  }
}

/// An authorization code as it is kept (RFC 6749 section 4.1.2).
struct AuthorizationCode: Sendable, Hashable {
  var grant: Grant
  /// As it was asked for.
  var redirectURI: String
  /// Of PKCE, S256 (RFC 7636 section 4.2).
  var challenge: String
  var expiresAt: Int
  /// Used codes are remembered, since who brings one a second time has stolen it, or the first one had.
  var keptUntil: Int
  var isUsed = false

  var json: JSON {
    var object = grant.json
    object["redirectURI"] = .string(redirectURI)
    object["challenge"] = .string(challenge)
    object["expiresAt"] = .integer(Int64(expiresAt))
    object["keptUntil"] = .integer(Int64(keptUntil))
    object["isUsed"] = .bool(isUsed)
    return .object(object)
  }

  init(grant: Grant, redirectURI: String, challenge: String, expiresAt: Int, keptUntil: Int) {
    self.grant = grant
    self.redirectURI = redirectURI
    self.challenge = challenge
    self.expiresAt = expiresAt
    self.keptUntil = keptUntil
  }

  init?(_ json: JSON) {
    guard let grant = Grant(json), let redirectURI = json["redirectURI"]?.string,
      let challenge = json["challenge"]?.string, let expiresAt = json["expiresAt"]?.integer,
      let keptUntil = json["keptUntil"]?.integer
    else { return nil }
    self.init(
      grant: grant, redirectURI: redirectURI, challenge: challenge, expiresAt: Int(expiresAt),
      keptUntil: Int(keptUntil))
    isUsed = json["isUsed"]?.bool ?? false
  }
}

/// Refresh tokens that come one from the other (RFC 9700 section 4.14.2). Only the last one is good; who brings another of
/// the same family shows that two have it, and ends it for both.
struct RefreshFamily: Sendable, Hashable {
  /// Part of each of its tokens.
  let id: String
  var grant: Grant
  /// Of the one token that is good.
  var tokenHash: String
  var startedAt: Int
  var renewedAt: Int

  /// A token: which family, and the secret.
  static func token(family: String, secret: String) -> String { family + "." + secret }

  static func parts(of token: String) -> (family: String, secret: String)? {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].utf8.count == 22, parts[1].utf8.count == 43 else { return nil }
    return (String(parts[0]), String(parts[1]))
  }

  func isOver(_ settings: IdentitySettings, at now: Int) -> Bool {
    now >= startedAt + settings.refreshLifetime || now >= renewedAt + settings.refreshIdle
  }

  var json: JSON {
    var object = grant.json
    object["tokenHash"] = .string(tokenHash)
    object["startedAt"] = .integer(Int64(startedAt))
    object["renewedAt"] = .integer(Int64(renewedAt))
    return .object(object)
  }

  init(id: String, grant: Grant, tokenHash: String, at now: Int) {
    self.id = id
    self.grant = grant
    self.tokenHash = tokenHash
    startedAt = now
    renewedAt = now
  }

  init?(id: String, _ json: JSON) {
    guard let grant = Grant(json), let tokenHash = json["tokenHash"]?.string,
      let startedAt = json["startedAt"]?.integer, let renewedAt = json["renewedAt"]?.integer
    else { return nil }
    self.init(id: id, grant: grant, tokenHash: tokenHash, at: Int(startedAt))
    self.renewedAt = Int(renewedAt)
  }
}

/// A device without a keyboard that waits for somebody to let it in (RFC 8628).
struct DeviceGrant: Sendable, Hashable {
  enum State: Sendable, Hashable {
    case waiting
    case denied
    case approved(Grant)
  }

  /// Hash of the device code.
  let id: String
  let client: String
  let scopes: [String]
  let resources: [String]
  let userCodeHash: String
  let expiresAt: Int
  var state = State.waiting

  var json: JSON {
    var object = JSONObject()
    if case .approved(let grant) = state { object = grant.json }
    object["askedBy"] = .string(client)
    object["askedScopes"] = JSON(scopes)
    object["askedResources"] = JSON(resources)
    object["userCodeHash"] = .string(userCodeHash)
    object["expiresAt"] = .integer(Int64(expiresAt))
    object["isDenied"] = .bool(state == .denied)
    return .object(object)
  }

  init(id: String, client: String, scopes: [String], resources: [String], userCodeHash: String, expiresAt: Int) {
    self.id = id
    self.client = client
    self.scopes = scopes
    self.resources = resources
    self.userCodeHash = userCodeHash
    self.expiresAt = expiresAt
  }

  init?(id: String, _ json: JSON) {
    guard let client = json["askedBy"]?.string, let userCodeHash = json["userCodeHash"]?.string,
      let expiresAt = json["expiresAt"]?.integer
    else { return nil }
    self.init(
      id: id, client: client, scopes: json["askedScopes"]?.strings ?? [],
      resources: json["askedResources"]?.strings ?? [], userCodeHash: userCodeHash, expiresAt: Int(expiresAt))
    if json["isDenied"]?.bool == true {
      state = .denied
    } else if let grant = Grant(json) {
      state = .approved(grant)
    }
  }
}

/// When devices last asked, to hold back those that ask too often. In memory only: a question costs no write.
final class DevicePolls: Sendable {
  private let last = Mutex<[String: (at: Int, interval: Int)]>([:])

  /// Whether a device may ask now; each question that comes too early makes the pause 5 seconds longer
  /// (RFC 8628 section 3.5).
  func mayAsk(_ id: String, at now: Int, interval: Int, most: Int) -> Bool {
    last.withLock { last in
      if last.count >= 2 * most { last = [:] }
      guard let before = last[id] else {
        last[id] = (now, interval)
        return true
      }
      let isEarly = now < before.at + before.interval
      last[id] = (now, isEarly ? before.interval + 5 : before.interval)
      return !isEarly
    }
  }

  func forget(_ id: String) { last.withLock { $0[id] = nil } }
}
