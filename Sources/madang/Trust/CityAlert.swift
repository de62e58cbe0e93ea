import Hub
import NGSI

/// Something that operators have to hear of, as an entity of type `Alert` like any other (Smart Data Models, Alert).
struct CityAlert: Sendable, Hashable {
  /// Told apart from others by this; letters and digits, the rest becomes `-`.
  var id: String
  var subCategory: String
  var isGrave: Bool
  var sentence: String
  var source: String

  /// Says it in the hub, or that it is over; false when that could not be stored.
  func put(isOver: Bool, _ hub: Hub) async -> Bool {
    let name = id.map { $0.isLetter || $0.isNumber ? String($0) : "-" }.joined()
    let document: JSON = [
      "id": .string("urn:ngsi-ld:Alert:" + name), "type": "Alert",
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
