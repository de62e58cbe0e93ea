import Federation
import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// EntityMaps (ETSI GS CIM 009 clauses 4.5.25, 5.5.9.3, 5.5.14 and 5.14), over one hub and over three.
@Suite struct EntityMapTests {
  private let lamps = #"{"entities": [{"type": "Lamp"}]}"#

  private func lamp(_ name: String, _ members: String = #""level": {"type": "Property", "value": 1}"#) -> String {
    #"{"id": "urn:ngsi-ld:Lamp:\#(name)", "type": "Lamp", \#(members)}"#
  }

  private func names(_ answer: Answer) -> [String] {
    answer.ids.map { String($0.dropFirst("urn:ngsi-ld:Lamp:".count)) }
  }

  /// The path of the map that an answer names.
  private func map(of answer: Answer) -> String { String(answer.header("NGSILD-EntityMap")?.dropFirst(12) ?? "none") }

  private func entries(_ hub: TestHub, _ path: String) async -> JSONObject {
    await hub.get(path).json["entityMap"]?.object ?? JSONObject()
  }

  // Clauses: 4.5.25, 5.2.39, 5.14.1, 5.14.4, 6.32, 6.34
  @Test func aMapNamesWhoHasWhat() async throws {
    try await Districts.with { city in
      let north = await city.register("north.test", lamps)
      let south = await city.register("south.test", lamps, operations: #""queryEntity", "queryBatch""#)
      _ = await city.metropolis.post("entities", lamp("both"))
      _ = await city.north.post("entities", lamp("n"))
      _ = await city.south.post("entities", lamp("both"))
      let made = await city.metropolis.get("entityMaps?type=Lamp")
      #expect(made.status == 201 && made.json["type"] == "EntityMap", "\(made.text)")
      #expect(made.json["entityMap"]?["urn:ngsi-ld:Lamp:both"] == ["@none", .string(south)])
      #expect(made.json["entityMap"]?["urn:ngsi-ld:Lamp:n"] == [.string(north)])
      // The one source made a map of its own, the other does not offer to.
      let linked = made.json["linkedMaps"]?.object ?? JSONObject()
      #expect(linked.members.map(\.key) == [north])
      #expect(await city.north.get("entityMaps/" + (linked[north]?.string ?? "")).json["entityMap"]?.object?.count == 1)
      let shown = await city.metropolis.get(map(of: made))
      #expect(shown.status == 200 && shown.json == made.json)
      let posted = await city.metropolis.post("entityMaps", #"{"type": "Query", "entities": [{"type": "Lamp"}]}"#)
      #expect(posted.status == 201 && posted.json["entityMap"] == made.json["entityMap"])
      let document = await city.metropolis.get(map(of: made), headers: ["Accept": "application/ld+json"])
      #expect(document.json["@context"] != nil && document.links().isEmpty)
    }
  }

  // Clauses: 5.14.2, 5.14.3, 5.5.14, 6.32
  @Test func aMapLivesAsLongAsItMay() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", lamp("1"))
      let made = await hub.get("entityMaps?type=Lamp&entityMapLifetime=P3650D")
      let path = map(of: made)
      let latest = hub.clock.now.adding(seconds: hub.hub.limits.longestEntityMapSeconds).description
      #expect(made.json["expiresAt"]?.string == latest)
      // What the hub generates is not looked at; of a longer life it gives what it may.
      let fragment = #"{"type": "EntityMap", "expiresAt": "2099-01-01T00:00:00Z", "entityMap": {"urn:x": ["@none"]}}"#
      #expect(await hub.patch(path, fragment).status == 204)
      let shown = await hub.get(path).json
      #expect(shown["expiresAt"]?.string == latest && shown["entityMap"]?.object?.count == 1)
      let time = hub.clock.now.adding(seconds: 30).description
      #expect(await hub.patch(path, #"{"expiresAt": "\#(time)"}"#).status == 204)
      hub.clock.move(29)
      #expect(await hub.get(path).status == 200)
      hub.clock.move(1)
      #expect(await hub.get(path).status == 404)
      // A query that names it gets a new one.
      let again = await hub.get("entities?type=Lamp", headers: ["NGSILD-EntityMap": path])
      #expect(again.status == 201 && names(again) == ["1"] && map(of: again) != path)
      #expect(await hub.delete(map(of: again)).status == 204)
      #expect(await hub.delete(map(of: again)).status == 404)
    }
  }

