import Hub
import NGSI
import Query
import Store

/// What the hub and its sources have of the history of one entity.
public struct FederatedHistory: Sendable {
  /// Without entities when nobody has any of it.
  public var page: EvolutionPage
  public var warnings: [SourceWarning] = []
  /// Who gave a part of it: registrations, and ``EntityMap/local``.
  public var sources: [String] = []
}

extension Federation {
  /// Retrieve Temporal Evolution of an Entity over all sources that may have some of it (clause 5.7.3).
  ///
  /// - Parameters:
  ///   - context: what the client's names are read with.
  ///   - map: tells who may have it.
  public func history(
    of id: String, _ query: EvolutionQuery, context: Context, over map: EntityMap? = nil, _ origin: RequestOrigin
  ) async throws(Problem) -> FederatedHistory {
    var wanted = SourceQuery(entity: id, types: nil)
    wanted.attributes = Set(query.attributes)
    wanted.datasetIds = query.datasetIds
    // Sources of histories are registered with the time that they know (clause 5.9.1).
    wanted.time = query.time ?? TemporalFilter(relation: nil, property: .observedAt)
    let (matches, loops) = try sources(wanted, origin)
    let named = map.map { $0.entries.first { $0.id == id }?.sources ?? [] }
    let asked = matches.filter { match in
      match.registration.offers(.retrieveTemporal) && named?.contains(match.registration.id) ?? true
    }
    let parts = await withTaskGroup(of: (Int, HistoryPart).self) { group in
      for (index, match) in asked.enumerated() {
        group.addTask {
          if loops { return (index, HistoryPart(warning: SourceWarning(.loop, at: match.registration.id))) }
          return (index, await part(of: id, query, match, context, origin))
        }
      }
      var parts = [HistoryPart](repeating: HistoryPart(), count: asked.count)
      for await (index, part) in group { parts[index] = part }
      return parts
    }
    let (hub, tenant) = (hub, origin.tenant)
    var found = FederatedHistory(
      page: try await OffLoop.run { () throws(Problem) in try hub.evolutions(query, in: tenant) })
    var merging = HistoryMerging(query, cut: found.page.cut)
    if let own = found.page.entities.first {
      merging.add(own)
      found.sources.append(EntityMap.local)
    }
    // What is added only where nobody else has it comes last.
    for isAddition in [false, true] {
      for (match, part) in zip(asked, parts) where (match.registration.mode == .auxiliary) == isAddition {
        if let warning = part.warning { found.warnings.append(warning) }
        guard let entity = part.entity else { continue }
        merging.add(entity, onlyWhereNothingIs: isAddition)
        found.sources.append(match.registration.id)
      }
    }
    found.page.entities = merging.entity.map { [$0] } ?? []
    return found
  }

  private func part(
    of id: String, _ query: EvolutionQuery, _ match: SourceMatch, _ context: Context, _ origin: RequestOrigin
  ) async -> HistoryPart {
    let registration = match.registration
    let wording = await wording(for: registration, context)
    var request = SourceRequest(method: .get, path: ["temporal", "entities", id], context: wording.source)
    request.parameters = query.time?.parameters ?? []
    if let names = match.wanted(Set(query.attributes)) {
      request.parameters.append(("attrs", names.sorted().map(wording.name).joined(separator: ",")))
    }
    if let count = query.lastN { request.parameters.append(("lastN", String(count))) }
    request.parameters.append(("options", "sysAttrs"))
    request.namesAreIRIs = wording.usesIRIs
    switch await call(call(for: request, to: registration, origin), registration) {
    case .failure(.refused(404, _)): return HistoryPart()
    case .failure(let failure): return HistoryPart(warning: SourceWarning(failure, at: registration.id))
    case .success(let answer):
      do {
        let entities = try await entities(
          in: answer, request.answerContext, match, rules: [.evolution, .systemMembers])
        guard let entity = entities.first(where: { $0.id == id }) else { return HistoryPart() }
        if answer.isStale { return HistoryPart(entity: entity, warning: SourceWarning(staleAt: registration.id)) }
        // What it left out for want of room is not asked for again.
        let isCut = answer.status == 206
        return HistoryPart(entity: entity, warning: isCut ? SourceWarning(partialAt: registration.id) : nil)
      } catch {
        return HistoryPart(
          warning: SourceWarning(.unreadable("its answer cannot be read: \(error.detail)"), at: registration.id))
      }
    }
  }
}

