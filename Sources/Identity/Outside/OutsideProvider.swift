import NGSI
import Synchronization

/// Asks an outside provider. What it does is bounded in time.
public protocol DocumentFetching: Sendable {
  /// The body of a `GET` with status 200.
  ///
  /// - Parameter mostBytes: a longer answer is an error.
  func fetch(_ address: String, mostBytes: Int) async throws -> [UInt8]

  /// Status and body of a `POST` of a form (`application/x-www-form-urlencoded`). No redirect is followed: what is sent
  /// is for this address alone.
  ///
  /// - Parameters:
  ///   - authorization: the header of this name.
  ///   - mostBytes: a longer answer is an error.
  func post(
    _ form: String, to address: String, authorization: String?, mostBytes: Int
  ) async throws -> (status: Int, body: [UInt8])
}

/// An outside OpenID provider whose tokens are believed: an agency's own, say. People may log in to the pages there, too.
///
/// Its metadata and keys are fetched when its first token or login comes, kept for an hour, and fetched anew when a token names a
/// key that is not among them, once a minute at most.
public final class OutsideProvider: Sendable {
  /// How its tokens are read.
  public struct Mapping: Sendable, Hashable {
    /// What the tokens must be for: one of these.
    public var audiences: [String]
    /// The claim that holds the roles there: a list, or a text with spaces between; a path with points, e.g.
    /// `realm_access.roles`.
    public var rolesClaim: String
    /// Which of them are which role here; others count for nothing.
    public var roles: [String: String]
    /// The agency of everyone that it speaks for.
    public var agency: String?
    /// Tenants of everyone that it speaks for.
    public var tenants: [String]
    /// Scopes that its tokens have here.
    public var scopes: [String]

    public init(
      audiences: [String], rolesClaim: String = "roles", roles: [String: String] = [:], agency: String? = nil,
      tenants: [String] = [], scopes: [String] = []
    ) {
      self.audiences = audiences
      self.rolesClaim = rolesClaim
      self.roles = roles
      self.agency = agency
      self.tenants = tenants
      self.scopes = scopes
    }
  }

  static let mostBytes = 256 << 10
  static let keepKeys = 3600
  static let leastPause = 60

  public let issuer: String
  public let mapping: Mapping
  /// How people log in there; `nil` where they do not.
  public let login: OutsideLogin?
  let fetcher: any DocumentFetching
  private struct State {
    var metadata: OutsideMetadata?
    var keys: [VerificationKey] = []
    /// Under way: who needs what it brings waits for it.
    var fetching: Task<Void, any Error>?
    var fetchedAt: Int?
    var askedAt: Int?
  }

  private let state = Mutex(State())

  /// - Parameter issuer: as its tokens name it; its metadata are at `/.well-known/openid-configuration` below.
  public init(
    issuer: String, mapping: Mapping, login: OutsideLogin? = nil, fetcher: any DocumentFetching
  ) {
    self.issuer = issuer
    self.mapping = mapping
    self.login = login
    self.fetcher = fetcher
  }

  /// Checks a token with the keys that are there.
  func authenticated(by token: SignedToken, at now: Int, skew: Int) throws(TokenRefusal) -> Authenticated {
    guard haveSigned(token) else {
      throw TokenRefusal(.invalidToken, "the token is not signed by a known key of its issuer")
    }
    let claims = token.payload
    // An ID token may be for further audiences, and goes through the browser when its person logs out.
    guard token.type != "dpop+jwt", token.type != "logout+jwt", claims["at_hash"] == nil, claims["c_hash"] == nil else {
      throw TokenRefusal(.invalidToken, "this is no access token")
    }
    guard !Set(claims["aud"]?.items.compactMap(\.string) ?? []).isDisjoint(with: mapping.audiences) else {
      throw TokenRefusal(.invalidToken, "the token is for another audience")
    }
    guard let expiry = claims["exp"]?.number, expiry > Double(now - skew) else {
      throw TokenRefusal(.invalidToken, "the token has expired")
    }
    for claim in ["nbf", "iat"] {
      guard claims[claim]?.number.map({ $0 <= Double(now + skew) }) ?? true else {
        throw TokenRefusal(.invalidToken, "the token is of the future")
      }
    }
    guard let subject = claims["sub"]?.string, (1...255).contains(subject.utf8.count) else {
      throw TokenRefusal(.invalidToken, "the token names nobody")
    }
    return Authenticated(
      subject: subject, issuer: issuer, clientId: claims["client_id"]?.string ?? claims["azp"]?.string,
      scopes: Set(mapping.scopes),
      standing: standing(ofRoles: rolesThere(claims)), methods: claims["amr"]?.strings ?? [],
      expiresAt: Int(min(expiry, 1e15)), means: .token(id: claims["jti"]?.string))
  }

