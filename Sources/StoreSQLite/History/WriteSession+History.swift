import NGSI
import Store

extension WriteSession {
  func append(
    _ history: [HistoryEntry], types: [String: [String]], in tenant: Tenant
  ) throws {
    guard !history.isEmpty || !types.isEmpty else { return }
    try willChange()
    let tenant = try makeNumber(of: tenant)
    for (id, types) in types { try setTypes(of: id, types, tenant: tenant) }
    var last: (id: String, key: Int64)?
    for entry in history {
      let evolution: Int64
      if let last, last.id.hasSameBytes(as: entry.entityId) {
        evolution = last.key
      } else {
        evolution = try makeEvolution(entry.entityId, tenant: tenant)
        last = (entry.entityId, evolution)
      }
      let series = try makeSeries(evolution, attribute: try makeNumber(of: entry.attribute, in: tenant))
      let key = InstanceKey(time: entry.instance.keyTime(otherwise: clock()), number: try nextNumber())
      try insert(entry.instance, series: series, key: key, tenant: tenant)
    }
  }

  func deleteHistory(of id: String, in tenant: Tenant) throws -> Bool {
    guard let tenant = try number(of: tenant), let (evolution, types) = try evolution(id, tenant: tenant) else {
      return false
    }
    try willChange()
    for series in try series(of: evolution) {
      try remove(series: series.id, evolution: evolution, attribute: series.attribute)
    }
    for type in types {
      try connection.statement(.deleteEvolutionType)
        .bind(1, try makeNumber(of: type, in: tenant)).bind(2, evolution).run()
    }
    try connection.statement(.deleteEvolution).bind(1, evolution).run()
    history.remove(HistoryCache.EvolutionKey(tenant: tenant, id: ExactText(id)))
    return true
  }

  func deleteHistory(
    of id: String, attribute: String, datasetId: String?, allDatasets: Bool, in tenant: Tenant
  ) throws -> Bool {
    guard let place = try place(of: id, attribute: attribute, tenant: tenant) else { return false }
    try willChange()
    if allDatasets {
      try remove(series: place.series, evolution: place.evolution, attribute: place.attribute)
      return true
    }
    var keys: [InstanceKey] = []
    try forEachInstance(place.series) { key, instance in
      if instance.datasetId == datasetId { keys.append(key) }
    }
    for key in keys { try remove(key, from: place.series) }
    try removeIfEmpty(place)
    return !keys.isEmpty
  }

  func deleteHistory(of id: String, attribute: String, instanceId: String, in tenant: Tenant) throws -> Bool {
    guard let place = try place(of: id, attribute: attribute, tenant: tenant),
      let key = try key(ofInstance: instanceId, series: place.series)
    else { return false }
    try willChange()
    try remove(key, from: place.series)
    try removeIfEmpty(place)
    return true
  }

  func replaceHistory(_ entry: HistoryEntry, instanceId: String, in tenant: Tenant) throws -> Bool {
    guard let place = try place(of: entry.entityId, attribute: entry.attribute, tenant: tenant),
      let old = try key(ofInstance: instanceId, series: place.series)
    else { return false }
    try willChange()
    try remove(old, from: place.series)
    var instance = entry.instance
    let key = InstanceKey(time: instance.keyTime(otherwise: clock()), number: old.number)
    instance.instanceId = key.instanceId == instanceId ? nil : instanceId
    try insert(instance, series: place.series, key: key, tenant: place.tenant)
    return true
  }

  // MARK: Rows

  private func insert(_ instance: Attribute, series: Int64, key: InstanceKey, tenant: Int64) throws {
    var flags = InstanceFlags(rawValue: Int64(instance.kind.number))
    if instance.observedAt != nil { flags.insert(.observed) }
    let row = try connection.statement(.insertInstance)
    row.bind(1, series).bind(2, key.time).bind(3, key.number)
    if instance.isPlain {
      row.bindNull(10)
      if let createdAt = instance.createdAt {
        flags.insert(.created)
        row.bind(5, createdAt.microseconds)
      } else {
        row.bindNull(5)
      }
      row.bindNull(6)
      if let modifiedAt = instance.modifiedAt {
        if modifiedAt == instance.createdAt {
          flags.insert(.unmodified)
        } else {
          flags.insert(.modified)
          row.bind(6, modifiedAt.microseconds)
        }
      }
      switch instance.value {
      case .integer(let value):
        flags.insert(.integer)
        row.bind(7, value)
      case .double(let value):
        flags.insert(.double)
        row.bind(7, value)
      case .string(let value):
        flags.insert(.text)
        row.bind(7, value)
      default: throw ByteReader.damaged
      }
      row.bindNull(8).bindNull(9)
      if let unitCode = instance.unitCode {
        flags.insert(.unit)
        row.bind(8, try makeNumber(of: unitCode, in: tenant))
      }
      if let datasetId = instance.datasetId {
        flags.insert(.dataset)
        row.bind(9, try makeNumber(of: datasetId, in: tenant))
      }
    } else {
      flags.insert(.body)
      buffer.bytes.removeAll(keepingCapacity: true)
      try buffer.instance(instance) { try makeNumber(of: $0, in: tenant) }
      row.bindNull(5).bindNull(6).bindNull(7).bindNull(8).bindNull(9).bind(10, buffer.bytes)
    }
    try row.bind(4, flags.rawValue).run()
  }

