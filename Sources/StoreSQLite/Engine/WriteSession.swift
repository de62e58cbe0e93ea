import NGSI
import Store

/// The writer's view: reads see what this transaction has written so far.
///
/// Everything that is remembered beside SQLite (names, keys, counts) is noted per body, so that a body that throws
/// takes its notes with it.
final class WriteSession: ReadSession, StoreWriter, @unchecked Sendable {
  /// Names and tenants that this transaction made.
  private(set) var newNames: [(key: NameKey, number: Int64)] = []
  private(set) var newTenants: [(name: String, number: Int64)] = []
  private var newNumbers: [NameKey: Int64] = [:]
  private var newTenantNumbers: [ExactText: Int64] = [:]
  /// Keys of entities that the running body has looked for; 0 where there is none.
  private var readKeys: [EntityKey: Int64] = [:]
  /// Changes of the summary that are not written yet: of finished bodies, and of the running one.
  private var settledCounts: [SummaryKey: Int] = [:]
  private var counts: [SummaryKey: Int] = [:]
  private var unwrittenByUndo: [SummaryKey: Int] = [:]
  var history = HistoryCache()
  private var afterBodies: [@Sendable () -> Void] = []
  private var hasSavepoint = false
  /// Whether this transaction holds changes: of finished bodies, and of the running one.
  private var hasChanges = false
  private var bodyHasChanges = false
  private var marks = (names: 0, tenants: 0, afterBodies: 0)
  /// Numbers of history instances that are reserved in the file and not used.
  private var freeNumbers: Range<Int64> = 0..<0
  var buffer = ByteWriter()

  struct EntityKey: Hashable {
    let tenant: Int64
    let id: ExactText
  }

  // MARK: Transaction

  func beginGroup() throws(StoreError) {
    connection.fatal = nil
    refreshNames()
    try connection.statement(.beginImmediate).run()
    hasChanges = false
  }

  func beginBody() {
    hasSavepoint = false
    bodyHasChanges = false
    readKeys.removeAll(keepingCapacity: true)
    marks = (newNames.count, newTenants.count, afterBodies.count)
    history.beginBody()
  }

  /// Every change goes through here first: a body that only reads, or throws before it writes, costs no savepoint.
  ///
  /// Nor does the first that writes: the whole transaction can be taken back for it, while a savepoint makes SQLite keep
  /// a copy of every page that is changed.
  func willChange() throws(StoreError) {
    guard !bodyHasChanges else { return }
    bodyHasChanges = true
    guard hasChanges else { return }
    try connection.statement(.savepoint).run()
    hasSavepoint = true
  }

  func endBody() throws(StoreError) {
    if hasSavepoint { try connection.statement(.release).run() }
    hasSavepoint = false
    if bodyHasChanges { hasChanges = true }
    unwrittenByUndo.removeAll()
    if !counts.isEmpty {
      settledCounts.merge(counts, uniquingKeysWith: +)
      counts.removeAll(keepingCapacity: true)
    }
  }

  func undoBody() throws(StoreError) {
    counts.removeAll(keepingCapacity: true)
    for name in newNames[marks.names...] { newNumbers[name.key] = nil }
    newNames.removeSubrange(marks.names...)
    for tenant in newTenants[marks.tenants...] { newTenantNumbers[ExactText(tenant.name)] = nil }
    newTenants.removeSubrange(marks.tenants...)
    afterBodies.removeSubrange(marks.afterBodies...)
    history.undoBody()
    settledCounts.merge(unwrittenByUndo, uniquingKeysWith: +)
    unwrittenByUndo.removeAll()
    guard bodyHasChanges else { return }
    bodyHasChanges = false
    // What this body reserved is not reserved any more.
    freeNumbers = 0..<0
    guard hasSavepoint else {
      try connection.statement(.rollback).run()
      try connection.statement(.beginImmediate).run()
      return
    }
    hasSavepoint = false
    try connection.statement(.rollbackTo).run()
    try connection.statement(.release).run()
  }

  /// Commits; gives what is to run after it.
  func commitGroup() throws(StoreError) -> [@Sendable () -> Void] {
    try write(settledCounts)
    settledCounts.removeAll(keepingCapacity: true)
    try connection.statement(.commit).run()
    names.publish(newNames, tenants: newTenants)
    let after = afterBodies
    forget()
    return after
  }

  func rollbackGroup() {
    freeNumbers = 0..<0
    history = HistoryCache()
    settledCounts.removeAll()
    counts.removeAll()
    unwrittenByUndo.removeAll()
    forget()
    // SQLite may have rolled back by itself (full disk, I/O error).
    if !connection.isAutocommit { _ = try? connection.execute("ROLLBACK") }
    connection.fatal = nil
  }

