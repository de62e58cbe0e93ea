import NGSI
import Query
import Store

extension Hub {
  /// The history that the query selects.
  public func evolutions(_ query: EvolutionQuery, in tenant: Tenant) throws(Problem) -> EvolutionPage {
    let query = try seen(query, in: tenant)
    return try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.evolutions(query, in: tenant)
    }
  }

  /// The types of an entity that has a history; `nil` when it has none that the caller may see.
  public func types(ofHistory id: String, in tenant: Tenant) throws(Problem) -> [String]? {
    let query = try seen(EvolutionQuery.latest(of: id, count: 1), in: tenant)
    return try read { try $0.evolutions(query, in: tenant).entities.first?.types }
  }

  /// Create or Update Temporal Representation (clause 5.6.11): adds the instances to the entity's history.
  ///
  /// - Returns: whether the history is new.
  public func recordHistory(_ fragment: EntityFragment, in tenant: Tenant) async throws(Problem) -> Bool {
    try fragment.requireSoundGeometries()
    let entity = try fragment.entity()
    let at = now()
    let entries = entity.historyEntries(at: at)
    let writing = try writing(in: tenant)
    return try await write { writer in
      try self.requireRoom(for: tenant, writer)
      try self.permitHistory(of: entity, adds: true, by: writing, in: tenant, writer)
      let known = try self.types(ofHistory: entity.id, in: tenant, writer)
      try writer.append(entries, types: [entity.id: (known ?? []).adding(entity.types)], in: tenant)
      return known == nil
    }
  }

  /// Add Attributes to a Temporal Representation (clause 5.6.12).
  ///
  /// - Throws: `ResourceNotFound`.
  public func addHistory(of id: String, _ fragment: EntityFragment, in tenant: Tenant) async throws(Problem) {
    try fragment.requireSoundGeometries()
    var whole = fragment
    whole.id = id
    // The types are those of the history; the fragment need not repeat them.
    whole.types = fragment.types ?? [Core.defaultVocabulary]
    let entity = try whole.entity()
    let at = now()
    let entries = entity.historyEntries(at: at)
    var judged = entity
    judged.types = fragment.types ?? []
    let said = judged
    let writing = try writing(in: tenant)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      try self.permitHistory(of: said, adds: true, by: writing, in: tenant, writer)
      guard let known = try self.types(ofHistory: id, in: tenant, writer) else {
        throw Problem.notFound("there is no history of \(id)")
      }
      try writer.append(entries, types: fragment.types.map { [id: known.adding($0)] } ?? [:], in: tenant)
    }
  }

  /// Delete Temporal Representation (clause 5.6.16).
  public func deleteHistory(of id: String, in tenant: Tenant) async throws(Problem) {
    let writing = try writing(in: tenant)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      try self.permitHistory(of: Entity(id: id, types: []), adds: false, .delete, by: writing, in: tenant, writer)
      guard try writer.deleteHistory(of: id, in: tenant) else { throw Problem.notFound("there is no history of \(id)") }
    }
  }

  /// Delete Attribute from a Temporal Representation (clause 5.6.13).
  public func deleteHistory(of id: String, attribute: String, datasetId: String?, allDatasets: Bool, in tenant: Tenant)
    async throws(Problem)
  {
    let writing = try writing(in: tenant)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      try self.permitHistory(of: .part(id, attribute), adds: false, by: writing, in: tenant, writer)
      let found = try writer.deleteHistory(
        of: id, attribute: attribute, datasetId: datasetId, allDatasets: allDatasets, in: tenant)
      guard found else { throw Problem.notFound("the history of \(id) has no such attribute \(attribute)") }
    }
  }

  /// Delete Attribute Instance (clause 5.6.15).
  public func deleteHistory(of id: String, attribute: String, instanceId: String, in tenant: Tenant)
    async throws(Problem)
  {
    let writing = try writing(in: tenant)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      try self.permitHistory(of: .part(id, attribute), adds: false, by: writing, in: tenant, writer)
      guard try writer.deleteHistory(of: id, attribute: attribute, instanceId: instanceId, in: tenant) else {
        throw Problem.notFound("the history of \(id) has no instance \(instanceId) of \(attribute)")
      }
    }
  }

  /// Modify Attribute Instance (clause 5.6.14).
  public func replaceHistory(
    of id: String, attribute: String, instanceId: String, with fragment: AttributeFragment, in tenant: Tenant
  ) async throws(Problem) {
    try fragment.requireSoundGeometries(named: attribute)
    var stamped = try fragment.attribute(named: attribute)
    stamped.modifiedAt = now()
    stamped.instanceId = instanceId
    let entry = HistoryEntry(entityId: id, attribute: attribute, instance: stamped)
    let writing = try writing(in: tenant)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      try self.permitHistory(of: .part(id, attribute), adds: false, by: writing, in: tenant, writer)
      guard try writer.replaceHistory(entry, instanceId: instanceId, in: tenant) else {
        throw Problem.notFound("the history of \(id) has no instance \(instanceId) of \(attribute)")
      }
    }
  }

  /// The types of an entity that has a history; `nil` when it has none.
  private func types(ofHistory id: String, in tenant: Tenant, _ reader: any StoreReader) throws -> [String]? {
    try reader.evolutions(.latest(of: id, count: 1), in: tenant).entities.first?.types
  }

  /// Marks an attribute of a history as deleted.
  ///
  /// - Returns: false when there is none, or the latest that is known of it is its deletion.
  /// - Throws: `TooManyResults` when the datasets of the attribute cannot be told without reading all of a long history.
  func endHistory(
    of id: String, attribute: String, _ selection: Entity.InstanceSelection, at: DateTime, in tenant: Tenant,
    by writing: Writing, _ writer: any StoreWriter
  ) throws -> Bool {
    try permitHistory(of: .part(id, attribute), adds: false, by: writing, in: tenant, writer)
    var query = EvolutionQuery.latest(of: id, count: 1)
    query.attributes = [attribute]
    switch selection {
    case .defaultInstance: query.datasetIds = ["@none"]
    case .dataset(let datasetId): query.datasetIds = [datasetId]
    case .all:
      query.lastN = nil
      query.newestFirst = true
      query.instanceLimit = limits.temporalInstances
    }
    let page = try writer.evolutions(query, in: tenant)
    guard page.cut == nil else {
      throw Problem(
        .tooManyResults,
        "the history of \(attribute) has more than \(limits.temporalInstances) instances; delete it dataset by dataset")
    }
    var seen: Set<String?> = []
    let marks = (page.entities.first?.attributes.first?.instances ?? []).filter { instance in
      seen.insert(instance.datasetId).inserted && instance.deletedAt == nil
    }.map { HistoryEntry(entityId: id, attribute: attribute, instance: Attribute(markingDeletionOf: $0, at: at)) }
    try writer.append(marks, types: [:], in: tenant)
    return !marks.isEmpty
  }
}

extension Entity {
  /// An entity of which no more is known than that it has an attribute.
  fileprivate static func part(_ id: String, _ attribute: String) -> Entity {
    var entity = Entity(id: id, types: [])
    entity.attributes = [AttributeSet(name: attribute, instances: [])]
    return entity
  }
}

extension [String] {
  /// With those of the others that are not in it yet (clause 5.6.11: types are added, none goes).
  fileprivate func adding(_ others: [String]) -> [String] { self + others.filter { !contains($0) } }
}

extension Entity {
  /// Its attributes as instances of a history.
  ///
  /// - Parameter at: when instances were made and changed that do not say it.
  public func historyEntries(at: DateTime) -> [HistoryEntry] {
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
