import NGSI
import Query
import Store

/// What became of readings that an adapter brought.
public struct FedReadings: Sendable {
  public var stored = 0
  /// Readings that the hub had already, to the last value.
  public var known = 0
  public var refused: [(index: Int, problem: Problem)] = []

  public init() {}
}

extension Hub {
  /// Takes readings in the order they come, each once however often it comes.
  ///
  /// What an entity has already, now or, for a reading with `observedAt`, in its history, is left out; a reading that is
  /// older than what the entity has goes into the history alone. Everything else is a batch upsert.
  ///
  /// - Parameter fragments: whole entities, or why one could not be read.
  /// - Throws: ``Problem`` of a hub that cannot write at present; nothing can then be said of what was stored.
  public func feed(_ fragments: [Result<EntityFragment, Problem>], in tenant: Tenant) async throws(Problem)
    -> FedReadings
  {
    var fed = FedReadings()
    var start = 0
    while start < fragments.count {
      let end = min(start + Self.batchStep, fragments.count)
      try await feedStep(fragments, start..<end, in: tenant, &fed)
      start = end
      await Task.yield()
    }
    return fed
  }

  /// A reading that says something new: what is of now, and what is of an earlier time than the entity has.
  private struct News: Sendable {
    var index: Int
    var current: EntityFragment?
    var late: EntityFragment?
  }

  private func feedStep(
    _ fragments: [Result<EntityFragment, Problem>], _ range: Range<Int>, in tenant: Tenant, _ fed: inout FedReadings
  ) async throws(Problem) {
    var readings: [(index: Int, fragment: EntityFragment)] = []
    for index in range {
      switch fragments[index] {
      case .failure(let problem): fed.refused.append((index, problem))
      case .success(let fragment):
        do throws(Problem) {
          _ = try fragment.entity()
          try fragment.requireSoundGeometries()
          readings.append((index, fragment))
        } catch { fed.refused.append((index, error)) }
      }
    }
    let news = try sift(readings, in: tenant)
    fed.known += readings.count - news.count
    let refused = try await recordHistories(news, in: tenant) + write(news.filter { $0.current != nil }, in: tenant)
    // Of one reading that is late and new at once both parts may be refused.
    let indices = Set(refused.map(\.index))
    fed.refused += indices.sorted().compactMap { index in refused.first { $0.index == index } }
    fed.stored += news.count - indices.count
  }

  /// Adds what is of an earlier time to histories; gives what rules do not permit.
  private func recordHistories(_ news: [News], in tenant: Tenant) async throws(Problem) -> [(
    index: Int, problem: Problem
  )] {
    let late = news.filter { $0.late != nil }
    guard !late.isEmpty else { return [] }
    do {
      try await recordHistories(late.compactMap(\.late), in: tenant)
      return []
    } catch  where error.isRefusal {
      guard late.count > 1 else { return [(late[0].index, error)] }
    }
    // One that is refused does not keep the others out.
    var refused: [(index: Int, problem: Problem)] = []
    for one in late { refused += try await recordHistories([one], in: tenant) }
    return refused
  }

  private func write(_ news: [News], in tenant: Tenant) async throws(Problem) -> [(index: Int, problem: Problem)] {
    guard !news.isEmpty else { return [] }
    let items = news.compactMap(\.current).map { BatchItem(id: $0.id ?? "", content: .success($0)) }
    let result: BatchResult
    do { result = try await batch(.upsertUpdate, items, in: tenant) } catch  where error.isRefusal {
      // Who may write nothing at all.
      return news.map { ($0.index, error) }
    }
    if let failure = result.errors.first(where: { $0.problem.status >= 500 }) { throw failure.problem }
    // Errors name entities, in the order of their items.
    var left = result.errors[...]
    return zip(items, news).compactMap { item, news in
      guard let error = left.first, error.id == item.id else { return nil }
      left = left.dropFirst()
      return (news.index, error.problem)
    }
  }

  /// Leaves out what is known, reading by reading and attribute by attribute.
  private func sift(_ readings: [(index: Int, fragment: EntityFragment)], in tenant: Tenant) throws(Problem) -> [News] {
    try read { reader in
      var entities: [String: Entity] = [:]
      for id in Set(readings.compactMap(\.fragment.id)) { entities[id] = try reader.entity(id, in: tenant) }
      let histories = try FedHistories(readings.map(\.fragment), now: entities, reader, in: tenant)
      var news: [News] = []
      for (index, fragment) in readings {
        guard let id = fragment.id else { continue }
        guard let entity = entities[id] else {
          news.append(News(index: index, current: fragment))
          entities[id] = try fragment.entity()
          continue
        }
        let (current, late) = fragment.news(after: entity, histories)
        guard current != nil || late != nil else { continue }
        news.append(News(index: index, current: current, late: late))
        if let current { entities[id] = entity.told(current) }
      }
      return news
    }
  }

  /// Adds instances to histories in one transaction, without a change of what is now.
  private func recordHistories(_ fragments: [EntityFragment], in tenant: Tenant) async throws(Problem) {
    let at = now()
    var entries: [HistoryEntry] = []
    for fragment in fragments { entries += try fragment.entity().historyEntries(at: at) }
    let history = entries
    let writing = try writing(in: tenant)
    try await write { writer in
      for fragment in fragments {
        try self.permitHistory(of: try fragment.entity(), adds: true, by: writing, in: tenant, writer)
      }
      try writer.append(history, types: [:], in: tenant)
    }
  }
}

