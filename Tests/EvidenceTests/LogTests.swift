import Foundation
import NGSI
import Store
import Synchronization
import Testing
import TransparencyLog
import Witness

@testable import Evidence

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
    // No secret here can come about by chance in the Base64 of sealed bytes.
    for record in entries {
      let text = String(decoding: record.entry, as: UTF8.self)
      let register = String(decoding: record.register ?? [], as: UTF8.self)
      for secret in ["officer.kim", "10.0.0.7", "patient-", "call 112"] {
        #expect(!text.contains(secret) && !register.contains(secret))
        let encoded = Data(secret.utf8.prefix(secret.utf8.count / 3 * 3)).base64EncodedString()
        #expect(!text.contains(encoded) && !register.contains(encoded), "and is not merely encoded")
      }
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
