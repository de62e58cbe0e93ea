import Crypto
import Foundation
import Synchronization
import X509

/// The devices that may have certificates, what was issued to them, and what was revoked.
///
/// Every change is durable before it is told to anybody: a certificate leaves only after its serial number is kept, so
/// that what was issued can always be revoked.
public actor DeviceRegistry {
  static let devices = "device"
  static let revocations = "deviceRevocation"
  static let lists = "deviceRevocationList"

  /// Certificates of one device that have not run out. A device that asks for more is broken or not alone.
  static let mostCertificates = 16
  /// How long an enrolment secret may wait to be used, seconds.
  static let secretLife = 7 * 86_400.0

  public nonisolated let authority: CertificateAuthority
  private let storage: any DeviceStorage
  private let now: @Sendable () -> Date
  private let random: @Sendable (Int) -> [UInt8]
  private let revoked = Mutex<[String: Revocation]>([:])
  private let watchers = Mutex<[AsyncStream<Void>.Continuation]>([])
  private var list: (bytes: [UInt8], made: Date)?
  /// Changes come one after the other, though each waits for the storage.
  private var turn: Task<Void, Never>?

  /// - Parameters:
  ///   - now: the clock.
  ///   - random: so many bytes that nobody can foresee.
  /// - Throws: ``DeviceError/failed(_:)`` when what was kept cannot be read.
  public init(
    authority: CertificateAuthority, storage: any DeviceStorage, now: @escaping @Sendable () -> Date,
    random: @escaping @Sendable (Int) -> [UInt8] = { count in (0..<count).map { _ in .random(in: .min ... .max) } }
  ) async throws(DeviceError) {
    self.authority = authority
    self.storage = storage
    self.now = now
    self.random = random
    let kept: [Revocation]
    do {
      kept = try await storage.documents(in: Self.revocations).values.map {
        try JSONDecoder().decode(Revocation.self, from: Data($0))
      }
    } catch { throw .failed("the revocations cannot be read: \(error)") }
    revoked.withLock { for one in kept { $0[one.serial] = one } }
  }

  /// Lets one change end before the next begins.
  private func inTurn<Value: Sendable>(
    _ body: @escaping @Sendable (isolated DeviceRegistry) async throws(DeviceError) -> Value
  ) async throws(DeviceError) -> Value {
    let before = turn
    let task = Task { () -> Result<Value, DeviceError> in
      await before?.value
      do throws(DeviceError) { return .success(try await body(self)) } catch { return .failure(error) }
    }
    turn = Task { _ = await task.value }
    return try await task.value.get()
  }
}

// MARK: - Devices

extension DeviceRegistry {
  public func device(_ name: String) async throws(DeviceError) -> DeviceRecord? {
    do {
      guard let body = try await storage.document(name, in: Self.devices) else { return nil }
      return try JSONDecoder().decode(DeviceRecord.self, from: Data(body))
    } catch { throw .failed("the device \(name) cannot be read: \(error)") }
  }

  /// Whether a device may have certificates.
  ///
  /// - Parameter document: gives what is kept under a collection and an id.
  public static func isAdmitted(
    _ device: DeviceProfile, _ document: (_ collection: String, _ id: String) throws -> [UInt8]?
  ) throws -> Bool {
    guard let body = try document(devices, device.name) else { return false }
    return try JSONDecoder().decode(DeviceRecord.self, from: Data(body)).state != .revoked
  }

  /// All devices, by name.
  public func allDevices() async throws(DeviceError) -> [DeviceRecord] {
    do {
      return try await storage.documents(in: Self.devices).sorted { $0.key < $1.key }.map {
        try JSONDecoder().decode(DeviceRecord.self, from: Data($0.value))
      }
    } catch { throw .failed("the devices cannot be read: \(error)") }
  }

  /// Expects a device, or lets one in again: it gets a secret, good for one certificate within a week. An earlier secret
  /// is worth nothing then.
  ///
  /// - Returns: the secret, which is kept nowhere.
  /// - Throws: ``DeviceError/conflict(_:)`` when another agency answers for the device.
  public func expect(_ profile: DeviceProfile) async throws(DeviceError) -> String {
    try await inTurn { registry async throws(DeviceError) in
      var record = try await registry.device(profile.name) ?? DeviceRecord(profile: profile)
      guard record.profile == profile else {
        throw .conflict("\(profile.name) is there, and \(record.profile.agency ?? "no agency") answers for it")
      }
      let secret = Self.text(registry.random(20))
      record.secret = .init(
        hash: Self.hash(secret), until: registry.now().timeIntervalSince1970 + Self.secretLife)
      if record.state == .revoked { record.state = .expected }
      record.reason = nil
      try await registry.keep([registry.document(record)], for: DeviceAct(.expected, record.profile))
      return secret
    }
  }

