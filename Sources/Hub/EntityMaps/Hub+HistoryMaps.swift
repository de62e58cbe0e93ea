import NGSI
import Query
import Store

extension Hub {
  /// The ids of entities whose histories meet the query, in its order, at most this many.
  func historyIds(_ query: EvolutionQuery, in tenant: Tenant, atMost count: Int) throws(Problem) -> [String] {
    var asked = query
    asked.page = Page(limit: count)
    (asked.instanceLimit, asked.showsInstanceIds, asked.countsTotal) = (1, false, false)
    return try evolutions(asked, in: tenant).entities.map(\.id)
  }

  /// - Throws: `TooManyResults` when there are more than a map may have.
  private func mappedHistoryIds(_ query: EvolutionQuery, in tenant: Tenant) throws(Problem) -> [String] {
    let found = try historyIds(query, in: tenant, atMost: limits.entityMapEntities + 1)
    guard found.count <= limits.entityMapEntities else { throw tooLongForMap }
    return found
  }

  /// Create EntityMap for Query Temporal Evolution of Entities (clause 5.14.5), of what is here.
  public func makeHistoryMap(_ query: EvolutionQuery, lifetime: Double?, in tenant: Tenant) throws(Problem) -> EntityMap
  {
    let entries = try mappedHistoryIds(query, in: tenant).map { EntityMap.Entry(id: $0, sources: [EntityMap.local]) }
    return try keep(
      EntityMap(of: .histories, entries, selectedBy: query.entities, time: query.time), lifetime: lifetime, in: tenant)
  }

  /// The histories of a page that is cut from a map (clause 5.7.4.4). What does not meet the query any more is taken off
  /// the map, from the page on, and the page is filled up.
  public func evolutions(_ query: EvolutionQuery, over map: EntityMap, in tenant: Tenant) throws(Problem)
    -> EvolutionPage
  {
    try map.requireUse(for: .histories, query.entities)
    let entries = try map.entries(within: query.entities)
    var gone: Set<String> = []
    /// Those of some entries that meet the query.
    func alive(_ part: ArraySlice<EntityMap.Entry>) throws(Problem) -> [String] {
      guard !part.isEmpty else { return [] }
      var asked = query
      (asked.entities.ids, asked.entities.idPattern) = (part.map(\.id), nil)
      let found = Set(try mappedHistoryIds(asked, in: tenant))
      return part.lazy.map(\.id).filter(found.contains)
    }
    var rest = entries.dropFirst(query.page.offset)
    var ids: [String] = []
    while ids.count < query.page.limit, !rest.isEmpty {
      let chunk = rest.prefix(query.page.limit - ids.count)
      rest = rest.dropFirst(chunk.count)
      let found = try alive(chunk)
      ids += found
      gone.formUnion(Set(chunk.map(\.id)).subtracting(found))
    }
    var total: Int?
    if query.countsTotal {
      // What lies before the page stays on the map: without it, the next page would begin too late.
      let before = try alive(entries.prefix(query.page.offset)).count
      let after = try alive(rest)
      gone.formUnion(Set(rest.map(\.id)).subtracting(after))
      total = before + ids.count + after.count
    }
    if query.time == map.time { settle(map.id, gone: gone, links: [:], in: tenant) }
    var page = EvolutionPage(entities: [], total: total, hasMore: !rest.isEmpty, cut: nil)
    guard !ids.isEmpty else { return page }
    var asked = query
    (asked.entities.ids, asked.entities.idPattern, asked.entities.order) = (ids, nil, [])
    (asked.page, asked.countsTotal) = (Page(limit: ids.count), false)
    let found = try evolutions(asked, in: tenant)
    let places = Dictionary(ids.enumerated().map { ($1, $0) }) { first, _ in first }
    page.entities = found.entities.sorted { (places[$0.id] ?? 0) < (places[$1.id] ?? 0) }
    (page.cut, page.beyondCut) = (found.cut, found.beyondCut)
    return page
  }
}
