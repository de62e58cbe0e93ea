import Federation
import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// Queries for histories that lie in several hubs (ETSI GS CIM 009 clauses 5.7.4 and 5.14.5).
@Suite struct FederatedHistoryQueryTests {
  private let lamps = #"{"entities": [{"type": "Lamp"}]}"#
  private let queries = #""queryTemporal""#
  private let known = #""observationInterval": {"startAt": "2026-01-01T00:00:00Z"}"#
  private let all = "temporal/entities?type=Lamp&timerel=after&timeAt=2026-01-01T00:00:00Z"

  private func level(_ value: Int, _ day: Int, _ more: String = "") -> String {
    #"{"type": "Property", "value": \#(value), "observedAt": "2026-01-0\#(day)T00:00:00Z"\#(more)}"#
  }

  private func record(_ hub: TestHub, _ name: String, _ members: String) async {
    let answer = await hub.post(
      "temporal/entities", #"{"id": "urn:ngsi-ld:Lamp:\#(name)", "type": "Lamp", \#(members)}"#)
    #expect([201, 204].contains(answer.status), "\(answer.text)")
  }

  private func names(_ answer: Answer) -> [String] {
    answer.ids.map { String($0.dropFirst("urn:ngsi-ld:Lamp:".count)) }
  }

  private func values(_ answer: Answer, _ name: String) -> [Int] {
    let history = answer.json.array?.first { $0["id"]?.string == "urn:ngsi-ld:Lamp:\(name)" }
    return (history?["level"]?.items ?? []).compactMap { $0["value"]?.integer.map { Int($0) } }
  }

  /// One hub that holds everything says what several have to say together.
  // Clauses: 5.7.4, 4.3.6.7, 4.5.5, 6.18, 6.24
  @Test(arguments: [false, true])
  func severalHubsAnswerAsOneDoes(inParts: Bool) async throws {
    try await Districts.with { city in
      let one = try await TestHub(clock: city.metropolis.clock)
      var generator = Seeded(seed: inParts ? 7 : 11)
      await city.register("north.test", lamps, operations: queries, more: known)
      await city.register("south.test", lamps, operations: queries, more: known)
      let hubs = [city.metropolis, city.north, city.south]
      for number in 0..<14 {
        var parts: [[String: [String]]] = [[:], [:], [:]]
        var whole: [String: [String]] = [:]
        let home = generator.below(3)
        for minute in 0..<(3 + generator.below(9)) {
          let name = ["level", "power", "owner"][generator.below(3)]
          let dataset = generator.below(3) == 0 ? #", "datasetId": "urn:d:1""# : ""
          let time = "2026-01-02T00:\(minute < 10 ? "0" : "")\(minute):00Z"
          let instance =
            #"{"type": "Property", "value": \#(generator.below(10)), "observedAt": "\#(time)"\#(dataset)}"#
          whole[name, default: []].append(instance)
          parts[inParts ? generator.below(3) : home][name, default: []].append(instance)
        }
        whole["scope"] = [#"{"type": "Property", "value": "/\#(number % 2 == 0 ? "a" : "b")/x"}"#]
        for place in parts.indices where !parts[place].isEmpty { parts[place]["scope"] = whole["scope"] }
        for (hub, part) in zip(hubs + [one], parts + [whole]) where !part.isEmpty {
          let members = part.map { #""\#($0.key)": [\#($0.value.joined(separator: ", "))]"# }
          await record(hub, "\(number)", members.joined(separator: ", "))
        }
      }
      let between = "&timerel=between&timeAt=2026-01-02T00:02:00Z&endTimeAt=2026-01-02T00:07:00Z"
      let after = "&timerel=after&timeAt=2026-01-02T00:00:00Z"
      let questions = [
        after, between, after + "&attrs=level", between + "&attrs=level,power", after + "&lastN=2",
        between + "&lastN=1&attrs=owner", after + "&q=level>5", after + "&q=level>7;power<4", between + "&q=owner==3",
        after + "&q=level>6&lastN=1", after + "&datasetId=urn:d:1", after + "&datasetId=@none&lastN=1",
        after + "&scopeQ=/a/%23", after + "&scopeQ=/b/x&q=level>2&attrs=level",
        after + "&format=temporalValues&attrs=power", after + "&pick=id,level",
        between + "&format=aggregatedValues&aggrMethods=sum,max,totalCount,avg&aggrPeriodDuration=PT2M",
        after + "&format=aggregatedValues&aggrMethods=min,totalCount&aggrPeriodDuration=PT5M&q=power<5",
      ]
      var found = 0
      for question in questions {
        let target = "temporal/entities?type=Lamp\(question)&count=true"
        let expected = await one.get(target + "&limit=100")
        #expect(expected.status == 200, "\(expected.text)")
        var seen: [String: JSON] = [:]
        var count = 0
        for offset in stride(from: 0, to: 20, by: 4) {
          let page = await city.metropolis.get(target + "&limit=4&offset=\(offset)&splitEntities=\(inParts)")
          #expect(page.status == 200 && page.headers["NGSILD-Warning"].isEmpty, "\(page.text)")
          #expect(page.header("NGSILD-Results-Count") == expected.header("NGSILD-Results-Count"), "\(question)")
          count += page.json.array?.count ?? 0
          #expect(page.links().contains { $0.contains("next") } == (offset + 4 < (expected.json.array?.count ?? 0)))
          for item in page.json.array ?? [] { seen[item["id"]?.string ?? ""] = item.withoutInstanceIds }
        }
        let items = (expected.json.array ?? []).map { ($0["id"]?.string ?? "", $0.withoutInstanceIds) }
        #expect(count == items.count, "\(question)")
        for (id, item) in items { #expect(seen[id] == item, "\(question) \(id)") }
        found += items.count
      }
      #expect(found > 120, "the questions select little: \(found)")
      let body =
        #"{"type": "Query", "entities": [{"type": "Lamp"}], "q": "level>7", "splitEntities": \#(inParts), "temporalQ": "#
        + #"{"timerel": "after", "timeAt": "2026-01-02T00:00:00Z", "lastN": 2}}"#
      let posted = await city.metropolis.post("temporal/entityOperations/query?limit=100", body)
      let expected = await one.post("temporal/entityOperations/query?limit=100", body)
      #expect(posted.status == 200 && Set(posted.ids) == Set(expected.ids) && !posted.ids.isEmpty)
      await one.remove()
    }
  }

  // Clauses: 5.7.4, 4.3.6.2, 4.3.6.3, 4.3.6.1
  @Test func sourcesAreAskedByTheirModes() async throws {
    try await Districts.with { city in
      await city.register(
        "north.test",
        #"{"entities": [{"type": "Lamp", "idPattern": "^urn:ngsi-ld:Lamp:r"}], "propertyNames": ["level"]}"#,
        mode: "redirect", operations: queries, more: known)
      await city.register("south.test", lamps, mode: "auxiliary", operations: queries, more: known)
      await city.register("elsewhere.test", lamps, operations: #""queryEntity""#)
      await record(city.metropolis, "m", #""level": [\#(level(1, 1))], "owner": [\#(level(9, 1))]"#)
      await record(city.north, "r1", #""level": [\#(level(2, 2))], "owner": [\#(level(9, 2))]"#)
      await record(city.north, "n", #""level": [\#(level(3, 2))]"#)
      await record(city.south, "m", #""level": [\#(level(8, 1)), \#(level(4, 4))]"#)
      let found = await city.metropolis.get(all)
      // North is registered for some lamps and one attribute; south adds only times that nobody else has.
      #expect(names(found) == ["m", "r1"], "\(found.text)")
      #expect(values(found, "m") == [1, 4] && values(found, "r1") == [2])
      #expect(found.json.array?.last?["owner"] == nil)
      #expect(!city.network.calls.contains { $0.url.contains("elsewhere") })
      let call = try #require(city.network.calls.first { $0.url.contains("north.test") })
      #expect(call.url.contains("/temporal/entities?type=Lamp&idPattern=") && call.url.contains("attrs=level"))
      #expect(call.url.contains("timerel=after&timeAt=2026-01-01T00:00:00Z&timeproperty=observedAt&lastN=1"))
      // What is kept here is asked of nobody.
      city.network.forgetCalls()
      #expect(names(await city.metropolis.get(all + "&local=true")) == ["m"])
      #expect(city.network.calls.isEmpty)
      // Nor is a source asked about a time that it does not know.
      _ = await city.metropolis.get("temporal/entities?type=Lamp&timerel=before&timeAt=2025-01-01T00:00:00Z")
      #expect(city.network.calls.isEmpty)
      #expect(await city.metropolis.get(all + "&orderBy=id").status == 400)
      #expect(await city.metropolis.get(all + "&orderBy=id&local=true").status == 200)
      #expect(names(await city.metropolis.get(all + "&csf=mode==%22auxiliary%22")) == ["m"])
    }
  }

  // Clauses: 5.7.4, 6.3.17, 4.3.6.4
  @Test func whoIsAwayIsNamedAndCirclesEnd() async throws {
    try await Districts.with { city in
      let north = await city.register("north.test", lamps, operations: queries, more: known)
      await city.register("south.test", lamps, operations: queries, more: known)
      await record(city.metropolis, "m", #""level": [\#(level(1, 1))]"#)
      await record(city.north, "n", #""level": [\#(level(2, 2))]"#)
      await record(city.south, "s", #""level": [\#(level(3, 3))]"#)
      for (fault, code) in [
        (SourceReply.late, "199"), (.answered(status: 200, headers: [], body: Array("no JSON".utf8)), "111"),
        (.answered(status: 200, headers: [], body: Array(#"[{"id": "urn:x:1", "type": 7}]"#.utf8)), "111"),
        (.answered(status: 500, headers: [], body: []), "299"), (.tooLong, "111"),
      ] {
        city.network.fail("north.test", with: fault)
        let partly = await city.metropolis.get(all)
        #expect(partly.status == 200 && names(partly) == ["m", "s"])
        let warnings = partly.headers["NGSILD-Warning"]
        #expect(warnings.count == 1 && warnings[0].hasPrefix(code) && warnings[0].contains(north))
      }
      city.network.fail("north.test", with: nil)
      // North asks back: each is asked by the other once, and nothing stands twice.
      await city.register("metropolis.test", lamps, operations: queries, more: known, at: city.north)
      let round = await city.metropolis.get(all)
      #expect(names(round) == ["m", "n", "s"] && values(round, "m") == [1], "\(round.text)")
      #expect(round.headers["NGSILD-Warning"].isEmpty)
    }
  }

  // Clauses: 6.3.10, 5.7.3, 5.7.4
  @Test func whatASourceCutsIsHadWithTheNextQuestion() async throws {
    var limits = Limits()
    limits.temporalInstances = 4
    try await Districts.with(limits: limits) { city in
      await city.register("north.test", lamps, operations: #""queryTemporal", "retrieveTemporal""#, more: known)
      func instance(_ minute: Int) -> String {
        #"{"type": "Property", "value": \#(minute), "observedAt": "2026-01-02T00:\#(10 + minute):00Z"}"#
      }
      for minute in 0..<15 {
        await record(minute % 5 == 0 ? city.metropolis : city.north, "1", #""level": [\#(instance(minute))]"#)
      }
      for path in ["temporal/entities?type=Lamp&", "temporal/entities/urn:ngsi-ld:Lamp:1?"] {
        var (start, seen, answers) = ("2026-01-02T00:00:00Z", Set<Int64>(), 0)
        while answers < 20 {
          let part = await city.metropolis.get(path + "timerel=after&timeAt=\(start)")
          answers += 1
          let history = part.json.array?.first ?? part.json
          for item in history["level"]?.items ?? [] { if let value = item["value"]?.integer { seen.insert(value) } }
          #expect(part.headers["NGSILD-Warning"].isEmpty)
          guard part.status == 206, let range = part.header("Content-Range") else { break }
          let end = range.split(separator: "/")[0].split(separator: "-").suffix(3).joined(separator: "-")
          #expect(end != start)
          start = end
        }
        #expect(seen == Set(0..<15) && answers > 2 && answers < 20, "\(path) \(answers) \(seen.sorted())")
      }
      // A source that says nothing of how far it came is named.
      city.network.fail(
        "north.test",
        with: .answered(
          status: 206, headers: [],
          body: Array(#"[{"id": "urn:ngsi-ld:Lamp:1", "type": "Lamp", "level": [\#(instance(3))]}]"#.utf8)))
      let named = await city.metropolis.get(all)
      #expect(named.header("NGSILD-Warning")?.contains("more than one answer") == true)
    }
  }

  // Clauses: 5.14.5, 6.35, 5.7.4, 5.5.9
  @Test func mapsOfHistoriesNameTheSources() async throws {
    try await Districts.with { city in
      let north = await city.register(
        "north.test", lamps, operations: #""queryTemporal", "createEntityMapQueryTemporal""#, more: known)
      let south = await city.register("south.test", lamps, operations: queries, more: known)
      await record(city.metropolis, "1", #""level": [\#(level(1, 1))]"#)
      for name in ["1", "2", "3"] { await record(city.north, name, #""level": [\#(level(2, 2))]"#) }
      await record(city.south, "3", #""level": [\#(level(3, 3))]"#)
      let made = await city.metropolis.get(all.replacing("temporal/entities", with: "temporal/entityMaps"))
      #expect(made.status == 201)
      let id = "urn:ngsi-ld:Lamp:"
      let entries = made.json["entityMap"]
      #expect(entries?[id + "1"] == ["@none", .string(north)] && entries?[id + "2"] == [.string(north)])
      #expect(entries?[id + "3"] == [.string(north), .string(south)])
      #expect(made.json["linkedMaps"]?[north]?.string?.hasPrefix("urn:ngsi-ld:EntityMap:") == true)
      let header = ["NGSILD-EntityMap": made.header("NGSILD-EntityMap") ?? ""]
      await record(city.north, "4", #""level": [\#(level(4, 4))]"#)
      city.network.forgetCalls()
      let first = await city.metropolis.get(all + "&limit=2", headers: header)
      #expect(names(first) == ["1", "2"] && values(first, "1") == [1, 2], "\(first.text)")
      // South has nothing of these; north is told which map is meant.
      #expect(!city.network.calls.contains { $0.url.contains("south.test") })
      #expect(city.network.calls.first?.headers.contains { $0.name == "NGSILD-EntityMap" } == true)
      let last = await city.metropolis.get(all + "&limit=2&offset=2&count=true", headers: header)
      #expect(names(last) == ["3"] && values(last, "3") == [2, 3] && last.header("NGSILD-Results-Count") == "3")
      // Who is away takes nothing off the map, and what is gone goes.
      city.network.fail("north.test", with: .late)
      #expect(names(await city.metropolis.get(all, headers: header)) == ["1", "3"])
      city.network.fail("north.test", with: nil)
      _ = await city.north.delete("temporal/entities/\(id)2")
      #expect(names(await city.metropolis.get(all, headers: header)) == ["1", "3"])
      let path = (made.header("NGSILD-EntityMap") ?? "").dropFirst("/ngsi-ld/v1/".count)
      #expect(await city.metropolis.get(String(path)).json["entityMap"]?.object?.count == 2)
      let fresh = await city.metropolis.get(all + "&entityMap=true")
      #expect(fresh.status == 201 && names(fresh) == ["1", "3", "4"])
    }
  }

  // Clauses: 5.16.1
  @Test func historiesOfSourcesAreKeptInSnapshots() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps, operations: queries, more: known)
      let south = await city.register("south.test", lamps, operations: queries, more: known)
      await record(city.metropolis, "1", #""level": [\#(level(1, 1))]"#)
      await record(city.north, "1", #""level": [\#(level(2, 2))], "scope": "/a""#)
      await record(city.north, "2", #""level": [\#(level(3, 3)), \#(level(4, 4))]"#)
      city.network.fail("south.test", with: .late)
      let made = await city.metropolis.post(
        "snapshots",
        #"{"type": "Snapshot", "snapshotTemporalQueries": [{"type": "Query", "entities": [{"type": "Lamp"}], "#
          + #""temporalQ": {"timerel": "after", "timeAt": "2026-01-01T00:00:00Z"}}]}"#)
      #expect(made.status == 201, "\(made.text)")
      await city.metropolis.federation.fillSnapshots()
      let place = String((made.header("Location") ?? "").dropFirst("/ngsi-ld/v1/".count))
      let shown = await city.metropolis.get(place).json
      #expect(shown["snapshotStatus"] == "partial" && shown["instanceCount"] == 5, "\(shown)")
      let detail = shown["snapshotTemporalQueriesDetails"]?.items.first?["problemDetails"]?["detail"]?.string
      #expect(detail?.contains(south) == true)
      _ = await city.north.delete("temporal/entities/urn:ngsi-ld:Lamp:2")
      city.network.forgetCalls()
      let header = ["NGSILD-Snapshot": shown["id"]?.string ?? ""]
      let kept = await city.metropolis.get(all, headers: header)
      #expect(values(kept, "1") == [1, 2] && values(kept, "2") == [3, 4], "\(kept.text)")
      #expect(city.network.calls.isEmpty)
    }
  }
}

/// Numbers that are the same in every run (SplitMix64).
private struct Seeded {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
  }
}

extension JSON {
  /// A history whose instances are told apart by their values only.
  fileprivate var withoutInstanceIds: JSON {
    switch self {
    case .object(var object):
      for member in object.members { object[member.key] = member.value.withoutInstanceIds }
      object["instanceId"] = nil
      return .object(object.sorted)
    case .array(let items): return .array(items.map(\.withoutInstanceIds))
    default: return self
    }
  }
}

extension JSONObject {
  fileprivate var sorted: JSONObject {
    var sorted = JSONObject()
    for member in members.sorted(by: { $0.key < $1.key }) { sorted[member.key] = member.value }
    return sorted
  }
}