  /// The device that a name and a secret belong to; the secret stays good.
  ///
  /// - Throws: ``DeviceError/unauthorized(_:)``, the same for every cause.
  func device(_ name: String, secret: String) async throws(DeviceError) -> DeviceRecord {
    let refusal = DeviceError.unauthorized("the device or its enrolment secret is not known, was used, or is too old")
    let record = try await device(name)
    let hash = Self.hash(secret)
    // Compared by their hashes: how long that takes tells nothing about the secret.
    guard let record, let kept = record.secret, kept.hash == hash, now().timeIntervalSince1970 < kept.until else {
      do { try await storage.noteRefused(record?.profile) } catch {
        throw .failed("the refusal could not be noted: \(error)")
      }
      throw refusal
    }
    return record
  }

  /// Issues a certificate, with the secret that is used up by it, or to a device that has one already.
  func issue(
    to name: String, secret: String?, _ request: SigningRequest
  ) async throws(DeviceError) -> Certificate {
    try await inTurn { registry async throws(DeviceError) in
      var record: DeviceRecord
      if let secret {
        record = try await registry.device(name, secret: secret)
        record.secret = nil
      } else {
        guard let known = try await registry.device(name), known.state == .enrolled else {
          throw .forbidden("the device is not enrolled")
        }
        record = known
      }
      let isFirst = secret != nil
      try request.checkNames(are: record.profile)
      let now = registry.now()
      record.certificates.removeAll { $0.notAfter < now.timeIntervalSince1970 }
      guard record.certificates.count < Self.mostCertificates else {
        throw .forbidden("the device has \(Self.mostCertificates) certificates that have not run out")
      }
      let certificate = try registry.authority.issue(to: record.profile, key: request.key, at: now)
      record.certificates.append(
        .init(
          serial: certificate.serialNumber.hexadecimal, notAfter: certificate.notValidAfter.timeIntervalSince1970))
      record.state = .enrolled
      let act = DeviceAct(
        isFirst ? .enrolled : .renewed, record.profile, detail: "certificate " + certificate.serialNumber.hexadecimal)
      try await registry.keep([registry.document(record)], for: act)
      return certificate
    }
  }

  /// Shuts a device out: all its certificates are revoked, and a secret that waits is worth nothing.
  ///
  /// - Throws: ``DeviceError/unknown(_:)``
  public func revoke(_ name: String, reason: RevocationReason) async throws(DeviceError) {
    try await inTurn { registry async throws(DeviceError) in
      guard var record = try await registry.device(name) else { throw .unknown("there is no device \(name)") }
      let time = registry.now().timeIntervalSince1970
      let revoked = record.certificates.filter { $0.notAfter >= time }.map {
        Revocation(serial: $0.serial, time: time, reason: reason, notAfter: $0.notAfter)
      }
      record.state = .revoked
      record.reason = reason
      record.secret = nil
      record.certificates = []
      var changes = [try registry.document(record)]
      for one in revoked { changes.append(try registry.document(one)) }
      let serials = revoked.map(\.serial).joined(separator: " ")
      let detail = reason.rawValue + (serials.isEmpty ? "" : "; certificates " + serials)
      try await registry.keep(changes, for: DeviceAct(.revoked, record.profile, detail: detail))
      registry.revoked.withLock { for one in revoked { $0[one.serial] = one } }
      registry.list = nil
      registry.watchers.withLock { for one in $0 { one.yield() } }
    }
  }

  /// Whether a certificate was revoked. Answers at once, on any thread.
  public nonisolated func isRevoked(serial: String) -> Bool { revoked.withLock { $0[serial] != nil } }

  /// Who a certificate belongs to.
  ///
  /// - Throws: ``DeviceError/forbidden(_:)`` when it is revoked, has run out, or belongs to no device. Its signature must
  ///   have been checked before.
  public nonisolated func peer(_ der: [UInt8]) throws(DeviceError) -> PeerIdentity {
    let certificate: Certificate
    do { certificate = try Certificate(derEncoded: der) } catch {
      throw .forbidden("the certificate cannot be read")
    }
    let peer = try PeerIdentity(certificate)
    try check(peer)
    return peer
  }

