import Hub
import NGSI
import Query
import Store

extension Federation {
  /// Query Entities, or histories, over an EntityMap (clauses 5.5.9.3, 5.7.2 and 5.7.4): the page is cut from the map, and of each entity only
  /// those are asked that the map names.
  ///
  /// What does not meet the query any more is taken off the map, from the page on, and the page is filled up. What
  /// cannot be had now because its source does not answer stays on the map.
  ///
  /// - Parameter countsTotal: looks at all entities of the map, since any may have changed.
  public func query(
    _ query: FederatedQuery, over map: EntityMap, page: Page, countsTotal: Bool, isLocal: Bool, _ origin: RequestOrigin
  ) async throws(Problem) -> FederatedPage {
    try map.requireUse(for: query.subject, query.entities)
    let (matches, loops) = isLocal ? ([], false) : try sources(query.sourceQuery, origin)
    let named = Set(map.entries.lazy.flatMap(\.sources))
    let asked = matches.filter { named.contains($0.registration.id) && $0.registration.offers(query.operation) }
    // A source that is registered still, but not asked this time, says nothing about what it has.
    let silent = named.subtracting(asked.map(\.registration.id)).filter { hub.isRegistered($0, in: origin.tenant) }
    var work = PageWork(
      query: query, splits: map.splits, asked: asked, silent: silent, loops: loops, knownLinks: map.links)
    let entries = try map.entries(within: query.entities)
    var rest = entries.dropFirst(page.offset)
    var slots = page.limit
    while slots > 0, !rest.isEmpty {
      let chunk = rest.prefix(slots)
      rest = rest.dropFirst(chunk.count)
      let found = try await look(at: Array(chunk), &work, origin)
      work.page += found.entities
      slots -= found.entities.count + found.unavailable
      work.gone.formUnion(found.gone)
    }
    var result = work.result(hasMore: !rest.isEmpty)
    if countsTotal {
      // What lies before the page stays on the map: without it, the next page would begin too late.
      let before = try await goneIds(of: entries.prefix(page.offset), &work, origin)
      work.gone.formUnion(try await goneIds(of: rest, &work, origin))
      result.total = entries.count - work.gone.count - before.count
    }
    // Of histories, another time may be asked for than the map was made for; then nothing is taken off it.
    let isSameTime = query.history?.time == map.time
    hub.settle(map.id, gone: isSameTime ? work.gone : [], links: work.links, in: origin.tenant)
    (result.warnings, result.silent) = (work.warnings, work.failed)
    return result
  }

  /// Ids of those entries that do not meet the query.
  private func goneIds(of entries: ArraySlice<EntityMap.Entry>, _ work: inout PageWork, _ origin: RequestOrigin)
    async throws(Problem) -> Set<String>
  {
    var gone: Set<String> = []
    var rest = entries
    let step =
      work.query.judgesWhole(splits: work.splits) ? Self.judgedAtOnce : limits.page
    while !rest.isEmpty {
      gone.formUnion(try await look(at: Array(rest.prefix(step)), &work, isBrief: true, origin).gone)
      rest = rest.dropFirst(step)
    }
    return gone
  }

  /// What is found of some entries of a list, in its order.
  ///
  /// - Parameter isBrief: no more is wanted than whether they meet the query.
  func look(
    at entries: [EntityMap.Entry], _ work: inout PageWork, isBrief: Bool = false, _ origin: RequestOrigin
  ) async throws(Problem) -> PagePart {
    let (query, splits, loops, links) = (work.query, work.splits, work.loops, work.knownLinks)
    // What is judged when it is put together has to be there.
    let isBrief = isBrief && !query.judgesWhole(splits: splits)
    var table = VersionTable()
    let own = entries.filter { $0.sources.contains(EntityMap.local) }.map(\.id)
    if !own.isEmpty {
      var narrowed = splits ? query.withoutFilters : query.entities
      (narrowed.ids, narrowed.order) = (own, [])
      for entity in try await ownParts(narrowed, own.count, &work, isBrief: isBrief, origin.tenant) {
        table.add(entity, from: nil)
      }
    }
    var failed = work.silent
    let lists = await withTaskGroup(of: (Int, SourceList).self) { group in
      for (index, match) in work.asked.enumerated() {
        let ids = entries.filter { $0.sources.contains(match.registration.id) }.map(\.id)
        guard !ids.isEmpty else { continue }
        let link = links[match.registration.id]
        group.addTask {
          if loops {
            return (index, SourceList(warnings: [SourceWarning(.loop, at: match.registration.id)], failed: true))
          }
          return (
            index, await parts(of: ids, query, match, splits: splits, isBrief: isBrief, link: link, origin)
          )
        }
      }
      var lists: [(index: Int, list: SourceList)] = []
      for await (index, list) in group { lists.append((index, list)) }
      return lists.sorted { $0.index < $1.index }
    }
    for (index, list) in lists {
      let registration = work.asked[index].registration.id
      for entity in list.entities { table.add(entity, from: index) }
      for warning in list.warnings where !work.warnings.contains(warning) { work.warnings.append(warning) }
      if list.failed {
        failed.insert(registration)
        work.failed.insert(registration)
      }
      if let link = list.link { work.links[registration] = link }
      if !isBrief { work.cuts += list.cuts }
    }
    let matcher = splits ? try PartMatcher(query) : nil
    var part = PagePart()
    for entry in entries {
      var entity = table.merged(entry.id, work.asked, query.history, at: hub.time)
      if let matcher, let whole = entity { entity = try matcher.selected(of: whole) }
      if let entity {
        part.entities.append(entity)
      } else if failed.isDisjoint(with: entry.sources) {
        part.gone.insert(entry.id)
      } else {
        part.unavailable += 1
      }
    }
    return part
  }

