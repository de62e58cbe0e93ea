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

/// Puts what relationships point at beside or into the entities of an answer.
///
/// An entity that has been met before is not given again, so that circles end and an answer grows no faster than the
/// number of linked entities.
struct Joiner {
  let reader: any StoreReader
  let tenant: Tenant
  /// Most entities that may be joined.
  let bound: Int
  let now: DateTime
  /// Ids of entities that are not given (`containedBy`).
  let contained: Set<String>
  /// Entities that have been looked up, and count before those of the store.
  let found: [String: Entity]
  /// What of a linked entity may be shown; `nil` for nothing.
  let prepare: (Entity) -> Entity?
  private var joined = 0

  init(
    reader: any StoreReader, tenant: Tenant, bound: Int, now: DateTime, contained: Set<String> = [],
    found: [String: Entity] = [:], prepare: @escaping (Entity) -> Entity? = { $0 }
  ) {
    self.reader = reader
    self.tenant = tenant
    self.bound = bound
    self.now = now
    self.contained = contained
    self.found = found
    self.prepare = prepare
  }

  private struct Target {
    let link: LinkedEntities.Link
    let entity: Entity
  }

  /// What the entity links to and has not been met; each is met now.
  private mutating func targets(of entity: Entity, _ met: inout Set<String>) throws -> [Target] {
    var targets: [Target] = []
    for set in entity.attributes {
      for id in set.instances.flatMap(\.linkTargets) where !met.contains(id) {
        guard let linked = try found[id] ?? reader.entity(id, in: tenant), let target = prepare(linked),
          target.expiresAt.map({ $0 > now }) ?? true
        else { continue }
        guard joined < bound else {
          throw Problem(.tooManyResults, "more than \(bound) linked entities would be joined")
        }
        joined += 1
        met.insert(id)
        targets.append(Target(link: .init(set.name, id), entity: target))
      }
    }
    return targets
  }

  /// The entity with linked entities inside its relationships, this many levels deep.
  mutating func inline(_ entity: Entity, _ projecting: Projecting, levels: Int) throws -> EntityView {
    var met = contained.union([entity.id])
    return try nested(projecting.view(entity), projecting, levels, &met)
  }

  private mutating func nested(
    _ view: EntityView, _ projecting: Projecting, _ levels: Int, _ met: inout Set<String>
  ) throws -> EntityView {
    guard levels > 0 else { return view }
    var view = view
    for target in try targets(of: view.entity, &met) {
      let inner = projecting.linked(through: target.link.relationship)
      view.linked.views[target.link] = try nested(inner.view(target.entity), inner, levels - 1, &met)
    }
    return view
  }

  /// The entities, followed by what they link to, level by level.
  mutating func flat(_ entities: [Entity], _ projecting: Projecting, levels: Int) throws -> [EntityView] {
    var met = contained.union(entities.map(\.id))
    var all = entities.map { projecting.view($0) }
    var frontier = all.map { ($0, projecting) }
    for _ in 0..<levels {
      var next: [(EntityView, Projecting)] = []
      for (view, projecting) in frontier {
        for target in try targets(of: view.entity, &met) {
          let inner = projecting.linked(through: target.link.relationship)
          next.append((inner.view(target.entity), inner))
        }
      }
      if next.isEmpty { break }
      all += next.map(\.0).sorted { $0.entity.id < $1.entity.id }
      frontier = next
    }
    return all
  }
}

extension Hub {
  /// The entities as an answer shows them, with linked entities beside or inside them.
  ///
  /// - Parameters:
  ///   - contained: ids of entities that are not given along.
  ///   - found: linked entities as others have them, which count before those of the store.
  /// - Throws: `TooManyResults` when there are more than ``Limits/joinedEntities``.
  public func views(
    of entities: [Entity], _ projecting: Projecting, join: JoinForm?, levels: Int, contained: Set<String> = [],
    found: [String: Entity] = [:], in tenant: Tenant
  ) throws(Problem) -> [EntityView] {
    guard let join else { return entities.map { projecting.view($0) } }
    let visibility = try visibility(in: tenant)
    return try read { reader in
      var joiner = Joiner(
        reader: reader, tenant: tenant, bound: self.limits.joinedEntities, now: self.now(), contained: contained,
        found: found
      ) { linked in
        guard let visibility else { return linked }
        return visibility.given(linked)
      }
      switch join {
      case .flat: return try joiner.flat(entities, projecting, levels: levels)
      case .inline: return try entities.map { try joiner.inline($0, projecting, levels: levels) }
      }
    }
  }
}
