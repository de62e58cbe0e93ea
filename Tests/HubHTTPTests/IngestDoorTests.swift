import NGSI
import NIOCore
import NIOHTTP1
import Store
import Testing

@testable import Hub
@testable import HubHTTP

@Suite("Doors for messages of other standards")
struct IngestDoorTests {
  /// Takes `[{"id", "n", "at"}]`; a number is refused by the door, a text by the hub.
  private static let door = IngestDoor(id: "test", mediaTypes: ["application/json"], context: .null) {
    (message, _) throws(Problem) in
    guard let items = message.array else { throw .badRequest("a list is expected") }
    var reading = IngestDoor.Reading(entities: [], refused: [])
    for item in items {
      guard let id = item["id"] else {
        reading.refused.append((nil, JSONWriter.text(item), .badRequest("an item has an id")))
        continue
      }
      reading.entities.append([
        "id": id, "type": "Thing",
        "n": ["type": "Property", "value": item["n"] ?? .null, "observedAt": item["at"] ?? "2026-01-01T00:00:00Z"],
      ])
    }
    return reading
  }

  private func post(_ hub: TestHub, _ body: String, type: String = "application/json", to id: String = "test") async
    -> Answer
  {
    let request = APIRequest(
      method: .POST, path: "ingest/\(id)", headers: HTTPHeaders([("Content-Type", type)]),
      body: ByteBuffer(string: body))
    return Answer(await CityAPI(hub: hub.hub, doors: [Self.door]).respond(to: request))
  }

  @Test("readings are taken in order, each a step of the history; what is refused is told and kept")
  func taking() async throws {
    try await withHub { hub in
      let good = #"[{"id": "urn:t:1", "n": 1}, {"id": "urn:t:1", "n": 2, "at": "2026-01-01T01:00:00Z"}]"#
      #expect(await post(hub, good).status == 204)
      #expect(await hub.get("entities/urn:t:1?options=keyValues").json["n"] == 2)
      let history = await hub.get("temporal/entities/urn:t:1?options=temporalValues")
      #expect(history.json["n"]?["values"]?.array?.count == 2, "\(history.text)")

      let mixed = await post(hub, #"[{"id": "urn:t:2", "n": 1}, {"id": "no uri", "n": 1}, {"n": 5}]"#)
      #expect(mixed.status == 207 && mixed.json["taken"] == 1 && mixed.json["errorCount"] == 2)
      #expect(await post(hub, #"[{"n": 6}]"#).status == 400)
      #expect(await post(hub, "{").status == 400)
      #expect(await post(hub, "[]", type: "text/plain").status == 415)
      #expect(await post(hub, "[]", to: "other").status == 404)
      let lines = await hub.city(.GET, "refusals?door=ingest%20test&count=true")
      #expect(lines.header("NGSILD-Results-Count") == "4")
      #expect(lines.json.array?.contains { $0["sample"] == #"{"n":6}"# && $0["count"] == 2 } == true)
    }
  }
}
