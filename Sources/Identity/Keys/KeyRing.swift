import Crypto
import Foundation
import NGSI
import Synchronization

/// The keys that sign tokens, and the one that seals what has to be read again.
final class KeyRing: Sendable {
  private static let suffix = ".signing.json"
  private static let sealingName = "sealing.key"

  private let folder: KeyFolder?
  private let schedule: KeySchedule
  /// Oldest first.
  private let keys: Mutex<[SigningKey]>
  private let sealing: SymmetricKey
  private let made = Mutex<[String]>([])

  /// Reads the keys of a folder; makes what is missing.
  ///
  /// - Parameter folder: `nil` keeps the keys in memory only.
  init(folder path: String?, schedule: KeySchedule, now: Int) throws(IdentityFailure) {
    let folder = try path.map { path throws(IdentityFailure) in try KeyFolder(path: path) }
    self.folder = folder
    self.schedule = schedule
    sealing = try Self.sealingKey(folder)
    var found: [SigningKey] = []
    for name in try folder?.names(endingIn: Self.suffix) ?? [] {
      guard let bytes = try folder?.read(name) else { continue }
      guard let json = try? JSONParser.parse(bytes), let key = SigningKey(stored: json) else {
        throw IdentityFailure("the key file \(name) is damaged")
      }
      found.append(key)
    }
    keys = Mutex(found.sorted { $0.activeFrom < $1.activeFrom })
    try turn(at: now)
  }

  private static func sealingKey(_ folder: KeyFolder?) throws(IdentityFailure) -> SymmetricKey {
    if let bytes = try folder?.read(sealingName) {
      guard let key = Base64URL.decode(String(decoding: bytes, as: UTF8.self)), key.count == 32 else {
        throw IdentityFailure("the key file \(sealingName) is damaged")
      }
      return SymmetricKey(data: key)
    }
    let key = SymmetricKey(size: .bits256)
    try folder?.make(sealingName, Array(Base64URL.encode(key.withUnsafeBytes { Array($0) }).utf8))
    return key
  }

  /// Makes the keys that are due and forgets those that have served.
  func turn(at now: Int) throws(IdentityFailure) {
    for algorithm in [SignatureAlgorithm.es256, .rs256] {
      let isUsed = keys.withLock { keys in keys.contains { $0.algorithm == algorithm } }
      // Keys for RS256 are made for the first client that needs one.
      if isUsed || algorithm == .es256 { try turn(algorithm, at: now) }
    }
  }

  private func turn(_ algorithm: SignatureAlgorithm, at now: Int) throws(IdentityFailure) {
    let known = keys.withLock { $0 }.filter { $0.algorithm == algorithm }
    let plan = schedule.plan(known.map(\.activeFrom), at: now)
    guard plan != KeySchedule.Plan() else { return }
    var made: [SigningKey] = []
    for beginning in plan.made {
      let key = try SigningKey(activeFrom: beginning, algorithm: algorithm)
      try folder?.make(key.id + Self.suffix, JSONWriter.bytes(key.stored))
      made.append(key)
    }
    let dropped = known.filter { plan.dropped.contains($0.activeFrom) }
    keys.withLock { keys in
      keys.removeAll { key in dropped.contains { $0.id == key.id } }
      keys = (keys + made).sorted { $0.activeFrom < $1.activeFrom }
    }
    for key in dropped { try folder?.remove(key.id + Self.suffix) }
    self.made.withLock { $0 += made.map { "\($0.algorithm.rawValue) \($0.id)" } }
  }

  /// Algorithms and ids of the keys that were made since it was asked last.
  func takeMade() -> [String] {
    made.withLock { made in
      defer { made = [] }
      return made
    }
  }

  /// Sees to it that there is a key for an algorithm.
  func provide(_ algorithm: SignatureAlgorithm, at now: Int) throws(IdentityFailure) {
    guard !keys.withLock({ keys in keys.contains { $0.algorithm == algorithm } }) else { return }
    try turn(algorithm, at: now)
  }

  /// The key that signs at a time.
  func signing(_ algorithm: SignatureAlgorithm = .es256, at now: Int) throws(IdentityFailure) -> SigningKey {
    let key = keys.withLock { keys in keys.last { $0.algorithm == algorithm && $0.activeFrom <= now } }
    guard let key else { throw IdentityFailure("no key signs yet: the clock stands before the first one was made") }
    return key
  }

  /// All keys: those that signed, the one that signs and the next one.
  var verification: [VerificationKey] { keys.withLock { $0.map(\.verification) } }

  /// What others check tokens with (RFC 7517 section 5).
  var jwks: JSON { ["keys": .array(keys.withLock { $0.map(\.jwk) })] }

  /// Whether this very key can check a token; looks at the named one only.
  func haveSigned(_ token: SignedToken) -> Bool {
    guard let id = token.keyId, let key = keys.withLock({ keys in keys.first { $0.id == id } }) else { return false }
    return key.verification.isSigned(token)
  }

  // MARK: Sealing

  private func key(for purpose: String) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(inputKeyMaterial: sealing, info: Data(purpose.utf8), outputByteCount: 32)
  }

  /// Encrypts what must be read again, so that the store alone does not tell it (AES-256-GCM).
  ///
  /// - Parameter purpose: what it is and whose: it opens for no other.
  func seal(_ bytes: [UInt8], for purpose: String) throws(IdentityFailure) -> String {
    do {
      guard let box = try AES.GCM.seal(bytes, using: key(for: purpose)).combined else {
        throw IdentityFailure("a secret was not sealed")
      }
      return Base64URL.encode(box)
    } catch { throw IdentityFailure("a secret was not sealed: \(error)") }
  }

  /// `nil` for what was not sealed here for this purpose.
  func open(_ text: String, for purpose: String) -> [UInt8]? {
    guard let bytes = Base64URL.decode(text), let box = try? AES.GCM.SealedBox(combined: bytes),
      let opened = try? AES.GCM.open(box, using: key(for: purpose))
    else { return nil }
    return Array(opened)
  }
}
