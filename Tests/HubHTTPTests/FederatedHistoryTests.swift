import Federation
import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// Histories that lie in several hubs (ETSI GS CIM 009 clause 5.7.3).
@Suite struct FederatedHistoryTests {
  private let id = "urn:ngsi-ld:Lamp:1"
  private let lamps = #"{"entities": [{"type": "Lamp"}]}"#
  private let retrieves = #""retrieveTemporal", "createEntity""#
  private let known = #""observationInterval": {"startAt": "2026-01-01T00:00:00Z"}"#

  private func level(_ value: Int, _ day: Int, _ more: String = "") -> String {
    #"{"type": "Property", "value": \#(value), "observedAt": "2026-01-0\#(day)T00:00:00Z"\#(more)}"#
  }

  private func record(_ hub: TestHub, _ members: String) async {
    let answer = await hub.post("temporal/entities", #"{"id": "\#(id)", "type": "Lamp", \#(members)}"#)
    #expect(answer.status == 201, "\(answer.text)")
  }

  private func values(_ answer: Answer, _ name: String = "level") -> [Int] {
    (answer.json[name]?.items ?? []).compactMap { $0["value"]?.integer.map { Int($0) } }
  }

  private let all = "temporal/entities/urn:ngsi-ld:Lamp:1?timerel=after&timeAt=2026-01-01T00:00:00Z"

  // Clauses: 5.7.3, 4.5.5, 6.19
  @Test func instancesOfSeveralHubsAreOneHistory() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps, operations: retrieves, more: known)
      await city.register("south.test", lamps, mode: "auxiliary", operations: #""retrieveTemporal""#, more: known)
      await record(city.metropolis, #""level": [\#(level(1, 1)), \#(level(3, 3))]"#)
      city.metropolis.clock.move(10)
      // Written later, so it stands for its time.
      await record(
        city.north, #""level": [\#(level(2, 2)), \#(level(30, 3)), \#(level(4, 4, #", "datasetId": "urn:d:1""#))]"#)
      city.metropolis.clock.move(10)
      await record(city.south, #""level": [\#(level(99, 2)), \#(level(5, 5))], "owner": [\#(level(7, 1))]"#)
      let found = await city.metropolis.get(all)
      #expect(found.status == 200 && values(found) == [1, 2, 30, 4, 5] && values(found, "owner") == [7])
      #expect(values(await city.metropolis.get(all + "&local=true")) == [1, 3])
      #expect(values(await city.metropolis.get(all + "&lastN=2")) == [5, 4])
      #expect(values(await city.metropolis.get(all + "&datasetId=urn:d:1")) == [4])
      let before = "temporal/entities/\(id)?timerel=before&timeAt=2026-01-03T00:00:00Z&attrs=level"
      #expect(values(await city.metropolis.get(before)) == [1, 2])
      let sum = await city.metropolis.get(all + "&format=aggregatedValues&aggrMethods=sum&attrs=owner,level")
      #expect(sum.json["owner"]?["sum"]?.items.first?.items.first == 7, "\(sum.text)")
      // Sources are asked for what is wanted, in the time that is asked for.
      let call = city.network.calls.last { $0.url.contains("north.test") }
      #expect(call?.url.contains("timerel=after&timeAt=2026-01-01T00:00:00Z") == true)
      #expect(call?.url.contains("attrs=level,owner") == true)
    }
  }

  // Clauses: 5.7.3, 6.3.17
  @Test func whoIsAwayIsNamed() async throws {
    try await Districts.with { city in
      await city.register("north.test", lamps, operations: retrieves, more: known)
      await city.register("south.test", lamps)
      await record(city.north, #""level": [\#(level(2, 2))]"#)
      let only = await city.metropolis.get(all + "&entityMap=true")
      #expect(only.status == 200 && values(only) == [2])
      // One that knows the present only is not asked for the past, and one of the past not for a time it does not know.
      #expect(!city.network.calls.contains { $0.url.contains("south.test") })
      city.network.forgetCalls()
      _ = await city.metropolis.get("temporal/entities/\(id)?timerel=before&timeAt=2025-01-01T00:00:00Z")
      #expect(city.network.calls.isEmpty)
      let header = ["NGSILD-EntityMap": only.header("NGSILD-EntityMap") ?? ""]
      #expect(values(await city.metropolis.get(all, headers: header)) == [2])
      for (fault, code) in [
        (SourceReply.late, "199"), (.answered(status: 200, headers: [], body: Array("no JSON".utf8)), "111"),
        (.answered(status: 200, headers: [], body: Array(#"{"id": "urn:ngsi-ld:Lamp:1", "type": 7}"#.utf8)), "111"),
        (.answered(status: 500, headers: [], body: []), "299"),
      ] {
        city.network.fail("north.test", with: fault)
        let missing = await city.metropolis.get(all)
        #expect(missing.status == 404 && missing.header("NGSILD-Warning")?.hasPrefix(code) == true)
      }
      await record(city.metropolis, #""level": [\#(level(1, 1))]"#)
      let partly = await city.metropolis.get(all)
      #expect(partly.status == 200 && values(partly) == [1] && partly.headers["NGSILD-Warning"].count == 1)
      city.network.fail("north.test", with: nil)
      #expect(await city.metropolis.get("temporal/entities/urn:none").status == 404)
    }
  }
}
