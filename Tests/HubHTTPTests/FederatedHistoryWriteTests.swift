import Federation
import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// Histories that are written where registrations say (ETSI GS CIM 009 clauses 5.6.11 to 5.6.16).
@Suite struct FederatedHistoryWriteTests {
  private let id = "urn:ngsi-ld:Lamp:1"
  private let path = "temporal/entities/urn:ngsi-ld:Lamp:1"
  private let lamps = #"{"entities": [{"type": "Lamp"}]}"#
  private let level = #"{"entities": [{"type": "Lamp", "id": "urn:ngsi-ld:Lamp:1"}], "propertyNames": ["level"]}"#
  private let known = #""observationInterval": {"startAt": "2026-01-01T00:00:00Z"}"#
  private let writes =
    #""upsertTemporal", "appendAttrsTemporal", "deleteAttrsTemporal", "updateAttrInstanceTemporal","#
    + #""deleteAttrInstanceTemporal", "deleteTemporal", "retrieveTemporal""#

  private func instance(_ value: Int, _ day: Int) -> String {
    #"{"type": "Property", "value": \#(value), "observedAt": "2026-01-0\#(day)T00:00:00Z"}"#
  }

  private func values(_ hub: TestHub, _ name: String) async -> [Int] {
    let history = await hub.get(path + "?local=true").json
    return (history[name]?.items ?? []).compactMap { $0["value"]?.integer.map { Int($0) } }
  }

  private func history(_ members: String) -> String { #"{"id": "\#(id)", "type": "Lamp", \#(members)}"# }

  // Clauses: 5.6.11, 5.6.12, 5.6.13, 5.6.14, 5.6.15, 5.6.16, 6.18, 6.19, 6.20, 6.21, 6.22
  @Test func eachPartIsWrittenWhereItIsRegistered() async throws {
    try await Districts.with { city in
      await city.register("north.test", level, mode: "exclusive", operations: writes, more: known)
      await city.register("south.test", lamps, operations: writes, more: known)
      let hub = city.metropolis
      // Ids of instances are those of their hub.
      _ = await city.south.post(
        "temporal/entities", #"{"id": "urn:ngsi-ld:Lamp:2", "type": "Lamp", "owner": [\#(instance(0, 1))]}"#)
      let made = await hub.post(
        "temporal/entities", history(#""level": [\#(instance(1, 1))], "owner": [\#(instance(2, 1))], "scope": "/a""#))
      #expect(made.status == 201 && made.header("Location")?.hasSuffix(id) == true)
      // One holds the level alone; the hub and the other hold the rest both.
      #expect(await [values(city.north, "level"), values(city.north, "owner")] == [[1], []])
      for other in [hub, city.south] {
        #expect(await [values(other, "owner"), values(other, "level")] == [[2], []])
        #expect(await other.get(path + "?local=true").json["scope"] != nil)
      }
      let more = #"{"level": [\#(instance(3, 2))], "owner": [\#(instance(4, 2))]}"#
      #expect(await hub.post(path + "/attrs", more).status == 204)
      #expect(await hub.post("temporal/entities", history(#""level": [\#(instance(5, 3))]"#)).status == 204)
      #expect(await values(city.north, "level") == [1, 3, 5])
      #expect(await [values(hub, "owner"), values(city.south, "owner")] == [[2, 4], [2, 4]])
      // One instance has its own id wherever it is; nothing is wrong where it is not.
      func instanceId(_ hub: TestHub, _ name: String) async -> String {
        await hub.get(path + "?local=true").json[name]?.items.first?["instanceId"]?.string ?? ""
      }
      let there = await hub.patch(
        path + "/attrs/level/\(instanceId(city.north, "level"))", instance(7, 1))
      #expect(there.status == 204, "\(there.text)")
      #expect(await values(city.north, "level") == [7, 3, 5])
      let here = await hub.patch(path + "/attrs/owner/\(instanceId(hub, "owner"))", instance(8, 1))
      #expect(here.status == 204, "\(here.text)")
      #expect(await [values(hub, "owner"), values(city.south, "owner")] == [[8, 4], [2, 4]])
      #expect(await hub.delete(path + "/attrs/owner/\(instanceId(city.south, "owner"))").status == 204)
      #expect(await [values(hub, "owner"), values(city.south, "owner")] == [[8, 4], [4]])
      #expect(await hub.delete(path + "/attrs/owner/urn:ngsi-ld:none").status == 404)
      #expect(await hub.delete(path + "/attrs/level").status == 204)
      #expect(await [values(city.north, "level"), values(hub, "owner")] == [[], [8, 4]])
      #expect(await hub.delete(path + "/attrs/owner?deleteAll=true").status == 204)
      #expect(await [values(hub, "owner"), values(city.south, "owner")] == [[], []])
      #expect(await hub.delete(path).status == 204)
      for hub in [hub, city.south] { #expect(await hub.get(path + "?local=true").status == 404) }
    }
  }

  // Clauses: 5.6.11, 5.6.12, 5.6.16, 6.3.17, 4.3.6.4
  @Test func whatCannotBeDoneThereIsTold() async throws {
    try await Districts.with { city in
      let north = await city.register(
        "north.test", level, mode: "exclusive", operations: #""upsertTemporal""#, more: known)
      let hub = city.metropolis
      _ = await hub.post("temporal/entities", history(#""level": [\#(instance(1, 1))], "owner": [\#(instance(2, 1))]"#))
      // It takes no additions: a conflict, beside which the rest is done.
      let partly = await hub.post(
        path + "/attrs", #"{"level": [\#(instance(3, 2))], "owner": [\#(instance(4, 2))]}"#)
      #expect(partly.status == 207 && partly.json["success"] == [.string(id)], "\(partly.text)")
      let error = partly.json["errors"]?.items.first
      #expect(error?["registrationId"]?.string == north && error?["error"]?["status"] == 409)
      #expect(await values(hub, "owner") == [2, 4])
      #expect(await hub.post(path + "/attrs", #"{"level": [\#(instance(3, 2))]}"#).status == 409)
      city.network.fail("north.test", with: .late)
      #expect(await hub.post("temporal/entities", history(#""level": [\#(instance(5, 3))]"#)).status == 504)
      city.network.fail("north.test", with: nil)
      // What lies before the time that it knows stays here.
      city.network.forgetCalls()
      let old = #"{"type": "Property", "value": 6, "observedAt": "2025-01-01T00:00:00Z"}"#
      #expect(await hub.post("temporal/entities", history(#""level": [\#(old)]"#)).status == 204)
      #expect(city.network.calls.isEmpty)
      #expect(await values(hub, "level") == [6])
      // A source of the present is written no past.
      await city.register("south.test", lamps, operations: #""redirectionOps""#)
      #expect(await hub.post("temporal/entities", history(#""owner": [\#(instance(7, 5))]"#)).status == 204)
      #expect(city.network.calls.isEmpty)
      // Nor is anything sent round in a circle.
      let via = ["Via": "1.1 " + hub.hub.alias(of: .default)]
      let round = await hub.send(
        .POST, "temporal/entities", history(#""level": [\#(instance(8, 6))]"#), headers: via)
      #expect(round.status == 508, "\(round.text)")
    }
  }
}
