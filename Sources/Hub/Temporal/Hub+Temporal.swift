import NGSI
import Query
import Store

extension Hub {
  /// The history that the query selects.
  public func evolutions(_ query: EvolutionQuery, in tenant: Tenant) throws(Problem) -> EvolutionPage {
    try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.evolutions(query, in: tenant)
    }
  }

  /// Create or Update Temporal Representation (clause 5.6.11): adds the instances to the entity's history.
  ///
  /// - Returns: whether the history is new.
  public func recordHistory(_ fragment: EntityFragment, in tenant: Tenant) async throws(Problem) -> Bool {
    let entity = try fragment.entity()
    let at = now()
    let entries = entity.historyEntries(at: at)
    return try await write { writer in
      try self.requireRoom(for: tenant, writer)
      let isNew = try !self.hasHistory(entity.id, in: tenant, writer)
      try writer.append(
        entries, types: [entity.id: entity.types], scopes: entity.scopes.isEmpty ? [:] : [entity.id: entity.scopes],
        in: tenant)
      return isNew
    }
  }

  /// Add Attributes to a Temporal Representation (clause 5.6.12).
  ///
  /// - Throws: `ResourceNotFound`.
  public func addHistory(of id: String, _ fragment: EntityFragment, in tenant: Tenant) async throws(Problem) {
    var whole = fragment
    whole.id = id
    // The types are those of the history; the fragment need not repeat them.
    whole.types = fragment.types ?? [Core.defaultVocabulary]
    let entity = try whole.entity()
    let at = now()
    let entries = entity.historyEntries(at: at)
    let types = fragment.types.map { [id: $0] } ?? [:]
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard try self.hasHistory(id, in: tenant, writer) else { throw Problem.notFound("there is no history of \(id)") }
      try writer.append(entries, types: types, scopes: [:], in: tenant)
    }
  }

  /// Delete Temporal Representation (clause 5.6.16).
  public func deleteHistory(of id: String, in tenant: Tenant) async throws(Problem) {
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard try writer.deleteHistory(of: id, in: tenant) else { throw Problem.notFound("there is no history of \(id)") }
    }
  }

  /// Delete Attribute from a Temporal Representation (clause 5.6.13).
  public func deleteHistory(of id: String, attribute: String, datasetId: String?, allDatasets: Bool, in tenant: Tenant)
    async throws(Problem)
  {
    try await write { writer in
      try self.requireTenant(tenant, writer)
      let found = try writer.deleteHistory(
        of: id, attribute: attribute, datasetId: datasetId, allDatasets: allDatasets, in: tenant)
      guard found else { throw Problem.notFound("the history of \(id) has no such attribute \(attribute)") }
    }
  }

  /// Delete Attribute Instance (clause 5.6.15).
  public func deleteHistory(of id: String, attribute: String, instanceId: String, in tenant: Tenant)
    async throws(Problem)
  {
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard try writer.deleteHistory(of: id, attribute: attribute, instanceId: instanceId, in: tenant) else {
        throw Problem.notFound("the history of \(id) has no instance \(instanceId) of \(attribute)")
      }
    }
  }

  /// Modify Attribute Instance (clause 5.6.14).
  public func replaceHistory(
    of id: String, attribute: String, instanceId: String, with instance: Attribute, in tenant: Tenant
  ) async throws(Problem) {
    var stamped = instance
    stamped.modifiedAt = now()
    stamped.instanceId = instanceId
    let entry = HistoryEntry(entityId: id, attribute: attribute, instance: stamped)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard try writer.replaceHistory(entry, instanceId: instanceId, in: tenant) else {
        throw Problem.notFound("the history of \(id) has no instance \(instanceId) of \(attribute)")
      }
    }
  }

  private func hasHistory(_ id: String, in tenant: Tenant, _ reader: any StoreReader) throws -> Bool {
    var query = EntityQuery()
    query.ids = [id]
    var evolution = EvolutionQuery(entities: query, page: Page(limit: 1), instanceLimit: 1)
    evolution.lastN = 1
    return try !reader.evolutions(evolution, in: tenant).entities.isEmpty
  }
}

extension Entity {
  fileprivate func historyEntries(at: DateTime) -> [HistoryEntry] {
    attributes.flatMap { set in
      set.instances.map { instance in
        var instance = instance
        instance.createdAt = instance.createdAt ?? at
        instance.modifiedAt = instance.modifiedAt ?? at
        return HistoryEntry(entityId: id, attribute: set.name, instance: instance)
      }
    }
  }
}
