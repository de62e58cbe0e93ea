import City
import Hub
import NGSI
import Query
import Store

/// Something that operators have to hear of, as an entity of type `Alert` like any other (Smart Data Models, Alert).
struct CityAlert: Sendable, Hashable {
  /// Told apart from others by this; letters and digits, the rest becomes `-`.
  var id: String
  var subCategory: String
  var isGrave: Bool
  var sentence: String
  var source: String

  fileprivate static let prefix = "urn:ngsi-ld:Alert:"

  /// What it is called in the hub.
  var entityId: String { Self.prefix + id.map { $0.isLetter || $0.isNumber ? String($0) : "-" }.joined() }

  /// Those of a sub-category that stand in the hub and are not over.
  static func open(_ subCategory: String, _ hub: Hub) throws(Problem) -> [CityAlert] {
    var query = EntityQuery()
    query.types = .type(Vocabulary.iri("Alert"))
    query.filter = try Filter(q: "subCategory==\"\(subCategory)\";severity!=\"informational\"", context: .core)
    var found: [CityAlert] = []
    var page = Page(limit: 500)
    while true {
      let part = try hub.entities(query, in: .default, page: page)
      found += part.entities.compactMap { CityAlert($0, subCategory) }
      guard part.hasMore else { return found }
      page.offset += page.limit
    }
  }

  /// Says it in the hub, or that it is over; false when that could not be stored.
  func put(isOver: Bool, _ hub: Hub) async -> Bool {
    let document: JSON = [
      "id": .string(entityId), "type": "Alert",
      "category": ["type": "Property", "value": "security"],
      "subCategory": ["type": "Property", "value": .string(subCategory)],
      "severity": [
        "type": "Property", "value": .string(isOver ? "informational" : isGrave ? "critical" : "medium"),
      ],
      "description": ["type": "Property", "value": .string(isOver ? "Over: " + sentence : sentence)],
      "dateIssued": ["type": "Property", "value": ["@type": "DateTime", "@value": .string(hub.time.description)]],
      "alertSource": ["type": "Property", "value": .string(source)],
    ]
    do throws(Problem) {
      let entity = try EntityReader(context: .core).entity(document)
      let item = BatchItem(id: entity.id ?? "", content: .success(entity))
      return try await hub.batch(.upsertReplace, [item], in: .default).errors.isEmpty
    } catch { return false }
  }
}

extension CityAlert {
  /// As it was said; `nil` for one that the city did not say.
  fileprivate init?(_ entity: Entity, _ subCategory: String) {
    func text(_ name: String) -> String? {
      entity[attribute: Vocabulary.iri(name)]?.instances.first?.value.string
    }
    guard entity.id.hasPrefix(Self.prefix), let source = text("alertSource") else { return nil }
    self.init(
      id: String(entity.id.dropFirst(Self.prefix.count)), subCategory: subCategory,
      isGrave: text("severity") == "critical", sentence: text("description") ?? "", source: source)
  }
}
