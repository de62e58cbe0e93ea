/// What stops the console from starting.
public enum ConsoleError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A file of the console's own resources is missing or wrong; the text says which and how.
  case resource(String)

  public var description: String {
    switch self {
    case .resource(let detail): "console resources: \(detail)"
    }
  }
}
