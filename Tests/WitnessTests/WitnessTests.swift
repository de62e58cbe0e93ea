import Foundation
import Testing
import TransparencyLog

@testable import Witness

@Suite final class WitnessTests {
  let folder = NSTemporaryDirectory() + "witness-" + UUID().uuidString
  let log: SignerKey
  let key: SignerKey

  init() throws {
    log = try SignerKey(name: "city.example/log", kind: .ed25519)
    key = try SignerKey(name: "police.example/witness", kind: .cosignature)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func witness() throws -> Witness {
    try Witness(signer: key, logs: [log.verifier], folder: folder, now: { 1_800_000_000 })
  }

  /// A request of a log whose entries are numbers.
  func request(from old: Int, to new: Int, first: Int = 0) throws -> [UInt8] {
    let leaves = (0..<new).map { TreeHash.leaf(Array("\($0 == 0 ? first : $0)".utf8)) }
    var range = CompactRange()
    var hashes: [Int: [TreeHash]] = [:]
    for leaf in leaves { range.append(leaf) { height, _, hash in hashes[height, default: []].append(hash) } }
    let path = try MerkleProof.consistency(from: UInt64(old), to: UInt64(new)) { height, index in
      try #require(hashes[height])[Int(index)]
    }
    let checkpoint = Checkpoint(origin: log.verifier.name, size: UInt64(new), root: range.root)
    let note = SignedNote(text: checkpoint.text, signatures: [try log.sign(checkpoint.text, at: 0)])
    return Array(WitnessRequest(oldSize: UInt64(old), path: path, checkpoint: note).text.utf8)
  }

  @Test func whatIsCosignedIsRemembered() async throws {
    var one = try witness()
    guard case .cosigned(let line) = try await one.add(request(from: 0, to: 5)) else {
      Issue.record("the first checkpoint")
      return
    }
    #expect(line.hasPrefix("— police.example/witness "))
    one = try witness()
    #expect(try await one.add(request(from: 0, to: 5)) == .refused(.otherSize(5)))
    #expect(try await one.add(request(from: 5, to: 9, first: 7)) == .refused(.inconsistent))
    guard case .cosigned = try await one.add(request(from: 5, to: 9)) else {
      Issue.record("the second checkpoint")
      return
    }
    let name = WitnessState.name(of: log.verifier.name)
    let note = try SignedNote(parsing: Array(try #require(try await one.latest(name)).utf8))
    let signed = try note.verified(by: [log.verifier, key.verifier])
    #expect(signed.count == 2)
    #expect(signed[key.verifier]?.time == 1_800_000_000)
    #expect(try Checkpoint(parsing: note.text).size == 9)
  }

  /// A log whose name can be spelled in two ways has one history all the same.
  @Test func anotherSpellingIsAnotherLog() async throws {
    let accented = try SignerKey(name: "caf\u{E9}.example/log", kind: .ed25519)
    let one = try Witness(signer: key, logs: [accented.verifier], folder: folder, now: { 1_800_000_000 })
    func request(_ origin: String, root: TreeHash, name: String) throws -> [UInt8] {
      let text = Checkpoint(origin: origin, size: 1, root: root).text
      var signature = try accented.sign(text, at: 0)
      signature.name = name
      let note = SignedNote(text: text, signatures: [signature])
      return Array(WitnessRequest(oldSize: 0, path: [], checkpoint: note).text.utf8)
    }
    let other = "cafe\u{301}.example/log"
    #expect(try await one.add(request(other, root: .leaf([2]), name: other)) == .refused(.unknownLog))
    #expect(try await one.add(request(accented.verifier.name, root: .leaf([1]), name: other)) == .refused(.untrusted))
    guard
      case .cosigned = try await one.add(
        request(accented.verifier.name, root: .leaf([1]), name: accented.verifier.name))
    else {
      Issue.record("the log's own spelling")
      return
    }
    #expect(try await one.add(request(other, root: .leaf([2]), name: other)) == .refused(.unknownLog))
  }

  @Test func ofTwoHistoriesAtOnceOneIsCosigned() async throws {
    let one = try witness()
    let (left, right) = (try request(from: 0, to: 5), try request(from: 0, to: 5, first: 9))
    let answers = try await withThrowingTaskGroup(of: Witness.Answer.self) { group in
      for number in 0..<50 { group.addTask { try await one.add(number % 2 == 0 ? left : right) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let cosigned = answers.count { if case .cosigned = $0 { true } else { false } }
    #expect(cosigned == 1)
    #expect(answers.count { $0 == .refused(.otherSize(5)) } == 49)
  }

  /// A witness that has forgotten would cosign a second history.
  @Test func damagedMemoryIsNoEmptyOne() async throws {
    let one = try witness()
    _ = try await one.add(request(from: 0, to: 5))
    let path = "\(folder)/\(WitnessState.name(of: log.verifier.name)).checkpoint"
    try Data("damaged".utf8).write(to: URL(filePath: path))
    await #expect(throws: WitnessFailure.self) { try await one.add(self.request(from: 0, to: 5)) }
  }

  @Test func aFolderThatCannotBeWrittenCosignsNothing() async throws {
    let one = try witness()
    try FileManager.default.removeItem(atPath: folder)
    await #expect(throws: WitnessFailure.self) { try await one.add(self.request(from: 0, to: 5)) }
    #expect(try await witness().latest(WitnessState.name(of: log.verifier.name)) == nil)
  }

  @Test func theKeyOfALogIsNoWitnesss() throws {
    #expect(throws: WitnessFailure.self) { try Witness(signer: log, logs: [], folder: folder) }
  }
}
