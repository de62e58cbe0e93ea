import NGSI
import Query
import Store

/// What was removed for the sake of one dataset, in all.
public struct RemovedForAge: Sendable, Hashable {
  public var instances = 0
  public var entities = 0
  public var lastAt: DateTime?
}

extension Hub {
  static let retentionCollection = "retention-records"
  /// Histories that are looked at in one read.
  private static let historyStep = 200
  /// Histories that one write may trim.
  private static let trimStep = 16

  /// What was removed for a dataset's retention.
  public func removed(by dataset: String, in tenant: Tenant) throws(Problem) -> RemovedForAge {
    try read {
      RemovedForAge(try $0.document(dataset, collection: Self.retentionCollection, in: tenant)?.body ?? .null)
    }
  }

  /// Looks every hour for what is older than the datasets keep it. After the clock was set by more than an hour it waits
  /// an hour: a clock that is wrong must not make everything old.
  func keepRetention() async {
    var watch = ClockWatch(wall: now())
    var minutes = 10
    while !Task.isCancelled {
      guard (try? await Task.sleep(for: .seconds(60))) != nil else { return }
      minutes -= 1
      if watch.wasSet(wall: now()) {
        log.warning("the clock was set: what is older than datasets keep it stays for another hour")
        minutes = 60
      }
      guard minutes <= 0 else { continue }
      minutes = 60
      do throws(Problem) {
        try await carryOutRetention()
        retention.finishSweep(at: now(), failure: nil)
      } catch {
        log.warning("what is older than datasets keep it stays", metadata: ["error": "\(error.detail)"])
        retention.finishSweep(at: now(), failure: error.detail)
      }
    }
  }

  /// Removes once what is older than the datasets of all tenants keep it, in small writes.
  ///
  /// The history of an entity is kept for as long as the dataset keeps it that keeps it longest; one that belongs to a
  /// dataset without retention, or to none, is kept for ever.
  ///
  /// - Returns: what was removed.
  @discardableResult
  public func carryOutRetention() async throws(Problem) -> RemovedForAge {
    try permit(.administer, in: .default)
    var removed = RemovedForAge()
    for tenant in try read({ try $0.tenants() }) {
      let rules = try await datasets(in: tenant).map { RetentionRule($0, now: now()) }
      for (index, rule) in rules.enumerated() where rule.cutoff != nil {
        for type in rule.types {
          if rule.removesEntities {
            removed.entities += try await removeEntities(ofType: type, by: index, rules, in: tenant)
          }
          removed.instances += try await trimHistories(ofType: type, by: index, rules, in: tenant)
        }
      }
    }
    return removed
  }

  private func trimHistories(
    ofType type: String, by index: Int, _ rules: [RetentionRule], in tenant: Tenant
  ) async throws(Problem) -> Int {
    guard let cutoff = rules[index].cutoff else { return 0 }
    var removed = 0
    var cursor: Int64? = 0
    while let start = cursor, !Task.isCancelled {
      let found = try read {
        try $0.histories(ofType: type, before: cutoff, after: start, limit: Self.historyStep, in: tenant)
      }
      var rest = found.histories[...]
      while !rest.isEmpty, !Task.isCancelled {
        let step = Array(rest.prefix(Self.trimStep))
        let done = try await trim(step, by: index, rules, in: tenant)
        removed += done.removed
        rest = rest.dropFirst(done.histories)
        await Task.yield()
      }
      cursor = found.next
    }
    return removed
  }

  /// How long a write may remove before others have their turn, and after how many instances.
  private static let longestTrim = Duration.milliseconds(5)
  private static let enough = 1_000

  /// Trims the first of some histories in one write; gives how many are through, and what was removed.
  private func trim(
    _ histories: [(id: String, types: [String])], by index: Int, _ rules: [RetentionRule], in tenant: Tenant
  ) async throws(Problem) -> (histories: Int, removed: Int) {
    let dataset = rules[index].id
    let pieces = limits.retentionPieces
    let at = now()
    let (done, removed) = try await write { writer -> (Int, Int) in
      let began = ContinuousClock.now
      var done = 0
      var removed = 0
      for (id, types) in histories {
        let entity = try writer.entity(id, in: tenant)
        guard let cutoff = try rules.cutoff(of: types, entity) else {
          done += 1
          continue
        }
        let trimmed = try writer.trimHistory(of: id, before: cutoff, pieces: pieces, in: tenant)
        removed += trimmed.removed
        guard trimmed.isWhole else { break }
        if trimmed.isEmpty, entity == nil { _ = try writer.deleteHistory(of: id, in: tenant) }
        done += 1
        if removed > Self.enough || began.duration(to: .now) > Self.longestTrim { break }
      }
      if removed > 0 { try self.note(instances: removed, of: dataset, at: at, in: tenant, writer) }
      return (done, removed)
    }
    retention.count(instances: removed, entities: 0)
    return (done, removed)
  }

