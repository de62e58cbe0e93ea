import Hub
import NGSI
import Query
import Store

/// What the entities of an answer link to, by id, and who did not say.
public struct LinkedFinds: Sendable {
  public var entities: [String: Entity] = [:]
  public var warnings: [SourceWarning] = []

  public init() {}
}

extension Federation {
  /// What entities link to, level by level, as the hub and its sources have it (clauses 4.5.23, 5.7.1 and 5.7.2).
  ///
  /// What is not here is asked for where its relationship says by `objectType` what it is (clause 4.5.23.1). All levels
  /// together have ``Limits/linkingSeconds``; a source that did not answer on one is not asked on the next.
  ///
  /// - Parameters:
  ///   - projecting: what of the entities is shown; relationships that are not are not followed.
  ///   - met: ids that are not to be given (`containedBy`).
  ///   - silent: registrations whose sources did not answer when the entities themselves were asked for.
  public func linkedEntities(
    of entities: [Entity], _ projecting: Projecting, levels: Int, met: Set<String>, context: Context,
    silent: Set<String>, _ origin: RequestOrigin
  ) async throws(Problem) -> LinkedFinds {
    var finds = LinkedFinds()
    var silent = silent
    for entity in entities { finds.entities[entity.id] = entity }
    let bound = hub.limits.joinedEntities
    let end = ContinuousClock.now + .seconds(limits.linkingSeconds)
    var seen: Set<Hop> = []
    var frontier = entities.map { (entity: $0, projecting: projecting) }
    for _ in 0..<levels {
      var hops: [Hop] = []
      var wanted = Wanted()
      for (entity, projecting) in frontier {
        for set in projecting.view(entity).entity.attributes {
          for instance in set.instances {
            for id in instance.linkTargets where !met.contains(id) {
              let hop = Hop(id: id, projecting: projecting.linked(through: set.name))
              if seen.insert(hop).inserted { hops.append(hop) }
              if finds.entities[id] == nil { wanted.add(id, instance.objectType) }
            }
          }
        }
      }
      guard finds.entities.count - entities.count + wanted.ids.count <= bound else {
        throw Problem(.tooManyResults, "more than \(bound) linked entities would be joined")
      }
      guard ContinuousClock.now < end else {
        finds.warnings.append(SourceWarning(unasked: "linked entities further on were not asked for: it took too long"))
        break
      }
      try await find(wanted, &finds, context, &silent, origin)
      frontier = hops.compactMap { hop in finds.entities[hop.id].map { ($0, hop.projecting) } }
      if frontier.isEmpty { break }
    }
    return finds
  }

  /// A linked entity as one way leads to it.
  private struct Hop: Hashable {
    var id: String
    var projecting: Projecting
  }

  /// Ids in their order, with the types that relationships say they have.
  private struct Wanted: Sendable {
    private(set) var ids: [String] = []
    private var types: [String: Set<String>] = [:]

    mutating func add(_ id: String, _ types: [String]) {
      if self.types[id] == nil { ids.append(id) }
      self.types[id, default: []].formUnion(types)
    }

    func types(of id: String) -> Set<String> { types[id] ?? [] }
  }

  /// Looks some ids up here, and at the sources that may have entities of their types.
  private func find(
    _ wanted: Wanted, _ finds: inout LinkedFinds, _ context: Context, _ silent: inout Set<String>,
    _ origin: RequestOrigin
  ) async throws(Problem) {
    guard !wanted.ids.isEmpty else { return }
    let (hub, tenant) = (hub, origin.tenant)
    let own = try await OffLoop.run { () throws(Problem) in wanted.ids.compactMap { try? hub.entity($0, in: tenant) } }
    for entity in own { finds.entities[entity.id] = entity }
    var groups: [Set<String>: [String]] = [:]
    for id in wanted.ids {
      let types = wanted.types(of: id).union(finds.entities[id]?.types ?? [])
      if !types.isEmpty { groups[types, default: []].append(id) }
    }
    let unasked = silent
    let pages = await withTaskGroup(of: Result<FederatedPage, Problem>.self) { group in
      for (types, ids) in groups {
        for bundle in Self.bundles(ids) {
          group.addTask {
            var query = EntityQuery()
            query.ids = bundle
            let sorted = types.sorted().map(TypeSelection.type)
            query.types = sorted.count == 1 ? sorted[0] : .any(sorted)
            var asked = FederatedQuery(query, .parameters([]), context: context)
            asked.avoiding = unasked
            do throws(Problem) {
              return .success(
                try await self.query(asked, page: Page(limit: bundle.count), countsTotal: false, origin))
            } catch { return .failure(error) }
          }
        }
      }
      var pages: [Result<FederatedPage, Problem>] = []
      for await page in group { pages.append(page) }
      return pages
    }
    for page in pages {
      let page = try page.get()
      for entity in page.entities { finds.entities[entity.id] = entity }
      for warning in page.warnings where !finds.warnings.contains(warning) { finds.warnings.append(warning) }
      silent.formUnion(page.silent)
    }
  }
}
