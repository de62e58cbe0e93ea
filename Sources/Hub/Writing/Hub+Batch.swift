import NGSI
import Query
import Store

public enum BatchOperation: Sendable, Hashable {
  case create
  case upsertReplace
  case upsertUpdate
  case update
  /// Update that leaves existing attributes alone (`noOverwrite`).
  case updateKeeping
  case merge
}

/// One entity of a batch, or why it could not be read.
public struct BatchItem: Sendable {
  public var id: String
  public var content: Result<EntityFragment, Problem>

  public init(id: String, content: Result<EntityFragment, Problem>) {
    self.id = id
    self.content = content
  }
}

extension BatchItem {
  /// The item, or why a geometry in it is refused.
  fileprivate var sound: BatchItem {
    BatchItem(
      id: id,
      content: content.flatMap { fragment in
        do throws(Problem) { try fragment.requireSoundGeometries() } catch { return .failure(error) }
        return .success(fragment)
      })
  }
}

/// What became of each entity of a batch, in order.
public struct BatchResult: Sendable {
  public var created: [String] = []
  public var updated: [String] = []
  public var errors: [(id: String, problem: Problem)] = []

  public init() {}
}

extension Hub {
  /// Entities of a batch that are committed together; more are cut so that others get their turn.
  static let batchStep = 512

  /// Batch operations (clauses 5.6.7 to 5.6.9 and 5.6.20). Items are carried out in order; one that fails harms no
  /// other, and one entity may stand several times: each time it is one change with its own place in the history.
  public func batch(_ operation: BatchOperation, _ items: [BatchItem], in tenant: Tenant) async throws(Problem)
    -> BatchResult
  {
    var result = BatchResult()
    let notes = WriteNotes.current
    let writing = try writing(in: tenant)
    var start = 0
    while start < items.count {
      let step = await Self.sound(items[start..<min(start + Self.batchStep, items.count)])
      start += step.count
      let at = now()
      let part = try await carryOut(after: result, step.map(\.id)) { writer in
        // Where it is asked who may, a tenant is made by who may write in it.
        if self.rules == nil || tenant.isSpace { try self.requireRoom(for: tenant, writer) }
        var part = BatchResult()
        var updates: [EntityUpdate] = []
        var latest: [String: Entity?] = [:]
        for item in step {
          do {
            let fragment = try item.content.get()
            let known = latest[item.id]
            let entity = try known ?? writer.entity(item.id, in: tenant)
            if let entity, operation != .create {
              try self.permitTouching(entity, attributes: fragment.names, by: writing)
            } else if entity != nil {
              try self.permit(fragment.creation(at: at), by: writing)
            }
            guard let update = try operation.apply(fragment, to: entity, at: at) else { continue }
            try self.judge(update, in: tenant, by: writing, notes)
            updates.append(update)
            latest[item.id] = .some(update.entity)
            if let refusal = update.refusal {
              part.errors.append((item.id, refusal))
            } else if entity == nil {
              part.created.append(item.id)
            } else {
              part.updated.append(item.id)
            }
          } catch let problem as Problem {
            part.errors.append((item.id, problem))
          }
        }
        if !updates.isEmpty { try self.requireRoom(for: tenant, writer) }
        try self.commit(updates, in: tenant, at: at, by: writing, writer)
        return part
      }
      result.created += part.created
      result.updated += part.updated
      result.errors += part.errors
    }
    return result
  }

  /// Looks at the geometries of a step. What takes long lets others have their turn before the next.
  private static func sound(_ items: ArraySlice<BatchItem>) async -> [BatchItem] {
    var sound: [BatchItem] = []
    sound.reserveCapacity(items.count)
    for item in items {
      let began = ContinuousClock.now
      sound.append(item.sound)
      if began.duration(to: .now) > .milliseconds(5) { await Task.yield() }
    }
    return sound
  }

  /// Writes one step. When it fails and steps before it are stored, that is told entity by entity.
  private func carryOut(
    after done: BatchResult, _ ids: [String], _ body: @escaping @Sendable (any StoreWriter) throws -> BatchResult
  ) async throws(Problem) -> BatchResult {
    do { return try await write(body) } catch {
      guard !(done.created.isEmpty && done.updated.isEmpty) else { throw error }
      var failed = BatchResult()
      failed.errors = ids.map { ($0, error) }
      return failed
    }
  }

