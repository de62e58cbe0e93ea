import NGSI
import Query
import Store
import Testing

@testable import Access
@testable import Hub

@Suite struct PlacesAndSetRulesTests {
  /// A triangle; what lies in its bounding box and not in it is elsewhere.
  static let harbour = [[129.0, 35.0], [129.1, 35.0], [129.0, 35.1]]

  @Test func rulesNamePlaces() async throws {
    let city = try RuledHub(
      """
      permit(principal, action == Action::"read", resource in Place::"harbour");
      permit(principal in Role::"clerk", action == Action::"update", resource in Place::"harbour");
      """, places: [try Place(name: "harbour", ring: Self.harbour)])
    func boat(_ name: String, _ longitude: Double?, _ latitude: Double = 35.01) async throws {
      let location =
        longitude.map {
          ", \"location\": {\"type\": \"GeoProperty\", \"value\": {\"type\": \"Point\", \"coordinates\": [\($0), \(latitude)]}}"
        } ?? ""
      let fragment = try EntityReader(context: .core).entity(
        .object(object("{\"id\": \"urn:ngsi-ld:Boat:\(name)\", \"type\": \"Boat\"\(location)}")))
      try await Hub.asCity { try await city.hub.create(fragment, in: .default) }
    }
    try await boat("in", 129.01)
    try await boat("beside", 129.09, 35.09)
    try await boat("away", 128.5)
    try await boat("nowhere", nil)
    try Caller.$current.withValue(RuledHub.caller("a")) {
      #expect(try city.ids() == ["Boat:in"])
      let total = try city.hub.entities(EntityQuery(), in: .default, page: Page(limit: 9), countsTotal: true).total
      #expect(total == 1)
    }
    // Out of the place nothing is moved.
    func move(_ longitude: Double) async -> Problem? {
      await LeakTests.problem(RuledHub.caller("c", roles: ["clerk"])) {
        let text =
          "{\"location\": {\"type\": \"GeoProperty\", \"value\": {\"type\": \"Point\", \"coordinates\": [\(longitude), 35.01]}}}"
        _ = try await city.hub.update(
          "urn:ngsi-ld:Boat:in", EntityReader(context: .core).entity(.object(object(text))), types: nil, in: .default)
      }
    }
    #expect(await move(128.9)?.kind == .forbidden)
    #expect(await move(129.02) == nil)
    #expect(throws: Problem.self) { _ = try Place(name: "line", ring: [[1, 2], [3, 4]]) }
    #expect(throws: Problem.self) { _ = try Place(name: "far", ring: [[1, 2], [3, 400], [5, 6]]) }
    await city.end()
  }

  @Test func rulesAreSetWhileTheCityRuns() async throws {
    let city = try RuledHub(
      """
      permit(principal in Role::"root", action == Action::"administer", resource);
      @id("no vaults") forbid(principal, action, resource in EntityType::"Vault");
      """)
    try await city.fill()
    let (kim, root) = (RuledHub.caller("kim"), RuledHub.caller("root", roles: ["root"]))
    func set(_ text: String, _ caller: Caller) async -> Problem? {
      await LeakTests.problem(caller) { try await city.hub.setRules(text) }
    }
    func seen() throws -> Int { try Caller.$current.withValue(kim) { try city.ids().count } }
    let rooms = "permit(principal, action == Action::\"read\", resource in EntityType::\"Room\");"
    #expect(await set(rooms, kim)?.kind == .forbidden)
    #expect(try seen() == 0)
    #expect(await set(rooms, root) == nil)
    #expect(try seen() == 4)
    #expect(city.recorded.disclosures.map(\.step) == ["set-rules"])
    #expect(city.recorded.disclosures.map(\.kind) == ["configuration"])
    // What cannot be read, or locks out who sends it, changes nothing.
    let broken = await set(rooms + "\npermit(who);", root)
    #expect(broken?.kind == .badRequestData)
    #expect(broken?.detail.contains("line 2") == true)
    #expect(await set("forbid(principal, action == Action::\"administer\", resource);", root)?.kind == .conflict)
    #expect(await set(String(repeating: " ", count: Hub.mostRuleBytes + 1), root)?.kind == .payloadTooLarge)
    #expect(try seen() == 4)
    // They are kept, and stand beside those of the manifest.
    let again = Hub(store: city.store, rules: city.rules, now: { RuledHub.time })
    city.rules.admit([])
    try city.rules.use(added: "")
    #expect(try seen() == 0)
    try await again.resume()
    #expect(try seen() == 4)
    #expect(try Caller.$current.withValue(root) { try again.addedRules() } == rooms)
    #expect(await set("permit(principal, action, resource);", root) == nil)
    let vault = await LeakTests.problem(root) {
      try await city.hub.create(RuledHub.fragment("Vault:1", "Vault", [:]), in: .default)
    }
    #expect(vault?.detail.contains("no vaults") == true)
    #expect(await set("", root) == nil)
    #expect(try seen() == 0)
    await city.end()
  }
}
