import Foundation
import NGSI
import Query
import Store
import Testing

@testable import Access
@testable import Hub

@Suite struct GrantTests {
  static let rules = """
    @id("police may ask for cameras")
    permit(principal in Agency::"police", action in [Action::"request", Action::"break-glass"],
      resource in EntityType::"Camera");
    @id("the duty officer decides")
    permit(principal in Role::"duty-officer", action == Action::"approve", resource in EntityType::"Camera");
    @id("the privacy officer reviews")
    permit(principal in Role::"privacy-officer", action == Action::"review", resource);
    @id("faces stay hidden")
    forbid(principal, action == Action::"read", resource) when { context has attribute && context.attribute == "faces" };
    permit(principal in Role::"root", action == Action::"administer", resource);
    @id("operators turn valves") @evidence("command")
    permit(principal in Role::"operator", action in [Action::"read", Action::"update"], resource in EntityType::"Valve");
    @id("valves are shut by two others") @approval("2")
    forbid(principal, action == Action::"update", resource in EntityType::"Valve")
    when { context has attribute && context.attribute == "command" };
    permit(principal in Agency::"water", action in [Action::"request", Action::"approve"], resource in EntityType::"Valve");
    """

  static func police(_ id: String) -> Caller { RuledHub.caller(id, agency: "police") }
  static let officer = RuledHub.caller("officer", roles: ["duty-officer"])
  static let privacy = RuledHub.caller("privacy", roles: ["privacy-officer"])

  static func made() async throws -> RuledHub {
    let city = try RuledHub(rules)
    try await Hub.asCity {
      for (number, scope) in [(1, "/north"), (2, "/north/a"), (3, "/south")] {
        try await city.hub.create(
          RuledHub.fragment(
            "Camera:\(number)", "Camera", ["video": .string("v\(number)"), "faces": "f", "place": "x"], scope: scope),
          in: .default)
      }
      try await city.hub.create(RuledHub.fragment("Incident:1", "Incident", ["status": "open"]), in: .default)
      try await city.hub.create(RuledHub.fragment("Valve:1", "Valve", ["command": "open", "flow": 3]), in: .default)
    }
    return city
  }

  /// What is asked for.
  static func ask(_ members: String = "", to: String) throws -> JSONObject {
    try object(
      """
      {"purpose": "investigation", "legalBasis": "형사소송법 제199조", "reason": "사건 7", \(members) "to": "\(to)"}
      """)
  }

  static let cameras = "\"things\": [{\"type\": \"Camera\", \"scope\": \"/north\"}],"

  static func by<Value: Sendable>(_ caller: Caller, _ body: () async throws -> Value) async throws -> Value {
    try await Caller.$current.withValue(caller, operation: body)
  }

  /// What of cameras somebody sees, and that all of it was noted.
  static func seen(_ caller: Caller, _ city: RuledHub) throws -> [String] {
    try Caller.$current.withValue(caller) {
      try AccessNotes.$current.withValue(AccessNotes()) {
        var query = EntityQuery()
        query.types = .type(iri("Camera"))
        return try city.hub.entities(query, in: .default, page: Page(limit: 10)).entities.map {
          String($0.id.dropFirst(12))
        }
      }
    }
  }

