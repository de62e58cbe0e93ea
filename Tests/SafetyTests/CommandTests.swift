import Incidents
import NGSI
import Query
import Store
import Testing

@testable import Hub
@testable import Safety

@Suite struct CommandTests {
  @Test func whatIsDoneIsKeptOnceAndInOrder() async throws {
    let city = try SafetyCity()
    let id = try await city.service.report(SafetyCity.report("1"), in: .default).id
    let (incident, entry) = try await city.service.carryOut(.acknowledge, as: "a", on: id, expected: 2, in: .default)
    #expect(incident.status == .acknowledged && entry.sequence == 3)
    let again = try await city.service.carryOut(.acknowledge, as: "a", on: id, expected: 2, in: .default)
    #expect(again.1 == entry, "sent again it is the same")
    let stale = await problem { () async throws(Problem) in
      try await city.service.carryOut(.assign(nil), as: "b", on: id, expected: 2, in: .default)
    }
    #expect(stale?.kind == .conflict && stale?.detail.contains("moved on") == true)
    let refused = await problem { () async throws(Problem) in
      try await city.service.carryOut(.close(summary: "x"), as: "c", on: id, in: .default)
    }
    #expect(refused?.kind == .conflict && refused?.detail.contains("resolve the incident first") == true)
    let unknown = await problem { () async throws(Problem) in
      try await city.service.carryOut(.acknowledge, as: "d", on: "urn:ngsi-ld:Incident:none", in: .default)
    }
    #expect(unknown?.kind == .resourceNotFound)

    let before = try city.service.record(id, in: .default)
    try await city.restart()
    #expect(try city.service.record(id, in: .default) == before)
    #expect(try city.service.queue(in: .default).map(\.incident) == [before.incident])
    for (number, command) in [Command.resolve(.init(.falseAlarm, text: "steam")), .close(summary: "steam")].enumerated()
    {
      _ = try await city.service.carryOut(command, as: "e\(number)", on: id, in: .default)
    }
    #expect(try city.service.queue(in: .default).isEmpty)
    #expect(try city.service.record(id, in: .default).incident.status == .closed, "what is closed can be read")
    try await city.restart()
    #expect(try city.service.queue(in: .default).isEmpty)
    _ = try await city.service.carryOut(.reopen(reason: "again"), as: "f", on: id, in: .default)
    #expect(try city.service.queue(in: .default).map(\.incident.id) == [id])
    await city.end()
  }

  /// Fifty commands at once: each is done on what the one before left.
  @Test func commandsAtOnceFollowOneAnother() async throws {
    let city = try SafetyCity()
    let service = city.service
    let id = try await service.report(SafetyCity.report("1"), in: .default).id
    let done = await withTaskGroup(of: Int?.self) { group in
      for number in 0..<50 {
        group.addTask {
          try? await service.carryOut(.note("note \(number)", audience: []), as: "n\(number)", on: id, in: .default).1
            .sequence
        }
      }
      return await group.reduce(into: [Int]()) { if let number = $1 { $0.append(number) } }
    }
    #expect(done.sorted() == Array(3...52))
    let record = try service.record(id, in: .default)
    #expect(record.entries.map(\.sequence) == Array(1...52))
    try await city.restart()
    #expect(try city.service.record(id, in: .default) == record)
    await city.end()
  }

