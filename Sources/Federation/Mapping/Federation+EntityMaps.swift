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
  /// Create EntityMap for Query Entities (clause 5.14.4): ids from the hub, then from each source, each id once.
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
    let (matches, loops) = isLocal ? ([], false) : try sources(query.sourceQuery, origin)
    let asked = matches.filter { $0.registration.offers(query.operation) }
    let bound = hub.limits.entityMapEntities
    let local = try await localPart(splits ? query.withoutFilters : query.entities, bound + 1, false, origin.tenant)
    let parts = await withTaskGroup(of: (Int, SourceIds).self) { group in
      for (index, match) in asked.enumerated() {
        group.addTask {
          if loops { return (index, SourceIds(warnings: [SourceWarning(.loop, at: match.registration.id)])) }
          return (index, await ids(query, match, splits: splits, bound: bound, lifetime, origin))
        }
      }
      var parts = [SourceIds](repeating: SourceIds(), count: asked.count)
      for await (index, part) in group { parts[index] = part }
      return parts
    }
    var table = EntryTable()
    for entity in local.entities { table.add(entity.id, EntityMap.local) }
    var links: [String: EntityMap.Link] = [:]
    for (match, part) in zip(asked, parts) {
      for id in part.ids { table.add(id, match.registration.id) }
      if let link = part.link { links[match.registration.id] = link }
    }
    guard !local.hasMore, table.entries.count <= bound else { throw hub.tooLongForMap }
    let map = EntityMap(of: .entities, table.entries, selectedBy: query.entities, splits: splits, links: links)
    return MadeEntityMap(
      map: try hub.keep(map, lifetime: lifetime, in: origin.tenant), warnings: parts.flatMap(\.warnings))
  }

  /// The ids that one source has: from a map of its own, else read off its entities.
  private func ids(
    _ query: FederatedQuery, _ match: SourceMatch, splits: Bool, bound: Int, _ lifetime: Double?,
    _ origin: RequestOrigin
  ) async -> SourceIds {
    let wording = await wording(for: match.registration, query.context)
    // Filters that cannot be said in its words are looked at here, on whole entities; several questions would be
    // several maps.
    if match.registration.offers(.createEntityMapQueryEntity), splits || wording.keepsTexts || !query.hasFilters,
      let asks = try? SourceAsk.all(match, query.entities), asks.count == 1
    {
      let request = query.mapRequest(asks, wording, splits: splits, lifetime: lifetime)
      switch await call(call(for: request, to: match.registration, origin), match.registration) {
      case .success(let answer):
        if let read = SourceIds(answer, match, bound: bound) { return read }
      case .failure(.refused(let status, _)) where status < 500 || status == 501: break
      case .failure(let failure): return SourceIds(warnings: [SourceWarning(failure, at: match.registration.id)])
      }
    }
    let list = await list(query, match, splits: splits, need: bound + 1, counts: false, origin)
    return SourceIds(ids: list.entities.map(\.id), warnings: list.warnings)
  }
}

/// The ids that one source has.
private struct SourceIds: Sendable {
  var ids: [String] = []
  var link: EntityMap.Link?
  var warnings: [SourceWarning] = []

  init(ids: [String] = [], warnings: [SourceWarning] = []) {
    self.ids = ids
    self.warnings = warnings
  }

  /// Reads the map that a source has made; `nil` when it has made none.
  init?(_ answer: SourceAnswer, _ match: SourceMatch, bound: Int) {
    guard let json = try? JSONParser.parse(answer.body), json["type"] == "EntityMap",
      case .object(let entries)? = json["entityMap"]
    else { return nil }
    // What is not registered is not taken; of too many one more than may be says so.
    ids = entries.members.lazy.map(\.key).filter { IRI.isAbsolute($0) && match.names(of: $0, types: nil) != nil }
      .prefix(bound + 1).map(\.self)
    if let location = answer.entityMapLocation ?? json["id"]?.string {
      link = EntityMap.Link(location: location, id: json["id"]?.string)
    }
    if answer.isStale { warnings = [SourceWarning(staleAt: match.registration.id)] }
  }
}

/// Entries in the order in which their ids were first met.
struct EntryTable {
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
    request.path = ["entityMaps"]
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
