import NGSI
import Query
import Store

// Queries for entities: indexes give candidates, the evaluator decides, in the order of creation.

extension ReadSession {
  func entities(_ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool) throws -> EntityPage {
    var entities: [Entity] = []
    let extent = try forEachEntity(query, in: tenant, page: page, countsTotal: countsTotal) {
      entities.append(try $0.whole())
    }
    return EntityPage(entities: entities, total: extent.total, hasMore: extent.hasMore)
  }

  func write(
    _ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool, as form: EntityWriter,
    embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws -> PageExtent {
    try withShownNames(of: form.context) { names in
      try forEachEntity(query, in: tenant, page: page, countsTotal: countsTotal) {
        writer.separate()
        try $0.write(as: form, &names, embeddedContext: embeddedContext, to: &writer)
      }
    }
  }

  /// Gives the entities of a page to the body, in order.
  private func forEachEntity(
    _ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool, _ body: (FoundEntity) throws -> Void
  ) throws -> PageExtent {
    // Made first, so that a bad pattern or geometry is told for an empty tenant too.
    let order = query.order.isEmpty ? nil : try EntityOrder(query.order, collation: query.collation)
    guard let tenant = try number(of: tenant) else {
      _ = try EntityMatcher(query)
      return PageExtent(total: countsTotal ? 0 : nil, hasMore: false)
    }
    if order == nil, query.selectsByTypesOnly,
      let extent = try forEachOfType(query, tenant: tenant, page: page, countsTotal: countsTotal, body)
    {
      return extent
    }
    let run = try EntityQueryRun(query, tenant: tenant, page: page, countsTotal: countsTotal, session: self)
    return if let order { try run.sorted(order, body) } else { try run.inOrderOfCreation(body) }
  }

  /// The page of all entities, or all of one type: nothing to evaluate, and where all may be seen the total is known.
  /// `nil` when it has to be evaluated all the same.
  private func forEachOfType(
    _ query: EntityQuery, tenant: Int64, page: Page, countsTotal: Bool, _ body: (FoundEntity) throws -> Void
  ) throws -> PageExtent? {
    var source = (sql: SQL.pageInTenant, number: tenant)
    var counted: Int64 = 0
    switch query.types {
    case nil, .anything?: break
    case .type(let iri)?:
      guard let type = try number(of: iri, in: tenant) else {
        return PageExtent(total: countsTotal ? 0 : nil, hasMore: false)
      }
      source = (.pageOfType, type)
      counted = type
    default: return nil
    }
    let now = clock().microseconds
    guard try keys(.anyExpired, { $0.bind(1, now).bind(2, tenant) }).isEmpty else { return nil }
    if query.visibility != nil {
      return try forEachSeen(query, source.sql, source.number, page: page, countsTotal: countsTotal, body)
    }
    let limit = max(0, page.limit)
    let rows = try connection.statement(source.sql)
      .bind(1, source.number).bind(2, limit + 1).bind(3, max(0, page.offset))
    defer { rows.reset() }
    var given = 0
    while given < limit, try rows.step() {
      try rows.withBytes(1) { bytes in try body(FoundEntity(key: rows.integer(0), bytes: bytes, session: self)) }
      given += 1
    }
    let hasMore = try given == limit && rows.step()
    return PageExtent(total: countsTotal ? try count(ofType: counted, tenant: tenant) : nil, hasMore: hasMore)
  }

  /// The page of those that may be seen.
  private func forEachSeen(
    _ query: EntityQuery, _ source: SQL, _ number: Int64, page: Page, countsTotal: Bool,
    _ body: (FoundEntity) throws -> Void
  ) throws -> PageExtent {
    let window = SeenPage(query, page, countsTotal: countsTotal)
    var budget = EntityQueryRun.most(query, self)
    let rows = try connection.statement(source).bind(1, number).bind(2, -1).bind(3, 0)
    defer { rows.reset() }
    while try rows.step() {
      budget -= 1
      guard budget >= 0 else { throw EntityQueryRun.tooComplex(EntityQueryRun.most(query, self)) }
      let goesOn = try rows.withBytes(1) { bytes in
        let stored = FoundEntity(key: rows.integer(0), bytes: bytes, session: self)
        guard let found = try window.seen(stored) else { return true }
        return try window.take(found, body)
      }
      guard goesOn else { break }
    }
    return window.extent
  }
}

/// A page of what may be seen, as it fills.
private final class SeenPage {
  private let query: EntityQuery
  private let page: Page
  private let countsTotal: Bool
  private let onlooker: Onlooker?
  private var found = 0
  private var hasMore = false

  init(_ query: EntityQuery, _ page: Page, countsTotal: Bool) {
    (self.query, self.page, self.countsTotal) = (query, page, countsTotal)
    onlooker = query.visibility.map(Onlooker.init)
  }

