import NGSI
import Query
import Store

extension Hub {
  /// The entity with this id.
  ///
  /// - Parameter types: the entity must satisfy it, where given.
  /// - Throws: `ResourceNotFound`.
  public func entity(_ id: String, types: TypeSelection? = nil, in tenant: Tenant) throws(Problem) -> Entity {
    let visibility = try visibility(in: tenant)
    let found: Entity?
    do { found = try store.entity(id, in: tenant) } catch { throw Problem(storeFailure: error) }
    guard let stored = found, stored.expiresAt.map({ $0 > now() }) ?? true else { throw try noEntity(id, in: tenant) }
    let seen = visibility.map { $0.visible(stored) } ?? stored
    guard let entity = seen, types?.matches(entity.types) ?? true else { throw try noEntity(id, in: tenant) }
    _ = visibility?.isGiven(entity)
    return entity
  }

  /// Writes the entity with this id: the same as writing what ``entity(_:types:in:)`` gives, and cheaper.
  ///
  /// - Parameter embeddedContext: what to write as `@context`; nothing when it is given in a `Link` header.
  /// - Throws: `ResourceNotFound`; nothing is written then.
  public func write(
    _ id: String, in tenant: Tenant, as form: EntityWriter, embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws(Problem) {
    let visibility = try visibility(in: tenant)
    let isFound: Bool
    do {
      isFound = try store.write(
        id, in: tenant, at: now(), as: form, under: visibility, embeddedContext: embeddedContext, to: &writer)
    } catch { throw Problem(storeFailure: error) }
    guard isFound else { throw try noEntity(id, in: tenant) }
  }

  private func noEntity(_ id: String, in tenant: Tenant) throws(Problem) -> Problem {
    try read { reader in try self.requireTenant(tenant, reader) }
    return .notFound("there is no entity \(id)")
  }

  /// A page of the entities that the query selects.
  public func entities(_ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool = false) throws(Problem)
    -> EntityPage
  {
    let query = try seen(query, in: tenant)
    return try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.entities(query, in: tenant, page: page, countsTotal: countsTotal)
    }
  }

  /// Writes such a page as a JSON array: the same as writing what ``entities(_:in:page:countsTotal:)`` gives, and cheaper.
  public func write(
    _ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool, as form: EntityWriter,
    embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws(Problem) -> PageExtent {
    let query = try seen(query, in: tenant)
    writer.open("[")
    let extent = try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.write(
        query, in: tenant, page: page, countsTotal: countsTotal, as: form, embeddedContext: embeddedContext, to: &writer
      )
    }
    writer.close("]")
    return extent
  }

  public func types(in tenant: Tenant) throws(Problem) -> [TypeSummary] {
    let visibility = try visibility(in: tenant)
    return try read { reader in
      try self.requireTenant(tenant, reader)
      if let visibility { return try SeenSummary(visibility, reader, in: tenant).types }
      return try reader.types(in: tenant)
    }
  }

  public func attributes(in tenant: Tenant) throws(Problem) -> [AttributeSummary] {
    let visibility = try visibility(in: tenant)
    return try read { reader in
      try self.requireTenant(tenant, reader)
      if let visibility { return try SeenSummary(visibility, reader, in: tenant).attributes }
      return try reader.attributes(in: tenant)
    }
  }

  public func tenants() throws(Problem) -> [Tenant] { try read { try $0.tenants().filter { !$0.isSpace } } }

  public func entityCount(in tenant: Tenant) throws(Problem) -> Int {
    let visibility = try visibility(in: tenant)
    return try read { reader in
      if let visibility { return try SeenSummary(visibility, reader, in: tenant).count }
      return try reader.entityCount(in: tenant)
    }
  }

  /// The query of what the caller may see.
  func seen(_ query: EntityQuery, in tenant: Tenant) throws(Problem) -> EntityQuery {
    guard let visibility = try visibility(in: tenant) else { return query }
    var query = query
    query.visibility = visibility
    return query
  }

  func seen(_ query: EvolutionQuery, in tenant: Tenant) throws(Problem) -> EvolutionQuery {
    var query = query
    query.entities = try seen(query.entities, in: tenant)
    return query
  }

  /// - Throws: `NonexistentTenant`.
  func requireTenant(_ tenant: Tenant, _ reader: any StoreReader) throws {
    guard tenant != .default else { return }
    if tenant.isSpace { return try requireSnapshot(in: tenant) }
    guard try reader.tenants().contains(tenant) else {
      throw Problem(.nonexistentTenant, "there is no tenant '\(tenant.name)'")
    }
  }

  /// - Throws: `ResourceNotFound` when the snapshot of a space has ended.
  func requireSnapshot(in space: Tenant) throws(Problem) {
    if snapshots.snapshot(of: space) == nil { throw .notFound("the snapshot is gone") }
  }
}
