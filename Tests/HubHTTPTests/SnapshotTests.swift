import Federation
import Foundation
import NGSI
import Store
import Testing

@testable import Hub
@testable import HubHTTP

/// Snapshots (ETSI GS CIM 009 clauses 4.3.7, 5.5.15 and 5.16).
@Suite struct SnapshotTests {
  private let rooms = #""snapshotQueries": [{"type": "Query", "entities": [{"type": "Room"}]}]"#

  private func make(_ hub: TestHub, _ members: String, headers: [String: String] = [:]) async -> String {
    let answer = await hub.post("snapshots", #"{"type": "Snapshot", \#(members)}"#, headers: headers)
    #expect(answer.status == 201, "\(answer.text)")
    return String(answer.header("Location")?.dropFirst(12) ?? "none")
  }

  /// Makes a snapshot and fills it; gives its path and the header that names it.
  private func filled(_ hub: TestHub, _ members: String, headers: [String: String] = [:]) async -> (
    path: String, header: [String: String]
  ) {
    let path = await make(hub, members, headers: headers)
    await hub.federation.fillSnapshots()
    var header = headers
    header["NGSILD-Snapshot"] = path.split(separator: "/").last.map(String.init)
    return (path, header)
  }

  // Clauses: 4.3.7, 5.2.41, 5.2.42, 5.5.15, 5.16.1, 5.16.3, 6.3.22, 6.36, 6.37
  @Test func aSnapshotStandsStill() async throws {
    try await withHub { hub in
      for number in 0..<3 { _ = await hub.post("entities", room(number)) }
      _ = await hub.post("entities", #"{"id": "urn:ngsi-ld:Pump:1", "type": "Pump"}"#)
      let path = await make(hub, rooms)
      let preparing = await hub.get(path).json
      #expect(preparing["snapshotStatus"] == "preparing" && preparing["snapshotPriority"] == 5)
      let name = preparing["id"]?.string ?? ""
      let header = ["NGSILD-Snapshot": name]
      let early = await hub.get("entities?type=Room", headers: header)
      #expect(early.status == 409 && early.header("NGSILD-Snapshot") == name)
      await hub.federation.fillSnapshots()
      let shown = await hub.get(path).json
      #expect(shown["snapshotStatus"] == "success" && shown["entityCount"] == 3, "\(shown)")
      #expect(shown["snapshotQueriesDetails"] == [["resultStatus": "success"]])
      // What happens outside changes nothing inside.
      _ = await hub.patch("entities/urn:ngsi-ld:Room:0/attrs", #"{"temperature": {"value": 99}}"#)
      _ = await hub.delete("entities/urn:ngsi-ld:Room:1")
      _ = await hub.post("entities", room(7))
      let found = await hub.get("entities?type=Room&count=true", headers: header)
      #expect(found.ids.count == 3 && found.header("NGSILD-Results-Count") == "3")
      #expect(found.header("NGSILD-Snapshot") == name)
      #expect(found.json.array?.first?["temperature"]?["value"] == 20)
      #expect(await hub.get("entities/urn:ngsi-ld:Room:1", headers: header).status == 200)
      #expect(await hub.get("entities/urn:ngsi-ld:Pump:1", headers: header).status == 404)
      #expect(await hub.get("types", headers: header).json["typeList"] == ["Room"])
      // What is tried inside changes nothing outside.
      let tried = await hub.patch(
        "entities/urn:ngsi-ld:Room:2/attrs", #"{"temperature": {"value": -5}}"#, headers: header)
      #expect(tried.status == 204 && tried.header("NGSILD-Snapshot") == name)
      #expect(await hub.post("entities", room(8), headers: header).status == 201)
      #expect(await hub.get("entities/urn:ngsi-ld:Room:2", headers: header).json["temperature"]?["value"] == -5)
      #expect(await hub.get("entities/urn:ngsi-ld:Room:2").json["temperature"]?["value"] == 20)
      #expect(await hub.get("entities/urn:ngsi-ld:Room:8").status == 404)
    }
  }

  // Clauses: 5.16.1, 5.2.41, 5.16.2, 5.16.4, 5.16.5, 5.16.7, 6.3.22, 6.36, 6.37, 6.38
  @Test(arguments: [
    ("POST", "snapshots", #"{"type": "Snapshot"}"#, 400), ("POST", "snapshots", "[]", 400),
    ("POST", "snapshots", #"{"type": "Query", "snapshotQueries": []}"#, 400),
    ("POST", "snapshots", #"{"type": "Snapshot", "snapshotQueries": []}"#, 400),
    ("POST", "snapshots", #"{"type": "Snapshot", "snapshotQueries": [{"type": "Query"}]}"#, 400),
    ("POST", "snapshots", #"{"type": "Snapshot", "snapshotQueries": [{"type": "Query", "q": "a==="}]}"#, 400),
    (
      "POST", "snapshots",
      #"{"type": "Snapshot", "snapshotQueries": [{"type": "Query", "q": "a", "temporalQ": {"timerel": "after"}}]}"#, 400
    ),
    ("POST", "snapshots", #"{"type": "Snapshot", "snapshotTemporalQueries": [{"type": "Query", "q": "a"}]}"#, 400),
    ("POST", "snapshots", #"{"id": "x", "type": "Snapshot", "snapshotQueries": [{"type": "Query", "q": "a"}]}"#, 400),
    (
      "POST", "snapshots",
      #"{"type": "Snapshot", "snapshotPriority": 11, "snapshotQueries": [{"type": "Query", "q": "a"}]}"#, 400
    ),
    (
      "POST", "snapshots",
      #"{"type": "Snapshot", "snapshotLifetime": "1h", "snapshotQueries": [{"type": "Query", "q": "a"}]}"#, 400
    ),
    (
      "POST", "snapshots",
      #"{"type": "Snapshot", "endpoint": "gopher://x", "snapshotQueries": [{"type": "Query", "q": "a"}]}"#, 400
    ),
    (
      "POST", "snapshots", #"{"type": "Snapshot", "colour": 1, "snapshotQueries": [{"type": "Query", "q": "a"}]}"#, 400
    ),
    ("GET", "snapshots", "", 405), ("GET", "snapshots/no%20uri", "", 400), ("GET", "snapshots/urn:none", "", 404),
    ("PATCH", "snapshots/urn:none", #"{"snapshotPriority": 1}"#, 404), ("DELETE", "snapshots/urn:none", "", 404),
    ("POST", "snapshots/urn:none/clone", #"{"type": "Snapshot"}"#, 404), ("GET", "snapshots/urn:none/clone", "", 405),
    ("POST", "snapshots/urn:none/copy", #"{"type": "Snapshot"}"#, 404), ("DELETE", "snapshots", "", 400),
    ("DELETE", "snapshots?q=speed%3E5", "", 400), ("DELETE", "snapshots?q=%3E%3E", "", 400),
    ("DELETE", "snapshots?q=snapshotPriority%3E5", "", 404), ("DELETE", "snapshots?x=1", "", 400),
  ])
  func whatCannotBeIsRefused(_ method: String, _ target: String, _ body: String, _ status: Int) async throws {
    try await withHub { hub in
      let answer = await hub.send(.init(rawValue: method), target, body.isEmpty ? nil : body)
      #expect(answer.status == status, "\(answer.text)")
      #expect(answer.json["detail"]?.string?.isEmpty == false)
      #expect(hub.hub.waitingSnapshots.isEmpty)
    }
  }

  // Clauses: 6.3.22, 5.5.15
  @Test func aHeaderThatNamesNoneIsRefused() async throws {
    try await withHub { hub in
      for (name, target, status) in [
        ("urn:none", "entities?type=Room", 404), ("none", "entities?type=Room", 400),
        ("urn:none", "csourceRegistrations", 422), ("urn:none", "snapshots/urn:none", 422),
      ] {
        let answer = await hub.get(target, headers: ["NGSILD-Snapshot": name])
        #expect(answer.status == status && answer.header("NGSILD-Snapshot") == name, "\(answer.text)")
      }
      let refused = await hub.post("entities", room(1), headers: ["NGSILD-Snapshot": "urn:none"])
      #expect(refused.status == 404)
      #expect(await hub.get("entities?type=Room").ids.isEmpty)
    }
  }

  // Clauses: 5.16.4, 5.16.6, 5.3.4, 5.16.5
  @Test func whoMadeItHearsOfIt() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", room(1))
      let endpoint = #""endpoint": "http://receiver.test/s", "receiverInfo": [{"key": "X-Who", "value": "desk"}]"#
      hub.recorder.answers { _ in "the receiver is away" }
      let (path, _) = await filled(hub, rooms + ", " + endpoint)
      await hub.hub.sendSnapshotNotices()
      #expect(hub.recorder.messages.isEmpty && hub.hub.snapshotNotices.all.count == 1)
      // It outlives a restart, and says how things are when it comes.
      let changed = await hub.patch(path, #"{"snapshotPriority": 9, "snapshotLifetime": "PT1H", "createdAt": "x"}"#)
      #expect(changed.status == 200 && changed.json["snapshotPriority"] == 9)
      #expect(changed.json["expiresAt"]?.string == hub.clock.now.adding(seconds: 3600).description)
      await hub.stop()
      let next = try await TestHub(folder: hub.folder, clock: hub.clock)
      await next.hub.sendSnapshotNotices()
      let first = try #require(next.recorder.messages.first)
      let said = try JSONParser.parse(first.body)
      #expect(first.url == "http://receiver.test/s" && first.headers.contains { $0 == ("X-Who", "desk") })
      #expect(said["type"] == "SnapshotNotification" && said["snapshotStatus"] == "success")
      #expect(said["snapshotPriority"] == 9 && said["snapshotId"]?.string.map { path.hasSuffix($0) } == true)
      #expect(said["snapshotQueriesDetails"] == [["resultStatus": "success"]])
      await next.hub.sendSnapshotNotices()
      #expect(next.recorder.messages.count == 1)
      #expect(await next.delete(path).status == 204)
      await next.hub.sendSnapshotNotices()
      let end = try JSONParser.parse(try #require(next.recorder.messages.last).body)
      #expect((end["expiresAt"]?.string ?? "z") < (end["notifiedAt"]?.string ?? ""))
      #expect(await next.patch(path, #"{"snapshotPriority": 1}"#).status == 404)
      await next.remove()
    }
  }

  // Clauses: 5.16.4
  @Test(arguments: [
    #"{"snapshotQueries": []}"#, #"{"snapshotPriority": 0}"#, #"{"snapshotPriority": 2.5}"#, #"{"id": "urn:other"}"#,
    #"{"snapshotLifetime": "PT0S"}"#, #"{"type": "Query"}"#, #"{"colour": 1}"#, #"{"endpoint": "x"}"#, "[]",
  ])
  func changesThatCannotBeAreRefused(_ fragment: String) async throws {
    try await withHub { hub in
      let (path, _) = await filled(hub, rooms)
      let before = await hub.get(path).json
      #expect(await hub.patch(path, fragment).status == 400)
      #expect(await hub.get(path).json == before)
    }
  }

  // Clauses: 5.16.2, 5.16.7, 6.38, 6.36
  @Test func aCloneOutlivesWhatItWasMadeOf() async throws {
    try await withHub { hub in
      for number in 0..<3 { _ = await hub.post("entities", room(number)) }
      let time = #"{"timerel": "after", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "createdAt"}"#
      let histories = #""snapshotTemporalQueries": [{"type": "Query", "entities": [{"type": "Room"}], "temporalQ": "#
      let (path, header) = await filled(hub, "\(rooms), \(histories)\(time)}], \"snapshotPriority\": 2")
      _ = await hub.patch("entities/urn:ngsi-ld:Room:0/attrs", #"{"temperature": {"value": 5}}"#, headers: header)
      let copied = await hub.post(path + "/clone", #"{"type": "Snapshot", "snapshotPriority": 9}"#)
      #expect(copied.status == 201)
      let copy = String(copied.header("Location")?.dropFirst(12) ?? "")
      #expect(await hub.post(path + "/clone", #"{"type": "Snapshot", \#(rooms)}"#).status == 400)
      await hub.federation.fillSnapshots()
      #expect(await hub.get(copy).json["snapshotStatus"] == "success")
      #expect(await hub.send(.DELETE, "snapshots?q=snapshotPriority%3C5").status == 204)
      #expect(await hub.get(path).status == 404)
      #expect(await hub.get("entities?type=Room", headers: header).status == 404)
      let inCopy = ["NGSILD-Snapshot": String(copy.split(separator: "/").last ?? "")]
      let found = await hub.get("entities?type=Room", headers: inCopy)
      #expect(found.ids.count == 3 && found.json.array?.first?["temperature"]?["value"] == 5)
      let window =
        "temporal/entities/urn:ngsi-ld:Room:0?timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=modifiedAt"
      #expect(await hub.get(window, headers: inCopy).json["temperature"]?.items.count == 2)
      // What a snapshot leaves goes, and its space is used again once it has rested.
      try await hub.hub.emptySpaces()
      #expect(try hub.store.read { try $0.entityCount(in: Tenant.default.space(1)) } == 0)
      let (_, second) = await filled(hub, rooms)
      hub.clock.move(SnapshotBook.rest)
      let (_, third) = await filled(hub, #""snapshotQueries": [{"type": "Query", "entities": [{"type": "None"}]}]"#)
      #expect(await hub.get("entities?type=Room", headers: second).ids.count == 3)
      #expect(await hub.get("entities?local=true", headers: third).ids.isEmpty)
      #expect(try hub.store.read { try $0.tenants() }.map(\.spaceNumber) == [nil, 1, 2, 3])
    }
  }

  // Clauses: 5.16.1, 4.14, 5.5.15
  @Test func snapshotsOutliveARestart() async throws {
    let hub = try await TestHub()
    let tenant = ["NGSILD-Tenant": "district"]
    for number in 0..<3 { _ = await hub.post("entities", room(number), headers: tenant) }
    let (path, header) = await filled(hub, rooms, headers: tenant)
    // Nobody else's, and no tenant that anybody could name.
    #expect(await hub.get(path).status == 404)
    let other = ["NGSILD-Snapshot": header["NGSILD-Snapshot"] ?? ""]
    #expect(await hub.get("entities?type=Room", headers: other).status == 404)
    #expect(await hub.get("entities?type=Room", headers: header).header("NGSILD-Tenant") == "district")
    let subscribed = await hub.post(
      "subscriptions",
      #"{"type": "Subscription", "entities": [{"type": "Room"}], "#
        + #""notification": {"endpoint": {"uri": "http://receiver.test/n"}}}"#, headers: header)
    #expect(subscribed.status == 201)
    let waiting = await make(hub, rooms, headers: tenant)
    await hub.stop()
    let next = try await TestHub(folder: hub.folder, clock: hub.clock)
    #expect(try next.hub.tenants().map(\.name) == ["", "district"])
    #expect(try next.hub.health()["entities"]?["count"] == 3)
    #expect(await next.get("entities?type=Room", headers: header).ids.count == 3)
    // One that was acknowledged and not filled yet is filled now.
    #expect(await next.get(waiting, headers: tenant).json["snapshotStatus"] == "preparing")
    await next.federation.fillSnapshots()
    #expect(await next.get(waiting, headers: tenant).json["entityCount"] == 3)
    // Its subscription is about the snapshot alone, and says so.
    _ = await next.patch("entities/urn:ngsi-ld:Room:0/attrs", #"{"temperature": {"value": 1}}"#, headers: tenant)
    _ = await next.patch("entities/urn:ngsi-ld:Room:1/attrs", #"{"temperature": {"value": 2}}"#, headers: header)
    let messages = await next.recorder.wait(for: 1)
    #expect(messages.count == 1 && String(decoding: messages[0].body, as: UTF8.self).contains("Room:1"))
    let names = Dictionary(messages[0].headers) { first, _ in first }
    #expect(names["NGSILD-Tenant"] == "district" && names["NGSILD-Snapshot"] == header["NGSILD-Snapshot"])
    // Its time ends it, with all that is in it.
    next.clock.move(next.hub.limits.snapshotSeconds)
    try await next.hub.removeExpiredSnapshots()
    try await next.hub.emptySpaces()
    #expect(await next.get(path, headers: tenant).status == 404)
    #expect(await next.get("subscriptions", headers: header).status == 404)
    let left = try next.store.read { reader in
      try ["subscriptions", "snapshots"].map { try reader.documentCount($0, in: Tenant("district").space(1)) }
    }
    #expect(left == [0, 0])
    await next.remove()
  }

  // Clauses: 5.16.1, 4.3.7
  @Test func whatSourcesHaveIsKeptToo() async throws {
    try await Districts.with { city in
      await city.register("north.test", #"{"entities": [{"type": "Room"}]}"#, operations: #""queryEntity""#)
      await city.register("south.test", #"{"entities": [{"type": "Room"}]}"#)
      _ = await city.metropolis.post("entities", room(1))
      _ = await city.north.post("entities", room(2))
      _ = await city.south.post("entities", room(3))
      city.network.fail("south.test", with: .late)
      let near = #""geoQ": {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": [127, 37]}"#
      _ = await city.north.post(
        "entities", room(4, #""location": {"value": {"type": "Point", "coordinates": [1, 1]}}"#))
      _ = await city.north.post(
        "entities", room(5, #""location": {"value": {"type": "Point", "coordinates": [127, 37]}}"#))
      let (place, _) = await filled(
        city.metropolis, #""snapshotQueries": [{"type": "Query", "entities": [{"type": "Room"}], \#(near)}]"#)
      #expect(await city.metropolis.get(place).json["entityCount"] == 1)
      for number in 4...5 { _ = await city.north.delete("entities/urn:ngsi-ld:Room:\(number)") }
      let (path, header) = await filled(city.metropolis, rooms)
      let shown = await city.metropolis.get(path).json
      #expect(shown["snapshotStatus"] == "partial")
      let details = shown["snapshotQueriesDetails"]?.items.first
      #expect(details?["resultStatus"] == "success")
      #expect(details?["problemDetails"]?["detail"]?.string?.contains("south.test") == true)
      _ = await city.north.delete("entities/urn:ngsi-ld:Room:2")
      city.network.forgetCalls()
      #expect(await city.metropolis.get("entities?type=Room", headers: header).ids.count == 2)
      #expect(await city.metropolis.get("entities/urn:ngsi-ld:Room:2?local=false", headers: header).status == 200)
      #expect(city.network.calls.isEmpty)
    }
  }

  // Clauses: 5.16.1, 5.2.42
  @Test func aSnapshotHoldsWhatItsQueriesSelect() async throws {
    var limits = Limits()
    limits.snapshotEntities = 4
    try await withHub(limits: limits) { hub in
      let more = #""temperature": {"value": 1, "datasetId": "urn:d:1"}, "level": {"value": 1}, "owner": {"value": "x"}"#
      for number in 0..<5 { _ = await hub.post("entities", room(number, more)) }
      let two = #"{"type": "Query", "entities": [{"type": "Room", "idPattern": "[01]$"}], "#
      // Two queries add to one another; one finds nothing, and one too much.
      let (path, header) = await filled(
        hub,
        #""snapshotQueries": [\#(two)"pick": ["id", "type", "level"]}, \#(two)"attrs": ["owner"], "q": "owner"}, "#
          + #"{"type": "Query", "entities": [{"type": "None"}]}]"#)
      let shown = await hub.get(path).json
      #expect(shown["snapshotStatus"] == "partial" && shown["entityCount"] == 2)
      #expect(
        shown["snapshotQueriesDetails"]?.items.compactMap { $0["resultStatus"] } == ["success", "success", "empty"])
      let entity = await hub.get("entities/urn:ngsi-ld:Room:0", headers: header).json
      #expect(entity["level"] != nil && entity["owner"] != nil && entity["temperature"] == nil)
      let (long, _) = await filled(hub, rooms)
      let failed = await hub.get(long).json
      #expect(failed["snapshotStatus"] == "failure")
      let problem = failed["snapshotQueriesDetails"]?.items.first?["problemDetails"]
      #expect(problem?["type"]?.string?.hasSuffix("TooManyResults") == true)
      let (none, _) = await filled(hub, #""snapshotQueries": [{"type": "Query", "entities": [{"type": "None"}]}]"#)
      #expect(await hub.get(none).json["snapshotStatus"] == "empty")
    }
  }

  // Clauses: 5.5.15, 5.16.1
  @Test func snapshotsHaveBounds() async throws {
    var limits = Limits()
    (limits.snapshotsOfTenant, limits.snapshots, limits.longestSnapshotSeconds) = (2, 3, 100)
    try await withHub(limits: limits) { hub in
      let long = #", "snapshotLifetime": "P10Y""#
      let first = await make(hub, rooms + long + #", "snapshotPriority": 3"#)
      #expect(await hub.get(first).json["expiresAt"]?.string == hub.clock.now.adding(seconds: 100).description)
      let second = await make(hub, rooms)
      // One of a lower priority gives way; of the same none does.
      let third = await make(hub, rooms)
      #expect(await hub.get(first).status == 404)
      let refused = await hub.post("snapshots", #"{"type": "Snapshot", \#(rooms)}"#)
      #expect(refused.problem == "TooManyResults")
      let other = ["NGSILD-Tenant": "other"]
      _ = await make(hub, rooms, headers: other)
      // Nor does another tenant's.
      let high = #"{"type": "Snapshot", "snapshotPriority": 10, \#(rooms)}"#
      #expect(await hub.post("snapshots", high, headers: ["NGSILD-Tenant": "third"]).problem == "TooManyResults")
      for path in [second, third] { #expect(await hub.get(path).status == 200) }
      let id = await hub.get(second).json["id"]?.string ?? ""
      let again = await hub.post("snapshots", #"{"id": "\#(id)", "type": "Snapshot", \#(rooms)}"#)
      #expect(again.status == 409)
      let section = try hub.hub.health()["snapshots"]
      #expect(section?["count"]?["value"] == 3 && section?["preparing"] == 3)
    }
  }

  // Clauses: 5.16.1
  @Test func aLargeSnapshotHoldsNobodyUp() async throws {
    try await withHub { hub in
      for start in stride(from: 0, to: 3_000, by: 500) {
        let batch = (start..<start + 500).map { room($0) }.joined(separator: ",")
        #expect(await hub.post("entityOperations/create", "[\(batch)]").status == 201)
      }
      let path = await make(hub, rooms)
      let filling = Task { await hub.federation.fillSnapshots() }
      // Writers come in between, and what they write is not in it.
      var writes = 0
      while await hub.get(path).json["snapshotStatus"] == "preparing" {
        let answer = await hub.patch(
          "entities/urn:ngsi-ld:Room:2999/attrs", #"{"temperature": {"value": \#(writes)}}"#)
        #expect(answer.status == 204)
        writes += 1
      }
      await filling.value
      let shown = await hub.get(path).json
      #expect(shown["entityCount"] == 3_000 && shown["snapshotStatus"] == "success")
      #expect(writes >= 3, "\(writes) writes while it was filled")
      let header = ["NGSILD-Snapshot": shown["id"]?.string ?? ""]
      let last = await hub.get("entities/urn:ngsi-ld:Room:2999", headers: header).json["temperature"]?["value"]
      #expect(last?.number.map { $0 <= 20 } == true)
    }
  }
}