  private func remove(_ key: InstanceKey, from series: Int64) throws {
    try connection.statement(.deleteInstance).bind(1, series).bind(2, key.time).bind(3, key.number).run()
  }

  private func remove(series: Int64, evolution: Int64, attribute: Int64) throws {
    try connection.statement(.deleteInstances).bind(1, series).run()
    try connection.statement(.deleteSeries).bind(1, series).run()
    history.removeSeries(of: evolution)
  }

  private func removeIfEmpty(_ place: Place) throws {
    let statement = try connection.statement(.anyInstance).bind(1, place.series)
    let isEmpty = try !statement.step()
    statement.reset()
    if isEmpty { try remove(series: place.series, evolution: place.evolution, attribute: place.attribute) }
  }

  // MARK: Finding

  private struct Place {
    let tenant: Int64
    let evolution: Int64
    let attribute: Int64
    let series: Int64
  }

  private func place(of id: String, attribute: String, tenant: Tenant) throws -> Place? {
    guard let tenant = try number(of: tenant), let (evolution, _) = try evolution(id, tenant: tenant),
      let attribute = try number(of: attribute, in: tenant),
      let series = try series(evolution, attribute: attribute)
    else { return nil }
    return Place(tenant: tenant, evolution: evolution, attribute: attribute, series: series)
  }

  private func key(ofInstance instanceId: String, series: Int64) throws -> InstanceKey? {
    if let key = InstanceKey(instanceId: instanceId) {
      let row = try connection.statement(.instanceByKey).bind(1, series).bind(2, key.time).bind(3, key.number)
      defer { row.reset() }
      if try row.step(), try instance(row, withId: true).instanceId == instanceId { return key }
    }
    let rows = try connection.statement(.bodiesOfSeries).bind(1, series)
    defer { rows.reset() }
    while try rows.step() {
      if try instance(rows, withId: true).instanceId == instanceId {
        return InstanceKey(time: rows.integer(0), number: rows.integer(1))
      }
    }
    return nil
  }

  private func forEachInstance(_ series: Int64, _ body: (InstanceKey, Attribute) -> Void) throws {
    let rows = try connection.statement(.instancesForward).bind(1, series).bind(2, Int64.min).bind(3, Int64.max)
    defer { rows.reset() }
    while try rows.step() {
      body(InstanceKey(time: rows.integer(0), number: rows.integer(1)), try instance(rows, withId: false))
    }
  }

  private func makeEvolution(_ id: String, tenant: Int64) throws(StoreError) -> Int64 {
    let key = HistoryCache.EvolutionKey(tenant: tenant, id: ExactText(id))
    if let number = history[key] { return number }
    if let (number, _) = try evolution(id, tenant: tenant) {
      history.add(key, number)
      return number
    }
    var head = ByteWriter()
    head.unsigned(0)
    try connection.statement(.insertEvolution).bind(1, tenant).bind(2, id).bind(3, head.bytes).run()
    let number = connection.lastInsertedRow
    history.add(key, number)
    return number
  }

  private func makeSeries(_ evolution: Int64, attribute: Int64) throws(StoreError) -> Int64 {
    if history.series(of: evolution) == nil {
      // All at once: what writes one attribute of an entity most often writes others too.
      var all: [Int64: Int64] = [:]
      for one in try series(of: evolution) { all[one.attribute] = one.id }
      history.load(all, of: evolution)
    }
    if let number = history.series(of: evolution)?[attribute] { return number }
    try connection.statement(.insertSeries).bind(1, evolution).bind(2, attribute).run()
    let number = connection.lastInsertedRow
    history.add(series: number, of: attribute, to: evolution)
    return number
  }

  private func setTypes(of id: String, _ new: [String], tenant: Int64) throws {
    let key = try makeEvolution(id, tenant: tenant)
    guard let (_, old) = try evolution(id, tenant: tenant) else { throw ByteReader.damaged }
    if new == old { return }
    for type in Set(old).subtracting(new) {
      try connection.statement(.deleteEvolutionType).bind(1, try makeNumber(of: type, in: tenant)).bind(2, key).run()
    }
    for type in Set(new).subtracting(old) {
      try connection.statement(.insertEvolutionType).bind(1, try makeNumber(of: type, in: tenant)).bind(2, key).run()
    }
    var writer = ByteWriter()
    try writer.names(new) { try makeNumber(of: $0, in: tenant) }
    try connection.statement(.updateEvolution).bind(1, key).bind(2, writer.bytes).run()
  }
}
