import NGSI
import Query
import Store

// Temporal evolution of entities (clauses 5.7.3 and 5.7.4, local part).
//
// An entity qualifies by id, type and scope of its history, by having an instance of a concerned attribute in the
// window, and by its instances in the window satisfying q and geoQ, each condition by at least one instance.

extension ReadSession {
  func evolutions(_ query: EvolutionQuery, in tenant: Tenant) throws -> EvolutionPage {
    var answer = EvolutionPage(entities: [], total: query.countsTotal ? 0 : nil, hasMore: false, cut: nil)
    guard let tenant = try number(of: tenant) else { return answer }
    let reading = try EvolutionReading(query, tenant: tenant, session: self)
    var budget = options.maxScanned
    var found: [(key: Int64, entity: Entity)] = []
    var skipped = 0
    var total = 0
    try reading.forEachCandidate { key in
      guard let entity = try reading.qualified(key, budget: &budget) else { return true }
      total += 1
      if skipped < query.page.offset {
        skipped += 1
        return true
      }
      if found.count < query.page.limit {
        found.append((key, entity))
        return true
      }
      answer.hasMore = true
      return query.countsTotal
    }
    var spans: [CutSpan] = []
    for (key, entity) in found {
      var entity = entity
      entity.attributes = try reading.attributes(of: key, budget: &budget, cuts: &spans)
      answer.entities.append(entity)
    }
    if query.countsTotal { answer.total = total }
    answer.cut = reading.cut(&answer.entities, spans)
    if reading.answersInReverse {
      for entity in answer.entities.indices {
        for attribute in answer.entities[entity].attributes.indices {
          answer.entities[entity].attributes[attribute].instances.reverse()
        }
      }
    }
    return answer
  }
}

/// The last time that an attribute's instances reach when more were left out.
struct CutSpan {
  let reached: DateTime
}

private struct EvolutionReading {
  let query: EvolutionQuery
  let tenant: Int64
  let session: ReadSession
  /// Selects by id, type and scope alone.
  private let byHead: PreparedQuery
  /// Selects by values too; `nil` when the query has no condition on values.
  private let byValues: PreparedQuery?
  private let projected: Set<Int64>?
  private let concerned: Set<Int64>?
  private let readsBackward: Bool

  init(_ query: EvolutionQuery, tenant: Int64, session: ReadSession) throws {
    self.query = query
    self.tenant = tenant
    self.session = session
    var head = query.entities
    head.attributes = []
    head.filter = nil
    head.geo = nil
    byHead = try PreparedQuery(head, tenant: tenant, session: session)
    var values = query.entities
    values.attributes = []
    byValues =
      values.filter == nil && values.geo == nil ? nil : try PreparedQuery(values, tenant: tenant, session: session)
    projected = try Self.numbers(query.attributes, tenant, session)
    concerned = try Self.numbers(query.entities.attributes, tenant, session) ?? projected
    readsBackward = query.newestFirst || query.lastN != nil
  }

  /// `nil` for no restriction.
  private static func numbers(_ names: [String], _ tenant: Int64, _ session: ReadSession) throws -> Set<Int64>? {
    names.isEmpty ? nil : Set(try names.compactMap { try session.number(of: $0, in: tenant) })
  }

  var answersInReverse: Bool { readsBackward && !query.newestFirst }

  // MARK: Selecting

  /// Keys in the order their histories were made; the body returns false to end.
  func forEachCandidate(_ body: (Int64) throws -> Bool) throws {
    if !query.entities.ids.isEmpty {
      var keys = Set<Int64>()
      for id in query.entities.ids {
        if let found = try session.evolution(id, tenant: tenant) { keys.insert(found.key) }
      }
      for key in keys.sorted() where try !body(key) { return }
      return
    }
    var source = (sql: SQL.evolutionsInTenant, number: tenant)
    if case .type(let iri)? = query.entities.types {
      guard let type = try session.number(of: iri, in: tenant) else { return }
      source = (.evolutionsOfType, type)
    }
    var last: Int64 = 0
    while true {
      // In chunks, so that no statement is open while others run.
      let keys = try session.keys(source.sql) { $0.bind(1, source.number).bind(2, last).bind(3, 256) }
      for key in keys where try !body(key) { return }
      guard keys.count == 256, let end = keys.last else { return }
      last = end
    }
  }

  /// The entity without attributes when it qualifies.
  func qualified(_ key: Int64, budget: inout Int) throws -> Entity? {
    guard let (id, head) = try session.evolution(key: key) else { return nil }
    var entity = Entity(id: id, types: head.types, scopes: head.scopes)
    guard try byHead.matches(entity) else { return nil }
    let window = InstanceSelection(time: query.time, limit: Int.max, newestFirst: false, withIds: false)
    let series = try session.series(of: key)
    if query.time != nil || concerned != nil {
      var isConcerned = false
      for one in series where concerned?.contains(one.attribute) ?? true {
        isConcerned = try session.hasInstance(one.id, window, budget: &budget)
        if isConcerned { break }
      }
      guard isConcerned else { return nil }
    }
    guard let byValues else { return entity }
    for one in series {
      let name = try session.iri(one.attribute)
      guard byValues.concerns(name) else { continue }
      let instances = try session.instances(one.id, window, budget: &budget).instances
      if !instances.isEmpty { entity.attributes.append(AttributeSet(name: name, instances: instances)) }
    }
    guard try byValues.matches(entity) else { return nil }
    entity.attributes = []
    return entity
  }

  // MARK: Reading

  func attributes(of key: Int64, budget: inout Int, cuts: inout [CutSpan]) throws -> [AttributeSet] {
    let limit = min(query.lastN ?? Int.max, query.instanceLimit)
    var selection = InstanceSelection(
      time: query.time, datasetIds: query.datasetIds, limit: max(0, limit), newestFirst: readsBackward)
    selection.withIds = query.showsInstanceIds
    var sets: [AttributeSet] = []
    for one in try session.series(of: key) where projected?.contains(one.attribute) ?? true {
      let (instances, isCut) = try session.instances(one.id, selection, budget: &budget)
      guard let last = instances.last else { continue }
      // What lastN leaves out was not asked for.
      if isCut, query.lastN ?? Int.max > query.instanceLimit {
        cuts.append(CutSpan(reached: last.order(selection.property)))
      }
      sets.append(AttributeSet(name: try session.iri(one.attribute), instances: instances))
    }
    return sets
  }

  /// Takes back what lies beyond the point up to which every attribute was read, so that the next page can start
  /// there without a gap; gives the span that is left.
  func cut(_ entities: inout [Entity], _ spans: [CutSpan]) -> (from: DateTime, to: DateTime)? {
    guard !spans.isEmpty else { return nil }
    let property = query.time?.property ?? .observedAt
    let reached = spans.map(\.reached)
    guard let end = readsBackward ? reached.max() : reached.min() else { return nil }
    var start = end
    for entity in entities.indices {
      for attribute in entities[entity].attributes.indices {
        entities[entity].attributes[attribute].instances.removeAll {
          readsBackward ? $0.order(property) < end : $0.order(property) > end
        }
        if let first = entities[entity].attributes[attribute].instances.first {
          let time = first.order(property)
          start = readsBackward ? max(start, time) : min(start, time)
        }
      }
      entities[entity].attributes.removeAll { $0.instances.isEmpty }
    }
    return readsBackward ? (from: end, to: start) : (from: start, to: end)
  }
}
