import NGSI

/// What somebody did or a machine decided, and has to be provable years later.
///
/// The log shows of it what names nobody: kind, action, time, agency, purpose, the hash of the object. Account, source,
/// subject and reason are for auditors; the log has commitments to the first and third, which say nothing to who lacks
/// their keys.
public struct Act: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// Personal data or video was seen.
    case access
    case command
    case configuration
    case firmware
    case modelDecision = "model-decision"
    case incidentStep = "incident-step"
    case grant
    /// Somebody came in, was refused, or left.
    case login
    /// Accounts, their roles and secrets, and certificates of devices: made, changed, taken away.
    case account
  }

  public var kind: Kind
  /// What was done, in the words of the rules: `read`, `approve`, `revoke` …
  public var action: String
  /// For whom it was done: an agency's short name.
  public var agency: String?
  /// Account that did it.
  public var actor: String?
  /// What kind of account: `Person`, `Client`, `Device`, `City`; `Nobody` for who did not say, with its source as the account.
  public var actorKind: String?
  /// Where it was done from: an address.
  public var source: String?
  /// A code out of the city's purposes.
  public var purpose: String?
  /// Whom or what it concerns.
  public var subject: String?
  /// Tenant that the subject belongs to; `nil` or empty for the default one.
  public var tenant: String?
  /// What was seen, ordered or decided.
  public var object: ObjectHash?
  /// In the actor's own words.
  public var reason: String?
  /// What the action was exactly, in the city's words: which roles, how often.
  public var detail: String?

  public init(_ kind: Kind, action: String) {
    self.kind = kind
    self.action = action
  }

  /// Bytes of each text at most.
  public static let maxText = 1024

  /// The account, told from those of the same name and another kind.
  var account: RegisterName? { actor.map { RegisterName(.actor, $0, of: actorKind) } }

  /// The subject, told from those of the same name and another tenant.
  var concerned: RegisterName? { subject.map { RegisterName(.subject, $0, of: tenant) } }

  /// - Throws: which text is too long.
  func requireBounds() throws(EvidenceError) {
    let texts = [
      "action": action, "agency": agency, "actor": actor, "kind of account": actorKind, "source": source,
      "purpose": purpose, "subject": subject, "tenant": tenant, "reason": reason, "detail": detail,
    ]
    for (name, text) in texts where text?.utf8.count ?? 0 > Self.maxText {
      throw .refused("the \(name) of an act has at most \(Self.maxText) bytes")
    }
  }
}

/// What keeps evidence from being written or proved.
public enum EvidenceError: Error, Sendable, Hashable {
  /// The caller's fault, as a sentence.
  case refused(String)
  /// No checkpoint that the treaty's witnesses have seen covers the entry yet.
  case notWitnessedYet(UInt64)
  /// There is no entry at this position.
  case noEntry(UInt64)
  /// What is stored cannot be read.
  case damaged(String)

  public var sentence: String {
    switch self {
    case .refused(let why): why
    case .notWitnessedYet(let position): "entry \(position) is in no checkpoint that enough witnesses have seen yet"
    case .noEntry(let position): "the log has no entry \(position)"
    case .damaged(let why): why
    }
  }
}
