import NGSI

/// A query for histories made ready to be applied to those that were put together from several sources (ETSI GS CIM 009
/// clause 5.7.4.4, the steps after S4).
public struct HistoryMatcher: Sendable {
  private let head: EntityMatcher
  /// `nil` without a condition on values.
  private let values: EntityMatcher?
  private let concerned: Set<String>
  private let scope: ScopeFilter?
  private let time: TemporalFilter?

  /// - Throws: ``Problem`` when a regular expression or the geometry cannot be used.
  public init(_ query: EntityQuery, in time: TemporalFilter?) throws(Problem) {
    var head = query
    (head.attributes, head.filter, head.geo, head.scope) = ([], nil, nil, nil)
    self.head = try EntityMatcher(head)
    var values = EntityQuery()
    (values.filter, values.geo) = (query.filter, query.geo)
    self.values = query.filter == nil && query.geo == nil ? nil : try EntityMatcher(values)
    concerned = Set(query.attributes)
    scope = query.scope
    self.time = time
  }

  /// What of a history the query selects, each condition met by at least one instance.
  ///
  /// - Parameter history: its instances of the time that is asked for.
  /// - Returns: `nil` when it does not meet the query. Where scopes are asked for, instances of the time while they held.
  public func selected(of history: Entity) throws(Problem) -> Entity? {
    guard try head.matches(history) else { return nil }
    var selected = history
    if let scope {
      let instances = (history[attribute: Core.scope]?.instances ?? []).sorted { $0.place < $1.place }
      let valid = ScopeHistory(instances).times(of: scope, in: time)
      guard !valid.isEmpty else { return nil }
      selected.attributes = history.attributes.compactMap { set in
        if set.name == Core.scope { return set }
        let kept = set.instances.filter { instance in
          valid.contains { $0.contains((instance.observedAt ?? instance.place).microseconds) }
        }
        return kept.isEmpty ? nil : AttributeSet(name: set.name, instances: kept)
      }
    }
    guard selected.attributes.contains(where: { concerned.isEmpty || concerned.contains($0.name) }) else { return nil }
    if let values, try !values.matches(selected) { return nil }
    return selected
  }
}
