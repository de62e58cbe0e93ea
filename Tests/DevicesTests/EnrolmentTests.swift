import Crypto
import Foundation
import Synchronization
import Testing
import X509

@testable import Devices

/// A clock that the test moves.
private final class TestClock: Sendable {
  private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))

  var now: Date { time.withLock { $0 } }

  func pass(days: Double) { time.withLock { $0 = $0.addingTimeInterval(days * 86_400) } }
}

/// Storage that fails when it is told to, as a full disk does.
private final class FailingStorage: DeviceStorage {
  struct Full: Error {}

  let memory = MemoryDeviceStorage()
  let isFull = Mutex(false)

  func document(_ id: String, in collection: String) async throws -> [UInt8]? {
    await memory.document(id, in: collection)
  }

  func documents(in collection: String) async throws -> [String: [UInt8]] { await memory.documents(in: collection) }

  func write(_ changes: [DeviceDocument], for act: DeviceAct?) async throws {
    if isFull.withLock({ $0 }) { throw Full() }
    await memory.write(changes, for: act)
  }

  func noteRefused(_ device: DeviceProfile?) async { await memory.noteRefused(device) }
}

private struct Registered {
  let clock = TestClock()
  let storage = FailingStorage()
  let registry: DeviceRegistry
  let server: EnrolmentServer

  init() async throws {
    let authority = try CertificateAuthority(settings: AuthoritySettings(), at: clock.now)
    registry = try await DeviceRegistry(authority: authority, storage: storage, now: { [clock] in clock.now })
    server = EnrolmentServer(registry: registry)
  }

  func request(_ key: P256.Signing.PrivateKey = P256.Signing.PrivateKey()) throws -> [UInt8] {
    let request = try CertificateSigningRequest(
      version: .v1, subject: DistinguishedName(), privateKey: .init(key), attributes: .init(),
      signatureAlgorithm: .ecdsaWithSHA256)
    return Array(Data(try request.serializeAsPEM().derBytes).base64EncodedData())
  }

  func enrol(_ name: String, _ secret: String, _ body: [UInt8]? = nil) async throws -> EnrolmentServer.Answer {
    let credentials = Data("\(name):\(secret)".utf8).base64EncodedString()
    return await server.answer(
      "POST", "simpleenroll", authorization: "Basic \(credentials)", contentType: "application/pkcs10",
      body: try body ?? request(), peer: nil)
  }
}

@Suite struct EnrolmentTests {
  private let profile: DeviceProfile

  init() throws { profile = try DeviceProfile(id: "urn:ngsi-ld:Device:1", tenant: "north", agency: "Water") }

  @Test func aSecretIsGoodForOneCertificateHoweverManyAskAtOnce() async throws {
    let city = try await Registered()
    let secret = try await city.registry.expect(profile)
    let answers = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 { group.addTask { try await city.enrol(profile.name, secret).status } }
      return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
    #expect(answers == [200: 1, 401: 19])
    #expect(city.storage.memory.acts.map(\.kind) == [.expected, .enrolled])
    #expect(city.storage.memory.refusals == Array(repeating: profile, count: 19))
    #expect(try await city.registry.device(profile.name)?.certificates.count == 1)
  }

  @Test func nothingLeavesThatIsNotKept() async throws {
    let city = try await Registered()
    let secret = try await city.registry.expect(profile)
    city.storage.isFull.withLock { $0 = true }
    #expect(try await city.enrol(profile.name, secret).status == 500)
    await #expect(throws: DeviceError.self) { try await city.registry.revoke(profile.name, reason: .unspecified) }
    await #expect(throws: DeviceError.self) { _ = try await city.registry.revocationList() }
    city.storage.isFull.withLock { $0 = false }
    // The secret was not used up by what failed.
    #expect(try await city.enrol(profile.name, secret).status == 200)
  }

  @Test func aSecretRunsOutAndANewOneReplacesIt() async throws {
    let city = try await Registered()
    let first = try await city.registry.expect(profile)
    let second = try await city.registry.expect(profile)
    #expect(try await city.enrol(profile.name, first).status == 401)
    city.clock.pass(days: 7.01)
    #expect(try await city.enrol(profile.name, second).status == 401)
    #expect(try await city.enrol(profile.name, try await city.registry.expect(profile)).status == 200)
  }