  // Clauses: 5.14.1, 5.14.2, 5.14.3, 5.14.4, 5.14.5, 5.2.23, 6.32, 6.34, 6.35
  @Test(arguments: [
    ("GET", "entityMaps?id=urn:x", "", 400), ("GET", "entityMaps?type=Lamp&entityMapLifetime=1hour", "", 400),
    ("GET", "entityMaps?type=Lamp&entityMapLifetime=PT0S", "", 400), ("GET", "entityMaps?type=Lamp&foo=1", "", 400),
    ("GET", "entities?type=Lamp&entityMap=perhaps", "", 400), ("GET", "entityMaps?type=Lamp&q=a%3D%3D%3D", "", 400),
    ("GET", "entityMaps/no%20uri", "", 400), ("GET", "entityMaps/urn:none", "", 404),
    ("GET", "entityMaps/urn:none/more", "", 404), ("PUT", "entityMaps/urn:none", "{}", 405),
    ("DELETE", "entityMaps", "", 405), ("DELETE", "entityMaps/no%20uri", "", 400),
    ("PATCH", "entityMaps/urn:none", #"{"expiresAt": "2099-01-01T00:00:00Z"}"#, 404),
    ("POST", "entityMaps", #"{"type": "Query"}"#, 400), ("POST", "entityMaps", "[]", 400),
    ("POST", "entityMaps", #"{"type": "Query", "entities": [{"type": "L"}], "entityMapLifetime": 5}"#, 400),
    ("POST", "entityOperations/query", #"{"type": "Query", "entities": [{"type": "L"}], "entityMap": "x"}"#, 400),
    ("GET", "temporal/entityMaps?type=Lamp", "", 400), ("GET", "temporal/entityMaps", "", 400),
    ("POST", "temporal/entityMaps", #"{"type": "Query", "entities": [{"type": "Lamp"}]}"#, 400),
    ("DELETE", "temporal/entityMaps", "", 405),
  ])
  func whatCannotBeIsRefused(_ method: String, _ target: String, _ body: String, _ status: Int) async throws {
    try await withHub { hub in
      let answer = await hub.send(.init(rawValue: method), target, body.isEmpty ? nil : body)
      #expect(answer.status == status, "\(answer.text)")
      #expect(answer.json["detail"]?.string?.isEmpty == false)
    }
  }

  // Clauses: 5.14.2
  @Test(arguments: [
    #"{"expiresAt": "tomorrow"}"#, #"{"expiresAt": 5}"#, #"{"type": "Map"}"#, #"{"id": "urn:other"}"#,
    #"{"lifetime": "P1D"}"#, "[]", "7",
  ])
  func fragmentsThatAreNoneAreRefused(_ fragment: String) async throws {
    try await withHub { hub in
      let path = map(of: await hub.get("entityMaps?type=Lamp"))
      let before = await hub.get(path).json
      #expect(await hub.patch(path, fragment).status == 400)
      #expect(await hub.get(path).json == before)
    }
  }

  // Clauses: 4.3.6.7, 5.5.9, 5.5.14, 5.7.2, 6.3.10, 6.4
  @Test func pagesOfAMapStandStill() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      await city.register("south.test", lamps)
      for index in 0..<3 { _ = await city.metropolis.post("entities", lamp("m\(index)")) }
      for index in 0..<4 { _ = await city.north.post("entities", lamp("n\(index)")) }
      for index in 0..<4 { _ = await city.south.post("entities", lamp("s\(index)")) }
      let first = await city.metropolis.get("entities?type=Lamp&limit=3&entityMap=true")
      #expect(first.status == 201 && names(first) == ["m0", "m1", "m2"])
      #expect(first.links().contains { $0.contains("next") && !$0.contains("entityMap") && !$0.contains("urn:") })
      let header = ["NGSILD-EntityMap": first.header("NGSILD-EntityMap") ?? ""]
      // What comes after the map was made is not on it, and moves nothing.
      for hub in [city.metropolis, city.north, city.south] { _ = await hub.post("entities", lamp("late")) }
      city.network.forgetCalls()
      let second = await city.metropolis.get("entities?type=Lamp&limit=3&offset=3", headers: header)
      #expect(second.status == 200 && names(second) == ["n0", "n1", "n2"])
      #expect(second.header("NGSILD-EntityMap") == first.header("NGSILD-EntityMap"))
      // Nobody is asked who has nothing of the page; who is asked gets the map that it made.
      #expect(city.network.calls.count == 1 && city.network.calls[0].url.contains("north.test"))
      #expect(city.network.calls[0].headers.contains { $0.name == "NGSILD-EntityMap" })
      // What is gone is taken off the map, and the page is filled up.
      _ = await city.north.delete("entities/urn:ngsi-ld:Lamp:n3")
      _ = await city.south.delete("entities/urn:ngsi-ld:Lamp:s1")
      let third = await city.metropolis.get("entities?type=Lamp&limit=3&offset=6&count=true", headers: header)
      #expect(names(third) == ["s0", "s2", "s3"], "\(names(third))")
      #expect(third.header("NGSILD-Results-Count") == "9")
      #expect(!third.links().contains { $0.contains("next") } && third.links().contains { $0.contains("prev") })
      #expect(await entries(city.metropolis, map(of: first)).count == 9)
    }
  }

  // Clauses: 4.3.6.7, 5.5.9, 6.3.17
  @Test func whatCannotBeHadNowStaysOnTheMap() async throws {
    try await Districts.with { city in
      let north = await city.register("north.test", lamps)
      _ = await city.metropolis.post("entities", lamp("m"))
      _ = await city.north.post("entities", lamp("n"))
      let first = await city.metropolis.get("entities?type=Lamp&entityMap=true")
      let header = ["NGSILD-EntityMap": first.header("NGSILD-EntityMap") ?? ""]
      for fault in [SourceReply.late, .answered(status: 200, headers: [], body: Array("no JSON".utf8))] {
        city.network.fail("north.test", with: fault)
        let cut = await city.metropolis.get("entities?type=Lamp&count=true", headers: header)
        #expect(names(cut) == ["m"] && cut.header("NGSILD-Results-Count") == "2")
        #expect(cut.headers["NGSILD-Warning"].count == 1)
      }
      city.network.fail("north.test", with: nil)
      // A map that a source has lost is made anew there.
      let link = await city.metropolis.get(map(of: first)).json["linkedMaps"]?[north]?.string ?? ""
      #expect(await city.north.delete("entityMaps/" + link).status == 204)
      #expect(names(await city.metropolis.get("entities?type=Lamp", headers: header)) == ["m", "n"])
      let relinked = await city.metropolis.get(map(of: first)).json["linkedMaps"]?[north]?.string ?? ""
      #expect(relinked != link && relinked.hasPrefix("urn:"))
      #expect(await city.north.get("entityMaps/" + relinked).status == 200)
      // A source that did not answer when the map was made is not on it, and is named.
      city.network.fail("north.test", with: .late)
      let lacking = await city.metropolis.get("entityMaps?type=Lamp")
      #expect(lacking.json["entityMap"]?.object?.count == 1 && lacking.headers["NGSILD-Warning"].count == 1)
    }
  }

  // Clauses: 4.3.6.7, 5.5.9, 5.14.4
  @Test func candidatesAreJudgedWhenTheyAreWhole() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      for index in 0..<6 {
        _ = await city.metropolis.post("entities", lamp("\(index)", #""level": {"value": \#(index)}"#))
        _ = await city.north.post(
          "entities", lamp("\(index)", #""owner": {"value": "\#(index % 2 == 0 ? "city" : "other")"}"#))
      }
      let query = "type=Lamp&q=owner==%22city%22;level%3E1&splitEntities=true"
      let made = await city.metropolis.get("entityMaps?" + query)
      #expect(made.json["entityMap"]?.object?.count == 6)
      let header = ["NGSILD-EntityMap": made.header("NGSILD-EntityMap") ?? ""]
      let page = await city.metropolis.get("entities?limit=2&" + query, headers: header)
      #expect(names(page) == ["2", "4"])
      #expect(page.json.array?.first?["level"]?["value"] == 2)
      #expect(await entries(city.metropolis, map(of: made)).members.map(\.key).map { $0.suffix(1) } == ["2", "4", "5"])
    }
  }

  // Clauses: 5.5.14, 4.14
  @Test func aMapIsForItsQueryAndItsTenant() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", lamp("1"))
      _ = await hub.post("entities", lamp("1"), headers: ["NGSILD-Tenant": "other"])
      let made = await hub.get("entities?type=Lamp&q=level==1&entityMap=true")
      let header = ["NGSILD-EntityMap": made.header("NGSILD-EntityMap") ?? ""]
      for query in ["type=Lamp", "type=Pump&q=level==1", "type=Lamp&q=level==2", "type=Lamp&q=level==1&attrs=level"] {
        let answer = await hub.get("entities?" + query, headers: header)
        #expect(answer.status == 400, "\(query)")
      }
      #expect(await hub.get("entities?type=Lamp&q=level==1&id=urn:ngsi-ld:Lamp:1", headers: header).status == 200)
      let posted = await hub.post(
        "entityOperations/query", #"{"type": "Query", "entities": [{"type": "Lamp"}], "q": "level==1"}"#,
        headers: header)
      #expect(posted.status == 200 && names(posted) == ["1"])
      let histories = await hub.get(
        "temporal/entities?type=Lamp&q=level==1&timerel=after&timeAt=2020-01-01T00:00:00Z", headers: header)
      #expect(histories.status == 400)
      let other = ["NGSILD-Tenant": "other"]
      #expect(await hub.get(map(of: made), headers: other).status == 404)
      #expect(await hub.delete(map(of: made), headers: other).status == 404)
      let foreign = await hub.get(
        "entities?type=Lamp&q=level==1", headers: header.merging(other) { first, _ in first })
      #expect(foreign.status == 201 && map(of: foreign) != map(of: made))
      #expect(await hub.get(map(of: made)).status == 200)
    }
  }

  // Clauses: 5.7.1, 6.5
  @Test func aRetrievalAsksOnlyWhomTheMapNames() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      await city.register("south.test", lamps)
      _ = await city.south.post("entities", lamp("1"))
      let first = await city.metropolis.get("entities/urn:ngsi-ld:Lamp:1?entityMap=true")
      #expect(first.status == 200 && first.json["level"]?["value"] == 1 && city.network.calls.count == 2)
      let header = ["NGSILD-EntityMap": first.header("NGSILD-EntityMap") ?? ""]
      city.network.forgetCalls()
      let second = await city.metropolis.get("entities/urn:ngsi-ld:Lamp:1", headers: header)
      #expect(second.json == first.json && second.header("NGSILD-EntityMap") == first.header("NGSILD-EntityMap"))
      #expect(city.network.calls.count == 1 && city.network.calls[0].url.contains("south.test"))
      #expect(await city.metropolis.get("entities/urn:ngsi-ld:Lamp:2", headers: header).status == 404)
      // A retrieval without a map asks for none.
      #expect(await city.metropolis.get("entities/urn:ngsi-ld:Lamp:1").header("NGSILD-EntityMap") == nil)
      let local = await city.south.get("entities/urn:ngsi-ld:Lamp:1?entityMap=true")
      #expect(await entries(city.south, map(of: local))["urn:ngsi-ld:Lamp:1"] == ["@none"])
    }
  }

  // Clauses: 5.6.21, 6.4
  @Test func aPurgeTakesWhatTheMapNamesAndNoMore() async throws {
    try await Districts.with { city in
      await city.register(
        "north.test", lamps, operations: #""retrieveOps", "purgeEntity", "createEntityMapQueryEntity""#)
      _ = await city.metropolis.post("entities", lamp("m"))
      _ = await city.north.post("entities", lamp("n"))
      let made = await city.metropolis.get("entityMaps?type=Lamp")
      _ = await city.metropolis.post("entities", lamp("m2"))
      _ = await city.north.post("entities", lamp("n2"))
      let header = ["NGSILD-EntityMap": made.header("NGSILD-EntityMap") ?? ""]
      let purged = await city.metropolis.send(.DELETE, "entities?type=Lamp", headers: header)
      #expect(purged.status == 204 && purged.header("NGSILD-EntityMap") == header["NGSILD-EntityMap"], "\(purged.text)")
      #expect(names(await city.metropolis.get("entities?type=Lamp")) == ["m2", "n2"])
      let unknown = await city.metropolis.send(
        .DELETE, "entities?type=Lamp", headers: ["NGSILD-EntityMap": "urn:ngsi-ld:EntityMap:none"])
      #expect(unknown.status == 404)
      #expect(names(await city.metropolis.get("entities?type=Lamp")).count == 2)
    }
  }

  // Clauses: 5.7.3, 5.7.4, 5.14.5, 5.5.9, 6.18, 6.19, 6.24, 6.35
  @Test func historiesAreCutFromMapsToo() async throws {
    try await withHub { hub in
      for index in 0..<5 { _ = await hub.post("entities", lamp("\(index)")) }
      let window = "timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=createdAt"
      let made = await hub.get("temporal/entityMaps?type=Lamp&" + window)
      #expect(made.status == 201 && made.json["entityMap"]?.object?.count == 5)
      let header = ["NGSILD-EntityMap": made.header("NGSILD-EntityMap") ?? ""]
      _ = await hub.delete("temporal/entities/urn:ngsi-ld:Lamp:2")
      _ = await hub.post("entities", lamp("late"))
      let page = await hub.get("temporal/entities?type=Lamp&limit=3&\(window)", headers: header)
      #expect(page.status == 200 && names(page) == ["0", "1", "3"], "\(page.text)")
      #expect(page.json.array?.first?["level"]?.items.count == 1)
      // Another time may be asked for (clause 5.5.14), and another page.
      let none = "timerel=before&timeAt=2020-01-01T00:00:00Z&timeproperty=createdAt"
      let last = await hub.get("temporal/entities?type=Lamp&limit=3&offset=3&count=true&\(window)", headers: header)
      #expect(names(last) == ["4"] && last.header("NGSILD-Results-Count") == "4")
      #expect(!last.links().contains { $0.contains("next") })
      #expect(names(await hub.get("temporal/entities?type=Lamp&offset=2&\(none)", headers: header)).isEmpty)
      #expect(await entries(hub, map(of: made)).count == 4)
      let one = await hub.get("temporal/entities/urn:ngsi-ld:Lamp:1?entityMap=true")
      #expect(one.status == 200)
      #expect(await entries(hub, map(of: one))["urn:ngsi-ld:Lamp:1"] == ["@none"])
      let body = #"{"type": "Query", "entities": [{"type": "Lamp"}], "entityMap": true, "temporalQ": "#
      let posted = await hub.post(
        "temporal/entityOperations/query",
        body + #"{"timerel": "after", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "createdAt"}}"#)
      #expect(posted.status == 201 && names(posted).count == 5 && posted.header("NGSILD-EntityMap") != nil)
    }
  }

  // Clauses: 5.5.14
  @Test func mapsHaveBounds() async throws {
    var limits = Limits()
    (limits.entityMaps, limits.entityMapEntries, limits.entityMapEntities) = (4, 9, 3)
    try await withHub(limits: limits) { hub in
      for index in 0..<3 { _ = await hub.post("entities", lamp("\(index)")) }
      _ = await hub.post("entities", lamp("1"), headers: ["NGSILD-Tenant": "small"])
      let small = await hub.get("entityMaps?type=Lamp", headers: ["NGSILD-Tenant": "small"])
      var paths: [String] = []
      for _ in 0..<4 {
        paths.append(map(of: await hub.get("entityMaps?type=Lamp")))
        _ = await hub.get(paths[0])
      }
      // The one used least lately goes, of the tenant that has most.
      var kept: [Bool] = []
      for path in paths { kept.append(await hub.get(path).status == 200) }
      #expect(kept == [true, false, false, true])
      #expect(await hub.get(map(of: small), headers: ["NGSILD-Tenant": "small"]).status == 200)
      let section = try hub.hub.health()["entityMaps"]
      #expect(section?["count"]?["value"] == 3 && section?["entries"]?["value"] == 7 && section?["pushedOut"] == 2)
      _ = await hub.post("entities", lamp("3"))
      let long = await hub.get("entityMaps?type=Lamp")
      #expect(long.problem == "TooManyResults" && long.json["detail"]?.string?.contains("3") == true)
      let history = await hub.get(
        "temporal/entityMaps?type=Lamp&timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=createdAt")
      #expect(history.problem == "TooManyResults")
      // Time clears away what nobody asks for.
      hub.clock.move(limits.entityMapSeconds)
      hub.hub.entityMaps.removeExpired(at: hub.clock.now)
      #expect(try hub.hub.health()["entityMaps"]?["count"]?["value"] == 0)
    }
  }
}
