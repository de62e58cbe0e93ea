import Foundation
import NGSI
import Store
import Synchronization
import Testing
import TransparencyLog
import Witness

@testable import Evidence

/// Witnesses in this process, each of which can be told how to behave.
final class LocalWitnesses: WitnessCalling {
  enum Behaviour: Hashable {
    case works, isAway, stalls
    /// Answers so, whatever it is asked.
    case says(Int, String)
    /// Cosigns another text than it was shown.
    case cosignsAnother
  }

  private let witnesses: Mutex<[String: Witness]>
  private let behaviours = Mutex<[String: Behaviour]>([:])
  private let log: VerifierKey
  private let folder: String
  let keys: [SignerKey]

  private let now: @Sendable () -> UInt64

  /// - Parameter now: their clock; that of the tests' city where it is not given.
  init(
    _ names: [String], log: VerifierKey, folder: String, now: @escaping @Sendable () -> UInt64 = { 1_795_000_000 }
  ) throws {
    self.log = log
    self.now = now
    self.folder = folder
    keys = try names.map { try SignerKey(name: $0 + ".example/witness", kind: .cosignature) }
    var made: [String: Witness] = [:]
    for (name, key) in zip(names, keys) {
      made["http://" + name] = try Witness(signer: key, logs: [log], folder: folder + "/" + name, now: now)
    }
    witnesses = Mutex(made)
  }

  func set(_ name: String, _ behaviour: Behaviour) { behaviours.withLock { $0["http://" + name] = behaviour } }

  /// The witness's disk is as it was before it saw anything.
  func reset(_ name: String) throws {
    guard let key = keys.first(where: { $0.verifier.name == name + ".example/witness" }) else { return }
    let fresh = try Witness(signer: key, logs: [log], folder: folder + "/" + name + "-new", now: now)
    witnesses.withLock { $0["http://" + name] = fresh }
  }

  func treaty(_ threshold: Int) -> String {
    let lines = keys.map { key -> String in
      let name = key.verifier.name.prefix { $0 != "." }
      return "witness \(name) \(key.verifier.text) http://\(name)\n"
    }
    let names = keys.map { $0.verifier.name.prefix { $0 != "." } }.joined(separator: " ")
    return lines.joined() + "group enough \(threshold) \(names)\nquorum enough\n"
  }

  func addCheckpoint(_ body: String, at url: String) async -> (status: Int, body: String)? {
    switch behaviours.withLock({ $0[url] ?? .works }) {
    case .isAway: return nil
    case .stalls:
      try? await Task.sleep(for: .seconds(3600))
      return nil
    case .says(let status, let body): return (status, body)
    case .cosignsAnother:
      guard let key = keys.first(where: { "http://" + $0.verifier.name.prefix { $0 != "." } == url }),
        let line = try? key.sign("city.example/evidence\n1\n\(TreeHash.empty)\n", at: 1_795_000_000).line
      else { return nil }
      return (200, line)
    case .works: break
    }
    guard let witness = witnesses.withLock({ $0[url] }) else { return nil }
    switch try? await witness.add(Array(body.utf8)) {
    case .cosigned(let line): return (200, line)
    case .refused(.otherSize(let size)): return (409, "\(size)\n")
    case .refused(let refusal): return (refusal.status, refusal.sentence)
    case nil: return (500, "")
    }
  }
}

@Suite struct LogTests {
  static let time = DateTime(microseconds: 1_795_000_000_000_000)

  /// Runs a log until the body is through.
  static func running(
    _ log: EvidenceLog, _ body: () async throws -> Void
  ) async throws {
    try log.resume()
    let task = Task { await log.run() }
    do { try await body() } catch {
      task.cancel()
      throw error
    }
    task.cancel()
    await task.value
  }

