import Hub
import NGSI
import Query
import Store

/// A new EntityMap, and what was missing when it was made.
public struct MadeEntityMap: Sendable {
  public var map: EntityMap
  public var warnings: [SourceWarning] = []
}

extension Federation {
  /// Create EntityMap for Query Entities and for Query Temporal Evolution (clauses 5.14.4 and 5.14.5): ids from the hub,
  /// then from each source, each id once.
  ///
  /// A source that makes EntityMaps itself is asked for one, any other for all its entities.
  ///
  /// - Parameters:
  ///   - isLocal: leaves sources out.
  ///   - lifetime: seconds that the client would like.
  public func makeEntityMap(
    _ query: FederatedQuery, isLocal: Bool, lifetime: Double?, _ origin: RequestOrigin
  ) async throws(Problem) -> MadeEntityMap {
    let splits = !isLocal && (query.splits ?? splitsEntities)
    let bound = hub.limits.entityMapEntities
    let listing = try await listing(
      query, isLocal: isLocal, splits: splits, need: bound + 1, counts: false, map: MapWish(lifetime: lifetime), origin)
    guard !listing.hasMore, listing.table.entries.count <= bound else { throw hub.tooLongForMap }
    let map = EntityMap(
      of: query.subject, listing.table.entries, selectedBy: query.entities, time: query.history?.time, splits: splits,
      links: listing.links)
    return MadeEntityMap(
      map: try hub.keep(map, lifetime: lifetime, in: origin.tenant), warnings: listing.warnings)
  }

  /// Which entities the hub and the sources have, and who has a part of each.
  ///
  /// - Parameters:
  ///   - need: ids that are wanted of each.
  ///   - map: has sources that make EntityMaps make one.
  func listing(
    _ query: FederatedQuery, isLocal: Bool, splits: Bool, need: Int, counts: Bool, map: MapWish? = nil,
    _ origin: RequestOrigin
  ) async throws(Problem) -> IdListing {
    let (matches, loops) = isLocal ? ([], false) : try sources(query.sourceQuery, origin)
    let asked = matches.filter { $0.registration.offers(query.operation) }
    let local = try await localIds(query, splits: splits, need: need, counts: counts, origin.tenant)
    let parts = await withTaskGroup(of: (Int, SourceIds).self) { group in
      for (index, match) in asked.enumerated() {
        group.addTask {
          if loops {
            return (index, SourceIds(warnings: [SourceWarning(.loop, at: match.registration.id)], failed: true))
          }
          return (index, await ids(query, match, splits: splits, need: need, counts: counts, map: map, origin))
        }
      }
      var parts = [SourceIds](repeating: SourceIds(), count: asked.count)
      for await (index, part) in group { parts[index] = part }
      return parts
    }
    var listing = IdListing()
    for id in local.ids { listing.table.add(id, EntityMap.local) }
    if local.hasMore { listing.unfinished.append(EntityMap.local) }
    for (match, part) in zip(asked, parts) {
      let registration = match.registration.id
      for id in part.ids { listing.table.add(id, registration) }
      if let link = part.link { listing.links[registration] = link }
      if !part.failed { listing.answering.append(match) }
      if !part.isWhole { listing.unfinished.append(registration) }
      listing.warnings += part.warnings
    }
    listing.hasMore = local.hasMore
    let seen = local.ids.count + parts.reduce(0) { $0 + $1.ids.count }
    let told = (local.total ?? local.ids.count) + parts.reduce(0) { $0 + ($1.count ?? $1.ids.count) }
    let met = listing.table.entries.count
    listing.total = listing.unfinished.isEmpty ? met : max(met, told - (seen - met))
    return listing
  }

  /// The ids of what the hub itself has.
  private func localIds(_ query: FederatedQuery, splits: Bool, need: Int, counts: Bool, _ tenant: Tenant)
    async throws(Problem) -> (ids: [String], total: Int?, hasMore: Bool)
  {
    let entities = splits ? query.withoutFilters : query.entities
    guard var asked = query.evolution(of: entities, splits: splits, isBrief: true) else {
      let page = try await localPart(entities, need, counts, tenant)
      return (page.entities.map(\.id), page.total, page.hasMore)
    }
    (asked.page, asked.countsTotal) = (Page(limit: need), counts)
    let page = try await localHistories(asked, tenant)
    return (page.entities.map(\.id), page.total, page.hasMore)
  }

