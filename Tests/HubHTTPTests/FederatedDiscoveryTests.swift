import Federation
import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// Types and attributes that several hubs have (ETSI GS CIM 009 clauses 5.7.5 to 5.7.11).
@Suite struct FederatedDiscoveryTests {
  private func lamp(_ name: String, _ members: String = #""level": {"type": "Property", "value": 1}"#) -> String {
    #"{"id": "urn:ngsi-ld:Lamp:\#(name)", "type": "Lamp", \#(members)}"#
  }

  // Clauses: 5.7.5-5.7.10, 6.25, 6.26, 6.27, 6.28
  @Test func sourcesTellTheirTypesAndAttributes() async throws {
    try await Districts.with { city in
      await city.register("north.test", #"{"entities": [{"type": "Lamp"}]}, {"entities": [{"type": "Pump"}]}"#)
      await city.register("south.test", #"{"entities": [{"type": "Lamp"}], "propertyNames": ["level", "owner"]}"#)
      _ = await city.metropolis.post("entities", lamp("m"))
      _ = await city.north.post("entities", lamp("n", #""next": {"type": "Relationship", "object": "urn:x:1"}"#))
      _ = await city.south.post(
        "entities", lamp("s", #""owner": {"type": "Property", "value": 1}, "secret": {"type": "Property", "value": 1}"#)
      )
      _ = await city.south.post("entities", #"{"id": "urn:ngsi-ld:Tree:1", "type": "Tree"}"#)
      let hub = city.metropolis
      // There is no pump at north, and trees of south are not registered.
      #expect(await hub.get("types").json["typeList"] == ["Lamp"])
      let details = await hub.get("types?details=true").json.array ?? []
      #expect(details.count == 1 && details.first?["attributeNames"] == ["level", "next", "owner"], "\(details)")
      let one = await hub.get("types/Lamp").json
      #expect(one["entityCount"] == 3)
      let kinds = (one["attributeDetails"]?.items ?? []).map {
        [$0["attributeName"], $0["attributeTypes"]?.items.first]
      }
      #expect(kinds == [["level", "Property"], ["next", "Relationship"], ["owner", "Property"]])
      #expect(await hub.get("types/Tree").status == 404)
      #expect(await hub.get("attributes").json["attributeList"] == ["level", "next", "owner"])
      let attributes = await hub.get("attributes?details=true").json.array ?? []
      #expect(attributes.map { $0["typeNames"] } == [["Lamp"], ["Lamp"], ["Lamp"]])
      let owner = await hub.get("attributes/owner").json
      #expect(owner["attributeCount"] == 1 && owner["attributeTypes"] == ["Property"] && owner["typeNames"] == ["Lamp"])
      #expect(await hub.get("attributes/secret").status == 404)
      city.network.forgetCalls()
      #expect(await hub.get("attributes/owner?local=true").status == 404)
      #expect(await hub.get("types?local=true").json["typeList"] == ["Lamp"])
      #expect(city.network.calls.isEmpty)
    }
  }

  // Clauses: 5.7.5-5.7.10, 6.3.17
  @Test func whoDoesNotTellMayHaveWhatItIsRegisteredFor() async throws {
    try await Districts.with { city in
      await city.register(
        "north.test", #"{"entities": [{"type": "Pump"}], "propertyNames": ["pressure"]}"#, operations: #""retrieveOps""#
      )
      let south = await city.register("south.test", #"{"entities": [{"type": "Tree"}], "propertyNames": ["height"]}"#)
      _ = await city.metropolis.post("entities", lamp("m"))
      for (fault, code) in [
        (SourceReply.late, "199"), (.answered(status: 200, headers: [], body: Array("no JSON".utf8)), "111"),
        (.answered(status: 500, headers: [], body: []), "299"),
      ] {
        city.network.fail("south.test", with: fault)
        let types = await city.metropolis.get("types")
        #expect(types.json["typeList"] == ["Lamp", "Pump", "Tree"], "\(types.text)")
        let warnings = types.headers["NGSILD-Warning"]
        #expect(warnings.count == 1 && warnings[0].hasPrefix(code) && warnings[0].contains(south))
      }
      let pump = await city.metropolis.get("types/Pump").json
      #expect(pump["entityCount"] == 0 && pump["attributeDetails"]?.items.first?["attributeName"] == "pressure")
      #expect(await city.metropolis.get("attributes/pressure").json["typeNames"] == ["Pump"])
      // What is neither a list of types nor of attributes says nothing.
      for body in ["[]", "{}", "7", #"{"typeList": [1, {"a": 2}], "attributeList": 3}"#, #"[{"id": 1}]"#] {
        city.network.fail("south.test", with: .answered(status: 200, headers: [], body: Array(body.utf8)))
        for path in ["types", "types?details=true", "attributes", "attributes?details=true"] {
          #expect(await city.metropolis.get(path).status == 200)
        }
        #expect(await city.metropolis.get("types/Tree").status == 404)
      }
      #expect(!city.network.calls.contains { $0.url.contains("north.test") })
    }
  }
}