  @Test func aGrantIsAskedForApprovedUsedAndOver() async throws {
    let city = try await Self.made()
    let (kim, lee) = (Self.police("kim"), Self.police("lee"))
    let start = RuledHub.time
    let to = start.adding(seconds: 3600).description
    let asked = try await Self.by(kim) { try await city.hub.requestGrant(Self.ask(Self.cameras, to: to), in: .default) }
    #expect(asked.status(at: start) == "requested")
    #expect(try Self.seen(kim, city) == [])
    // Neither he nor his like decides it.
    for caller in [kim, lee, Self.privacy] {
      let refused = await LeakTests.problem(caller) {
        _ = try await city.hub.decideGrant(asked.id, approves: true, note: nil, in: .default)
      }
      #expect(refused != nil, "\(caller.id)")
    }
    let approved = try await Self.by(Self.officer) {
      try await city.hub.decideGrant(asked.id, approves: true, note: "ok", in: .default)
    }
    #expect(approved.status(at: start) == "active")
    #expect(try Self.seen(kim, city) == ["Camera:1", "Camera:2"])
    #expect(try Self.seen(lee, city) == [])
    // What a rule forbids, a grant does not give.
    let notes = AccessNotes()
    let camera = try Caller.$current.withValue(kim) {
      try AccessNotes.$current.withValue(notes) { try city.hub.entity("urn:ngsi-ld:Camera:1", in: .default) }
    }
    #expect(camera.attributes.map(\.name).sorted() == [iri("place"), iri("video")])
    try await city.hub.record(notes)
    let last = try #require(city.recorded.disclosures.last)
    #expect(last.kind == "access" && last.entityId == "urn:ngsi-ld:Camera:1" && last.purpose == "investigation")
    // Without anybody who keeps a record nothing is seen.
    #expect(
      try Caller.$current.withValue(kim) { try city.hub.entities(EntityQuery(), in: .default, page: Page(limit: 9)) }
        .entities.isEmpty)
    #expect(city.recorded.disclosures.filter { $0.kind == "grant" }.map(\.step) == ["request", "approve"])
    #expect(city.recorded.disclosures.filter { $0.kind == "grant" }.map(\.caller.id) == ["kim", "officer"])
    city.move(3599)
    #expect(try Self.seen(kim, city).count == 2)
    city.move(1)
    #expect(try Self.seen(kim, city) == [])
    #expect(try await Self.by(kim) { try city.hub.grant(asked.id, in: .default) }.status(at: city.hub.time) == "ended")
    await city.end()
  }

  @Test func whatIsGrantedIsNoMoreThanWhatWasAskedFor() async throws {
    let city = try await Self.made()
    let kim = Self.police("kim")
    let to = RuledHub.time.adding(seconds: 60).description
    func granted(_ members: String) async throws {
      let asked = try await Self.by(kim) { try await city.hub.requestGrant(Self.ask(members, to: to), in: .default) }
      _ = try await Self.by(Self.officer) {
        try await city.hub.decideGrant(asked.id, approves: true, note: nil, in: .default)
      }
    }
    try await granted("\"things\": [{\"id\": \"urn:ngsi-ld:Camera:3\"}], \"attributes\": [\"place\"],")
    #expect(try Self.seen(kim, city) == ["Camera:3"])
    let camera = try Caller.$current.withValue(kim) {
      try AccessNotes.$current.withValue(AccessNotes()) { try city.hub.entity("urn:ngsi-ld:Camera:3", in: .default) }
    }
    #expect(camera.attributes.map(\.name) == [iri("place")])
    #expect(
      await LeakTests.problem(kim) { try await city.hub.delete("urn:ngsi-ld:Camera:3", types: nil, in: .default) }
        != nil)
    // Words that would end the rule early are words.
    let evil = "\\\" }; permit(principal, action, resource); // x"
    try await granted("\"things\": [{\"type\": \"Camera\", \"scope\": \"/\(evil)\"}],")
    #expect(try Self.seen(RuledHub.caller("x"), city) == [])
    #expect(try Self.seen(kim, city) == ["Camera:3"])
    // Things that nobody may ask for, or decide.
    let valves = await LeakTests.problem(kim) {
      _ = try await city.hub.requestGrant(Self.ask("\"things\": [{\"type\": \"Valve\"}],", to: to), in: .default)
    }
    #expect(valves?.kind == .forbidden)
    let everything = await LeakTests.problem(kim) {
      _ = try await city.hub.requestGrant(Self.ask("\"things\": [{\"scope\": \"/north\"}],", to: to), in: .default)
    }
    #expect(everything?.kind == .forbidden)
    await city.end()
  }

  @Test func theGlassIsBrokenAtOnceAndReviewed() async throws {
    let city = try await Self.made()
    let kim = Self.police("kim")
    let to = RuledHub.time.adding(seconds: 3600).description
    let taken = try await Self.by(kim) {
      try await city.hub.requestGrant(Self.ask(Self.cameras + "\"breakGlass\": true,", to: to), in: .default)
    }
    #expect(try Self.seen(kim, city) == ["Camera:1", "Camera:2"])
    #expect(city.recorded.disclosures.map(\.step) == ["break-glass"])
    let late = await LeakTests.problem(kim) {
      _ = try await city.hub.requestGrant(
        Self.ask(Self.cameras + "\"breakGlass\": true,", to: RuledHub.time.adding(seconds: 90_000).description),
        in: .default)
    }
    #expect(late?.kind == .badRequestData)
    let own = await LeakTests.problem(kim) {
      _ = try await city.hub.reviewGrant(taken.id, isJustified: true, note: "mine", in: .default)
    }
    #expect(own != nil)
    let owed = try await Self.by(Self.privacy) { try city.hub.grants(.unreviewed, in: .default).map(\.id) }
    #expect(owed == [taken.id])
    let reviewed = try await Self.by(Self.privacy) {
      try await city.hub.reviewGrant(taken.id, isJustified: false, note: "no case", in: .default)
    }
    #expect(reviewed.state == .revoked)
    #expect(try Self.seen(kim, city) == [])
    #expect(try await Self.by(Self.privacy) { try city.hub.grants(.unreviewed, in: .default).isEmpty })
    await city.end()
  }

  @Test func aGrantEndsWithItsReasonAndIsGivenBack() async throws {
    let city = try await Self.made()
    let kim = Self.police("kim")
    let to = RuledHub.time.adding(seconds: 3600).description
    let incident = "\"incident\": \"urn:ngsi-ld:Incident:1\","
    func taken() async throws -> Grant {
      try await Self.by(kim) {
        try await city.hub.requestGrant(
          Self.ask(Self.cameras + incident + "\"breakGlass\": true,", to: to), in: .default)
      }
    }
    let first = try await taken()
    // Outlives the hub: what is kept is taken up.
    city.rules.admit([])
    #expect(try Self.seen(kim, city) == [])
    try await city.hub.resume()
    #expect(try Self.seen(kim, city).count == 2)
    func gauge(_ section: String, _ name: String) throws -> JSON? { try city.hub.health()[section]?[name] }
    #expect(try gauge("grants", "open") == ["value": 1, "bound": 10_000])
    #expect(try gauge("grants", "kept") == 1)
    #expect(try gauge("access", "remembered")?["value"]?.integer ?? 0 > 0)
    try await Hub.asCity {
      _ = try await city.hub.update(
        "urn:ngsi-ld:Incident:1", RuledHub.fragment("Incident:1", "Incident", ["status": "closed"]), types: nil,
        in: .default)
    }
    #expect(try Self.seen(kim, city) == [])
    let ended = try await Self.by(kim) { try city.hub.grant(first.id, in: .default) }
    #expect(ended.state == .revoked)
    #expect(ended.steps.last?.by.kind == .city)
    #expect(city.recorded.disclosures.map(\.step) == ["break-glass", "revoke"])
    // An incident that is over is no reason for another.
    await #expect(throws: Problem.self) { _ = try await taken() }
    let open = try await Self.by(kim) {
      try await city.hub.requestGrant(Self.ask(Self.cameras + "\"breakGlass\": true,", to: to), in: .default)
    }
    let stranger = await LeakTests.problem(RuledHub.caller("x")) {
      _ = try await city.hub.revokeGrant(open.id, note: nil, in: .default)
    }
    #expect(stranger?.kind == .resourceNotFound)
    _ = try await Self.by(kim) { try await city.hub.revokeGrant(open.id, note: "done", in: .default) }
    #expect(try Self.seen(kim, city) == [])
    await city.end()
  }

  @Test func aSensitiveCommandRunsOnlyWithAProvedApproval() async throws {
    let city = try await Self.made()
    var operatorCaller = RuledHub.caller("op", roles: ["operator"], agency: "water")
    let (ann, ben) = (RuledHub.caller("ann", agency: "water"), RuledHub.caller("ben", agency: "water"))
    let to = RuledHub.time.adding(seconds: 3600).description
    func shut(_ command: String, _ caller: Caller, more: [String: JSON] = [:]) async -> Problem? {
      await LeakTests.problem(caller) {
        var attributes = more
        attributes["command"] = .string(command)
        _ = try await city.hub.update(
          "urn:ngsi-ld:Valve:1", RuledHub.fragment("Valve:1", "Valve", attributes), types: nil, in: .default)
      }
    }
    // Without approval: the flow may be set, the valve not.
    #expect(await shut("shut", operatorCaller)?.detail.contains("2 others") == true)
    let command =
      "\"command\": {\"entity\": \"urn:ngsi-ld:Valve:1\", \"attributes\": {\"command\": {\"type\": \"Property\", \"value\": \"shut\"}}},"
    let asked = try await Self.by(operatorCaller) {
      try await city.hub.requestGrant(Self.ask(command, to: to), in: .default)
    }
    operatorCaller.approval = asked.id
    #expect(await shut("shut", operatorCaller)?.kind == .forbidden)
    for caller in [ann, ben] {
      _ = try await Self.by(caller) {
        try await city.hub.decideGrant(asked.id, approves: true, note: nil, in: .default)
      }
    }
    // Approved by both, and no witness has seen it yet.
    #expect(await shut("shut", operatorCaller)?.kind == .conflict)
    let entries = try await Self.by(operatorCaller) { try city.hub.grant(asked.id, in: .default) }.approvals.compactMap(
      \.entry)
    #expect(entries.count == 2)
    city.proofs.see(Int(entries[1]))
    #expect(await shut("shut", operatorCaller)?.kind == .conflict)
    city.proofs.see(Int(entries[1]) + 1)
    // It approves this change and no other, of this person and no other.
    #expect(await shut("open wide", operatorCaller)?.kind == .forbidden)
    #expect(await shut("shut", operatorCaller, more: ["flow": 9])?.kind == .forbidden)
    // Nor one that would end the valve itself a moment later.
    let ending = await LeakTests.problem(operatorCaller) {
      let text =
        "{\"command\": {\"type\": \"Property\", \"value\": \"shut\"}, \"expiresAt\": \"\(RuledHub.time.adding(seconds: 2))\"}"
      try await city.hub.merge(
        "urn:ngsi-ld:Valve:1", with: EntityReader(context: .core).entity(.object(object(text))),
        options: MergeOptions(), types: nil, in: .default)
    }
    #expect(ending?.kind == .forbidden)
    var other = RuledHub.caller("op2", roles: ["operator"], agency: "water")
    other.approval = asked.id
    #expect(await shut("shut", other)?.kind == .forbidden)
    #expect(await shut("shut", operatorCaller) == nil)
    let recorded = city.recorded.disclosures.suffix(2)
    #expect(recorded.map(\.kind) == ["grant", "command"])
    #expect(recorded.map { $0.step ?? "" } == ["use", ""])
    let valve = try await Hub.asCity { try city.hub.entity("urn:ngsi-ld:Valve:1", in: .default) }
    #expect(valve[attribute: iri("command")]?.instances.first?.value == "shut")
    // Once.
    try await Hub.asCity {
      _ = try await city.hub.update(
        "urn:ngsi-ld:Valve:1", RuledHub.fragment("Valve:1", "Valve", ["command": "open"]), types: nil, in: .default)
    }
    #expect(await shut("shut", operatorCaller) != nil)
    await city.end()
  }

  /// A grant that ends between the decision on a write and its commit lets nothing through that would not be recorded.
  @Test func aWriteIsRefusedWhenItsGrantEndsBeforeItsCommit() async throws {
    let city = try await Self.made()
    let kim = Self.police("kim")
    var refusals = 0
    // The grant ends after so many looks at the clock.
    for looks in 0..<40 {
      let to = city.hub.time.adding(seconds: 60).description
      let members = Self.cameras + "\"actions\": [\"read\", \"update\"],"
      let asked = try await Self.by(kim) { try await city.hub.requestGrant(Self.ask(members, to: to), in: .default) }
      _ = try await Self.by(Self.officer) {
        try await city.hub.decideGrant(asked.id, approves: true, note: nil, in: .default)
      }
      let recorded = city.recorded.disclosures.count
      city.move(61, afterLooks: looks)
      let problem = await LeakTests.problem(kim) {
        _ = try await city.hub.update(
          "urn:ngsi-ld:Camera:1", RuledHub.fragment("Camera:1", "Camera", ["video": .string("k\(looks)")]),
          types: nil, in: .default)
      }
      let hasEnded = city.hasMoved
      let camera = try await Hub.asCity { try city.hub.entity("urn:ngsi-ld:Camera:1", in: .default) }
      let isWritten = camera[attribute: iri("video")]?.instances.first?.value == .string("k\(looks)")
      let more = city.recorded.disclosures.dropFirst(recorded).filter { $0.kind == "command" }
      #expect((problem != nil) == hasEnded && isWritten == !hasEnded, "after \(looks) looks")
      #expect(more.count == (hasEnded ? 0 : 1), "after \(looks) looks")
      guard hasEnded else { break }
      refusals += 1
    }
    #expect((4..<40).contains(refusals), "\(refusals)")
    await city.end()
  }

  @Test func nobodyTakesTheRoomOfOthers() async throws {
    let city = try await Self.made()
    let (kim, lee) = (Self.police("kim"), Self.police("lee"))
    let to = RuledHub.time.adding(seconds: 60).description
    func ask(_ caller: Caller) async -> Problem? {
      await LeakTests.problem(caller) {
        _ = try await city.hub.requestGrant(Self.ask(Self.cameras, to: to), in: .default)
      }
    }
    for _ in 0..<city.hub.limits.grantsOfRequester { #expect(await ask(kim) == nil) }
    #expect(await ask(kim)?.kind == .tooManyResults)
    #expect(await ask(lee) == nil)
    city.move(61)
    let later = RuledHub.time.adding(seconds: 120).description
    #expect(
      await LeakTests.problem(kim) {
        _ = try await city.hub.requestGrant(Self.ask(Self.cameras, to: later), in: .default)
      } == nil)
    await city.end()
  }

  @Test func badRequestsAreNamed() async throws {
    let city = try await Self.made()
    let kim = Self.police("kim")
    let to = "\"to\": \"\(RuledHub.time.adding(seconds: 60))\""
    let base = "\"purpose\": \"p\", \"legalBasis\": \"l\", \"reason\": \"r\", "
    let cameras = "\"things\": [{\"type\": \"Camera\"}], "
    for (text, word) in [
      ("{}", "things"), ("{\(base)\(cameras)\"x\": 1, \(to)}", "x"), ("{\(base)\(to)}", "things"),
      ("{\(base)\(cameras)\"to\": \"soon\"}", "to"), ("{\(base)\(cameras)\"from\": 7, \(to)}", "from"),
      ("{\(base)\(cameras)\"to\": \"2020-01-01T00:00:00Z\"}", "ends before"),
      ("{\(base)\(cameras)\"to\": \"2036-01-01T00:00:00Z\"}", "most"),
      ("{\(base)\(cameras)\"actions\": [\"administer\"], \(to)}", "actions"),
      ("{\(base)\"things\": [{}], \(to)}", "thing"), ("{\(base)\"things\": [{\"colour\": \"red\"}], \(to)}", "thing"),
      ("{\(base)\"things\": [{\"scope\": \"north\"}], \(to)}", "scope"),
      ("{\(base)\(cameras)\"grantee\": {\"kind\": \"City\", \"id\": \"c\"}, \(to)}", "grantee"),
      ("{\(base)\(cameras)\"incident\": \"urn:ngsi-ld:Incident:9\", \(to)}", "incident"),
      ("{\(base)\(cameras)\"command\": {}, \(to)}", "command"), ("{\(base)\"command\": {}, \(to)}", "entity"),
      ("{\(base)\(cameras)\"breakGlass\": \"yes\", \(to)}", "breakGlass"),
    ] {
      let problem = await LeakTests.problem(kim) {
        _ = try await city.hub.requestGrant(object(text), in: .default)
      }
      #expect(problem?.kind == .badRequestData, "\(text)")
      #expect(
        problem?.detail.contains(word.replacingOccurrences(of: "ends before", with: "end before")) == true,
        "\(text): \(problem?.detail ?? "")")
    }
    #expect(
      await LeakTests.problem(.nobody) { _ = try city.hub.grants(in: .default) }?.kind == .unauthorized)
    await city.end()
  }
}
