import NGSI
import Query
import Store

extension StoreContract {
  static let historyModelCases: [Case] = [
    Case("a history that is written, changed and read at random agrees with a plain list") { subject in
      for seed in 0..<6 {
        var trial = HistoryTrial(store: subject.store, entity: 100 + seed, seed: UInt64(seed))
        for _ in 0..<60 {
          try await trial.change()
          for _ in 0..<4 { try trial.compare() }
        }
        try trial.requireEnough()
      }
    }
  ]
}

/// One entity's history in the store, beside what it should be.
private struct HistoryTrial {
  private struct Entry {
    /// Place in the order of arrival; a replacement keeps it.
    let arrival: Int
    var instance: Attribute
    /// What orders it.
    var time: DateTime { instance.order(.observedAt) }
  }

  private static let attributes = ["a", "b", "c"]
  private static let datasets: [String?] = [nil, nil, nil, "urn:d:1", "urn:d:2"]

  let store: any Store
  let entity: Int
  private var dice: Dice
  private var model: [String: [Entry]] = [:]
  private var arrivals = 0
  private var hour = 0
  private var compared = 0

  init(store: any Store, entity: Int, seed: UInt64) {
    self.store = store
    self.entity = entity
    dice = Dice(seed)
  }

  func requireEnough() throws {
    try expect(compared > 2_000, "the random queries find too little to prove anything: \(compared)")
  }

  // MARK: Changing

  mutating func change() async throws {
    switch dice.below(12) {
    case 0: try await deleteDataset()
    case 1: try await deleteOne()
    case 2, 3: try await replaceOne()
    case 4: try await appendInVain()
    default: try await append()
    }
  }

  private mutating func entries() -> [(String, Attribute)] {
    // One now and then is a load of many.
    let count = dice.chance(10) ? 300 : 1 + dice.below(12)
    return (0..<count).map { _ in (dice.pick(Self.attributes), instance()) }
  }

  private mutating func append() async throws {
    let entries = entries()
    let history = entries.map { StoreContract.entry(entity, $0.0, $0.1) }
    let types = [urn(entity): [iri("Sensor")]]
    try await store.write { try $0.append(history, types: types, in: .default) }
    for (name, instance) in entries {
      model[name, default: []].append(Entry(arrival: arrivals, instance: instance))
      arrivals += 1
    }
  }

  /// A write that throws leaves nothing.
  private mutating func appendInVain() async throws {
    let history = entries().map { StoreContract.entry(entity, $0.0, $0.1) }
    try await store.refuse(Refusal(number: 1)) { writer in
      try writer.append(history, types: [:], in: .default)
      throw Refusal(number: 1)
    }
  }

  private mutating func deleteDataset() async throws {
    let (name, dataset, all) = (dice.pick(Self.attributes), dice.pick(Self.datasets), dice.chance(10))
    let entity = entity
    let isDeleted = try await store.write {
      try $0.deleteHistory(
        of: urn(entity), attribute: iri(name), datasetId: dataset, allDatasets: all, in: .default)
    }
    let kept = (model[name] ?? []).filter { !all && $0.instance.datasetId != dataset }
    try expectEqual(isDeleted, kept.count < model[name]?.count ?? 0)
    model[name] = kept
  }

  /// The position of a random instance in the order of time, and its `instanceId`.
  private mutating func someInstance(of name: String) throws -> (position: Int, id: String)? {
    let found = try read(name)
    try expectEqual(found.count, model[name]?.count ?? 0)
    guard !found.isEmpty else { return nil }
    let position = dice.below(found.count)
    guard let id = found[position].instanceId else { throw Violation(description: "an instance without instanceId") }
    return (position, id)
  }

  private mutating func deleteOne() async throws {
    let (name, entity) = (dice.pick(Self.attributes), entity)
    guard let (position, id) = try someInstance(of: name) else { return }
    let isDeleted = try await store.write {
      try $0.deleteHistory(of: urn(entity), attribute: iri(name), instanceId: id, in: .default)
    }
    try expectEqual(isDeleted, true)
    model[name] = ordered(name, \.time)
    model[name]?.remove(at: position)
  }

  private mutating func replaceOne() async throws {
    let (name, entity) = (dice.pick(Self.attributes), entity)
    guard let (position, id) = try someInstance(of: name) else { return }
    let new = instance()
    let isReplaced = try await store.write {
      try $0.replaceHistory(StoreContract.entry(entity, name, new), instanceId: id, in: .default)
    }
    try expectEqual(isReplaced, true)
    model[name] = ordered(name, \.time)
    model[name]?[position].instance = new
  }

