import NGSI
import Query
import Store

// Queries for entities: indexes give candidates, the evaluator decides, in the order of creation.

extension ReadSession {
  func entities(_ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool) throws -> EntityPage {
    // Made first, so that a bad pattern or geometry is told for an empty tenant too.
    let order = query.order.isEmpty ? nil : try EntityOrder(query.order, collation: query.collation)
    guard let tenant = try number(of: tenant) else {
      _ = try EntityMatcher(query)
      return EntityPage(entities: [], total: countsTotal ? 0 : nil, hasMore: false)
    }
    let run = EntityQueryRun(
      query: query, prepared: try PreparedQuery(query, tenant: tenant, session: self), page: page,
      countsTotal: countsTotal, tenant: tenant, session: self)
    if let order { return try run.sorted(order) }
    return try run.pureTypePage() ?? run.inOrderOfCreation()
  }
}

private struct EntityQueryRun {
  let query: EntityQuery
  let prepared: PreparedQuery
  let page: Page
  let countsTotal: Bool
  let tenant: Int64
  let session: ReadSession

  /// Keys that an index look-up may give before reading entities in order is tried instead: about 0.3 ms.
  private static let firstLimit = 2_000
  /// Entities that are read in order before a long list of candidates is fetched after all: about 10 ms.
  private static let patience = 2_000

  // MARK: Type alone

  /// The page of all entities, or all of one type: nothing to evaluate, and the total is known.
  func pureTypePage() throws -> EntityPage? {
    guard query.asksTypesOnly else { return nil }
    var source = (sql: SQL.keysAtOffsetInTenant, number: tenant)
    var counted: Int64 = 0
    switch query.types {
    case nil, .anything?: break
    case .type(let iri)?:
      guard let type = try session.number(of: iri, in: tenant) else {
        return EntityPage(entities: [], total: countsTotal ? 0 : nil, hasMore: false)
      }
      source = (.keysAtOffsetOfType, type)
      counted = type
    default: return nil
    }
    let now = session.clock().microseconds
    guard try session.keys(.anyExpired, { $0.bind(1, now).bind(2, tenant) }).isEmpty else { return nil }
    let limit = max(0, page.limit)
    let keys = try session.keys(source.sql) {
      $0.bind(1, source.number).bind(2, limit + 1).bind(3, max(0, page.offset))
    }
    var answer = EntityPage(entities: [], total: nil, hasMore: keys.count > limit)
    answer.entities.reserveCapacity(limit)
    for key in keys.prefix(limit) { if let entity = try session.entity(key: key) { answer.entities.append(entity) } }
    if countsTotal { answer.total = try session.count(ofType: counted, tenant: tenant) }
    return answer
  }

  // MARK: Evaluated

  func inOrderOfCreation() throws -> EntityPage {
    var answer = EntityPage(entities: [], total: nil, hasMore: false)
    var found = 0
    try forEachMatch(readsAll: countsTotal) { _, entity in
      defer { found += 1 }
      guard found >= page.offset else { return true }
      if answer.entities.count < page.limit {
        answer.entities.append(entity)
        return true
      }
      answer.hasMore = true
      return countsTotal
    }
    if countsTotal { answer.total = found }
    return answer
  }

  func sorted(_ order: EntityOrder) throws -> EntityPage {
    var keyed: [(key: Int64, order: EntityOrder.SortKey)] = []
    try forEachMatch(readsAll: true) { key, entity in
      guard keyed.count < session.options.maxSorted else {
        throw StoreError.tooComplex(
          "more than \(session.options.maxSorted) entities would have to be sorted; narrow the query")
      }
      keyed.append((key, order.sortKey(of: entity)))
      return true
    }
    keyed.sort { order.precedes($0.order, $1.order) }
    var answer = EntityPage(entities: [], total: countsTotal ? keyed.count : nil, hasMore: false)
    let window = keyed.dropFirst(max(0, page.offset))
    for (key, _) in window.prefix(max(0, page.limit)) {
      if let entity = try session.entity(key: key) { answer.entities.append(entity) }
    }
    answer.hasMore = window.count > page.limit
    return answer
  }

