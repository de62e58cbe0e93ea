/// Why a detector cannot be had, or cannot say anything.
public enum DetectorError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file is absent, unreadable or too large.
  case file(String)
  /// The file is no network that can be run.
  case network(String)
  /// The network answers in a form that is not understood.
  case output(String)

  public var description: String {
    switch self {
    case .file(let reason): reason
    case .network(let reason): "no network that can be run: \(reason)"
    case .output(let reason): "the network answers in an unknown form: \(reason)"
    }
  }
}
