import NGSI
import Query
import Store

/// Which attributes an update wrote and which it left alone (clause 5.2.18).
public struct UpdateOutcome: Sendable {
  /// Expanded names.
  public var updated: [String]
  public var notUpdated: [NotUpdated]
}

extension Hub {
  /// Create Entity (clause 5.6.1).
  ///
  /// - Throws: `AlreadyExists`.
  public func create(_ fragment: EntityFragment, in tenant: Tenant) async throws(Problem) {
    let at = now()
    try fragment.requireSoundGeometries()
    let update = try fragment.creation(at: at)
    guard update.entity.expiresAt.map({ $0 > at }) ?? true else { throw .badRequest("'expiresAt' lies in the past") }
    let notes = WriteNotes.current
    let writing = try writing(in: tenant)
    try await write { writer in
      try self.requireRoom(for: tenant, writer)
      // Asked first: who may make nothing does not hear what there is.
      try self.permit(update, by: writing)
      guard try writer.entity(update.entity.id, in: tenant) == nil else {
        throw Problem(.alreadyExists, "there is an entity \(update.entity.id) already")
      }
      try self.judge(update, in: tenant, by: writing, notes)
      try self.commit([update], in: tenant, at: at, by: writing, writer)
    }
  }

  /// Replace Entity (clause 5.6.18).
  public func replace(_ id: String, with fragment: EntityFragment, types: TypeSelection?, in tenant: Tenant)
    async throws(Problem)
  {
    try fragment.requireSoundGeometries()
    _ = try await change(id, fragment.names, types: types, in: tenant) { entity, at throws(Problem) in
      try entity.replaced(by: fragment, at: at)
    }
  }

  /// Merge Entity (clause 5.6.17), all of it or nothing.
  ///
  /// - Throws: `BadRequestData` when an attribute cannot be merged.
  public func merge(
    _ id: String, with fragment: EntityFragment, options: MergeOptions, types: TypeSelection?, in tenant: Tenant
  ) async throws(Problem) {
    try fragment.requireSoundGeometries()
    _ = try await change(id, fragment.names, types: types, in: tenant) { entity, at throws(Problem) in
      let update = try entity.merging(fragment, options, at: at)
      if let refusal = update.refusal { throw refusal }
      return update
    }
  }

  /// Delete Entity (clause 5.6.6).
  public func delete(_ id: String, types: TypeSelection?, in tenant: Tenant) async throws(Problem) {
    let at = now()
    let writing = try writing(in: tenant)
    try await write { writer in
      let update = try self.existing(id, types: types, in: tenant, writer).deletion(at: at)
      try self.permit(update, by: writing)
      try self.commit([update], in: tenant, at: at, by: writing, writer)
    }
  }

  /// Append Attributes (clause 5.6.3).
  public func append(
    _ id: String, _ fragment: EntityFragment, overwrites: Bool, types: TypeSelection?, in tenant: Tenant
  )
    async throws(Problem) -> UpdateOutcome
  {
    try fragment.requireSoundGeometries()
    return try await change(id, fragment.names, types: types, in: tenant) { entity, at throws(Problem) in
      try entity.appendingAttributes(fragment, overwrite: overwrites, at: at)
    }
  }

  /// Update Attributes (clause 5.6.2).
  public func update(_ id: String, _ fragment: EntityFragment, types: TypeSelection?, in tenant: Tenant)
    async throws(Problem) -> UpdateOutcome
  {
    try fragment.requireSoundGeometries()
    return try await change(id, fragment.names, types: types, in: tenant) { entity, at throws(Problem) in
      try entity.updatingAttributes(fragment, at: at)
    }
  }

  /// Partial Attribute Update (clause 5.6.4).
  public func updateAttribute(
    _ id: String, _ name: String, _ fragment: AttributeFragment, types: TypeSelection?, in tenant: Tenant
  ) async throws(Problem) {
    try fragment.requireSoundGeometries(named: name)
    _ = try await change(id, [name], types: types, in: tenant) { entity, at throws(Problem) in
      try entity.partiallyUpdatingAttribute(name, fragment, at: at)
    }
  }

  /// Replace Attribute (clause 5.6.19).
  public func replaceAttribute(
    _ id: String, _ name: String, _ fragment: AttributeFragment, types: TypeSelection?, in tenant: Tenant
  ) async throws(Problem) {
    try fragment.requireSoundGeometries(named: name)
    _ = try await change(id, [name], types: types, in: tenant) { entity, at throws(Problem) in
      try entity.replacingAttribute(name, fragment, at: at)
    }
  }

