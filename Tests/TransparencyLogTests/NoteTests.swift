import Foundation
import Testing

@testable import TransparencyLog

@Suite struct NoteTests {
  /// The example of the specification of signed notes.
  @Test func theSpecificationsExampleVerifies() throws {
    let key = try VerifierKey(parsing: "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    let text = """
      This is an example message.

      — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

      """
    let note = try SignedNote(parsing: Array(text.utf8))
    #expect(note.description == text)
    #expect(try note.verified(by: [key]).keys.first == key)
    var other = note
    other.text = "This is another message.\n"
    #expect(throws: NoteError.wrongSignature("example.com/foo")) { try other.verified(by: [key]) }
  }

  @Test func keysAreReadAsTheyAreWritten() throws {
    for kind in [SignatureKind.ed25519, .cosignature] {
      let signer = try SignerKey(name: "city.example/log", kind: kind)
      let again = try SignerKey(parsing: signer.text)
      #expect(again.verifier == signer.verifier)
      #expect(try VerifierKey(parsing: signer.verifier.text) == signer.verifier)
      let signature = try again.sign("text\n", at: 1_700_000_000)
      let note = SignedNote(text: "text\n", signatures: [signature])
      let found = try note.verified(by: [signer.verifier])[signer.verifier]
      #expect(found?.time == (kind == .cosignature ? 1_700_000_000 : nil))
    }
  }

  @Test(arguments: [
    "", "a", "a+b+c", "a+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
    "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "ex ample+530d903a+AekyeRrm56hA",
  ])
  func otherKeysAreRefused(_ text: String) {
    #expect(throws: NoteError.self) { try VerifierKey(parsing: text) }
    #expect(throws: NoteError.self) { try SignerKey(parsing: "PRIVATE+KEY+" + text) }
  }

  @Test(arguments: [
    "", "text\n", "text\n\n", "text\n\n— a b", "text\n\n— a AAAAAAA=\n\n", "text\n\n- a AAAAAAA=\n",
    "text\n\n— a AAAA\n",
    "text\n\n— a  AAAAAAA=\n", "text\n\n— a+b AAAAAAA=\n", "te\txt\n\n— a AAAAAAA=\n", "text\r\n\n— a AAAAAAA=\n",
    "text\n\n— a AAAAAAB=\n",
  ])
  func whatIsNoNoteIsRefused(_ text: String) {
    #expect(throws: NoteError.self) { try SignedNote(parsing: Array(text.utf8)) }
  }

  @Test func textMayHaveEmptyLines() throws {
    let note = try SignedNote(parsing: Array("a\n\nb\n\n— x AAAAAAA=\n".utf8))
    #expect(note.text == "a\n\nb\n")
  }

  @Test(arguments: [
    "a\n1\n", "a\n01\n\(TreeHash.empty)\n", "a\n-1\n\(TreeHash.empty)\n", "a\n1\nAAAA\n", "\n1\n\(TreeHash.empty)\n",
    "a\n1\n\(TreeHash.empty)\n\nb\n", "a\n9223372036854775808\n\(TreeHash.empty)\n", "a\n1\n\(TreeHash.empty)",
    "a\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
  ])
  func whatIsNoCheckpointIsRefused(_ text: String) {
    #expect(throws: NoteError.self) { try Checkpoint(parsing: text) }
  }
}
