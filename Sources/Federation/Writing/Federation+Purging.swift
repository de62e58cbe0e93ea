import Hub
import NGSI
import Query
import Store

extension Federation {
  /// Purge Entities at all sources that may have some, and at the hub (clause 5.6.21).
  ///
  /// - Parameters:
  ///   - map: names the entities, and who has a part of each; no others are purged.
  ///   - local: does the hub's part.
  public func purge(
    _ query: FederatedQuery, over map: EntityMap? = nil, _ origin: RequestOrigin,
    local: @escaping @Sendable () async throws(Problem) -> WriteOutcome
  ) async throws(Problem) -> WriteOutcome {
    let (matches, loops) = try sources(query.sourceQuery, origin)
    let named = map.map { Set($0.entries.lazy.flatMap(\.sources)) }
    let concerned = matches.filter { match in
      named?.contains(match.registration.id) ?? true
        && (match.registration.mode.isProxied
          || (match.registration.mode == .inclusive && match.registration.offers(.purgeEntity)))
    }
    if loops, let match = concerned.first { throw SourceFailure.loop.problem(at: match.registration.id) }
    let results = await withTaskGroup(of: (Int, Problem?).self) { group in
      for (index, match) in concerned.enumerated() {
        group.addTask { (index, await carryOut(query, match, map, origin)) }
      }
      var results = [Problem?](repeating: nil, count: concerned.count)
      for await (index, problem) in group { results[index] = problem }
      return results
    }
    var outcome = try await local()
    for (match, problem) in zip(concerned, results) {
      guard let problem, problem.kind != .resourceNotFound else {
        outcome.hasSuccess = true
        continue
      }
      outcome.failures.append(WriteOutcome.Failure(problem: problem, registration: match.registration.id))
    }
    return outcome
  }

  private func carryOut(_ query: FederatedQuery, _ match: SourceMatch, _ map: EntityMap?, _ origin: RequestOrigin)
    async -> Problem?
  {
    guard let map else { return await carryOut(query, match, origin) }
    let ids = map.entries.filter { $0.sources.contains(match.registration.id) }.map(\.id)
    for bundle in Self.bundles(ids) {
      let narrowed = query.narrowed(to: bundle)
      guard let part = try? match.registration.match(narrowed.sourceQuery) else { continue }
      if let problem = await carryOut(narrowed, part, origin) { return problem }
    }
    return nil
  }

  private func carryOut(_ query: FederatedQuery, _ match: SourceMatch, _ origin: RequestOrigin) async -> Problem? {
    let registration = match.registration
    guard registration.offers(.purgeEntity) else {
      return Problem(.conflict, "what \(registration.id) holds alone cannot be purged: it does not offer it")
    }
    let wording = await wording(for: registration, query.context)
    guard case .parameters(let items) = query.form else { return nil }
    guard wording.keepsTexts || !query.hasFilters && !items.contains(where: { Self.lists.contains($0.name) }) else {
      return Problem(.badGateway, "what is to be purged at \(registration.id) cannot be said in its words")
    }
    do {
      for ask in try SourceAsk.all(match, query.entities) {
        var request = query.request([ask], wording, splits: false, limit: 1, offset: 0, counts: false)
        request.method = .delete
        request.parameters.removeAll { ["options", "limit", "attrs"].contains($0.name) }
        // Only what is registered may be purged: of some attributes these, and no more.
        if let names = ask.attributes, !items.contains(where: { Self.lists.contains($0.name) }) {
          request.parameters.append(("drop", names.sorted().map(wording.name).joined(separator: ",")))
        }
        request.parameters += items.filter { Self.lists.contains($0.name) }
        if case .failure(let failure) = await call(call(for: request, to: registration, origin), registration) {
          return failure.problem(at: registration.id)
        }
      }
    } catch { return error }
    return nil
  }

  private static let lists: Set<String> = ["keep", "drop"]
}
