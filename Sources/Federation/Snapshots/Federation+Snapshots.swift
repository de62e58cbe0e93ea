import Hub
import NGSI
import Query
import Store

extension Federation {
  /// Runs until cancelled: what the hub does by itself, the filling of snapshots, and the keeping of subscriptions at
  /// sources.
  public func run() async { await Hub.asCity { await work() } }

  private func work() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await hub.run() }
      group.addTask { await keepSubscribing() }
      group.addTask {
        while !Task.isCancelled {
          let count = hub.snapshotWakes
          await fillSnapshots()
          await hub.waitForSnapshots(after: count)
        }
      }
      await group.waitForAll()
    }
  }

  /// Fills all snapshots that wait, one after the other (clauses 5.16.1.4 and 5.16.2.4).
  public func fillSnapshots() async {
    while !Task.isCancelled, let next = hub.waitingSnapshots.first {
      do throws(Problem) { try await SnapshotFilling(federation: self, snapshot: next).run() } catch {
        switch error.kind {
        // It has ended meanwhile.
        case .resourceNotFound: break
        // The store takes nothing now.
        case .unavailable: try? await Task.sleep(for: .seconds(1))
        default:
          do throws(Problem) { try await hub.finish(next, [Snapshot.Result(.failure, error)], []) } catch { return }
        }
      }
    }
  }

  /// Looks at the queries of a snapshot before it is made.
  ///
  /// - Throws: what is wrong with one.
  public func check(snapshot document: JSONObject, context: Context) throws(Problem) {
    for query in document["snapshotQueries"]?.items.compactMap(\.object) ?? [] {
      _ = try SnapshotFilling.Kept(query, context)
      let entities = try EntityQuery(queryObject: query, context: context)
      guard entities.order.isEmpty else { throw .badRequest("a snapshot has no order; order queries to it") }
      if let csf = query["csf"]?.string { _ = try Filter(q: csf, context: context) }
      _ = try EntityMatcher(entities)
    }
    for query in document["snapshotTemporalQueries"]?.items.compactMap(\.object) ?? [] {
      let histories = try EvolutionQuery(queryObject: query, context: context, instanceLimit: 1)
      _ = try EntityMatcher(histories.entities)
    }
  }
}

/// The work of filling one snapshot.
struct SnapshotFilling: Sendable {
  let federation: Federation
  let snapshot: Snapshot
  var hub: Hub { federation.hub }

  /// Entities that one write adds: a few milliseconds of the writer's time.
  private static let step = 100
  /// Instances of histories that one write adds.
  private static let instanceStep = 500

  /// What is kept of the entities that a query selects.
  struct Kept: Sendable {
    private var attributes: Set<String> = []
    private var datasetIds: [String] = []
    private var projecting = Projecting()

    init(_ query: JSONObject, _ context: Context) throws(Problem) {
      for name in query["attrs"]?.items.compactMap(\.string) ?? [] { attributes.insert(context.expand(name)) }
      datasetIds = query["datasetId"]?.items.compactMap(\.string) ?? []
      if let pick = query["pick"] { projecting.pick = try Projection(json: pick, subject: "pick", context: context) }
      if let omit = query["omit"] { projecting.omit = try Projection(json: omit, subject: "omit", context: context) }
      try projecting.check()
      guard projecting.hops == 0 else { throw .badRequest("a snapshot follows no relationships") }
    }

    /// The entity with what was asked for; `nil` when nothing of it was.
    func part(of entity: Entity) -> Entity? {
      var entity = entity
      if !attributes.isEmpty {
        entity.attributes.removeAll { !attributes.contains($0.name) }
        if entity.attributes.isEmpty { return nil }
      }
      if !datasetIds.isEmpty {
        entity.attributes = entity.attributes.compactMap { set in
          let kept = set.instances.filter { datasetIds.contains($0.datasetId ?? "@none") }
          return kept.isEmpty ? nil : AttributeSet(name: set.name, instances: kept)
        }
      }
      // It cannot be stored without its id and types, whatever else is left out.
      return projecting.view(entity).entity
    }
  }

