import NGSI

/// Which messages an incident causes at an agency that is told of it: what was told last, and what is told next.
public struct Telling: Sendable, Hashable {
  /// What happens to an incident, as far as an agency hears of it.
  public enum Happening: Sendable, Hashable {
    /// The agency is asked to help, or takes part from now on.
    case told
    /// Something about it is known better.
    case changed
    /// The danger is over.
    case resolved
    /// It was none, or it goes on as another incident.
    case cancelled
    case closed
    case reopened

    /// - Parameters:
    ///   - command: a command of an incident by its name, such as `dispatch`.
    ///   - outcome: of the command `resolve`: `handled`, `false-alarm`, `no-action`, `test`.
    /// - Returns: `nil` for what stays in the house.
    public init?(command: String, outcome: String? = nil) {
      switch command {
      case "dispatch", "involve": self = .told
      case "report", "absorb", "classify", "locate", "unit": self = .changed
      case "resolve": self = outcome == "false-alarm" || outcome == "test" ? .cancelled : .resolved
      case "merge": self = .cancelled
      case "close": self = .closed
      case "reopen": self = .reopened
      default: return nil
      }
    }
  }

  /// What is to be sent.
  public enum Step: Sendable, Hashable {
    /// Under the number that the occurrence has.
    case send(OccurrenceStatus)
    /// Under a new number: what was told has ended, and nothing follows an end.
    case sendAnew
    case nothing
  }

  public enum Refusal: Error, Sendable, Hashable {
    /// An exercise never leaves as what is real.
    case exercise
    /// The agency is told of what it has not heard of: only a telling begins.
    case notTold
  }

  /// `nil` before the agency hears of it.
  public private(set) var status: OccurrenceStatus?
  public let isExercise: Bool

  public init(status: OccurrenceStatus? = nil, isExercise: Bool) {
    self.status = status
    self.isExercise = isExercise
  }

  /// What happens is told, or is no news to the agency.
  public mutating func hear(_ happening: Happening) throws(Refusal) -> Step {
    guard !isExercise else { throw .exercise }
    guard let known = status else {
      guard happening == .told else { throw .notTold }
      status = .occurred
      return .send(.occurred)
    }
    let next: OccurrenceStatus
    switch happening {
    case .told, .reopened:
      if known.isFinal {
        status = .occurred
        return .sendAnew
      }
      next = .updated
    case .changed: next = .updated
    case .resolved: next = .cleared
    case .cancelled: next = .cancelled
    case .closed: next = .completed
    }
    // What is said twice, or after the end, is no news: closing what was cancelled, for example.
    guard known.followers.contains(next), !(happening == .changed && known == .cleared) else { return .nothing }
    status = next
    return .send(next)
  }
}