  static func wait(_ what: String, _ holds: () throws -> Bool) async throws {
    for _ in 0..<2000 {
      if try holds() { return }
      try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("20 s went by before \(what)")
  }

  static func act(_ number: Int, subject: String? = "patient-7") -> Act {
    var act = Act(.access, action: "read")
    act.agency = "police"
    act.actor = "officer.kim"
    act.source = "10.0.0.7"
    act.purpose = "missing-child"
    act.subject = subject
    act.object = ObjectHash(of: Data("\(number)".utf8))
    act.reason = "call 112-\(number)"
    return act
  }

  @Test func whatWasDoneIsProvedUnderTheTreaty() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let witnesses = try LocalWitnesses(["police", "fire", "audit"], log: signer.verifier, folder: box.folder)
    let log = try EvidenceLog(
      store: box.store, signer: signer, treaty: witnesses.treaty(2), caller: witnesses, now: { Self.time })
    try await Self.running(log) {
      for number in 0..<300 {
        let range = try await box.store.write { try log.record([Self.act(number)], $0) }
        #expect(range == UInt64(number)..<UInt64(number + 1))
      }
      try await Self.wait("the last entry is proved") { (try? log.read { try $0.proof(of: 299) }) != nil }
      for position in [0, 5, 255, 256, 299] as [UInt64] {
        let file = try log.read { try $0.proof(of: position) }
        // What a stranger does, with nothing but the file and the policy.
        let policy = try WitnessPolicy(parsing: Array(log.policyText.utf8))
        let read = try InclusionFile(parsing: Array(file.text.utf8))
        let proved = try read.verify(.leaf(try #require(read.extra)), under: policy)
        #expect(proved.index == position)
        #expect(proved.checkpoint.witnesses.count >= 2)
        var other = try #require(read.extra)
        other[3] ^= 1
        #expect(throws: ProofRefusal.entryIsNotThere) { try read.verify(.leaf(other), under: policy) }
      }
      #expect(throws: EvidenceError.noEntry(300)) { try log.read { try $0.proof(of: 300) } }
    }
    await box.end()
  }

  @Test func nobodysNameStandsInTheLogAndKeysEraseTheRest() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let log = try EvidenceLog(store: box.store, signer: signer, now: { Self.time })
    try log.resume()
    _ = try await box.store.write { writer in
      try log.record([Self.act(0), Self.act(1, subject: "patient-8"), Self.act(2), Self.act(3, subject: nil)], writer)
    }
    let entries = try box.store.read { try $0.evidence(0..<4) }
    for record in entries {
      let text = String(decoding: record.entry, as: UTF8.self)
      for secret in ["kim", "10.0.0.7", "patient", "112-"] { #expect(!text.contains(secret)) }
      let register = String(decoding: record.register ?? [], as: UTF8.self)
      for secret in ["kim", "10.0.0.7", "patient", "112-"] { #expect(!register.contains(secret)) }
    }
    // The same subject twice gives two commitments that nobody can link.
    let commitments = try entries.compactMap { try JSONParser.parse($0.entry)["subject"]?.string }
    #expect(commitments.count == 3 && Set(commitments).count == 3)

    var lines = try log.read { try $0.register(from: 0, limit: 10) }
    #expect(lines.map(\.actor) == Array(repeating: "officer.kim", count: 4))
    #expect(lines.map(\.subject) == ["patient-7", "patient-8", "patient-7", nil])
    #expect(lines.map(\.reason) == ["call 112-0", "call 112-1", "call 112-2", "call 112-3"])
    #expect(try log.read { try $0.positions(of: "patient-7", limit: 10) } == [0, 2])

    let isForgotten = try await [log.forget(subject: "patient-7"), log.forget(subject: "patient-7")]
    #expect(isForgotten == [true, false])
    lines = try log.read { try $0.register(from: 0, limit: 10) }
    #expect(lines.map(\.subject) == [nil, "patient-8", nil, nil])
    #expect(lines.map(\.reason) == [nil, "call 112-1", nil, "call 112-3"])
    #expect(lines.map(\.erased) == [["subject"], [], ["subject"], []])
    #expect(try log.read { try $0.positions(of: "patient-7", limit: 10) } == [])
    #expect(try box.store.read { try $0.evidence(0..<4) } == entries)
    await box.end()
  }

  @Test func accountsOfAnotherKindAndSubjectsOfAnotherTenantAreOthers() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let log = try EvidenceLog(store: box.store, signer: signer, now: { Self.time })
    try log.resume()
    _ = try await box.store.write { writer in
      try log.record(
        [("Person", ""), ("Device", "north"), (nil, "south")].map { kind, tenant in
          var act = Self.act(0)
          (act.actorKind, act.tenant, act.detail) = (kind, tenant, "twice")
          return act
        }, writer)
    }
    var lines = try log.read { try $0.register(from: 0, limit: 10) }
    #expect(lines.map(\.actorKind) == ["Person", "Device", nil] && lines.map(\.tenant) == [nil, "north", "south"])
    #expect(lines.allSatisfy { $0.actor == "officer.kim" && $0.detail == "twice" })
    for (tenant, position) in [(nil, 0), ("north", 1), ("south", 2)] as [(String?, UInt64)] {
      #expect(try log.read { try $0.positions(of: "patient-7", tenant: tenant, limit: 10) } == [position])
    }
    let isForgotten = try await [
      log.forget(account: "officer.kim", kind: "Device"), log.forget(account: "officer.kim", kind: "Client"),
      log.forget(subject: "patient-7", tenant: "south"),
    ]
    #expect(isForgotten == [true, false, true])
    lines = try log.read { try $0.register(from: 0, limit: 10) }
    #expect(lines.map(\.actor) == ["officer.kim", nil, "officer.kim"])
    #expect(lines.map(\.subject) == ["patient-7", "patient-7", nil])
    await box.end()
  }

  @Test func whatIsRepeatedIsRecordedOnceAndThenCounted() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let clock = Mutex(Self.time)
    let log = try EvidenceLog(store: box.store, signer: signer, now: { clock.withLock { $0 } })
    try log.resume()
    func failed(_ subject: String, from source: String) -> Act {
      var act = Act(.login, action: "login-failed")
      (act.actorKind, act.actor, act.source, act.subject) = ("Nobody", source, source, subject)
      return act
    }
    func lines() throws -> [RegisterLine] {
      try box.store.read { try EvidenceView($0).register(from: 0, limit: 10_000) }
    }
    for _ in 0..<1000 { try await log.recordRepeatable(failed("kim", from: "192.0.2.1")) }
    try await log.recordRepeatable(failed("lee", from: "192.0.2.1"))
    try await log.recordCounted()
    #expect(try lines().map(\.subject) == ["kim", "lee"] && lines().allSatisfy { $0.detail == nil })
    clock.withLock { $0 = $0.adding(seconds: 60) }
    try await log.recordCounted()
    try await log.recordCounted()
    #expect(try lines().dropFirst(2).map(\.detail) == ["999 times"])
    // A thousand sources are not a thousand entries each time.
    let before = try lines().count
    for number in 0..<2000 { try await log.recordRepeatable(failed("kim", from: "192.0.2.\(number)")) }
    #expect(try lines().count == before + log.repeated.most && log.repeated.count <= log.repeated.most + 1)
    try await log.recordCounted(isLast: true)
    let last = try #require(try lines().last)
    #expect(last.source == "(others)" && last.subject == nil && last.detail == "1500 times")
    #expect(log.repeated.count == 0)
    await box.end()
  }

  @Test func aCommitmentOpensForOneEntryOnly() throws {
    let key = CommitmentKey.random()
    let first = key.opening(nonce: [1])
    let commitment = Commitment.text(to: "patient-7", opening: first)
    #expect(commitment == Commitment.text(to: "patient-7", opening: first))
    #expect(commitment != Commitment.text(to: "patient-8", opening: first))
    #expect(commitment != Commitment.text(to: "patient-7", opening: key.opening(nonce: [2])))
    // RFC 4231, test case 2.
    let known = Commitment.text(to: "what do ya want for nothing?", opening: Array("Jefe".utf8))
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    let digits = try #require(Base64URL.bytes(known.dropFirst("hmac-sha256:".count)))
    #expect(digits.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() == expected)
  }

  @Test func aWitnessThatIsAwayStopsNothing() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let witnesses = try LocalWitnesses(["police", "fire", "audit"], log: signer.verifier, folder: box.folder)
    witnesses.set("police", .isAway)
    witnesses.set("fire", .stalls)
    var limits = EvidenceLog.Limits()
    (limits.quorumWait, limits.silence) = (0.05, 0.1)
    let clock = Mutex(Self.time)
    let log = try EvidenceLog(
      store: box.store, signer: signer, treaty: witnesses.treaty(2), caller: witnesses, limits: limits,
      now: { clock.withLock { $0 } })
    try await Self.running(log) {
      _ = try await box.store.write { try log.record([Self.act(0)], $0) }
      try await Self.wait("the checkpoint is published") { log.checkpoint != nil }
      #expect(throws: EvidenceError.notWitnessedYet(0)) { try log.read { try $0.proof(of: 0) } }
      clock.withLock { $0 = $0.adding(seconds: 2) }
      let expected: [EvidenceAlarm] = [.noQuorum, .silent(witness: "fire"), .silent(witness: "police")]
      try await Self.wait("alarms") { log.alarms == expected }
      // The one that was away comes back: what it missed is made up for.
      witnesses.set("police", .works)
      try await Self.wait("a proof") {
        clock.withLock { $0 = $0.adding(seconds: 0.2) }
        return (try? log.read { try $0.proof(of: 0) }) != nil
      }
      try await Self.wait("fewer alarms") {
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
      now: { Self.time })
    try await Self.running(log) {
      _ = try await box.store.write { try log.record([Self.act(0)], $0) }
      try await Self.wait("the checkpoint is published with the one that does not lie") {
        (try? SignedNote(parsing: Array((log.checkpoint ?? "").utf8)))?.signatures.map(\.name).sorted()
          == ["city.example/evidence", "fire.example/witness"]
      }
      #expect(throws: EvidenceError.notWitnessedYet(0)) { try log.read { try $0.proof(of: 0) } }
      // It stops lying.
      witnesses.set("police", .works)
      _ = try await box.store.write { try log.record([Self.act(1)], $0) }
      try await Self.wait("a proof") { (try? log.read { try $0.proof(of: 1) }) != nil }
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
      store: box.store, signer: signer, treaty: witnesses.treaty(1), caller: witnesses, now: { Self.time })
    try await Self.running(log) {
      _ = try await box.store.write { try log.record([Self.act(0)], $0) }
      try await Self.wait("the alarm") { log.alarms == [.setBack(witness: "police", size: 9_000_000)] }
      witnesses.set("police", .works)
      _ = try await box.store.write { try log.record([Self.act(1)], $0) }
      try await Self.wait("a proof") { (try? log.read { try $0.proof(of: 1) }) != nil }
    }
    await box.end()
  }

  /// The city's clock is put an hour back, and an hour ahead of what it should be: positions and times of entries only
  /// rise, checkpoints go on, and the witnesses' clocks show it.
  @Test func theClockJumps() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let witnesses = try LocalWitnesses(["police", "fire"], log: signer.verifier, folder: box.folder)
    let correct = Self.time
    var limits = EvidenceLog.Limits()
    limits.quorumWait = 0.05
    let clock = Mutex(correct)
    let log = try EvidenceLog(
      store: box.store, signer: signer, treaty: witnesses.treaty(2), caller: witnesses, limits: limits,
      now: { clock.withLock { $0 } })
    try await Self.running(log) {
      var count: UInt64 = 0
      for jump in [0, -3600, 7200, -3600] as [Double] {
        clock.withLock { $0 = $0.adding(seconds: jump) }
        _ = try await box.store.write { try log.record([Self.act(0)], $0) }
        count += 1
        try await Self.wait("entry \(count) is proved") { (try? log.read { try $0.proof(of: count - 1) }) != nil }
        let isWrong = abs(clock.withLock { $0 }.secondsSince1970 - correct.secondsSince1970) > 300
        try await Self.wait("what the clocks of the witnesses show") {
          let seen = log.alarms.filter { $0.id.hasPrefix("clock:") }
          return seen.count == (isWrong ? 2 : 0) && seen.allSatisfy { !$0.isGrave }
        }
        #expect(log.alarms.allSatisfy { $0.id.hasPrefix("clock:") })
      }
      let times = try box.store.read { try $0.evidence(0..<count).map(\.time) }
      #expect(times == times.sorted())
      // A witness that was away is asked again, also while the clock stands an hour before the last round.
      witnesses.set("police", .isAway)
      _ = try await box.store.write { try log.record([Self.act(9)], $0) }
      try await Self.wait("it is published") { log.publishedSize == count + 1 }
      clock.withLock { $0 = $0.adding(seconds: -3600) }
      witnesses.set("police", .works)
      try await Self.wait("it is proved") {
        clock.withLock { $0 = $0.adding(seconds: 0.1) }
        return (try? log.read { try $0.proof(of: count) }) != nil
      }
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
      store: box.store, signer: signer, treaty: witnesses.treaty(1), caller: witnesses, now: { Self.time })
    try await Self.running(log) {
      _ = try await box.store.write { try log.record((0..<5).map { Self.act($0) }, $0) }
      try await Self.wait("five entries are proved") { (try? log.read { try $0.proof(of: 4) }) != nil }
    }
    let back = try EvidenceLog(
      store: other.store, signer: signer, treaty: witnesses.treaty(1), caller: witnesses, now: { Self.time })
    try await Self.running(back) {
      _ = try await other.store.write { try back.record((0..<3).map { Self.act($0) }, $0) }
      try await Self.wait("the alarm") { back.alarms == [.setBack(witness: "police", size: 5)] }
      #expect(throws: EvidenceError.notWitnessedYet(2)) { try back.read { try $0.proof(of: 2) } }
      // It grows past what was seen, with another history.
      _ = try await other.store.write { try back.record((0..<7).map { Self.act($0) }, $0) }
      try await Self.wait("the second alarm") { back.alarms.contains(.otherHistory(witness: "police")) }
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
      store: box.store, signer: signer, treaty: witnesses.treaty(1), caller: witnesses, now: { Self.time })
    try await Self.running(log) {
      _ = try await box.store.write { try log.record([Self.act(0)], $0) }
      try await Self.wait("the first is proved") { (try? log.read { try $0.proof(of: 0) }) != nil }
      try witnesses.reset("police")
      _ = try await box.store.write { try log.record([Self.act(1)], $0) }
      try await Self.wait("the second is proved") { (try? log.read { try $0.proof(of: 1) }) != nil }
      #expect(log.alarms == [.forgot(witness: "police")])
    }
    await box.end()
  }

