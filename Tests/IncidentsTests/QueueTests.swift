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
    var kept = AttentionQueue(targets: Self.targets)
    for incident in incidents { kept.put(incident, at: Samples.start) }
    kept.advance(to: Samples.start.adding(seconds: 60))
    let queue = Array(kept.items)
    #expect(queue.map(\.incident.id) == ["new-severe", "new-minor", "seen-severe", "seen-minor", "resolved"])
    #expect(queue[0].reasons == [.alarm, .late(.acknowledge), .severity(.severe), .noOwner])
    #expect(queue[2].reasons == [.severity(.severe)])
    #expect(queue[2].nextDue == Samples.start.adding(seconds: 420))
  }

  /// Kept in order change by change, it is what sorting all of it would give.
  @Test func theQueueIsInOrder() throws {
    var random = SeededRandom(seed: 5)
    var kept = AttentionQueue(targets: Self.targets)
    var told: [Telling] = []
    var time = Samples.start
    for round in 0..<800 {
      time = time.adding(seconds: Double.random(in: 0...20, using: &random))
      if told.count < 30 || Int.random(in: 0..<20, using: &random) == 0 {
        let severity = Severity.allCases.randomElement(using: &random) ?? .minor
        told.append(Telling(Samples.record(Samples.report(severity: severity), id: "i\(round)")))
      }
      let chosen = Int.random(in: 0..<told.count, using: &random)
      told[chosen].seconds = time.secondsSince1970 - Samples.start.secondsSince1970
      let commands: [Command] = [
        .acknowledge, .assign(Samples.kim), .classify(category: nil, severity: .extreme, reason: "x"),
        .resolve(.init(.handled, text: "x")), .close(summary: "x"), .reopen(reason: "x"),
      ]
      if let command = commands.randomElement(using: &random) { try? told[chosen].give(command) }
      kept.put(told[chosen].incident, at: time)
      for other in told where round % 50 == 0 { kept.put(other.incident, at: time) }
      kept.advance(to: time)
      let sorted = told.map(\.incident).filter { !$0.status.isOver && kept[$0.id] != nil }
        .map { Attention($0, targets: Self.targets, at: time) }.sorted { $0.order < $1.order }
      #expect(Array(kept.items) == sorted)
      #expect(kept.count == sorted.count)
    }
    #expect(told.count(where: { $0.incident.status.isOver }) > 5, "some left the queue")
  }

  /// Who looks in the index finds what who looks at all incidents finds.
  @Test func theIndexMissesNothing() throws {
    let rules = JoiningRules([
      .init(categories: ["fire", "smoke"], metres: 150, seconds: 900, isAutomatic: false),
      .init(categories: ["flood"], metres: 3_000, seconds: 9_000, isAutomatic: true),
    ])
    for (seed, place) in [(126.978, 37.5665), (179.999, -16.5), (25.7, 89.2), (0, 0)].enumerated() {
      var random = SeededRandom(seed: UInt64(seed))
      func report(_ number: Int, _ random: inout SeededRandom) -> Report {
        let spread = [0.002, 0.02, 0.2].randomElement(using: &random) ?? 0.1
        var longitude = place.0 + Double.random(in: -spread...spread, using: &random)
        if longitude > 180 { longitude -= 360 }
        return Samples.report(
          "\(number)", category: ["fire", "smoke", "flood", "theft"].randomElement(using: &random) ?? "fire",
          source: "sensor-\(Int.random(in: 0..<40, using: &random))",
          at: Int.random(in: 0..<12, using: &random) == 0
            ? nil : (longitude, place.1 + Double.random(in: -spread...spread, using: &random)),
          uncertainty: [nil, 20, 900, 5_000].randomElement(using: &random) ?? nil)
      }
      var index = JoiningIndex()
      var open: [String: Incident] = [:]
      for number in 0..<700 {
        let incident = Samples.record(report(number, &random), id: "i\(number)").incident
        open[incident.id] = incident
        index.put(incident)
        if number % 3 == 0, let gone = open.keys.sorted().randomElement(using: &random) {
          index.remove(gone)
          open[gone] = nil
        }
      }
      var found = 0
      var looked = 0
      for number in 0..<300 {
        let next = report(number, &random)
        let near = index.candidates(for: next, by: rules).compactMap { open[$0] }
        let all = rules.matches(of: next, at: Samples.start, among: open.values)
        #expect(rules.matches(of: next, at: Samples.start, among: near) == all)
        found += all.count
        looked += near.count
      }
      #expect(found > 300)
      #expect(looked < 300 * open.count)
    }
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