  /// What of an entity may be seen; `nil` for nothing.
  func seen(_ stored: FoundEntity) throws(StoreError) -> FoundEntity? {
    guard let onlooker else { return stored }
    return try onlooker.seen(stored)
  }

  /// Takes an entity that is selected and may be seen.
  ///
  /// - Returns: whether the next one matters.
  func take(_ entity: FoundEntity, _ body: (FoundEntity) throws -> Void) throws -> Bool {
    defer { found += 1 }
    // That it is there is told by a total, too.
    if countsTotal { try entity.give(under: query) }
    guard found >= page.offset else { return true }
    try entity.give(under: query)
    if found - page.offset < page.limit {
      try body(entity)
      return true
    }
    hasMore = true
    return countsTotal
  }

  var extent: PageExtent { PageExtent(total: countsTotal ? found : nil, hasMore: hasMore) }
}

/// A class, because a struct of its size would be copied for each entity that is looked at.
private final class EntityQueryRun {
  let query: EntityQuery
  let prepared: PreparedQuery
  let page: Page
  let countsTotal: Bool
  let tenant: Int64
  let session: ReadSession

  init(_ query: EntityQuery, tenant: Int64, page: Page, countsTotal: Bool, session: ReadSession) throws {
    self.query = query
    self.prepared = try PreparedQuery(query, tenant: tenant, session: session)
    self.page = page
    self.countsTotal = countsTotal
    self.tenant = tenant
    self.session = session
  }

  /// Keys that an index look-up may give before reading entities in order is tried instead: about 0.3 ms.
  private static let firstLimit = 2_000
  /// Entities that are read in order before a long list of candidates is fetched after all: about 10 ms.
  private static let patience = 2_000

  /// Entities that may be looked at.
  static func most(_ query: EntityQuery, _ session: ReadSession) -> Int {
    min(query.patience ?? Int.max, session.options.maxScanned)
  }

  static func tooComplex(_ most: Int) -> StoreError {
    .tooComplex("the query looks at more than \(most) entities; narrow it by type, id or an attribute")
  }

  func inOrderOfCreation(_ body: (FoundEntity) throws -> Void) throws -> PageExtent {
    let window = SeenPage(query, page, countsTotal: countsTotal)
    try forEachMatch(readsAll: countsTotal, window.seen) { try window.take($0, body) }
    return window.extent
  }

  func sorted(_ order: EntityOrder, _ body: (FoundEntity) throws -> Void) throws -> PageExtent {
    var keyed: [(key: Int64, order: EntityOrder.SortKey)] = []
    let window = SeenPage(query, page, countsTotal: countsTotal)
    try forEachMatch(readsAll: true, window.seen) { entity in
      guard keyed.count < session.options.maxSorted else {
        throw StoreError.tooComplex(
          "more than \(session.options.maxSorted) entities would have to be sorted; narrow the query")
      }
      try entity.give(under: query)
      keyed.append((entity.key, order.sortKey(of: try entity.whole())))
      return true
    }
    keyed.sort { order.precedes($0.order, $1.order) }
    let rest = keyed.dropFirst(max(0, page.offset))
    for (key, _) in rest.prefix(max(0, page.limit)) {
      try session.found(key: key) { stored in
        guard let seen = try window.seen(stored) else { return }
        try seen.give(under: query)
        try body(seen)
      }
    }
    return PageExtent(total: countsTotal ? keyed.count : nil, hasMore: rest.count > page.limit)
  }

  /// Gives every entity that matches, by ascending key, until the body returns false.
  private func forEachMatch(
    readsAll: Bool, _ seen: (FoundEntity) throws(StoreError) -> FoundEntity?, _ body: (FoundEntity) throws -> Bool
  ) throws {
    let most = Self.most(query, session)
    var budget = most
    let now = session.clock()
    func offer(_ key: Int64) throws -> Bool {
      budget -= 1
      guard budget >= 0 else { throw Self.tooComplex(most) }
      let goesOn = try session.found(key: key) { stored in
        guard let found = try seen(stored) else { return true }
        let entity = try found.part(prepared.attributes)
        if let expires = entity.expiresAt, expires <= now { return true }
        return try prepared.matches(entity) ? try body(found) : true
      }
      return goesOn ?? true
    }

    let term = query.indexTerm
    let lookup = IndexLookup(session: session, tenant: tenant, limit: min(Self.firstLimit, most))
    switch try lookup.candidates(term) {
    case .keys(let keys): for key in keys where try !offer(key) { return }
    case .any: _ = try forEachInOrder(upTo: Int.max, offer)
    case .tooMany:
      var last: Int64 = 0
      if !readsAll {
        guard let reached = try forEachInOrder(upTo: Self.patience, offer) else { return }
        last = reached
      }
      let whole = IndexLookup(session: session, tenant: tenant, limit: most)
      guard case .keys(let keys) = try whole.candidates(term) else {
        throw StoreError.tooComplex("the query looks at more than \(most) entities")
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
