import NGSI
import Query
import Store

extension Hub {
  /// The entity with this id.
  ///
  /// - Parameter types: the entity must satisfy it, where given.
  /// - Throws: `ResourceNotFound`.
  public func entity(_ id: String, types: TypeSelection? = nil, in tenant: Tenant) throws(Problem) -> Entity {
    let found: Entity?
    do { found = try store.entity(id, in: tenant) } catch { throw Problem(storeFailure: error) }
    guard let entity = found, entity.expiresAt.map({ $0 > now() }) ?? true, types?.matches(entity.types) ?? true else {
      try read { reader in try self.requireTenant(tenant, reader) }
      throw .notFound("there is no entity \(id)")
    }
    return entity
  }

  /// A page of the entities that the query selects.
  public func entities(_ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool = false) throws(Problem)
    -> EntityPage
  {
    try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.entities(query, in: tenant, page: page, countsTotal: countsTotal)
    }
  }

  public func types(in tenant: Tenant) throws(Problem) -> [TypeSummary] {
    try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.types(in: tenant)
    }
  }

  public func attributes(in tenant: Tenant) throws(Problem) -> [AttributeSummary] {
    try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.attributes(in: tenant)
    }
  }

  public func tenants() throws(Problem) -> [Tenant] { try read { try $0.tenants() } }

  public func entityCount(in tenant: Tenant) throws(Problem) -> Int { try read { try $0.entityCount(in: tenant) } }

  /// - Throws: `NonexistentTenant`.
  func requireTenant(_ tenant: Tenant, _ reader: any StoreReader) throws {
    guard tenant != .default else { return }
    guard try reader.tenants().contains(tenant) else {
      throw Problem(.nonexistentTenant, "there is no tenant '\(tenant.name)'")
    }
  }
}
