import City
import Egress
import Evidence
import Foundation
import Hub
import HubHTTP
import Hummingbird
import Identity
import Ingest
import NGSI
import NIOCore
import ServiceLifecycle
import Store

/// Puts the city's identity provider together.
enum CityIdentity {
  /// Below the data folder: the city's own keys.
  static let folderName = "identity"

  /// Makes the provider, and the first administrator, who is said on the terminal once.
  static func make(
    _ store: any Store, _ folder: DataFolder, _ command: UpCommand, _ manifest: ManifestFile?,
    evidence: EvidenceLog, http: HTTPOutlet
  ) async throws -> IdentityProvider {
    var settings = IdentitySettings()
    settings.isBehindProxy = command.address != nil
    if let name = manifest?.manifest.site.name { settings.siteName = ["ko": name.ko, "en": name.en] }
    let provider = try IdentityProvider(
      storage: StoreIdentityStorage(store: store, evidence: evidence), folder: "\(folder.path)/\(folderName)",
      settings: settings,
      outside: try (manifest?.manifest.identity?.providers ?? []).map { provider in
        try OutsideProvider(provider, fetcher: Fetcher(http: http)) { manifest?.resolve($0) ?? $0 }
      },
      now: { Int(Date().timeIntervalSince1970) })
    if let first = try await provider.prepare() {
      Terminal.note("first administrator: \(first.username), one-time password: \(first.password)")
      Terminal.note("it is said only now: log in at /oauth/account and choose a password of your own")
    }
    return provider
  }
}

/// Asks outside providers as contexts are fetched: bounded in time and size, without redirects, and never where the city may not
/// call.
private struct Fetcher: DocumentFetching {
  /// Seconds for one exchange.
  private static let seconds = 10.0

  let http: HTTPOutlet
  private let egress = Egress()

  init(http: HTTPOutlet) { self.http = http }

  func fetch(_ address: String, mostBytes: Int) async throws -> [UInt8] {
    if let refusal = egress.refusal(of: address) { throw Failure("\(address): \(refusal)") }
    // To another address neither TLS nor leave to call was asked about.
    let bytes = try await http.fetch(address, redirects: 0).bytes
    guard bytes.count <= mostBytes else { throw Failure("\(address) answered more than \(mostBytes) bytes") }
    return bytes
  }

  func post(
    _ form: String, to address: String, authorization: String?, mostBytes: Int
  ) async throws -> (status: Int, body: [UInt8]) {
    if let refusal = egress.refusal(of: address) { throw Failure("\(address): \(refusal)") }
    let answer = await http.post(
      form, to: address, type: "application/x-www-form-urlencoded",
      headers: [("Accept", "application/json")] + (authorization.map { [("Authorization", $0)] } ?? []),
      timeout: Self.seconds, answerBytes: mostBytes)
    guard let answer else { throw Failure("\(address) did not answer") }
    return answer
  }
}

extension OutsideProvider {
  /// As the manifest describes it.
  ///
  /// - Throws: ``Failure`` where the secret of a login cannot be used.
  convenience init(
    _ provider: Manifest.Identity.Provider, fetcher: any DocumentFetching, resolve: (String) -> String
  ) throws {
    self.init(
      issuer: provider.issuer,
      mapping: Mapping(
        audiences: provider.audiences, rolesClaim: provider.rolesClaim ?? "roles", roles: provider.roles ?? [:],
        agency: provider.agency, tenants: provider.tenants ?? [], scopes: provider.scopes ?? []),
      login: try provider.login.map { try OutsideLogin($0, resolve: resolve) }, fetcher: fetcher)
  }
}

extension OutsideLogin {
  fileprivate init(_ login: Manifest.Identity.Login, resolve: (String) -> String) throws {
    func failure(_ problem: any Error) -> Failure {
      Failure("The login \(login.id) of identity.providers cannot be used: \(problem).")
    }
    let authentication: Authentication
    switch login.authentication ?? .secretBasic {
    case .secretBasic:
      do { authentication = .secret(try login.secret.value(resolve)) } catch { throw failure(error) }
    case .privateKey:
      do { authentication = .key(try ClientKey(pem: try login.secret.value(hasLines: true, resolve))) } catch {
        throw failure(error)
      }
    }
    self.init(
      id: login.id, name: ["ko": login.name.ko, "en": login.name.en], client: login.client,
      authentication: authentication, scopes: login.scopes ?? ["profile"], asksUserInfo: login.userinfo ?? false)
    if let session = login.session { sessionLifetime = session.seconds }
  }
}