  /// A log taken up goes on where it was; one whose entries are not those that were published says so and publishes
  /// nothing more, but goes on keeping what is done.
  @Test func takingUp() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    func log() throws -> EvidenceLog {
      try EvidenceLog(store: box.store, signer: signer, now: { Self.time })
    }
    let first = try log()
    try await Self.running(first) {
      _ = try await box.store.write { try first.record((0..<600).map { Self.act($0) }, $0) }
      try await Self.wait("600 entries are proved") { (try? first.read { try $0.proof(of: 599) }) != nil }
    }
    let (checkpoint, proof) = (first.checkpoint, try first.read { try $0.proof(of: 300).text })
    try await box.reopen()
    let second = try log()
    try second.resume()
    #expect(second.checkpoint == checkpoint)
    let again = try second.read { try $0.proof(of: 300).text }
    #expect(again == proof)

    // Somebody writes another checkpoint into the store, signed with the stolen key.
    let wrong = Checkpoint(origin: signer.verifier.name, size: 600, root: .leaf([1]))
    let note = SignedNote(text: wrong.text, signatures: [try signer.sign(wrong.text, at: 0)])
    try await box.store.write { writer in
      try writer.put(
        StoredDocument(id: "checkpoint", body: .string(note.description)), collection: "evidence", in: .default)
    }
    let third = try log()
    try await Self.running(third) {
      #expect(third.alarms.map(\.id) == ["damaged"])
      let range = try await box.store.write { try third.record([Self.act(600)], $0) }
      #expect(range == 600..<601)
      #expect(third.checkpoint == nil)
    }
    await box.end()
  }

  /// Killed after entries were acknowledged and before their tiles were kept: what was published stands under them, the
  /// tiles are made up for, and the log can be taken up once more.
  @Test func tilesThatWereNotKeptAreMadeUpFor() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    func log() throws -> EvidenceLog {
      try EvidenceLog(store: box.store, signer: signer, now: { Self.time })
    }
    let first = try log()
    try await Self.running(first) {
      _ = try await box.store.write { try first.record((0..<40).map { Self.act($0) }, $0) }
      try await Self.wait("40 entries are proved") { (try? first.read { try $0.proof(of: 39) }) != nil }
    }
    _ = try await box.store.write { try first.record((40..<700).map { Self.act($0) }, $0) }
    for end in [700, 1300] as [UInt64] {
      try await box.reopen()
      let next = try log()
      try next.resume()
      #expect(next.alarms.isEmpty)
      try await Self.running(next) {
        if end > 700 { _ = try await box.store.write { try next.record((700..<1300).map { Self.act($0) }, $0) } }
        try await Self.wait("\(end) entries are proved") { (try? next.read { try $0.proof(of: end - 1) }) != nil }
        for position in [0, 39, 40, 255, 256, 511, 699] as [UInt64] {
          let proof = try next.read { try $0.proof(of: position) }
          #expect(throws: Never.self) { try proof.verify(.leaf(proof.extra ?? []), under: next.policy) }
        }
      }
      #expect(next.alarms.isEmpty)
    }
    #expect(try box.store.read { try $0.evidenceTile(level: 0, index: 1) } != nil)
    await box.end()
  }

  /// Entries that come without end do not keep those before them from being published.
  @Test func itIsPublishedWhileMoreCome() async throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let log = try EvidenceLog(store: box.store, signer: signer, now: { Self.time })
    try await Self.running(log) {
      let writing = Task { [store = box.store] in
        while !Task.isCancelled {
          let records = (0..<600).map { EvidenceRecord(entry: Array("entry \($0)".utf8), time: Self.time) }
          _ = try await store.write { try log.append(records, $0) }
        }
      }
      try await Self.wait("20,000 entries are published") { log.publishedSize >= 20_000 }
      writing.cancel()
      try await writing.value
    }
    await box.end()
  }

  @Test func treatiesThatCannotBeAreRefused() throws {
    let box = try StoreBox()
    let signer = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    let stranger = try SignerKey(name: "city.example/evidence", kind: .ed25519)
    for treaty in ["nonsense\n", "quorum nobody\n", "log \(stranger.verifier.text)\nquorum none\n"] {
      #expect(throws: EvidenceError.self) {
        try EvidenceLog(store: box.store, signer: signer, treaty: treaty, now: { Self.time })
      }
    }
    let witness = try SignerKey(name: "police.example/witness", kind: .cosignature)
    #expect(throws: EvidenceError.self) { try EvidenceLog(store: box.store, signer: witness, now: { Self.time }) }
  }
}
