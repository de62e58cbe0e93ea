import NGSI
import Query
import Store

/// What there is of types and attributes as far as a caller may see: counted entity by entity.
struct SeenSummary {
  private(set) var count = 0
  private var byType: [String: (count: Int, attributes: [String: (count: Int, kinds: Set<AttributeKind>)])] = [:]
  private var byAttribute: [String: (count: Int, kinds: Set<AttributeKind>, types: Set<String>)] = [:]

  private static let step = 1000

  init(_ visibility: EntityVisibility, _ reader: any StoreReader, in tenant: Tenant) throws {
    var query = EntityQuery()
    query.visibility = visibility
    var page = Page(limit: Self.step)
    while true {
      let found = try reader.entities(query, in: tenant, page: page, countsTotal: false)
      for entity in found.entities { add(entity) }
      guard found.hasMore else { return }
      page.offset += page.limit
    }
  }

  private mutating func add(_ entity: Entity) {
    count += 1
    for type in entity.types { byType[type, default: (0, [:])].count += 1 }
    for set in entity.attributes {
      let kinds = set.instances.map(\.kind)
      byAttribute[set.name, default: (0, [], [])].count += 1
      byAttribute[set.name]?.kinds.formUnion(kinds)
      byAttribute[set.name]?.types.formUnion(entity.types)
      for type in entity.types {
        byType[type]?.attributes[set.name, default: (0, [])].count += 1
        byType[type]?.attributes[set.name]?.kinds.formUnion(kinds)
      }
    }
  }

  var types: [TypeSummary] {
    byType.sorted { $0.key < $1.key }.map { type, found in
      TypeSummary(
        type: type, entityCount: found.count,
        attributes: found.attributes.sorted { $0.key < $1.key }.map { name, one in
          AttributeSummary(
            attribute: name, kinds: Self.sorted(one.kinds), entityCount: one.count, types: [type])
        })
    }
  }

  var attributes: [AttributeSummary] {
    byAttribute.sorted { $0.key < $1.key }.map { name, one in
      AttributeSummary(
        attribute: name, kinds: Self.sorted(one.kinds), entityCount: one.count, types: one.types.sorted())
    }
  }

  private static func sorted(_ kinds: Set<AttributeKind>) -> [AttributeKind] {
    kinds.sorted { "\($0)" < "\($1)" }
  }
}