  /// No door but the service's writes an incident.
  @Test func nobodyElseWritesIncidents() async throws {
    let city = try SafetyCity()
    let id = try await city.service.report(SafetyCity.report("1"), in: .default).id
    let hub = city.hub
    func fragment(_ text: String) throws -> EntityFragment {
      try EntityReader(context: .core).entity(JSONParser.parse(Array(text.utf8)))
    }
    let forged = try fragment(
      #"{"id": "urn:ngsi-ld:Incident:x", "type": "Incident", "status": {"type": "Property", "value": "closed"}}"#)
    let status = try fragment(#"{"status": {"type": "Property", "value": "closed"}}"#)
    let room = try fragment(#"{"id": "urn:ngsi-ld:Room:1", "type": "Room"}"#)
    try await hub.create(room, in: .default)
    let attempts: [(String, () async throws(Problem) -> Void)] = [
      ("create", { () async throws(Problem) in try await hub.create(forged, in: .default) }),
      ("update", { () async throws(Problem) in _ = try await hub.update(id, status, types: nil, in: .default) }),
      ("delete", { () async throws(Problem) in try await hub.delete(id, types: nil, in: .default) }),
      ("history", { () async throws(Problem) in _ = try await hub.recordHistory(forged, in: .default) }),
      ("forget", { () async throws(Problem) in try await hub.deleteHistory(of: id, in: .default) }),
    ]
    for (name, attempt) in attempts {
      let refused = await problem(attempt)
      #expect(
        refused?.kind == .forbidden && refused?.detail.contains(SafetyService.door) == true,
        "\(name): \(String(describing: refused))")
    }
    let batch = try await hub.batch(
      .upsertUpdate, [BatchItem(id: forged.id ?? "", content: .success(forged))], in: .default)
    #expect(batch.errors.first?.problem.kind == .forbidden)
    #expect(try city.service.record(id, in: .default).incident.status == .new)
    await city.end()
  }

  /// Command ids are of an incident: the same one at two merges does not lose what the second brings.
  @Test func twoMergesWithOneIdBothCount() async throws {
    let city = try SafetyCity()
    var ids: [String] = []
    for number in 0..<3 {
      let report = SafetyCity.report("\(number)", "smoke", source: "caller \(number)", channel: .voice)
      ids.append(try await city.service.report(report, in: .default).id)
    }
    for other in ids.dropFirst() {
      _ = try await city.service.carryOut(.merge(into: ids[0]), as: "1", on: other, in: .default)
    }
    let target = try city.service.record(ids[0], in: .default).incident
    #expect(target.absorbed == Array(ids.dropFirst()) && target.reports.count == 3 && target.isAlarming)
    await city.end()
  }

  @Test func aCommandIdStandsForOneCommand() async throws {
    let city = try SafetyCity()
    let id = try await city.service.report(SafetyCity.report("1"), in: .default).id
    _ = try await city.service.carryOut(.acknowledge, as: "7", on: id, in: .default)
    let other = await problem { () async throws(Problem) in
      try await city.service.carryOut(
        .dispatch(Dispatch(unit: "ambulance", agency: "119", task: "go")), as: "7", on: id, in: .default)
    }
    #expect(other?.kind == .conflict)
    await city.end()
  }

  // MARK: - Rules

  /// Who may report need not see, nor change, what his report goes into; and a city with rules starts again.
  @Test func whoMayOnlyReportIsHeard() async throws {
    let city = try SafetyCity(
      rules: """
        permit(principal in Role::"operator", action, resource);
        permit(principal in Role::"caller", action == Action::"create", resource in EntityType::"Incident");
        """)
    func report(_ caller: Caller, _ report: Report) async throws -> SafetyService.Taken {
      let service = city.service
      return try await Caller.$current.withValue(caller) { try await service.report(report, in: .default) }
    }
    let (operatorCaller, citizen) = (SafetyCity.person("kim"), SafetyCity.person("lee", roles: ["caller"]))
    let first = try await report(operatorCaller, SafetyCity.report("1", "crowd", source: "a", channel: .voice))
    let joined = try await report(citizen, SafetyCity.report("1", "crowd", source: "b", channel: .voice))
    #expect(joined.way == .joined && joined.incident == nil, "it is heard, and names nothing that he may not see")
    let fire = try await report(citizen, SafetyCity.report("1", "fire", source: "a", channel: .voice))
    #expect(fire.way == .opened && fire.candidates.isEmpty, "numbers are of who sends them")
    let nobody = await problem { () async throws(Problem) in
      try await city.service.report(SafetyCity.report("9"), in: .default)
    }
    #expect(nobody?.kind == .unauthorized)
    try await city.restart()
    #expect(city.service.openCount(in: .default) == 2)
    let service = city.service
    let record = try Caller.$current.withValue(operatorCaller) { try service.record(first.id, in: .default) }
    #expect(record.incident.reports.map(\.source) == ["a", "b"])
    await city.end()
  }

  @Test func agenciesSeeWhatTheRulesLetThem() async throws {
    let city = try SafetyCity(
      rules: """
        permit(principal in Role::"operator", action, resource);
        permit(principal in Role::"viewer", action == Action::"read", resource);
        forbid(principal == Person::"choi", action == Action::"read", resource)
        when { context has attribute && context.attribute == "location" };
        forbid(principal in Agency::"police", action, resource in EntityType::"Incident")
        when { resource.attributes has category && resource.attributes.category == "fire" };
        """)
    let (fire, police) = (SafetyCity.person("kim", agency: "fire"), SafetyCity.person("lee", agency: "police"))
    let viewer = SafetyCity.person("park", roles: ["viewer"])
    let service = city.service
    func by<Value: Sendable>(_ caller: Caller, _ body: () async throws(Problem) -> Value) async -> Result<
      Value, Problem
    > {
      await Caller.$current.withValue(caller) {
        do throws(Problem) { return .success(try await body()) } catch { return .failure(error) }
      }
    }
    let opened = try await by(fire) { () async throws(Problem) in
      try await service.report(SafetyCity.report("1"), in: .default)
    }.get()
    _ = try await by(police) { () async throws(Problem) in
      try await service.report(SafetyCity.report("2", "crowd", source: "patrol"), in: .default)
    }.get()
    func queue(_ caller: Caller) async throws -> Int {
      try await by(caller) { () async throws(Problem) in try service.queue(in: .default).count }.get()
    }
    #expect(try await queue(fire) == 2)
    #expect(try await queue(police) == 1)
    #expect(try await queue(viewer) == 2)
    // Who may not know where it is does not read the record, which says so.
    let partly = SafetyCity.person("choi", roles: ["operator"])
    #expect(try await queue(partly) == 0)
    let record = await by(partly) { () async throws(Problem) in
      try service.record(opened.id, in: .default).entries.count
    }
    #expect(
      throws: Problem(.forbidden, "rules hide part of the incident \(opened.id); what you may see of it is its entity")
    ) {
      try record.get()
    }
    func kind(_ caller: Caller, _ command: Command) async -> Problem.Kind? {
      let done = await by(caller) { () async throws(Problem) in
        try await service.carryOut(command, as: "\(caller.id) \(command.name)", on: opened.id, in: .default)
      }
      if case .failure(let problem) = done { return problem.kind }
      return nil
    }
    #expect(await kind(police, .acknowledge) == .resourceNotFound)
    #expect(await kind(viewer, .acknowledge) == .forbidden)
    #expect(await kind(.nobody, .acknowledge) == .unauthorized)
    #expect(await kind(fire, .acknowledge) == nil)
    #expect(
      city.recorded.steps == ["report", "begin", "report", "acknowledge"],
      "each step is stated in the log, and no refusal")
    await city.end()
  }
}
