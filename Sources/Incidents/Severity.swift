/// How grave an incident is: the levels of `severity` in CAP 1.2 (section 3.2.2).
public enum Severity: String, Sendable, Hashable, CaseIterable, Comparable {
  case unknown = "Unknown"
  /// Minimal to no known threat to life or property.
  case minor = "Minor"
  case moderate = "Moderate"
  case severe = "Severe"
  /// Extraordinary threat to life or property.
  case extreme = "Extreme"

  /// What is not known is looked at like what is moderate.
  var rank: Int {
    switch self {
    case .minor: 1
    case .unknown, .moderate: 2
    case .severe: 3
    case .extreme: 4
    }
  }

  public static func < (left: Severity, right: Severity) -> Bool {
    left.rank == right.rank ? left == .unknown && right != .unknown : left.rank < right.rank
  }
}