  private func removeEntities(
    ofType type: String, by index: Int, _ rules: [RetentionRule], in tenant: Tenant
  ) async throws(Problem) -> Int {
    guard let cutoff = rules[index].cutoff else { return 0 }
    var all = 0
    var query = EntityQuery()
    query.types = .type(type)
    query.filter = try Filter(q: "modifiedAt<\(cutoff)", context: .core)
    let asked = query
    let dataset = rules[index].id
    var offset = 0
    while !Task.isCancelled {
      let page = Page(limit: 100, offset: offset)
      let at = now()
      let (removed, kept, hasMore) = try await write { writer -> (Int, Int, Bool) in
        let found = try writer.entities(asked, in: tenant, page: page, countsTotal: false)
        let old = try found.entities.filter { entity in
          try rules.removes(entity) && entity.modifiedAt.map { $0 < cutoff } ?? false
        }
        try self.commit(old.map { $0.deletion(at: at) }, in: tenant, at: at, by: .city, writer)
        if !old.isEmpty { try self.note(entities: old.count, of: dataset, at: at, in: tenant, writer) }
        return (old.count, found.entities.count - old.count, found.hasMore)
      }
      retention.count(instances: 0, entities: removed)
      all += removed
      offset += kept
      guard hasMore else { break }
      await Task.yield()
    }
    return all
  }

  /// Counts what was removed in the transaction that removes it.
  private func note(
    instances: Int = 0, entities: Int = 0, of dataset: String, at: DateTime, in tenant: Tenant,
    _ writer: any StoreWriter
  ) throws {
    var known = RemovedForAge(
      try writer.document(dataset, collection: Self.retentionCollection, in: tenant)?.body ?? .null)
    known.instances += instances
    known.entities += entities
    known.lastAt = at
    try writer.put(StoredDocument(id: dataset, body: known.json), collection: Self.retentionCollection, in: tenant)
  }
}

extension RemovedForAge {
  fileprivate init(_ json: JSON) {
    self.init(
      instances: Int(json["instances"]?.integer ?? 0), entities: Int(json["entities"]?.integer ?? 0),
      lastAt: json["lastAt"]?.string.flatMap { DateTime($0) })
  }

  fileprivate var json: JSON {
    [
      "instances": .integer(Int64(instances)), "entities": .integer(Int64(entities)),
      "lastAt": lastAt.map { .string($0.description) } ?? .null,
    ]
  }
}

/// How long a dataset keeps what.
struct RetentionRule: Sendable {
  var id: String
  var types: [String]
  /// The entities that it has, where they are not all of its types.
  var scope: ScopeFilter?
  /// What is older goes; `nil` where nothing does.
  var cutoff: DateTime?
  var removesEntities: Bool

  init(_ dataset: Dataset, now: DateTime) {
    id = dataset.id
    types = dataset.types
    scope = dataset.scope
    cutoff = dataset.retentionDays.map { now.adding(seconds: -86_400 * Double($0)) }
    removesEntities = dataset.removesEntities
  }

  /// - Parameter entity: as it is now; of one that is gone the scopes are not known.
  func covers(_ types: [String], _ entity: Entity?) throws(Problem) -> Bool {
    guard self.types.contains(where: types.contains) else { return false }
    guard let scope else { return true }
    guard let entity else { return false }
    var query = EntityQuery()
    query.scope = scope
    return try EntityMatcher(query).matches(entity)
  }
}

extension [RetentionRule] {
  /// Before when the history of an entity may go: by the rule that keeps it longest.
  fileprivate func cutoff(of types: [String], _ entity: Entity?) throws(Problem) -> DateTime? {
    var earliest: DateTime?
    for rule in self where try rule.covers(types, entity) {
      guard let cutoff = rule.cutoff else { return nil }
      earliest = Swift.min(earliest ?? cutoff, cutoff)
    }
    return earliest
  }

  /// Whether every dataset that has the entity lets it go at its age.
  fileprivate func removes(_ entity: Entity) throws(Problem) -> Bool {
    var isCovered = false
    for rule in self where try rule.covers(entity.types, entity) {
      guard rule.removesEntities, let cutoff = rule.cutoff, let modified = entity.modifiedAt, modified < cutoff else {
        return false
      }
      isCovered = true
    }
    return isCovered
  }
}
