// The write operations of ETSI GS CIM 009 clause 5.6 as pure functions: an entity and a fragment in, the new entity
// and its changes out. Storing, forwarding and notifying are the hub's.

extension EntityFragment {
  /// Create Entity (clause 5.6.1).
  ///
  /// - Throws: ``Problem`` when id, type or the value of an attribute is missing.
  public func creation(at now: DateTime) throws(Problem) -> EntityUpdate {
    EntityUpdate(creating: try entity(), at: now)
  }
}

extension EntityUpdate {
  /// The update that brings an entity that there was not.
  public init(creating whole: Entity, at now: DateTime) {
    var entity = whole
    entity.createdAt = now
    entity.modifiedAt = now
    entity.deletedAt = nil
    var changes: [AttributeChange] = []
    changes.reserveCapacity(entity.attributes.count)
    for position in entity.attributes.indices {
      for place in entity.attributes[position].instances.indices {
        let stamped = entity.attributes[position].instances[place].stamped(over: nil, at: now)
        entity.attributes[position].instances[place] = stamped
        changes.append(AttributeChange(created: stamped, name: entity.attributes[position].name))
      }
    }
    self.init(before: nil, entity: entity, changes: changes, addedTypes: entity.types)
    scopesChanged = !entity.scopes.isEmpty
    expiresAtChanged = entity.expiresAt != nil
    updated = entity.attributes.map(\.name)
  }
}

extension Entity {
  /// The update that makes it what another says: attribute instances that differ are written, those that the other lacks are
  /// deleted, what is the same is left alone with its times. Types, scopes and `expiresAt` stay.
  public func becoming(_ next: Entity, at now: DateTime) -> EntityUpdate {
    var editor = EntityEditor(self, at: now)
    let lookup = AttributeLookup(next.attributes)
    for (position, set) in attributes.enumerated() {
      let wanted = lookup.set(named: set.name, near: position)
      for instance in set.instances where wanted?.instance(datasetId: instance.datasetId) == nil {
        editor.delete(set.name, datasetId: instance.datasetId)
      }
    }
    for set in next.attributes {
      for instance in set.instances {
        let old = self[attribute: set.name]?.instance(datasetId: instance.datasetId)
        if old?.withoutTimes != instance.withoutTimes { editor.put(instance, name: set.name) }
      }
    }
    return editor.finish()
  }

  /// Delete Entity (clause 5.6.6): every instance is a deletion.
  public func deletion(at now: DateTime) -> EntityUpdate {
    var update = EntityUpdate(before: self, entity: self)
    update.entity.deletedAt = now
    for set in attributes {
      for instance in set.instances { update.changes.append(AttributeChange(deleted: instance, name: set.name)) }
    }
    return update
  }

  /// Update Attributes (clauses 5.6.2 and 5.5.8): each given instance is replaced, added, or deleted by NGSI-LD Null.
  ///
  /// A Null for an instance that is not there, and a scope for an entity that has none, are reported as not updated.
  /// - Parameter addsScopes: an entity that has no scope gets one, as by Append Attributes (clause 5.6.9.4).
  /// - Throws: ``Problem`` when an attribute has no value or the fragment is of another entity.
  public func updatingAttributes(_ fragment: EntityFragment, addsScopes: Bool = false, at now: DateTime)
    throws(Problem) -> EntityUpdate
  {
    try expectSameId(fragment)
    var editor = EntityEditor(self, at: now)
    for set in fragment.attributes {
      for instance in set.instances {
        if !instance.isDeletion {
          editor.put(try instance.attribute(named: set.name), name: set.name)
        } else if editor.instance(set.name, datasetId: instance.datasetId) != nil {
          editor.delete(set.name, datasetId: instance.datasetId)
        } else {
          editor.refuse(set.name, "there is no such attribute instance to delete")
        }
      }
    }
    editor.addTypes(fragment.types)
    switch fragment.scopes {
    case .unchanged: break
    // Clause 5.6.2.4 leaves them out; who sent them is told (clause 5.2.18).
    case .set where scopes.isEmpty && !addsScopes:
      editor.refuse(Core.scope, "the entity has no scope that could be replaced")
    case .removed where scopes.isEmpty: editor.refuse(Core.scope, "the entity has no scope to delete")
    case .removed: editor.setScopes([])
    case .set(let new): editor.setScopes(new)
    }
    editor.setExpiresAt(fragment.expiresAt)
    return editor.finish()
  }

