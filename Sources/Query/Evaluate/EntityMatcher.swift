import NGSI
import Patterns

/// A query made ready to be applied to many entities: geometry prepared, regular expressions compiled.
public struct EntityMatcher: Sendable {
  private let query: EntityQuery
  private let ids: Set<String>
  private let idPattern: Pattern?
  private let selectors: [EntityMatcher]
  private let filter: FilterMatcher?
  private let geo: GeoMatcher?

  /// - Throws: ``Problem`` when a regular expression or the geometry cannot be used.
  public init(_ query: EntityQuery) throws(Problem) {
    self.query = query
    ids = Set(query.ids)
    idPattern = if ids.isEmpty, let pattern = query.idPattern { try Pattern.cached(pattern) } else { nil }
    filter = if let filter = query.filter { try FilterMatcher(filter) } else { nil }
    geo = if let geo = query.geo { try GeoMatcher(geo) } else { nil }
    var selectors: [EntityMatcher] = []
    for selector in query.selectors {
      var query = EntityQuery()
      query.ids = selector.ids
      query.idPattern = selector.idPattern
      query.types = selector.types
      selectors.append(try EntityMatcher(query))
    }
    self.selectors = selectors
  }

  /// Whether all parts of the query hold for the entity.
  ///
  /// - Parameter linked: where linked paths of `q` find their entities.
  /// - Throws: ``Problem`` `TooComplexQuery` when a regular expression exceeds its budget on a text.
  public func matches(_ entity: Entity, linked: FilterMatcher.Linked = { _ in nil }) throws(Problem) -> Bool {
    if !ids.isEmpty, !ids.contains(entity.id) { return false }
    if let types = query.types, !types.matches(entity.types) { return false }
    if let idPattern, try !idPattern.matches(entity.id) { return false }
    if !selectors.isEmpty {
      var isSelected = false
      for selector in selectors where try selector.matches(entity) {
        isSelected = true
        break
      }
      guard isSelected else { return false }
    }
    if !query.attributes.isEmpty, !entity.attributes.contains(where: { query.attributes.contains($0.name) }) {
      return false
    }
    if let scope = query.scope, !scope.matches(entity.scopes) { return false }
    if let filter, try !filter.matches(entity, linked: linked) { return false }
    if let geo, !geo.matches(entity) { return false }
    return true
  }
}

extension EntityQuery {
  /// Whether the entity meets the query. For more than a few entities make an ``EntityMatcher`` once.
  public func matches(
    _ entity: Entity, linkedEntities: FilterMatcher.Linked = { _ in nil }
  ) throws(Problem) -> Bool {
    try EntityMatcher(self).matches(entity, linked: linkedEntities)
  }
}

extension TypeSelection {
  /// Whether expanded entity types meet the selection.
  public func matches(_ types: [String]) -> Bool {
    switch self {
    case .type(let type): types.contains(type)
    case .all(let parts): parts.allSatisfy { $0.matches(types) }
    case .any(let parts): parts.contains { $0.matches(types) }
    case .anything: true
    }
  }
}

extension ScopeFilter {
  /// Whether an entity with these scopes meets the query (clause 4.19).
  public func matches(_ scopes: [String]) -> Bool {
    switch self {
    case .exact(let scope): scopes.contains(scope)
    case .below(let scope):
      scopes.contains {
        $0.hasPrefix(scope) && ($0.utf8.count == scope.utf8.count || $0.dropFirst(scope.count).first == "/")
      }
    case .pattern(let levels): scopes.contains { Self.matches(levels, $0) }
    case .all(let parts): parts.allSatisfy { $0.matches(scopes) }
    case .any(let parts): parts.contains { $0.matches(scopes) }
    }
  }

  private static func matches(_ levels: [Level], _ scope: String) -> Bool {
    let found = scope.split(separator: "/")
    for (position, level) in levels.enumerated() {
      switch level {
      // `/#` alone asks for any scope; elsewhere it takes the scope itself and all below.
      case .anyRest: return true
      case .anyOne: guard position < found.count else { return false }
      case .name(let name): guard position < found.count, found[position] == name else { return false }
      }
    }
    return found.count == levels.count
  }
}

extension TemporalFilter {
  /// Whether the temporal property of an instance is in the time asked for; without it the instance does not match.
  public func matches(_ instance: Attribute) -> Bool {
    let time: DateTime? =
      switch property {
      case .observedAt: instance.observedAt
      case .createdAt: instance.createdAt
      case .modifiedAt: instance.modifiedAt
      case .deletedAt: instance.deletedAt
      }
    return time.map(contains) ?? false
  }
}
