import NGSI
import Query
import Store

/// Which instances of a series to read.
struct InstanceSelection {
  var time: TemporalFilter?
  /// `datasetId`s, `@none` for the default instance; empty takes all.
  var datasetIds: [String] = []
  /// Only instances of these times (``Attribute/order(_:)`` by `observedAt`); `nil` takes all.
  var validity: [Range<Int64>]?
  var limit: Int
  var newestFirst: Bool
  var withIds = true

  /// The property that decides order and window.
  var property: TemporalFilter.Property { time?.property ?? .observedAt }

  /// Bounds on the key's time; too wide where the window is on another property.
  var keyRange: ClosedRange<Int64> {
    guard let time, time.property == .observedAt else { return Int64.min...Int64.max }
    switch time.relation {
    case nil: return Int64.min...Int64.max
    case .before(let end): return Int64.min...end.microseconds
    case .after(let start): return start.microseconds...Int64.max
    case .between(let start, let end): return start.microseconds...max(start, end).microseconds
    }
  }

  func takes(_ instance: Attribute) -> Bool {
    if let time {
      guard let value = instance.time(time.property), time.contains(value) else { return false }
    }
    if let validity {
      let time = instance.order(.observedAt).microseconds
      guard validity.contains(where: { $0.contains(time) }) else { return false }
    }
    return takes(dataset: instance.datasetId)
  }

  func takes(dataset: String?) -> Bool {
    datasetIds.isEmpty || datasetIds.contains(dataset ?? "@none")
  }
}

extension Attribute {
  func time(_ property: TemporalFilter.Property) -> DateTime? {
    switch property {
    case .observedAt: observedAt
    case .createdAt: createdAt
    case .modifiedAt: modifiedAt
    case .deletedAt: deletedAt
    }
  }

  /// The time that places it in an answer about a property; as its row is ordered where it lacks that time.
  func order(_ property: TemporalFilter.Property) -> DateTime {
    time(property) ?? observedAt ?? deletedAt ?? modifiedAt ?? createdAt ?? DateTime(microseconds: 0)
  }
}

extension ReadSession {
  func evolution(_ id: String, tenant: Int64) throws(StoreError) -> (key: Int64, types: [String])? {
    let statement = try connection.statement(.evolutionById).bind(1, tenant).bind(2, id)
    defer { statement.reset() }
    guard try statement.step() else { return nil }
    return (statement.integer(0), try types(statement, 1))
  }

  func evolution(key: Int64) throws(StoreError) -> (id: String, types: [String])? {
    let statement = try connection.statement(.evolutionByKey).bind(1, key)
    defer { statement.reset() }
    guard try statement.step() else { return nil }
    return (statement.text(0), try types(statement, 1))
  }

  private func types(_ statement: Statement, _ column: Int32) throws(StoreError) -> [String] {
    try statement.withBytes(column) { bytes throws(StoreError) in
      var reader = ByteReader(bytes)
      return try reader.names { number throws(StoreError) in try self.iri(number) }
    }
  }

  func series(_ evolution: Int64, attribute: Int64) throws(StoreError) -> Int64? {
    let statement = try connection.statement(.seriesNumber).bind(1, evolution).bind(2, attribute)
    defer { statement.reset() }
    return try statement.step() ? statement.integer(0) : nil
  }

  func series(of evolution: Int64) throws(StoreError) -> [(id: Int64, attribute: Int64)] {
    let statement = try connection.statement(.seriesOfEvolution).bind(1, evolution)
    defer { statement.reset() }
    var series: [(id: Int64, attribute: Int64)] = []
    while try statement.step() { series.append((statement.integer(0), statement.integer(1))) }
    return series
  }

  /// The history of each attribute, in the order in which they first came.
  func history(of evolution: Int64) throws(StoreError) -> [Series] {
    var all: [Series] = []
    var positions: [Int64: Int] = [:]
    for one in try series(of: evolution) {
      positions[one.attribute] = all.count
      all.append(Series(attribute: one.attribute, id: one.id))
    }
    for one in try arrivals(of: evolution) {
      if let position = positions[one.attribute] {
        all[position].arrived.append(one.record)
      } else {
        positions[one.attribute] = all.count
        all.append(Series(attribute: one.attribute, arrived: [one.record]))
      }
    }
    return all
  }

  /// Instances of a series, oldest first or newest first, and whether there are more than the limit.
  /// - Parameter budget: records that may still be looked at; counted down.
  func instances(
    _ series: Series, _ selection: InstanceSelection, budget: inout Int
  ) throws(StoreError) -> (instances: [Attribute], isCut: Bool) {
    let ordersByKey = selection.property == .observedAt
    var instances: [Attribute] = []
    var isCut = false
    try forEachRecord(of: series, in: selection.keyRange, newestFirst: selection.newestFirst, budget: &budget) {
      record throws(StoreError) in
      let instance = try instance(record, withId: selection.withIds)
      guard selection.takes(instance) else { return true }
      if ordersByKey, instances.count == selection.limit {
        isCut = true
        return false
      }
      instances.append(instance)
      return true
    }
    if ordersByKey { return (instances, isCut) }
    // A stable sort keeps the order of arrival among equal times.
    let sorted = instances.enumerated().sorted { left, right in
      let (a, b) = (left.element.order(selection.property), right.element.order(selection.property))
      if a == b { return left.offset < right.offset }
      return selection.newestFirst ? a > b : a < b
    }
    return (sorted.prefix(selection.limit).map(\.element), sorted.count > selection.limit)
  }

  /// Whether any instance of the series is selected.
  func hasInstance(_ series: Series, _ selection: InstanceSelection, budget: inout Int) throws(StoreError) -> Bool {
    var isFound = false
    try forEachRecord(of: series, in: selection.keyRange, newestFirst: false, budget: &budget) {
      record throws(StoreError) in
      isFound = selection.takes(try instance(record, withId: false))
      return !isFound
    }
    return isFound
  }
}