  /// Append Attributes (clause 5.6.3): each given instance is added, or replaced where `overwrite` allows it.
  ///
  /// - Throws: ``Problem`` when an attribute has no value (NGSI-LD Null included) or the fragment is of another entity.
  public func appendingAttributes(_ fragment: EntityFragment, overwrite: Bool = true, at now: DateTime)
    throws(Problem) -> EntityUpdate
  {
    try expectSameId(fragment)
    var editor = EntityEditor(self, at: now)
    for set in fragment.attributes {
      for instance in set.instances {
        let attribute = try instance.attribute(named: set.name)
        if !overwrite, editor.instance(set.name, datasetId: instance.datasetId) != nil {
          editor.refuse(set.name, "it exists already and overwriting is not allowed")
        } else {
          editor.put(attribute, name: set.name)
        }
      }
    }
    editor.addTypes(fragment.types)
    applyScopes(fragment.scopes, overwrite: overwrite, to: &editor)
    if overwrite || expiresAt == nil { editor.setExpiresAt(fragment.expiresAt) }
    return editor.finish()
  }

  /// Partial Attribute Update (clauses 5.6.4 and 5.5.8): given members of one instance are overwritten, others stay.
  ///
  /// The instance is the one with the fragment's `datasetId`; NGSI-LD Null as its value deletes it.
  /// - Throws: ``Problem`` `ResourceNotFound` without such an instance, `BadRequestData` for an empty fragment or
  ///   another kind of attribute.
  public func partiallyUpdatingAttribute(_ name: String, _ fragment: AttributeFragment, at now: DateTime)
    throws(Problem) -> EntityUpdate
  {
    var editor = EntityEditor(self, at: now)
    let old = try existing(name, datasetId: fragment.datasetId)
    guard !fragment.isDeletion else {
      editor.delete(name, datasetId: fragment.datasetId)
      return editor.finish()
    }
    guard !fragment.isEmpty else { throw .badRequest("the fragment of the attribute \(name) is empty") }
    editor.put(try old.overwritten(by: fragment, named: name), name: name)
    return editor.finish()
  }

  /// Which instances of an attribute a deletion means (clause 5.6.5).
  public enum InstanceSelection: Sendable, Hashable {
    case defaultInstance
    case dataset(String)
    case all
  }

  /// Delete Attribute (clause 5.6.5). ``Core/scope`` as name takes the scopes away.
  ///
  /// - Throws: ``Problem`` `ResourceNotFound` when there is nothing to delete.
  public func deletingAttribute(_ name: String, _ selection: InstanceSelection = .defaultInstance, at now: DateTime)
    throws(Problem) -> EntityUpdate
  {
    var editor = EntityEditor(self, at: now)
    if name == Core.scope {
      guard !scopes.isEmpty else { throw .notFound("the entity \(id) has no scope") }
      editor.setScopes([])
      return editor.finish()
    }
    switch selection {
    case .all:
      let instances = editor.instances(name)
      guard !instances.isEmpty else { throw .notFound("the entity \(id) has no attribute \(name)") }
      for instance in instances { editor.delete(name, datasetId: instance.datasetId) }
    case .defaultInstance:
      _ = try existing(name, datasetId: nil)
      editor.delete(name, datasetId: nil)
    case .dataset(let datasetId):
      _ = try existing(name, datasetId: datasetId)
      editor.delete(name, datasetId: datasetId)
    }
    return editor.finish()
  }

  /// Takes away all instances of the attributes whose expanded name the condition names; part of Purge Entities
  /// (clause 5.6.21).
  public func deletingAttributes(where goes: (String) -> Bool, at now: DateTime) -> EntityUpdate {
    var editor = EntityEditor(self, at: now)
    for set in attributes where goes(set.name) {
      for instance in set.instances { editor.delete(set.name, datasetId: instance.datasetId) }
    }
    return editor.finish()
  }