  /// The ids that one source has: from a map of its own, else read off its entities.
  private func ids(
    _ query: FederatedQuery, _ match: SourceMatch, splits: Bool, need: Int, counts: Bool, map: MapWish?,
    _ origin: RequestOrigin
  ) async -> SourceIds {
    let wording = await wording(for: match.registration, query.context)
    // Filters that cannot be said in its words are looked at here, on whole entities; several questions would be
    // several maps.
    if let map, match.registration.offers(query.mapOperation), splits || wording.keepsTexts || !query.hasFilters,
      let asks = try? SourceAsk.all(match, query.entities), asks.count == 1
    {
      let request = query.mapRequest(asks, wording, splits: splits, lifetime: map.lifetime)
      switch await call(call(for: request, to: match.registration, origin), match.registration) {
      case .success(let answer):
        if let read = SourceIds(answer, match, need: need) { return read }
      case .failure(.refused(let status, _)) where status < 500 || status == 501: break
      case .failure(let failure):
        return SourceIds(warnings: [SourceWarning(failure, at: match.registration.id)], failed: true)
      }
    }
    let list = await list(query, match, splits: splits, need: need, counts: counts, isBrief: true, origin)
    var ids = SourceIds(ids: list.entities.map(\.id), warnings: list.warnings, failed: list.failed)
    (ids.isWhole, ids.count) = (list.isWhole, list.count)
    return ids
  }
}

/// That sources are to make EntityMaps.
struct MapWish: Sendable {
  /// Seconds that they should live.
  var lifetime: Double?
}

/// Who has which entities.
struct IdListing: Sendable {
  var table = EntryTable()
  /// Maps that sources made of their parts.
  var links: [String: EntityMap.Link] = [:]
  /// Sources that gave what they were asked for.
  var answering: [SourceMatch] = []
  /// Registrations, and ``EntityMap/local``, that have more than was asked for.
  var unfinished: [String] = []
  /// Whether the hub itself has more than was asked for.
  var hasMore = false
  /// Exact where nobody has more; otherwise by what the sources say.
  var total = 0
  var warnings: [SourceWarning] = []
}

/// The ids that one source has.
private struct SourceIds: Sendable {
  var ids: [String] = []
  var link: EntityMap.Link?
  var warnings: [SourceWarning] = []
  /// Whether it gave nothing because it could not be asked.
  var failed = false
  /// Whether it has no more.
  var isWhole = true
  /// What it says it has.
  var count: Int?

  init(ids: [String] = [], warnings: [SourceWarning] = [], failed: Bool = false) {
    self.ids = ids
    self.warnings = warnings
    self.failed = failed
  }

  /// Reads the map that a source has made; `nil` when it has made none.
  init?(_ answer: SourceAnswer, _ match: SourceMatch, need: Int) {
    guard let json = try? JSONParser.parse(answer.body), json["type"] == "EntityMap",
      case .object(let entries)? = json["entityMap"]
    else { return nil }
    // What is not registered is not taken.
    ids = entries.members.lazy.map(\.key).filter { IRI.isAbsolute($0) && match.names(of: $0, types: nil) != nil }
      .prefix(need).map(\.self)
    if let location = answer.entityMapLocation ?? json["id"]?.string {
      link = EntityMap.Link(location: location, id: json["id"]?.string)
    }
    if answer.isStale { warnings = [SourceWarning(staleAt: match.registration.id)] }
  }
}

/// Entries in the order in which their ids were first met.
struct EntryTable: Sendable {
  private(set) var entries: [EntityMap.Entry] = []
  private var places: [String: Int] = [:]

  mutating func add(_ id: String, _ source: String) {
    guard let place = places[id] else {
      places[id] = entries.count
      return entries.append(EntityMap.Entry(id: id, sources: [source]))
    }
    if !entries[place].sources.contains(source) { entries[place].sources.append(source) }
  }
}

extension EntityMap.Link {
  /// - Parameter id: `nil` where only the place is known: then it is the last part of that.
  init(location: String, id: String? = nil) {
    let last = location.split(separator: "/").last.map(String.init) ?? location
    self.init(id: id ?? last, location: location)
  }
}

extension SourceAnswer {
  /// Where the source says its map is, unless it is nothing that can be sent back.
  var entityMapLocation: String? {
    guard let text = header("NGSILD-EntityMap"), !text.isEmpty, text.utf8.count <= 2_000,
      text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return nil }
    return text
  }
}

extension FederatedQuery {
  /// The request that has a source make a map of its part.
  func mapRequest(_ asks: [SourceAsk], _ wording: Wording, splits: Bool, lifetime: Double?) -> SourceRequest {
    var request = request(asks, wording, splits: splits, limit: 1, offset: 0, counts: false)
    request.path = history == nil ? ["entityMaps"] : ["temporal", "entityMaps"]
    request.parameters.removeAll { ["options", "limit"].contains($0.name) }
    guard let lifetime else { return request }
    let text = "PT\(Int(lifetime.rounded(.up)))S"
    if case .object(var body)? = request.body {
      body["entityMapLifetime"] = .string(text)
      request.body = .object(body)
    } else {
      request.parameters.append(("entityMapLifetime", text))
    }
    return request
  }
}
