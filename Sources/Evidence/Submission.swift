import Foundation
import NGSI
import Store
import TransparencyLog

/// A statement that another system of the city signed itself: a video gateway, an agency's own office.
///
/// It comes as a signed note (C2SP signed-note) whose text is one line: the canonical JSON of a ``Statement``. The whole
/// note becomes the entry, so that anyone can check who stated it.
public struct Submission: Sendable, Hashable {
  /// Bytes of a submission at most.
  public static let maxBytes = 8192
  private static let required: Set = ["v", "kind", "action", "time", "nonce"]
  private static let committed: Set = ["actor", "subject"]
  private static let optional: Set = ["agency", "purpose", "object"]

  public let entry: [UInt8]
  public let submitter: VerifierKey

  /// - Throws: ``EvidenceError/refused(_:)`` with what is wrong.
  public init(_ bytes: [UInt8], trusting keys: [VerifierKey]) throws(EvidenceError) {
    guard bytes.count <= Self.maxBytes else { throw .refused("a statement has at most \(Self.maxBytes) bytes") }
    let note: SignedNote
    let signed: [VerifierKey: VerifiedSignature]
    do throws(NoteError) {
      note = try SignedNote(parsing: bytes)
      signed = try note.verified(by: keys)
    } catch {
      switch error {
      case .malformed(let why): throw .refused(why)
      case .wrongSignature(let name): throw .refused("the signature of \(name) is wrong")
      }
    }
    guard note.signatures.count == 1, let submitter = signed.keys.first else {
      throw .refused("one signature is needed, of a submitter that this log knows")
    }
    try Self.check(note.text)
    entry = bytes
    self.submitter = submitter
  }

  /// Only what the form of statements has may come, so that nobody's name gets into the log.
  private static func check(_ text: String) throws(EvidenceError) {
    let value: JSON
    do { value = try JSONParser.parse(Array(text.utf8)) } catch { throw .refused("the text is not JSON: \(error)") }
    guard case .object(let object) = value, Array(text.utf8.dropLast()) == CanonicalJSON.bytes(value) else {
      throw .refused("the text is one line, a JSON object in canonical form (RFC 8785)")
    }
    for key in required where object[key] == nil { throw .refused("the statement has no '\(key)'") }
    for member in object {
      guard required.contains(member.key) || optional.contains(member.key) || committed.contains(member.key) else {
        throw .refused("a statement has no member '\(member.key.prefix(60))'")
      }
      guard member.key != "v" else { continue }
      guard let text = member.value.string, text.utf8.count <= Act.maxText else {
        throw .refused("'\(member.key)' is a text of at most \(Act.maxText) bytes")
      }
      if committed.contains(member.key) {
        let prefix = "hmac-sha256:"
        guard text.hasPrefix(prefix), Base64URL.bytes(text.dropFirst(prefix.count))?.count == 32 else {
          throw .refused("'\(member.key)' is a commitment: \(prefix) and 32 bytes in Base 64 for URLs")
        }
      }
    }
    guard object["v"]?.integer == Statement.version else { throw .refused("'v' is \(Statement.version)") }
    guard object["kind"]?.string.flatMap(Act.Kind.init(rawValue:)) != nil else {
      throw .refused("'kind' is one of " + Act.Kind.allCases.map(\.rawValue).joined(separator: ", "))
    }
    guard object["nonce"]?.string.flatMap(Base64URL.bytes)?.count == 16 else {
      throw .refused("'nonce' is 16 bytes in Base 64 for URLs")
    }
    guard let time = object["time"]?.string, DateTime(time) != nil else { throw .refused("'time' is a date and time") }
    if let hash = object["object"]?.string {
      let digits = hash.dropFirst("sha256:".count)
      guard hash.hasPrefix("sha256:"), digits.utf8.count == 64, digits.allSatisfy(\.isHexDigit) else {
        throw .refused("'object' is sha256: and 64 hexadecimal digits")
      }
    }
  }
}

extension EvidenceLog {
  /// Adds a submission; gives its position. One that is there already stays where it is.
  public func submit(_ submission: Submission) async throws -> UInt64 {
    let at = now()
    let hash = ObjectHash(of: submission.entry).bytes
    return try await store.write { writer in
      if let known = try writer.evidence(of: hash, after: nil, limit: 1).first { return known }
      return try self.append([EvidenceRecord(entry: submission.entry, time: at, subject: hash)], writer).lowerBound
    }
  }
}
