import NGSI
import Store
import Testing

@testable import Access
@testable import Hub
@testable import HubHTTP

// Clauses: none: who may see what is not the standard's subject
/// EntityMaps of callers who may not read everything.
@Suite struct RuledMapTests {
  private static let rules = """
    permit(principal, action == Action::"read", resource in Scope::"/north");
    permit(principal == Person::"kim", action == Action::"read", resource) when { resource.attributes.level > 7 };
    forbid(principal, action == Action::"read", resource)
    when { context has attribute && context.attribute == "code" } unless { principal == Person::"all" };
    permit(principal == Person::"all", action in [Action::"read", Action::"write"], resource);
    """
  private static let (kim, lee, all) = (
    Caller(.person, id: "kim"), Caller(.person, id: "lee"), Caller(.person, id: "all")
  )

  private static func lamp(_ number: Int, level: Int, _ scope: String) -> String {
    """
    {"id": "urn:ngsi-ld:Lamp:\(number)", "type": "Lamp", "scope": "\(scope)",
     "level": {"type": "Property", "value": \(level)}, "code": {"type": "Property", "value": "c"}}
    """
  }

  /// Ten lamps with levels of their numbers, the even ones in the north.
  private static func fill(_ hub: TestHub) async throws {
    try await Hub.asCity {
      for number in 1...10 {
        let made = await hub.post("entities", lamp(number, level: number, number % 2 == 0 ? "/north" : "/south"))
        try #require(made.status == 201)
      }
    }
  }

  private static func numbers(_ answer: Answer) -> [Int] { answer.ids.compactMap { Int($0.dropFirst(17)) } }

  private static func named(_ answer: Answer) -> [Int] {
    (answer.json["entityMap"]?.object?.members ?? []).compactMap { Int($0.key.dropFirst(17)) }
  }

  /// The path of the map that an answer names.
  private static func path(_ answer: Answer) -> String {
    String(answer.header("NGSILD-EntityMap")?.dropFirst(12) ?? "none")
  }

