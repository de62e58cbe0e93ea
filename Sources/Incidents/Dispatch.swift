import NGSI

/// A unit that was asked to come to an incident, and where it is in its task.
public struct Dispatch: Sendable, Hashable {
  /// In the order in which they come about; refusing and cancelling end it early.
  public enum Status: String, Sendable, Hashable, CaseIterable {
    case requested
    case accepted
    case refused
    case enRoute = "en-route"
    case onScene = "on-scene"
    case cleared
    case cancelled

    /// Whether the unit is still bound by the incident.
    public var isOut: Bool { [.requested, .accepted, .enRoute, .onScene].contains(self) }

    /// Units often report late or not at all, so later ones may be reached directly; none goes back.
    public func mayBecome(_ next: Status) -> Bool {
      switch (self, next) {
      case (.requested, .accepted), (.requested, .refused), (.requested, .enRoute), (.requested, .onScene),
        (.accepted, .enRoute), (.accepted, .onScene), (.enRoute, .onScene),
        (.accepted, .cleared), (.enRoute, .cleared), (.onScene, .cleared),
        (.requested, .cleared), (.requested, .cancelled), (.accepted, .cancelled), (.enRoute, .cancelled),
        (.onScene, .cancelled):
        true
      default: false
      }
    }
  }

  /// The unit's own name, such as `119-gangnam-pump-2`; unique in the city.
  public var unit: String
  public var agency: String
  /// What it is asked to do; empty where nobody said.
  public var task: String

  public init(unit: String, agency: String, task: String) {
    self.unit = unit
    self.agency = agency
    self.task = task
  }

  /// One dispatch as it stands.
  public struct State: Sendable, Hashable {
    public var dispatch: Dispatch
    public var status = Status.requested
    /// When each status was reached.
    public var times: [Status: DateTime]

    public var unit: String { dispatch.unit }
  }
}
