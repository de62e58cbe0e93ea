import NGSI

/// Within which time something is to have happened with an incident. Targets are data of the city: laws and contracts set them.
public struct ResponseTargets: Sendable, Hashable {
  public enum Milestone: String, Sendable, Hashable, CaseIterable {
    case acknowledge
    case dispatch
    case onScene = "on-scene"
    case resolve
  }

  public struct Target: Sendable, Hashable {
    public var milestone: Milestone
    /// The categories that it is for; all where there are none.
    public var categories: [String]
    /// From this severity on.
    public var from: Severity
    /// Seconds since the incident was opened, or opened again.
    public var within: Double
    /// The law, contract or plan that sets it.
    public var source: String

    public init(
      _ milestone: Milestone, categories: [String] = [], from: Severity = .minor, within: Double, source: String
    ) {
      self.milestone = milestone
      self.categories = categories
      self.from = from
      self.within = within
      self.source = source
    }
  }

  public var targets: [Target]

  public init(_ targets: [Target] = []) { self.targets = targets }

  /// The strictest target of each milestone that concerns the incident.
  func target(_ milestone: Milestone, of incident: Incident) -> Target? {
    targets.filter {
      $0.milestone == milestone && ($0.categories.isEmpty || $0.categories.contains(incident.category))
        && incident.severity.rank >= $0.from.rank
    }.min { $0.within < $1.within }
  }

  /// The clocks that run for an incident, or ran.
  public func clocks(of incident: Incident) -> [TargetClock] {
    Milestone.allCases.compactMap { milestone in
      target(milestone, of: incident).map { target in
        TargetClock(
          target: target, dueAt: (incident.openedAgainAt ?? incident.openedAt).adding(seconds: target.within),
          reachedAt: incident.time(of: milestone), endedAt: incident.closedAt ?? incident.resolvedAt)
      }
    }
  }
}

extension Incident {
  func time(of milestone: ResponseTargets.Milestone) -> DateTime? {
    switch milestone {
    case .acknowledge: acknowledgedAt
    case .dispatch: firstDispatchAt
    case .onScene: firstOnSceneAt
    case .resolve: resolvedAt
    }
  }

  /// Seconds since it was opened, until it was closed.
  public func age(at time: DateTime) -> Double {
    max(0, (closedAt ?? time).secondsSince1970 - openedAt.secondsSince1970)
  }
}

/// One target of one incident.
public struct TargetClock: Sendable, Hashable {
  public let target: ResponseTargets.Target
  public let dueAt: DateTime
  /// When it came about; `nil` as long as it has not.
  public let reachedAt: DateTime?
  /// When the incident ended without it: nobody needs to come any more.
  public let endedAt: DateTime?

  public enum State: String, Sendable, Hashable {
    case running
    case met
    case late
    /// Came about, but after its time.
    case missed
    case notNeeded = "not-needed"
  }

  public func state(at time: DateTime) -> State {
    if let reachedAt { return reachedAt <= dueAt ? .met : .missed }
    if let endedAt { return endedAt <= dueAt ? .notNeeded : .missed }
    return time <= dueAt ? .running : .late
  }

  /// Seconds that are left; negative when it is late.
  public func left(at time: DateTime) -> Double { dueAt.secondsSince1970 - time.secondsSince1970 }
}
