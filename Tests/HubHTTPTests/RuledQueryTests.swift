import NGSI
import Store
import Synchronization
import Testing

@testable import Access
@testable import Hub
@testable import HubHTTP

// Clauses: none: who may see what is not the standard's subject

/// Runs a test on a fresh hub with rules.
func withRuledHub(
  _ text: String, now: @escaping @Sendable () -> DateTime = { RuledQueryTests.time },
  _ body: (TestHub) async throws -> Void
) async throws {
  let rules = try CityRules(text, now: now, recorder: { disclosures, _ in disclosures.indices.map(UInt64.init) })
  let hub = try await TestHub(clock: TestClock("2026-03-01T12:00:00Z"), rules: rules)
  do { try await body(hub) } catch {
    await hub.remove()
    throw error
  }
  await hub.remove()
}

extension TestHub {
  /// As somebody, with what he is shown recorded.
  func by<Value: Sendable>(_ caller: Caller, _ body: () async -> Value) async -> Value {
    await Caller.$current.withValue(caller) {
      await AccessNotes.$current.withValue(AccessNotes()) { await body() }
    }
  }
}

/// Queries by type only, which are answered on the connection's event loop where everything may be seen.
@Suite struct RuledQueryTests {
  static let time = DateTime(microseconds: 1_795_000_000_000_000)
  static let rules = """
    permit(principal == Person::"all", action == Action::"read", resource);
    permit(principal == Person::"north", action == Action::"read", resource in Scope::"/north");
    permit(principal == Person::"low", action == Action::"read", resource) when { resource.attributes.level < 3 };
    permit(principal == Person::"now", action == Action::"read", resource in Scope::"/north")
    when { context.time >= datetime("2020-01-01T00:00:00Z") };
    forbid(principal, action == Action::"read", resource)
    when { context has attribute && context.attribute == "code" } unless { principal == Person::"all" };
    """
  private static let count = 360

  private static func isNorth(_ number: Int) -> Bool { number % 3 == 0 }

  /// Rooms, each third in the north, the first that `low` may see far behind.
  private static func fill(_ hub: TestHub) async throws {
    try await Hub.asCity {
      for start in stride(from: 0, to: count, by: 60) {
        let rooms = (start..<start + 60).map { number in
          """
          {"id": "urn:ngsi-ld:Room:\(1000 + number)", "type": "Room", "scope": "\(isNorth(number) ? "/north/a" : "/south")",
           "level": {"type": "Property", "value": \(number < 200 ? 9 : number % 6)},
           "code": {"type": "Property", "value": "c\(number)"}}
          """
        }
        let made = await hub.post("entityOperations/create", "[" + rooms.joined(separator: ",") + "]")
        try #require(made.status == 201, "\(made.text)")
      }
    }
  }

  private static func ids(_ isSeen: (Int) -> Bool) -> [String] {
    (0..<count).filter(isSeen).map { "urn:ngsi-ld:Room:\(1000 + $0)" }
  }

  private static let cases: [(caller: Caller, ids: [String], showsCodes: Bool)] = [
    (Caller(.person, id: "all"), ids { _ in true }, true), (Caller(.person, id: "north"), ids(isNorth), false),
    (Caller(.person, id: "now"), ids(isNorth), false),
    (Caller(.person, id: "low"), ids { $0 >= 200 && $0 % 6 < 3 }, false),
    (Caller(.person, id: "none"), [], false),
  ]

  @Test func pagesAndTotalsAreOfWhatMayBeSeen() async throws {
    try await withRuledHub(Self.rules) { hub in
      try await Self.fill(hub)
      for (caller, expected, showsCodes) in Self.cases {
        // Pages that may be answered at once, and such as may not.
        for limit in [7, 50, 120] {
          var found: [String] = []
          var offset = 0
          while true {
            let path = "entities?type=Room&limit=\(limit)&offset=\(offset)&count=true"
            let answer = await hub.by(caller) { await hub.get(path) }
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.header("NGSILD-Results-Count") == "\(expected.count)", "\(caller.id) \(path)")
            #expect(answer.json.items.allSatisfy { ($0["code"] != nil) == showsCodes && $0["level"] != nil })
            found += answer.ids
            let hasNext = answer.links().contains { $0.contains("rel=\"next\"") }
            #expect(hasNext == (found.count < expected.count), "\(caller.id) \(path)")
            offset += limit
            guard hasNext, offset < 1000 else { break }
          }
          #expect(found == expected, "\(caller.id) by \(limit)")
        }
      }
    }
  }

  @Test func optionsShowNoMoreThanMayBeSeen() async throws {
    try await withRuledHub(Self.rules) { hub in
      try await Self.fill(hub)
      for (caller, expected, showsCodes) in Self.cases {
        let first = Array(expected.prefix(20))
        func shown(_ more: String) async -> Answer {
          await hub.by(caller) { await hub.get("entities?type=Room&limit=20&" + more) }
        }
        for more in ["options=keyValues", "format=concise", "options=sysAttrs", "omit=scope"] {
          let answer = await shown(more)
          #expect(answer.ids == first, "\(caller.id) \(more)")
          #expect(answer.json.items.allSatisfy { ($0["code"] != nil) == showsCodes }, "\(caller.id) \(more)")
        }
        #expect(await shown("attrs=level").ids == first)
        #expect(await shown("attrs=code").ids == (showsCodes ? first : []), "\(caller.id)")
        #expect(await shown("pick=id,code").json.items.allSatisfy { ($0["code"] != nil) == showsCodes })
        let none = await hub.by(caller) { await hub.get("entities?type=Room&limit=0&count=true") }
        #expect(none.header("NGSILD-Results-Count") == "\(expected.count)" && none.ids.isEmpty)
      }
      #expect(await hub.get("entities?type=Room").status == 401)
    }
  }

  /// Whose rules have to be asked about each entity does not hold up the event loop for all of them.
  @Test func whatTakesLongIsNotDoneOnTheEventLoop() async throws {
    let (here, all) = (Tally(), Tally())
    let now: @Sendable () -> DateTime = {
      all.add()
      if Self.isOnLoop { here.add() }
      return Self.time
    }
    try await withRuledHub(Self.rules, now: now) { hub in
      try await Self.fill(hub)
      let before = (here.count, all.count)
      let answer = await Self.$isOnLoop.withValue(true) {
        await hub.by(Caller(.person, id: "now")) { await hub.get("entities?type=Room&limit=20&count=true") }
      }
      #expect(answer.header("NGSILD-Results-Count") == "\(Self.count / 3)")
      #expect(all.count - before.1 >= Self.count)
      // A hundred entities are looked at before that is known, each once.
      #expect(here.count - before.0 <= 150)
      #expect(here.count > before.0)
    }
  }

  /// Bound around a request; not handed to threads of the pool.
  @TaskLocal private static var isOnLoop = false

  private final class Tally: Sendable {
    private let value = Atomic(0)

    var count: Int { value.load(ordering: .relaxed) }
    func add() { value.add(1, ordering: .relaxed) }
  }
}
