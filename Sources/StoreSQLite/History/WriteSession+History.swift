import NGSI
import Store

// A change adds one row to its history, whatever the number of its attributes, so that it touches one page. When enough
// have come they are sealed: taken apart by attribute and added to the pieces of each series.

extension WriteSession {
  func append(
    _ history: [HistoryEntry], types: [String: [String]], in tenant: Tenant
  ) throws {
    guard !history.isEmpty || !types.isEmpty else { return }
    try willChange()
    let tenant = try makeNumber(of: tenant)
    for (id, types) in types { try setTypes(of: id, types, tenant: tenant) }
    var start = 0
    while start < history.count {
      let id = history[start].entityId
      var end = start + 1
      while end < history.count, history[end].entityId.hasSameBytes(as: id) { end += 1 }
      try append(history[start..<end], to: id, tenant: tenant)
      start = end
    }
  }

  private func append(_ entries: ArraySlice<HistoryEntry>, to id: String, tenant: Int64) throws {
    let key = HistoryCache.Key(tenant: tenant, id: ExactText(id))
    var place = try makeEvolution(key)
    let now = clock()
    var arrived: [Arrival] = []
    arrived.reserveCapacity(entries.count)
    for entry in entries {
      let attribute = try makeNumber(of: entry.attribute, in: tenant)
      let instance = InstanceKey(time: entry.instance.keyTime(otherwise: now), number: try nextNumber())
      arrived.append(Arrival(attribute: attribute, record: try record(entry.instance, key: instance, tenant: tenant)))
    }
    guard let first = arrived.first else { return }
    buffer.bytes.removeAll(keepingCapacity: true)
    var state = RecordState()
    for one in arrived {
      buffer.unsigned(UInt64(one.attribute))
      buffer.record(one.record, after: &state)
    }
    place.arrivals += 1
    place.arrivalBytes += buffer.bytes.count
    if place.arrivals < options.arrivals, place.arrivalBytes < options.arrivalBytes {
      try connection.statement(.insertArrival)
        .bind(1, place.evolution).bind(2, first.record.key.number).bind(3, buffer.bytes).run()
    } else {
      try seal(place.evolution, adding: arrived)
      place.arrivals = 0
      place.arrivalBytes = 0
    }
    history[key] = place
  }

  // MARK: Sealing

  /// Moves what has arrived in a history into the pieces of its series.
  private func seal(_ evolution: Int64, adding new: [Arrival] = []) throws(StoreError) {
    let arrived = try arrivals(of: evolution) + new
    guard !arrived.isEmpty else { return }
    if arrived.count > new.count { try connection.statement(.deleteArrivals).bind(1, evolution).run() }
    var numbers: [Int64: Int64] = [:]
    for one in try series(of: evolution) { numbers[one.attribute] = one.id }
    // By attribute, in the order in which they first came.
    var records: [(attribute: Int64, records: [InstanceRecord])] = []
    var positions: [Int64: Int] = [:]
    for one in arrived {
      if let position = positions[one.attribute] {
        records[position].records.append(one.record)
      } else {
        positions[one.attribute] = records.count
        records.append((one.attribute, [one.record]))
      }
    }
    for (attribute, records) in records {
      let series =
        if let number = numbers[attribute] { number } else { try makeSeries(evolution, attribute: attribute) }
      try seal(records.inOrder, into: series)
    }
  }

  /// - Parameter records: in order, at least one.
  private func seal(_ records: [InstanceRecord], into series: Int64) throws(StoreError) {
    guard let first = records.first else { return }
    var writer = PieceWriter()
    let before = try connection.statement(.pieceBefore).bind(1, series).bind(2, first.key.time)
    if try before.step() {
      let id = before.integer(0)
      try before.withBytes(1) { bytes throws(StoreError) in try writer.open(id, bytes) }
    }
    before.reset()
    for record in records { try writer.add(record, to: series, on: connection) }
    try writer.finish(series, on: connection)
  }

  private func makeSeries(_ evolution: Int64, attribute: Int64) throws(StoreError) -> Int64 {
    try connection.statement(.insertSeries).bind(1, evolution).bind(2, attribute).run()
    return connection.lastInsertedRow
  }

  // MARK: Deleting and replacing

  func deleteHistory(of id: String, in tenant: Tenant) throws -> Bool {
    guard let tenant = try number(of: tenant), let (evolution, types) = try evolution(id, tenant: tenant) else {
      return false
    }
    try willChange()
    try connection.statement(.deleteArrivals).bind(1, evolution).run()
    for series in try series(of: evolution) { try remove(series: series.id) }
    for type in types {
      try connection.statement(.deleteEvolutionType)
        .bind(1, try makeNumber(of: type, in: tenant)).bind(2, evolution).run()
    }
    try connection.statement(.deleteEvolution).bind(1, evolution).run()
    history[HistoryCache.Key(tenant: tenant, id: ExactText(id))] = nil
    return true
  }

  func deleteHistory(
    of id: String, attribute: String, datasetId: String?, allDatasets: Bool, in tenant: Tenant
  ) throws -> Bool {
    guard let series = try sealedSeries(of: id, attribute: attribute, in: tenant) else { return false }
    if allDatasets {
      try remove(series: series)
      return true
    }
    var isChanged = false
    for span in try pieces(of: series) {
      let takesSome = try edit(span) { records in
        try records.removeAll { try instance($0, withId: false).datasetId == datasetId }
      }
      isChanged = isChanged || takesSome
    }
    try removeIfEmpty(series)
    return isChanged
  }