  @Test func certificatesRunOutAndRevocationsAreForgottenAfterOneMoreList() async throws {
    let city = try await Registered()
    let secret = try await city.registry.expect(profile)
    _ = try await city.enrol(profile.name, secret)
    let serial = try #require(try await city.registry.device(profile.name)?.certificates.first?.serial)
    let empty = try await city.registry.revocationList()
    try await city.registry.revoke(profile.name, reason: .keyCompromise)
    #expect(city.registry.isRevoked(serial: serial))
    #expect(
      city.storage.memory.acts.last == DeviceAct(.revoked, profile, detail: "keyCompromise; certificates \(serial)"))
    let list = try await city.registry.revocationList()
    #expect(list.count > empty.count)
    // Nothing changed: the same list, until half of its time is over.
    #expect(try await city.registry.revocationList() == list)
    city.clock.pass(days: 3.6)
    let next = try await city.registry.revocationList()
    #expect(next != list && city.registry.isRevoked(serial: serial))
    city.clock.pass(days: 11)
    #expect(try await city.registry.revocationList().count < list.count)
    #expect(!city.registry.isRevoked(serial: serial))
  }

  @Test func aPeerIsLetGoWhenItsCertificateEnds() async throws {
    let city = try await Registered()
    let certificate = try city.registry.authority.issue(
      to: profile, key: P256.Signing.PrivateKey().publicKey, at: city.clock.now)
    let peer = try city.registry.peer(certificate.bytes)
    #expect(peer.device == profile && peer.serial.count == 34)
    try city.registry.check(peer)
    city.clock.pass(days: 7.01)
    #expect(throws: DeviceError.self) { try city.registry.check(peer) }
    // The city's own certificates are no device's.
    let server = try city.registry.authority.issue(
      toServer: ["localhost"], key: P256.Signing.PrivateKey().publicKey, isClient: true, at: city.clock.now)
    #expect(throws: DeviceError.self) { try city.registry.peer(server.bytes) }
  }

  @Test func aDeviceThatAsksOnAndOnIsStopped() async throws {
    let city = try await Registered()
    _ = try await city.enrol(profile.name, try await city.registry.expect(profile))
    let peer = PeerIdentity(device: profile, serial: "01", notAfter: .infinity)
    var statuses: [Int] = []
    for _ in 0..<17 {
      statuses.append(
        await city.server.answer(
          "POST", "simplereenroll", authorization: nil, contentType: "application/pkcs10", body: try city.request(),
          peer: peer
        ).status)
    }
    #expect(statuses == Array(repeating: 200, count: 15) + [403, 403])
    city.clock.pass(days: 7.01)
    #expect(try await city.registry.device(profile.name)?.state == .enrolled)
  }

  @Test func damagedRequestsAreRefused() async throws {
    let city = try await Registered()
    let secret = try await city.registry.expect(profile)
    let good = try #require(Data(base64Encoded: Data(try city.request())))
    // How many bits of the signature's last byte do not count: saying that its last zeros do not changes nothing.
    let unused =
      try #require(
        good.indices.dropLast(3).last { good[$0] == 3 && Int(good[$0 + 1]) == good.count - $0 - 2 && good[$0 + 2] == 0 }
      ) + 2
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      var bytes = Array(good)
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      if place == unused { continue }
      bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      let status = try await city.enrol(profile.name, secret, Array(Data(bytes).base64EncodedData())).status
      #expect(status == 400 || status == 403, "bit of byte \(place) was turned")
    }
    #expect(try await city.enrol(profile.name, secret, Array(good.base64EncodedData())).status == 200)
  }

  @Test func namesAreThoseThatTopicsAndCertificatesCanHold() throws {
    for id in ["urn:a", "urn::b", "urn:a:", "uri:a:b", "urn:a:b/c", "urn:a:+", "urn:a:b c", "urn:a:é"] {
      #expect(throws: DeviceError.self, "\(id)") { try DeviceProfile(id: id) }
    }
    for tenant in ["", "-", "a/b", "#"] {
      #expect(throws: DeviceError.self, "\(tenant)") { try DeviceProfile(id: "urn:a:b", tenant: tenant) }
    }
    #expect(throws: DeviceError.self) { try DeviceProfile(id: "urn:a:" + String(repeating: "b", count: 60)) }
    #expect(try DeviceProfile(id: "urn:a:b").name == "-/urn:a:b")
  }
}

@Suite struct AuthorityFolderTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "devices-\(UUID().uuidString)").path

  @Test func whatAPowerCutLeavesIsTakenUp() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let now = Date()
    let authority = AuthorityFolder(path: folder)
    let made = try authority.authority(settings: AuthoritySettings(), at: now)
    // Cut off after the root, with a half-written file beside it.
    try FileManager.default.removeItem(atPath: folder + "/issuing.pem")
    try FileManager.default.removeItem(atPath: authority.chain)
    try Data("-----BEGIN".utf8).write(to: URL(fileURLWithPath: folder + "/issuing.pem.new"))
    let again = try authority.authority(settings: AuthoritySettings(), at: now)
    #expect(again.root.certificate == made.root.certificate && again.issuing.certificate != made.issuing.certificate)
    #expect(try authority.authority(settings: AuthoritySettings(), at: now).chain == again.chain)
    #expect(FileManager.default.contents(atPath: authority.chain) == Data(again.chainPEM.utf8))
    // The root of one city and the issuing authority of another.
    let other = AuthorityFolder(path: folder + "/other")
    _ = try other.authority(settings: AuthoritySettings(), at: now)
    try FileManager.default.removeItem(atPath: folder + "/root.pem")
    try FileManager.default.copyItem(atPath: folder + "/other/root.pem", toPath: folder + "/root.pem")
    #expect(throws: DeviceError.self) { try authority.authority(settings: AuthoritySettings(), at: now) }
  }

  @Test func keysThatOthersCanReadAreNotUsed() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let authority = AuthorityFolder(path: folder)
    _ = try authority.authority(settings: AuthoritySettings(), at: Date())
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: folder + "/issuing.pem")
    #expect(throws: DeviceError.self) { try authority.authority(settings: AuthoritySettings(), at: Date()) }
  }
}
