/// Collects the changes of one operation, so that each operation reads as its clause does.
struct EntityEditor {
  private(set) var update: EntityUpdate
  let now: DateTime
  /// Where each attribute stands, of names that look alike the last; only built for entities that are large enough to make searching them cost.
  private var positions: [String: Int]?
  private var updatedNames: Set<String> = []

  init(_ entity: Entity, at now: DateTime) {
    update = EntityUpdate(before: entity, entity: entity)
    self.now = now
    if entity.attributes.count >= JSONObject.indexedFrom {
      var built = [String: Int](minimumCapacity: entity.attributes.count)
      for (offset, set) in entity.attributes.enumerated() { built[set.name] = offset }
      positions = built
    }
  }

  private func position(of name: String) -> Int? {
    if let positions {
      guard let position = positions[name] else { return nil }
      if update.entity.attributes[position].name.hasSameBytes(as: name) { return position }
    }
    return update.entity.attributes.firstIndex { $0.name.hasSameBytes(as: name) }
  }

  func instance(_ name: String, datasetId: String?) -> Attribute? {
    position(of: name).flatMap { update.entity.attributes[$0].instance(datasetId: datasetId) }
  }

  func instances(_ name: String) -> [Attribute] {
    position(of: name).map { update.entity.attributes[$0].instances } ?? []
  }

  /// Adds the instance, or puts it in place of the one with the same name and `datasetId`.
  mutating func put(_ new: Attribute, name: String) {
    let position = position(of: name)
    guard let position else {
      let stamped = new.stamped(over: nil, at: now)
      update.entity.attributes.append(AttributeSet(name: name, instances: [stamped]))
      positions?[name] = update.entity.attributes.count - 1
      record(AttributeChange(created: stamped, name: name))
      return
    }
    let instances = update.entity.attributes[position].instances
    guard let place = instances.firstIndex(where: { $0.datasetId == new.datasetId }) else {
      let stamped = new.stamped(over: nil, at: now)
      update.entity.attributes[position].instances.append(stamped)
      record(AttributeChange(created: stamped, name: name))
      return
    }
    let stamped = new.stamped(over: instances[place], at: now)
    update.entity.attributes[position].instances[place] = stamped
    record(AttributeChange(updated: instances[place], to: stamped, name: name))
  }

  /// Takes an instance away; nothing happens when there is none.
  mutating func delete(_ name: String, datasetId: String?) {
    guard let position = position(of: name),
      let place = update.entity.attributes[position].instances.firstIndex(where: { $0.datasetId == datasetId })
    else { return }
    // An emptied set keeps its place until `finish`, so that the other positions stay right.
    let old = update.entity.attributes[position].instances.remove(at: place)
    record(AttributeChange(deleted: old, name: name))
  }

  private mutating func record(_ change: AttributeChange) {
    update.changes.append(change)
    // Most changes come name by name; a set is worth its cost for many names only.
    if update.updated.last == change.name { return }
    if update.updated.count < JSONObject.indexedFrom {
      if !update.updated.contains(change.name) { update.updated.append(change.name) }
      return
    }
    if updatedNames.isEmpty { updatedNames = Set(update.updated) }
    if updatedNames.insert(change.name).inserted { update.updated.append(change.name) }
  }

  mutating func refuse(_ name: String, _ reason: String) {
    update.notUpdated.append(NotUpdated(name: name, reason: reason))
  }

  mutating func addTypes(_ types: [String]?) {
    for type in types ?? [] where !update.entity.types.contains(type) {
      update.entity.types.append(type)
      update.addedTypes.append(type)
    }
    if !update.addedTypes.isEmpty { update.updated.append(Core.type) }
  }

  mutating func setScopes(_ scopes: [String]) {
    update.scopesChanged = true
    update.entity.scopes = scopes
    update.updated.append(Core.scope)
  }

  mutating func setExpiresAt(_ change: Change<DateTime>) {
    guard change != .unchanged else { return }
    update.expiresAtChanged = true
    update.entity.expiresAt = change.value
  }

  consuming func finish() -> EntityUpdate {
    guard !update.isUnchanged else { return update }
    update.entity.attributes.removeAll { $0.instances.isEmpty }
    update.entity.modifiedAt = now
    return update
  }
}

extension Attribute {
  /// Without the system times of the instance itself.
  var withoutTimes: Attribute {
    var plain = self
    plain.createdAt = nil
    plain.modifiedAt = nil
    plain.deletedAt = nil
    return plain
  }

  /// With the system times of clause 4.8: `createdAt` stays that of the instance it takes the place of.
  func stamped(over old: Attribute?, at now: DateTime) -> Attribute {
    var stamped = self
    stamped.stamp(over: old, at: now)
    return stamped
  }

  /// Like ``stamped(over:at:)``, in place.
  mutating func stamp(over old: Attribute?, at now: DateTime) {
    createdAt = old.map { $0.createdAt ?? now } ?? now
    modifiedAt = now
    deletedAt = nil
    for (position, set) in subAttributes.enumerated() where !Core.seals.contains(set.name) {
      let oldSet = old?.subAttributes.first { $0.name == set.name }
      for (place, instance) in set.instances.enumerated() {
        let oldInstance = oldSet?.instance(datasetId: instance.datasetId)
        // A merge leaves sub-attributes that it does not touch as they are, times included.
        guard instance != oldInstance else { continue }
        subAttributes[position].instances[place] = instance.stamped(over: oldInstance, at: now)
      }
    }
  }
}

/// Finds attributes by the bytes of their names; only many are indexed.
struct AttributeLookup {
  private let sets: [AttributeSet]
  private let positions: [String: Int]?

  init(_ sets: [AttributeSet]) {
    self.sets = sets
    guard sets.count >= JSONObject.indexedFrom else {
      positions = nil
      return
    }
    var positions = [String: Int](minimumCapacity: sets.count)
    for (position, set) in sets.enumerated() { positions[set.name] = position }
    self.positions = positions
  }

  /// - Parameter position: where it is likely to stand.
  func set(named name: String, near position: Int) -> AttributeSet? {
    if position < sets.count, sets[position].name.hasSameBytes(as: name) { return sets[position] }
    if let positions {
      guard let position = positions[name] else { return nil }
      if sets[position].name.hasSameBytes(as: name) { return sets[position] }
    }
    return sets.first { $0.name.hasSameBytes(as: name) }
  }
}