  /// Refuses a peer whose certificate was revoked, or ran out while it was connected.
  public nonisolated func check(_ peer: PeerIdentity) throws(DeviceError) {
    guard !isRevoked(serial: peer.serial) else {
      throw .forbidden("the certificate \(peer.serial) of \(peer.device.name) is revoked")
    }
    guard now().timeIntervalSince1970 <= peer.notAfter else {
      throw .forbidden("the certificate \(peer.serial) of \(peer.device.name) has run out")
    }
  }
}

// MARK: - The list of revocations

extension DeviceRegistry {
  /// The list as DER: made anew when something was revoked, and when half of its time is over.
  ///
  /// What has run out by itself stays on one list more (RFC 5280 section 3.3) and is then forgotten.
  public func revocationList() async throws(DeviceError) -> [UInt8] {
    if let list, now().timeIntervalSince(list.made) < listLife / 2 { return list.bytes }
    return try await inTurn { registry async throws(DeviceError) in
      if let list = registry.list, registry.now().timeIntervalSince(list.made) < registry.listLife / 2 {
        return list.bytes
      }
      let now = registry.now()
      let over = now.timeIntervalSince1970 - registry.listLife
      let gone = registry.revoked.withLock { revoked in revoked.values.filter { $0.notAfter < over } }
      let number: Int
      do {
        let kept = try await registry.storage.document("number", in: Self.lists)
        number = (kept.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0) + 1
      } catch { throw .failed("the number of the last revocation list cannot be read: \(error)") }
      var changes = [DeviceDocument(collection: Self.lists, id: "number", body: Array("\(number)".utf8))]
      changes += gone.map { DeviceDocument(collection: Self.revocations, id: $0.serial, body: nil) }
      // The number is kept first: no two lists have the same, whatever happens.
      try await registry.keep(changes)
      let current = registry.revoked.withLock { revoked in
        for one in gone { revoked[one.serial] = nil }
        return Array(revoked.values)
      }
      let bytes = try registry.authority.revocationList(current, number: number, at: now)
      registry.list = (bytes, now)
      return bytes
    }
  }

  /// A tick at once after each revocation, and every so many seconds: time to look what has to be made anew.
  public nonisolated func changes(every seconds: Double) -> AsyncStream<Void> {
    let (stream, ticks) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    watchers.withLock { $0.append(ticks) }
    let clock = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .seconds(seconds))
        ticks.yield()
      }
    }
    ticks.onTermination = { _ in clock.cancel() }
    return stream
  }

  /// Seconds that a list lasts.
  private var listLife: Double { Double(authority.settings.listDays) * CertificateAuthority.day }
}

// MARK: - Keeping

extension DeviceRegistry {
  private func document(_ record: DeviceRecord) throws(DeviceError) -> DeviceDocument {
    try Self.document(Self.devices, record.profile.name, record)
  }

  private func document(_ revocation: Revocation) throws(DeviceError) -> DeviceDocument {
    try Self.document(Self.revocations, revocation.serial, revocation)
  }

  private static func document(_ collection: String, _ id: String, _ value: some Encodable) throws(DeviceError)
    -> DeviceDocument
  {
    do {
      return DeviceDocument(collection: collection, id: id, body: Array(try JSONEncoder().encode(value)))
    } catch { throw .failed("\(id) cannot be written: \(error)") }
  }

  private func keep(_ changes: [DeviceDocument], for act: DeviceAct? = nil) async throws(DeviceError) {
    do { try await storage.write(changes, for: act) } catch { throw .failed("the change could not be kept: \(error)") }
  }

  private static func hash(_ secret: String) -> String { Hexadecimal.text(SHA256.hash(data: Data(secret.utf8))) }

  /// Five bits a letter (the alphabet of RFC 4648 section 6, in small letters), in groups that a person can read out.
  static func text(_ bytes: [UInt8]) -> String {
    let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567")
    var letters: [Character] = []
    var (bits, count) = (0, 0)
    for byte in bytes {
      bits = (bits << 8 | Int(byte)) & 0xFFFF
      count += 8
      while count >= 5 {
        count -= 5
        letters.append(alphabet[bits >> count & 31])
      }
    }
    return stride(from: 0, to: letters.count, by: 4).map { String(letters[$0..<min($0 + 4, letters.count)]) }
      .joined(separator: "-")
  }
}
