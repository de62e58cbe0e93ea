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
    var found = FederatedHistory(page: try await localHistories(query, origin.tenant))
    var cuts = found.page.cut.map { [HistoryCut($0)] } ?? []
    var merging = HistoryMerging(query)
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
        if let cut = part.cut { cuts.append(cut) }
      }
    }
    var shaping = HistoryShaping(query, cuts, beyondCut: found.page.beyondCut)
    found.page.entities = merging.whole.map { [shaping.shaped($0)] } ?? []
    found.page.cut = shaping.cut.map { ($0.from, $0.to) }
    found.page.beyondCut = shaping.beyondCut
    return found
  }

  /// What the hub itself has; nothing in a tenant that has registrations only.
  func localHistories(_ query: EvolutionQuery, _ tenant: Tenant) async throws(Problem) -> EvolutionPage {
    let hub = hub
    return try await OffLoop.run { () throws(Problem) in
      do throws(Problem) { return try hub.evolutions(query, in: tenant) } catch {
        guard error.kind == .nonexistentTenant, hub.hasRegistrations(in: tenant) else { throw error }
        return EvolutionPage(entities: [], total: 0, hasMore: false, cut: nil)
      }
    }
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
    if !query.datasetIds.isEmpty {
      request.parameters.append(("datasetId", query.datasetIds.joined(separator: ",")))
    }
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
        guard answer.status == 206 else { return HistoryPart(entity: entity) }
        let cut = answer.cut(of: [entity], query)
        return HistoryPart(
          entity: entity, cut: cut, warning: cut == nil ? SourceWarning(partialAt: registration.id) : nil)
      } catch {
        return HistoryPart(
          warning: SourceWarning(.unreadable("its answer cannot be read: \(error.detail)"), at: registration.id))
      }
    }
  }
}

private struct HistoryPart: Sendable {
  var entity: Entity?
  /// Where it was cut for want of room.
  var cut: HistoryCut?
  var warning: SourceWarning?
}
