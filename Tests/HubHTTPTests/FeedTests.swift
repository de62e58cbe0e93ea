import NGSI
import Store
import Testing

@testable import Hub
@testable import HubHTTP

// Clauses: none: what adapters bring
@Suite("Readings that adapters bring")
struct FeedTests {
  private func reading(_ id: String, _ members: String) throws -> Result<EntityFragment, Problem> {
    let json = try JSONParser.parse(Array(#"{"id": "\#(id)", "type": "Tank", \#(members)}"#.utf8))
    do throws(Problem) { return .success(try EntityReader(context: .core).entity(json)) } catch {
      return .failure(error)
    }
  }

  private func level(_ value: String, _ time: String) -> String {
    #""level": {"type": "Property", "value": \#(value), "observedAt": "2026-01-01T\#(time):00Z"}"#
  }

  private func levels(_ hub: TestHub, _ id: String) async -> [JSON] {
    let history = await hub.get("temporal/entities/\(id)?options=temporalValues")
    return (history.json["level"]?["values"]?.array ?? []).compactMap { $0.array?.first }
  }

  @Test("each reading once, however often and in whatever order it comes")
  func once() async throws {
    try await withHub { hub in
      let id = "urn:t:1"
      let day = try ["00:00", "01:00", "02:00"].enumerated().map { try reading(id, level("\($0.offset)", $0.element)) }
      let first = try await hub.hub.feed(day, in: .default)
      #expect(first.stored == 3 && first.known == 0 && first.refused.isEmpty)
      let again = try await hub.hub.feed(day, in: .default)
      #expect(again.stored == 0 && again.known == 3)
      // One that was missing, in the middle: it takes its place in the history and changes nothing else.
      let late = try await hub.hub.feed([try reading(id, level("9", "00:30"))] + day, in: .default)
      #expect(late.stored == 1 && late.known == 3)
      #expect(await levels(hub, id) == [0, 9, 1, 2])
      #expect(await hub.get("entities/\(id)?options=keyValues").json["level"] == 2)
      // A correction of what is now, and of what was.
      let corrected = try await hub.hub.feed(
        [try reading(id, level("5", "02:00")), try reading(id, level("6", "01:00"))], in: .default)
      #expect(corrected.stored == 2)
      #expect(await hub.get("entities/\(id)?options=keyValues").json["level"] == 5)
    }
  }

  @Test("what an entity says already is left out, attribute by attribute")
  func parts() async throws {
    try await withHub { hub in
      let name = #""name": {"type": "Property", "value": "north"}"#
      _ = try await hub.hub.feed([try reading("urn:t:1", "\(name), \(level("1", "00:00"))")], in: .default)
      let fed = try await hub.hub.feed([try reading("urn:t:1", "\(name), \(level("2", "01:00"))")], in: .default)
      #expect(fed.stored == 1)
      let history = await hub.get("temporal/entities/urn:t:1?options=temporalValues")
      #expect(history.json["name"]?["values"]?.array?.count == 1, "\(history.text)")
      #expect(try await hub.hub.feed([try reading("urn:t:1", name)], in: .default).known == 1)
      let renamed = try reading("urn:t:1", #""name": {"type": "Property", "value": "south"}"#)
      #expect(try await hub.hub.feed([renamed], in: .default).stored == 1)
    }
  }

  @Test("what cannot be taken is told by its place, and harms no other")
  func refused() async throws {
    try await withHub { hub in
      let fed = try await hub.hub.feed(
        [
          try reading("no uri", level("1", "00:00")), try reading("urn:t:1", level("1", "00:00")),
          try reading("urn:t:1", #""level": {"type": "Property"}"#), try reading("urn:t:1", level("2", "01:00")),
        ], in: .default)
      #expect(fed.stored == 2 && fed.refused.map(\.index) == [0, 2])
    }
  }

  @Test("two thousand readings of one entity, twice")
  func many() async throws {
    try await withHub { hub in
      let start = try #require(DateTime("2026-01-01T00:00:00Z"))
      let series = try (0..<2000).map { number in
        try reading(
          "urn:t:1",
          #""level": {"type": "Property", "value": \#(number), "observedAt": "\#(start.adding(seconds: Double(number * 60)))"}"#
        )
      }
      #expect(try await hub.hub.feed(series, in: .default).stored == 2000)
      let again = try await hub.hub.feed(series, in: .default)
      #expect(again.stored == 0 && again.known == 2000)
      #expect(await levels(hub, "urn:t:1").count == 2000)
    }
  }
}
