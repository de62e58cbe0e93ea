import TransparencyLog

/// Carries a request to a witness.
public protocol WitnessCalling: Sendable {
  /// Posts the body to `URL/add-checkpoint`; gives status and body of the answer, `nil` when there was none in time.
  func addCheckpoint(_ body: String, at url: String) async -> (status: Int, body: String)?
}

/// A log that no witness watches.
public struct NoWitnesses: WitnessCalling {
  public init() {}

  public func addCheckpoint(_ body: String, at url: String) async -> (status: Int, body: String)? { nil }
}

/// What is wrong between the log and those who watch it.
public enum EvidenceAlarm: Sendable, Hashable {
  /// The witness has cosigned more entries than there are: the log was set back, by a restored copy or by somebody.
  case setBack(witness: String, size: UInt64)
  /// The witness has cosigned another history.
  case otherHistory(witness: String)
  /// The witness has forgotten what it cosigned: its disk was set back.
  case forgot(witness: String)
  /// No answer, or none that can be used, for longer than the log waits.
  case silent(witness: String)
  /// The witness's clock and the city's differ: entries or cosignatures tell a wrong time.
  case clockDiffers(witness: String, seconds: Int64)
  /// Fewer witnesses than the treaty asks for have seen the newest entries.
  case noQuorum
  /// What is stored does not give the root that was published: nothing more is published.
  case damaged(String)

  /// Short name, the same while the alarm lasts.
  public var id: String {
    switch self {
    case .setBack(let witness, _): "set-back:" + witness
    case .otherHistory(let witness): "other-history:" + witness
    case .forgot(let witness): "forgot:" + witness
    case .silent(let witness): "silent:" + witness
    case .clockDiffers(let witness, _): "clock:" + witness
    case .noQuorum: "no-quorum"
    case .damaged: "damaged"
    }
  }

  public var sentence: String {
    switch self {
    case .setBack(let witness, let size):
      "The witness \(witness) has seen \(size) entries of the evidence log, more than there are: it was set back."
    case .otherHistory(let witness):
      "The witness \(witness) has cosigned another history of the evidence log than this one."
    case .forgot(let witness):
      "The witness \(witness) has forgotten entries of the evidence log that it had cosigned."
    case .silent(let witness): "The witness \(witness) does not cosign the evidence log."
    case .clockDiffers(let witness, let seconds):
      "The clock of the witness \(witness) is \(seconds.magnitude) s \(seconds < 0 ? "behind" : "ahead of") the city's."
    case .noQuorum: "Fewer witnesses than the treaty asks for have seen the newest entries of the evidence log."
    case .damaged(let why): "The evidence log is damaged and publishes nothing: \(why)."
    }
  }

  /// Whether it is a sign of tampering, not of an outage.
  public var isGrave: Bool {
    switch self {
    case .setBack, .otherHistory, .forgot, .damaged: true
    case .silent, .clockDiffers, .noQuorum: false
    }
  }
}
