import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

@Suite struct BatchTests {
  // Clauses: 5.6.7, 5.6.8, 5.6.9, 5.6.10, 5.6.20, 5.2.16, 5.2.17, 6.14, 6.15, 6.16, 6.17, 6.31
  @Test func eachItemHasItsResult() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", room(1))
      let body = "[\(room(1)), \(room(2)), {\"id\": \"nouri\", \"type\": \"T\"}, 7]"
      let created = await hub.post("entityOperations/create", body)
      #expect(created.status == 207 && created.json["success"] == ["urn:ngsi-ld:Room:2"])
      let errors = created.json["errors"]?.array ?? []
      #expect(errors.compactMap { $0["entityId"]?.string }.contains("urn:ngsi-ld:Room:1") && errors.count == 3)
      #expect(errors.allSatisfy { $0["error"]?["title"] != nil })
      let upserted = await hub.post("entityOperations/upsert", "[\(room(2)), \(room(3))]")
      #expect(upserted.status == 201 && upserted.json == ["urn:ngsi-ld:Room:3"])
      #expect(await hub.post("entityOperations/upsert", "[\(room(3))]").status == 204)
      #expect(await hub.post("entityOperations/update", "[\(room(3)), \(room(4))]").status == 207)
      let merged = await hub.post("entityOperations/merge", "[\(room(3, #""temperature": {"value": 5}"#))]")
      #expect(merged.status == 204)
      let kept = await hub.post(
        "entityOperations/update?options=noOverwrite",
        "[\(room(3, #""temperature": {"type": "Property", "value": 9}"#))]")
      #expect(kept.status == 207)
      #expect(await hub.get("entities/urn:ngsi-ld:Room:3?format=simplified").json["temperature"] == 5)
      let deleted = await hub.post(
        "entityOperations/delete", #"["urn:ngsi-ld:Room:1", "urn:ngsi-ld:Room:1", "urn:x:9"]"#)
      #expect(deleted.status == 207 && deleted.json["success"] == ["urn:ngsi-ld:Room:1"])
      #expect(deleted.json["errors"]?.array?.count == 2)
    }
  }

  // Clauses: 5.5.11, 4.6.6
  /// An id that stands several times: each is one change, in order, with its place in the history.
  @Test func idsMayStandTwice() async throws {
    try await withHub { hub in
      let items = (1...3).map { room(1, #""temperature": {"type": "Property", "value": \#($0)}"#) }
      let created = await hub.post("entityOperations/create", "[\(items.joined(separator: ","))]")
      #expect(created.status == 207 && created.json["errors"]?.array?.count == 2)
      hub.clock.move(1)
      #expect(await hub.post("entityOperations/upsert", "[\(items.joined(separator: ","))]").status == 204)
      #expect(await hub.get("entities/urn:ngsi-ld:Room:1?format=simplified").json["temperature"] == 3)
      let history = await hub.get("temporal/entities/urn:ngsi-ld:Room:1?options=temporalValues&timeproperty=modifiedAt")
        .json
      #expect(history["temperature"]?["values"]?.array?.compactMap { $0.array?.first } == [1, 1, 2, 3])
    }
  }

  // Clauses: 5.6.7, 5.6.10
  @Test func batchesAreBounded() async throws {
    var limits = Limits()
    limits.batchEntities = 2
    try await withHub(limits: limits) { hub in
      let tooMany = await hub.post("entityOperations/create", "[\(room(1)), \(room(2)), \(room(3))]")
      #expect(tooMany.status == 413)
      #expect(await hub.post("entityOperations/create", "[]").problem == "BadRequestData")
      #expect(await hub.post("entityOperations/create", "[null]").problem == "BadRequestData")
      #expect(await hub.post("entityOperations/create", "{}").problem == "BadRequestData")
      #expect(await hub.post("entityOperations/delete", "[1]").problem == "BadRequestData")
    }
  }

  // Clauses: 6.3.5, 5.2.3
  @Test func aBatchCarriesItsContextsItself() async throws {
    try await withHub { hub in
      let station = #"{"id": "urn:x:1", "type": "Station", "@context": "\#(TestContexts.city)"}"#
      let plain = #"{"id": "urn:x:2", "type": "Station"}"#
      let ld = ["Content-Type": "application/ld+json"]
      let answer = await hub.post("entityOperations/create", "[\(station), \(plain)]", headers: ld)
      #expect(answer.status == 207 && answer.json["success"] == ["urn:x:1"])
      var both = ld
      both["Link"] = "<\(TestContexts.city)>; rel=\"http://www.w3.org/ns/json-ld#context\""
      #expect(await hub.post("entityOperations/create", "[\(station)]", headers: both).status == 400)
      #expect(await hub.get("entities/urn:x:1").json["type"] == "https://example.org/Station")
    }
  }

  // Clauses: 5.6.21, 6.4
  @Test func purgeTakesEntitiesOrAttributes() async throws {
    try await withHub { hub in
      let rooms = (1...700).map {
        room($0, #""a": {"type": "Property", "value": \#($0)}, "b": {"type": "Property", "value": 1}"#)
      }
      #expect(await hub.post("entityOperations/create", "[\(rooms.joined(separator: ","))]").status == 201)
      #expect(await hub.delete("entities?type=Room&drop=b").status == 204)
      let count = { (target: String) in await hub.get(target + "&limit=0&count=true").header("NGSILD-Results-Count") }
      #expect(await count("entities?type=Room&attrs=b") == "0")
      #expect(await count("entities?type=Room&attrs=a") == "700")
      #expect(await hub.delete("entities?type=Room&q=a%3E100").status == 204)
      #expect(await count("entities?type=Room") == "100")
      #expect(await hub.delete("entities").status == 400)
      #expect(await hub.delete("entities?type=Room&keep=a&drop=b").status == 400)
    }
  }
}
