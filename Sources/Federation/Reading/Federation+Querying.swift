import Hub
import NGSI
import Query
import Store

/// A page of what the hub and the sources have together.
public struct FederatedPage: Sendable {
  public var entities: [Entity] = []
  /// Exact where every source gave all it has; otherwise what the sources say, an entity known at several counted once
  /// where that was seen.
  public var total = 0
  public var hasMore = false
  public var warnings: [SourceWarning] = []
  /// Registrations whose sources did not answer.
  public var silent: Set<String> = []
  /// Of histories, the span that the answer covers where it is cut short.
  public var cut: HistoryCut?
  /// By entity id and attribute name, the kind of attributes that have instances outside that span only.
  public var beyondCut: [String: [String: AttributeKind]] = [:]
}

extension Federation {
  /// Query Entities over all sources that may have some (clause 5.7.2).
  ///
  /// The page is cut from one list: the hub's own entities in its order, then those of each source in its order, each
  /// entity once. Parts of the page's entities that lie further on in some source are asked for by their ids, so that
  /// an entity is shown whole whatever page it is on.
  public func query(_ query: FederatedQuery, page: Page, countsTotal: Bool, _ origin: RequestOrigin)
    async throws(Problem) -> FederatedPage
  {
    let splits = query.splits ?? splitsEntities
    let (matches, loops) = try sources(query.sourceQuery, origin)
    let asked = matches.filter { match in
      match.registration.offers(query.operation) && !query.avoiding.contains(match.registration.id)
    }
    let need = splits ? limits.entities + 1 : page.offset + page.limit + 1
    guard splits || need <= limits.entities else {
      throw Problem(.tooManyResults, "a page over several sources may end at entity \(limits.entities) at most")
    }
    let local = try await localPart(splits ? query.withoutFilters : query.entities, need, countsTotal, origin.tenant)
    let parts = await withTaskGroup(of: (Int, SourceList).self) { group in
      for (index, match) in asked.enumerated() {
        group.addTask {
          if loops { return (index, SourceList(warnings: [SourceWarning(.loop, at: match.registration.id)])) }
          return (index, await list(query, match, splits: splits, need: need, counts: countsTotal, origin))
        }
      }
      var parts = [SourceList](repeating: SourceList(), count: asked.count)
      for await (index, part) in group { parts[index] = part }
      return parts
    }
    var table = VersionTable()
    for entity in local.entities { table.add(entity, from: nil) }
    for (index, part) in parts.enumerated() { for entity in part.entities { table.add(entity, from: index) } }
    guard !splits || table.order.count <= limits.entities else {
      throw Problem(.tooManyResults, "more than \(limits.entities) entities would have to be put together")
    }
    var result = FederatedPage(warnings: parts.flatMap(\.warnings))
    result.silent = Set(zip(asked, parts).lazy.filter(\.1.failed).map(\.0.registration.id))
    if splits { return try whole(query, table, asked, page, &result) }
    let ids = Array(table.order.dropFirst(page.offset).prefix(page.limit))
    result.hasMore = table.order.count > page.offset + page.limit
    result.total = total(local, parts, table)
    try await complete(&table, ids, query, local, asked, parts, &result, origin)
    result.entities = ids.compactMap { table.merged($0, asked, nil, at: hub.time) }
    return result
  }

  /// Entities that lie in parts are put together first and looked at then (clause 4.3.6.7).
  private func whole(
    _ query: FederatedQuery, _ table: VersionTable, _ asked: [SourceMatch], _ page: Page, _ result: inout FederatedPage
  ) throws(Problem) -> FederatedPage {
    let matcher = try EntityMatcher(query.entities)
    var found: [Entity] = []
    for id in table.order {
      guard let entity = table.merged(id, asked, nil, at: hub.time), try matcher.matches(entity) else { continue }
      found.append(entity)
    }
    result.total = found.count
    result.hasMore = found.count > page.offset + page.limit
    result.entities = Array(found.dropFirst(page.offset).prefix(page.limit))
    return result
  }

  func localPart(_ query: EntityQuery, _ need: Int, _ counts: Bool, _ tenant: Tenant) async throws(Problem)
    -> EntityPage
  {
    let hub = hub
    return try await OffLoop.run { () throws(Problem) in
      do throws(Problem) {
        return try hub.entities(query, in: tenant, page: Page(limit: need), countsTotal: counts)
      } catch {
        // A tenant that has registrations only.
        guard error.kind == .nonexistentTenant, hub.hasRegistrations(in: tenant) else { throw error }
        return EntityPage(entities: [], total: 0, hasMore: false)
      }
    }
  }

  private func total(_ local: EntityPage, _ parts: [SourceList], _ table: VersionTable) -> Int {
    guard local.hasMore || parts.contains(where: { !$0.isWhole }) else { return table.order.count }
    let told = (local.total ?? local.entities.count) + parts.reduce(0) { $0 + ($1.count ?? $1.entities.count) }
    let seen = local.entities.count + parts.reduce(0) { $0 + $1.entities.count }
    return max(table.order.count, told - (seen - table.order.count))
  }

  /// Asks for the parts of the page's entities that lie further on where not everything was taken.
  private func complete(
    _ table: inout VersionTable, _ ids: [String], _ query: FederatedQuery, _ local: EntityPage, _ asked: [SourceMatch],
    _ parts: [SourceList], _ result: inout FederatedPage, _ origin: RequestOrigin
  ) async throws(Problem) {
    if local.hasMore {
      let matcher = try EntityMatcher(query.entities)
      for id in ids where !table.has(id, from: nil) {
        guard let entity = try? hub.entity(id, in: origin.tenant), try matcher.matches(entity) else { continue }
        table.add(entity, from: nil)
      }
    }
    for (index, match) in asked.enumerated() where !parts[index].isWhole && parts[index].warnings.isEmpty {
      let missing = ids.filter { !table.has($0, from: index) }
      guard !missing.isEmpty else { continue }
      let narrowed = query.narrowed(to: missing)
      guard let part = try match.registration.match(narrowed.sourceQuery) else { continue }
      let more = await list(narrowed, part, splits: false, need: missing.count, counts: false, origin)
      for entity in more.entities { table.add(entity, from: index) }
      result.warnings += more.warnings
    }
  }
}
