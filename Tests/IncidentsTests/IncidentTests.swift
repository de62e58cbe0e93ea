import NGSI
import Testing

@testable import Incidents

@Suite struct IncidentTests {
  @Test func fromTheReportToTheClosedIncident() throws {
    var told = Telling()
    #expect(told.incident.status == .new && told.incident.isAlarming && told.incident.owner == nil)
    #expect(told.refusal(.resolve(.init(.handled, text: "out"))) == .notAcknowledged)
    #expect(told.refusal(.close(summary: "done")) == .notAcknowledged)
    try told.give(.acknowledge)
    #expect(told.incident.status == .acknowledged && !told.incident.isAlarming)
    #expect(told.refusal(.acknowledge) == .alreadyAcknowledged(by: Samples.kim))
    try told.give(.assign(Samples.kim))
    try told.give(.dispatch(Dispatch(unit: "pump-2", agency: "fire", task: "put it out")))
    #expect(told.incident.status == .inProgress && told.incident.agencies == ["city", "fire"])
    #expect(
      told.refusal(.dispatch(Dispatch(unit: "pump-2", agency: "fire", task: "again"))) == .unitIsOut("pump-2"))
    try told.give(.unit(id: "pump-2", .enRoute, reason: nil))
    #expect(told.refusal(.unit(id: "pump-2", .accepted, reason: nil)) == .unitCannot(from: .enRoute, to: .accepted))
    try told.give(.unit(id: "pump-2", .onScene, reason: nil), after: 300)
    #expect(told.refusal(.close(summary: "done")) == .notResolved)
    try told.give(.resolve(.init(.handled, text: "put out")))
    #expect(told.incident.status == .resolved, "what is over is not closed")
    #expect(told.refusal(.close(summary: "done")) == .unitsOut(["pump-2"]))
    try told.give(.unit(id: "pump-2", .cleared, reason: nil))
    try told.give(.close(summary: "a pan; nobody hurt"))
    #expect(told.incident.status == .closed && told.incident.closedAt != nil)
    #expect(told.refusal(.assign(Samples.lee)) == .ended(.closed))
    try told.give(.note("the owner has called", audience: []))
    try told.give(.reopen(reason: "it burns again"))
    #expect(told.incident.status == .inProgress && told.incident.reopenings == 1 && told.incident.outcome == nil)
  }

  /// Whatever is done to it, an alarm that nobody acknowledged goes on.
  @Test func anAlarmEndsOnlyByBeingAcknowledged() throws {
    var told = Telling()
    for command: Command in [
      .note("seen", audience: []), .assign(Samples.kim),
      .locate(try #require(Position(longitude: 127, latitude: 37.5)), address: nil),
      .dispatch(Dispatch(unit: "car-1", agency: "police", task: "look")),
      .classify(category: nil, severity: .minor, reason: "small"),
      .handOver(to: Samples.lee, summary: "yours"), .begin(try Samples.procedure()),
    ] {
      try told.give(command)
      #expect(told.incident.isAlarming)
    }
    try told.give(.acknowledge)
    try told.give(.report(Samples.report("2", severity: .minor)))
    #expect(!told.incident.isAlarming, "no worse than what was heard")
    try told.give(.report(Samples.report("3", severity: .extreme)))
    #expect(told.incident.isAlarming, "worse than what was heard")
    #expect(told.incident.severity == .minor, "what the operator says weighs more")
    try told.give(.acknowledge, by: Samples.lee)
    #expect(told.incident.acknowledgedBy == Samples.lee)
    try told.give(.resolve(.init(.handled, text: "out")))
    try told.give(.report(Samples.report("4", severity: .minor)))
    #expect(told.incident.isAlarming && told.refusal(.close(summary: "x")) == .notAcknowledged)
    try told.give(.acknowledge)
    #expect(told.refusal(.close(summary: "x")) == .notResolved, "the danger was not over")
  }

  @Test func aCommandThatIsSentTwiceIsDoneOnce() throws {
    var record = Samples.record()
    let first = try record.give(.acknowledge, id: "a", by: Samples.kim, at: Samples.start.adding(seconds: 3))
    let again = try record.give(.acknowledge, id: "a", by: Samples.kim, at: Samples.start.adding(seconds: 9))
    #expect(first.isNew && !again.isNew && first.0 == again.0 && record.entries.count == 2)
    #expect(throws: CommandRefusal.idTaken("a")) {
      try record.give(.note("x", audience: []), id: "a", by: Samples.kim, at: Samples.start)
    }
    #expect(throws: CommandRefusal.idTaken("a")) {
      try record.give(.acknowledge, id: "a", by: Samples.lee, at: Samples.start)
    }
    let (late, _) = try record.give(.note("x", audience: []), id: "b", by: .city, at: Samples.start)
    #expect(late.at == Samples.start.adding(seconds: 3), "a clock that was set back takes nothing back")
  }

  @Test func oneIncidentGoesOnAsAnother() throws {
    var one = Telling()
    var other = Telling(
      Samples.record(Samples.report("9", source: "caller", channel: .voice), id: "urn:ngsi-ld:Incident:2"))
    try one.give(.dispatch(Dispatch(unit: "pump-2", agency: "fire", task: "go")))
    #expect(one.refusal(.merge(into: one.incident.id)) == .sameIncident)
    try other.give(.absorb(Command.Absorbed(one.incident)))
    try one.give(.merge(into: other.incident.id))
    #expect(one.incident.status == .merged && !one.incident.isAlarming && one.incident.mergedInto == other.incident.id)
    #expect(other.incident.reports.map(\.number) == ["9", "1"] && other.incident.status == .inProgress)
    try other.give(.unit(id: "pump-2", .onScene, reason: nil))
    #expect(other.incident.firstDispatchAt == one.incident.firstDispatchAt)
    #expect(one.refusal(.reopen(reason: "no")) == .ended(.merged))
    #expect(other.refusal(.absorb(Command.Absorbed(one.incident))) == .alreadySo)
  }

  /// What nobody has heard is heard nowhere because it was merged.
  @Test func aMergeSilencesNoAlarm() throws {
    let grave = Telling(Samples.record(Samples.report("9", severity: .extreme), id: "urn:ngsi-ld:Incident:2"))
    var heard = Telling(Samples.record(Samples.report(severity: .minor)))
    try heard.give(.acknowledge)
    var over = heard
    try over.give(.resolve(.init(.handled, text: "out")))
    for var told in [heard, over] {
      try told.give(.absorb(Command.Absorbed(grave.incident)))
      #expect(told.incident.isAlarming && told.incident.severity == .extreme && told.incident.status != .resolved)
      #expect(told.incident.outcome == nil)
    }
    var quiet = Telling(Samples.record(Samples.report("9", severity: .minor), id: "urn:ngsi-ld:Incident:3"))
    try quiet.give(.acknowledge)
    try heard.give(.absorb(Command.Absorbed(quiet.incident)))
    #expect(!heard.incident.isAlarming, "both were heard")
  }

  @Test func aUnitThatDoesNotComeIsNoUnit() throws {
    var told = Telling()
    try told.give(.dispatch(Dispatch(unit: "a", agency: "fire", task: "go")))
    #expect(told.incident.firstDispatchAt != nil && !told.incident.isLeftAlone)
    try told.give(.unit(id: "a", .refused, reason: "broken"))
    #expect(told.incident.firstDispatchAt == nil && told.incident.isLeftAlone)
    let reasons = Attention(told.incident, targets: ResponseTargets(), at: Samples.start).reasons
    #expect(reasons.contains(.noUnit))
    try told.give(.dispatch(Dispatch(unit: "b", agency: "fire", task: "go")))
    #expect(!told.incident.isLeftAlone)
    try told.give(.unit(id: "b", .cleared, reason: nil))
    #expect(!told.incident.isLeftAlone && told.incident.firstDispatchAt != nil)
  }

  @Test func openedAgainItsClocksRunAnew() throws {
    let targets = ResponseTargets([.init(.onScene, from: .moderate, within: 100, source: "x")])
    var told = Telling(Samples.record(Samples.report(severity: .unknown)))
    try told.give(.dispatch(Dispatch(unit: "a", agency: "fire", task: "go")))
    try told.give(.unit(id: "a", .onScene, reason: nil))
    #expect(
      targets.clocks(of: told.incident).first?.state(at: told.incident.changedAt) == .met, "unknown counts as moderate")
    for command: Command in [
      .unit(id: "a", .cleared, reason: nil), .acknowledge, .resolve(.init(.handled, text: "x")), .close(summary: "x"),
    ] { try told.give(command) }
    try told.give(.reopen(reason: "again"), after: 5_000)
    let clock = try #require(targets.clocks(of: told.incident).first)
    #expect(clock.reachedAt == nil && clock.dueAt == told.incident.changedAt.adding(seconds: 100))
  }

  @Test func aStormOfReportsIsBounded() throws {
    var told = Telling()
    for number in 2...(Incident.Bounds.reports + 50) { try told.give(.report(Samples.report("\(number)"))) }
    #expect(told.incident.reports.count == Incident.Bounds.reports && told.incident.repetitions == 50)
    try told.give(.repeated(Samples.report().key, times: 1_000))
    #expect(told.incident.repetitions == 1_050)
    let room = Incident.Bounds.entries - Incident.Bounds.reserve
    while told.record.entries.count < room { try told.give(.note("x", audience: [])) }
    #expect(told.refusal(.note("x", audience: [])) == .full("entries", bound: Incident.Bounds.entries))
    // It can still be brought to its end.
    for command: Command in [.acknowledge, .resolve(.init(.falseAlarm, text: "x")), .close(summary: "x")] {
      try told.give(command)
    }
  }

  @Test func whatIsNotKnownIsLookedAtLikeWhatIsModerate() {
    let sorted = Severity.allCases.shuffled().sorted()
    #expect(sorted == [.minor, .unknown, .moderate, .severe, .extreme])
  }

  @Test func aSharperPlaceIsTaken() throws {
    var told = Telling(Samples.record(Samples.report(at: (126.9, 37.5), uncertainty: 800)))
    try told.give(.report(Samples.report("2", at: (126.91, 37.51), uncertainty: 5_000)))
    #expect(told.incident.position?.uncertainty == 800)
    try told.give(.report(Samples.report("3", at: (126.92, 37.52), uncertainty: 15)))
    #expect(told.incident.position?.uncertainty == 15)
    try told.give(.locate(try #require(Position(longitude: 127, latitude: 37)), address: "Gate 3"))
    try told.give(.report(Samples.report("4", at: (126.92, 37.52), uncertainty: 1)))
    #expect(told.incident.position?.longitude == 127, "what the operator says weighs more")
    #expect(Position(longitude: 181, latitude: 0) == nil && Position(longitude: .nan, latitude: 0) == nil)
  }
}
