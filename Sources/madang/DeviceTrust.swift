import Crypto
import Devices
import Evidence
import Foundation
import Hub
import HubHTTP
import Hummingbird
import NGSI
import ServiceLifecycle
import Store

/// The city's authority at work: keys in the data folder, the registry in the store, TLS before the API.
struct DeviceTrust: Service {
  let folder: AuthorityFolder
  let registry: DeviceRegistry
  let front: TLSFront
  let door: DeviceDoor
  /// The certificate that the city itself was given for its server; `nil` where it makes one.
  private let given: TLSSettings?

  /// Where the list of revocations is to be had.
  private static let list = "/devices/revoked.crl"
  /// How often is looked whether something is about to run out, seconds.
  private static let pace = 300.0

  init(_ command: UpCommand, _ data: DataFolder, _ store: any Store, _ evidence: EvidenceLog) async throws {
    folder = AuthorityFolder(path: data.path + "/devices")
    var settings = AuthoritySettings()
    // Without a fixed port nobody could find the list again.
    if let address = command.address ?? (command.port == 0 ? nil : "http://127.0.0.1:\(command.port)") {
      settings.listAddress = address + Self.list
    }
    let authority = try folder.authority(settings: settings, at: Date())
    registry = try await DeviceRegistry(
      authority: authority, storage: StoredDevices(store: store, evidence: evidence), now: { Date() })
    let trusted = Array(authority.chainPEM.utf8)
    given = try command.tlsCertificate.map { file in
      TLSSettings(
        certificates: try Self.read(file), key: try Self.read(command.tlsKey ?? ""), authorities: trusted)
    }
    do {
      front = try TLSFront(
        try given ?? Self.settings(authority),
        identify: { [registry] der throws(DeviceError) in try registry.peer(der) },
        check: { [registry] peer throws(DeviceError) in try registry.check(peer) })
    } catch let error where command.tlsCertificate != nil {
      throw Failure("--tls-certificate and --tls-key cannot be used: \(error)")
    }
    door = DeviceDoor(registry: registry)
    try await refresh()
  }

  private static func read(_ file: String) throws(Failure) -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: file) else { throw Failure("\(file) cannot be read.") }
    return Array(data)
  }

  /// A certificate for this machine, with a key that no disk ever sees.
  private static func settings(_ authority: CertificateAuthority) throws -> TLSSettings {
    let key = P256.Signing.PrivateKey()
    let certificate = try authority.issue(toServer: ["localhost", "127.0.0.1", "::1"], key: key.publicKey, at: Date())
    return TLSSettings(
      certificates: Array((certificate.pem + authority.chainPEM).utf8), key: Array(key.pemRepresentation.utf8),
      authorities: Array(authority.chainPEM.utf8))
  }

  /// The list of revocations and the city's own client certificate, as files.
  private func refresh() async throws {
    try folder.write(list: try await registry.revocationList())
    try folder.renewCity(registry.authority, at: Date())
  }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      var life = Date()
      let changes = registry.changes(every: Self.pace)
      for await _ in changes {
        do {
          try await refresh()
          // In the middle of its time.
          if given == nil, Date().timeIntervalSince(life) > Double(registry.authority.settings.serverDays) * 43_200 {
            try front.use(try Self.settings(registry.authority))
            life = Date()
          }
        } catch { Terminal.note("devices: \(error)") }
      }
    }
  }

  /// What everybody may have: the authority's certificates and the list of revocations.
  func addPages(to router: Router<CityContext>) {
    @Sendable func answer(_ bytes: [UInt8], _ type: String) -> Response {
      Response(
        status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
    router.get("/devices/revoked.crl") { _, _ in
      do throws(DeviceError) {
        return answer(try await registry.revocationList(), "application/pkix-crl")
      } catch {
        var response = answer(Array("\(error)\n".utf8), "text/plain; charset=utf-8")
        response.status = .internalServerError
        return response
      }
    }
    router.get("/devices/authority.pem") { _, _ in
      answer(Array(registry.authority.chainPEM.utf8), "application/pem-certificate-chain")
    }
  }
}

/// The registry's documents among the store's, and what is done to devices in the evidence log.
private struct StoredDevices: DeviceStorage {
  let store: any Store
  let evidence: EvidenceLog

  func document(_ id: String, in collection: String) async throws -> [UInt8]? {
    try store.read { try $0.document(id, collection: collection, in: .default) }.map { JSONWriter.bytes($0.body) }
  }

  func documents(in collection: String) async throws -> [String: [UInt8]] {
    try store.read { reader in
      var found: [String: [UInt8]] = [:]
      let step = 1000
      while true {
        let page = try reader.documents(collection, in: .default, page: Page(limit: step, offset: found.count))
        for document in page { found[document.id] = JSONWriter.bytes(document.body) }
        if page.count < step { return found }
      }
    }
  }

  func noteRefused(_ device: DeviceProfile?) async throws {
    let caller = Caller.current
    var act = Act(.login, action: "enrolment-refused")
    (act.actorKind, act.actor, act.source) = (Caller.Kind.nobody.rawValue, caller.source ?? "", caller.source)
    (act.subject, act.tenant) = (device?.id, device?.tenant)
    try await evidence.recordRepeatable(act)
  }

  func write(_ changes: [DeviceDocument], for done: DeviceAct?) async throws {
    let parsed = try changes.map { ($0.collection, $0.id, try $0.body.map { try JSONParser.parse($0) }) }
    let act = done.map { Act($0, by: Caller.current) }
    try await store.write { [evidence] writer in
      if let act { _ = try evidence.record([act], writer) }
      for (collection, id, body) in parsed {
        if let body {
          try writer.put(StoredDocument(id: id, body: body), collection: collection, in: .default)
        } else {
          _ = try writer.deleteDocument(id, collection: collection, in: .default)
        }
      }
    }
  }
}

extension Act {
  /// What was done to a device, as the evidence log states it.
  ///
  /// - Parameter caller: who asked; a device that enrols or renews does it itself.
  init(_ act: DeviceAct, by caller: Caller) {
    self.init(.account, action: act.kind.rawValue)
    if act.kind.isItsOwn {
      (actorKind, actor, agency) = (Caller.Kind.device.rawValue, act.device.name, act.device.agency)
    } else {
      (actorKind, actor, agency) = (caller.kind.rawValue, caller.account, caller.agency)
      subject = act.device.id
      tenant = act.device.tenant
    }
    source = caller.source
    purpose = caller.purpose
    reason = caller.reason
    detail = act.detail
  }
}
