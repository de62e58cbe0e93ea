import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

@Suite struct TemporalTests {
  /// Ten hourly values, 0 to 9.
  private let series = (0..<10).map {
    #"{"type": "Property", "value": \#($0), "observedAt": "2026-01-01T0\#($0):00:00Z"}"#
  }.joined(separator: ",")

  private let path = "temporal/entities/urn:x:1"

  private func fill(_ hub: TestHub) async {
    let created = await hub.post(
      "temporal/entities", #"{"id": "urn:x:1", "type": "T", "level": [\#(series)]}"#)
    #expect(created.status == 201 && created.header("Location") == "/ngsi-ld/v1/temporal/entities/urn:x:1")
  }

  private func values(_ answer: Answer) -> [JSON] {
    (answer.json["level"]?["values"]?.array ?? []).compactMap { $0.array?.first }
  }

  // Clauses: 4.11, 5.2.21, 5.7.3, 5.7.4, 6.18, 6.19, 6.24
  @Test func rangesAreReadExactly() async throws {
    try await withHub { hub in
      await fill(hub)
      let short = "&options=temporalValues"
      let after = await hub.get(path + "?timerel=after&timeAt=2026-01-01T06:00:00Z" + short)
      // `after` takes the time itself along, `before` does not (clause 4.11).
      #expect(values(after) == [6, 7, 8, 9])
      let before = await hub.get(path + "?timerel=before&timeAt=2026-01-01T02:00:00Z" + short)
      #expect(values(before) == [0, 1])
      let between = await hub.get(
        path + "?timerel=between&timeAt=2026-01-01T02:00:00Z&endTimeAt=2026-01-01T05:00:00Z" + short)
      #expect(values(between) == [2, 3, 4] || values(between) == [2, 3, 4, 5])
      #expect(Set(values(await hub.get(path + "?lastN=2" + short))) == [8, 9])
      let query = await hub.get("temporal/entities?type=T&timerel=after&timeAt=2026-01-01T08:00:00Z" + short)
      #expect(query.json.array?.count == 1)
      let posted = await hub.post(
        "temporal/entityOperations/query?options=temporalValues",
        #"{"type": "Query", "entities": [{"type": "T"}], "temporalQ": {"timerel": "after", "timeAt": "2026-01-01T08:00:00Z"}}"#
      )
      #expect(posted.json == query.json)
    }
  }

  // Clauses: 5.7.3, 6.3.10
  @Test func longAnswersAreCutAndSaySo() async throws {
    var limits = Limits()
    limits.temporalInstances = 4
    try await withHub(limits: limits) { hub in
      await fill(hub)
      let first = await hub.get(path + "?timerel=after&timeAt=2025-12-31T00:00:00Z&options=temporalValues")
      #expect(first.status == 206 && values(first) == [0, 1, 2, 3])
      #expect(first.header("Content-Range") == "date-time 2025-12-31T00:00:00Z-2026-01-01T03:00:00Z/*")
      let last = await hub.get(path + "?lastN=8&options=temporalValues")
      #expect(last.status == 206)
      #expect(last.header("Content-Range") == "date-time 2026-01-01T09:00:00Z-2026-01-01T06:00:00Z/8")
    }
  }

  // Clauses: 4.5.8, 5.7.3, 6.3.10
  /// Attributes without an instance in the span of a cut answer are there, empty, in every form.
  @Test func attributesOutsideACutAreEmpty() async throws {
    var limits = Limits()
    limits.temporalInstances = 4
    try await withHub(limits: limits) { hub in
      await fill(hub)
      let late = #"{"late": [{"type": "Relationship", "object": "urn:x:2", "observedAt": "2026-01-02T00:00:00Z"}]}"#
      _ = await hub.post(path + "/attrs", late)
      let window = "?timerel=after&timeAt=2025-12-31T00:00:00Z"
      let whole = await hub.get(path + window)
      #expect(whole.status == 206 && whole.json["level"]?.array?.count == 4 && whole.json["late"] == [])
      let short = await hub.get(path + window + "&options=temporalValues")
      #expect(short.json["late"] == ["type": "Relationship", "objects": []])
      let backward = await hub.get(path + "?lastN=8&options=temporalValues")
      #expect(backward.json["late"]?["objects"]?.array?.count == 1)
    }
  }

  // Clauses: 4.23, 5.2.43, 5.7.4
  @Test func historiesAreOrderedById() async throws {
    try await withHub { hub in
      for number in [2, 10, 1] { _ = await hub.post("entities", room(number)) }
      let query = "temporal/entities?type=Room&timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=createdAt"
      let ids = [1, 10, 2].map { "urn:ngsi-ld:Room:\($0)" }
      #expect(await hub.get(query + "&orderBy=id").ids == ids)
      #expect(await hub.get(query + "&orderBy=id;desc").ids == ids.reversed())
      #expect(await hub.get(query + "&orderBy=id;desc&limit=1&offset=1").ids == [ids[1]])
      #expect(await hub.get(query + "&orderBy=id,createdAt").problem == "BadRequestData")
      let posted = await hub.post(
        "temporal/entityOperations/query",
        """
        {"type": "Query", "entities": [{"type": "Room"}], "ordering": {"orderBy": ["id;desc"]},
        "temporalQ": {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "createdAt"}}
        """)
      #expect(posted.ids == ids.reversed())
    }
  }

  // Clauses: 4.5.19, 5.2.44, 6.3.12
  @Test func aggregatesByPeriod() async throws {
    try await withHub { hub in
      await fill(hub)
      let answer = await hub.get(
        path + "?timerel=between&timeAt=2026-01-01T00:00:00Z&endTimeAt=2026-01-01T23:00:00Z"
          + "&format=aggregatedValues&aggrMethods=avg,max,totalCount&aggrPeriodDuration=PT5H")
      #expect(
        answer.json["level"]?["avg"] == [
          [2, "2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z"], [7, "2026-01-01T05:00:00Z", "2026-01-01T10:00:00Z"],
        ])
      #expect(answer.json["level"]?["max"]?.array?.compactMap { $0.array?.first } == [4, 9])
      #expect(await hub.get(path + "?format=aggregatedValues&aggrMethods=what").problem == "BadRequestData")
      #expect(await hub.get(path + "?format=aggregatedValues").problem == "BadRequestData")
    }
  }

