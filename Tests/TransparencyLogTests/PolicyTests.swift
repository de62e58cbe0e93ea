import Foundation
import Testing

@testable import TransparencyLog

@Suite struct PolicyTests {
  let log: SignerKey
  let witnesses: [SignerKey]

  init() throws {
    log = try SignerKey(name: "city.example/log", kind: .ed25519)
    witnesses = try (1...6).map { try SignerKey(name: "agency\($0).example", kind: .cosignature) }
  }

  func policy(_ text: String) throws(PolicyError) -> WitnessPolicy {
    var lines = "log \(log.verifier.text) https://city.example/log/\n"
    for (number, witness) in witnesses.enumerated() { lines += "witness W\(number + 1) \(witness.verifier.text)\n" }
    return try WitnessPolicy(parsing: Array((lines + text).utf8))
  }

  func checkpoint(_ checkpoint: Checkpoint, by signers: [Int]) throws -> SignedNote {
    let text = checkpoint.text
    return SignedNote(
      text: text,
      signatures: try [log.sign(text, at: 0)] + signers.map { try witnesses[$0 - 1].sign(text, at: 1_800_000_000) })
  }

  @Test func groupsOfGroupsDecide() throws {
    let policy = try policy(
      "# the treaty\ngroup police 2 W1 W2 W3\n\tgroup  fire any W4 W5 W6 \n\ngroup both all police fire\nquorum both\n")
    func isQuorum(_ names: String...) -> Bool { policy.isQuorum { names.contains($0.name) } }
    #expect(isQuorum("W1", "W2", "W4"))
    #expect(isQuorum("W2", "W3", "W5", "W6"))
    #expect(!isQuorum("W1", "W2", "W3"))
    #expect(!isQuorum("W1", "W4", "W5", "W6"))
    #expect(!isQuorum())
    // The names of groups are no witnesses.
    #expect(!isQuorum("police", "fire", "both"))
  }

  @Test func aProofHoldsUnderItsPolicyOnly() throws {
    let policy = try policy("group any3 3 W1 W2 W3 W4 W5\nquorum any3\n")
    let entries = Log(size: 300)
    var tree = entries.tree(300)
    let checkpoint = Checkpoint(origin: "city.example/log", size: 300, root: try tree.root())
    let file = InclusionFile(
      extra: [1, 2, 3], index: 17, path: try tree.inclusion(of: 17),
      checkpoint: try self.checkpoint(checkpoint, by: [1, 3, 5]))
    let read = try InclusionFile(parsing: Array(file.text.utf8))
    #expect(read == file)
    let leaf = TreeHash.leaf(entries.entries[17])
    let proved = try read.verify(leaf, under: policy)
    #expect(proved.checkpoint.witnesses.keys.sorted() == ["W1", "W3", "W5"])
    #expect(throws: ProofRefusal.entryIsNotThere) { try read.verify(.leaf(entries.entries[18]), under: policy) }
    var few = file
    few.checkpoint = try self.checkpoint(checkpoint, by: [1, 6, 3])
    #expect(throws: ProofRefusal.tooFewWitnesses(["W1", "W3", "W6"])) { try few.verify(leaf, under: policy) }
    // One witness twice is one witness.
    few.checkpoint = try self.checkpoint(checkpoint, by: [1, 1, 1])
    #expect(throws: ProofRefusal.tooFewWitnesses(["W1"])) { try few.verify(leaf, under: policy) }
    // A log that is known under another name.
    few.checkpoint = try self.checkpoint(
      Checkpoint(origin: "other.example/log", size: 300, root: checkpoint.root), by: [1, 3, 5])
    #expect(throws: ProofRefusal.unknownLog("other.example/log")) { try few.verify(leaf, under: policy) }
    // Cosignatures of another checkpoint.
    var mixed = file
    mixed.checkpoint.signatures += try self.checkpoint(
      Checkpoint(origin: "city.example/log", size: 301, root: checkpoint.root), by: [2]
    ).signatures.dropFirst()
    #expect(throws: ProofRefusal.wrongSignature("agency2.example")) { try mixed.verify(leaf, under: policy) }
  }

  @Test(arguments: [
    "", "quorum W1\nquorum W2\n", "quorum W9\n", "group g 0 W1\nquorum g\n", "group g 3 W1 W2\nquorum g\n",
    "group g 01 W1\nquorum g\n", "group g some W1\nquorum g\n", "group g all\nquorum g\n",
    "group g all W1 W1\nquorum g\n", "group g all W1\ngroup h all W1 W2\nquorum h\n", "group g all h\nquorum g\n",
    "group none all W1\nquorum none\n", "group W1 all W2\nquorum W1\n", "group g all none\nquorum g\n",
    "what W1\nquorum W1\n",
    "quorum W1", "quorum W1\r\n", "quorum\n", "quorum W1 W2\n", "log x\nquorum W1\n", "witness X\nquorum W1\n",
  ])
  func brokenPoliciesAreRefused(_ text: String) {
    #expect(throws: PolicyError.self) { try policy(text) }
  }

