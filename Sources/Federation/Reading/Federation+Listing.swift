import Hub
import NGSI
import Query
import Store

extension Federation {
  /// What one source has, up to the number needed.
  ///
  /// - Parameters:
  ///   - isBrief: of histories no more than the last instance is wanted.
  ///   - given: questions to put instead of those that the query makes.
  ///   - entityMap: the map that the source made of its part.
  func list(
    _ query: FederatedQuery, _ match: SourceMatch, splits: Bool, need: Int, counts: Bool, isBrief: Bool = false,
    _ origin: RequestOrigin, asks given: [SourceAsk]? = nil, entityMap: EntityMap.Link? = nil
  ) async -> SourceList {
    var list = SourceList()
    let registration = match.registration
    let wording = await wording(for: registration, query.context)
    do {
      // What could not be sent on is looked at here.
      let matcher = splits || wording.keepsTexts || !query.hasFilters ? nil : try PartMatcher(query)
      let asks = if let given { given } else { try SourceAsk.all(match, query.entities) }
      for bundle in query.bundles(asks) {
        var offset = 0
        var seen: Set<String> = []
        while list.entities.count < need {
          let limit = min(limits.page, max(need - list.entities.count, 1))
          var request = query.request(
            bundle, wording, splits: splits, limit: limit, offset: offset, counts: counts && offset == 0,
            isBrief: isBrief && matcher == nil)
          request.entityMap = entityMap?.location
          let answer: SourceAnswer
          switch await call(call(for: request, to: registration, origin), registration) {
          case .failure(.refused(404, _)): return list
          case .failure(let failure):
            list.warnings.append(SourceWarning(failure, at: registration.id))
            list.failed = true
            return list
          case .success(let given): answer = given
          }
          if answer.isStale { list.warnings.append(SourceWarning(staleAt: registration.id)) }
          if entityMap != nil, let location = answer.entityMapLocation, location != entityMap?.location {
            list.link = EntityMap.Link(location: location)
          }
          let page = try await entities(
            in: answer, request.answerContext, match,
            rules: query.history == nil ? .systemMembers : [.evolution, .systemMembers])
          if counts, offset == 0, let count = answer.header("NGSILD-Results-Count").flatMap({ Int($0) }) {
            list.count = (list.count ?? 0) + count
          }
          let fresh = page.filter { seen.insert($0.id).inserted }
          for entity in fresh {
            if let matcher {
              if let selected = try matcher.selected(of: entity) { list.entities.append(selected) }
            } else {
              list.entities.append(entity)
            }
          }
          if let history = query.history, answer.status == 206 {
            list.note(answer.cut(of: page, history), at: registration.id)
          }
          // A source that repeats itself has no more.
          guard page.count >= limit, !fresh.isEmpty else { break }
          offset += page.count
          if list.entities.count >= need { list.isWhole = false }
        }
      }
    } catch {
      list.failed = true
      list.warnings.append(
        SourceWarning(.unreadable("its answer cannot be read: \(error.detail)"), at: registration.id))
    }
    return list
  }
}

/// What one source gave.
struct SourceList: Sendable {
  var entities: [Entity] = []
  /// Whether the source has no more.
  var isWhole = true
  /// What the source says it has.
  var count: Int?
  var warnings: [SourceWarning] = []
  /// Whether it did not give what was asked for.
  var failed = false
  /// The map that the source made in place of one that it has no more.
  var link: EntityMap.Link?
  /// Where histories were cut for want of room.
  var cuts: [HistoryCut] = []

  mutating func note(_ cut: HistoryCut?, at registration: String) {
    if let cut { cuts.append(cut) } else { warnings.append(SourceWarning(partialAt: registration)) }
  }
}

/// Versions of entities by id, in the order in which ids were first met.
struct VersionTable {
  private(set) var order: [String] = []
  private var versions: [String: [(source: Int?, entity: Entity)]] = [:]

  mutating func add(_ entity: Entity, from source: Int?) {
    if versions[entity.id] == nil { order.append(entity.id) }
    // A source that was asked several questions may give an entity in parts. The hub's own version counts first.
    let place = source == nil ? 0 : versions[entity.id]?.count ?? 0
    versions[entity.id, default: []].insert((source, entity), at: place)
  }

  func has(_ id: String, from source: Int?) -> Bool { versions[id]?.contains { $0.source == source } ?? false }

  /// - Parameter history: what of histories was asked for; `nil` where these are entities as they are now.
  func merged(_ id: String, _ asked: [SourceMatch], _ history: EvolutionQuery?, at now: DateTime) -> Entity? {
    let all = versions[id] ?? []
    func isAddition(_ source: Int?) -> Bool { source.map { asked[$0].registration.mode == .auxiliary } ?? false }
    let parts = all.filter { !isAddition($0.source) }.map(\.entity)
    let additions = all.filter { isAddition($0.source) }.map(\.entity)
    guard let history else { return EntityMerging.merged(parts, adding: additions, at: now) }
    var merging = HistoryMerging(history)
    for part in parts { merging.add(part) }
    for part in additions { merging.add(part, onlyWhereNothingIs: true) }
    return merging.whole
  }
}