  /// Batch Entity Delete (clause 5.6.10).
  public func batchDelete(_ ids: [String], in tenant: Tenant) async throws(Problem) -> BatchResult {
    var result = BatchResult()
    let writing = try writing(in: tenant)
    var start = 0
    while start < ids.count {
      let step = Array(ids[start..<min(start + Self.batchStep, ids.count)])
      start += step.count
      let at = now()
      let part = try await carryOut(after: result, step) { writer in
        try self.requireTenant(tenant, writer)
        var part = BatchResult()
        var updates: [EntityUpdate] = []
        var gone: Set<String> = []
        for id in step {
          guard !gone.contains(id), let entity = try writer.entity(id, in: tenant) else {
            part.errors.append((id, .notFound("there is no entity \(id.prefix(200))")))
            continue
          }
          let update = entity.deletion(at: at)
          do throws(Problem) { try self.permit(update, by: writing) } catch {
            part.errors.append((id, error))
            continue
          }
          gone.insert(id)
          updates.append(update)
          part.updated.append(id)
        }
        try self.commit(updates, in: tenant, at: at, by: writing, writer)
        return part
      }
      result.updated += part.updated
      result.errors += part.errors
    }
    return result
  }

  /// Purge Entities (clause 5.6.21): deletes what the query selects, or only some attributes of it.
  ///
  /// - Parameters:
  ///   - keep: expanded names of the attributes that stay; all others go.
  ///   - drop: expanded names of the attributes that go.
  public func purge(_ query: EntityQuery, keep: [String], drop: [String], in tenant: Tenant) async throws(Problem)
    -> BatchResult
  {
    var result = BatchResult()
    let notes = WriteNotes.current
    let writing = try writing(in: tenant)
    let query = try seen(query, in: tenant)
    var offset = 0
    while true {
      let at = now()
      let page = Page(limit: Self.batchStep, offset: offset)
      let (part, more, left) = try await write { writer -> (BatchResult, Bool, Int) in
        try self.requireTenant(tenant, writer)
        let found = try writer.entities(query, in: tenant, page: page, countsTotal: false)
        var part = BatchResult()
        var updates: [EntityUpdate] = []
        var kept = 0
        for seen in found.entities {
          // What is hidden of it goes too, or stays where that is not permitted.
          guard let entity = query.visibility == nil ? seen : try writer.entity(seen.id, in: tenant) else { continue }
          let update: EntityUpdate
          if keep.isEmpty && drop.isEmpty {
            update = entity.deletion(at: at)
          } else {
            update = entity.deletingAttributes(
              where: { keep.isEmpty ? drop.contains($0) : !keep.contains($0) }, at: at)
          }
          do throws(Problem) { try self.judge(update, in: tenant, by: writing, notes) } catch {
            part.errors.append((entity.id, error))
            kept += 1
            continue
          }
          updates.append(update)
          part.updated.append(entity.id)
        }
        try self.commit(updates, in: tenant, at: at, by: writing, writer)
        return (part, found.hasMore, kept + updates.count { $0.entity.deletedAt == nil })
      }
      result.updated += part.updated
      result.errors += part.errors
      // Entities that stay are passed over in the next step.
      offset += left
      guard more else { return result }
    }
  }
}

extension BatchOperation {
  /// The operation on one entity; `nil` entity where there is none yet.
  fileprivate func apply(_ fragment: EntityFragment, to entity: Entity?, at: DateTime) throws(Problem) -> EntityUpdate?
  {
    guard let id = fragment.id else { throw .badRequest("the entity has no 'id'") }
    switch (self, entity) {
    case (.create, nil), (.upsertReplace, nil), (.upsertUpdate, nil): return try fragment.creation(at: at)
    case (.create, _?): throw Problem(.alreadyExists, "there is an entity \(id) already")
    case (.upsertReplace, let entity?): return try entity.replaced(by: fragment, at: at)
    case (.upsertUpdate, let entity?): return try entity.appendingAttributes(fragment, at: at)
    case (.update, let entity?): return try entity.updatingAttributes(fragment, addsScopes: true, at: at)
    case (.updateKeeping, let entity?): return try entity.appendingAttributes(fragment, overwrite: false, at: at)
    case (.merge, let entity?): return try entity.merging(fragment, at: at)
    case (.update, nil), (.updateKeeping, nil), (.merge, nil): throw .notFound("there is no entity \(id)")
    }
  }
}
