import Incidents
import NGSI
import Query
import Store
import Testing

@testable import Hub
@testable import Safety

@Suite struct ReportTests {
  @Test func aReportOpensAnIncidentOnce() async throws {
    let city = try SafetyCity()
    let taken = try await city.service.report(SafetyCity.report("7"), in: .default)
    #expect(taken.way == .opened && taken.incident == "urn:ngsi-ld:Incident:20261118-0001")
    let entity = try city.hub.entity(taken.incident, in: .default)
    func value(_ name: String) -> JSON? { entity[attribute: Context.core.expand(name)]?.instances.first?.value }
    #expect(value("status") == "new" && value("severity") == "Severe" && value("title") == "화재")
    #expect(value("procedure") == "fire", "its procedure is begun")
    let again = try await city.service.report(SafetyCity.report("7"), in: .default)
    #expect(again.way == .known && again.incident == taken.incident)
    try await city.restart()
    let later = try await city.service.report(SafetyCity.report("7"), in: .default)
    #expect(later.way == .known, "also after a restart")
    let other = try await city.service.report(SafetyCity.report("7", source: "other", at: (127.1, 37.6)), in: .default)
    #expect(other.way == .opened && other.incident.hasSuffix("-0002"))
    await city.end()
  }

  /// Of a hundred that see one event at once, one opens the incident.
  @Test func manyWhoSeeOneEventMakeOneIncident() async throws {
    let city = try SafetyCity()
    let service = city.service
    let ways = await withTaskGroup(of: SafetyService.Taken?.self) { group in
      for number in 0..<100 {
        group.addTask {
          try? await service.report(
            SafetyCity.report("\(number)", "crowd", source: "caller \(number)", channel: .voice), in: .default)
        }
      }
      return await group.reduce(into: [SafetyService.Taken?]()) { $0.append($1) }
    }
    #expect(ways.compactMap { $0 }.count == 100 && ways.count { $0?.way == .opened } == 1)
    #expect(Set(ways.map { $0?.incident }).count == 1 && service.openCount(in: .default) == 1)
    let record = try service.record(try #require(ways[0]?.incident), in: .default)
    #expect(record.incident.reports.count == 100 && Set(record.incident.reports.map(\.source)).count == 100)
    await city.end()
  }

  /// What may be another event is for a person to say.
  @Test func whatMayBeTheSameIsProposed() async throws {
    let city = try SafetyCity()
    let first = try await city.service.report(SafetyCity.report("1"), in: .default)
    let call = SafetyCity.report("1", "smoke", source: "119", channel: .voice, at: (127.001, 37.5))
    let second = try await city.service.report(call, in: .default)
    #expect(second.way == .opened && second.candidates.map(\.incident) == [first.incident])
    let (merged, _) = try await city.service.carryOut(
      .merge(into: first.incident), as: "m", on: second.incident, in: .default)
    #expect(merged.status == .merged)
    let record = try city.service.record(first.incident, in: .default)
    #expect(
      record.incident.reports.map(\.source) == ["sensor-1", "119"] && record.incident.absorbed == [second.incident])
    #expect(city.service.openCount(in: .default) == 1)
    await city.end()
  }

  @Test func aStormOfOneSensorIsALineAMinute() async throws {
    let city = try SafetyCity()
    let first = try await city.service.report(SafetyCity.report("0"), in: .default)
    for number in 1...300 {
      city.move(0.5)
      let taken = try await city.service.report(SafetyCity.report("\(number)"), in: .default)
      #expect(taken.way == .repeated && taken.incident == first.incident)
    }
    var record = try city.service.record(first.incident, in: .default)
    let lines = record.entries.count { $0.command.name == "repeated" }
    #expect(lines == 3)
    // The rest is counted before anything else is done, and after a restart too.
    try await city.restart()
    _ = try await city.service.carryOut(.acknowledge, as: "a", on: first.incident, in: .default)
    record = try city.service.record(first.incident, in: .default)
    #expect(record.incident.repetitions == 300)
    #expect(try await city.service.report(SafetyCity.report("300"), in: .default).way == .known)
    // Worse than before is no repetition.
    let worse = try await city.service.report(SafetyCity.report("301", severity: .extreme), in: .default)
    #expect(worse.way == .joined)
    #expect(try city.service.record(first.incident, in: .default).incident.isAlarming)
    // What is over is not woken: a new one is opened.
    city.move(601)
    #expect(try await city.service.report(SafetyCity.report("302"), in: .default).way == .opened)
    await city.end()
  }

  /// Nothing that comes in is lost for being odd; it is marked.
  @Test func doubtfulReportsCountAllTheSame() async throws {
    let city = try SafetyCity()
    let odd = SafetyCity.report(
      "1", "volcano", at: (2.35, 48.86), observedAt: DateTime(microseconds: 86_400_000_000))
    let taken = try await city.service.report(odd, in: .default)
    let incident = try city.service.record(taken.incident, in: .default).incident
    #expect(incident.reports.first?.doubts == [.time, .place, .category])
    #expect(incident.reports.first?.observedAt == odd.observedAt, "what it said is kept")
    #expect(incident.position == nil, "and is not put on the map")
    #expect(incident.openedAt == SafetyCity.start)
    let nowhere = try await city.service.report(SafetyCity.report("2", at: (0, 0)), in: .default)
    #expect(try city.service.record(nowhere.incident, in: .default).incident.reports.first?.doubts == [.place])
    await city.end()
  }

  @Test func exercisesNeverMeetWhatIsReal() async throws {
    let city = try SafetyCity()
    let real = try await city.service.report(SafetyCity.report("1", "crowd", source: "a"), in: .default)
    let exercise = try await city.service.report(
      SafetyCity.report("2", "crowd", source: "b"), exercise: "spring", in: .default)
    #expect(exercise.way == .opened && exercise.candidates.isEmpty)
    let refused = await problem { () async throws(Problem) in
      try await city.service.carryOut(.merge(into: real.incident), as: "m", on: exercise.incident, in: .default)
    }
    #expect(refused?.kind == .conflict)
    #expect(try city.service.record(real.incident, in: .default).entries.count == 1, "neither has changed")
    await city.end()
  }
}
