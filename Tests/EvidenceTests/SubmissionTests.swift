import Foundation
import NGSI
import Store
import Testing
import TransparencyLog

@testable import Evidence

@Suite struct SubmissionTests {
  let key: SignerKey

  init() throws { key = try SignerKey(name: "police.example/vms", kind: .ed25519) }

  func note(_ statement: JSON, canonical: Bool = true) throws -> [UInt8] {
    let text = String(decoding: CanonicalJSON.bytes(statement), as: UTF8.self) + (canonical ? "\n" : " \n")
    return Array(SignedNote(text: text, signatures: [try key.sign(text, at: 0)]).description.utf8)
  }

  static let sound: [String: JSON] = [
    "v": 1, "kind": "access", "action": "watch", "time": "2026-11-23T12:00:00Z", "nonce": "AAAAAAAAAAAAAAAAAAAAAA",
    "purpose": "missing-child", "subject": "hmac-sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  ]

  static func object(_ members: [String: JSON]) -> JSON {
    .object(JSONObject(uniqueMembers: members.map { JSONObject.Member(key: $0.key, value: $0.value) }))
  }

  @Test func aSoundStatementIsTaken() throws {
    let bytes = try note(Self.object(Self.sound))
    let submission = try Submission(bytes, trusting: [key.verifier])
    #expect(submission.entry == bytes)
    #expect(submission.submitter == key.verifier)
  }

  @Test(
    arguments: [
      ("subject", "patient 7"), ("actor", "officer.kim"), ("name", "Kim"), ("kind", "gossip"), ("nonce", "AAAA"),
      ("time", "yesterday"), ("object", "sha256:12"), ("action", 7), ("v", 2), ("purpose", ["a": 1]),
    ] as [(String, JSON)])
  func whatNamesSomebodyOrCannotBeReadIsRefused(member: String, value: JSON) throws {
    var statement = Self.sound
    statement[member] = value
    let bytes = try note(Self.object(statement))
    #expect(throws: EvidenceError.self) { try Submission(bytes, trusting: [key.verifier]) }
  }

  @Test func signaturesCount() throws {
    let stranger = try SignerKey(name: "police.example/vms", kind: .ed25519)
    let bytes = try note(Self.object(Self.sound))
    #expect(throws: EvidenceError.self) { try Submission(bytes, trusting: [stranger.verifier]) }
    #expect(throws: EvidenceError.self) { try Submission(bytes, trusting: []) }
    var forged = bytes
    forged[forged.firstIndex(of: UInt8(ascii: "w")) ?? 0] = UInt8(ascii: "x")
    #expect(throws: EvidenceError.self) { try Submission(forged, trusting: [key.verifier]) }
    #expect(throws: EvidenceError.self) {
      try Submission(try note(Self.object(Self.sound), canonical: false), trusting: [key.verifier])
    }
    #expect(throws: EvidenceError.self) {
      try Submission(Array(repeating: 0x41, count: Submission.maxBytes + 1), trusting: [key.verifier])
    }
  }

  @Test func aStatementThatComesTwiceStandsOnce() async throws {
    let box = try StoreBox()
    let log = try EvidenceLog(
      store: box.store, signer: try SignerKey(name: "city.example/evidence", kind: .ed25519),
      submitters: [key.verifier], now: { LogTests.time })
    let submission = try Submission(try note(Self.object(Self.sound)), trusting: log.submitters)
    #expect(try await log.submit(submission) == 0)
    #expect(try await log.submit(submission) == 0)
    #expect(try box.store.read { try $0.evidenceCount() } == 1)
    await box.end()
  }

  /// Against Foundation's encoder; and what is no spelling of any bytes.
  @Test func base64ForURLs() {
    var random = SystemRandomNumberGenerator()
    for length in 0...70 {
      for _ in 0..<4 {
        let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
        let expected = Data(bytes).base64EncodedString()
          .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        #expect(Base64URL.text(bytes) == expected)
        #expect(Base64URL.bytes(expected) == bytes)
      }
    }
    for wrong in ["A", "AB", "AAAAA", "AA==", "A+AA", "A/AA", "AA A", "ÀAAA", "AAF", "\u{212A}AAA"] {
      #expect(Base64URL.bytes(wrong) == nil, "\(wrong)")
    }
  }
}
