import NGSI
import Query
import Store

// Temporal evolution of entities (clauses 5.7.3 and 5.7.4, local part).
//
// An entity qualifies by id and type of its history, by having an instance of a concerned attribute in the window, and
// by its instances in the window satisfying q and geoQ, each condition by at least one instance. Where scopes are asked
// for, the window is no longer than they held.

extension ReadSession {
  func evolutions(_ query: EvolutionQuery, in tenant: Tenant) throws -> EvolutionPage {
    var answer = EvolutionPage(entities: [], total: query.countsTotal ? 0 : nil, hasMore: false, cut: nil)
    guard let number = try number(of: tenant) else { return answer }
    let reading = try EvolutionReading(query, tenant: number, space: tenant, session: self)
    var budget = options.maxScanned
    var found: [Candidate] = []
    var skipped = 0
    var total = 0
    try reading.forEachCandidate { key in
      guard let candidate = try reading.qualified(key, budget: &budget) else { return true }
      total += 1
      if skipped < query.page.offset {
        skipped += 1
        return true
      }
      if found.count < query.page.limit {
        found.append(candidate)
        return true
      }
      answer.hasMore = true
      return query.countsTotal
    }
    var spans: [CutSpan] = []
    for candidate in found {
      var entity = candidate.entity
      entity.attributes = try reading.attributes(of: candidate, budget: &budget, cuts: &spans)
      answer.entities.append(entity)
    }
    if query.countsTotal { answer.total = total }
    reading.cut(&answer, spans)
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

/// An entity that qualifies, without attributes.
private struct Candidate {
  let key: Int64
  let entity: Entity
  /// When the scopes that were asked for held; `nil` when none were.
  let validity: [Range<Int64>]?
  /// What of it may be seen.
  let part: EntityVisibility.Part
}

private struct EvolutionReading {
  let query: EvolutionQuery
  let tenant: Int64
  let space: Tenant
  let session: ReadSession
  /// Selects by id and type alone.
  private let byHead: PreparedQuery
  /// Selects by values too; `nil` when the query has no condition on values.
  private let byValues: PreparedQuery?
  private let projected: Set<Int64>?
  private let concerned: Set<Int64>?
  /// The number of `Core.scope`; `nil` when no entity of the tenant ever had scopes.
  private let scopeAttribute: Int64?
  private let readsBackward: Bool

  init(_ query: EvolutionQuery, tenant: Int64, space: Tenant, session: ReadSession) throws {
    self.query = query
    self.tenant = tenant
    self.space = space
    self.session = session
    var head = query.entities
    head.attributes = []
    head.filter = nil
    head.geo = nil
    head.scope = nil
    byHead = try PreparedQuery(head, tenant: tenant, session: session)
    var values = query.entities
    values.attributes = []
    values.scope = nil
    byValues =
      values.filter == nil && values.geo == nil ? nil : try PreparedQuery(values, tenant: tenant, session: session)
    projected = try Self.numbers(query.attributes, tenant, session)
    concerned = try Self.numbers(query.entities.attributes, tenant, session) ?? projected
    scopeAttribute = try session.number(of: Core.scope, in: tenant)
    readsBackward = query.newestFirst || query.lastN != nil
  }

  /// `nil` for no restriction.
  private static func numbers(_ names: [String], _ tenant: Int64, _ session: ReadSession) throws -> Set<Int64>? {
    names.isEmpty ? nil : Set(try names.compactMap { try session.number(of: $0, in: tenant) })
  }

  var answersInReverse: Bool { readsBackward && !query.newestFirst }

  // MARK: Selecting

  /// Keys in the order that was asked for, otherwise as their histories were made; the body returns false to end.
  func forEachCandidate(_ body: (Int64) throws -> Bool) throws {
    guard !query.entities.order.isEmpty else { return try forEachKey(body) }
    let order = try EntityOrder(query.entities.order, collation: query.entities.collation)
    let bound = session.options.maxSorted
    var found: [(key: Int64, place: EntityOrder.SortKey)] = []
    try forEachKey { key in
      guard found.count < bound else {
        throw StoreError.tooComplex("more than \(bound) histories would have to be sorted; narrow the query")
      }
      guard let (id, types) = try session.evolution(key: key) else { return true }
      let entity = Entity(id: id, types: types)
      if try byHead.matches(entity) { found.append((key, order.sortKey(of: entity))) }
      return true
    }
    found.sort { order.precedes($0.place, $1.place) }
    for one in found where try !body(one.key) { return }
  }

  private func forEachKey(_ body: (Int64) throws -> Bool) throws {
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

  func qualified(_ key: Int64, budget: inout Int) throws -> Candidate? {
    guard let (id, types) = try session.evolution(key: key) else { return nil }
    var entity = Entity(id: id, types: types)
    guard try byHead.matches(entity) else { return nil }
    var series = try session.history(of: key)
    var part = EntityVisibility.Part.whole
    if let visibility = query.entities.visibility {
      guard let seen = try self.part(of: entity, series, visibility) else { return nil }
      part = seen
      series = try self.visible(series, part)
    }
    var window = InstanceSelection(time: query.time, limit: Int.max, newestFirst: false, withIds: false)
    if let scope = query.entities.scope {
      guard let one = series.first(where: { $0.attribute == scopeAttribute }) else { return nil }
      let valid = try scopes(one, budget: &budget).times(of: scope, in: query.time)
      guard !valid.isEmpty else { return nil }
      window.validity = valid
    }
    if query.time != nil || concerned != nil {
      var isConcerned = false
      for one in series where concerned?.contains(one.attribute) ?? true {
        isConcerned = try session.hasInstance(one, window, budget: &budget)
        if isConcerned { break }
      }
      guard isConcerned else { return nil }
    }
    let candidate = Candidate(key: key, entity: entity, validity: window.validity, part: part)
    guard let byValues else { return candidate }
    for one in series {
      let name = try session.iri(one.attribute)
      guard byValues.concerns(name) else { continue }
      let instances = try session.instances(one, window, budget: &budget).instances
      if !instances.isEmpty { entity.attributes.append(AttributeSet(name: name, instances: instances)) }
    }
    return try byValues.matches(entity) ? candidate : nil
  }

  /// What of a history may be seen, judged by the entity as it is now; of one that is gone, as it was last.
  private func part(
    of history: Entity, _ series: [Series], _ visibility: EntityVisibility
  ) throws -> EntityVisibility.Part? {
    let judged = try session.entity(history.id, in: space) ?? session.lastState(of: history.id, in: space) ?? history
    let names = try series.filter { $0.attribute != scopeAttribute }.map { try session.iri($0.attribute) }
    return visibility.part(of: judged, asking: names)
  }

  /// The series of the attributes that may be seen; scopes are a part of the entity itself.
  private func visible(_ series: [Series], _ part: EntityVisibility.Part) throws -> [Series] {
    guard case .attributes(let names) = part else { return series }
    return try series.filter { one in
      guard one.attribute != scopeAttribute else { return true }
      return names.contains(try session.iri(one.attribute))
    }
  }

  private func scopes(_ series: Series, budget: inout Int) throws -> ScopeHistory {
    let all = InstanceSelection(limit: Int.max, newestFirst: false, withIds: query.showsInstanceIds)
    return ScopeHistory(try session.instances(series, all, budget: &budget).instances)
  }

  // MARK: Reading

  func attributes(of candidate: Candidate, budget: inout Int, cuts: inout [CutSpan]) throws -> [AttributeSet] {
    let limit = min(query.lastN ?? Int.max, query.instanceLimit)
    var selection = InstanceSelection(
      time: query.time, datasetIds: query.datasetIds, limit: max(0, limit), newestFirst: readsBackward)
    selection.withIds = query.showsInstanceIds
    selection.validity = candidate.validity
    var sets: [AttributeSet] = []
    for one in try visible(session.history(of: candidate.key), candidate.part)
    where projected?.contains(one.attribute) ?? true {
      let (instances, isCut) =
        one.attribute == scopeAttribute
        ? try scopeInstances(one, selection, budget: &budget)
        : try session.instances(one, selection, budget: &budget)
      guard let last = instances.last else { continue }
      // What lastN leaves out was not asked for.
      if isCut, query.lastN ?? Int.max > query.instanceLimit {
        cuts.append(CutSpan(reached: last.order(selection.property)))
      }
      sets.append(AttributeSet(name: try session.iri(one.attribute), instances: instances))
    }
    if let visibility = query.entities.visibility {
      var shown = candidate.entity
      shown.attributes = sets
      guard visibility.isGiven(shown) else {
        throw StoreError.tooComplex("the answer would have more entities than may be recorded at once; ask for fewer")
      }
    }
    return sets
  }

  /// Like ``ReadSession/instances(_:_:budget:)``, but of scopes: what was set before a window and holds in it belongs
  /// to it (clause C.5.16).
  private func scopeInstances(
    _ series: Series, _ selection: InstanceSelection, budget: inout Int
  ) throws -> (instances: [Attribute], isCut: Bool) {
    guard selection.property == .observedAt, let window = query.time, window.relation != nil else {
      var unbounded = selection
      unbounded.validity = nil
      return try session.instances(series, unbounded, budget: &budget)
    }
    guard selection.takes(dataset: nil) else { return ([], false) }
    var held = try scopes(series, budget: &budget).spans.filter { $0.times.overlaps(window.span) }.map(\.instance)
    if selection.newestFirst { held.reverse() }
    return (Array(held.prefix(selection.limit)), held.count > selection.limit)
  }

  /// Takes back what lies beyond the point up to which every attribute was read, so that the next page can start
  /// there without a gap.
  func cut(_ answer: inout EvolutionPage, _ spans: [CutSpan]) {
    guard !spans.isEmpty else { return }
    let property = query.time?.property ?? .observedAt
    let reached = spans.map(\.reached)
    guard let end = readsBackward ? reached.max() : reached.min() else { return }
    var start = end
    for entity in answer.entities.indices {
      for position in answer.entities[entity].attributes.indices {
        var set = answer.entities[entity].attributes[position]
        let kind = set.instances.first?.kind
        set.instances.removeAll { readsBackward ? $0.order(property) < end : $0.order(property) > end }
        if let time = set.instances.first?.order(property) {
          start = readsBackward ? max(start, time) : min(start, time)
        } else if let kind {
          answer.beyondCut[answer.entities[entity].id, default: [:]][set.name] = kind
        }
        answer.entities[entity].attributes[position] = set
      }
    }
    answer.cut = readsBackward ? (from: end, to: start) : (from: start, to: end)
  }
}
