import Federation
import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// Answers, notifications and what is sent on for those who know an earlier version (ETSI GS CIM 009 clause 4.3.6.8).
@Suite struct EarlierVersionTests {
  private static let all = #"""
    {"id": "urn:ngsi-ld:Room:1", "type": ["Room", "Hall"], "scope": "/a/b", "expiresAt": "2099-01-01T00:00:00Z",
     "plain": [{"type": "Property", "value": 1, "unitCode": "CEL", "observedAt": "2026-01-01T00:00:00Z"},
               {"type": "Property", "value": 2, "datasetId": "urn:d:1"}],
     "typed": {"type": "Property", "value": "x", "valueType": "Word", "expiresAt": "2098-01-01T00:00:00Z"},
     "text": {"type": "LanguageProperty", "languageMap": {"en": "hall", "ko": "홀"}},
     "word": {"type": "VocabProperty", "vocab": "Word",
              "why": {"type": "JsonProperty", "json": {"a": [1]}}},
     "raw": {"type": "JsonProperty", "json": {"type": "Nothing", "value": 1}},
     "list": {"type": "ListProperty", "valueList": [1, 2]},
     "near": {"type": "ListRelationship", "objectList": [{"object": "urn:a"}, {"object": "urn:b"}]},
     "in": {"type": "Relationship", "object": "urn:c", "objectType": "House"}}
    """#

  private func shown(_ hub: TestHub, _ version: String, _ query: String = "options=sysAttrs") async -> Answer {
    await hub.get("entities/urn:ngsi-ld:Room:1?" + query, headers: ["Prefer": "ngsi-ld=" + version])
  }

  // Clauses: 4.3.6.8, 5.7.1, 6.3.6, 6.5
  @Test(arguments: [
    // version, status, types, kinds of text, word, list, near; members of plain
    ("1.9", 200, ["LanguageProperty", "VocabProperty", "ListProperty", "ListRelationship"]),
    ("1.8", 203, ["LanguageProperty", "VocabProperty", "ListProperty", "ListRelationship"]),
    ("1.7", 203, ["LanguageProperty", "Property", "Property", "Relationship"]),
    ("1.4", 203, ["LanguageProperty", "Property", "Property", "Relationship"]),
    ("1.3", 203, ["Property", "Property", "Property", "Relationship"]),
    ("1.0", 203, ["Property", "Property", "Property", "Relationship"]),
  ])
  func whatCameLaterFallsBack(_ version: String, _ status: Int, _ kinds: [String]) async throws {
    try await withHub { hub in
      #expect(await hub.post("entities", Self.all).status == 201)
      let answer = await shown(hub, version)
      #expect(answer.status == status && answer.header("Preference-Applied") == "ngsi-ld=" + version)
      let room = answer.json
      let minor = Int(version.dropFirst(2)) ?? 0
      #expect(["text", "word", "list", "near"].map { room[$0]?["type"]?.string } == kinds)
      #expect((room["expiresAt"] != nil) == (minor >= 9))
      #expect(
        (room["typed"]?["expiresAt"] != nil) == (minor >= 9) && (room["typed"]?["valueType"] != nil) == (minor >= 9))
      #expect((room["in"]?["objectType"] != nil) == (minor >= 8))
      #expect((room["scope"] != nil) == (minor >= 4))
      #expect((room["type"]?.array != nil) == (minor >= 3) && room["plain"]?.items.count == (minor >= 3 ? 2 : 1))
      let first = room["plain"]?.items.first
      #expect(first?["value"] == 1 && (first?["observedAt"] != nil) == (minor >= 3))
      #expect((first?["unitCode"] != nil) == (minor >= 3) && first?["createdAt"] != nil)
      // What was told in a member of its own is the value then.
      if minor < 8 {
        #expect(room["word"]?["value"] == "Word" && room["word"]?["why"]?["value"] == ["a": [1]])
        #expect(room["raw"]?["value"] == ["type": "Nothing", "value": 1] && room["list"]?["value"] == [1, 2])
        #expect(room["near"]?["object"] == ["urn:a", "urn:b"])
      }
      if minor < 4 { #expect(room["text"]?["value"] == ["en": "hall", "ko": "홀"]) }
    }
  }

  // Clauses: 4.3.6.8, 5.7.2, 5.7.3, 5.7.4, 6.4, 6.18, 6.19, 6.23
  @Test func queriesAndHistoriesFallBackToo() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", Self.all)
      let prefer = ["Prefer": "ngsi-ld=1.7"]
      let query = #"{"type": "Query", "entities": [{"type": "Room"}]}"#
      for answer in [
        await hub.get("entities?type=Room", headers: prefer),
        await hub.post("entityOperations/query", query, headers: prefer),
        await hub.get("temporal/entities/urn:ngsi-ld:Room:1", headers: prefer),
        await hub.get(
          "temporal/entities?type=Room&timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=createdAt",
          headers: prefer),
      ] {
        #expect(answer.status == 203 && answer.header("Preference-Applied") == "ngsi-ld=1.7", "\(answer.text)")
        let room = answer.json.array?.first ?? answer.json
        let word = room["word"]?.items.first
        #expect(word?["type"] == "Property" && word?["value"] == "Word")
      }
      // A history keeps its instances, whatever the version: their times tell them apart.
      _ = await hub.patch("entities/urn:ngsi-ld:Room:1/attrs", #"{"list": {"type": "ListProperty", "valueList": [3]}}"#)
      let history = await hub.get("temporal/entities/urn:ngsi-ld:Room:1", headers: ["Prefer": "ngsi-ld=1.0"])
      #expect(history.json["list"]?.items.count == 2 && history.json["plain"]?.items.count == 1)
      let simple = await shown(hub, "1.3", "options=keyValues")
      #expect(simple.json["word"] == "Word" && simple.json["list"] == [3])
      #expect(simple.json["text"] == ["en": "hall", "ko": "홀"])
      #expect(await shown(hub, "1.3", "lang=ko").json["text"]?["value"] == "홀")
    }
  }

  // Clauses: 4.3.6.8, 6.3.6
  @Test(arguments: [
    ("NGSI-LD=\"1.5\"", "ngsi-ld=1.5"), ("respond-async, ngsi-ld=1.5;q=1", "ngsi-ld=1.5"),
    ("ngsi-ld=1.12", "ngsi-ld=1.9"),
    ("ngsi-ld=2.0", "ngsi-ld=1.9"), ("ngsi-ld=1.9.1", nil), ("ngsi-ld=", nil), ("ngsi-ld", nil), ("ngsi-ld=abc", nil),
    ("ngsi-ld=0.9", nil), ("ngsi-ld=99999999999999999999.1", nil), ("body=json", nil), (",;=,", nil),
  ])
  func aPreferenceIsHeardOrPassedOver(_ prefer: String, _ applied: String?) async throws {
    try await withHub { hub in
      _ = await hub.post("entities", room(1))
      let answer = await hub.get("entities/urn:ngsi-ld:Room:1", headers: ["Prefer": prefer])
      // Nothing of this entity came later: it is the same in every version.
      #expect(answer.status == 200 && answer.header("Preference-Applied") == applied)
      #expect(answer.json["temperature"]?["value"] == 20)
      let types = await hub.get("types", headers: ["Prefer": prefer])
      #expect(types.status == 200 && types.header("Preference-Applied") == applied)
      let none = await hub.get("entities/urn:none", headers: ["Prefer": prefer])
      #expect(none.status == 404 && none.header("Preference-Applied") == nil)
    }
  }

  // Clauses: 5.2.12, 4.3.6.8
  @Test func notificationsConformToWhatTheirSubscriptionSays() async throws {
    try await withHub { hub in
      _ = await hub.subscribe(
        #""entities": [{"type": "Room"}], "notificationTrigger": ["entityCreated"], "ngsildConformance": "1.7""#)
      let broken = await hub.post(
        "subscriptions",
        #"{"type": "Subscription", "entities": [{"type": "Room"}], "ngsildConformance": "newest", "#
          + #""notification": {"endpoint": {"uri": "http://receiver.test/n"}}}"#)
      #expect(broken.status == 400)
      _ = await hub.post("entities", Self.all)
      let messages = await hub.recorder.wait(for: 1)
      let room = try JSONParser.parse(try #require(messages.first).body)["data"]?.items.first
      #expect(room?["word"]?["type"] == "Property" && room?["near"]?["type"] == "Relationship")
    }
  }

  // Clauses: 4.3.6.6, 4.3.6.8
  @Test func whatIsSentOnFallsBackToWhatTheSourceKnows() async throws {
    try await Districts.with { city in
      await city.register(
        "north.test", #"{"entities": [{"type": "Room"}]}"#, mode: "redirect",
        operations: #""redirectionOps", "createBatch""#,
        more: #""contextSourceInfo": [{"key": "ngsildConformance", "value": "1.0"}]"#)
      #expect(await city.metropolis.post("entities", Self.all).status == 201)
      let sent = try JSONParser.parse(try #require(city.network.calls.first?.body))
      #expect(sent["type"] == "Room" && sent["scope"] == nil && sent["expiresAt"] == nil)
      #expect(sent["plain"] == ["type": "Property", "value": 1])
      #expect(sent["typed"] == ["type": "Property", "value": "x"])
      #expect(sent["text"] == ["type": "Property", "value": ["en": "hall", "ko": "홀"]])
      #expect(sent["word"] == ["type": "Property", "value": "Word", "why": ["type": "Property", "value": ["a": [1]]]])
      #expect(sent["raw"] == ["type": "Property", "value": ["type": "Nothing", "value": 1]])
      #expect(sent["near"] == ["type": "Relationship", "object": ["urn:a", "urn:b"]])
      #expect(sent["in"] == ["type": "Relationship", "object": "urn:c"])
      #expect(city.network.calls.first?.headers.contains { $0.name == "Prefer" && $0.value == "ngsi-ld=1.0" } == true)
      city.network.forgetCalls()
      // Concise forms, one attribute, and the mark of a deletion.
      let path = "entities/urn:ngsi-ld:Room:1"
      _ = await city.metropolis.send(
        .PUT, path + "/attrs/word", #"{"vocab": "Other", "observedAt": "2026-01-01T00:00:00Z"}"#)
      _ = await city.metropolis.patch(path, #"{"text": {"languageMap": {"@none": "urn:ngsi-ld:null"}}}"#)
      _ = await city.metropolis.post(
        "entityOperations/create", #"[{"id": "urn:ngsi-ld:Room:2", "type": "Room", "a": 5, "b": {"valueList": [1]}}]"#)
      let bodies = try city.network.calls.compactMap(\.body).map { try JSONParser.parse($0) }
      #expect(bodies.contains(["value": "Other"]), "\(bodies)")
      #expect(bodies.contains { $0["text"] == ["value": "urn:ngsi-ld:null"] })
      #expect(bodies.contains { $0.array?.first?["b"] == ["value": [1]] && $0.array?.first?["a"] == 5 })
    }
  }

  // Clauses: 6.3.21
  @Test func whatAProfileSaysOfItsVersionIsTakenAsItIs() async throws {
    try await withHub { hub in
      let profile = #"<https://uri.etsi.org/ngsi-ld/profile/version>; rel="profile"; profile="1.6""#
      let context = #"<\#(TestContexts.city)>; rel="http://www.w3.org/ns/json-ld#context""#
      let vocabulary = #"{"id": "urn:s:1", "type": "Station", "pm10": {"type": "VocabProperty", "vocab": "Station"}}"#
      for link in [profile, "\(profile), \(context)", "\(context), \(profile)"] {
        let made = await hub.post("entities", vocabulary, headers: ["Link": link])
        #expect(made.status == 201, "\(made.text)")
        let shown = await hub.get("entities/urn:s:1", headers: ["Link": context]).json
        let isNamed = link.contains("ld#context")
        #expect((shown["type"] == "Station") == isNamed && (shown["pm10"] != nil) == isNamed, "\(shown)")
        _ = await hub.delete("entities/urn:s:1")
      }
    }
  }
}