  @Test func aKeyStandsForOneWitnessAndOneRole() throws {
    let key = witnesses[0].verifier.text
    #expect(throws: PolicyError.self) { try policy("witness again \(key)\nquorum W1\n") }
    #expect(throws: PolicyError.self) { try policy("log \(key)\nquorum W1\n") }
    #expect(throws: PolicyError.self) { try policy("witness log \(log.verifier.text)\nquorum W1\n") }
    do throws(PolicyError) { _ = try policy("quorum W1\ngroup g all W9\n") } catch {
      #expect(error.line == 9)
      #expect(error.problem.contains("W9"))
    }
  }

  /// A proof that has just what its policy asks for, with one or two bytes of it changed, cut out or put in: none holds.
  @Test func noMutatedFileIsAccepted() throws {
    let wanted = (ProcessInfo.processInfo.environment["MADANG_MUTATIONS"].flatMap(Int.init) ?? 20_000) / 20
    let policy = try policy("group two 2 W1 W2 W3\nquorum two\n")
    let entries = Log(size: 300)
    var tree = entries.tree(300)
    let checkpoint = Checkpoint(origin: "city.example/log", size: 300, root: try tree.root())
    let text = Array(
      InclusionFile(
        extra: entries.entries[17], index: 17, path: try tree.inclusion(of: 17),
        checkpoint: try self.checkpoint(checkpoint, by: [1, 3])
      ).text.utf8)
    func isProved(_ bytes: [UInt8]) -> Bool {
      guard let file = try? InclusionFile(parsing: bytes), let entry = file.extra else { return false }
      return (try? file.verify(.leaf(entry), under: policy)) != nil
    }
    #expect(isProved(text))
    let letters = Array("ABCDXYZabcxyz0189+/=\n — ".utf8)
    for number in 0..<wanted {
      var bytes = text
      for _ in 0...(number % 2) {
        let place = Int.random(in: bytes.indices)
        switch Int.random(in: 0..<5) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8)
        case 1: bytes[place] = letters[Int.random(in: letters.indices)]
        case 2: bytes.remove(at: place)
        case 3: bytes.insert(letters[Int.random(in: letters.indices)], at: place)
        default: bytes.swapAt(place, Int.random(in: bytes.indices))
        }
      }
      guard bytes != text else { continue }
      #expect(!isProved(bytes), "\(String(decoding: bytes, as: UTF8.self))")
    }
  }

  /// The same letters spelled otherwise are other octets: no other witness, no other log, no other line.
  @Test func spellingsThatLookAlikeAreOthers() throws {
    let (one, other) = ("caf\u{E9}", "cafe\u{301}")
    let text =
      "log \(log.verifier.text)\nwitness \(one) \(witnesses[0].verifier.text)\n"
      + "witness \(other) \(witnesses[1].verifier.text)\ngroup both 2 \(one) \(other)\nquorum both\n"
    let policy = try WitnessPolicy(parsing: Array(text.utf8))
    let entries = Log(size: 3)
    var tree = entries.tree(3)
    let checkpoint = Checkpoint(origin: "city.example/log", size: 3, root: try tree.root())
    #expect(throws: ProofRefusal.self) { try policy.verify(try self.checkpoint(checkpoint, by: [2])) }
    #expect(throws: Never.self) { try policy.verify(try self.checkpoint(checkpoint, by: [1, 2])) }

    let accented = try SignerKey(name: one, kind: .ed25519)
    let believed = try WitnessPolicy(parsing: Array("log \(accented.verifier.text)\nquorum none\n".utf8))
    func note(_ origin: String, by name: String) throws -> SignedNote {
      let text = Checkpoint(origin: origin, size: 3, root: checkpoint.root).text
      var signature = try accented.sign(text, at: 0)
      signature.name = name
      return SignedNote(text: text, signatures: [signature])
    }
    #expect(throws: Never.self) { try believed.verify(try note(one, by: one)) }
    #expect(throws: ProofRefusal.unknownLog(other)) { try believed.verify(try note(other, by: one)) }
    #expect(throws: ProofRefusal.unknownLog(one)) { try believed.verify(try note(one, by: other)) }
  }

  /// A mark after a separator makes neither a letter of it nor another line.
  @Test(arguments: ["\nindex ", "\n\n", "— ", "— city.example/log ", "@v1\n"])
  func aCombiningMarkIsNoPartOfASeparator(_ place: String) throws {
    let policy = try policy("quorum none\n")
    let entries = Log(size: 3)
    var tree = entries.tree(3)
    let checkpoint = Checkpoint(origin: "city.example/log", size: 3, root: try tree.root())
    let file = InclusionFile(
      extra: entries.entries[1], index: 1, path: try tree.inclusion(of: 1),
      checkpoint: try self.checkpoint(checkpoint, by: []))
    func isProved(_ text: String) throws -> Bool {
      do {
        let file = try InclusionFile(parsing: Array(text.utf8))
        _ = try file.verify(.leaf(file.extra ?? []), under: policy)
        return true
      } catch is NoteError { return false } catch is ProofRefusal { return false }
    }
    #expect(try isProved(file.text))
    #expect(try !isProved(file.text.replacing(place, with: place + "\u{301}", maxReplacements: 1)))
  }

  @Test func noQuorumAsksForNobody() throws {
    let policy = try policy("quorum none\n")
    let note = try checkpoint(Checkpoint(origin: "city.example/log", size: 0, root: .empty), by: [])
    #expect(try policy.verify(note).witnesses.isEmpty)
  }
}
