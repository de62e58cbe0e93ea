import NGSI
import Query
import Store

// Entities with their index rows: only rows that differ between old and new are touched.

extension WriteSession {
  func put(_ entity: Entity, replacing old: Entity?, in tenant: Tenant) throws {
    try willChange()
    let tenant = try makeNumber(of: tenant)
    buffer.bytes.removeAll(keepingCapacity: true)
    try buffer.entity(entity) { try makeNumber(of: $0, in: tenant) }
    let key: Int64
    if let old {
      guard let found = try self.key(ofEntity: old.id, tenant: tenant) else {
        throw StoreError.failed("the entity \(old.id) to be replaced is not there")
      }
      key = found
      try connection.statement(.updateEntity)
        .bind(1, key).bind(2, entity.expiresAt?.microseconds).bind(3, buffer.bytes).run()
    } else {
      try removeExpired(entity.id, tenant: tenant)
      try connection.statement(.insertEntity)
        .bind(1, tenant).bind(2, entity.id).bind(3, entity.expiresAt?.microseconds).bind(4, buffer.bytes).run()
      key = connection.lastInsertedRow
      note(key: key, ofEntity: entity.id, tenant: tenant)
    }
    try index(entity, replacing: old, key: key, tenant: tenant)
  }

  func delete(_ entity: Entity, in tenant: Tenant) throws {
    guard let tenant = try number(of: tenant), let key = try key(ofEntity: entity.id, tenant: tenant) else { return }
    try willChange()
    try remove(entity, key: key, tenant: tenant)
  }

  /// Takes an entity away with its index rows.
  func remove(_ entity: Entity, key: Int64, tenant: Int64) throws {
    try index(nil, replacing: entity, key: key, tenant: tenant)
    try connection.statement(.deleteEntity).bind(1, key).run()
    note(key: nil, ofEntity: entity.id, tenant: tenant)
  }

  /// An entity that has expired and is not purged yet does not stand in the way of a new one.
  private func removeExpired(_ id: String, tenant: Int64) throws {
    guard let key = try key(ofEntity: id, tenant: tenant) else { return }
    guard let old = try found(key: key, { try $0.whole() }), let expires = old.expiresAt, expires <= clock() else {
      throw StoreError.failed("the entity \(id) is there already")
    }
    try index(nil, replacing: old, key: key, tenant: tenant)
    try connection.statement(.deleteEntity).bind(1, key).run()
  }

  // MARK: Index rows

  private func index(_ new: Entity?, replacing old: Entity?, key: Int64, tenant: Int64) throws {
    let sameTypes = new?.types == old?.types
    if !sameTypes {
      let before = Set(try old?.types.map { try makeNumber(of: $0, in: tenant) } ?? [])
      let after = Set(try new?.types.map { try makeNumber(of: $0, in: tenant) } ?? [])
      for type in before.subtracting(after) {
        try connection.statement(.deleteType).bind(1, type).bind(2, key).run()
      }
      for type in after.subtracting(before) {
        try connection.statement(.insertType).bind(1, type).bind(2, key).run()
      }
    }
    if new?.scopes != old?.scopes {
      for scope in old?.scopes ?? [] {
        try connection.statement(.deleteScope).bind(1, tenant).bind(2, scope).bind(3, key).run()
      }
      for scope in new?.scopes ?? [] {
        try connection.statement(.insertScope).bind(1, tenant).bind(2, scope).bind(3, key).run()
      }
    }
    try indexValues(new, replacing: old, key: key, tenant: tenant)
    try indexGeometries(new, replacing: old, key: key, tenant: tenant)
    try summarise(new, replacing: old, sameTypes: sameTypes, tenant: tenant)
  }

  private func indexValues(_ new: Entity?, replacing old: Entity?, key: Int64, tenant: Int64) throws {
    let newSets = new?.attributes ?? []
    let before = SetLookup(old?.attributes ?? [])
    let after = SetLookup(newSets)
    for set in old?.attributes ?? [] where after[set.name] == nil {
      let attribute = try makeNumber(of: set.name, in: tenant)
      for value in IndexValue.values(of: set) { try change(.deleteValue, attribute, value, key) }
    }
    for set in newSets {
      let previous = before[set.name]
      if let previous, previous.hasSameIndex(as: set) { continue }
      let attribute = try makeNumber(of: set.name, in: tenant)
      let values = IndexValue.values(of: set)
      guard let previous else {
        for value in values { try change(.insertValue, attribute, value, key) }
        continue
      }
      let old = IndexValue.values(of: previous)
      if old == values { continue }
      if old.count == 1, values.count == 1 {
        try change(.deleteValue, attribute, old[0], key)
        try change(.insertValue, attribute, values[0], key)
        continue
      }
      let oldSet = Set(old)
      let newSet = Set(values)
      for value in old where !newSet.contains(value) { try change(.deleteValue, attribute, value, key) }
      for value in values where !oldSet.contains(value) { try change(.insertValue, attribute, value, key) }
    }
  }