  /// Delete Attribute (clause 5.6.5). Of an entity that is known by its history only, the history is ended: it gets the
  /// mark of the deletion, as if the entity had had the attribute until now.
  public func deleteAttribute(
    _ id: String, _ name: String, _ selection: Entity.InstanceSelection, types: TypeSelection?, in tenant: Tenant
  ) async throws(Problem) {
    let at = now()
    let notes = WriteNotes.current
    let writing = try writing(in: tenant)
    try await write { writer in
      if types == nil, try writer.entity(id, in: tenant) == nil,
        try self.endHistory(of: id, attribute: name, selection, at: at, in: tenant, by: writing, writer)
      {
        return
      }
      let entity = try self.existing(id, types: types, in: tenant, writer)
      try self.permitTouching(entity, attributes: [name], by: writing)
      let update = try entity.deletingAttribute(name, selection, at: at)
      try self.judge(update, in: tenant, by: writing, notes)
      try self.commit([update], in: tenant, at: at, by: writing, writer)
    }
  }

  /// Reads the entity, applies the operation and commits the outcome, in one transaction.
  ///
  /// - Parameter attributes: expanded names of those that the operation names.
  private func change(
    _ id: String, _ attributes: [String], types: TypeSelection?, in tenant: Tenant,
    _ operation: @escaping @Sendable (Entity, DateTime) throws(Problem) -> EntityUpdate
  ) async throws(Problem) -> UpdateOutcome {
    let at = now()
    let notes = WriteNotes.current
    let writing = try writing(in: tenant)
    return try await write { writer in
      let entity = try self.existing(id, types: types, in: tenant, writer)
      try self.permitTouching(entity, attributes: attributes, by: writing)
      let update = try operation(entity, at)
      try self.judge(update, in: tenant, by: writing, notes)
      try self.commit([update], in: tenant, at: at, by: writing, writer)
      return UpdateOutcome(updated: update.updated, notUpdated: update.notUpdated)
    }
  }

  /// - Throws: `ResourceNotFound`.
  func existing(_ id: String, types: TypeSelection?, in tenant: Tenant, _ reader: any StoreReader) throws -> Entity {
    try requireTenant(tenant, reader)
    guard let entity = try reader.entity(id, in: tenant), types?.matches(entity.types) ?? true else {
      throw Problem.notFound("there is no entity \(id)")
    }
    return entity
  }

  /// Makes the tenant known, within the bound.
  func requireRoom(for tenant: Tenant, _ writer: any StoreWriter) throws {
    guard tenant != .default else { return }
    if tenant.isSpace { return try requireSnapshot(in: tenant) }
    let tenants = try writer.tenants().filter { !$0.isSpace }
    guard !tenants.contains(tenant) else { return }
    guard tenants.count < limits.tenants else {
      throw Problem(.tooManyResults, "this hub may have at most \(limits.tenants) tenants")
    }
    try writer.makeTenant(tenant)
  }
}

// MARK: - Commit

extension Hub {
  /// Stores updates with their history and notifications; every write of entities ends here.
  func commit(
    _ updates: [EntityUpdate], in tenant: Tenant, at: DateTime, by writing: Writing, _ writer: any StoreWriter
  ) throws {
    try recordWrites(updates, by: writing, writer)
    var history: [HistoryEntry] = []
    var types: [String: [String]] = [:]
    var changes: [EntityChange] = []
    changes.reserveCapacity(updates.count)
    // An entity that is written several times is stored once, as it is at the end; its history keeps every step.
    var last = [String: Int](minimumCapacity: updates.count)
    for (index, update) in updates.enumerated() { last[update.entity.id] = index }
    var before: [String: Entity?] = [:]
    if last.count < updates.count {
      for update in updates where before[update.entity.id] == nil { before[update.entity.id] = .some(update.before) }
    }
    for (index, update) in updates.enumerated() {
      let entity = update.entity
      let isDeletion = entity.deletedAt != nil
      if last[entity.id] == index {
        let stored = before[entity.id] ?? update.before
        if isDeletion {
          if let stored { try writer.delete(stored, in: tenant) }
        } else if stored != entity {
          try writer.put(entity, replacing: stored, in: tenant)
        }
      }
      guard isDeletion || update.before != entity else { continue }
      if update.before == nil || !update.addedTypes.isEmpty || !update.removedTypes.isEmpty {
        types[entity.id] = entity.types
      }
      for change in update.changes { history.append(change.historyEntry(of: entity.id, at: at)) }
      if let entry = update.scopeEntry(at: at) { history.append(entry) }
      changes.append(
        EntityChange(
          tenant: tenant, entityId: entity.id, old: update.before, new: isDeletion ? nil : entity,
          attributes: update.changes, at: at))
    }
    guard !changes.isEmpty else { return }
    try writer.append(history, types: types, in: tenant)
    try endGrants(after: changes, writer)
    let items = try enqueueNotifications(for: changes, writer)
    let (stream, notifier, committed) = (self.changes, notifier, changes)
    writer.afterCommit {
      stream.publish(committed)
      if !items.isEmpty { notifier.accept(items) }
    }
  }

