import Federation
import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// Operations over several hubs (ETSI GS CIM 009 clauses 4.3.6, 4.5.5, 5.12 and 6.3.17), each of them a real one.
@Suite struct FederationTests {
  private let lamps = #"{"entities": [{"type": "Lamp"}]}"#
  private let writing = #""redirectionOps""#

  private func lamp(_ name: String, _ members: String = #""level": {"type": "Property", "value": 1}"#) -> String {
    #"{"id": "urn:ngsi-ld:Lamp:\#(name)", "type": "Lamp", \#(members)}"#
  }

  private func ids(_ answer: Answer) -> [String] { (answer.json.array ?? []).compactMap { $0["id"]?.string } }

  // Clauses: 4.3.3, 4.3.4, 4.3.6.2, 5.7.1, 5.7.2, 5.5.13, 6.3.18
  @Test func aQueryGivesWhatAllDistrictsHave() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      await city.register("south.test", lamps)
      _ = await city.metropolis.post("entities", lamp("m"))
      _ = await city.north.post("entities", lamp("n"))
      _ = await city.south.post("entities", lamp("s"))
      _ = await city.south.post("entities", #"{"id": "urn:ngsi-ld:Pump:1", "type": "Pump"}"#)
      let found = await city.metropolis.get("entities?type=Lamp&count=true")
      #expect(ids(found) == ["urn:ngsi-ld:Lamp:m", "urn:ngsi-ld:Lamp:n", "urn:ngsi-ld:Lamp:s"])
      #expect(found.headers["NGSILD-Results-Count"].first == "3")
      // Nothing that the source was asked for shows, neither times nor entities of other types.
      #expect(found.json.array?[1]["createdAt"] == nil)
      #expect(ids(await city.metropolis.get("entities?type=Lamp&local=true")) == ["urn:ngsi-ld:Lamp:m"])
      let one = await city.metropolis.get("entities/urn:ngsi-ld:Lamp:s")
      #expect(one.status == 200 && one.json["level"]?["value"] == 1)
      // A registration speaks of lamps only.
      #expect(await city.metropolis.get("entities/urn:ngsi-ld:Pump:1").status == 404)
      let posted = await city.metropolis.post(
        "entityOperations/query", #"{"type": "Query", "entities": [{"type": "Lamp"}], "q": "level==1"}"#)
      #expect(ids(posted).count == 3)
    }
  }

  // Clauses: 6.3.17, 5.2.9
  @Test func aCutLinkTakesNothingFromTheRestAndIsNamed() async throws {
    try await Districts.with { city in
      let north = await city.register("north.test", lamps)
      await city.register("south.test", lamps)
      _ = await city.north.post("entities", lamp("n"))
      _ = await city.south.post("entities", lamp("s"))
      city.network.fail("north.test", with: .unreachable("the link is cut"))
      let found = await city.metropolis.get("entities?type=Lamp")
      #expect(found.status == 200 && ids(found) == ["urn:ngsi-ld:Lamp:s"])
      let warnings = found.headers["NGSILD-Warning"]
      #expect(warnings.count == 1 && warnings[0].hasPrefix("199 ") && warnings[0].contains(north))
      #expect(warnings[0].contains("the link is cut"))
      let shown = await city.metropolis.get("csourceRegistrations/\(north)").json
      #expect(shown["status"] == "failed" && shown["timesFailed"] == 1 && shown["lastFailure"] != nil)
      city.network.fail("north.test", with: nil)
      let mended = await city.metropolis.get("entities?type=Lamp")
      #expect(ids(mended).count == 2 && mended.headers["NGSILD-Warning"].isEmpty)
      #expect(await city.metropolis.get("csourceRegistrations/\(north)").json["status"] == "ok")
    }
  }