  private func change(_ sql: SQL, _ attribute: Int64, _ value: IndexValue, _ key: Int64) throws(StoreError) {
    try connection.statement(sql).bind(1, attribute).bind(2, value).bind(3, key).run()
  }

  private func indexGeometries(_ new: Entity?, replacing old: Entity?, key: Int64, tenant: Int64) throws {
    guard old?.geoInstances != new?.geoInstances else { return }
    let before = old?.geometries ?? []
    let after = new?.geometries ?? []
    guard after.count < StoredValue.maxGeometries else {
      throw StoreError.tooComplex("an entity may have at most \(StoredValue.maxGeometries) geometries")
    }
    for position in 0..<max(before.count, after.count) {
      let previous = position < before.count ? before[position] : nil
      let next = position < after.count ? after[position] : nil
      if previous == next { continue }
      let id = key << StoredValue.geometryBits + Int64(position)
      if previous != nil { try connection.statement(.deleteGeometry).bind(1, id).run() }
      guard let next else { continue }
      try connection.statement(.insertGeometry)
        .bind(1, id).bind(2, next.box.west).bind(3, next.box.east).bind(4, next.box.south).bind(5, next.box.north)
        .bind(6, try makeNumber(of: next.attribute, in: tenant)).run()
    }
  }

  private func summarise(_ new: Entity?, replacing old: Entity?, sameTypes: Bool, tenant: Int64) throws {
    if sameTypes, let new, let old, new.hasSameKinds(as: old) { return }
    if let old { try summarise(old, -1, tenant: tenant) }
    if let new { try summarise(new, 1, tenant: tenant) }
  }

  private func summarise(_ entity: Entity, _ change: Int, tenant: Int64) throws {
    var types = Set(try entity.types.map { try makeNumber(of: $0, in: tenant) })
    types.insert(0)
    for type in types { count(SummaryKey(tenant: tenant, type: type), change) }
    for set in entity.attributes {
      let attribute = try makeNumber(of: set.name, in: tenant)
      let kinds = Set(set.instances.map(\.kind))
      for type in types {
        count(SummaryKey(tenant: tenant, type: type, attribute: attribute), change)
        for kind in kinds {
          count(SummaryKey(tenant: tenant, type: type, attribute: attribute, kind: Int64(kind.number)), change)
        }
      }
    }
  }
}

/// Finds attribute sets by name; many are indexed, so that 10,000 attributes are not 10,000 squared comparisons.
private struct SetLookup {
  private let sets: [AttributeSet]
  private var positions: [String: Int]?

  init(_ sets: [AttributeSet]) {
    self.sets = sets
    guard sets.count > 24 else { return }
    var positions = [String: Int](minimumCapacity: sets.count)
    for (position, set) in sets.enumerated() { positions[set.name] = position }
    self.positions = positions
  }

  subscript(name: String) -> AttributeSet? {
    if let positions { return positions[name].map { sets[$0] } }
    return sets.first { $0.name == name }
  }
}

extension Entity {
  /// Same attribute names in the same order, each with the same kinds.
  fileprivate func hasSameKinds(as other: Entity) -> Bool {
    attributes.count == other.attributes.count
      && zip(attributes, other.attributes).allSatisfy { left, right in
        left.name == right.name && left.instances.count == right.instances.count
          && zip(left.instances, right.instances).allSatisfy { $0.kind == $1.kind }
      }
  }

  /// All geometries, in order.
  fileprivate var geoInstances: [GeoInstance] {
    var found: [GeoInstance] = []
    for set in attributes {
      for instance in set.instances where instance.kind == .geoProperty {
        found.append(GeoInstance(attribute: set.name, value: instance.value))
      }
    }
    return found
  }

  /// Bounds of all geometries, in order.
  var geometries: [LocatedGeometry] {
    geoInstances.compactMap { instance in
      Geometry.boundingBox(of: instance.value).map { LocatedGeometry(attribute: instance.attribute, box: $0) }
    }
  }
}

extension AttributeSet {
  /// Whether the index holds the same of both: it goes by kinds and values alone (``IndexValue/values(of:)``).
  fileprivate func hasSameIndex(as other: AttributeSet) -> Bool {
    instances.count == other.instances.count
      && zip(instances, other.instances).allSatisfy { $0.kind == $1.kind && $0.value == $1.value }
  }
}

private struct GeoInstance: Equatable {
  let attribute: String
  let value: JSON
}

struct LocatedGeometry: Equatable {
  let attribute: String
  let box: BoundingBox
}
