import NGSI
import Query
import Store

/// What an index knows about a condition.
enum Candidates {
  /// Nothing: any entity may meet it.
  case any
  /// Every entity that meets it is among these, ascending.
  case keys([Int64])
  /// There is an index, but it gives more than the limit.
  case tooMany
}

/// A condition that an index can answer.
indirect enum IndexTerm {
  case values(Narrowing)
  case ids([String])
  case type(String)
  case scope(ScopeFilter)
  case window(BoundingBox, property: String)
  case all([IndexTerm])
  case any([IndexTerm])
}

/// Looks conditions up in the index tables of one tenant.
struct IndexLookup {
  let session: ReadSession
  let tenant: Int64
  /// Most keys worth having.
  let limit: Int

  /// A list this short is not worth shortening by another look-up.
  private static let shortList = 64

  func candidates(_ term: IndexTerm) throws(StoreError) -> Candidates {
    switch term {
    case .values(let narrowing): return try candidates(narrowing)
    case .ids(let ids): return .keys(try keys(ofIds: ids))
    case .type(let type): return try keys(ofType: type)
    case .scope(let scope): return try candidates(scope)
    case .window(let box, let property):
      return try keys(of: property, .keysInWindow) {
        $0.bind(3, box.east).bind(4, box.west).bind(5, box.north).bind(6, box.south)
      }
    case .all(let terms): return try intersection(terms) { term throws(StoreError) in try candidates(term) }
    case .any(let terms): return try union(terms) { term throws(StoreError) in try candidates(term) }
    }
  }

  // MARK: Values

  private func candidates(_ narrowing: Narrowing) throws(StoreError) -> Candidates {
    switch narrowing {
    case .everything: return .any
    case .nothing: return .keys([])
    case .all(let parts): return try intersection(parts) { part throws(StoreError) in try candidates(part) }
    case .any(let parts): return try union(parts) { part throws(StoreError) in try candidates(part) }
    case .several(let attribute):
      return try valueKeys(of: attribute, .keysWithValue) { $0.bind(3, StoredValue.several) }
    case .hasAttribute(let attribute): return try keys(of: attribute, .keysWithAttribute) { _ in }
    case .number(let attribute, let low, let high):
      return try valueKeys(of: attribute, .keysBetween) {
        $0.bind(3, low ?? -.infinity).bind(4, high ?? .infinity)
      }
    case .text(let attribute, let equals):
      return try union(equals) { text throws(StoreError) in
        try valueKeys(of: attribute, .keysWithValue) { $0.bind(3, text) }
      }
    case .textRange(let attribute, let low, let high):
      guard let high else { return try valueKeys(of: attribute, .keysWithTextFrom) { $0.bind(3, low ?? "") } }
      return try valueKeys(of: attribute, .keysBetween) { $0.bind(3, low ?? "").bind(4, high) }
    case .textPrefix(let attribute, let prefix):
      // No UTF-8 text has the byte FF, so this stands after every text with the prefix.
      let end = Array(prefix.utf8) + [0xFF]
      return try valueKeys(of: attribute, .keysBetween) { $0.bind(3, prefix).bind(4, text: end) }
    case .time(let attribute, let low, let high):
      return try valueKeys(of: attribute, .keysBetween) {
        $0.bind(3, low.map(StoredValue.bytes) ?? StoredValue.earliest)
          .bind(4, high.map(StoredValue.bytes) ?? StoredValue.latest)
      }
    }
  }

  /// Keys by a condition on values, with those whose values are not listed.
  private func valueKeys(
    of attribute: String, _ sql: SQL, _ bind: (Statement) -> Void
  ) throws(StoreError) -> Candidates {
    let listed = try keys(of: attribute, sql, bind)
    guard case .keys(let keys) = listed else { return listed }
    let unlisted = try self.keys(of: attribute, .keysWithValue) { $0.bind(3, StoredValue.unlisted) }
    guard case .keys(let others) = unlisted else { return unlisted }
    return .keys(others.isEmpty ? keys : merged(keys, others))
  }

  // MARK: Ids, types, scopes

  private func keys(ofIds ids: [String]) throws(StoreError) -> [Int64] {
    var keys: [Int64] = []
    for id in ids {
      let statement = try session.connection.statement(.entityKey).bind(1, tenant).bind(2, id)
      if try statement.step() { keys.append(statement.integer(0)) }
      statement.reset()
    }
    return ascending(keys)
  }

