import Hub
import NGSI
import Store

/// A batch of entities that may concern sources (clauses 5.6.7 to 5.6.10 and 5.6.20).
public struct SourceBatch: Sendable {
  public struct Item: Sendable {
    public var id: String
    /// Expanded, as far as they are known.
    public var types: [String]?
    /// Expanded names; `nil` for the entity as a whole (a deletion).
    public var attributes: Set<String>?
    /// As the client sent it.
    public var body: JSON
    public var context: Context

    public init(id: String, types: [String]?, attributes: Set<String>?, body: JSON, context: Context) {
      self.id = id
      self.types = types
      self.attributes = attributes
      self.body = body
      self.context = context
    }
  }

  public enum Kind: Sendable, Hashable {
    case create
    case upsert(updates: Bool)
    case update(overwrites: Bool)
    case merge
    case delete
  }

  public var kind: Kind
  public var items: [Item]

  public init(_ kind: Kind, _ items: [Item]) {
    self.kind = kind
    self.items = items
  }
}

/// What became of a batch, entity by entity.
public struct FederatedBatchResult: Sendable {
  public struct Failure: Sendable {
    public var id: String
    public var problem: Problem
    public var registration: String?
  }

  public var created: [String] = []
  public var updated: [String] = []
  public var failures: [Failure] = []
}

extension Federation {
  /// Carries out a batch at all sources that it concerns and at the hub.
  ///
  /// - Parameter local: does the hub's part: positions of items, with the names of each that are the hub's (`nil` for
  ///   the entity as a whole).
  public func batch(
    _ batch: SourceBatch, _ origin: RequestOrigin,
    local: @escaping @Sendable ([(index: Int, attributes: Set<String>?)]) async throws(Problem) -> BatchResult
  ) async throws(Problem) -> FederatedBatchResult {
    var shares: [String: Share] = [:]
    var order: [String] = []
    var rest: [(index: Int, attributes: Set<String>?)] = []
    for (index, item) in batch.items.enumerated() {
      let types = knownTypes(of: item.id, item.types, origin.tenant)
      var query = SourceQuery(entity: item.id, types: types)
      query.attributes = item.attributes ?? []
      let (matches, loops) = try sources(query, origin)
      let plan = WritePlan(
        matches.filter { $0.registration.mode != .auxiliary }, .createEntity, id: item.id, types: types,
        item.attributes)
      if loops, let step = plan.steps.first { throw SourceFailure.loop.problem(at: step.registration.id) }
      // Whether a source offers the operation is looked at below: batches have their own.
      for match in matches where match.registration.mode == .inclusive && plan.staysLocal {
        let names = match.names(of: item.id, types: types) ?? []
        let part = plan.local.map { names.isEmpty ? $0 : $0.intersection(names) }
        guard part.map({ !$0.isEmpty }) ?? true else { continue }
        shares[match.registration.id, default: Share(match.registration, &order)].items.append((index, part))
      }
      for step in plan.steps where step.registration.mode.isProxied {
        shares[step.registration.id, default: Share(step.registration, &order)].items.append((index, step.attributes))
      }
      if plan.staysLocal { rest.append((index, plan.local)) }
    }
    let work = order.compactMap { shares[$0] }
    let results = await withTaskGroup(of: (Int, ShareResult).self) { group in
      for (position, share) in work.enumerated() {
        group.addTask { (position, await carryOut(share, batch, origin)) }
      }
      var results = [ShareResult](repeating: ShareResult(), count: work.count)
      for await (position, result) in group { results[position] = result }
      return results
    }
    return combined(batch, zip(work, results).map { ($0, $1) }, rest.isEmpty ? nil : try await local(rest))
  }

