import AgencyLink
import Foundation
import Incidents
import NGSI
import Store
import Testing

@testable import Hub
@testable import Safety

/// What leaves over the links.
@Suite struct LinkTests {
  @Test func theDemoHasTheFiveServices() throws {
    let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
      .deletingLastPathComponent()
      .deletingLastPathComponent()
    let plan = try SafetyPlan(path: root.appending(path: "Examples/demo.safety.yaml").path, centre: nil, radius: 1)
    #expect(
      plan.links.links.map(\.id) == ["112-video", "112-dispatch", "119-dispatch", "disaster", "vulnerable-people"])
    let disaster = try #require(plan.links["disaster"])
    #expect(
      disaster.state(of: .report) == .occurred && disaster.state(of: .unit) == nil
        && disaster.state(of: .close) == .completed)
    #expect(plan.links.link(of: "POLICE0000", event: "EXAMPLE-112-CROWD")?.id == "112-dispatch")
    #expect(plan.links.link(of: "POLICE0000", event: "OTHER")?.id == "112-video")
  }

  @Test(arguments: [
    (#""party": "fire""#, #""party": 7"#, "'links[0].party'"), (#"{"env": "K"}"#, #"{}"#, "'links[0].login'"),
    (#""http://fire""#, #""ftp://fire""#, "'links[0].peer'"),
    (#""http://fire""#, #""http://a@fire""#, "'links[0].peer'"),
    (#""fire": "E-FIRE""#, #""volcano": "E-FIRE""#, "'links[0].events'"),
    (#""10.0.0.0/8""#, #""10.0.0.0/40""#, "'links[0].takes.addresses'"),
    (#""agency": "FIRE""#, #""agency": "FIRE0000000000000""#, "'links[0].agency'"),
    (#""login": {"env": "K"}, "takes""#, #""takes""#, "'links[0].login'"),
    (#""system": "MDG""#, #""encryption": "hex", "system": "MDG""#, "'links[0].key'"),
    (#", "takes""#, #", "states": {"report": "20"}, "takes""#, "'links[0].states.report'"),
    (#""takes": {"login": {"env": "K"}, "addresses": ["10.0.0.0/8"]}"#, #""takes": {}"#, "'links[0].takes'"),
    (#""agency": "FIRE""#, #""agency": "DRILL""#, "'links[1].agency'"),
  ])
  func anErrorOfThePlanNamesItsMember(_ found: String, _ put: String, _ said: String) throws {
    try #require(LinkCity.fire.contains(found))
    do {
      _ = try LinkCity.plan([LinkCity.fire.replacing(found, with: put, maxReplacements: 1), LinkCity.drill])
      Issue.record("it was taken")
    } catch let problem as Problem { #expect(problem.detail.contains(said), "\(problem.detail)") }
  }

  @Test func addressesOfANetwork() throws {
    let net = try #require(AddressRange("10.1.0.0/15"))
    #expect(net.contains("10.0.255.1") && net.contains("10.1.2.3") && net.contains("::ffff:10.1.2.3"))
    #expect(!net.contains("10.2.0.0") && !net.contains("::1") && !net.contains("x"))
    let six = try #require(AddressRange("2001:db8::/33"))
    #expect(six.contains("2001:db8:7fff::1") && !six.contains("2001:db8:8000::1"))
    #expect(AddressRange("10.0.0.0/-1") == nil && AddressRange("") == nil && AddressRange("10.0.0.0/") == nil)
  }

  @Test func anAgencyHearsOfWhatItIsAskedTo() async throws {
    let city = try LinkCity()
    city.run()
    let one = try await city.open("1")
    try await city.give(.acknowledge, .classify(category: nil, severity: .extreme, reason: "x"), to: one)
    try await city.give(
      .dispatch(.init(unit: "car", agency: "police", task: "x")),
      .dispatch(.init(unit: "pump", agency: "fire", task: "x")),
      .locate(try #require(Position(longitude: 127.1, latitude: 37.4)), address: "강남대로 1"), to: one)
    try await city.give(
      .unit(id: "pump", .cleared, reason: nil), .unit(id: "car", .cleared, reason: nil),
      .step(id: "look", .done(note: nil)),
      .resolve(.init(.handled, text: "x")), .close(summary: "x"), to: one)
    #expect(
      try await city.until { city.statuses("fire") == ["10", "40", "40", "40", "50", "91"] }, "\(city.statuses("fire"))"
    )
    let heard = city.sides.heard("fire")
    #expect(Set(heard.map(\.key.number)).count == 1 && Set(heard.map(\.key.sender)) == ["CITY"])
    #expect(heard[0].body.content == "화재" && heard[1].body.place == "강남대로 1" && heard[1].body.coordinates?.x == "127.1")
    #expect(city.sides.heard("police").isEmpty, "no fire is told to the police by the plan, whoever is dispatched")
    #expect(city.sides.logins("fire") == 1)
    // After an end it is told anew.
    try await city.give(.reopen(reason: "x"), to: one)
    #expect(try await city.until { city.statuses("fire").count == 7 })
    let last = try #require(city.sides.heard("fire").last)
    #expect(last.status == .occurred && last.key.number != heard[0].key.number)
    #expect(
      try await city.until {
        let line = try city.usage("119")
        return line?["usage"]?["totals"]?["sent"] == 7 && line?["waiting"] == 0 && line?["state"] == "ok"
      })
    let line = try #require(try city.usage("119"))
    #expect(line["answeredIn"]?["count"]?.integer ?? 0 >= 7)
    let record = try city.service.record(one, in: .default)
    #expect(
      record.entries.contains { if case .note(let text, _) = $0.command { text.contains("91 종료 전달됨") } else { false } })
    await city.end()
  }

  @Test func bodiesAreEncryptedWhereThatWasAgreed() async throws {
    let city = try LinkCity()
    city.run()
    let one = try await city.open("1", "crowd")
    try await city.give(.involve(agency: "police"), to: one)
    #expect(try await city.until { city.statuses("police") == ["10"] })
    #expect(city.sides.heard("police").allSatisfy { $0.wasEncrypted && $0.body.event == "E-CROWD" })
    await city.end()
  }

  /// Merging is no end for the agency: it is told of what the incident goes on as.
  @Test func whatGoesOnElsewhereIsToldThere() async throws {
    let city = try LinkCity()
    city.run()
    let one = try await city.open("1")
    let other = try await city.open("22", "smoke")
    try await city.give(.dispatch(.init(unit: "pump", agency: "fire", task: "x")), to: other)
    try await city.give(.merge(into: one), to: other)
    #expect(try await city.until { city.statuses("fire").sorted() == ["10", "10", "90"] })
    #expect(Set(city.sides.heard("fire").map(\.key.event)) == ["E-SMOKE", "E-FIRE"])
    await city.end()
  }

  /// What is said when is the plan's to say.
  @Test func statesFollowThePlan() async throws {
    let more =
      #""from": "Severe", "states": {"report": "10", "classify": "none", "handled": "91", "close": "none"}, "system": "MDG""#
    let city = try LinkCity([LinkCity.fire.replacing(#""system": "MDG""#, with: more)])
    city.run()
    let one = try await city.open("1")
    try await city.give(
      .acknowledge, .classify(category: nil, severity: .extreme, reason: "x"), .step(id: "look", .done(note: nil)),
      .resolve(.init(.handled, text: "x")), .close(summary: "x"), to: one)
    // Not grave enough, and then it is: what the agency hears first is a beginning.
    let smoke = try await city.open("22", "smoke")
    try await city.give(
      .classify(category: nil, severity: .minor, reason: "x"),
      .dispatch(.init(unit: "u", agency: "fire", task: "x")), to: smoke)
    #expect(try await city.until { city.statuses("fire") == ["10", "91"] })
    try await city.give(
      .classify(category: nil, severity: .severe, reason: "x"),
      .locate(try #require(Position(longitude: 127, latitude: 37.5)), address: nil), to: smoke)
    #expect(try await city.until { city.statuses("fire") == ["10", "91", "10"] }, "\(city.statuses("fire"))")
    await city.end()
  }

  // MARK: - Exercises

  @Test func anExerciseNeverLeavesAsReal() async throws {
    let city = try LinkCity()
    city.run()
    let real = try await city.open("1")
    let drill = try await city.open("1", exercise: "가을 훈련")
    for incident in [drill, real] {
      try await city.give(
        .dispatch(.init(unit: "pump", agency: "fire", task: "x")), .acknowledge,
        .resolve(.init(.falseAlarm, text: "x")), to: incident)
    }
    #expect(try await city.until { city.statuses("fire") == ["10", "90"] && city.statuses("drill") == ["10", "90"] })
    #expect(
      city.sides.heard("drill").allSatisfy {
        $0.body.content?.hasPrefix("[훈련/EXERCISE 가을 훈련]") == true && $0.body.name?.hasPrefix("[훈련") == true
      })
    #expect(
      city.sides.heard("fire").allSatisfy {
        $0.body.items.contains(.init("INCIDENT", real)) && !($0.body.content ?? "").contains("훈련")
      })
    await city.end()
  }

  @Test func noMessageIsMadeOnTheOtherFooting() async throws {
    let city = try LinkCity()
    let link = try #require(city.service.plan.links["119"])
    for exercise in [nil, "drill"] {
      let record = try city.service.record(try await city.open("1", exercise: exercise), in: .default)
      let entry = try #require(record.entries.first)
      let real = Outgoing<RealFooting>(
        of: record.incident, by: entry, link, title: "t", event: "e", number: "1", status: .occurred)
      let drill = Outgoing<ExerciseFooting>(
        of: record.incident, by: entry, link, title: "t", event: "e", number: "1", status: .occurred)
      #expect((real != nil) == (exercise == nil) && (drill != nil) == (exercise != nil))
      if let drill {
        #expect(Outgoing<RealFooting>(kept: drill.json) == nil && Outgoing<ExerciseFooting>(kept: drill.json) != nil)
      }
      if let real {
        #expect(
          Outgoing<ExerciseFooting>(kept: real.json) == nil && Outgoing<RealFooting>(kept: real.json)?.json == real.json
        )
      }
    }
    await city.end()
  }

  /// What waited for a far side of exercises does not leave when the plan says that it is a real one now.
  @Test func whatWaitedForAnExerciseNeverLeavesForReal() async throws {
    let city = try LinkCity()
    let drill = try await city.open("1", exercise: "x")
    try await city.give(.dispatch(.init(unit: "pump", agency: "fire", task: "x")), to: drill)
    try await city.restart([LinkCity.drill.replacing(#""exercise": true"#, with: #""exercise": false"#)])
    city.run()
    let real = try await city.open("22")
    try await city.give(.dispatch(.init(unit: "pump", agency: "fire", task: "x")), to: real)
    #expect(try await city.until { city.statuses("drill") == ["10"] })
    #expect(city.sides.heard("drill").allSatisfy { $0.body.items.contains(.init("INCIDENT", real)) })
    #expect(
      try await city.until { try city.usage("drill")?["unfit"] == 1 && city.usage("drill")?["state"] == "refused" })
    let shelf = LinkShelf.outbox(of: "drill")
    let serial = try #require(try city.hub.documents(of: "safety", in: shelf, limit: 5, of: .default).first?.id)
    let runner = try #require(city.service.links.state.withLock { $0.runners["drill"] })
    await #expect(throws: Problem.self) { try await runner.decide(serial, .retry, because: "x") }
    try await runner.decide(serial, .discard, because: "x")
    #expect(try city.hub.documents(of: "safety", in: shelf, limit: 5, of: .default).isEmpty)
    #expect(try await city.until { try city.usage("drill")?["state"] == "ok" })
    #expect(city.statuses("drill") == ["10"])
    await city.end()
  }

  // MARK: - Failures

  @Test func anAgencyThatIsDownLosesNothing() async throws {
    let city = try LinkCity()
    city.sides.isDown("fire", true)
    city.run()
    var incidents: [String] = []
    for number in 0..<5 {
      let incident = try await city.open(String(repeating: "1", count: number + 1))
      try await city.give(
        .dispatch(.init(unit: "u\(number)", agency: "fire", task: "x")),
        .classify(category: nil, severity: .extreme, reason: "x"), to: incident)
      incidents.append(incident)
    }
    let crowd = try await city.open("7", "crowd", at: (127.2, 37.6))
    try await city.give(.involve(agency: "police"), to: crowd)
    #expect(try await city.until { city.statuses("police") == ["10"] }, "the other agency hears of its own")
    #expect(
      try await city.until { try city.usage("119")?["state"] == "failing" && city.usage("119")?["waiting"] == 10 })
    #expect(
      try city.usage("119")?["lastFailure"]?.string?.contains("down") == true
        && city.usage("119")?["waitingSince"] != nil)
    try await city.restart()
    city.run()
    #expect(try await city.until { try city.usage("119")?["waiting"] == 10 })
    city.move(86_400)
    city.sides.isDown("fire", false)
    city.move(400)
    #expect(try await city.until { city.statuses("fire").count == 10 })
    for incident in incidents {
      let own = city.sides.heard("fire").filter { $0.body.items.contains(.init("INCIDENT", incident)) }.map(
        \.status.rawValue)
      #expect(own == ["10", "40"])
    }
    #expect(try await city.until { try city.usage("119")?["state"] == "ok" && city.usage("119")?["waiting"] == 0 })
    await city.end()
  }

  @Test func aRefusedEventBlocksNoOther() async throws {
    let city = try LinkCity()
    city.sides.change("fire") { $0.refused = ["E-SMOKE"] }
    city.run()
    let smoke = try await city.open("1", "smoke")
    let fire = try await city.open("4444")
    for incident in [smoke, fire] {
      try await city.give(
        .dispatch(.init(unit: incident, agency: "fire", task: "x")),
        .classify(category: nil, severity: .extreme, reason: "x"), to: incident)
    }
    #expect(try await city.until { city.statuses("fire") == ["10", "40"] })
    #expect(
      try await city.until { try city.usage("119")?["setAside"] == 1 && city.usage("119")?["state"] == "refused" })
    #expect(try await city.until { try city.usage("119")?["waiting"] == 1 }, "what follows a refused beginning waits")
    let record = try city.service.record(smoke, in: .default)
    #expect(record.entries.contains { if case .note(let text, _) = $0.command { text.contains("거부됨") } else { false } })
    // Also after a restart, until a person decides.
    try await city.restart()
    city.run()
    #expect(try await city.until { try city.usage("119")?["setAside"] == 1 && city.usage("119")?["waiting"] == 1 })
    city.sides.change("fire") { $0.refused = [] }
    let serial = try #require(
      try city.hub.documents(of: "safety", in: LinkShelf.outbox(of: "119"), limit: 10, of: .default).first {
        $0.body["setAside"] != nil
      }?.id)
    let runner = try #require(city.service.links.state.withLock { $0.runners["119"] })
    try await runner.decide(serial, .retry, because: "새 코드")
    #expect(try await city.until { city.statuses("fire") == ["10", "40", "10", "40"] }, "\(city.statuses("fire"))")
    #expect(try await city.until { try city.usage("119")?["state"] == "ok" })
    #expect(
      try await city.until {
        try city.hub.documents(of: "safety", in: LinkShelf.outbox(of: "119"), limit: 10, of: .default).isEmpty
      })
    await #expect(throws: Problem.self) { try await runner.decide(serial, .discard, because: "x") }
    await city.end()
  }

  /// A far side that has started anew knows no session: also a young one is renewed, and nothing is set aside.
  @Test func aSessionThatIsForgottenIsRenewed() async throws {
    let city = try LinkCity()
    city.run()
    let one = try await city.open("1")
    try await city.give(.dispatch(.init(unit: "u", agency: "fire", task: "x")), to: one)
    #expect(try await city.until { city.statuses("fire") == ["10"] })
    city.sides.change("fire") { $0.forgetSessions() }
    try await city.give(.classify(category: nil, severity: .extreme, reason: "x"), to: one)
    #expect(try await city.until { city.statuses("fire") == ["10", "40"] })
    #expect(city.sides.logins("fire") == 2)
    #expect(try city.usage("119")?["setAside"] == 0)
    await city.end()
  }

  @Test func manyWaitInTheStoreAndLeaveInOrder() async throws {
    let city = try LinkCity()
    let one = try await city.open("1")
    try await city.give(.dispatch(.init(unit: "u", agency: "fire", task: "x")), to: one)
    for number in 0..<600 {
      try await city.give(
        .classify(category: nil, severity: number % 2 == 0 ? .extreme : .severe, reason: "x"), to: one)
    }
    city.run()
    #expect(try await city.until(30) { city.statuses("fire").count == 601 })
    #expect(try await city.until { try city.usage("119")?["waiting"] == 0 })
    let grades = city.sides.heard("fire").dropFirst().map { $0.body.items.last?.value }
    #expect(grades.enumerated().allSatisfy { $0.element == ($0.offset % 2 == 0 ? "Extreme" : "Severe") })
    await city.end()
  }
}
