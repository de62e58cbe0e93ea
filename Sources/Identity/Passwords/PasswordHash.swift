import CryptoExtras
import Foundation

/// What it costs to try one password (scrypt, RFC 7914).
public struct PasswordCost: Sendable, Hashable {
  /// N is two to this power.
  public var logRounds: Int
  public var blockSize: Int
  public var parallelism: Int

  public init(logRounds: Int, blockSize: Int, parallelism: Int) {
    self.logRounds = logRounds
    self.blockSize = blockSize
    self.parallelism = parallelism
  }

  /// N = 2^15, r = 8, p = 3: 32 MiB a try. One of the settings that the OWASP Password Storage Cheat Sheet (scrypt) gives as
  /// equally strong; the one with N = 2^17 would take 128 MiB.
  public static let standard = PasswordCost(logRounds: 15, blockSize: 8, parallelism: 3)

  /// For what a machine made of 120 random bits: there is nothing to guess, and nobody should wait.
  static let machineMade = PasswordCost(logRounds: 10, blockSize: 8, parallelism: 1)

  var isFit: Bool {
    (1...20).contains(logRounds) && (1...32).contains(blockSize) && (1...16).contains(parallelism)
      && 128 * blockSize << logRounds <= 256 << 20
  }
}

/// A password as it is kept: `$scrypt$ln=15,r=8,p=3$salt$hash`, with a salt of its own.
struct PasswordHash: Sendable, Hashable {
  static let saltBytes = 16
  static let hashBytes = 32

  let cost: PasswordCost
  let salt: [UInt8]
  let hash: [UInt8]

  /// Computes it anew; takes as long as ``PasswordCost`` says.
  init(of password: String, cost: PasswordCost) throws(IdentityFailure) {
    self.cost = cost
    salt = Base64URL.decode(Secret.make(bytes: Self.saltBytes)) ?? []
    hash = try Self.derive(password, salt, cost)
  }

  /// `nil` for another form, or a cost beyond bounds.
  init?(_ text: String) {
    let parts = text.split(separator: "$", omittingEmptySubsequences: false)
    guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt", let salt = Base64URL.decode(parts[3]),
      let hash = Base64URL.decode(parts[4]), hash.count == Self.hashBytes
    else { return nil }
    var numbers: [Substring: Int] = [:]
    for setting in parts[2].split(separator: ",") {
      let pair = setting.split(separator: "=")
      guard pair.count == 2, let number = Int(pair[1]) else { return nil }
      numbers[pair[0]] = number
    }
    guard let logRounds = numbers["ln"], let blockSize = numbers["r"], let parallelism = numbers["p"] else {
      return nil
    }
    cost = PasswordCost(logRounds: logRounds, blockSize: blockSize, parallelism: parallelism)
    guard cost.isFit else { return nil }
    self.salt = salt
    self.hash = hash
  }

  var text: String {
    "$scrypt$ln=\(cost.logRounds),r=\(cost.blockSize),p=\(cost.parallelism)"
      + "$\(Base64URL.encode(salt))$\(Base64URL.encode(hash))"
  }

  /// Whether it is this password; takes as long as making it.
  func matches(_ password: String) -> Bool {
    guard let other = try? Self.derive(password, salt, cost) else { return false }
    return Secret.areSame(hash, other)
  }

  private static func derive(_ password: String, _ salt: [UInt8], _ cost: PasswordCost) throws(IdentityFailure)
    -> [UInt8]
  {
    // The same letters whichever way the keyboard composed them (NIST SP 800-63B section 5.1.1.2).
    let bytes = Data(password.precomposedStringWithCompatibilityMapping.utf8)
    do {
      let key = try KDF.Scrypt.deriveKey(
        from: bytes, salt: salt, outputByteCount: hashBytes, rounds: 1 << cost.logRounds, blockSize: cost.blockSize,
        parallelism: cost.parallelism)
      return key.withUnsafeBytes { Array($0) }
    } catch {
      throw IdentityFailure("a password was not hashed: \(error)")
    }
  }
}

/// What a password must be (NIST SP 800-63B section 5.1.1.2: long, not composed by rule).
enum PasswordRule {
  static let least = 10
  static let most = 200

  /// Why a password will not do, as a key of the texts; `nil` when it will.
  static func problem(_ password: String, of username: String) -> String? {
    if password.count < least { return "passwordTooShort" }
    if password.utf8.count > most { return "passwordTooLong" }
    let folded = password.lowercased()
    if Set(folded).count < 4 || folded.contains(username.lowercased()) || isRun(folded) { return "passwordTooSimple" }
    return nil
  }

  /// `0123456789`, `abcdefghij`: each letter the one after the last.
  private static func isRun(_ text: String) -> Bool {
    let values = text.unicodeScalars.map { Int($0.value) }
    let steps = Set(zip(values, values.dropFirst()).map { $1 - $0 })
    return steps.count == 1
  }
}
