import NGSI
import Query

extension StoreReader {
  /// Types, scopes and latest values of an entity of which only the history is left; `nil` without one.
  public func lastState(of id: String, in tenant: Tenant) throws -> Entity? {
    var query = EvolutionQuery.latest(of: id, count: 2)
    query.datasetIds = ["@none"]
    guard var entity = try evolutions(query, in: tenant).entities.first else { return nil }
    // The mark of the deletion is the latest; before it lies what there was.
    for set in entity.attributes {
      let latest = set.instances.first { $0.deletedAt == nil }
      if set.name == Core.scope { entity.scopes = latest?.value.items.compactMap(\.string) ?? [] }
      entity[attribute: set.name] =
        set.name == Core.scope ? nil : latest.map { AttributeSet(name: set.name, instances: [$0]) }
    }
    return entity
  }
}

extension EvolutionQuery {
  /// The latest instances of each attribute of one entity.
  public static func latest(of id: String, count: Int) -> EvolutionQuery {
    var entities = EntityQuery()
    entities.ids = [id]
    var query = EvolutionQuery(entities: entities, page: Page(limit: 1), instanceLimit: count)
    query.lastN = count
    query.newestFirst = true
    return query
  }
}