  /// Mostly the next hour, sometimes the same, sometimes long ago.
  private mutating func instance() -> Attribute {
    if !dice.chance(15) { hour += 1 }
    let time = StoreContract.moment(dice.chance(12) ? dice.below(max(1, hour)) : hour)
    var instance = property(value(), observedAt: time, datasetId: dice.pick(Self.datasets))
    if dice.chance(60) { instance.createdAt = StoreContract.moment(dice.below(5_000)) }
    if dice.chance(60) { instance.modifiedAt = dice.chance(50) ? instance.createdAt : time }
    if dice.chance(50) { instance.unitCode = dice.pick(["CEL", "P1", "GQ"]) }
    if dice.chance(4) { instance.subAttributes = [AttributeSet(name: iri("s"), instances: [property(1)])] }
    if dice.chance(4) { instance.deletedAt = time }
    return instance
  }

  private mutating func value() -> JSON {
    switch dice.below(9) {
    case 0: .integer(Int64(bitPattern: dice.next()))
    case 1: .integer(Int64(dice.below(100)))
    case 2: .double(Double(dice.below(100_000)) / dice.pick([10, 100, 1000, 1_000_000]))
    case 3: .double(Double.random(in: -1e12...1e12, using: &dice))
    case 4: .double(dice.pick([-0.0, 0.1, 1e300, -5e-324, 9_007_199_254_740_993, 0.30000000000000004]))
    case 5: .string(dice.pick(["", "open", "닫힘", "e\u{301}", "é"]))
    case 6: ["k": .array([.integer(Int64(dice.below(3))), .null])]
    case 7: .decimal("0.10000000000000000000001")
    default: 21.5
    }
  }

  // MARK: Reading

  private func read(_ name: String, _ change: (inout EvolutionQuery) -> Void = { _ in }) throws -> [Attribute] {
    var query = StoreContract.evolutionQuery(entity, limit: 100_000)
    query.attributes = [iri(name)]
    change(&query)
    return try StoreContract.instances(store, query, name)
  }

  private func ordered(_ name: String, _ time: (Entry) -> DateTime) -> [Entry] {
    (model[name] ?? []).sorted { (time($0), $0.time, $0.arrival) < (time($1), $1.time, $1.arrival) }
  }

  mutating func compare() throws {
    let name = dice.pick(Self.attributes)
    let property = dice.pick([TemporalFilter.Property.observedAt, .observedAt, .modifiedAt])
    let (one, other) = (dice.below(hour + 2), dice.below(hour + 2))
    let (start, end) = (StoreContract.moment(min(one, other)), StoreContract.moment(max(one, other)))
    let relation = dice.pick([nil, .before(end), .after(start), .between(start, end)] as [TemporalFilter.Relation?])
    let filter = dice.chance(25) ? nil : TemporalFilter(relation: relation, property: property)
    let dataset = dice.chance(20) ? dice.pick(Self.datasets) : nil
    let lastN = dice.chance(40) ? 1 + dice.below(30) : nil
    var expected = ordered(name) { $0.instance.order(filter?.property ?? .observedAt) }.map(\.instance)
    expected.removeAll { instance in
      if let dataset, instance.datasetId != dataset { return true }
      guard let filter else { return false }
      let time = property == .observedAt ? instance.observedAt : instance.modifiedAt
      guard let time else { return true }
      switch filter.relation {
      case nil: return false
      case .before(let end): return time >= end
      case .after(let start): return time < start
      case .between(let start, let end): return time < start || time >= end
      }
    }
    if let lastN { expected = expected.suffix(lastN) }
    let reverses = dice.chance(30)
    var found = try read(name) { query in
      query.time = filter
      query.datasetIds = dataset.map { [$0] } ?? []
      query.lastN = lastN
      query.newestFirst = reverses
    }
    try expectEqual(Set(found.compactMap(\.instanceId)).count, found.count, "instanceIds")
    for position in found.indices { found[position].instanceId = nil }
    if reverses { expected.reverse() }
    try expectEqual(
      found, expected, "\(name) of \(entity), \(String(describing: filter)), \(String(describing: lastN))")
    compared += found.count
  }
}

extension Attribute {
  /// The time that places it in an answer about a property (clause 4.11), as the contract has it.
  fileprivate func order(_ property: TemporalFilter.Property) -> DateTime {
    let own = property == .modifiedAt ? modifiedAt : observedAt
    return own ?? observedAt ?? DateTime(microseconds: 0)
  }
}