  private func candidates(_ scope: ScopeFilter) throws(StoreError) -> Candidates {
    switch scope {
    case .exact(let text): return try scopeKeys(.keysInScope, text, nil)
    case .below(let text):
      let below = try scopeKeys(.keysBelowScope, text + "/", text + "0")
      guard case .keys(let belowKeys) = below else { return below }
      let exact = try scopeKeys(.keysInScope, text, nil)
      guard case .keys(let keys) = exact else { return exact }
      return .keys(merged(keys, belowKeys))
    case .pattern: return .any
    case .all(let parts): return try intersection(parts) { part throws(StoreError) in try candidates(part) }
    case .any(let parts): return try union(parts) { part throws(StoreError) in try candidates(part) }
    }
  }

  private func scopeKeys(_ sql: SQL, _ low: String, _ high: String?) throws(StoreError) -> Candidates {
    limited(
      try session.keys(sql) {
        $0.bind(1, tenant).bind(2, limit + 1).bind(3, low)
        if let high { $0.bind(4, high) }
      })
  }

  // MARK: Rows

  private func keys(ofType type: String) throws(StoreError) -> Candidates {
    guard let number = try session.number(of: type, in: tenant) else { return .keys([]) }
    return limited(try session.keys(.keysOfType) { $0.bind(1, number).bind(2, 0).bind(3, limit + 1) })
  }

  private func keys(of name: String, _ sql: SQL, _ bind: (Statement) -> Void) throws(StoreError) -> Candidates {
    guard let number = try session.number(of: name, in: tenant) else { return .keys([]) }
    return limited(
      try session.keys(sql) {
        $0.bind(1, number).bind(2, limit + 1)
        bind($0)
      })
  }

  private func limited(_ keys: [Int64]) -> Candidates { keys.count > limit ? .tooMany : .keys(ascending(keys)) }

  // MARK: Sets of keys

  private func intersection<Part>(
    _ parts: [Part], _ lookUp: (Part) throws(StoreError) -> Candidates
  ) throws(StoreError) -> Candidates {
    var result = Candidates.any
    for part in parts {
      switch (result, try lookUp(part)) {
      case (_, .any): continue
      case (.any, .tooMany): result = .tooMany
      case (.keys, .tooMany), (.tooMany, .tooMany): continue
      case (.keys(let keys), .keys(let others)): result = .keys(common(keys, others))
      case (_, .keys(let keys)): result = .keys(keys)
      }
      if case .keys(let keys) = result, keys.count <= Self.shortList { return result }
    }
    return result
  }

  private func union<Part>(
    _ parts: [Part], _ lookUp: (Part) throws(StoreError) -> Candidates
  ) throws(StoreError) -> Candidates {
    var union: [Int64] = []
    var isTooMany = false
    for part in parts {
      switch try lookUp(part) {
      case .any: return .any
      case .tooMany: isTooMany = true
      case .keys(let keys): if !isTooMany { union = union.isEmpty ? keys : merged(union, keys) }
      }
    }
    return isTooMany || union.count > limit ? .tooMany : .keys(union)
  }

  private func ascending(_ keys: [Int64]) -> [Int64] {
    var isAscending = true
    for position in keys.indices.dropFirst() where keys[position - 1] >= keys[position] {
      isAscending = false
      break
    }
    if isAscending { return keys }
    var unique: [Int64] = []
    unique.reserveCapacity(keys.count)
    for key in keys.sorted() where unique.last != key { unique.append(key) }
    return unique
  }

  private func merged(_ left: [Int64], _ right: [Int64]) -> [Int64] {
    if left.isEmpty { return right }
    if right.isEmpty { return left }
    return ascending(left + right)
  }

  private func common(_ left: [Int64], _ right: [Int64]) -> [Int64] {
    var common: [Int64] = []
    var position = 0
    for key in left {
      while position < right.count, right[position] < key { position += 1 }
      if position < right.count, right[position] == key { common.append(key) }
    }
    return common
  }
}

extension ReadSession {
  /// The keys that a statement gives.
  func keys(_ sql: SQL, _ bind: (Statement) -> Void) throws(StoreError) -> [Int64] {
    let statement = try connection.statement(sql)
    bind(statement)
    defer { statement.reset() }
    var keys: [Int64] = []
    while try statement.step() { keys.append(statement.integer(0)) }
    return keys
  }
}
