import Federation
import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// Writes that several hubs share (ETSI GS CIM 009 clauses 5.6.1 to 5.6.10 and 5.6.17 to 5.6.21).
@Suite struct FederatedWriteTests {
  private let path = "entities/urn:ngsi-ld:Lamp:1"
  private let lamps = #"{"entities": [{"type": "Lamp"}]}"#
  private let level = #"{"entities": [{"type": "Lamp", "id": "urn:ngsi-ld:Lamp:1"}], "propertyNames": ["level"]}"#
  private let writing = #""redirectionOps""#

  private func lamp(_ name: String, _ members: String) -> String {
    #"{"id": "urn:ngsi-ld:Lamp:\#(name)", "type": "Lamp", \#(members)}"#
  }

  private func property(_ name: String, _ value: Int, _ more: String = "") -> String {
    #""\#(name)": {"type": "Property", "value": \#(value)\#(more)}"#
  }

  /// Values by name, as the hub itself has them.
  private func own(_ hub: TestHub, _ id: String = "1") async -> [String: Int] {
    let answer = await hub.get("entities/urn:ngsi-ld:Lamp:\(id)?local=true&format=simplified")
    guard answer.status == 200 else { return [:] }
    let entity = answer.json
    var values: [String: Int] = [:]
    for member in entity.object?.members ?? [] { values[member.key] = member.value.integer.map { Int($0) } }
    return values
  }

  // Clauses: 5.6.2, 5.6.3, 5.6.18, 5.6.19, 4.3.6.3
  @Test func attributesAreChangedWhereTheyAre() async throws {
    try await Districts.with { city in
      await city.register("north.test", level, mode: "exclusive", operations: writing)
      await city.register("south.test", lamps, operations: writing)
      let hub = city.metropolis
      func expect(_ level: Int, _ rest: [String: Int]) async {
        #expect(await own(city.north) == ["level": level])
        for other in [hub, city.south] { #expect(await own(other) == rest) }
      }
      #expect(await hub.post("entities", lamp("1", property("level", 1) + "," + property("colour", 1))).status == 201)
      #expect(await hub.post(path + "/attrs", "{\(property("level", 2)), \(property("owner", 2))}").status == 204)
      await expect(2, ["colour": 1, "owner": 2])
      #expect(await hub.patch(path + "/attrs", "{\(property("level", 3)), \(property("colour", 3))}").status == 204)
      await expect(3, ["colour": 3, "owner": 2])
      #expect(await hub.send(.PUT, path + "/attrs/level", #"{"type": "Property", "value": 4}"#).status == 204)
      #expect(await hub.send(.PUT, path + "/attrs/colour", #"{"type": "Property", "value": 4}"#).status == 204)
      await expect(4, ["colour": 4, "owner": 2])
      let whole = lamp("1", property("level", 5) + "," + property("owner", 5))
      #expect(await hub.send(.PUT, path, whole).status == 204)
      await expect(5, ["owner": 5])
    }
  }

  // Clauses: 5.6.7, 5.6.8, 5.6.9, 5.6.10, 5.6.20
  @Test(arguments: [
    #""createBatch", "upsertBatch", "updateBatch", "mergeBatch", "deleteBatch", "retrieveOps""#,
    #""createEntity", "updateEntity", "replaceEntity", "appendAttrs", "mergeEntity", "deleteEntity", "retrieveOps""#,
  ])
  func batchesOfEveryKindAreSharedOut(_ operations: String) async throws {
    try await Districts.with { city in
      await city.register(
        "north.test", #"{"entities": [{"type": "Lamp", "idPattern": "^urn:ngsi-ld:Lamp:n"}]}"#, mode: "redirect",
        operations: operations)
      let hub = city.metropolis
      func send(_ operation: String, _ members: String) async -> Int {
        await hub.post("entityOperations/\(operation)", "[\(lamp("n1", members)), \(lamp("m1", members))]").status
      }
      func expect(_ values: [String: Int]) async {
        #expect(await own(city.north, "n1") == values)
        #expect(await own(hub, "m1") == values)
        #expect(await [own(hub, "n1"), own(city.north, "m1")] == [[:], [:]])
      }
      #expect(await send("create", property("level", 1)) == 201)
      await expect(["level": 1])
      #expect(await send("upsert?options=update", property("owner", 2)) == 204)
      await expect(["level": 1, "owner": 2])
      #expect(await send("upsert", property("level", 3)) == 204)
      await expect(["level": 3])
      #expect(await send("update", property("level", 4) + "," + property("owner", 4)) == 204)
      await expect(["level": 4, "owner": 4])
      _ = await send("update?options=noOverwrite", property("level", 5) + "," + property("colour", 5))
      await expect(["level": 4, "owner": 4, "colour": 5])
      #expect(await send("merge", property("owner", 6)) == 204)
      await expect(["level": 4, "owner": 6, "colour": 5])
      let ids = #"["urn:ngsi-ld:Lamp:n1", "urn:ngsi-ld:Lamp:m1"]"#
      #expect(await hub.post("entityOperations/delete", ids).status == 204)
      await expect([:])
    }
  }

  // Clauses: 5.6.21
  @Test func aPurgeReachesTheSources() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps, operations: #""purgeEntity", "retrieveOps""#)
      let hub = city.metropolis
      for (place, name) in [(hub, "m"), (city.north, "n")] {
        for value in 1...2 {
          _ = await place.post(
            "entities", lamp("\(name)\(value)", property("level", value) + "," + property("owner", 0)))
        }
      }
      #expect(await hub.delete("entities?type=Lamp&q=level==1").status == 204)
      #expect(await hub.get("entities?type=Lamp").ids == ["urn:ngsi-ld:Lamp:m2", "urn:ngsi-ld:Lamp:n2"])
      #expect(await hub.delete("entities?type=Lamp&drop=owner").status == 204)
      #expect(await own(city.north, "n2") == ["level": 2])
      #expect(await hub.delete("entities?type=Lamp&local=true").status == 204)
      #expect(await hub.get("entities?type=Lamp").ids == ["urn:ngsi-ld:Lamp:n2"])
      // What a source holds alone and cannot purge is a conflict.
      await city.register(
        "south.test", #"{"entities": [{"type": "Pump"}]}"#, mode: "redirect", operations: #""retrieveOps""#)
      #expect(await hub.delete("entities?type=Pump").status == 207)
    }
  }