  // Clauses: 4.5.6, 4.5.7, 5.2.20, 5.6.11, 5.6.12, 5.6.13, 5.6.14, 5.6.15, 5.6.16, 6.18, 6.19, 6.20, 6.21, 6.22
  @Test func historiesAreWrittenAndDeletedPieceByPiece() async throws {
    try await withHub { hub in
      await fill(hub)
      let more = #"{"level": [{"type": "Property", "value": 10, "observedAt": "2026-01-01T10:00:00Z"}]}"#
      #expect(await hub.post(path + "/attrs", more).status == 204)
      let whole = await hub.get(path + "?timerel=after&timeAt=2026-01-01T09:30:00Z")
      let id = try #require(whole.json["level"]?.array?.first?["instanceId"]?.string)
      let change = #"{"type": "Property", "value": 11, "observedAt": "2026-01-01T10:00:00Z"}"#
      #expect(await hub.patch(path + "/attrs/level/" + id, change).status == 204)
      #expect(values(await hub.get(path + "?lastN=1&options=temporalValues")) == [11])
      #expect(await hub.patch(path + "/attrs/level/urn:x:none", change).status == 404)
      #expect(await hub.patch(path + "/attrs/level/nouri", change).problem == "BadRequestData")
      #expect(await hub.delete(path + "/attrs/level/" + id).status == 204)
      #expect(values(await hub.get(path + "?lastN=1&options=temporalValues")) == [9])
      #expect(await hub.delete(path + "/attrs/level?deleteAll=true").status == 204)
      #expect(await hub.delete(path + "/attrs/level").status == 404)
      #expect(await hub.delete(path).status == 204)
      #expect(await hub.get(path).status == 404)
    }
  }

