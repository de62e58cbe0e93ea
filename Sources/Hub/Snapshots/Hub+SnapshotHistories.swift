import NGSI
import Query
import Store

extension Hub {
  /// Ids of the entities whose histories are to be kept in a snapshot.
  ///
  /// - Throws: `TooManyResults` when there are more than a snapshot may have.
  public func historyIdsToKeep(_ query: EvolutionQuery, in tenant: Tenant) throws(Problem) -> [String] {
    var asked = query
    asked.page = Page(limit: limits.snapshotEntities + 1)
    (asked.instanceLimit, asked.showsInstanceIds, asked.countsTotal) = (1, false, false)
    let ids = try evolutions(asked, in: tenant).entities.map(\.id)
    guard ids.count <= limits.snapshotEntities else { throw tooMuchForSnapshot }
    return ids
  }

  /// The instances of one entity that a query selects.
  ///
  /// - Throws: `TooManyResults` when an attribute has more than ``Limits/temporalInstances`` of them.
  public func historyToKeep(of id: String, _ query: EvolutionQuery, in tenant: Tenant) throws(Problem) -> (
    entries: [HistoryEntry], types: [String]
  ) {
    var asked = query
    (asked.entities.ids, asked.entities.idPattern, asked.entities.order) = ([id], nil, [])
    (asked.page, asked.instanceLimit, asked.showsInstanceIds) = (Page(limit: 1), limits.temporalInstances, true)
    let found = try read { try $0.evolutions(asked, in: tenant) }
    guard found.cut == nil else {
      throw Problem(
        .tooManyResults,
        "the history of \(id) has more than \(limits.temporalInstances) instances of an attribute; narrow the time")
    }
    guard let entity = found.entities.first else { return ([], []) }
    var entries: [HistoryEntry] = []
    for set in entity.attributes {
      for instance in set.instances {
        entries.append(HistoryEntry(entityId: id, attribute: set.name, instance: instance))
      }
    }
    return (entries, entity.types)
  }

  /// Returns once there may be snapshots to fill, after this count of ``snapshotWakes``.
  public func waitForSnapshots(after count: Int) async { await snapshotWork.wait(after: count) }

  public var snapshotWakes: Int { snapshotWork.count }

  /// The snapshot that another is a copy of; `nil` when it has ended.
  public func origin(of snapshot: Snapshot) -> Snapshot? {
    guard let id = snapshot.origin, let origin = snapshots.snapshot(id, in: snapshot.tenant),
      origin.createdAt <= snapshot.createdAt
    else { return nil }
    return origin
  }
}
