import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

// Clauses: 4.7.1
/// Polygons that cross themselves, at every door (docs/decisions/005-crossing-polygons.md).
@Suite struct GeometryTests {
  private let bowTie = #"{"type": "Polygon", "coordinates": [[[0,0],[2,2],[2,0],[0,2],[0,0]]]}"#
  private let square = #"{"type": "Polygon", "coordinates": [[[0,0],[2,0],[2,2],[0,2],[0,0]]]}"#
  private let path = "entities/urn:ngsi-ld:Room:1"

  private func location(_ geometry: String) -> String { #""location": {"type": "GeoProperty", "value": \#(geometry)}"# }

  @Test func crossingPolygonsAreRefusedEverywhere() async throws {
    try await withHub { hub in
      #expect(await hub.post("entities", room(1, location(square))).status == 201)
      let stored = await hub.get(path).json
      let fragment = "{\(location(bowTie))}"
      for answer in [
        await hub.post("entities", room(2, location(bowTie))),
        await hub.post("entities", room(2, #""a": {"type": "Property", "value": 1, \#(location(bowTie))}"#)),
        await hub.patch(path, fragment), await hub.patch(path + "/attrs", fragment),
        await hub.post(path + "/attrs", fragment), await hub.send(.PUT, path, room(1, location(bowTie))),
        await hub.patch(path + "/attrs/location", #"{"type": "GeoProperty", "value": \#(bowTie)}"#),
        await hub.send(.PUT, path + "/attrs/location", #"{"type": "GeoProperty", "value": \#(bowTie)}"#),
        // Only the coordinates: what they make shows with the entity.
        await hub.patch(
          path, #"{"location": {"type": "GeoProperty", "value": {"coordinates": [[[0,0],[2,2],[2,0],[0,2],[0,0]]]}}}"#),
        await hub.post("temporal/entities", room(2, location(bowTie))),
        await hub.post("temporal/" + path + "/attrs", fragment),
      ] {
        #expect(answer.problem == "BadRequestData")
        #expect(answer.json["detail"]?.string?.contains("location") == true, "\(answer.text)")
      }
      let batch = await hub.post(
        "entityOperations/upsert", "[\(room(3, location(square))), \(room(4, location(bowTie)))]")
      #expect(batch.status == 207 && batch.json["success"] == ["urn:ngsi-ld:Room:3"])
      #expect(batch.json["errors"]?.array?.map { $0["entityId"] } == ["urn:ngsi-ld:Room:4"])
      #expect(await hub.get(path).json == stored)
      #expect(await hub.get("entities?type=Room").ids == ["urn:ngsi-ld:Room:1", "urn:ngsi-ld:Room:3"])
    }
  }

  /// A geometry is patched whole or not at all, so that what a patch makes has been looked at before the transaction.
  @Test func geometriesAreNotMadeOfParts() async throws {
    try await withHub { hub in
      let boxed = square.replacing("{", with: #"{"bbox": [0,0,2,2], "#)
      #expect(await hub.post("entities", room(1, location(boxed))).status == 201)
      let crossing = #"{"coordinates": [[[0,0],[2,2],[2,0],[0,2],[0,0]]]}"#
      for patch in [
        #"{"location": {"type": "GeoProperty", "value": \#(crossing)}}"#, #"{"location": {"value": \#(crossing)}}"#,
        #"{"location": \#(crossing)}"#, "{\(location(bowTie))}", #"{"location": \#(bowTie)}"#,
      ] {
        _ = await hub.patch(path, patch)
        _ = await hub.patch(path + "?options=simplified", patch)
        _ = await hub.post("entityOperations/merge", "[\(room(1, String(patch.dropFirst().dropLast())))]")
        let kept = try JSONParser.parse(boxed)
        #expect(await hub.get(path).json["location"]?["value"] == kept, "\(patch)")
      }
      #expect(await hub.patch(path, "{\(location(square.replacing("2", with: "3")))}").status == 204)
      let merged = await hub.get(path).json["location"]?["value"]
      #expect(merged?["coordinates"] == [[[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]])
    }
  }

  /// A sliver that a slip of the hand cut off is stored as it came, and judged as it was meant.
  @Test func sliversAreKept() async throws {
    try await withHub { hub in
      let drawn = #"{"type": "Polygon", "coordinates": [[[0,0],[0.001,0],[0,-1],[100,-1],[100,-0.0005],[0,0]]]}"#
      #expect(await hub.post("entities", room(1, location(drawn))).status == 201)
      let kept = try JSONParser.parse(drawn)
      #expect(await hub.get(path).json["location"]?["value"] == kept)
      let query = "entities?type=Room&geometry=Point&coordinates=%5B50,-0.5%5D&georel="
      #expect(await hub.get(query + "contains").ids.count == 1)
      #expect(await hub.get(query + "disjoint").ids.isEmpty)
    }
  }
}
