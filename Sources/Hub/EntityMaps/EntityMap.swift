import NGSI
import Query
import Store

/// Which entities a query is about, and who has a part of each (ETSI GS CIM 009 clauses 4.5.25 and 5.2.39).
///
/// Pages that are cut from a map are cut from the same list, whatever is written meanwhile, and only those are asked that
/// the map names.
public struct EntityMap: Sendable {
  public enum Subject: Sendable {
    /// Entities as they are now.
    case entities
    /// Their evolution over time.
    case histories
  }

  public struct Entry: Sendable, Hashable {
    public var id: String
    /// Registrations whose sources have a part of the entity; ``EntityMap/local`` for the hub itself.
    public var sources: [String]

    public init(id: String, sources: [String]) {
      self.id = id
      self.sources = sources
    }
  }

  /// The map that a source made of its own part.
  public struct Link: Sendable, Hashable {
    public var id: String
    /// What it is called by at the source.
    public var location: String

    public init(id: String, location: String) {
      self.id = id
      self.location = location
    }
  }

  /// Stands for the hub among the sources of an entity.
  public static let local = "@none"

  public internal(set) var id = ""
  public internal(set) var expiresAt = DateTime(microseconds: 0)
  /// Who had it made; `nil` where everybody may do everything.
  var owner: Caller?
  public let subject: Subject
  /// What selects the entities, apart from their ids; `nil` in the map of a single entity.
  public let selection: EntityQuery?
  /// The time that the map of histories was made for. Another may be asked for; then nothing is taken off the map.
  public let time: TemporalFilter?
  /// Whether the entities are candidates still: their parts have to be put together before they can be judged.
  public let splits: Bool
  public internal(set) var entries: [Entry]
  /// By registration.
  public internal(set) var links: [String: Link]

  public init(
    of subject: Subject, _ entries: [Entry], selectedBy query: EntityQuery? = nil, time: TemporalFilter? = nil,
    splits: Bool = false, links: [String: Link] = [:]
  ) {
    self.subject = subject
    self.entries = entries
    self.selection = query?.withoutIds
    self.time = time
    self.splits = splits
    self.links = links
  }

  /// As clients see it (table 5.2.39-1). Its content says nothing about entities but their ids.
  public var json: JSON {
    var map = JSONObject()
    for entry in entries { map[entry.id] = .array(entry.sources.map(JSON.string)) }
    var linked = JSONObject()
    for (registration, link) in links.sorted(by: { $0.key < $1.key }) { linked[registration] = .string(link.id) }
    return [
      "id": .string(id), "type": "EntityMap", "expiresAt": .string(expiresAt.description), "entityMap": .object(map),
      "linkedMaps": .object(linked),
    ]
  }

  /// The entries that a query may be about by its ids, which need not be those that the map was made with.
  public func entries(within query: EntityQuery) throws(Problem) -> [Entry] {
    var byId = EntityQuery()
    (byId.ids, byId.idPattern, byId.selectors) = (query.ids, query.idPattern, query.selectors)
    for place in byId.selectors.indices { byId.selectors[place].types = nil }
    let asksAll = byId.selectors.allSatisfy { $0.ids.isEmpty && $0.idPattern == nil }
    if asksAll, byId.ids.isEmpty, byId.idPattern == nil { return entries }
    let matcher = try EntityMatcher(byId)
    var found: [Entry] = []
    for entry in entries where try matcher.matches(Entity(id: entry.id, types: [])) { found.append(entry) }
    return found
  }

  /// - Throws: `BadRequestData` when the query is not the one that the map was made for. Ids, pages and times may
  ///   differ (clause 5.5.14).
  public func requireUse(for subject: Subject, _ query: EntityQuery?) throws(Problem) {
    guard self.subject == subject else {
      throw .badRequest("the EntityMap \(id) is one of \(self.subject == .entities ? "entities" : "histories")")
    }
    guard let selection, let query, selection != query.withoutIds else { return }
    throw .badRequest("the EntityMap \(id) was made for another query; only ids, pages and times may differ")
  }
}

extension EntityMap {
  /// Whether a caller had it made, for the same purpose. To all others it is not there.
  func belongs(to caller: Caller) -> Bool {
    guard let owner, caller.kind != .city else { return true }
    func same(_ left: String?, _ right: String?) -> Bool { (left ?? "").hasSameBytes(as: right ?? "") }
    return owner.kind == caller.kind && same(owner.id, caller.id) && same(owner.purpose, caller.purpose)
      && owner.tenants.count == caller.tenants.count
      && zip(owner.tenants, caller.tenants).allSatisfy { $0.hasSameBytes(as: $1) }
  }

  /// The map with what the hub itself has of these.
  func showing(_ entries: [Entry]) -> EntityMap {
    var map = self
    map.entries = entries
    map.links = [:]
    return map
  }
}

extension EntityQuery {
  /// The query for those entities only that the map says are here; of none, for no entity that there can be.
  public func within(_ map: EntityMap) -> EntityQuery {
    var query = self
    let here = map.entries.filter { $0.sources.contains(EntityMap.local) }.map(\.id)
    (query.ids, query.idPattern) = (here.isEmpty ? [EntityMap.local] : here, nil)
    return query
  }

  /// What it selects by, apart from ids and order, and however it was written.
  fileprivate var withoutIds: EntityQuery {
    var query = self
    (query.ids, query.idPattern, query.order, query.collation) = ([], nil, [], nil)
    if selectors.isEmpty {
      var selector = EntitySelector()
      selector.types = types
      query.selectors = [selector]
    } else {
      var seen: [EntitySelector] = []
      for selector in selectors {
        var selector = selector
        (selector.ids, selector.idPattern) = ([], nil)
        if !seen.contains(selector) { seen.append(selector) }
      }
      query.selectors = seen
    }
    query.types = nil
    return query
  }
}