  // Clauses: 4.11, 5.7.3, 5.7.4
  @Test func questionsWithoutSenseAreRefused() async throws {
    try await withHub { hub in
      await fill(hub)
      for target in [
        "temporal/entities?type=T", "temporal/entities?timerel=after&timeAt=2026-01-01T00:00:00Z",
        path + "?timerel=after", path + "?timerel=what&timeAt=2026-01-01T00:00:00Z",
        path + "?timeAt=2026-01-01T00:00:00Z",
        path + "?timerel=between&timeAt=2026-01-01T00:00:00Z", path + "?lastN=0", path + "?timerel=after&timeAt=soon",
        "temporal/entities?type=T&timerel=after&timeAt=2026-01-01T00:00:00Z&orderBy=level",
      ] {
        #expect(await hub.get(target).problem == "BadRequestData", "\(target)")
      }
      #expect(await hub.get(path + "?options=what").problem == "InvalidRequest")
    }
  }

  // Clauses: 4.5.9
  @Test func simplifiedValuesKeepTheirKind() async throws {
    try await withHub { hub in
      let text = #"{"type": "LanguageProperty", "languageMap": {"ko": "마당"}, "observedAt": "2026-01-01T00:00:00Z"}"#
      let json = #"{"type": "JsonProperty", "json": {"a": 1}, "observedAt": "2026-01-01T00:00:00Z"}"#
      _ = await hub.post("temporal/entities", #"{"id": "urn:x:1", "type": "T", "name": [\#(text)], "raw": [\#(json)]}"#)
      let answer = await hub.get(path + "?options=temporalValues").json
      #expect(answer["name"]?["languageMaps"] == [[["languageMap": ["ko": "마당"]], "2026-01-01T00:00:00Z"]])
      #expect(answer["raw"]?["jsons"] == [[["json": ["a": 1]], "2026-01-01T00:00:00Z"]])
    }
  }

  // Clauses: 4.5.9, 5.7.3
  /// A retrieval is written value by value, a query by way of attributes.
  @Test func longHistoriesAreWrittenAlikeBothWays() async throws {
    try await withHub { hub in
      for month in 1...6 {
        let values = (1...28).map { day -> String in
          let time = "2026-0\(month)-\(day < 10 ? "0" : "")\(day)T09:00:00Z"
          let unit = day % 3 == 0 ? #""unitCode": "CEL","# : ""
          let value = Double(day) / 8 - 1
          return #"{"type": "Property", "value": \#(value), \#(unit) "observedAt": "\#(time)"}"#
        }
        let stops =
          #"{"type": "Relationship", "object": "urn:x:\#(month)", "observedAt": "2026-0\#(month)-01T00:00:00Z"}"#
        let body = #"{"id": "urn:x:1", "type": "T", "level": [\#(values.joined(separator: ","))], "stop": [\#(stops)]}"#
        #expect(await hub.post("temporal/entities", body).status == (month == 1 ? 201 : 204))
      }
      for window in [
        "timerel=after&timeAt=2000-01-01T00:00:00Z",
        "timerel=between&timeAt=2026-02-03T00:00:00Z&endTimeAt=2026-05-05T09:00:00Z",
        "timerel=before&timeAt=2026-01-01T00:00:00Z",
      ] {
        for attributes in ["", "&attrs=level", "&attrs=stop"] {
          let asked = window + attributes + "&options=temporalValues"
          let one = await hub.get(path + "?" + asked)
          let list = await hub.get("temporal/entities?id=urn:x:1&type=T&" + asked)
          #expect(list.status == 200)
          if let expected = list.json.array?.first {
            #expect(one.json == expected && one.status == 200)
            #expect(attributes == "&attrs=stop" || one.json["level"]?["values"]?.array?.count ?? 0 > 80)
          } else {
            #expect(one.status == 404 && window.hasPrefix("timerel=before"))
          }
        }
      }
    }
  }

  // Clauses: 4.5.6, 4.8
  /// What is written through `/entities` is history at once, deletions included.
  @Test func changesOfEntitiesAreHistory() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", room(1))
      hub.clock.move(60)
      _ = await hub.patch("entities/urn:ngsi-ld:Room:1/attrs", #"{"temperature": {"type": "Property", "value": 21}}"#)
      hub.clock.move(60)
      _ = await hub.delete("entities/urn:ngsi-ld:Room:1")
      let history = await hub.get("temporal/entities/urn:ngsi-ld:Room:1?timeproperty=modifiedAt").json
      #expect(history["temperature"]?.array?.compactMap { $0["value"] } == [20, 21, "urn:ngsi-ld:null"])
    }
  }
}
