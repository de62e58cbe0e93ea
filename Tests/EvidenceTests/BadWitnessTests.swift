import Foundation
import NGSI
import Store
import Synchronization
import Testing
import TransparencyLog
import Witness

@testable import Evidence

/// Witnesses that are away, lie, forget, or see a log that was set back: seen, told, and the log goes on.
@Suite struct BadWitnessTests {
  @Test func aWitnessThatIsAwayStopsNothing() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let witnesses = try LocalWitnesses(["police", "fire", "audit"], log: signer.verifier, folder: box.folder)
    witnesses.set("police", .isAway)
    witnesses.set("fire", .stalls)
    var limits = EvidenceLog.Limits()
    (limits.quorumWait, limits.silence) = (0.05, 0.1)
    let clock = Mutex(LogTests.time)
    let log = try EvidenceLog(
      store: box.store, signer: signer, treaty: witnesses.treaty(2), caller: witnesses, limits: limits,
      now: { clock.withLock { $0 } })
    try await LogTests.running(log) {
      _ = try await box.store.write { try log.record([LogTests.act(0)], $0) }
      try await LogTests.wait("the checkpoint is published") { log.checkpoint != nil }
      #expect(throws: EvidenceError.notWitnessedYet(0)) { try log.read { try $0.proof(of: 0) } }
      clock.withLock { $0 = $0.adding(seconds: 2) }
      let expected: [EvidenceAlarm] = [.noQuorum, .silent(witness: "fire"), .silent(witness: "police")]
      try await LogTests.wait("alarms") { log.alarms == expected }
      // The one that was away comes back: what it missed is made up for.
      witnesses.set("police", .works)
      try await LogTests.wait("a proof") {
        clock.withLock { $0 = $0.adding(seconds: 0.2) }
        return (try? log.read { try $0.proof(of: 0) }) != nil
      }
      try await LogTests.wait("fewer alarms") {
        clock.withLock { $0 = $0.adding(seconds: 0.02) }
        return !log.alarms.contains(.noQuorum)
      }
    }
    await box.end()
  }

  /// What a witness that lies may answer with; the last is an answer that another gave.
  static let lies: [LocalWitnesses.Behaviour] = [
    .says(200, "— police.example/witness " + String(repeating: "A", count: 104) + "\n"), .cosignsAnother,
    .says(200, ""), .says(200, "\n\n"), .says(200, String(repeating: "— x AAAAAAAA\n", count: 5000)),
    .says(200, "\u{0}\u{FFFD}"), .says(409, "18446744073709551616\n"), .says(409, "-1\n"), .says(409, "0\n"),
    .says(409, "soon"), .says(302, ""), .says(500, ""), .says(200, "others"),
  ]

  @Test(arguments: lies) func aWitnessThatLiesIsNotCounted(_ lie: LocalWitnesses.Behaviour) async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let witnesses = try LocalWitnesses(["police", "fire"], log: signer.verifier, folder: box.folder)
    let other = try SignerKey(name: "police.example/witness", kind: .cosignature)
    let foreign = try other.sign("city.example/evidence\n1\n\(TreeHash.empty)\n", at: 0).line
    witnesses.set("police", lie == .says(200, "others") ? .says(200, foreign) : lie)
    var limits = EvidenceLog.Limits()
    limits.quorumWait = 0.05
    let log = try EvidenceLog(
      store: box.store, signer: signer, treaty: witnesses.treaty(2), caller: witnesses, limits: limits,
      now: { LogTests.time })
    try await LogTests.running(log) {
      _ = try await box.store.write { try log.record([LogTests.act(0)], $0) }
      try await LogTests.wait("the checkpoint is published with the one that does not lie") {
        (try? SignedNote(parsing: Array((log.checkpoint ?? "").utf8)))?.signatures.map(\.name).sorted()
          == ["city.example/evidence", "fire.example/witness"]
      }
      #expect(throws: EvidenceError.notWitnessedYet(0)) { try log.read { try $0.proof(of: 0) } }
      // It stops lying.
      witnesses.set("police", .works)
      _ = try await box.store.write { try log.record([LogTests.act(1)], $0) }
      try await LogTests.wait("a proof") { (try? log.read { try $0.proof(of: 1) }) != nil }
    }
    await box.end()
  }

  /// It claims to have seen more than there is: an alarm, and it is asked again all the same.
  @Test func aWitnessThatClaimsTooMuchIsHeardAgain() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let witnesses = try LocalWitnesses(["police"], log: signer.verifier, folder: box.folder)
    witnesses.set("police", .says(409, "9000000\n"))
    let log = try EvidenceLog(
      store: box.store, signer: signer, treaty: witnesses.treaty(1), caller: witnesses, now: { LogTests.time })
    try await LogTests.running(log) {
      _ = try await box.store.write { try log.record([LogTests.act(0)], $0) }
      try await LogTests.wait("the alarm") { log.alarms == [.setBack(witness: "police", size: 9_000_000)] }
      witnesses.set("police", .works)
      _ = try await box.store.write { try log.record([LogTests.act(1)], $0) }
      try await LogTests.wait("a proof") { (try? log.read { try $0.proof(of: 1) }) != nil }
    }
    await box.end()
  }

  /// The log goes back to an older copy of its store: its witnesses have seen more than there is.
  @Test func aLogThatWasSetBackIsSeen() async throws {
    let box = try StoreBox()
    let other = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let witnesses = try LocalWitnesses(["police"], log: signer.verifier, folder: box.folder)
    let log = try EvidenceLog(
      store: box.store, signer: signer, treaty: witnesses.treaty(1), caller: witnesses, now: { LogTests.time })
    try await LogTests.running(log) {
      _ = try await box.store.write { try log.record((0..<5).map { LogTests.act($0) }, $0) }
      try await LogTests.wait("five entries are proved") { (try? log.read { try $0.proof(of: 4) }) != nil }
    }
    let back = try EvidenceLog(
      store: other.store, signer: signer, treaty: witnesses.treaty(1), caller: witnesses, now: { LogTests.time })
    try await LogTests.running(back) {
      _ = try await other.store.write { try back.record((0..<3).map { LogTests.act($0) }, $0) }
      try await LogTests.wait("the alarm") { back.alarms == [.setBack(witness: "police", size: 5)] }
      #expect(throws: EvidenceError.notWitnessedYet(2)) { try back.read { try $0.proof(of: 2) } }
      // It grows past what was seen, with another history.
      _ = try await other.store.write { try back.record((0..<7).map { LogTests.act($0) }, $0) }
      try await LogTests.wait("the second alarm") { back.alarms.contains(.otherHistory(witness: "police")) }
      #expect(throws: EvidenceError.notWitnessedYet(9)) { try back.read { try $0.proof(of: 9) } }
    }
    await box.end()
    await other.end()
  }

  @Test func aWitnessThatForgotIsSeenAndGoesOn() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let witnesses = try LocalWitnesses(["police"], log: signer.verifier, folder: box.folder)
    let log = try EvidenceLog(
      store: box.store, signer: signer, treaty: witnesses.treaty(1), caller: witnesses, now: { LogTests.time })
    try await LogTests.running(log) {
      _ = try await box.store.write { try log.record([LogTests.act(0)], $0) }
      try await LogTests.wait("the first is proved") { (try? log.read { try $0.proof(of: 0) }) != nil }
      try witnesses.reset("police")
      _ = try await box.store.write { try log.record([LogTests.act(1)], $0) }
      try await LogTests.wait("the second is proved") { (try? log.read { try $0.proof(of: 1) }) != nil }
      #expect(log.alarms == [.forgot(witness: "police")])
    }
    await box.end()
  }
}
