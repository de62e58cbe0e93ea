import NGSI
import Query
import Store

/// One connection's view of the store inside a transaction. The writer's session adds to it.
///
/// `@unchecked Sendable`: the reader pool and the writer's queue give it to one thread at a time.
class ReadSession: StoreReader, @unchecked Sendable {
  let connection: Connection
  let names: Names
  let options: SQLiteStore.Options
  let clock: @Sendable () -> DateTime
  /// IRIs by number, as committed when the transaction began.
  private(set) var iris: [String] = []
  private var namesVersion = -1
  /// Of the context that was last written with.
  private var shownNames: ShownNames?

  init(
    connection: Connection, names: Names, options: SQLiteStore.Options, clock: @escaping @Sendable () -> DateTime
  ) {
    self.connection = connection
    self.names = names
    self.options = options
    self.clock = clock
  }

  /// Takes the names as they are; once per transaction.
  func refreshNames() {
    // Read first: a change that comes in between is taken next time, and looked up in the file until then.
    let version = names.version
    guard version != namesVersion else { return }
    namesVersion = version
    iris = names.iris
  }

  // MARK: Snapshot

  /// Reads of the snapshot that is held; 0 when none is.
  private(set) var reads = 0

  /// Takes a snapshot with the next statement, unless one is held.
  func beginSnapshot() throws(StoreError) {
    if reads == 0 { try connection.statement(.begin).run() }
    reads += 1
  }

  func endSnapshot() {
    guard reads > 0 else { return }
    reads = 0
    _ = try? connection.statement(.commit).run()
    // A failure may have ended it already, or keep it from being committed.
    if !connection.isAutocommit { _ = try? connection.statement(.rollback).run() }
  }

  // MARK: Names

  /// The IRI of a number that stands in a stored value.
  func iri(_ number: Int64) throws(StoreError) -> String {
    if number > 0, number < iris.count { return iris[Int(number)] }
    let statement = try connection.statement(.nameIRI).bind(1, number)
    defer { statement.reset() }
    guard try statement.step() else { throw ByteReader.damaged }
    return statement.text(0)
  }

  /// The number of a name; `nil` when nothing has it yet.
  func number(of iri: String, in tenant: Int64) throws(StoreError) -> Int64? {
    if let number = names.number(NameKey(tenant, iri)) { return number }
    let statement = try connection.statement(.nameNumber).bind(1, tenant).bind(2, iri)
    defer { statement.reset() }
    return try statement.step() ? statement.integer(0) : nil
  }

  /// The number of a tenant; `nil` when it has not been made.
  func number(of tenant: Tenant) throws(StoreError) -> Int64? {
    if tenant.name.isEmpty { return 1 }
    if let number = names.tenant(tenant.name) { return number }
    let statement = try connection.statement(.tenantNumber).bind(1, tenant.name)
    defer { statement.reset() }
    return try statement.step() ? statement.integer(0) : nil
  }

  func tenant(_ number: Int64) throws(StoreError) -> Tenant {
    if number == 1 { return .default }
    let statement = try connection.statement(.tenantName).bind(1, number)
    defer { statement.reset() }
    guard try statement.step() else { throw ByteReader.damaged }
    return Tenant(statement.text(0))
  }

  func tenants() throws -> [Tenant] {
    let statement = try connection.statement(.tenantsInOrder)
    defer { statement.reset() }
    var tenants: [Tenant] = []
    while try statement.step() { tenants.append(Tenant(statement.text(1))) }
    return tenants
  }

  // MARK: Entities

  func entity(_ id: String, in tenant: Tenant) throws -> Entity? {
    guard let tenant = try number(of: tenant) else { return nil }
    return try entity(id, tenant: tenant)?.entity
  }

  /// An entity that has not expired, with its key.
  func entity(_ id: String, tenant: Int64) throws(StoreError) -> (entity: Entity, key: Int64)? {
    let statement = try connection.statement(.entityById).bind(1, tenant)
    return try statement.withBound(2, id) { statement throws(StoreError) in
      guard try statement.step() else {
        note(key: nil, ofEntity: id, tenant: tenant)
        return nil
      }
      let key = statement.integer(1)
      note(key: key, ofEntity: id, tenant: tenant)
      if let expires = statement.optionalInteger(2), expires <= clock().microseconds { return nil }
      return (try decodeEntity(statement, 0), key)
    }
  }

  /// Writes an entity as ``Store/write(_:in:at:as:embeddedContext:to:)`` does.
  func write(
    _ id: String, in tenant: Tenant, at time: DateTime, as form: EntityWriter, under visibility: EntityVisibility?,
    embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws(StoreError) -> Bool {
    guard let tenant = try number(of: tenant) else { return false }
    return try withShownNames(of: form.context) { names throws(StoreError) in
      let statement = try connection.statement(.entityById).bind(1, tenant)
      return try statement.withBound(2, id) { statement throws(StoreError) in
        guard try statement.step() else { return false }
        if let expires = statement.optionalInteger(2), expires <= max(time, clock()).microseconds { return false }
        return try statement.withBytes(0) { bytes throws(StoreError) in
          let stored = FoundEntity(key: 0, bytes: bytes, session: self)
          guard let found = try visibility.map(Onlooker.init)?.seen(stored) ?? (visibility == nil ? stored : nil) else {
            return false
          }
          if let shown = found.shown, visibility?.isGiven(shown) == false { return false }
          try found.write(as: form, &names, embeddedContext: embeddedContext, to: &writer)
          return true
        }
      }
    }
  }

  /// Gives the names as the context compacts them, as far as they have been asked for, to the body.
  func withShownNames<Value, Failure: Error>(
    of context: Context, _ body: (inout ShownNames) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    // Taken out while it is added to, so that it grows in place.
    var names = shownNames.take() ?? ShownNames(context)
    if names.context !== context { names = ShownNames(context) }
    defer { shownNames = names }
    return try body(&names)
  }

  private func decodeEntity(_ statement: Statement, _ column: Int32) throws(StoreError) -> Entity {
    try statement.withBytes(column) { bytes throws(StoreError) in
      var reader = ByteReader(bytes)
      return try reader.entity { number throws(StoreError) in try self.iri(number) }
    }
  }

  func expired(at time: DateTime, limit: Int) throws -> [(tenant: Tenant, id: String)] {
    let statement = try connection.statement(.expiredBefore).bind(1, time.microseconds).bind(2, limit)
    defer { statement.reset() }
    var expired: [(tenant: Tenant, id: String)] = []
    while try statement.step() { expired.append((try tenant(statement.integer(0)), statement.text(1))) }
    return expired
  }

  func expiredEntity(_ id: String, at time: DateTime, in tenant: Tenant) throws -> Entity? {
    guard let tenant = try number(of: tenant) else { return nil }
    let statement = try connection.statement(.entityById).bind(1, tenant).bind(2, id)
    defer { statement.reset() }
    guard try statement.step(), let expires = statement.optionalInteger(2), expires <= time.microseconds else {
      return nil
    }
    return try decodeEntity(statement, 0)
  }

  // MARK: What the writer's session does more

  /// Remembers where an entity was found, or that it was not.
  func note(key: Int64?, ofEntity id: String, tenant: Int64) {}

  /// Makes changes that are still collected in memory visible to statements.
  func flush() throws(StoreError) {}
}