  private func forget() {
    newNames.removeAll()
    newNumbers.removeAll()
    newTenants.removeAll()
    newTenantNumbers.removeAll()
    afterBodies.removeAll()
    readKeys.removeAll()
    history.settle()
  }

  func afterCommit(_ body: @escaping @Sendable () -> Void) { afterBodies.append(body) }

  // MARK: Names

  override func number(of iri: String, in tenant: Int64) throws(StoreError) -> Int64? {
    if !newNumbers.isEmpty, let number = newNumbers[NameKey(tenant, iri)] { return number }
    return try super.number(of: iri, in: tenant)
  }

  override func number(of tenant: Tenant) throws(StoreError) -> Int64? {
    if !newTenantNumbers.isEmpty, let number = newTenantNumbers[ExactText(tenant.name)] { return number }
    return try super.number(of: tenant)
  }

  /// The number of a name, made where there is none.
  func makeNumber(of iri: String, in tenant: Int64) throws(StoreError) -> Int64 {
    if let number = try number(of: iri, in: tenant) { return number }
    try willChange()
    try connection.statement(.insertName).bind(1, tenant).bind(2, iri).run()
    let number = connection.lastInsertedRow
    let key = NameKey(tenant, iri)
    newNames.append((key, number))
    newNumbers[key] = number
    return number
  }

  /// The number of a tenant, made where there is none.
  func makeNumber(of tenant: Tenant) throws(StoreError) -> Int64 {
    if let number = try number(of: tenant) { return number }
    try willChange()
    try connection.statement(.insertTenant).bind(1, tenant.name).run()
    let number = connection.lastInsertedRow
    newTenants.append((tenant.name, number))
    newTenantNumbers[ExactText(tenant.name)] = number
    return number
  }

  func makeTenant(_ tenant: Tenant) throws { _ = try makeNumber(of: tenant) }

  /// A number that no instance has had.
  func nextNumber() throws(StoreError) -> Int64 {
    if freeNumbers.isEmpty {
      try willChange()
      let statement = try connection.statement(.nextNumber)
      guard try statement.step() else { throw ByteReader.damaged }
      let next = statement.integer(0)
      statement.reset()
      freeNumbers = next..<next + 10_000
      try connection.statement(.reserveNumbers).bind(1, freeNumbers.upperBound).run()
    }
    return freeNumbers.removeFirst()
  }

  // MARK: Keys of entities

  override func note(key: Int64?, ofEntity id: String, tenant: Int64) {
    readKeys[EntityKey(tenant: tenant, id: ExactText(id))] = key ?? 0
  }

  func key(ofEntity id: String, tenant: Int64) throws(StoreError) -> Int64? {
    if let key = readKeys[EntityKey(tenant: tenant, id: ExactText(id))] { return key == 0 ? nil : key }
    let statement = try connection.statement(.entityKey).bind(1, tenant).bind(2, id)
    defer { statement.reset() }
    return try statement.step() ? statement.integer(0) : nil
  }

  // MARK: Summary

  func count(_ key: SummaryKey, _ change: Int) { counts[key, default: 0] += change }

  /// Writes what is counted, so that a body that reads the summary sees it.
  override func flush() throws(StoreError) {
    guard !counts.isEmpty || !settledCounts.isEmpty else { return }
    try willChange()
    // When this body is undone, what earlier bodies counted must be written again.
    unwrittenByUndo.merge(settledCounts, uniquingKeysWith: +)
    try write(settledCounts)
    try write(counts)
    settledCounts.removeAll(keepingCapacity: true)
    counts.removeAll(keepingCapacity: true)
  }

  private func write(_ changes: [SummaryKey: Int]) throws(StoreError) {
    for (key, change) in changes where change != 0 {
      try connection.statement(.addToSummary)
        .bind(1, key.tenant).bind(2, key.type).bind(3, key.attribute).bind(4, key.kind).bind(5, change).run()
      guard change < 0 else { continue }
      try connection.statement(.dropEmptySummaries)
        .bind(1, key.tenant).bind(2, key.type).bind(3, key.attribute).bind(4, key.kind).run()
    }
  }
}

/// A row of the summary; type, attribute or kind 0 stands for all.
struct SummaryKey: Hashable {
  var tenant: Int64
  var type: Int64 = 0
  var attribute: Int64 = 0
  var kind: Int64 = 0
}
