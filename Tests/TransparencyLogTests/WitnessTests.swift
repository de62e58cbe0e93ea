import Testing

@testable import TransparencyLog

@Suite struct WitnessTests {
  let key: SignerKey
  let log = Log(size: 600)

  init() throws { key = try SignerKey(name: "city.example/log", kind: .ed25519) }

  func request(old: Int, new: Int, size: Int? = nil, signer: SignerKey? = nil) throws -> WitnessRequest {
    var tree = log.tree(new)
    let checkpoint = Checkpoint(origin: "city.example/log", size: UInt64(size ?? new), root: try tree.root())
    let path = old > 0 && old <= new ? try tree.consistency(from: UInt64(old)) : []
    let note = SignedNote(text: checkpoint.text, signatures: [try (signer ?? key).sign(checkpoint.text, at: 0)])
    return WitnessRequest(oldSize: UInt64(old), path: path, checkpoint: note)
  }

  func judge(_ request: WitnessRequest, at size: Int) throws -> Result<Checkpoint, WitnessRefusal> {
    let again = try WitnessRequest(parsing: Array(request.text.utf8))
    #expect(again == request)
    var tree = log.tree(size)
    let latest = WitnessedTree(size: UInt64(size), root: try tree.root())
    do throws(WitnessRefusal) { return .success(try again.judged(trusting: [key.verifier]) { _ in latest }) } catch {
      return .failure(error)
    }
  }

  @Test func aLogThatGrowsIsCosigned() throws {
    for (old, new) in [(0, 0), (0, 1), (1, 2), (1, 600), (255, 256), (256, 257), (300, 300), (511, 600)] {
      #expect(try judge(request(old: old, new: new), at: old).get().size == UInt64(new))
    }
  }

  @Test func otherLogsAreNot() throws {
    // The witness stands elsewhere.
    #expect(try judge(request(old: 5, new: 9), at: 7) == .failure(.otherSize(7)))
    #expect(try judge(request(old: 0, new: 9), at: 7) == .failure(.otherSize(7)))
    // The log would shrink.
    guard case .failure(.malformed) = try judge(request(old: 9, new: 5), at: 9) else {
      Issue.record("an old size above the new one")
      return
    }
    // A root that does not belong to the size.
    #expect(try judge(request(old: 7, new: 9, size: 17), at: 7) == .failure(.inconsistent))
    // A second history of the same size.
    #expect(try judge(request(old: 7, new: 9, size: 7), at: 7) == .failure(.inconsistent))
    // A proof that is not asked for.
    var more = try request(old: 0, new: 9)
    more.path = [.empty]
    #expect(try judge(more, at: 0) == .failure(.inconsistent))
    // An empty tree with another root.
    #expect(try judge(request(old: 0, new: 9, size: 0), at: 0) == .failure(.inconsistent))
    // A key that nobody trusts, and a log that nobody knows.
    let stranger = try SignerKey(name: "city.example/log", kind: .ed25519)
    #expect(try judge(request(old: 7, new: 9, signer: stranger), at: 7) == .failure(.untrusted))
    var unknown = try request(old: 0, new: 9)
    unknown.checkpoint.text = "x" + unknown.checkpoint.text
    #expect(try judge(unknown, at: 0) == .failure(.unknownLog))
    // A signature that is not the key's is refused even beside a good one.
    var forged = try request(old: 0, new: 9)
    forged.checkpoint.signatures.append(forged.checkpoint.signatures[0])
    forged.checkpoint.signatures[1].bytes[0] ^= 1
    #expect(try judge(forged, at: 0) == .failure(.untrusted))
  }

  @Test(arguments: ["", "old 1\n", "old 01\n\n", "old -1\n\nx", "new 1\n\na\n1\n", "old 1\nAAAA\n\na\n", "old 1\n\n"])
  func whatIsNoRequestIsRefused(_ text: String) {
    #expect(throws: NoteError.self) { try WitnessRequest(parsing: Array(text.utf8)) }
  }
}
