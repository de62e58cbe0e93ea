import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

// Clauses: 4.18, 4.5.6
/// Deletions and scopes in histories (clauses 4.5.6, 4.5.7, 4.18, C.5.16).
@Suite struct ScopeHistoryTests {
  private let path = "temporal/entities/urn:ngsi-ld:Room:1"

  @Test func scopesOfEntitiesAreHistory() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", #"{"id": "urn:ngsi-ld:Room:1", "type": "Room", "scope": "/old"}"#)
      hub.clock.move(60)
      _ = await hub.patch("entities/urn:ngsi-ld:Room:1", #"{"type": "Room", "scope": ["/new", "/more"]}"#)
      hub.clock.move(60)
      #expect(await hub.delete("entities/urn:ngsi-ld:Room:1/attrs/scope").status == 204)
      let answer = await hub.get(path + "?options=sysAttrs").json
      let scopes = answer["scope"]?.array ?? []
      #expect(scopes.map { $0["value"] } == ["/old", ["/new", "/more"], "urn:ngsi-ld:null"])
      #expect(scopes.allSatisfy { $0["type"] == "Property" })
      #expect(scopes[1]["observedAt"] == "2026-03-01T12:01:00Z" && scopes[1]["modifiedAt"] == "2026-03-01T12:01:00Z")
      #expect(scopes[2]["deletedAt"] == "2026-03-01T12:02:00Z")
      let known: Set<String> = ["type", "value", "instanceId", "createdAt", "modifiedAt", "deletedAt", "observedAt"]
      #expect(scopes.allSatisfy { Set($0.object?.members.map(\.key) ?? []).isSubset(of: known) })
      let short = await hub.get(path + "?options=temporalValues&pick=id,scope").json
      #expect(
        short == [
          "id": "urn:ngsi-ld:Room:1",
          "scope": [
            "type": "Property",
            "values": [
              ["/old", "2026-03-01T12:00:00Z"], [["/new", "/more"], "2026-03-01T12:01:00Z"],
              ["urn:ngsi-ld:null", "2026-03-01T12:02:00Z"],
            ],
          ],
        ])
      #expect(await hub.get(path + "?omit=scope").json["scope"] == nil)
    }
  }

  /// An entity that is deleted leaves its scopes too.
  @Test func deletionOfAnEntityEndsItsScopes() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", room(1, #""scope": "/a", "level": {"type": "Property", "value": 1}"#))
      hub.clock.move(60)
      _ = await hub.delete("entities/urn:ngsi-ld:Room:1")
      let marks = await hub.get(path + "?timeproperty=deletedAt").json
      #expect(marks["scope"]?.array?.map { $0["value"] } == ["urn:ngsi-ld:null"])
      #expect(marks["level"]?.array?.map { $0["value"] } == ["urn:ngsi-ld:null"])
    }
  }

  /// Evolutions carry scopes as instances of a Property, or bare; both count for scopeQ while they held.
  @Test func scopesOfEvolutionsSelectTheirTime() async throws {
    try await withHub { hub in
      let values = (0..<6).map { #"{"type": "Property", "value": \#($0), "observedAt": "2026-01-01T0\#($0):00:00Z"}"# }
      _ = await hub.post(
        "temporal/entities",
        """
        {"id": "urn:ngsi-ld:Room:1", "type": "Room", "level": [\(values.joined(separator: ","))], "scope": [
          {"type": "Property", "value": "/a", "observedAt": "2026-01-01T02:00:00Z"},
          {"type": "Property", "value": ["/b", "/c"], "observedAt": "2026-01-01T04:00:00Z"}]}
        """)
      _ = await hub.post(
        "temporal/entities",
        #"{"id": "urn:ngsi-ld:Room:2", "type": "Room", "level": [\#(values.joined(separator: ","))], "scope": "/a"}"#)
      func found(_ scope: String) async -> [JSON] {
        let answer = await hub.get(
          "temporal/entities?type=Room&scopeQ=\(scope)&options=temporalValues&attrs=level"
            + "&timerel=between&timeAt=2026-01-01T00:00:00Z&endTimeAt=2026-01-02T00:00:00Z")
        return (answer.json.array ?? []).map { one in
          .array((one["level"]?["values"]?.array ?? []).compactMap { $0.array?.first })
        }
      }
      #expect(await found("/a") == [[2, 3], [0, 1, 2, 3, 4, 5]])
      #expect(await found("(/b;/c)") == [[4, 5]])
      #expect(await found("/x") == [])
      for scope in [#"[{"type": "Property"}]"#, #"[{"type": "Relationship", "value": "/a"}]"#, #""/1 2""#, "7"] {
        let refused = await hub.post("temporal/entities", #"{"id": "urn:x:9", "type": "Room", "scope": \#(scope)}"#)
        #expect(refused.problem == "BadRequestData", "\(scope)")
      }
    }
  }

  /// An attribute of an entity that only has a history can be deleted: the history says so, once.
  @Test func deletionReachesEntitiesThatOnlyHaveAHistory() async throws {
    try await withHub { hub in
      let name = #"{"type": "LanguageProperty", "languageMap": {"ko": "방"}, "observedAt": "2026-01-01T00:00:00Z"}"#
      let level = #"{"type": "Property", "value": 1, "observedAt": "2026-01-01T00:00:00Z"}"#
      let other = #"{"type": "Property", "value": 2, "observedAt": "2026-01-01T00:00:00Z", "datasetId": "urn:d:1"}"#
      _ = await hub.post(
        "temporal/entities", room(1, #""scope": "/a", "name": [\#(name)], "level": [\#(level), \#(other)]"#))
      let attributes = "entities/urn:ngsi-ld:Room:1/attrs/"
      #expect(await hub.delete(attributes + "name").status == 204)
      #expect(await hub.delete(attributes + "name").status == 404)
      #expect(await hub.delete(attributes + "scope").status == 204)
      #expect(await hub.delete(attributes + "scope").status == 404)
      #expect(await hub.delete(attributes + "none").status == 404)
      #expect(await hub.delete(attributes + "level?deleteAll=true").status == 204)
      #expect(await hub.delete("entities/urn:ngsi-ld:Room:2/attrs/name").status == 404)
      let marks = await hub.get(path + "?timeproperty=deletedAt").json
      #expect(marks["name"]?.array?.map { $0["languageMap"] } == [["@none": "urn:ngsi-ld:null"]])
      #expect(marks["scope"]?.array?.map { $0["deletedAt"] } == ["2026-03-01T12:00:00Z"])
      #expect(Set((marks["level"]?.array ?? []).map { $0["datasetId"] }) == [nil, "urn:d:1"])
      #expect(await hub.get("entities/urn:ngsi-ld:Room:1").status == 404)
      // The values stay.
      #expect(
        await hub.get(path + "?options=temporalValues&attrs=name").json["name"]?["languageMaps"]?.array?.count == 2)
    }
  }

  @Test func typesOfEvolutionsAreAdded() async throws {
    try await withHub { hub in
      let level = #""level": [{"type": "Property", "value": 1, "observedAt": "2026-01-01T00:00:00Z"}]"#
      #expect(await hub.post("temporal/entities", #"{"id": "urn:x:1", "type": "A", \#(level)}"#).status == 201)
      #expect(await hub.post("temporal/entities", #"{"id": "urn:x:1", "type": "B", \#(level)}"#).status == 204)
      #expect(await hub.post("temporal/entities/urn:x:1/attrs", #"{"type": ["C", "A"], \#(level)}"#).status == 204)
      #expect(await hub.get("temporal/entities/urn:x:1").json["type"] == ["A", "B", "C"])
    }
  }
}
