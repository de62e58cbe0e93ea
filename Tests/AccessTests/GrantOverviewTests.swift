import NGSI
import Store
import Testing

@testable import Access
@testable import Hub

// Clauses: none

@Suite struct GrantOverviewTests {
  private static func overview(
    _ caller: Caller, _ city: RuledHub, _ selection: GrantSelection = .all, page: Page = Page(limit: 10)
  ) throws -> GrantOverview {
    try Caller.$current.withValue(caller) { try city.hub.grantOverview(selection, page: page, in: .default) }
  }

  private static func ask(_ caller: Caller, _ city: RuledHub, _ members: String = "", seconds: Double = 60) async throws
    -> Grant
  {
    let to = city.hub.time.adding(seconds: seconds).description
    return try await GrantTests.by(caller) {
      try await city.hub.requestGrant(GrantTests.ask(GrantTests.cameras + members, to: to), in: .default)
    }
  }

  @Test func eachSeesWhatWaitsForHimAndCountsOfWhatHeMaySee() async throws {
    let city = try await GrantTests.made()
    let (kim, lee) = (GrantTests.police("kim"), GrantTests.police("lee"))
    let first = try await Self.ask(kim, city, seconds: 600)
    city.move(1)
    let second = try await Self.ask(lee, city, seconds: 600)
    let taken = try await Self.ask(kim, city, "\"breakGlass\": true,", seconds: 600)
    let officer = try Self.overview(GrantTests.officer, city)
    #expect(officer.waiting.map(\.grant.id) == [first.id, second.id], "the oldest first")
    #expect(officer.count == 3 && officer.counts == ["requested": 2, "active": 1, "unreviewed": 1])
    #expect(officer.page.map(\.grant.id).sorted() == [first.id, second.id, taken.id].sorted())
    let privacy = try Self.overview(GrantTests.privacy, city)
    #expect(privacy.waiting.map(\.grant.id) == [taken.id])
    let own = try Self.overview(kim, city)
    #expect(own.waiting.isEmpty && Set(own.page.map(\.grant.id)) == [first.id, taken.id])
    #expect(try Self.overview(GrantTests.police("stranger"), city).count == 0)
    // Windows on selections.
    #expect(try Self.overview(GrantTests.officer, city, .waiting).page.count == 2)
    #expect(try Self.overview(GrantTests.officer, city, .status("active")).page.map(\.grant.id) == [taken.id])
    #expect(try Self.overview(GrantTests.officer, city, .unreviewed).selected == 1)
    let window = try Self.overview(GrantTests.officer, city, page: Page(limit: 2, offset: 2))
    #expect(window.page.count == 1 && window.selected == 3)
    let terms = try Caller.$current.withValue(kim) { try city.hub.grantTerms(in: .default) }
    #expect(terms.mayRequest && terms.mayBreakGlass)
    let none = try Caller.$current.withValue(GrantTests.officer) { try city.hub.grantTerms(in: .default) }
    #expect(!none.mayRequest && !none.mayBreakGlass)
    await city.end()
  }

  /// What is offered is done, and what is not offered is refused: for everybody, in every state.
  @Test func whatIsOfferedIsWhatMayBeDone() async throws {
    let city = try await GrantTests.made()
    let (kim, root) = (GrantTests.police("kim"), RuledHub.caller("root", roles: ["root"]))
    let people = [kim, GrantTests.police("lee"), GrantTests.officer, GrantTests.privacy, root]
    let ways: [(String, () async throws -> Grant)] = [
      ("requested", { try await Self.ask(kim, city) }),
      ("for all police", { try await Self.ask(kim, city, "\"grantee\": {\"agency\": \"police\"},") }),
      ("taken", { try await Self.ask(kim, city, "\"breakGlass\": true,") }),
      (
        "active",
        {
          let asked = try await Self.ask(kim, city)
          return try await GrantTests.by(GrantTests.officer) {
            try await city.hub.decideGrant(asked.id, approves: true, note: nil, in: .default)
          }
        }
      ),
      (
        "refused",
        {
          let asked = try await Self.ask(kim, city)
          return try await GrantTests.by(GrantTests.officer) {
            try await city.hub.decideGrant(asked.id, approves: false, note: "no", in: .default)
          }
        }
      ),
      (
        "over",
        {
          let asked = try await Self.ask(kim, city, seconds: 5)
          city.move(6)
          return asked
        }
      ),
    ]
    let deeds: [(Grant.Step.Kind, (String) async throws -> Void)] = [
      (.approve, { _ = try await city.hub.decideGrant($0, approves: true, note: nil, in: .default) }),
      (.refuse, { _ = try await city.hub.decideGrant($0, approves: false, note: nil, in: .default) }),
      (.revoke, { _ = try await city.hub.revokeGrant($0, note: nil, in: .default) }),
      (.review, { _ = try await city.hub.reviewGrant($0, isJustified: true, note: "n", in: .default) }),
    ]
    var offered = 0
    for (name, make) in ways {
      for person in people {
        for (kind, deed) in deeds {
          let grant = try await make()
          let seen = try? Caller.$current.withValue(person) { try city.hub.seenGrant(grant.id, in: .default) }
          let isOffered = seen?.next.contains(kind) ?? false
          let refusal = await LeakTests.problem(person) { try await deed(grant.id) }
          #expect((refusal == nil) == isOffered, "\(name), \(person.id), \(kind): \(String(describing: refusal))")
          if isOffered { offered += 1 }
          _ = try? await GrantTests.by(kim) { try await city.hub.revokeGrant(grant.id, note: nil, in: .default) }
        }
      }
    }
    #expect(offered == 14)
    await city.end()
  }

  @Test func anOpenCityHasNone() async throws {
    let store = try RuledHub(GrantTests.rules)
    let open = Hub(store: store.store, now: { RuledHub.time })
    #expect(throws: Problem.self) { try open.grantOverview(.all, page: Page(limit: 1), in: .default) }
    #expect(throws: Problem.self) { try open.grantTerms(in: .default) }
    await store.end()
  }
}
