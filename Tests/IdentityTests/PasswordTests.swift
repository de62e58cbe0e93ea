import CryptoExtras
import Foundation
import Synchronization
import Testing

@testable import Identity

struct PasswordTests {
  private static let cheap = PasswordCost(logRounds: 4, blockSize: 8, parallelism: 1)

  /// RFC 7914 section 12.
  @Test func scryptIsTheStandards() throws {
    let key = try KDF.Scrypt.deriveKey(
      from: Data("password".utf8), salt: Data("NaCl".utf8), outputByteCount: 64, rounds: 1024, blockSize: 8,
      parallelism: 16)
    let hex = key.withUnsafeBytes { $0.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
    #expect(hex.hasPrefix("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"))
  }

  @Test func aPasswordIsKeptAsItsHashOnly() throws {
    let hash = try PasswordHash(of: "마당 넓은 집 one", cost: Self.cheap)
    #expect(hash.matches("마당 넓은 집 one") && !hash.matches("마당 넓은 집 two") && !hash.matches(""))
    // The same letters, decomposed.
    #expect(hash.matches("마당 넓은 집 one".decomposedStringWithCanonicalMapping))
    let read = try #require(PasswordHash(hash.text))
    #expect(read == hash && read.matches("마당 넓은 집 one"))
    #expect(hash.text.hasPrefix("$scrypt$ln=4,r=8,p=1$") && !hash.text.contains("one"))
    #expect(try PasswordHash(of: "마당 넓은 집 one", cost: Self.cheap) != hash)
    for wrong in [
      "", "x", "$scrypt$ln=4,r=8$AA$AA", "$scrypt$ln=40,r=8,p=1$AAAA$\(Secret.make())",
      "$argon2id$ln=4,r=8,p=1$AAAA$\(Secret.make())",
    ] {
      #expect(PasswordHash(wrong) == nil)
    }
  }

  @Test func simplePasswordsAreRefused() {
    #expect(PasswordRule.problem("short", of: "a") == "passwordTooShort")
    #expect(PasswordRule.problem("aaaaaaaaaaaa", of: "kim") == "passwordTooSimple")
    #expect(PasswordRule.problem("0123456789", of: "kim") == "passwordTooSimple")
    #expect(PasswordRule.problem("abcdefghijklm", of: "kim") == "passwordTooSimple")
    #expect(PasswordRule.problem("my Kim is here", of: "kim") == "passwordTooSimple")
    #expect(PasswordRule.problem(String(repeating: "ab1x", count: 60), of: "kim") == "passwordTooLong")
    #expect(PasswordRule.problem("넓은 마당이 있는 집", of: "kim") == nil)
  }

  /// RFC 6238 appendix B.
  @Test func codesAreTheStandards() {
    let secrets: [(OneTimeCode.Hash, String)] = [
      (.sha1, "12345678901234567890"), (.sha256, "12345678901234567890123456789012"),
      (.sha512, "1234567890123456789012345678901234567890123456789012345678901234"),
    ]
    let vectors: [(Int64, [String])] = [
      (59, ["94287082", "46119246", "90693936"]), (1_111_111_109, ["07081804", "68084774", "25091201"]),
      (1_111_111_111, ["14050471", "67062674", "99943326"]), (1_234_567_890, ["89005924", "91819424", "93441116"]),
      (2_000_000_000, ["69279037", "90698825", "38618901"]), (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ]
    for (time, codes) in vectors {
      for ((hash, secret), code) in zip(secrets, codes) {
        #expect(OneTimeCode.code(Array(secret.utf8), step: time / 30, digits: 8, hash: hash) == code)
      }
    }
    // RFC 4648 section 10.
    #expect(OneTimeCode.base32(Array("foobar".utf8)) == "MZXW6YTBOI")
  }

  @Test func aCodeIsTakenOnceWithinAMinuteAndAHalf() {
    let secret = Array("12345678901234567890".utf8)
    let now = 1_800_000_015
    let step = Int64(now) / 30
    for offset in Int64(-1)...1 {
      let code = OneTimeCode.code(secret, step: step + offset)
      #expect(OneTimeCode.step(of: code, secret, at: now, after: 0) == step + offset)
      #expect(OneTimeCode.step(of: code, secret, at: now, after: step + offset) == nil)
      #expect(OneTimeCode.step(of: code, secret, at: now, after: step + 1) == nil)
    }
    for offset in [Int64(-2), 2] {
      let code = OneTimeCode.code(secret, step: step + offset)
      #expect(OneTimeCode.step(of: code, secret, at: now, after: 0) == nil)
    }
    for wrong in ["", "12345", "1234567", "abcdef"] {
      #expect(OneTimeCode.step(of: wrong, secret, at: now, after: 0) == nil)
    }
  }

  @Test func attemptsAreCountedByAccountAndSource() {
    let attempts = Attempts(mostBuckets: 500)
    let account = [(key: "account:kim", rule: Attempts.account)]
    let taken = (0..<1000).filter { _ in attempts.take(account, at: 100) == nil }.count
    #expect(taken == 10)
    #expect(attempts.take(account, at: 100) == 60)
    #expect(attempts.take([(key: "account:lee", rule: Attempts.account)], at: 100) == nil)
    // Time gives back, and so does success.
    #expect(attempts.take(account, at: 160) == nil && attempts.take(account, at: 160) != nil)
    attempts.giveBack(account, at: 160)
    #expect(attempts.take(account, at: 160) == nil)
    // Where one bucket is empty nothing is taken out of the other.
    let both = account + [(key: "source:a", rule: Attempts.source)]
    for _ in 0..<100 { #expect(attempts.take(both, at: 160) != nil) }
    #expect(
      (0..<100).filter { _ in attempts.take([(key: "source:a", rule: Attempts.source)], at: 160) == nil }.count == 30)
    // However many there are, memory is bounded.
    for number in 0..<(attempts.mostBuckets * 2) {
      _ = attempts.take([(key: "source:\(number)", rule: Attempts.source)], at: 161)
    }
    #expect(attempts.figures.buckets <= attempts.mostBuckets)
  }

  /// Holds up who waits until so many were counted; a minute at most, so that a wrong count ends the test.
  private final class Refusals: Sendable {
    private let seen = Mutex(0)

    func count() { seen.withLock { $0 += 1 } }

    func wait(for number: Int) {
      let end = Date(timeIntervalSinceNow: 60)
      while seen.withLock({ $0 < number }), Date() < end { usleep(1000) }
    }
  }

  @Test func thePoolIsBoundedForEachSource() async throws {
    let pool = HashingPool(limits: HashingPool.Limits(threads: 1, waiting: 6, waitingOfOneSource: 2))
    // Nobody is done before all the others were refused.
    let refusals = Refusals()
    let results = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<20 {
        group.addTask {
          do throws(HashingPool.Refusal) {
            try await pool.run(for: "source \(number % 2)") { refusals.wait(for: 16) }
            return true
          } catch {
            refusals.count()
            return false
          }
        }
      }
      return await group.reduce(into: [Bool]()) { $0.append($1) }
    }
    #expect(results.filter { $0 }.count == 4)
    #expect(pool.waiting == 0)
    #expect(try await pool.run(for: "source 0") { 7 } == 7)
  }
}
