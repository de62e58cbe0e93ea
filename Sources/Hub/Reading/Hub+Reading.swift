import NGSI
import Query
import Store

/// How linked entities are given along (clause 4.5.23).
public enum JoinForm: Sendable, Hashable {
  /// Beside the entities that link to them.
  case flat
  /// Inside the relationship, as `entity`.
  case inline
}

extension Hub {
  /// The entity with this id.
  ///
  /// - Parameter types: the entity must satisfy it, where given.
  /// - Throws: `ResourceNotFound`.
  public func entity(_ id: String, types: TypeSelection? = nil, in tenant: Tenant) throws(Problem) -> Entity {
    let found = try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.entity(id, in: tenant)
    }
    guard let entity = found, entity.expiresAt.map({ $0 > now() }) ?? true, types?.matches(entity.types) ?? true else {
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

  /// The entities that relationships of these point at, level by level, each once.
  ///
  /// - Throws: `TooManyResults` when there are more than ``Limits/joinedEntities``.
  public func linked(from entities: [Entity], levels: Int, in tenant: Tenant) throws(Problem) -> [String: Entity] {
    try read { reader in
      var known: [String: Entity] = [:]
      var frontier = entities
      for _ in 0..<levels {
        var next: [Entity] = []
        for id in frontier.flatMap(\.relationshipTargets) where known[id] == nil {
          guard let entity = try reader.entity(id, in: tenant) else { continue }
          guard known.count < self.limits.joinedEntities else {
            throw Problem(.tooManyResults, "more than \(self.limits.joinedEntities) linked entities would be joined")
          }
          known[id] = entity
          next.append(entity)
        }
        if next.isEmpty { break }
        frontier = next
      }
      return known
    }
  }

  /// - Throws: `NonexistentTenant`.
  func requireTenant(_ tenant: Tenant, _ reader: any StoreReader) throws {
    guard tenant != .default else { return }
    guard try reader.tenants().contains(tenant) else {
      throw Problem(.nonexistentTenant, "there is no tenant '\(tenant.name)'")
    }
  }
}

extension Entity {
  /// URIs that relationships of this entity point at.
  public var relationshipTargets: [String] {
    attributes.flatMap { set in
      set.instances.flatMap { instance -> [String] in
        switch instance.kind {
        case .relationship, .listRelationship: instance.value.items.compactMap { ($0["object"] ?? $0).string }
        default: []
        }
      }
    }
  }
}