  /// Puts a notification into the outbox for each subscription that a change triggers.
  private func enqueueNotifications(for changes: [EntityChange], _ writer: any StoreWriter) throws -> [OutboxItem] {
    guard let tenant = changes.first?.tenant, !book.isEmpty(in: tenant) else { return [] }
    let mayLieInParts = !registry.isEmpty(in: tenant)
    var items: [OutboxItem] = []
    for change in changes {
      var payloads: [Bool: [UInt8]] = [:]
      let subject = change.new ?? change.old
      for subscription in book.candidates(types: subject?.types ?? [], in: tenant)
      where subscription.rule.timeInterval == nil && subscription.status(at: change.at) == "active" {
        let linked: (String) -> Entity? = { id in (try? writer.entity(id, in: tenant)) ?? nil }
        let isPart =
          mayLieInParts && subscription.mayFederate && subscription.rule.splitsEntities == true
          && !subscription.rule.localOnly
        let visibility = subscription.visibility
        let notes = visibility.map { _ in AccessNotes() }
        let told: EntityChange? = AccessNotes.$current.withValue(notes) {
          guard let seen = change.seen(by: visibility) else { return nil }
          let isWanted = subscription.isTriggered(by: seen, asPart: isPart) { linked($0).flatMap(subscription.seen) }
          if isWanted, let entity = seen.new ?? seen.old, let visibility, !visibility.isGiven(entity) { return nil }
          return isWanted ? seen : nil
        }
        let whole = told?.new == nil ? change.old : change.new
        guard let change = told else { continue }
        if let notes, let rules { try rules.record(notes.take(), writer) }
        let showsChanges = subscription.rule.notification.showChanges
        let shared = visibility == nil ? payloads[showsChanges] : nil
        var payload = shared ?? Notification.payload(change, showsChanges: showsChanges)
        if visibility == nil { payloads[showsChanges] = payload }
        if isPart { payload = Notification.parts(payload, from: nil) }
        if visibility != nil, let whole {
          payload = Notification.judged(payload, by: [whole], changed: change.changedNames)
        }
        items.append(
          OutboxItem(tenant: tenant, subscriptionId: subscription.key, payload: payload, dueAt: change.at))
      }
    }
    try enqueue(&items, writer)
    return items
  }

  /// Puts notifications into the outbox and gives them their place in it.
  ///
  /// - Throws: when more would wait than may.
  func enqueue(_ items: inout [OutboxItem], _ writer: any StoreWriter) throws {
    guard !items.isEmpty else { return }
    guard notifier.waiting + items.count <= limits.outboxItems else {
      throw Problem(
        .unavailable, "more than \(limits.outboxItems) notifications wait; the hub takes no change that adds to them")
    }
    for (index, sequence) in try writer.enqueue(items).enumerated() { items[index].sequence = sequence }
  }
}

extension EntityFragment {
  /// Expanded names of the attributes that it is about.
  var names: [String] { attributes.map(\.name) }
}

extension AttributeChange {
  /// What the history keeps: the new instance, or the mark of a deletion (clause 4.5.6).
  func historyEntry(of id: String, at: DateTime) -> HistoryEntry {
    HistoryEntry(entityId: id, attribute: name, instance: new ?? Attribute(markingDeletionOf: old, at: at))
  }
}

extension EntityUpdate {
  /// What the history keeps of a change of scopes (clauses 4.5.6 and 4.18).
  fileprivate func scopeEntry(at: DateTime) -> HistoryEntry? {
    let isGone = entity.deletedAt != nil || entity.scopes.isEmpty
    guard entity.deletedAt != nil ? !entity.scopes.isEmpty : scopesChanged else { return nil }
    guard !isGone else {
      return HistoryEntry(
        entityId: entity.id, attribute: Core.scope, instance: Attribute(markingDeletionOf: nil, at: at))
    }
    var instance = Attribute(kind: .property, value: .scopes(entity.scopes), observedAt: at)
    instance.createdAt = at
    instance.modifiedAt = at
    return HistoryEntry(entityId: entity.id, attribute: Core.scope, instance: instance)
  }
}

extension Attribute {
  /// The instance that tells in a history that an attribute was deleted (clauses 4.5.7 and 4.5.8).
  init(markingDeletionOf old: Attribute?, at: DateTime) {
    let kind = old?.kind ?? .property
    let null = JSON.string(Core.null)
    self.init(kind: kind, value: kind == .languageProperty ? ["@none": null] : null, datasetId: old?.datasetId)
    createdAt = old?.createdAt
    modifiedAt = at
    deletedAt = at
  }
}

extension EntityUpdate {
  /// Why something that was asked for was not done.
  var refusal: Problem? {
    guard !notUpdated.isEmpty else { return nil }
    return .badRequest(
      "not updated: " + notUpdated.prefix(20).map { "\($0.name) (\($0.reason))" }.joined(separator: ", "))
  }
}
