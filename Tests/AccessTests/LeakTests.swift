import Foundation
import NGSI
import Query
import Store
import Synchronization
import Testing

@testable import Access
@testable import Hub

/// What could be heard although it may not be known: each of these was a leak once.
@Suite struct LeakTests {
  static func query(_ ids: [String], q: String? = nil, attributes: [String] = []) throws -> EvolutionQuery {
    var entities = EntityQuery()
    entities.ids = ids.map { "urn:ngsi-ld:" + $0 }
    entities.filter = try q.map { try Filter(q: $0, context: .core) }
    entities.attributes = attributes.map(iri)
    return EvolutionQuery(entities: entities, page: Page(limit: 10), instanceLimit: 10)
  }

  static func problem(_ caller: Caller, _ body: () async throws -> Void) async -> Problem? {
    await Caller.$current.withValue(caller) {
      do {
        try await body()
        return nil
      } catch { return error as? Problem }
    }
  }

  // MARK: What was decided before

  /// What is remembered of entities in the same groups does not hold for those that a rule names.
  @Test func aRuleForOneEntityIsNoRuleForItsKind() async throws {
    let city = try RuledHub(
      """
      permit(principal == Person::"scope", action in [Action::"read", Action::"update"], resource in Entity::"urn:ngsi-ld:Room:2");
      permit(principal == Person::"word", action == Action::"read", resource)
      when { resource in [Entity::"urn:ngsi-ld:Room:2", EntityType::"Patient"] };
      permit(principal == Person::"is", action == Action::"read", resource is Entity in Entity::"urn:ngsi-ld:Room:2");
      permit(principal == Person::"all", action == Action::"read", resource);
      forbid(principal == Person::"all", action == Action::"read", resource in Entity::"urn:ngsi-ld:Room:2");
      """)
    try await city.fill()
    func seen(_ id: String) throws -> [String] {
      try Caller.$current.withValue(RuledHub.caller(id)) { try city.ids() }
    }
    for _ in 0..<2 {
      #expect(try seen("scope") == ["Room:2"])
      #expect(try seen("word") == ["Room:2", "Patient:1"])
      #expect(try seen("is") == ["Room:2"])
      #expect(try seen("all") == ["Room:1", "Room:3", "Room:4", "Patient:1"])
    }
    await city.end()
  }

