import NGSI
import Query

/// What a request asks for, as far as registrations are chosen by it (ETSI GS CIM 009 clause 5.12).
public struct SourceQuery: Sendable {
  /// Alternatives; empty asks for any entity.
  public var selectors: [EntitySelector] = []
  /// Types that the one entity in question is known to have; `nil` where they are not known or `selectors` say it.
  public var entityTypes: [String]?
  /// Expanded names; empty asks for all.
  public var attributes: Set<String> = []
  public var datasetIds: [String] = []
  /// Pseudonyms of the sources that the request has come by.
  public var via: Set<String> = []
  /// Condition on the source itself (`csf`).
  public var filter: Filter?
  public var scope: ScopeFilter?
  public var geo: GeoFilter?
  /// Sources of histories are asked for with it, those of the present without.
  public var time: TemporalFilter?
  /// Whether histories are to be written: then sources that offer to write them are meant too, and those that know the
  /// time of what is written.
  public var writesHistory = false
  /// Whether a source that states no scope or place meets a condition on them: it may have what is asked for.
  public var toleratesSilence = true

  public init() {}

  /// Asks for one entity.
  public init(entity id: String, types: [String]?) {
    var selector = EntitySelector()
    selector.ids = [id]
    selectors = [selector]
    entityTypes = types
  }

  /// Asks for what an entity query selects.
  public init(_ query: EntityQuery) {
    if query.selectors.isEmpty {
      var selector = EntitySelector()
      selector.ids = query.ids
      selector.idPattern = query.idPattern
      selector.types = query.types
      selectors = [selector]
    } else {
      selectors = query.selectors
    }
    attributes = Set(query.attributes)
    scope = query.scope
    geo = query.geo
  }
}

/// A registration that may have what is asked for, with the parts of it that say so.
public struct SourceMatch: Sendable {
  public var registration: Registration
  public var information: [Registration.Information]

  /// Names that the source has of what is asked for; `nil` where it may have any.
  public var attributes: Set<String>? {
    var names: Set<String> = []
    for part in information {
      if part.attributes.isEmpty { return nil }
      names.formUnion(part.attributes)
    }
    return names
  }
}

extension Registration {
  /// The parts of the registration that match; `nil` when it does not match.
  ///
  /// - Throws: `TooComplexQuery` when a pattern takes too many steps.
  public func match(_ query: SourceQuery) throws(Problem) -> SourceMatch? {
    if let alias, query.via.contains(alias) { return nil }
    guard query.writesHistory ? takesHistories(of: query.time) : isInTime(query.time) else { return nil }
    if !query.datasetIds.isEmpty, !datasetIds.isEmpty, Set(query.datasetIds).isDisjoint(with: datasetIds) { return nil }
    var parts: [Information] = []
    for part in information where try part.matches(query) { parts.append(part) }
    guard !parts.isEmpty, try sourceMatches(query) else { return nil }
    return SourceMatch(registration: self, information: parts)
  }

  private func takesHistories(of time: TemporalFilter?) -> Bool {
    guard isTemporal else { return !operations.isDisjoint(with: OperationName.writingHistories) }
    return observationInterval == nil || isInTime(time)
  }

  private func isInTime(_ time: TemporalFilter?) -> Bool {
    guard let time else { return !isTemporal }
    guard let interval = time.property == .observedAt ? observationInterval : managementInterval else { return false }
    // The times asked for and the interval have a moment in common.
    func endsAfter(_ start: DateTime) -> Bool { interval.end.map { start <= $0 } ?? true }
    switch time.relation {
    case nil: return true
    case .before(let end): return interval.start <= end
    case .after(let start): return endsAfter(start)
    case .between(let start, let end): return interval.start <= end && endsAfter(start)
    }
  }

  private func sourceMatches(_ query: SourceQuery) throws(Problem) -> Bool {
    var condition = EntityQuery()
    condition.filter = query.filter
    if let scope = query.scope, !(query.toleratesSilence && source.scopes.isEmpty) { condition.scope = scope }
    if let geo = query.geo?.onArea, !(query.toleratesSilence && source[attribute: geo.property] == nil) {
      condition.geo = geo
    }
    guard condition.filter != nil || condition.scope != nil || condition.geo != nil else { return true }
    return try condition.matches(source)
  }
}

extension Registration.Information {
  fileprivate func matches(_ query: SourceQuery) throws(Problem) -> Bool {
    guard query.attributes.isEmpty || attributes.isEmpty || !attributes.isDisjoint(with: query.attributes) else {
      return false
    }
    guard !entities.isEmpty else { return true }
    for info in entities {
      if let types = query.entityTypes, Set(types).isDisjoint(with: info.types) { continue }
      if query.selectors.isEmpty { return true }
      for selector in query.selectors where try info.covers(selector) { return true }
    }
    return false
  }
}

extension Registration.EntityInfo {
  /// Whether there may be entities of this information that the selector selects.
  public func covers(_ selector: EntitySelector) throws(Problem) -> Bool {
    guard selector.types?.matches(types) ?? true else { return false }
    if selector.ids.isEmpty, selector.idPattern == nil { return true }
    if let id {
      if !selector.ids.isEmpty { return selector.ids.contains(id) }
      return try Self.matches(selector.idPattern, [id])
    }
    guard let idPattern else { return true }
    // Of two patterns nobody can say whether some id meets both.
    if selector.ids.isEmpty { return true }
    return try Self.matches(idPattern, selector.ids)
  }

  private static func matches(_ pattern: String?, _ ids: [String]) throws(Problem) -> Bool {
    var query = EntityQuery()
    query.idPattern = pattern
    let matcher = try EntityMatcher(query)
    for id in ids where try matcher.matches(Entity(id: id, types: [])) { return true }
    return false
  }

  /// The ids of those asked for that this may be about.
  public func ids(of asked: [String]) throws(Problem) -> [String] {
    if let id { return asked.filter { $0 == id } }
    guard let idPattern else { return asked }
    var found: [String] = []
    for id in asked where try Self.matches(idPattern, [id]) { found.append(id) }
    return found
  }
}

extension GeoFilter {
  /// The condition that an area meets in which there may be places that meet this one; `nil` when any area does.
  fileprivate var onArea: GeoFilter? {
    switch relation {
    case .nearMax: self
    case .within, .contains, .intersects, .equals, .overlaps:
      GeoFilter(relation: .intersects, geometry: geometry, property: property, window: window)
    case .nearMin, .disjoint: nil
    }
  }
}