  // Clauses: 6.3.17
  @Test(arguments: [
    (SourceReply.late, "199 "), (.tooLong, "111 "), (.answered(status: 403, headers: [], body: []), "299 "),
    (.answered(status: 200, headers: [], body: Array("no JSON".utf8)), "111 "),
    (.answered(status: 200, headers: [], body: Array(#"{"id": 7}"#.utf8)), "111 "),
    (.answered(status: 200, headers: [], body: Array("[[[[".utf8)), "111 "),
  ])
  func whatASourceDoesWrongIsAWarning(_ reply: SourceReply, _ code: String) async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      _ = await city.metropolis.post("entities", lamp("m"))
      city.network.fail("north.test", with: reply)
      let found = await city.metropolis.get("entities?type=Lamp")
      #expect(found.status == 200 && ids(found) == ["urn:ngsi-ld:Lamp:m"])
      #expect(found.headers["NGSILD-Warning"].first?.hasPrefix(code) == true)
      let missing = await city.metropolis.get("entities/urn:ngsi-ld:Lamp:none")
      #expect(missing.status == 404 && missing.headers["NGSILD-Warning"].first?.hasPrefix(code) == true)
    }
  }

  // Clauses: 6.3.17
  @Test func anEntityThatIsNotThereIsNoWarning() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      let missing = await city.metropolis.get("entities/urn:ngsi-ld:Lamp:none")
      #expect(missing.status == 404 && missing.headers["NGSILD-Warning"].isEmpty)
    }
  }

  // Clauses: 4.5.5, 4.3.6.2
  @Test func partsAreMergedByTime() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      await city.register("south.test", lamps, mode: "auxiliary", operations: #""retrieveOps""#)
      let old = #""level": {"type": "Property", "value": 1, "observedAt": "2026-01-01T00:00:00Z"}"#
      let new = #""level": {"type": "Property", "value": 2, "observedAt": "2026-02-01T00:00:00Z"}"#
      let other = #""level": {"type": "Property", "value": 3, "datasetId": "urn:d:1"}"#
      _ = await city.metropolis.post("entities", lamp("1", old))
      _ = await city.north.post(
        "entities", lamp("1", new + #", "colour": {"type": "Property", "value": "white"}"#))
      _ = await city.north.post("entities/urn:ngsi-ld:Lamp:1/attrs", "{\(other)}")
      _ = await city.south.post(
        "entities",
        lamp("1", #""colour": {"type": "Property", "value": "red"}, "owner": {"type": "Property", "value": "city"}"#))
      for answer in [
        await city.metropolis.get("entities/urn:ngsi-ld:Lamp:1"),
        await city.metropolis.get("entities?type=Lamp"),
      ] {
        let entity = answer.json.array?.first ?? answer.json
        let levels = entity["level"]?.items.compactMap { $0["value"]?.integer } ?? []
        // The newer of two, beside the one of another dataset; an auxiliary source adds only what nobody else has.
        #expect(Set(levels) == [2, 3])
        #expect(entity["colour"]?["value"] == "white" && entity["owner"]?["value"] == "city")
      }
    }
  }

  // Clauses: 4.3.6.7, 6.3.10
  @Test func pagesOverSourcesAreCutFromOneList() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      await city.register("south.test", lamps)
      for index in 0..<5 { _ = await city.metropolis.post("entities", lamp("m\(index)")) }
      for index in 0..<7 { _ = await city.north.post("entities", lamp("n\(index)")) }
      for index in 0..<6 { _ = await city.south.post("entities", lamp("s\(index)")) }
      // One entity lies in parts: the hub has the one attribute, a source the other, far down its list.
      _ = await city.metropolis.post("entities", lamp("both"))
      _ = await city.south.post("entities", lamp("both", #""owner": {"type": "Property", "value": "south"}"#))
      var seen: [String] = []
      var parts: JSON?
      for offset in stride(from: 0, to: 21, by: 3) {
        let page = await city.metropolis.get("entities?type=Lamp&limit=3&offset=\(offset)")
        #expect(page.status == 200)
        seen += ids(page)
        parts = parts ?? page.json.array?.first { $0["id"] == "urn:ngsi-ld:Lamp:both" }
        #expect(page.headers["Link"].contains { $0.contains("next") } == (offset + 3 < 19))
      }
      #expect(seen.count == 19 && Set(seen).count == 19)
      #expect(parts?["level"] != nil && parts?["owner"]?["value"] == "south")
    }
  }

  // Clauses: 4.3.6.7, 5.7.2
  @Test func splitEntitiesAreFilteredWhenTheyAreWhole() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps)
      _ = await city.metropolis.post("entities", lamp("1", #""level": {"type": "Property", "value": 9}"#))
      _ = await city.north.post("entities", lamp("1", #""owner": {"type": "Property", "value": "city"}"#))
      _ = await city.north.post("entities", lamp("2", #""owner": {"type": "Property", "value": "city"}"#))
      let query = "entities?type=Lamp&q=level==9;owner==%22city%22"
      #expect(ids(await city.metropolis.get(query)).isEmpty)
      let found = await city.metropolis.get(query + "&splitEntities=true")
      #expect(ids(found) == ["urn:ngsi-ld:Lamp:1"] && found.json.array?.first?["owner"]?["value"] == "city")
      #expect(city.network.calls.last.map { !$0.url.contains("q=") && $0.url.contains("splitEntities=true") } == true)
    }
  }

  // Clauses: 4.3.6.1, 4.3.6.5, 4.3.6.6, 6.3.19, 5.12, 5.5.13
  @Test func aSourceIsAskedOnlyForWhatIsRegistered() async throws {
    try await Districts.with { city in
      let information = #"{"entities": [{"type": "Lamp", "id": "urn:ngsi-ld:Lamp:1"}], "propertyNames": ["level"]}"#
      await city.register(
        "north.test", information,
        more: #""tenant": "lights", "contextSourceInfo": [{"key": "Authorization", "value": "Bearer x"},"#
          + #"{"key": "X-User", "value": "urn:ngsi-ld:request"}, {"key": "Via", "value": "1.1 evil"}],"#
          + #""management": {"localOnly": true, "timeout": 1500}"#)
      _ = await city.metropolis.get("entities?type=Lamp,Pump&attrs=level,colour", headers: ["X-User": "kim"])
      let call = try #require(city.network.calls.first)
      #expect(call.url.contains("type=Lamp&id=urn:ngsi-ld:Lamp:1&attrs=level&") && call.url.contains("local=true"))
      let headers = Dictionary(call.headers.map { ($0.name, $0.value) }) { first, _ in first }
      #expect(headers["NGSILD-Tenant"] == "lights" && headers["Authorization"] == "Bearer x")
      #expect(headers["X-User"] == "kim" && headers["Via"] == "1.1 " + city.metropolis.hub.alias(of: .default))
      #expect(call.timeout == 1.5)
      city.network.forgetCalls()
      // What it does not have, or not now, or does not do, it is not asked for.
      _ = await city.metropolis.get("entities?type=Lamp&attrs=colour")
      _ = await city.metropolis.get("entities/urn:ngsi-ld:Lamp:2")
      _ = await city.metropolis.get("entities?type=Lamp&csf=endpoint==%22http://other.test%22")
      _ = await city.metropolis.patch(
        "entities/urn:ngsi-ld:Lamp:1/attrs", #"{"level": {"type": "Property", "value": 2}}"#)
      #expect(city.network.calls.isEmpty)
    }
  }

  // Clauses: 4.3.6.4, 6.3.18, 4.3.5
  @Test func aRequestThatComesRoundEnds() async throws {
    try await Districts.with { city in
      // North and metropolis are registered at one another: each asks the other once.
      await city.register("north.test", lamps)
      await city.register("metropolis.test", lamps, at: city.north)
      _ = await city.metropolis.post("entities", lamp("m"))
      _ = await city.north.post("entities", lamp("n"))
      #expect(ids(await city.metropolis.get("entities?type=Lamp")).count == 2)
      #expect(city.network.calls.count == 2)
      // What another alone holds cannot come from here.
      await city.register(
        "metropolis.test", #"{"entities": [{"type": "Pump"}]}"#, mode: "redirect", operations: writing,
        at: city.metropolis)
      let pump = #"{"id": "urn:ngsi-ld:Pump:1", "type": "Pump"}"#
      let refused = await city.metropolis.post("entities", pump)
      #expect(refused.status == 508, "\(refused.text)")
    }
  }

  // Clauses: 5.6.2, 4.3.6.3, 6.6
  @Test func anUpdateIsSharedOut() async throws {
    try await Districts.with { city in
      let level = #"{"entities": [{"type": "Lamp", "id": "urn:ngsi-ld:Lamp:1"}], "propertyNames": ["level"]}"#
      _ = await city.north.post("entities", lamp("1"))
      _ = await city.metropolis.post("entities", lamp("1", #""colour": {"type": "Property", "value": "red"}"#))
      let registration = await city.register("north.test", level, mode: "exclusive", operations: writing)
      let path = "entities/urn:ngsi-ld:Lamp:1/attrs"
      let both = #"{"level": {"type": "Property", "value": 7}, "colour": {"type": "Property", "value": "blue"}}"#
      #expect(await city.metropolis.patch(path, both).status == 204)
      #expect(await city.north.get("entities/urn:ngsi-ld:Lamp:1?options=keyValues").json["level"] == 7)
      let own = await city.metropolis.get("entities/urn:ngsi-ld:Lamp:1?options=keyValues&local=true").json
      #expect(own["colour"] == "blue" && own["level"] == nil)
      // What the source cannot do is no success; the rest is done.
      _ = await city.metropolis.patch("csourceRegistrations/\(registration)", #"{"operations": ["retrieveOps"]}"#)
      #expect(await city.metropolis.patch(path, #"{"level": {"type": "Property", "value": 8}}"#).status == 409)
      let partly = await city.metropolis.patch(path, both.replacing("blue", with: "white"))
      #expect(partly.status == 207 && partly.text.contains(registration))
      #expect(await city.metropolis.get("entities/urn:ngsi-ld:Lamp:1?options=keyValues").json["colour"] == "white")
    }
  }

  // Clauses: 4.3.6.3, 5.6.1, 5.6.4, 5.6.5, 5.6.6, 5.6.17
  @Test func writesGoWhereTheRegistrationsSay() async throws {
    try await Districts.with { city in
      await city.register("south.test", lamps, operations: writing)
      await city.register(
        "north.test", #"{"entities": [{"type": "Lamp", "id": "urn:ngsi-ld:Lamp:1"}], "propertyNames": ["level"]}"#,
        mode: "exclusive", operations: writing)
      let both = #""level": {"type": "Property", "value": 1}, "colour": {"type": "Property", "value": "white"}"#
      #expect(await city.metropolis.post("entities", lamp("1", both)).status == 201)
      // The exclusive source has the one attribute alone; hub and inclusive source have the rest.
      #expect(await city.north.get("entities/urn:ngsi-ld:Lamp:1").json["level"]?["value"] == 1)
      for hub in [city.metropolis, city.south] {
        let own = await hub.get("entities/urn:ngsi-ld:Lamp:1?local=true").json
        #expect(own["level"] == nil && own["colour"]?["value"] == "white")
      }
      let path = "entities/urn:ngsi-ld:Lamp:1"
      #expect(await city.metropolis.patch(path + "/attrs/level", #"{"value": 5}"#).status == 204)
      #expect(await city.metropolis.patch(path, #"{"level": {"value": 6}, "colour": {"value": "red"}}"#).status == 204)
      let whole = await city.metropolis.get(path).json
      #expect(whole["level"]?["value"] == 6 && whole["colour"]?["value"] == "red")
      #expect(await city.metropolis.delete(path + "/attrs/colour").status == 204)
      #expect(await city.south.get(path).json["colour"] == nil)
      #expect(await city.metropolis.delete(path).status == 204)
      #expect(await city.metropolis.get(path).status == 404)
      for hub in [city.metropolis, city.north, city.south] { #expect(await hub.get(path).status == 404) }
    }
  }

  // Clauses: 6.3.17, 5.2.17
  @Test func aPartThatFailsIsToldBesideTheRest() async throws {
    try await Districts.with { city in
      let south = await city.register("south.test", lamps, operations: writing)
      city.network.fail("south.test", with: .late)
      let partly = await city.metropolis.post("entities", lamp("1"))
      #expect(partly.status == 207 && partly.json["success"]?.items.count == 1)
      let error = partly.json["errors"]?.items.first
      #expect(error?["registrationId"]?.string == south && error?["error"]?["status"] == 504)
      city.network.fail("south.test", with: nil)
      // What is here already is not made twice, there it is made.
      let again = await city.metropolis.post("entities", lamp("1"))
      #expect(again.status == 207 && again.json["errors"]?.items.first?["error"]?["status"] == 409)
      #expect(await city.south.get("entities/urn:ngsi-ld:Lamp:1").status == 200)
      let nowhere = await city.metropolis.post("entities", lamp("1"))
      #expect(nowhere.status == 207 && nowhere.json["success"] == [] && nowhere.json["errors"]?.items.count == 2)
    }
  }

  // Clauses: 5.6.7, 5.6.10, 5.6.20
  @Test func aBatchIsSharedOut() async throws {
    try await Districts.with { city in
      await city.register(
        "north.test", #"{"entities": [{"type": "Lamp", "idPattern": "^urn:ngsi-ld:Lamp:n"}]}"#, mode: "redirect",
        operations: #""createBatch", "updateBatch", "deleteEntity", "retrieveOps""#)
      let batch = "[\(lamp("n1")), \(lamp("n2")), \(lamp("m1"))]"
      let made = await city.metropolis.post("entityOperations/create", batch)
      #expect(made.status == 201 && made.json.array?.count == 3)
      #expect(await city.metropolis.get("entities/urn:ngsi-ld:Lamp:n1?local=true").status == 404)
      #expect(await city.north.get("entities/urn:ngsi-ld:Lamp:n1").status == 200)
      #expect(await city.north.get("entities/urn:ngsi-ld:Lamp:m1").status == 404)
      let again = await city.metropolis.post("entityOperations/create", "[\(lamp("n1")), \(lamp("m2"))]")
      #expect(again.status == 207 && again.json["success"] == ["urn:ngsi-ld:Lamp:m2"])
      // A batch that the source does not take as one goes there one by one; what it does not do at all is a conflict.
      let gone = await city.metropolis.post(
        "entityOperations/delete", #"["urn:ngsi-ld:Lamp:n1", "urn:ngsi-ld:Lamp:m1"]"#)
      #expect(gone.status == 204)
      #expect(await city.north.get("entities/urn:ngsi-ld:Lamp:n1").status == 404)
      let refused = await city.metropolis.post("entityOperations/merge", "[\(lamp("n2"))]")
      #expect(refused.status == 207 && refused.json["errors"]?.items.first?["error"]?["status"] == 409)
    }
  }

  // Clauses: 5.9.2, 4.3.6.3
  @Test func whatASourceHoldsAloneIsRefusedWhereTheHubHasIt() async throws {
    try await Districts.with { city in
      _ = await city.metropolis.post("entities", lamp("1"))
      let taken = await city.register("north.test", lamps, mode: "redirect", operations: writing)
      #expect(taken.hasPrefix("refused: 409"))
      let exclusive = #"{"entities": [{"type": "Lamp", "id": "urn:ngsi-ld:Lamp:1"}], "propertyNames": ["level"]}"#
      #expect(await city.register("north.test", exclusive, mode: "exclusive").hasPrefix("refused: 409"))
      let free = #"{"entities": [{"type": "Lamp", "id": "urn:ngsi-ld:Lamp:2"}], "propertyNames": ["level"]}"#
      #expect(await city.register("north.test", free, mode: "exclusive").hasPrefix("urn:"))
      #expect(await city.register("south.test", free, mode: "exclusive").hasPrefix("refused: 409"))
      #expect(await city.register("south.test", lamps, mode: "exclusive").hasPrefix("refused: 400"))
      #expect(
        await city.register("south.test", lamps, mode: "auxiliary", operations: writing).hasPrefix("refused: 400"))
    }
  }

  // Clauses: 6.3.17
  @Test(arguments: [
    "http://169.254.169.254", "http://[fe80::1]:80", "http://0.0.0.0:1", "http://[::ffff:169.254.1.1]",
    "http://0xa9fe0101",
  ])
  func placesThatMayNotBeCalledAreNot(_ endpoint: String) async throws {
    try await Districts.with { city in
      let id = await city.register(String(endpoint.dropFirst(7)), lamps)
      let found = await city.metropolis.get("entities?type=Lamp")
      #expect(found.status == 200 && found.headers["NGSILD-Warning"].first?.contains("may not be called") == true)
      #expect(city.network.calls.isEmpty)
      #expect(await city.metropolis.get("csourceRegistrations/\(id)").json["status"] == "failed")
    }
  }

  // Clauses: 4.3.6.5, 6.3.17
  @Test func aKeptAnswerIsForWhoAskedOnly() async throws {
    try await Districts.with { city in
      await city.register(
        "north.test", lamps,
        more: #""management": {"cacheDuration": "PT1M"}, "contextSourceInfo": [{"key": "Authorization","#
          + #""value": "urn:ngsi-ld:request"}]"#)
      _ = await city.north.post("entities", lamp("n"))
      for (token, calls) in [("a", 1), ("a", 1), ("b", 2), ("a", 2)] {
        _ = await city.metropolis.get("entities?type=Lamp", headers: ["Authorization": token])
        #expect(city.network.calls.count == calls, "\(token)")
      }
    }
  }

  // Clauses: 5.2.34, 6.3.17
  @Test func aSourceRestsAfterAFailureAndAnswersAreKept() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps, more: #""management": {"cooldown": 60000}"#)
      await city.register("south.test", lamps, more: #""management": {"cacheDuration": "PT1M"}"#)
      _ = await city.south.post("entities", lamp("s"))
      city.network.fail("north.test", with: .late)
      _ = await city.metropolis.get("entities?type=Lamp")
      city.network.forgetCalls()
      let second = await city.metropolis.get("entities?type=Lamp")
      #expect(city.network.calls.isEmpty && ids(second) == ["urn:ngsi-ld:Lamp:s"])
      #expect(Set(second.headers["NGSILD-Warning"].map { $0.prefix(3) }) == ["110", "199"])
      city.metropolis.clock.move(61)
      city.network.fail("north.test", with: nil)
      #expect(await city.metropolis.get("entities?type=Lamp").headers["NGSILD-Warning"].isEmpty)
      #expect(city.network.calls.count == 2)
    }
  }

  // Clauses: 5.9.2, 5.2.40, 5.15.1, 6.33
  @Test func registrationsOutliveARestartAndEndInTime() async throws {
    let network = TestNetwork()
    let hub = try await TestHub(network: network)
    let alias = hub.hub.alias(of: .default)
    let made = await hub.post(
      "csourceRegistrations",
      #"{"type": "ContextSourceRegistration", "endpoint": "http://north.test", "information": [\#(lamps)],"#
        + #""expiresAt": "\#(hub.clock.now.adding(seconds: 100))"}"#)
    let path = String(try #require(made.headers["Location"].first).dropFirst("/ngsi-ld/v1/".count))
    _ = await hub.get("entities?type=Lamp")
    await hub.hub.keepSourceRecords()
    await hub.stop()
    let next = try await TestHub(folder: hub.folder, clock: hub.clock, network: network)
    #expect(next.hub.alias(of: .default) == alias)
    let shown = await next.get(path).json
    #expect(shown["status"] == "failed" && shown["timesSent"] == 1)
    hub.clock.move(101)
    #expect(await next.get("entities?type=Lamp").headers["NGSILD-Warning"].isEmpty)
    try await next.hub.removeExpiredRegistrations()
    #expect(await next.get(path).status == 404)
    await next.remove()
  }

  // Clauses: 6.3.17
  @Test func answersHaveAllTogetherSoMuchRoom() async throws {
    var bounds = Federation.Limits()
    bounds.heldBytes = 3_000
    try await Districts.with(sources: bounds) { city in
      await city.register("north.test", lamps)
      await city.register("south.test", lamps)
      let text = String(repeating: "x", count: 1_800)
      for (hub, name) in [(city.north, "n"), (city.south, "s")] {
        _ = await hub.post("entities", lamp(name, #""note": {"type": "Property", "value": "\#(text)"}"#))
      }
      // One of the two finds room; what is left out is said, and no source is to blame.
      let crowded = await city.metropolis.get("entities?type=Lamp")
      #expect(crowded.status == 200 && ids(crowded).count == 1)
      let warnings = crowded.headers["NGSILD-Warning"]
      #expect(warnings.count == 1 && warnings[0].hasPrefix("199") && warnings[0].contains("all the room"))
      let registrations = await city.metropolis.get("csourceRegistrations?type=Lamp").json.array ?? []
      #expect(registrations.count == 2 && registrations.allSatisfy { $0["status"] == "ok" })
      let health = city.metropolis.federation.health
      #expect(health["heldBytes"]?["value"] == 0 && health["withoutRoom"] == 1)
      #expect((health["mostHeldBytes"]?["value"]?.integer ?? 0) > 1_800)
      // The room is given back.
      for name in ["n", "s"] {
        #expect(await city.metropolis.get("entities?type=Lamp&id=urn:ngsi-ld:Lamp:\(name)").status == 200)
      }
      #expect(city.metropolis.federation.health["heldBytes"]?["value"] == 0)
    }
  }
}
