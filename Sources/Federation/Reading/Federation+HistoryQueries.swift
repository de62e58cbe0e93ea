import Hub
import NGSI
import Query
import Store

extension Federation {
  /// Query Temporal Evolution over all sources that may have some (clause 5.7.4).
  ///
  /// Who has which histories is asked first, by the last instance of each; then those of the page are asked for by their
  /// ids, of all that have a part of them. So no more than a page of histories is ever on its way.
  ///
  /// Histories that lie in parts are put together before their values are looked at (clause 4.3.6.7).
  public func histories(_ query: FederatedQuery, page: Page, countsTotal: Bool, _ origin: RequestOrigin)
    async throws(Problem) -> FederatedPage
  {
    let splits = query.splits ?? splitsEntities
    let need = splits ? limits.entities + 1 : page.offset + page.limit + 1
    guard splits || need <= limits.entities else {
      throw Problem(.tooManyResults, "a page over several sources may end at entity \(limits.entities) at most")
    }
    let listing = try await listing(
      query, isLocal: false, splits: splits, need: need, counts: countsTotal, origin)
    var work = PageWork(query: query, splits: splits, asked: listing.answering, warnings: listing.warnings)
    guard splits else {
      // Who has more than was listed may have a part of these too.
      let entries = listing.table.entries.dropFirst(page.offset).prefix(page.limit).map { entry in
        var entry = entry
        for source in listing.unfinished where !entry.sources.contains(source) { entry.sources.append(source) }
        return entry
      }
      work.page = try await look(at: entries, &work, origin).entities
      var result = work.result(hasMore: listing.table.entries.count > page.offset + page.limit)
      result.total = listing.total
      return result
    }
    guard listing.table.entries.count <= limits.entities else {
      throw Problem(.tooManyResults, "more than \(limits.entities) histories would have to be put together")
    }
    var rest = listing.table.entries[...]
    var (met, hasMore) = (0, false)
    while !rest.isEmpty, countsTotal || !hasMore {
      let chunk = rest.prefix(max(page.limit, Self.judgedAtOnce))
      rest = rest.dropFirst(chunk.count)
      // Those that are counted only need not come whole.
      let isCounted = hasMore || met + chunk.count <= page.offset
      let found = try await look(at: Array(chunk), &work, isBrief: isCounted, origin)
      for entity in found.entities {
        met += 1
        if met > page.offset, work.page.count < page.limit { work.page.append(entity) }
      }
      hasMore = met > page.offset + page.limit
    }
    var result = work.result(hasMore: hasMore)
    result.total = met
    return result
  }
}