  /// Replace Entity (clause 5.6.18): everything but id and `createdAt` is new. An instance that both have counts as
  /// updated, one that the fragment lacks as deleted.
  ///
  /// - Throws: ``Problem`` when the type or the value of an attribute is missing.
  public func replaced(by fragment: EntityFragment, at now: DateTime) throws(Problem) -> EntityUpdate {
    try expectSameId(fragment)
    var fragment = fragment
    fragment.id = id
    var update = EntityUpdate(before: self, entity: try fragment.entity())
    update.entity.createdAt = createdAt
    update.entity.modifiedAt = now
    update.entity.deletedAt = deletedAt
    let old = AttributeLookup(attributes)
    update.changes.reserveCapacity(update.entity.attributes.count)
    for position in update.entity.attributes.indices {
      let name = update.entity.attributes[position].name
      let oldSet = old.set(named: name, near: position)
      for place in update.entity.attributes[position].instances.indices {
        let datasetId = update.entity.attributes[position].instances[place].datasetId
        let previous = oldSet?.instance(datasetId: datasetId)
        update.entity.attributes[position].instances[place].stamp(over: previous, at: now)
        let stamped = update.entity.attributes[position].instances[place]
        update.changes.append(
          previous.map { AttributeChange(updated: $0, to: stamped, name: name) }
            ?? AttributeChange(created: stamped, name: name))
      }
      update.updated.append(name)
    }
    let new = AttributeLookup(update.entity.attributes)
    for (position, set) in attributes.enumerated() {
      let newSet = new.set(named: set.name, near: position)
      var isGone = false
      for instance in set.instances where newSet?.instance(datasetId: instance.datasetId) == nil {
        update.changes.append(AttributeChange(deleted: instance, name: set.name))
        isGone = true
      }
      if isGone, newSet == nil { update.updated.append(set.name) }
    }
    update.addedTypes = update.entity.types.filter { !types.contains($0) }
    update.removedTypes = types.filter { !update.entity.types.contains($0) }
    if scopes != update.entity.scopes {
      update.scopesChanged = true
      update.updated.append(Core.scope)
    }
    update.expiresAtChanged = expiresAt != update.entity.expiresAt
    return update
  }

  /// Replace Attribute (clause 5.6.19): one instance is wholly replaced.
  ///
  /// - Throws: ``Problem`` `ResourceNotFound` without such an instance, `BadRequestData` without a value.
  public func replacingAttribute(_ name: String, _ fragment: AttributeFragment, at now: DateTime)
    throws(Problem) -> EntityUpdate
  {
    let attribute = try fragment.attribute(named: name)
    _ = try existing(name, datasetId: fragment.datasetId)
    var editor = EntityEditor(self, at: now)
    editor.put(attribute, name: name)
    return editor.finish()
  }
}

// MARK: - Shared by the operations

extension Entity {
  func expectSameId(_ fragment: EntityFragment) throws(Problem) {
    guard let other = fragment.id, other != id else { return }
    throw .badRequest("the fragment has the id \(other), the entity is \(id)")
  }

  private func existing(_ name: String, datasetId: String?) throws(Problem) -> Attribute {
    if name == Core.scope { throw .badRequest("'scope' is not an attribute that this operation takes") }
    if let instance = self[attribute: name]?.instance(datasetId: datasetId) { return instance }
    throw .notFound(
      "the entity \(id) has no attribute \(name) \(datasetId.map { "with datasetId \($0)" } ?? "without datasetId")")
  }

  /// Clauses 5.6.3 and 5.6.17: overwriting replaces the scopes, otherwise new ones are added.
  func applyScopes(_ change: Change<[String]>, overwrite: Bool, to editor: inout EntityEditor) {
    switch change {
    case .unchanged: break
    case .removed: if !scopes.isEmpty { editor.setScopes([]) }
    case .set(let new) where overwrite: editor.setScopes(new)
    case .set(let new):
      let added = new.filter { !scopes.contains($0) }
      if !added.isEmpty { editor.setScopes(scopes + added) }
    }
  }
}