  func run() async throws(Problem) {
    try await hub.prepareSpace(of: snapshot)
    if snapshot.origin != nil { return try await copy() }
    let (queries, histories) = (snapshot.queries("snapshotQueries"), snapshot.queries("snapshotTemporalQueries"))
    let context: Context
    do throws(Problem) { context = try await hub.context(snapshot.context) } catch {
      let failure = Snapshot.Result(.failure, error)
      return try await hub.finish(
        snapshot, queries.map { _ in failure }, histories.map { _ in failure })
    }
    let results = try await keep(queries, context)
    var historyResults: [Snapshot.Result] = []
    var room = hub.limits.snapshotInstances
    for query in histories {
      if federation.concerns(snapshot.tenant), query["local"] != .bool(true) {
        historyResults.append(try await keepHistoriesFromSources(query, context, &room))
        continue
      }
      historyResults.append(
        try await outcome { () throws(Problem) in
          let query = try EvolutionQuery(queryObject: query, context: context, instanceLimit: 1)
          return try await keepHistories(query, in: snapshot.tenant, &room)
        })
    }
    try await hub.finish(snapshot, results, historyResults)
  }

  /// Clone Snapshot: all that is in the other.
  private func copy() async throws(Problem) {
    guard let origin = hub.origin(of: snapshot) else {
      let gone = Problem.notFound("the snapshot \(snapshot.origin ?? "") ended before it was copied")
      return try await hub.finish(snapshot, [Snapshot.Result(.failure, gone)], [])
    }
    let space = origin.space
    var room = hub.limits.snapshotInstances
    let result = try await outcome { () throws(Problem) in
      let hub = hub
      let found = try await OffLoop.run { () throws(Problem) in try hub.frozen([EntityQuery()], in: space) }
      var count = 0
      for one in found { count += try await keep(try one.get()) { $0 } }
      let histories = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: 1)
      return count + (try await keepHistories(histories, in: space, &room))
    }
    // A copy of nothing is as it should be (clause 5.16.2.4).
    try await hub.finish(snapshot, [result.status == .failure ? result : Snapshot.Result(.success)], [])
  }

  /// Carries out one query.
  ///
  /// - Throws: what makes the whole filling end: the snapshot has ended, or nothing can be stored.
  private func outcome(_ body: () async throws(Problem) -> Int) async throws(Problem) -> Snapshot.Result {
    do throws(Problem) {
      return Snapshot.Result(try await body() > 0 ? .success : .empty)
    } catch {
      if error.kind == .resourceNotFound || error.kind == .unavailable { throw error }
      return Snapshot.Result(.failure, error)
    }
  }

  // MARK: Entities

  /// Those that are asked of the hub alone are as they were at one moment, all of them.
  private func keep(_ queries: [JSONObject], _ context: Context) async throws(Problem) -> [Snapshot.Result] {
    let concernsSources = federation.concerns(snapshot.tenant)
    let isLocal = queries.map { !concernsSources || $0["local"] == .bool(true) }
    var own: [EntityQuery] = []
    for (query, isOwn) in zip(queries, isLocal) where isOwn {
      own.append(try EntityQuery(queryObject: query, context: context))
    }
    let (hub, tenant, asked) = (hub, snapshot.tenant, own)
    var frozen = try await OffLoop.run { () throws(Problem) in try hub.frozen(asked, in: tenant) }[...]
    var results: [Snapshot.Result] = []
    for (query, isOwn) in zip(queries, isLocal) {
      let kept = try Kept(query, context)
      if isOwn {
        let found = frozen.removeFirst()
        results.append(
          try await outcome { () throws(Problem) in try await keep(try found.get()) { kept.part(of: $0) } })
      } else {
        results.append(try await keepFromSources(query, kept, context))
      }
    }
    return results
  }

  private func keepFromSources(_ object: JSONObject, _ kept: Kept, _ context: Context) async throws(Problem)
    -> Snapshot.Result
  {
    var warnings: [SourceWarning] = []
    var result = try await outcome { () throws(Problem) in
      // Sources are asked as for Query Entities (clause 5.16.1.4 refers to 5.7.2.4), not as for the batch form of it.
      var query = FederatedQuery(
        try EntityQuery(queryObject: object, context: context), .parameters(object.queryParameters), context: context)
      if let csf = object["csf"]?.string { query.sourceFilter = try Filter(q: csf, context: context) }
      query.datasetIds = object["datasetId"]?.items.compactMap(\.string) ?? []
      query.splits = object["splitEntities"]?.bool
      let page = Page(limit: federation.limits.entities - 1)
      let found = try await federation.query(
        query, page: page, countsTotal: false, RequestOrigin(tenant: snapshot.tenant))
      warnings = found.warnings
      guard !found.hasMore else { throw hub.tooMuchForSnapshot }
      let entities = found.entities.compactMap(kept.part)
      for start in stride(from: 0, to: entities.count, by: Self.step) {
        try await hub.add(Array(entities[start..<min(start + Self.step, entities.count)]), to: snapshot)
      }
      return entities.count
    }
    result.name(warnings)
    return result
  }

  private func keep(_ frozen: FrozenEntities, _ part: (Entity) -> Entity?) async throws(Problem) -> Int {
    var count = 0
    for start in stride(from: 0, to: frozen.bytes.count, by: Self.step) {
      let entities = try frozen.entities(start..<min(start + Self.step, frozen.bytes.count)).compactMap(part)
      try await hub.add(entities, to: snapshot)
      count += entities.count
    }
    return count
  }

  // MARK: Histories

  private func keepHistories(_ query: EvolutionQuery, in tenant: Tenant, _ room: inout Int) async throws(Problem)
    -> Int
  {
    let hub = hub
    let ids = try await OffLoop.run { () throws(Problem) in try hub.historyIdsToKeep(query, in: tenant) }
    var count = 0
    for id in ids {
      let (entries, types) = try await OffLoop.run { () throws(Problem) in
        try hub.historyToKeep(of: id, query, in: tenant)
      }
      room -= entries.count
      guard room >= 0 else { throw hub.tooMuchForSnapshot }
      count += entries.count
      for start in stride(from: 0, to: entries.count, by: Self.instanceStep) {
        let part = Array(entries[start..<min(start + Self.instanceStep, entries.count)])
        try await hub.add(part, types: start == 0 ? [id: types] : [:], to: snapshot)
      }
    }
    return count
  }
  /// Sources are asked as for Query Temporal Evolution (clause 5.16.1.4 refers to 5.7.4.4), some histories at once.
  private func keepHistoriesFromSources(_ object: JSONObject, _ context: Context, _ room: inout Int)
    async throws(Problem) -> Snapshot.Result
  {
    var warnings: [SourceWarning] = []
    var result = try await outcome { () throws(Problem) in
      let histories = try EvolutionQuery(
        queryObject: object, context: context, instanceLimit: hub.limits.temporalInstances)
      var query = FederatedQuery(histories, .parameters(object.queryParameters), context: context)
      if let csf = object["csf"]?.string { query.sourceFilter = try Filter(q: csf, context: context) }
      query.splits = object["splitEntities"]?.bool
      let made = try await federation.makeEntityMap(
        query, isLocal: false, lifetime: nil, RequestOrigin(tenant: snapshot.tenant))
      defer { try? hub.deleteEntityMap(made.map.id, in: snapshot.tenant) }
      warnings = made.warnings
      var count = 0
      for start in stride(from: 0, to: made.map.entries.count, by: Self.historyStep) {
        let part = made.map.part(start..<min(start + Self.historyStep, made.map.entries.count), of: query.entities)
        let origin = RequestOrigin(tenant: snapshot.tenant, share: federation.share())
        defer { origin.share?.close() }
        let found = try await federation.query(
          query, over: part, page: Page(limit: Self.historyStep), countsTotal: false, isLocal: false, origin)
        warnings += found.warnings.filter { !warnings.contains($0) }
        guard found.cut == nil else {
          throw Problem(
            .tooManyResults, "a history has more instances of an attribute than one answer holds; narrow the time")
        }
        for history in found.entities { count += try await keep(history, &room) }
      }
      return count
    }
    result.name(warnings)
    return result
  }

  /// Histories that are put together at once.
  private static let historyStep = 20

  private func keep(_ history: Entity, _ room: inout Int) async throws(Problem) -> Int {
    let entries = history.historyEntries(at: hub.time)
    room -= entries.count
    guard room >= 0 else { throw hub.tooMuchForSnapshot }
    for start in stride(from: 0, to: entries.count, by: Self.instanceStep) {
      let part = Array(entries[start..<min(start + Self.instanceStep, entries.count)])
      try await hub.add(part, types: start == 0 ? [history.id: history.types] : [:], to: snapshot)
    }
    return entries.count
  }
}

extension Snapshot.Result {
  /// Says what is missing because sources did not give it.
  fileprivate mutating func name(_ warnings: [SourceWarning]) {
    guard !warnings.isEmpty, problem == nil else { return }
    problem = Problem(.badGateway, "missing: " + warnings.map(\.text).joined(separator: "; "))
  }
}

extension EntityMap {
  /// A map of some of its entries.
  fileprivate func part(_ range: Range<Int>, of query: EntityQuery) -> EntityMap {
    EntityMap(of: subject, Array(entries[range]), selectedBy: query, time: time, splits: splits, links: links)
  }
}