  /// Names that only look alike (canonically equivalent) are others: U+212A is a K to a reader's eye and to Swift's `==`.
  @Test func namesThatLookAlikeAreOthers() async throws {
    let sign = "\u{212A}"
    #expect(sign == "K")
    let rules = try CityRules(
      """
      permit(principal in Role::"operator", action, resource);
      forbid(principal, action == Action::"read", resource in EntityType::"KidneyPatient");
      forbid(principal, action == Action::"read", resource in Scope::"/\u{BD81}\u{AD6C}");
      forbid(principal == Person::"K", action, resource);
      forbid(principal, action in [Action::"read", Action::"update"], resource)
      when { context has attribute && context.attribute == "doorKey" };
      """, now: { RuledHub.time }, recorder: { _, _ in [] })
    let clerk = RuledHub.caller("kim", roles: ["operator"])
    func sees(_ type: String, _ scope: String = "/a", by caller: Caller = clerk) -> Bool {
      var entity = Entity(id: "urn:1", types: [iri(type)])
      entity.scopes = [scope]
      return rules.visibility(for: caller, in: .default)?.visible(entity) != nil
    }
    // What looks alike is asked first, and remembered.
    #expect(sees(sign + "idneyPatient"))
    #expect(!sees("KidneyPatient"))
    #expect(sees("Room", "/\u{1107}\u{116E}\u{11A8}\u{1100}\u{116E}"))
    #expect(!sees("Room", "/\u{BD81}\u{AD6C}"))
    #expect(sees("Room", by: RuledHub.caller(sign, roles: ["operator"])))
    #expect(!sees("Room", by: RuledHub.caller("K", roles: ["operator"])))
    let room = Entity(id: "urn:1", types: [iri("Room")])
    func mayChange(_ name: String) -> Bool {
      rules.decide(.update, before: room, after: room, attributes: [iri(name)], by: clerk, in: .default).isAllowed
    }
    #expect(mayChange("door\(sign)ey"))
    #expect(!mayChange("doorKey"))
    // The hub takes none that could be taken for another.
    let city = try RuledHub("permit(principal, action, resource);")
    try await city.fill()
    func refuses(_ body: () async throws -> Void) async -> Bool {
      await Self.problem(clerk, body)?.kind == .badRequestData
    }
    for (id, type, attribute, scope) in [
      ("Room:\(sign)", "Room", "a", "/a"), ("Room:9", "Room\(sign)", "a", "/a"), ("Room:9", "Room", sign, "/a"),
      ("Room:9", "Room", "a", "/\(sign)"),
    ] {
      #expect(
        await refuses {
          try await city.hub.create(
            RuledHub.fragment(id, type, [attribute: 1], scope: scope), in: .default)
        })
    }
    #expect(
      await refuses {
        _ = try await city.hub.update(
          "urn:ngsi-ld:Room:1", RuledHub.fragment("Room:1", "Room", ["level\(sign)": 1]), types: nil, in: .default)
      })
    #expect(
      await refuses {
        let history = try EntityReader(context: .core, rules: .evolution).entity(
          .object(
            object(
              """
              {"id": "urn:ngsi-ld:Room:1", "type": "Room", "level\(sign)": [
                {"type": "Property", "value": 1, "observedAt": "2026-01-01T00:00:00Z"}]}
              """)))
        _ = try await city.hub.recordHistory(history, in: .default)
      })
    await city.end()
  }

  /// A store may hold such names from before they were refused: they can be deleted, each by its own bytes.
  @Test func namesThatLookAlikeCanBeDeleted() async throws {
    let sign = "\u{212A}"
    let city = try RuledHub(
      """
      permit(principal, action, resource);
      forbid(principal, action in [Action::"update", Action::"delete"], resource)
      when { context has attribute && context.attribute == "doorKey" };
      """)
    let clerk = RuledHub.caller("kim", roles: ["operator"])
    for name in ["urn:ngsi-ld:Room:1", "urn:ngsi-ld:Room:\(sign)"] {
      var old = try RuledHub.fragment("Room:1", "Room", ["doorKey": 1]).entity()
      old.id = name
      var other = old.attributes[0]
      other.name = iri("door\(sign)ey")
      old.attributes.append(other)
      let entity = old
      try await city.store.write { try $0.put(entity, replacing: nil, in: .default) }
    }
    func delete(_ name: String) async -> Problem.Kind? {
      await Self.problem(clerk) {
        try await city.hub.deleteAttribute(
          "urn:ngsi-ld:Room:1", iri(name), .defaultInstance, types: nil, in: .default)
      }?.kind
    }
    func names() throws -> [String] {
      try city.store.read { try $0.entity("urn:ngsi-ld:Room:1", in: .default) }?.attributes.map(\.name) ?? []
    }
    #expect(await delete("doorKey") == .forbidden)
    #expect(try names().count == 2)
    #expect(await delete("door\(sign)ey") == nil)
    let left = try names()
    #expect(left.count == 1 && left.allSatisfy { $0.hasSameBytes(as: iri("doorKey")) })
    #expect(await delete("door\(sign)ey") == .resourceNotFound, "the other is not taken for it")
    let whole = await Self.problem(clerk) {
      try await city.hub.delete("urn:ngsi-ld:Room:\(sign)", types: nil, in: .default)
    }
    #expect(whole?.kind == .forbidden, "it has a doorKey")
    await city.end()
  }

  /// Purpose, time and rules that change are asked about again.
  @Test func whatIsRememberedHoldsForTheSameCircumstancesOnly() async throws {
    let city = try RuledHub(
      """
      permit(principal == Person::"care", action == Action::"read", resource in EntityType::"Patient")
      when { context has purpose && context.purpose == "care" };
      permit(principal == Person::"late", action == Action::"read", resource in EntityType::"Patient")
      when { context.time >= datetime("2026-11-18T11:07:00Z") };
      permit(principal == Person::"there", action == Action::"read", resource in EntityType::"Patient")
      when { context has source && ip(context.source).isInRange(ip("10.0.0.0/8")) };
      """)
    try await city.fill()
    func seen(_ caller: Caller) throws -> [String] { try Caller.$current.withValue(caller) { try city.ids() } }
    var care = RuledHub.caller("care")
    for purpose in [nil, "care", "research", "care", nil] {
      care.purpose = purpose
      #expect(try seen(care) == (purpose == "care" ? ["Patient:1"] : []))
    }
    var there = RuledHub.caller("there")
    for source in ["10.0.0.7", "192.0.2.1", "10.0.0.8"] {
      there.source = source
      #expect(try seen(there) == (source.hasPrefix("10.") ? ["Patient:1"] : []))
    }
    let late = RuledHub.caller("late")
    #expect(try seen(late) == [])
    city.move(60)
    #expect(try seen(late) == ["Patient:1"])
    try city.rules.replace("permit(principal, action == Action::\"read\", resource in EntityType::\"Room\");")
    #expect(try seen(late).count == 4)
    await city.end()
  }

  /// More that is decided than there is room for is decided again, and the same.
  @Test func whatIsRememberedIsBounded() throws {
    let rules = try CityRules(
      """
      permit(principal, action == Action::"read", resource in EntityType::"Room");
      forbid(principal, action == Action::"read", resource in EntityType::"Room")
      when { context has attribute && context.attribute == "code" };
      """, now: { RuledHub.time }, recorder: { _, _ in [] })
    for number in 0..<300 {
      var caller = RuledHub.caller("\(number)")
      caller.agency = "a"
      let visibility = try #require(rules.visibility(for: caller, in: .default))
      for kind in 0..<100 {
        let room = Entity(id: "urn:1", types: [iri("Room"), "urn:type:\(kind)"])
        #expect(visibility.part(of: room, asking: [iri("code"), iri("level")]) == .attributes([iri("level")]))
        #expect(visibility.part(of: Entity(id: "urn:2", types: ["urn:type:\(kind)"]), asking: []) == nil)
      }
    }
    #expect(rules.remembered.count <= rules.remembered.bound)
  }

  // MARK: Histories

  /// Rules on contents and scopes hold for histories, and for those of entities that are gone.
  @Test func historiesAreJudgedByTheWholeEntity() async throws {
    let city = try RuledHub(
      """
      permit(principal == Person::"low", action == Action::"read", resource) when { resource.attributes.level <= 2 };
      permit(principal in Agency::"north", action == Action::"read", resource in Scope::"/north");
      """)
    try await city.fill()
    let (low, north) = (RuledHub.caller("low"), RuledHub.caller("n", agency: "north"))
    func seen(_ caller: Caller) throws -> [String] {
      let query = try Self.query((1...4).map { "Room:\($0)" }, attributes: ["code"])
      return try Caller.$current.withValue(caller) {
        try city.hub.evolutions(query, in: .default).entities.map { String($0.id.dropFirst(12)) }
      }
    }
    // The level is not among what is read, and decides all the same.
    #expect(try seen(low) == ["Room:1", "Room:2"])
    #expect(try seen(north) == ["Room:1", "Room:2"])
    try await Hub.asCity {
      for number in [1, 3] { try await city.hub.delete("urn:ngsi-ld:Room:\(number)", types: nil, in: .default) }
    }
    #expect(try seen(low) == ["Room:1", "Room:2"])
    #expect(try seen(north) == ["Room:1", "Room:2"])
    await city.end()
  }

  /// Totals, conditions and cuts do not tell of hidden attributes.
  @Test func hiddenAttributesAreNoPartOfAHistory() async throws {
    let city = try RuledHub(RulesTests.rules)
    try await city.fill()
    let codes = (10..<50).map {
      "{\"type\": \"Property\", \"value\": \($0), \"observedAt\": \"2026-01-01T00:00:\($0)Z\"}"
    }
    let history = try EntityReader(context: .core, rules: .evolution).entity(
      .object(
        object(
          """
          {"id": "urn:ngsi-ld:Room:1", "type": "Room", "code": [\(codes.joined(separator: ", "))], "level": [
            {"type": "Property", "value": 1, "observedAt": "2026-01-01T00:00:00Z"},
            {"type": "Property", "value": 2, "observedAt": "2026-01-01T00:02:00Z"}]}
          """)))
    _ = try await Hub.asCity { try await city.hub.recordHistory(history, in: .default) }
    try Caller.$current.withValue(RuledHub.caller("a", roles: ["operator"])) {
      // Without the hidden attribute all of it fits: nothing is cut, and nothing says that there was more.
      let whole = try city.hub.evolutions(Self.query(["Room:1"]), in: .default)
      #expect(whole.cut == nil)
      #expect(whole.entities.first?.attributes.map(\.name) == [iri("level"), Core.scope])
      #expect(whole.entities.first?.attributes.first?.instances.count == 3)
      // Asked for by name, it is one that the entity never had.
      var counted = try Self.query(["Room:1"], attributes: ["code"])
      counted.entities.ids = []
      counted.entities.types = .type(iri("Room"))
      counted.countsTotal = true
      #expect(try city.hub.evolutions(counted, in: .default).total == 0)
      var projected = try Self.query(["Room:1"])
      projected.attributes = [iri("code")]
      #expect(try city.hub.evolutions(projected, in: .default).entities.isEmpty)
      #expect(try city.hub.evolutions(Self.query(["Room:1"], q: "code==17"), in: .default).entities.isEmpty)
    }
    let north = try Caller.$current.withValue(RuledHub.caller("b", agency: "north")) {
      try city.hub.evolutions(Self.query(["Room:1"], q: "code==17"), in: .default)
    }
    #expect(north.entities.count == 1)
    #expect(north.cut != nil)
    await city.end()
  }

  @Test func correctionsOfHistoriesAreJudgedWithWhatTheyAddAndRecorded() async throws {
    let city = try RuledHub(
      """
      permit(principal in Role::"clerk", action in [Action::"read", Action::"write"], resource in EntityType::"Room");
      @evidence("access")
      permit(principal in Role::"doctor", action in Action::"write", resource in EntityType::"Patient");
      forbid(principal in Role::"clerk", action, resource in EntityType::"Vault");
      """)
    try await city.fill()
    let hub = city.hub
    let clerk = RuledHub.caller("c", roles: ["clerk"])
    let plain = try RuledHub.fragment("Room:1", "Room", ["level": 3])
    var vault = plain
    vault.types = [iri("Room"), iri("Vault")]
    let more = vault
    #expect(await Self.problem(clerk) { _ = try await hub.recordHistory(plain, in: .default) } == nil)
    #expect(await Self.problem(clerk) { _ = try await hub.recordHistory(more, in: .default) }?.kind == .forbidden)
    #expect(
      await Self.problem(clerk) { try await hub.addHistory(of: "urn:ngsi-ld:Room:1", more, in: .default) }?.kind
        == .forbidden)
    #expect(city.recorded.disclosures.isEmpty)
    let doctor = RuledHub.caller("d", roles: ["doctor"])
    let ward = try RuledHub.fragment("Patient:1", "Patient", ["ward": "4"])
    #expect(await Self.problem(doctor) { _ = try await hub.recordHistory(ward, in: .default) } == nil)
    #expect(city.recorded.disclosures.map(\.entityId) == ["urn:ngsi-ld:Patient:1"])
    #expect(city.recorded.disclosures.map(\.action) == [.update])
    #expect(
      await Self.problem(doctor) {
        try await hub.deleteHistory(
          of: "urn:ngsi-ld:Patient:1", attribute: iri("ward"), datasetId: nil,
          allDatasets: false, in: .default)
      } == nil)
    #expect(city.recorded.disclosures.count == 2)
    // What cannot be recorded is not done.
    city.recorded.fail()
    #expect(
      await Self.problem(doctor) { try await hub.deleteHistory(of: "urn:ngsi-ld:Patient:1", in: .default) } != nil)
    let left = try await Hub.asCity { try hub.evolutions(Self.query(["Patient:1"]), in: .default).entities.count }
    #expect(left == 1)
    await city.end()
  }

  // MARK: What there is

  /// The same answer whether a hidden entity is there or not, and whether it has an attribute or not.
  @Test func refusalsDoNotTellWhatThereIs() async throws {
    let city = try RuledHub(
      RulesTests.rules
        + """
        permit(principal in Role::"porter", action in [Action::"read", Action::"write"], resource in EntityType::"Room");
        forbid(principal in Role::"porter", action, resource)
        when { context has attribute && ["code", "ghost"].contains(context.attribute) };
        """)
    try await city.fill()
    let hub = city.hub
    func tries(_ id: String, _ attribute: String) throws -> [@Sendable () async throws -> Void] {
      let id = "urn:ngsi-ld:" + id
      let name = iri(attribute)
      let given = try EntityReader(context: .core).entity(
        .object(object("{\"\(attribute)\": {\"type\": \"Property\", \"value\": 5}}")))
      return [
        { try await hub.delete(id, types: nil, in: .default) },
        { try await hub.deleteAttribute(id, name, .all, types: nil, in: .default) },
        { _ = try await hub.update(id, given, types: nil, in: .default) },
        { _ = try await hub.append(id, given, overwrites: false, types: nil, in: .default) },
        { try await hub.deleteHistory(of: id, in: .default) },
        { try await hub.deleteHistory(of: id, attribute: name, instanceId: "urn:ngsi-ld:i", in: .default) },
      ]
    }
    func answers(_ caller: Caller, _ id: String, _ attribute: String) async throws -> [Problem.Kind?] {
      var kinds: [Problem.Kind?] = []
      for attempt in try tries(id, attribute) { kinds.append(await Self.problem(caller, attempt)?.kind) }
      return kinds
    }
    // Who may write nothing at all hears nothing of what there is.
    for (caller, kind) in [(Caller.nobody, Problem.Kind.unauthorized), (RuledHub.caller("c"), .forbidden)] {
      for id in ["Room:1", "Room:99"] {
        #expect(try await answers(caller, id, "level") == Array(repeating: kind, count: 6), "\(caller.id) \(id)")
      }
    }
    // Who may write some: what is hidden from him is not there.
    let north = RuledHub.caller("b", agency: "north")
    #expect(try await answers(north, "Room:3", "level") == answers(north, "Room:99", "level"))
    #expect(try await answers(north, "Room:3", "nothing") == answers(north, "Room:99", "level"))
    // Nor is it told whether an entity has an attribute that he may not touch.
    let porter = RuledHub.caller("p", roles: ["porter"])
    #expect(try await answers(porter, "Room:1", "code") == answers(porter, "Room:1", "ghost"))
    let result = try await Caller.$current.withValue(north) {
      try await hub.batchDelete(["urn:ngsi-ld:Room:3", "urn:ngsi-ld:Room:99"], in: .default)
    }
    #expect(result.errors.map(\.problem.kind) == [.resourceNotFound, .resourceNotFound])
    await city.end()
  }

  @Test func nobodyMakesTheCityFetchOrKeepContexts() async throws {
    let city = try RuledHub("permit(principal, action == Action::\"read\", resource);")
    let inline: JSON = ["temperature": "https://example.org/temperature"]
    let made = try await Hub.asCity { try await city.hub.context(inline) }
    #expect(
      await Self.problem(.nobody) { _ = try await city.hub.context("https://example.org/c.jsonld") }?.kind
        == .unauthorized)
    #expect(
      await Self.problem(.nobody) { _ = try await city.hub.linkable(made, base: "http://localhost") }?.kind
        == .unauthorized)
    #expect(await Self.problem(.nobody) { _ = try await city.hub.context(.null) } == nil)
    await city.end()
  }

  @Test func snapshotsAreForWhoMayReadEverything() async throws {
    let city = try RuledHub(
      """
      permit(principal, action == Action::"configure", resource);
      permit(principal in Role::"part", action == Action::"read", resource in EntityType::"Room");
      permit(principal in Role::"all", action == Action::"read", resource);
      """)
    try await city.fill()
    let document = try object(
      """
      {"type": "Snapshot", "id": "urn:ngsi-ld:Snapshot:1",
       "snapshotQueries": [{"type": "Query", "entities": [{"type": "Room"}]}]}
      """)
    func make() async throws {
      _ = try await city.hub.createSnapshot(document, context: .core, in: .default) { _ in }
    }
    #expect(await Self.problem(RuledHub.caller("p", roles: ["part"]), make)?.kind == .forbidden)
    let made = await Self.problem(RuledHub.caller("a", roles: ["all"]), make)
    #expect(made == nil, "\(made?.detail ?? "")")
    let used = await Self.problem(RuledHub.caller("p", roles: ["part"])) {
      _ = try city.hub.space(ofSnapshot: "urn:ngsi-ld:Snapshot:1", in: .default)
    }
    #expect(used?.kind == .forbidden)
    await city.end()
  }

  // MARK: Acts

  @Test func actsThatAreAboutNoEntityAreRecordedInTheirTransaction() async throws {
    let city = try RuledHub(
      """
      @evidence("configuration") permit(principal in Role::"root", action == Action::"configure", resource);
      @evidence("access") permit(principal in Role::"root", action == Action::"administer", resource);
      permit(principal in Role::"root", action == Action::"read", resource);
      """)
    let root = RuledHub.caller("r", roles: ["root"])
    // Where nobody keeps a record, it is not done.
    #expect(
      await Self.problem(root) { try await city.hub.setValidationMode(.strict, in: .default) }?.kind == .forbidden)
    let notes = AccessNotes()
    await AccessNotes.$current.withValue(notes) {
      #expect(await Self.problem(root) { try await city.hub.setValidationMode(.strict, in: .default) } == nil)
    }
    #expect(city.recorded.disclosures.map(\.action) == [.configure])
    #expect(city.recorded.disclosures.map(\.kind) == ["configuration"])
    #expect(notes.isEmpty)
    // What changes nothing is recorded before its answer leaves; what was refused is not said of anybody.
    await AccessNotes.$current.withValue(notes) {
      #expect(
        await Self.problem(root) { _ = try city.hub.refusedInput(in: .default, page: Page(limit: 1)) } == nil)
    }
    try await city.hub.record(notes, failed: true)
    #expect(city.recorded.disclosures.count == 1)
    await AccessNotes.$current.withValue(notes) {
      #expect(
        await Self.problem(root) { _ = try city.hub.refusedInput(in: .default, page: Page(limit: 1)) } == nil)
    }
    try await city.hub.record(notes)
    #expect(city.recorded.disclosures.map(\.action) == [.configure, .administer])
    city.recorded.fail()
    await AccessNotes.$current.withValue(notes) {
      #expect(await Self.problem(root) { try await city.hub.setValidationMode(.open, in: .default) } != nil)
    }
    #expect(try Caller.$current.withValue(root) { try city.hub.validationMode(in: .default) } == .strict)
    #expect(!notes.isEmpty)
    await city.end()
  }
}