  func deleteHistory(of id: String, attribute: String, instanceId: String, in tenant: Tenant) throws -> Bool {
    guard let series = try sealedSeries(of: id, attribute: attribute, in: tenant) else { return false }
    let isChanged = try edit(series, instanceId) { records, position in records.remove(at: position) }
    try removeIfEmpty(series)
    return isChanged
  }

  func replaceHistory(_ entry: HistoryEntry, instanceId: String, in tenant: Tenant) throws -> Bool {
    guard let series = try sealedSeries(of: entry.entityId, attribute: entry.attribute, in: tenant),
      let number = try number(of: tenant)
    else { return false }
    return try edit(series, instanceId) { records, position in
      var instance = entry.instance
      let key = InstanceKey(
        time: instance.keyTime(otherwise: self.clock()), number: records[position].key.number)
      instance.instanceId = key.instanceId == instanceId ? nil : instanceId
      records[position] = try self.record(instance, key: key, tenant: number)
    }
  }

  /// The series of an attribute, with nothing of its history left to be sealed; `nil` when there is none.
  private func sealedSeries(of id: String, attribute: String, in tenant: Tenant) throws -> Int64? {
    guard let tenant = try number(of: tenant), let (evolution, _) = try evolution(id, tenant: tenant),
      let attribute = try number(of: attribute, in: tenant)
    else { return nil }
    try sealAll(evolution, of: id, tenant: tenant)
    return try series(evolution, attribute: attribute)
  }

  /// Leaves nothing of a history to be sealed.
  func sealAll(_ evolution: Int64, of id: String, tenant: Int64) throws {
    try willChange()
    try seal(evolution)
    history[HistoryCache.Key(tenant: tenant, id: ExactText(id))] = HistoryCache.Place(evolution: evolution)
  }

  /// Changes the one record that has the `instanceId`; false when there is none.
  private func edit(
    _ series: Int64, _ instanceId: String, _ body: (inout [InstanceRecord], Int) throws -> Void
  ) throws -> Bool {
    // An id that the store gave tells the time.
    if let key = InstanceKey(instanceId: instanceId) {
      for span in try pieces(of: series, key.time...key.time) {
        let isFound = try edit(span) { records in
          guard let position = records.firstIndex(where: { $0.key == key }),
            try instance(records[position], withId: true).instanceId == instanceId
          else { return }
          try body(&records, position)
        }
        if isFound { return true }
      }
    }
    // Other ids stand in a body, and so may one that a client took over from another history.
    for span in try pieces(of: series) {
      let isFound = try edit(span) { records in
        for position in records.indices where records[position].flags.contains(.body) {
          guard try instance(records[position], withId: true).instanceId == instanceId else { continue }
          return try body(&records, position)
        }
      }
      if isFound { return true }
    }
    return false
  }

  /// Gives the body the records of a piece and stores what it changes; whether it changed any.
  func edit(_ span: PieceSpan, _ body: (inout [InstanceRecord]) throws -> Void) throws -> Bool {
    let old = try records(ofPiece: span.id)
    var new = old
    try body(&new)
    if new == old { return false }
    try replace(span.id, with: new.inOrder)
    return true
  }

  private func replace(_ piece: Int64, with records: [InstanceRecord]) throws(StoreError) {
    guard let first = records.first, let last = records.last else {
      return try connection.statement(.deletePiece).bind(1, piece).run()
    }
    buffer.bytes.removeAll(keepingCapacity: true)
    var state = RecordState()
    for record in records { buffer.record(record, after: &state) }
    try connection.statement(.replacePiece)
      .bind(1, piece).bind(2, first.key.time).bind(3, last.key.time).bind(4, buffer.bytes).run()
  }

  private func remove(series: Int64) throws(StoreError) {
    try connection.statement(.deletePieces).bind(1, series).run()
    try connection.statement(.deleteSeries).bind(1, series).run()
  }

  func removeIfEmpty(_ series: Int64) throws(StoreError) {
    let statement = try connection.statement(.anyPiece).bind(1, series)
    let isEmpty = try !statement.step()
    statement.reset()
    if isEmpty { try remove(series: series) }
  }

  // MARK: Histories

  private func makeEvolution(_ key: HistoryCache.Key) throws(StoreError) -> HistoryCache.Place {
    if let place = history[key] { return place }
    if let (number, _) = try evolution(key.id.text, tenant: key.tenant) {
      var place = HistoryCache.Place(evolution: number)
      let figures = try connection.statement(.arrivalFigures).bind(1, number)
      defer { figures.reset() }
      if try figures.step() {
        place.arrivals = Int(figures.integer(0))
        place.arrivalBytes = Int(figures.integer(1))
      }
      history[key] = place
      return place
    }
    var head = ByteWriter()
    head.unsigned(0)
    try connection.statement(.insertEvolution).bind(1, key.tenant).bind(2, key.id.text).bind(3, head.bytes).run()
    let place = HistoryCache.Place(evolution: connection.lastInsertedRow)
    history[key] = place
    return place
  }

  private func setTypes(of id: String, _ new: [String], tenant: Int64) throws {
    let key = try makeEvolution(HistoryCache.Key(tenant: tenant, id: ExactText(id))).evolution
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
