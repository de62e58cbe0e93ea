import NGSI

/// A `q` filter made ready to be applied to many entities.
public struct FilterMatcher: Sendable {
  /// Looks up the entity that a relationship points at.
  public typealias Linked = (String) -> Entity?

  private indirect enum Node: Sendable {
    case all([Node])
    case any([Node])
    case test(PreparedPath, PreparedCondition)
  }

  private let root: Node

  /// - Throws: ``Problem`` when a regular expression cannot be used.
  public init(_ filter: Filter) throws(Problem) {
    root = try Self.prepare(filter)
  }

  private static func prepare(_ filter: Filter) throws(Problem) -> Node {
    switch filter {
    case .all(let parts): return .all(try prepare(parts))
    case .any(let parts): return .any(try prepare(parts))
    case .test(let path, let condition): return .test(PreparedPath(path), try PreparedCondition(condition))
    }
  }

  private static func prepare(_ parts: [Filter]) throws(Problem) -> [Node] {
    var nodes: [Node] = []
    for part in parts { nodes.append(try prepare(part)) }
    return nodes
  }

  /// - Parameter linked: where linked paths (`isMonitoredBy{name}`) find their entities.
  /// - Throws: ``Problem`` `TooComplexQuery` when a regular expression exceeds its budget on a text.
  public func matches(_ entity: Entity, linked: Linked = { _ in nil }) throws(Problem) -> Bool {
    try Self.matches(root, entity, linked)
  }

  private static func matches(_ node: Node, _ entity: Entity, _ linked: Linked) throws(Problem) -> Bool {
    switch node {
    case .all(let parts):
      for part in parts where try !matches(part, entity, linked) { return false }
      return true
    case .any(let parts):
      for part in parts where try matches(part, entity, linked) { return true }
      return false
    case .test(let path, let condition):
      if condition.isAbsence { return try !path.holds(for: entity, .existence, linked) }
      return try path.holds(for: entity, condition, linked)
    }
  }
}

extension Filter {
  /// Whether the entity meets the filter. For more than a few entities make a ``FilterMatcher`` once.
  public func matches(_ entity: Entity, linked: FilterMatcher.Linked = { _ in nil }) throws(Problem) -> Bool {
    try FilterMatcher(self).matches(entity, linked: linked)
  }
}