  /// Gives every entity that matches, by ascending key, until the body returns false.
  private func forEachMatch(readsAll: Bool, _ body: (Int64, Entity) throws -> Bool) throws {
    var budget = session.options.maxScanned
    let now = session.clock()
    func offer(_ key: Int64) throws -> Bool {
      budget -= 1
      guard budget >= 0 else {
        throw StoreError.tooComplex(
          "the query looks at more than \(session.options.maxScanned) entities; narrow it by type, id or an attribute")
      }
      guard let entity = try session.entity(key: key) else { return true }
      if let expires = entity.expiresAt, expires <= now { return true }
      return try prepared.matches(entity) ? try body(key, entity) : true
    }

    let term = query.indexTerm
    let lookup = IndexLookup(session: session, tenant: tenant, limit: Self.firstLimit)
    switch try lookup.candidates(term) {
    case .keys(let keys): for key in keys where try !offer(key) { return }
    case .any: _ = try forEachInOrder(upTo: Int.max, offer)
    case .tooMany:
      var last: Int64 = 0
      if !readsAll {
        guard let reached = try forEachInOrder(upTo: Self.patience, offer) else { return }
        last = reached
      }
      let whole = IndexLookup(session: session, tenant: tenant, limit: session.options.maxScanned)
      guard case .keys(let keys) = try whole.candidates(term) else {
        throw StoreError.tooComplex("the query looks at more than \(session.options.maxScanned) entities")
      }
      for key in keys where key > last { if try !offer(key) { return } }
    }
  }

  /// Offers keys of the tenant or of one type in order. Returns the last key when `limit` ended it, `nil` when it was
  /// through or the body had enough.
  private func forEachInOrder(upTo limit: Int, _ offer: (Int64) throws -> Bool) throws -> Int64? {
    var source = (sql: SQL.keysInTenant, number: tenant)
    var rarest = Int.max
    for iri in query.types?.required ?? [] {
      guard let type = try session.number(of: iri, in: tenant) else { return nil }
      let count = try session.count(ofType: type, tenant: tenant)
      if count < rarest {
        rarest = count
        source = (.keysOfType, type)
      }
    }
    var last: Int64 = 0
    var chunk = min(max(page.limit, 0) &+ 1, 256)
    var left = limit
    while true {
      let keys = try session.keys(source.sql) { $0.bind(1, source.number).bind(2, last).bind(3, chunk) }
      for key in keys where try !offer(key) { return nil }
      guard keys.count == chunk, let end = keys.last else { return nil }
      last = end
      left -= keys.count
      if left <= 0 { return last }
      chunk = 256
    }
  }
}

extension EntityQuery {
  /// All that indexes can say, without the types that reading in order goes by.
  fileprivate var indexTerm: IndexTerm {
    var terms: [IndexTerm] = []
    if !ids.isEmpty { terms.append(.ids(ids)) }
    if let filter { terms.append(.values(filter.narrowing)) }
    if let geo, let window = geo.window { terms.append(.window(window, property: geo.property)) }
    if let scope { terms.append(.scope(scope)) }
    if !selectors.isEmpty { terms.append(.any(selectors.map(\.indexTerm))) }
    if let types, types.required.isEmpty { terms.append(types.indexTerm) }
    if !attributes.isEmpty { terms.append(.any(attributes.map { .values(.hasAttribute($0)) })) }
    return .all(terms)
  }
}

extension EntitySelector {
  fileprivate var indexTerm: IndexTerm {
    if !ids.isEmpty { return .ids(ids) }
    return types?.indexTerm ?? .values(.everything)
  }
}

extension TypeSelection {
  /// Types that every selected entity has.
  fileprivate var required: [String] {
    switch self {
    case .type(let type): [type]
    case .all(let parts): parts.flatMap(\.required)
    case .any(let parts): parts.count == 1 ? parts[0].required : []
    case .anything: []
    }
  }

  fileprivate var indexTerm: IndexTerm {
    switch self {
    case .type(let type): .type(type)
    case .all(let parts): .all(parts.map(\.indexTerm))
    case .any(let parts): .any(parts.map(\.indexTerm))
    case .anything: .values(.everything)
    }
  }
}