  /// What the hub itself has of some entities.
  private func ownParts(
    _ narrowed: EntityQuery, _ count: Int, _ work: inout PageWork, isBrief: Bool, _ tenant: Tenant
  ) async throws(Problem) -> [Entity] {
    guard var asked = work.query.evolution(of: narrowed, splits: work.splits, isBrief: isBrief) else {
      return try await localPart(narrowed, count, false, tenant).entities
    }
    (asked.page, asked.countsTotal) = (Page(limit: count), false)
    let found = try await localHistories(asked, tenant)
    if let cut = found.cut, !isBrief { work.cuts.append(HistoryCut(cut)) }
    work.beyondCut.merge(found.beyondCut) { $1 }
    return found.entities
  }

  /// Entities of one source by their ids, so many at once that no URL becomes too long.
  private func parts(
    of ids: [String], _ query: FederatedQuery, _ match: SourceMatch, splits: Bool, isBrief: Bool,
    link: EntityMap.Link?, _ origin: RequestOrigin
  ) async -> SourceList {
    var all = SourceList()
    for bundle in Self.bundles(ids) {
      let list: SourceList
      if let link, let asks = try? SourceAsk.all(match, query.entities), asks.count == 1 {
        // In the words that the map at the source was made with, but for the ids (clause 5.5.14).
        var ask = asks[0]
        (ask.ids, ask.idPattern) = (bundle, nil)
        list = await self.list(
          query, match, splits: splits, need: bundle.count, counts: false, isBrief: isBrief, origin, asks: [ask],
          entityMap: link)
      } else {
        let narrowed = query.narrowed(to: bundle)
        guard let part = try? match.registration.match(narrowed.sourceQuery) else { continue }
        list = await self.list(
          narrowed, part, splits: splits, need: bundle.count, counts: false, isBrief: isBrief, origin)
      }
      all.entities += list.entities
      all.warnings += list.warnings
      all.cuts += list.cuts
      all.failed = all.failed || list.failed
      all.link = list.link ?? all.link
    }
    return all
  }

  /// Whole histories that are in memory at once, where a page holds no more.
  static let judgedAtOnce = 20

  /// Characters of ids that go into one request.
  private static let idText = 3_000

  static func bundles(_ ids: [String]) -> [[String]] {
    var bundles: [[String]] = []
    var room = 0
    for id in ids {
      room -= id.utf8.count + 1
      if room < 0 || bundles.isEmpty {
        bundles.append([])
        room = idText - id.utf8.count
      }
      bundles[bundles.count - 1].append(id)
    }
    return bundles
  }
}

/// What a page that is cut from a list of ids comes to, step by step.
struct PageWork {
  let query: FederatedQuery
  let splits: Bool
  let asked: [SourceMatch]
  /// Registrations on the list that are not asked.
  var silent: Set<String> = []
  var loops = false
  /// Maps that sources have made of their parts.
  var knownLinks: [String: EntityMap.Link] = [:]
  var page: [Entity] = []
  var gone: Set<String> = []
  /// Maps that sources have made anew.
  var links: [String: EntityMap.Link] = [:]
  var warnings: [SourceWarning] = []
  /// Registrations whose sources did not answer.
  var failed: Set<String> = []
  var cuts: [HistoryCut] = []
  var beyondCut: [String: [String: AttributeKind]] = [:]

  func result(hasMore: Bool) -> FederatedPage {
    var result = FederatedPage(entities: page, hasMore: hasMore, warnings: warnings)
    guard let history = query.history else { return result }
    var shaping = HistoryShaping(history, cuts, beyondCut: beyondCut)
    for place in page.indices { result.entities[place] = shaping.shaped(page[place]) }
    (result.cut, result.beyondCut) = (shaping.cut, shaping.beyondCut)
    return result
  }
}

struct PagePart {
  var entities: [Entity] = []
  /// Ids of entities that do not meet the query.
  var gone: Set<String> = []
  /// Number of those that cannot be judged since a source did not answer.
  var unavailable = 0
}

extension FederatedQuery {
  /// The query for these ids only.
  func narrowed(to ids: [String]) -> FederatedQuery {
    var narrowed = self
    if entities.selectors.isEmpty {
      (narrowed.entities.ids, narrowed.entities.idPattern) = (ids, nil)
    } else {
      for position in narrowed.entities.selectors.indices {
        narrowed.entities.selectors[position].ids = ids
        narrowed.entities.selectors[position].idPattern = nil
      }
    }
    return narrowed
  }
}