  /// Roles there, of those that the manifest names.
  private func rolesThere(_ claims: JSONObject) -> [String] {
    var value: JSON? = .object(claims)
    for step in mapping.rolesClaim.split(separator: ".") { value = value?[String(step)] }
    // One text may be a list, as that of `scope` is.
    let names = value?.string.map(Scopes.list) ?? value?.strings ?? []
    return Set(names.prefix(1000).filter { mapping.roles[$0] != nil }).sorted()
  }

  /// What somebody with these roles there is here.
  func standing(ofRoles there: [String]) -> Standing {
    Standing(
      roles: Set(there.compactMap { mapping.roles[$0] }).sorted(), agency: mapping.agency, tenants: mapping.tenants)
  }

  /// Whom claims are about that were found good.
  func person(_ claims: JSONObject) -> OutsidePerson {
    let subject = claims["sub"]?.string ?? ""
    let name = ["name", "preferred_username"].lazy.compactMap { claims[$0]?.string }
      .first { (1...OutsidePerson.longestName).contains($0.utf8.count) }
    return OutsidePerson(issuer: issuer, subject: subject, name: name ?? subject, roles: rolesThere(claims))
  }

  // MARK: Keys

  /// Whether keys should be fetched before a token is judged.
  func needsKeys(for token: SignedToken, at now: Int) -> Bool {
    state.withLock { state in
      if let asked = state.askedAt, now < asked + Self.leastPause { return false }
      guard let fetched = state.fetchedAt, now < fetched + Self.keepKeys else { return true }
      return token.keyId.map { id in !state.keys.contains { $0.id == id } } ?? false
    }
  }

  /// Whether a key of the provider that is known here made a token.
  func haveSigned(_ token: SignedToken) -> Bool { state.withLock { $0.keys }.haveSigned(token) }

  /// What it said of itself last.
  var knownMetadata: OutsideMetadata? { state.withLock { $0.metadata } }

  /// What it says of itself: fetched where that is not known or older than an hour, else as it was last said.
  ///
  /// - Throws: when it was never known.
  func metadata(at now: Int) async throws -> OutsideMetadata {
    let isFresh = state.withLock { state in state.fetchedAt.map { now < $0 + Self.keepKeys } ?? false }
    if !isFresh { try? await fetchKeys(at: now) }
    guard let known = knownMetadata else { throw IdentityFailure("the metadata of \(issuer) are not known") }
    return known
  }

  /// Fetches metadata and keys, once a minute at most. What it has stays where that fails.
  func fetchKeys(at now: Int) async throws {
    let task = state.withLock { state -> Task<Void, any Error>? in
      if let task = state.fetching { return task }
      if let asked = state.askedAt, now < asked + Self.leastPause { return nil }
      state.askedAt = now
      let task = Task {
        defer { self.state.withLock { $0.fetching = nil } }
        try await self.fetch(at: now)
      }
      state.fetching = task
      return task
    }
    try await task?.value
  }

  private func fetch(at now: Int) async throws {
    let metadata = try OutsideMetadata(
      try await document(issuer + (issuer.hasSuffix("/") ? "" : "/") + ".well-known/openid-configuration"), of: issuer)
    let keys = VerificationKey.set(try await document(metadata.keys))
    guard !keys.isEmpty else { throw IdentityFailure("\(issuer) has no key of a kind that is known here") }
    state.withLock { state in
      state.metadata = metadata
      state.keys = keys
      state.fetchedAt = now
    }
  }

  private func document(_ address: String) async throws -> JSON {
    let bytes = try await fetcher.fetch(address, mostBytes: Self.mostBytes)
    guard bytes.count <= Self.mostBytes, let json = try? JSONParser.parse(bytes, maxDepth: 16) else {
      throw IdentityFailure("\(address) answered no JSON")
    }
    return json
  }
}

extension TokenVerifier {
  /// Who asks, fetching the keys of an outside provider first where that is needed.
  ///
  /// The same as ``verify(authorization:cookie:csrf:changes:audience:)`` for all that is known already.
  public func authenticate(
    authorization: String?, cookie: String? = nil, csrf: String? = nil, changes: Bool = false, audience: String? = nil
  ) async throws(TokenRefusal) -> Authenticated {
    if let authorization, let outside = provider.outsideProvider(of: authorization) {
      try? await outside.fetchKeys(at: provider.now())
    }
    return try verify(
      authorization: authorization, cookie: cookie, csrf: csrf, changes: changes, audience: audience)
  }

  /// Whether a request must wait for the keys of an outside provider, and so for ``authenticate(authorization:cookie:csrf:changes:audience:)``.
  public func mustWait(authorization: String?) -> Bool {
    authorization.flatMap { provider.outsideProvider(of: $0) } != nil
  }
}

extension IdentityProvider {
  /// The outside provider whose keys are needed to judge a header.
  func outsideProvider(of header: String) -> OutsideProvider? {
    guard !outside.isEmpty, let text = header.split(separator: " ").last.map(String.init),
      let token = try? SignedToken(parsing: text), let issuer = token.payload["iss"]?.string,
      let provider = outside[issuer], provider.needsKeys(for: token, at: now())
    else { return nil }
    return provider
  }
}