  // Clauses: 5.12, 5.6.2, 5.6.6, 5.6.10
  @Test func whatIsHereAndNotRegisteredStaysHere() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps, mode: "redirect", operations: writing)
      let hub = city.metropolis
      for number in 1...3 { _ = await hub.post("entities", #"{"id": "urn:ngsi-ld:Pump:\#(number)", "type": "Pump"}"#) }
      // The request does not say that it is a pump; the hub knows.
      #expect(await hub.post("entities/urn:ngsi-ld:Pump:1/attrs", "{\(property("level", 1))}").status == 204)
      #expect(await hub.patch("entities/urn:ngsi-ld:Pump:1/attrs/level", #"{"value": 2}"#).status == 204)
      #expect(await hub.delete("entities/urn:ngsi-ld:Pump:2").status == 204)
      #expect(await hub.post("entityOperations/delete", #"["urn:ngsi-ld:Pump:3"]"#).status == 204)
      #expect(city.network.calls.isEmpty)
      #expect(await hub.get("entities/urn:ngsi-ld:Pump:1").json["level"]?["value"] == 2)
    }
  }

  // Clauses: 5.6.2, 5.6.6, 6.3.17
  @Test func whatOneOfThemDoesNotHaveIsTold() async throws {
    try await Districts.with { city in
      let hub = city.metropolis
      await city.register("south.test", lamps, operations: writing)
      _ = await city.south.post("entities", lamp("9", property("level", 1)))
      // The source has it, the hub has not.
      let there = await hub.patch("entities/urn:ngsi-ld:Lamp:9/attrs", "{\(property("level", 2))}")
      #expect(there.status == 207 && there.json["success"] == ["urn:ngsi-ld:Lamp:9"])
      #expect(there.json["errors"]?.items.first?["error"]?["status"] == 404)
      #expect(await own(city.south, "9") == ["level": 2])
      #expect(await hub.delete("entities/urn:ngsi-ld:Lamp:9").status == 207)
      #expect(await hub.delete("entities/urn:ngsi-ld:Lamp:9").status == 404)
      // Nor is lost in silence what one alone holds and does not have: in a batch neither.
      let north = await city.register("north.test", level, mode: "exclusive", operations: #""updateEntity""#)
      _ = await hub.post("entities?local=true", lamp("1", property("colour", 1)))
      for answer in [
        await hub.patch(path + "/attrs?type=Lamp", "{\(property("level", 2)), \(property("colour", 2))}"),
        await hub.post("entityOperations/update", "[\(lamp("1", property("level", 3) + "," + property("colour", 3)))]"),
      ] {
        #expect(answer.status == 207, "\(answer.text)")
        let errors = answer.json["errors"]?.items ?? []
        #expect(errors.contains { $0["registrationId"]?.string == north && $0["error"]?["status"] == 404 })
      }
      #expect(await own(hub) == ["colour": 3])
    }
  }

  // Clauses: 5.6.12, 5.6.16, 6.3.17
  @Test func aPartOfAHistoryThatIsNowhereIsTold() async throws {
    try await Districts.with { city in
      let hub = city.metropolis
      let known = #""observationInterval": {"startAt": "2026-01-01T00:00:00Z"}"#
      let time = #", "observedAt": "2026-01-02T00:00:00Z""#
      await city.register(
        "south.test", lamps, operations: #""appendAttrsTemporal", "deleteTemporal""#, more: known)
      _ = await city.south.post("temporal/entities", lamp("9", property("level", 1, time)))
      // A history is changed where it is; nothing is wrong where it is not.
      let history = "temporal/entities/urn:ngsi-ld:Lamp:9"
      #expect(await hub.post(history + "/attrs", "{\(property("colour", 2, time))}").status == 204)
      #expect(await hub.delete(history).status == 204)
      #expect(await hub.delete(history).status == 404)
      await city.register(
        "north.test", level, mode: "exclusive", operations: #""appendAttrsTemporal""#, more: known)
      _ = await hub.post("temporal/entities?local=true", lamp("1", property("colour", 1, time)))
      let lost = await hub.post(
        "temporal/" + path + "/attrs", "{\(property("level", 2, time)), \(property("colour", 2, time))}")
      #expect(lost.status == 207 && lost.json["errors"]?.items.count == 1, "\(lost.text)")
    }
  }
}
