import NGSI
import Testing

@testable import Incidents

@Suite struct QueueTests {
  static let targets = ResponseTargets([
    .init(.acknowledge, within: 30, source: "contract"),
    .init(.onScene, categories: ["fire"], from: .severe, within: 420, source: "fire service plan"),
    .init(.onScene, from: .severe, within: 600, source: "contract"),
  ])

  @Test func clocksRunToTheirTargets() throws {
    var told = Telling(Samples.record(Samples.report(severity: .severe)))
    func states(_ seconds: Double) -> [String] {
      Self.targets.clocks(of: told.incident).map {
        "\($0.target.milestone.rawValue) \($0.target.within) \($0.state(at: Samples.start.adding(seconds: seconds)).rawValue)"
      }
    }
    #expect(states(10) == ["acknowledge 30.0 running", "on-scene 420.0 running"])
    #expect(states(31) == ["acknowledge 30.0 late", "on-scene 420.0 running"])
    try told.give(.acknowledge, after: 40)
    #expect(states(50).first == "acknowledge 30.0 missed")
    try told.give(.classify(category: "flood", severity: nil, reason: "water"))
    #expect(states(50).last == "on-scene 600.0 running")
    try told.give(.resolve(.init(.noAction, text: "dry again")))
    #expect(states(5_000).last == "on-scene 600.0 not-needed")
    #expect(told.incident.age(at: Samples.start.adding(seconds: 100)) == 100)
  }

  @Test func theQueueLeavesNothingOut() throws {
    func told(_ id: String, _ severity: Severity, _ commands: [Command]) throws -> Incident {
      var told = Telling(Samples.record(Samples.report(severity: severity), id: id))
      for command in commands { try told.give(command) }
      return told.incident
    }
    let handled = Command.resolve(.init(.handled, text: "x"))
    let incidents = [
      try told("seen-minor", .minor, [.acknowledge]), try told("new-minor", .minor, []),
      try told("over", .extreme, [.acknowledge, handled, .close(summary: "x")]), try told("new-severe", .severe, []),
      try told("resolved", .extreme, [.acknowledge, handled]),
      try told("seen-severe", .severe, [.acknowledge, .assign(Samples.kim)]),
    ]
    let queue = Attention.queue(of: incidents, targets: Self.targets, at: Samples.start.adding(seconds: 60))
    #expect(queue.map(\.incident.id) == ["new-severe", "new-minor", "seen-severe", "seen-minor", "resolved"])
    #expect(queue[0].reasons == [.alarm, .late(.acknowledge), .severity(.severe), .noOwner])
    #expect(queue[2].reasons == [.severity(.severe)])
    #expect(queue[2].nextDue == Samples.start.adding(seconds: 420))
  }

  @Test func reportsOfOneEventAreJoined() throws {
    let rules = JoiningRules([.init(categories: ["fire", "smoke"], metres: 150, seconds: 900, isAutomatic: false)])
    let open = [
      Samples.record(id: "near").incident,
      Samples.record(Samples.report("5", source: "sensor-8", at: (126.9795, 37.5665)), id: "nearer").incident,
      Samples.record(Samples.report("6", category: "flood", source: "sensor-9"), id: "flood").incident,
      Samples.record(Samples.report("7", source: "sensor-9"), exercise: "spring", id: "exercise").incident,
    ]
    func matches(_ report: Report, after seconds: Double = 60, exercise: String? = nil) -> [String] {
      rules.matches(of: report, at: Samples.start.adding(seconds: seconds), among: open, exercise: exercise).map {
        "\($0.incident) \($0.isAutomatic)"
      }
    }
    let call = Samples.report("1", category: "smoke", source: "119", channel: .voice, at: (126.9796, 37.5665))
    #expect(matches(call) == ["nearer false", "near false"])
    #expect(matches(call, after: 901) == [])
    #expect(matches(call, exercise: "spring") == ["exercise false"], "exercises and what is real are never mixed")
    #expect(matches(Samples.report("78", at: (127.1, 37.6))) == [], "the same sensor, elsewhere")
    #expect(matches(Samples.report("77")).first == "near true", "the same sensor")
    let far = Samples.report("2", category: "smoke", source: "119", channel: .voice, at: (126.99, 37.5665))
    #expect(matches(far) == [])
    let vague = Samples.report(
      "2", category: "smoke", source: "119", channel: .voice, at: (126.99, 37.5665), uncertainty: 2_000)
    #expect(matches(vague) == ["nearer false", "near false"])
    var doubtful = call
    doubtful.doubts = [.place]
    #expect(matches(doubtful) == [])
  }

  /// A degree of latitude is 111,195 m on a sphere of the Earth's mean radius; Seoul's city hall to Busan's station is 324,866 m on
  /// the ellipsoid (GeographicLib); a sphere differs by half a percent at most.
  @Test func distancesAreThoseOnEarth() throws {
    let origin = try #require(Position(longitude: 0, latitude: 0))
    #expect(abs(origin.distance(to: try #require(Position(longitude: 0, latitude: 1))) - 111_195) < 1)
    let seoul = try #require(Position(longitude: 126.9780, latitude: 37.5665))
    let busan = try #require(Position(longitude: 129.0750, latitude: 35.1798))
    #expect(abs(seoul.distance(to: busan) / 324_866 - 1) < 0.0055)
    #expect(abs(origin.distance(to: try #require(Position(longitude: 180, latitude: 0))) - 20_015_114) < 10)
  }
}