  /// An entity counts as done when someone did it; that it is not to be found elsewhere is then no failure.
  private func combined(_ batch: SourceBatch, _ results: [(Share, ShareResult)], _ local: BatchResult?)
    -> FederatedBatchResult
  {
    var result = FederatedBatchResult()
    var failures: [FederatedBatchResult.Failure] = []
    var created: Set<String> = []
    var updated: Set<String> = []
    for (share, part) in results {
      created.formUnion(part.created)
      updated.formUnion(part.updated)
      for (id, problem) in part.failures {
        failures.append(.init(id: id, problem: problem, registration: share.registration.id))
      }
    }
    if let local {
      created.formUnion(local.created)
      updated.formUnion(local.updated)
      for (id, problem) in local.errors { failures.append(.init(id: id, problem: problem, registration: nil)) }
    }
    // What a source holds alone and could not change is nowhere.
    let alone = Set(results.lazy.map(\.0.registration).filter(\.mode.isProxied).map(\.id))
    result.failures = failures.filter { failure in
      guard batch.kind != .create, failure.problem.kind == .resourceNotFound else { return true }
      if batch.kind != .delete, let registration = failure.registration, alone.contains(registration) { return true }
      return !created.contains(failure.id) && !updated.contains(failure.id)
    }
    let failed = Set(result.failures.map(\.id))
    for item in batch.items where !failed.contains(item.id) {
      if created.contains(item.id) {
        if !result.created.contains(item.id) { result.created.append(item.id) }
      } else if updated.contains(item.id), !result.updated.contains(item.id) {
        result.updated.append(item.id)
      }
    }
    return result
  }

  private func carryOut(_ share: Share, _ batch: SourceBatch, _ origin: RequestOrigin) async -> ShareResult {
    let registration = share.registration
    if registration.offers(batch.kind.operation) { return await together(share, batch, origin) }
    let singles = batch.kind.singles.filter(registration.offers)
    var result = ShareResult()
    guard !singles.isEmpty else {
      guard registration.mode.isProxied else { return result }
      for (index, _) in share.items {
        let item = batch.items[index]
        result.failures.append(
          (item.id, Problem(.conflict, "the source of \(registration.id) does not offer what this asks of it")))
      }
      return result
    }
    for (index, names) in share.items {
      let item = batch.items[index]
      var problem: Problem?
      for single in singles {
        problem = await alone(item, names, single, registration, batch.kind, origin)
        // An upsert first tries to create; what is there already is then written over.
        guard case .upsert = batch.kind, single == .createEntity, problem?.kind == .alreadyExists else { break }
      }
      if let problem {
        result.failures.append((item.id, problem))
      } else if batch.kind == .create {
        result.created.append(item.id)
      } else {
        result.updated.append(item.id)
      }
    }
    return result
  }

  /// One request for all entities of a source.
  private func together(_ share: Share, _ batch: SourceBatch, _ origin: RequestOrigin) async -> ShareResult {
    let registration = share.registration
    var result = ShareResult()
    // Entities with contexts of their own are asked for apart.
    var groups: [(context: Context, items: [(index: Int, attributes: Set<String>?)])] = []
    for item in share.items {
      let context = batch.items[item.index].context
      if let place = groups.firstIndex(where: { $0.context === context }) {
        groups[place].items.append(item)
      } else {
        groups.append((context, [item]))
      }
    }
    for group in groups {
      let wording = await wording(for: registration, group.context)
      var request = SourceRequest(
        method: .post, path: ["entityOperations", batch.kind.name], parameters: batch.kind.parameters,
        context: wording.source)
      request.namesAreIRIs = wording.usesIRIs
      request.body = .array(
        group.items.map { index, names in
          let item = batch.items[index]
          if batch.kind == .delete { return .string(item.id) }
          return wording.entity(names.map { item.body.keeping($0, item.context) } ?? item.body)
        })
      let ids = group.items.map { batch.items[$0.index].id }
      switch await call(call(for: request, to: registration, origin), registration) {
      case .failure(let failure):
        // Of one refusal for all nobody can say more than that.
        let problem =
          if case .refused(400, let why) = failure { Problem.badRequest("the source refused: \(why)") } else {
            failure.problem(at: registration.id)
          }
        result.failures += ids.map { ($0, problem) }
      case .success(let answer): result.take(answer, ids, batch.kind)
      }
    }
    return result
  }