  @Test func aMapHoldsWhatItsMakerMaySeeAndIsHis() async throws {
    try await withRuledHub(Self.rules) { hub in
      try await Self.fill(hub)
      let made = await hub.by(Self.kim) { await hub.get("entityMaps?type=Lamp") }
      #expect(made.status == 201 && Self.named(made) == [2, 4, 6, 8, 9, 10], "\(made.text)")
      let path = Self.path(made)
      #expect(Self.named(await hub.by(Self.kim) { await hub.get(path) }) == [2, 4, 6, 8, 9, 10])
      // A filter on what is hidden from him finds nothing.
      #expect(Self.named(await hub.by(Self.kim) { await hub.get("entityMaps?type=Lamp&q=code") }) == [])
      // To everybody else it is not there, whatever else they may; who names it gets a map of his own.
      for other in [Self.lee, Self.all] {
        #expect(await hub.by(other) { await hub.get(path) }.status == 404)
        #expect(
          await hub.by(other) { await hub.patch(path, #"{"expiresAt": "2026-03-01T12:05:00Z"}"#) }.status == 404)
        #expect(await hub.by(other) { await hub.delete(path) }.status == 404)
        let header = ["NGSILD-EntityMap": "/ngsi-ld/v1/" + path]
        let page = await hub.by(other) { await hub.get("entities?type=Lamp&limit=20", headers: header) }
        #expect(page.status == 201 && Self.path(page) != path)
        #expect(Self.numbers(page) == (other.id == "all" ? Array(1...10) : [2, 4, 6, 8, 10]))
      }
      let purged = await hub.by(Self.all) {
        await hub.delete("entities?type=Lamp", headers: ["NGSILD-EntityMap": "/ngsi-ld/v1/" + path])
      }
      #expect(purged.status == 404)
      // The same person for another purpose is shown another.
      var treating = Self.kim
      treating.purpose = "treatment"
      #expect(await hub.by(treating) { await hub.get(path) }.status == 404)
      #expect(await hub.by(Self.kim) { await hub.delete(path) }.status == 204)
      #expect(await hub.by(Self.kim) { await hub.get(path) }.status == 404)
    }
  }

  @Test func pagesOfAMapAreJudgedWhenTheyAreRead() async throws {
    try await withRuledHub(Self.rules) { hub in
      try await Self.fill(hub)
      let first = await hub.by(Self.kim) { await hub.get("entities?type=Lamp&limit=2&count=true&entityMap=true") }
      #expect(first.status == 201 && Self.numbers(first) == [2, 4], "\(first.text)")
      #expect(first.header("NGSILD-Results-Count") == "6")
      let path = Self.path(first)
      let header = ["NGSILD-EntityMap": "/ngsi-ld/v1/" + path]
      func page(_ offset: Int) async -> Answer {
        await hub.by(Self.kim) {
          await hub.get("entities?type=Lamp&limit=2&count=true&offset=\(offset)", headers: header)
        }
      }
      let second = await page(2)
      #expect(second.status == 200 && Self.numbers(second) == [6, 8])
      #expect(second.json.items.allSatisfy { $0["code"] == nil && $0["level"] != nil })
      // One goes out of sight, another comes into it: the map stands still, and shows no more than he may see.
      try await Hub.asCity {
        _ = await hub.patch("entities/urn:ngsi-ld:Lamp:9/attrs", #"{"level": {"type": "Property", "value": 1}}"#)
        _ = await hub.post("entities", Self.lamp(12, level: 1, "/north"))
      }
      #expect(Self.named(await hub.by(Self.kim) { await hub.get(path) }) == [2, 4, 6, 8, 10])
      let third = await page(4)
      #expect(Self.numbers(third) == [10] && third.header("NGSILD-Results-Count") == "5", "\(third.text)")
      // A rule is taken back.
      try (hub.hub.rules as? CityRules)?.replace(
        "permit(principal, action == Action::\"read\", resource) when { resource.attributes.level < 5 };")
      #expect(Self.named(await hub.by(Self.kim) { await hub.get(path) }) == [2, 4])
      let last = await page(0)
      #expect(Self.numbers(last) == [2, 4] && last.header("NGSILD-Results-Count") == "2")
    }
  }

  @Test func retrievalsAndHistoriesHaveMapsToo() async throws {
    try await withRuledHub(Self.rules) { hub in
      try await Self.fill(hub)
      let one = await hub.by(Self.lee) { await hub.get("entities/urn:ngsi-ld:Lamp:2?entityMap=true") }
      #expect(one.status == 200 && one.json["code"] == nil)
      #expect(Self.named(await hub.by(Self.lee) { await hub.get(Self.path(one)) }) == [2])
      #expect(await hub.by(Self.lee) { await hub.get("entities/urn:ngsi-ld:Lamp:3?entityMap=true") }.status == 404)
      let time = "timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=modifiedAt"
      let made = await hub.by(Self.lee) { await hub.get("temporal/entityMaps?type=Lamp&\(time)") }
      #expect(made.status == 201 && Self.named(made) == [2, 4, 6, 8, 10], "\(made.text)")
      let path = Self.path(made)
      // The history of what is gone is there still, and so is it on the map.
      try await Hub.asCity { _ = await hub.delete("entities/urn:ngsi-ld:Lamp:4") }
      #expect(Self.named(await hub.by(Self.lee) { await hub.get(path) }) == [2, 4, 6, 8, 10])
      let page = await hub.by(Self.lee) {
        await hub.get(
          "temporal/entities?type=Lamp&\(time)&limit=3", headers: ["NGSILD-EntityMap": "/ngsi-ld/v1/" + path])
      }
      #expect(Self.numbers(page) == [2, 4, 6] && page.json.items.allSatisfy { $0["code"] == nil }, "\(page.text)")
      #expect(await hub.by(Self.kim) { await hub.get(path) }.status == 404)
    }
  }
}
