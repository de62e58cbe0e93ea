import NGSI

/// An act as the log states it for everyone: canonical JSON (RFC 8785), the same bytes for the same act and keys.
///
/// ```json
/// {"action":"read","actor":"hmac-sha256:…","agency":"police","kind":"access","nonce":"…","object":"sha256:…",
///  "purpose":"missing-child","subject":"hmac-sha256:…","time":"2026-11-23T12:00:00.000Z","v":1}
/// ```
public enum Statement {
  /// Version of the form, in `v`.
  public static let version: Int64 = 1

  /// - Parameters:
  ///   - nonce: 16 random bytes, from which the keys of the commitments are derived.
  ///   - actor: key of the account, where there is one.
  ///   - subject: key of the subject, where there is one.
  public static func bytes(
    of act: Act, at time: DateTime, nonce: [UInt8], actor: CommitmentKey?, subject: CommitmentKey?
  ) -> [UInt8] {
    var object = JSONObject()
    object["v"] = .integer(version)
    object["kind"] = .string(act.kind.rawValue)
    object["action"] = .string(act.action)
    object["time"] = .string(time.description)
    object["nonce"] = .string(Base64URL.text(nonce))
    if let agency = act.agency { object["agency"] = .string(agency) }
    if let purpose = act.purpose { object["purpose"] = .string(purpose) }
    if let hash = act.object { object["object"] = .string(hash.description) }
    if let name = act.account, let actor {
      object["actor"] = .string(Commitment.text(to: name.committed, opening: actor.opening(nonce: nonce)))
    }
    if let name = act.concerned, let subject {
      object["subject"] = .string(Commitment.text(to: name.committed, opening: subject.opening(nonce: nonce)))
    }
    return CanonicalJSON.bytes(.object(object))
  }
}
