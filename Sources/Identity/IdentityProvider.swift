public import NGSI
import Synchronization

/// The city's own OpenID provider: who someone is, shown by tokens and by sessions of the city's pages.
///
/// It knows people and clients and gives them tokens; it does not decide who may do what.
///
/// ```swift
/// let provider = try IdentityProvider(storage: storage, folder: data + "/identity")
/// if let first = try await provider.prepare() { print(first.username, first.password) }
/// try provider.addRoutes(to: router) { request, context in context.remoteAddress }
/// provider.isReached(at: "https://city.example")
/// let caller = try provider.verifier.verify(authorization: header)
/// ```
public final class IdentityProvider: Sendable {
  let settings: IdentitySettings
  let storage: any IdentityStorage
  let keys: KeyRing
  let passwords: HashingPool
  let attempts = Attempts()
  let revocations: Revocations
  let checked = TokenCache()
  let activity = SessionActivity()
  let polls = DevicePolls()
  let challenges = Challenges()
  let pages: IdentityPages
  /// Outside providers by issuer.
  let outside: [String: OutsideProvider]
  /// Where people may log in beside here, in the order they were given.
  let outsideLogins: [OutsideLogin]
  /// Seconds since 1970.
  let now: @Sendable () -> Int
  private let address = Mutex("")

  /// - Parameters:
  ///   - folder: where the city's keys are, made with mode 0700 where it is missing; `nil` keeps them in memory.
  ///   - outside: providers whose tokens are believed too.
  ///   - now: seconds since 1970.
  /// - Throws: ``IdentityFailure`` when keys or documents cannot be read.
  public init(
    storage: any IdentityStorage, folder: String?, settings: IdentitySettings = IdentitySettings(),
    outside: [OutsideProvider] = [], now: @escaping @Sendable () -> Int
  ) throws {
    self.settings = settings
    self.storage = storage
    self.now = now
    pages = try IdentityPages()
    self.outside = Dictionary(outside.map { ($0.issuer, $0) }) { first, _ in first }
    outsideLogins = outside.compactMap(\.login)
    var schedule = KeySchedule()
    schedule.keep = max(schedule.keep, settings.accessTokenLifetime + settings.clockSkew)
    keys = try KeyRing(folder: folder, schedule: schedule, now: now())
    passwords = HashingPool(limits: HashingPool.Limits(threads: settings.hashingThreads))
    revocations = try Revocations(storage)
  }

  /// Where clients reach the city, without a slash at the end: the issuer of its tokens.
  public var issuer: String { address.withLock { $0 } }

  /// Says where clients reach the city; before that no token is good.
  public func isReached(at issuer: String) { address.withLock { $0 = issuer } }

  /// Whether pages come over TLS: then cookies and headers are as strict as they can be.
  var isSecure: Bool { issuer.hasPrefix("https://") }

  /// Checks the callers of the city's other doors.
  public var verifier: TokenVerifier { TokenVerifier(provider: self) }

  /// A section of the health report.
  public var health: JSON {
    let figures = attempts.figures
    func gauge(_ value: Int, _ bound: Int) -> JSON {
      ["value": .integer(Int64(value)), "bound": .integer(Int64(bound))]
    }
    return [
      "loginsFailed": .integer(Int64(figures.failed)), "loginsHeldBack": .integer(Int64(figures.refused)),
      "loginBuckets": gauge(figures.buckets, attempts.mostBuckets),
      "passwordsWaiting": gauge(passwords.waiting, passwords.limits.waiting),
      "revocations": gauge(revocations.count, Revocations.most),
      "outsideLogins": gauge((try? storage.read { try $0.count(in: .outsideUsed) }) ?? 0, settings.mostOutsideLogins),
    ]
  }

  /// What has to be done once in a while: keys follow one another, what has run out goes, sessions are noted.
  ///
  /// Call it about once a minute.
  public func maintain() async throws {
    let now = now()
    try keys.turn(at: now)
    try await tellMadeKeys(at: now)
    try await noteActivity()
    try await sweep(at: now)
    revocations.forget(before: now)
  }

  private func tellMadeKeys(at now: Int) async throws {
    for key in keys.takeMade() {
      var event = IdentityEvent(kind: .keyMade, at: now, source: "", actor: .city)
      event.detail = key
      try await tell(event)
    }
  }

  /// Runs ``maintain()`` each minute until the task is cancelled.
  ///
  /// - Parameter failed: hears of what went wrong; the next minute tries again.
  public func run(failed: @escaping @Sendable (any Error) -> Void) async {
    while !Task.isCancelled {
      do { try await maintain() } catch { failed(error) }
      try? await Task.sleep(for: .seconds(60))
    }
    try? await noteActivity()
  }

  // MARK: The first administrator

  public struct FirstAdministrator: Sendable {
    public let username: String
    /// Opens the page for a password of his own, once.
    public let password: String
  }

  /// Makes the first administrator, where there is nobody yet, and the clients that belong to the city.
  ///
  /// - Returns: `nil` when there are people already.
  public func prepare() async throws -> FirstAdministrator? {
    try await tellMadeKeys(at: now())
    let clients = BuiltInClients.all(scopes: settings.allScopes, at: now())
    try await storage.write { writer in
      for client in clients where try writer.client(client.id) != client { try writer.put(client) }
    }
    guard try storage.read({ try $0.count(in: .people) }) == 0 else { return nil }
    let password = Secret.make(bytes: 15)
    let hash = try PasswordHash(of: password, cost: .machineMade).text
    var person = Person(
      id: Secret.make(bytes: 16), username: "admin", name: "Administrator",
      standing: Standing(roles: [Standing.administrator]), createdAt: now())
    person.password = hash
    person.mustChangePassword = true
    let first = person
    let isFirst = try await storage.write { writer in
      guard try writer.count(in: .people) == 0 else { return false }
      try writer.put(first)
      try writer.put(.string(first.id), id: first.username, in: .usernames)
      for kind in [IdentityEvent.Kind.personAdded, .rolesGiven] {
        var event = IdentityEvent(kind: kind, at: first.createdAt, source: "", actor: .city)
        event.person = first.id
        if kind == .rolesGiven { event.detail = Standing.administrator }
        try writer.note(event)
      }
      return true
    }
    return isFirst ? FirstAdministrator(username: first.username, password: password) : nil
  }

  /// Hashes a password in the pool.
  func hashed(_ password: String, for source: String) async throws -> String {
    let cost = settings.passwordCost
    let result = try await passwords.run(for: source) { () -> Result<String, IdentityFailure> in
      Result { () throws(IdentityFailure) in try PasswordHash(of: password, cost: cost).text }
    }
    return try result.get()
  }
}

/// Programs of the city that are there from the beginning.
enum BuiltInClients {
  /// The command line: code with a loopback address, or a device code. It keeps no secret.
  static let commandLine = "madang-cli"

  static func all(scopes: [String], at now: Int) -> [Client] {
    var commandLine = Client(id: commandLine, name: "Madang CLI", authentication: .none)
    commandLine.redirectURIs = ["http://127.0.0.1/callback", "http://[::1]/callback"]
    commandLine.grantTypes = [.authorizationCode, .refreshToken, .deviceCode]
    commandLine.scopes = scopes
    commandLine.isFirstParty = true
    return [commandLine]
  }
}