private struct HistoryPart: Sendable {
  var entity: Entity?
  var warning: SourceWarning?
}

/// Puts together instances that several have of one history (clauses 4.5.5 and 5.7.3.4): of two with the same dataset and
/// time the one that was changed later stays.
struct HistoryMerging {
  private let query: EvolutionQuery
  private let property: TemporalFilter.Property
  private let cut: (from: DateTime, to: DateTime)?
  private var whole: Entity?

  /// - Parameter cut: the span of the hub's own answer, where it is not whole.
  init(_ query: EvolutionQuery, cut: (from: DateTime, to: DateTime)?) {
    self.query = query
    self.cut = cut
    property = query.time?.property ?? .observedAt
  }

  mutating func add(_ entity: Entity, onlyWhereNothingIs: Bool = false) {
    guard var known = whole else { return whole = entity }
    for type in entity.types where !known.types.contains(type) { known.types.append(type) }
    for set in entity.attributes {
      var instances = known[attribute: set.name]?.instances ?? []
      var places: [Key: Int] = [:]
      for (place, instance) in instances.enumerated() { places[key(instance)] = place }
      for instance in set.instances {
        guard let place = places[key(instance)] else {
          places[key(instance)] = instances.count
          instances.append(instance)
          continue
        }
        guard !onlyWhereNothingIs, let mine = instance.modifiedAt else { continue }
        if instances[place].modifiedAt.map({ $0 < mine }) ?? true { instances[place] = instance }
      }
      known[attribute: set.name] = AttributeSet(name: set.name, instances: instances)
    }
    whole = known
  }

  /// In the order that was asked for, and no more than was.
  var entity: Entity? {
    guard var entity = whole else { return nil }
    entity.attributes = entity.attributes.map { set in
      var instances = set.instances.filter { isInSpan($0) && isWanted($0) }
      let newestFirst = query.newestFirst
      let places = instances.enumerated().sorted { left, right in
        let (mine, theirs) = (time(left.element), time(right.element))
        if mine == theirs { return left.offset < right.offset }
        return newestFirst ? theirs < mine : mine < theirs
      }
      instances = places.map(\.element)
      if let count = query.lastN, instances.count > count {
        instances = newestFirst ? Array(instances.prefix(count)) : Array(instances.suffix(count))
      }
      return AttributeSet(name: set.name, instances: instances)
    }
    return entity
  }

  private struct Key: Hashable {
    var datasetId: String?
    var time: DateTime
    /// Tells apart instances that have no time of their own.
    var value: JSON?
  }

  private func key(_ instance: Attribute) -> Key {
    let own = ownTime(instance)
    return Key(datasetId: instance.datasetId, time: own ?? time(instance), value: own == nil ? instance.value : nil)
  }

  private func ownTime(_ instance: Attribute) -> DateTime? {
    switch property {
    case .observedAt: instance.observedAt
    case .createdAt: instance.createdAt
    case .modifiedAt: instance.modifiedAt
    case .deletedAt: instance.deletedAt
    }
  }

  private func time(_ instance: Attribute) -> DateTime {
    ownTime(instance) ?? instance.observedAt ?? instance.modifiedAt ?? instance.createdAt ?? DateTime(microseconds: 0)
  }

  /// What lies beyond the hub's own answer is left for the next one.
  private func isInSpan(_ instance: Attribute) -> Bool {
    guard let cut else { return true }
    return query.newestFirst ? min(cut.from, cut.to) <= time(instance) : time(instance) <= max(cut.from, cut.to)
  }

  private func isWanted(_ instance: Attribute) -> Bool {
    query.datasetIds.isEmpty || query.datasetIds.contains(instance.datasetId ?? "@none")
  }
}

extension TemporalFilter {
  /// As parameters of a query (clause 4.11).
  var parameters: [(name: String, value: String)] {
    var items: [(name: String, value: String)] = []
    switch relation {
    case nil: break
    case .before(let end): items = [("timerel", "before"), ("timeAt", end.description)]
    case .after(let start): items = [("timerel", "after"), ("timeAt", start.description)]
    case .between(let start, let end):
      items = [("timerel", "between"), ("timeAt", start.description), ("endTimeAt", end.description)]
    }
    return items + [("timeproperty", property.rawValue)]
  }
}
