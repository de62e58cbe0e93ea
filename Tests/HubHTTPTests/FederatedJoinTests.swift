import Federation
import NGSI
import Store
import Testing

@testable import Hub
@testable import HubHTTP

/// Linked entities that other hubs have (ETSI GS CIM 009 clauses 4.5.23, 5.7.1 and 5.7.2).
@Suite struct FederatedJoinTests {
  private func entity(_ type: String, _ number: Int, _ links: [(name: String, to: String, type: String?)] = [])
    -> String
  {
    let members = links.map { link in
      let kind = link.type.map { #", "objectType": "\#($0)""# } ?? ""
      return #", "\#(link.name)": {"type": "Relationship", "object": "urn:ngsi-ld:\#(link.to)"\#(kind)}"#
    }
    return #"{"id": "urn:ngsi-ld:\#(type):\#(number)", "type": "\#(type)", "#
      + #""name": {"type": "Property", "value": "\#(type) \#(number)"}\#(members.joined())}"#
  }

  /// Other tests may have all the cores for longer than the levels of a join have in a city.
  private var patient: Federation.Limits {
    var limits = Federation.Limits()
    limits.linkingSeconds = 3_600
    return limits
  }

  private func names(_ answer: Answer) -> [String] { answer.ids.map { String($0.dropFirst("urn:ngsi-ld:".count)) } }

  /// A room here, in a building that north has, in a ward that south has, which links back to the room.
  private func build(_ city: Districts) async {
    await city.register("north.test", #"{"entities": [{"type": "Building"}]}"#)
    await city.register("south.test", #"{"entities": [{"type": "Ward"}]}"#)
    _ = await city.metropolis.post(
      "entities", entity("Room", 1, [("inside", "Building:1", "Building"), ("unknown", "Building:2", nil)]))
    _ = await city.north.post("entities", entity("Building", 1, [("inside", "Ward:1", "Ward")]))
    _ = await city.north.post("entities", entity("Building", 2))
    _ = await city.south.post(
      "entities", entity("Ward", 1, [("best", "Room:1", nil), ("all", "Building:2", "Building")]))
  }

  // Clauses: 4.5.23, 5.7.1, 6.5
  @Test func whatARelationshipNamesIsHadFromWhoHasIt() async throws {
    try await Districts.with(sources: patient) { city in
      await build(city)
      let path = "entities/urn:ngsi-ld:Room:1"
      #expect(names(await city.metropolis.get(path + "?join=flat")) == ["Room:1", "Building:1"])
      let flat = await city.metropolis.get(path + "?join=flat&joinLevel=5")
      #expect(
        names(flat) == ["Room:1", "Building:1", "Building:2", "Ward:1"] && flat.headers["NGSILD-Warning"].isEmpty)
      let inline = await city.metropolis.get(path + "?join=inline&joinLevel=5").json
      let ward = inline["inside"]?["entity"]?["inside"]?["entity"]
      #expect(ward?["name"]?["value"] == "Ward 1")
      // What one relationship says of it, all know; it is given where it is nearest.
      #expect(inline["unknown"]?["entity"]?["name"]?["value"] == "Building 2" && ward?["all"]?["entity"] == nil)
      // Circles end.
      #expect(ward?["best"]?["object"] == "urn:ngsi-ld:Room:1" && ward?["best"]?["entity"] == nil)
      // What has been met on the way here is not given, nor asked for.
      city.network.forgetCalls()
      let short = await city.metropolis.get(
        path + "?join=flat&joinLevel=5&containedBy=urn:ngsi-ld:Building:1,urn:ngsi-ld:Ward:1")
      #expect(names(short) == ["Room:1"])
      #expect(!city.network.calls.contains { $0.url.contains("Building:1") || $0.url.contains("Ward:1") })
      city.network.forgetCalls()
      #expect(await city.metropolis.get(path + "?join=flat&joinLevel=2&containedBy=x").status == 400)
      #expect(names(await city.metropolis.get(path + "?join=flat&joinLevel=5&local=true")) == ["Room:1"])
      #expect(city.network.calls.isEmpty)
      // What is not shown is not followed.
      city.network.forgetCalls()
      let picked = await city.metropolis.get(
        path + "?join=inline&joinLevel=2&pick=id,inside%7Bname%7D&format=simplified")
      #expect(picked.json == ["id": "urn:ngsi-ld:Room:1", "inside": ["name": "Building 1"]], "\(picked.text)")
      #expect(!city.network.calls.contains { $0.url.contains("Ward") })
    }
  }

  // Clauses: 4.5.23, 5.7.2, 6.4, 6.23
  @Test func pagesAreJoinedToo() async throws {
    try await Districts.with(sources: patient) { city in
      await build(city)
      await city.register("south.test", #"{"entities": [{"type": "Room"}]}"#)
      // A room of a source, in a building that the hub has: it need not say what that is.
      _ = await city.south.post("entities", entity("Room", 2, [("inside", "Building:9", nil)]))
      _ = await city.metropolis.post("entities", entity("Building", 9))
      _ = await city.north.post("entities", entity("Building", 9).replacing("name", with: "height"))
      city.network.forgetCalls()
      let inline = await city.metropolis.get("entities?type=Room&join=inline&joinLevel=2").json.array ?? []
      #expect(inline.count == 2 && inline.first?["inside"]?["entity"]?["inside"]?["entity"]?["type"] == "Ward")
      let building = inline.last?["inside"]?["entity"]
      // An entity in parts is given whole.
      #expect(building?["name"] != nil && building?["height"] != nil)
      // Buildings are asked for together.
      #expect(
        city.network.calls.filter { $0.url.contains("north.test") }.count == 1, "\(city.network.calls.map(\.url))")
      let posted = await city.metropolis.post(
        "entityOperations/query", #"{"type": "Query", "entities": [{"type": "Room"}], "join": "flat", "joinLevel": 2}"#)
      #expect(Set(names(posted)) == ["Room:1", "Room:2", "Building:1", "Building:9", "Ward:1"], "\(posted.text)")
      let mapped = await city.metropolis.get("entities?type=Room&join=flat&entityMap=true")
      #expect(mapped.status == 201 && Set(names(mapped)) == ["Room:1", "Room:2", "Building:1", "Building:9"])
    }
  }

  // Clauses: 4.5.23, 6.3.17
  @Test func whoIsAwayIsAskedOnceAndNamed() async throws {
    var limits = Limits()
    limits.joinedEntities = 2
    try await Districts.with(limits: limits, sources: patient) { city in
      await city.register("north.test", #"{"entities": [{"type": "Building"}]}"#)
      await city.register("south.test", #"{"entities": [{"type": "Ward"}]}"#)
      _ = await city.metropolis.post(
        "entities", entity("Room", 1, [("inside", "Building:1", "Building"), ("ward", "Ward:1", "Ward")]))
      _ = await city.south.post("entities", entity("Ward", 1, [("all", "Building:2", "Building")]))
      city.network.fail("north.test", with: .late)
      let path = "entities/urn:ngsi-ld:Room:1?join=flat&joinLevel=4"
      let partly = await city.metropolis.get(path)
      #expect(partly.status == 200 && names(partly) == ["Room:1", "Ward:1"])
      #expect(partly.headers["NGSILD-Warning"].count == 1 && partly.header("NGSILD-Warning")?.hasPrefix("199") == true)
      #expect(city.network.calls.filter { $0.url.contains("north.test") }.count == 1)
      city.network.fail("north.test", with: nil)
      _ = await city.north.post("entities", entity("Building", 1, [("next", "Building:3", "Building")]))
      _ = await city.north.post("entities", entity("Building", 2))
      let many = await city.metropolis.get(path)
      #expect(many.problem == "TooManyResults", "\(many.text)")
      // Levels are asked for as long as there is time.
      var hurry = Federation.Limits()
      hurry.linkingSeconds = 0
      let federation = Federation(hub: city.metropolis.hub, caller: city.network, limits: hurry)
      let finds = try await federation.linkedEntities(
        of: [try city.metropolis.hub.entity("urn:ngsi-ld:Room:1", in: .default)], Projecting(), levels: 2, met: [],
        context: .core, silent: [], RequestOrigin(tenant: .default))
      #expect(finds.entities.count == 1 && finds.warnings.first?.text.contains("took too long") == true)
    }
  }
}