/// Keeps the provider's documents in the city's store, and notes in its evidence log what is done to them.
struct StoreIdentityStorage: IdentityStorage {
  let store: any Store
  let evidence: EvidenceLog

  func read<Value>(_ body: (any IdentityReader) throws -> Value) throws -> Value {
    try store.read { try body(Reader(reader: $0)) }
  }

  func write<Value: Sendable>(
    _ body: @escaping @Sendable (any IdentityWriter) throws -> Value
  ) async throws -> Value {
    try await store.write { [evidence] in try body(Writer(writer: $0, evidence: evidence)) }
  }

  func tell(_ event: IdentityEvent) async throws { try await evidence.recordRepeatable(Act(event)) }

  private struct Reader: IdentityReader {
    let reader: any StoreReader

    func document(_ id: String, in collection: IdentityCollection) throws -> JSON? {
      try reader.document(id, collection: collection.rawValue, in: .default)?.body
    }

    func documents(in collection: IdentityCollection, offset: Int, limit: Int) throws -> [(id: String, body: JSON)] {
      try reader.documents(collection.rawValue, in: .default, page: Page(limit: limit, offset: offset))
        .map { ($0.id, $0.body) }
    }

    func count(in collection: IdentityCollection) throws -> Int {
      try reader.documentCount(collection.rawValue, in: .default)
    }
  }

  private struct Writer: IdentityWriter {
    let writer: any StoreWriter
    let evidence: EvidenceLog

    func note(_ event: IdentityEvent) throws { _ = try evidence.record([Act(event)], writer) }

    func document(_ id: String, in collection: IdentityCollection) throws -> JSON? {
      try Reader(reader: writer).document(id, in: collection)
    }

    func documents(in collection: IdentityCollection, offset: Int, limit: Int) throws -> [(id: String, body: JSON)] {
      try Reader(reader: writer).documents(in: collection, offset: offset, limit: limit)
    }

    func count(in collection: IdentityCollection) throws -> Int { try Reader(reader: writer).count(in: collection) }

    func put(_ body: JSON, id: String, in collection: IdentityCollection) throws {
      try writer.put(StoredDocument(id: id, body: body), collection: collection.rawValue, in: .default)
    }

    func delete(_ id: String, in collection: IdentityCollection) throws -> Bool {
      try writer.deleteDocument(id, collection: collection.rawValue, in: .default)
    }
  }
}

extension Act {
  /// What happened at the provider's doors, as the evidence log states it.
  init(_ event: IdentityEvent) {
    switch event.kind {
    case .loggedIn, .loginFailed, .loginHeldBack, .loggedOut: self.init(.login, action: event.kind.rawValue)
    default: self.init(.account, action: event.kind.rawValue)
    }
    let by: (Caller.Kind, String?) =
      switch event.actor {
      case .person(let id): (.person, id)
      case .client(let id): (.client, id)
      case .city: (.city, "")
      case .nobody: (.nobody, event.source)
      }
    (actorKind, actor) = (by.0.rawValue, by.1)
    source = event.source.isEmpty ? nil : event.source
    agency = event.agency
    purpose = event.purpose
    reason = event.reason
    subject = [event.person, event.client].compactMap { $0 }.first { $0 != actor }
    detail = event.detail
  }
}

/// Lets the provider turn its keys and sweep what has run out until the city stops.
struct IdentityService: Service {
  let provider: IdentityProvider

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await provider.run { Terminal.note("identity: \($0)") }
    }
  }
}

/// A request at the city's pages, with the address that it comes from.
struct CityContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// Without the port.
  let source: String

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    self.source = source.channel.remoteAddress?.ipAddress ?? ""
  }
}