extension Problem {
  /// Whether rules do not permit it: then it is no use to bring it again.
  fileprivate var isRefusal: Bool { kind == .forbidden || kind == .unauthorized || kind == .resourceNotFound }
}

/// What histories hold of the instants that readings are about.
private struct FedHistories {
  private struct Key: Hashable {
    var id: String
    var attribute: String
    var time: Int64
  }

  /// Instances that are read of one attribute at once; beyond it what is not seen counts as new.
  private static let most = 20_000

  private var instances: [Key: [Attribute]] = [:]

  init(
    _ fragments: [EntityFragment], now entities: [String: Entity], _ reader: any StoreReader, in tenant: Tenant
  ) throws {
    var spans: [String: (from: Int64, to: Int64, attributes: Set<String>)] = [:]
    for fragment in fragments {
      guard let id = fragment.id, let entity = entities[id] else { continue }
      for set in fragment.attributes {
        for instance in set.instances {
          guard let time = instance.observedAt.value,
            let latest = entity[attribute: set.name]?.instance(datasetId: instance.datasetId)?.observedAt,
            time <= latest
          else { continue }
          var span = spans[id] ?? (time.microseconds, time.microseconds, [])
          span.from = min(span.from, time.microseconds)
          span.to = max(span.to, time.microseconds)
          span.attributes.insert(set.name)
          spans[id] = span
        }
      }
    }
    for (id, span) in spans {
      var selected = EntityQuery()
      selected.ids = [id]
      var query = EvolutionQuery(entities: selected, page: Page(limit: 1), instanceLimit: Self.most)
      query.time = TemporalFilter(
        relation: .between(DateTime(microseconds: span.from), DateTime(microseconds: span.to + 1)))
      query.attributes = span.attributes.sorted()
      query.newestFirst = true
      query.showsInstanceIds = false
      for set in try reader.evolutions(query, in: tenant).entities.first?.attributes ?? [] {
        for instance in set.instances {
          guard let time = instance.observedAt else { continue }
          instances[Key(id: id, attribute: set.name, time: time.microseconds), default: []].append(instance)
        }
      }
    }
  }

  func has(_ instance: AttributeFragment, of attribute: String, id: String) -> Bool {
    guard let time = instance.observedAt.value else { return false }
    return instances[Key(id: id, attribute: attribute, time: time.microseconds)]?.contains { instance.says($0) }
      ?? false
  }
}

extension EntityFragment {
  /// What it says that an entity and its history do not: of now, and of an earlier time than the entity has.
  fileprivate func news(after entity: Entity, _ histories: FedHistories) -> (
    current: EntityFragment?, late: EntityFragment?
  ) {
    var current = self
    var late = self
    current.attributes = []
    late.attributes = []
    for set in attributes {
      var new = AttributeSetFragment(name: set.name, instances: [])
      var old = new
      for instance in set.instances {
        let present = entity[attribute: set.name]?.instance(datasetId: instance.datasetId)
        if let present, instance.says(present) { continue }
        guard let time = instance.observedAt.value, let latest = present?.observedAt, time <= latest else {
          new.instances.append(instance)
          continue
        }
        if histories.has(instance, of: set.name, id: entity.id) { continue }
        // A second value for the same instant corrects the first.
        if time < latest { old.instances.append(instance) } else { new.instances.append(instance) }
      }
      if !new.instances.isEmpty { current.attributes.append(new) }
      if !old.instances.isEmpty { late.attributes.append(old) }
    }
    let hasNewType = !Set(types ?? []).isSubset(of: entity.types)
    return (
      current.attributes.isEmpty && !hasNewType ? nil : current, late.attributes.isEmpty ? nil : late
    )
  }
}

extension AttributeFragment {
  /// Whether it says no more than an instance does; a time that it does not say is that of the instance.
  fileprivate func says(_ known: Attribute) -> Bool {
    guard let kind, kind == known.kind, value.value == known.value, datasetId == known.datasetId else { return false }
    if let time = observedAt.value, time != known.observedAt { return false }
    if let unit = unitCode.value, unit != known.unitCode { return false }
    if let type = valueType.value, type != known.valueType { return false }
    return subAttributes.allSatisfy { set in
      set.instances.allSatisfy { one in
        known[subAttribute: set.name]?.instance(datasetId: one.datasetId).map { one.says($0) } ?? false
      }
    }
  }
}

extension Entity {
  /// What it will be once it is told a fragment, as far as readings after it have to know.
  fileprivate func told(_ fragment: EntityFragment) -> Entity {
    var entity = self
    entity.types += (fragment.types ?? []).filter { !entity.types.contains($0) }
    for set in fragment.attributes {
      var known = entity[attribute: set.name] ?? AttributeSet(name: set.name, instances: [])
      for instance in set.instances {
        guard let attribute = try? instance.attribute(named: set.name) else { continue }
        known.instances.removeAll { $0.datasetId == attribute.datasetId }
        known.instances.append(attribute)
      }
      entity[attribute: set.name] = known
    }
    return entity
  }
}