  /// The same for one entity, by an operation on single entities.
  private func alone(
    _ item: SourceBatch.Item, _ names: Set<String>?, _ operation: OperationName, _ registration: Registration,
    _ kind: SourceBatch.Kind, _ origin: RequestOrigin
  ) async -> Problem? {
    let (method, path): (SourceCall.Method, [String]) =
      switch operation {
      case .createEntity: (.post, ["entities"])
      case .replaceEntity: (.put, ["entities", item.id])
      case .mergeEntity: (.patch, ["entities", item.id])
      case .appendAttrs: (.post, ["entities", item.id, "attrs"])
      case .deleteEntity: (.delete, ["entities", item.id])
      default: (.patch, ["entities", item.id, "attrs"])
      }
    let write = SourceWrite(
      operation, id: item.id, types: item.types, attributes: item.attributes, method: method, path: path,
      parameters: operation == .appendAttrs && kind == .update(overwrites: false) ? [("options", "noOverwrite")] : [],
      body: kind == .delete ? nil : item.body, context: item.context)
    let wording = await wording(for: registration, item.context)
    switch await call(call(for: write.request(names, wording), to: registration, origin), registration) {
    case .success: return nil
    case .failure(.refused(409, let why)): return Problem(.alreadyExists, "the source refused: \(why)")
    case .failure(let failure): return failure.problem(at: registration.id)
    }
  }
}

/// What of a batch goes to one source.
private struct Share: Sendable {
  var registration: Registration
  var items: [(index: Int, attributes: Set<String>?)] = []

  init(_ registration: Registration, _ order: inout [String]) {
    self.registration = registration
    order.append(registration.id)
  }
}

private struct ShareResult: Sendable {
  var created: [String] = []
  var updated: [String] = []
  var failures: [(id: String, problem: Problem)] = []

  /// Reads an answer to a batch: 201 with the ids created, 204, or 207 with a BatchOperationResult (clause 5.2.16).
  mutating func take(_ answer: SourceAnswer, _ ids: [String], _ kind: SourceBatch.Kind) {
    let json = (try? JSONParser.parse(answer.body)) ?? .null
    if answer.status == 207 {
      let done = Set(json["success"]?.items.compactMap(\.string) ?? [])
      if kind == .create { created += ids.filter(done.contains) } else { updated += ids.filter(done.contains) }
      for entry in json["errors"]?.items ?? [] {
        guard let id = entry["entityId"]?.string, ids.contains(id) else { continue }
        let detail = entry["error"]?["detail"]?.string ?? entry["error"]?["title"]?.string ?? "no reason was given"
        let isMissing = entry["error"]?["status"]?.integer == 404
        failures.append(
          (id, Problem(isMissing ? .resourceNotFound : .badGateway, "the source refused: \(detail.prefix(200))")))
      }
      let told = Set(failures.map(\.id))
      failures += ids.filter { !done.contains($0) && !told.contains($0) }.map {
        ($0, Problem(.badGateway, "the source did not say what became of it"))
      }
    } else if answer.status == 201 {
      let listed = Set(json.array?.compactMap(\.string) ?? ids)
      created += ids.filter(listed.contains)
      updated += ids.filter { !listed.contains($0) }
    } else if kind == .create {
      created += ids
    } else {
      updated += ids
    }
  }
}

extension SourceBatch.Kind {
  var operation: OperationName {
    switch self {
    case .create: .createBatch
    case .upsert: .upsertBatch
    case .update: .updateBatch
    case .merge: .mergeBatch
    case .delete: .deleteBatch
    }
  }

  /// Last segment of the path.
  fileprivate var name: String {
    switch self {
    case .create: "create"
    case .upsert: "upsert"
    case .update: "update"
    case .merge: "merge"
    case .delete: "delete"
    }
  }

  fileprivate var parameters: [(name: String, value: String)] {
    switch self {
    case .upsert(updates: true): [("options", "update")]
    case .update(overwrites: false): [("options", "noOverwrite")]
    default: []
    }
  }

  /// Operations on single entities that do the same, in the order in which they are tried (clauses 5.6.7.4 to 5.6.10.4).
  fileprivate var singles: [OperationName] {
    switch self {
    case .create: [.createEntity]
    case .upsert(updates: true): [.createEntity, .updateEntity]
    case .upsert(updates: false): [.createEntity, .replaceEntity]
    case .update(overwrites: true): [.updateEntity]
    case .update(overwrites: false): [.appendAttrs]
    case .merge: [.mergeEntity]
    case .delete: [.deleteEntity]
    }
  }
}
