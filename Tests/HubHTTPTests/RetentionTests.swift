import NGSI
import Store
import Testing

@testable import Hub
@testable import HubHTTP

// Clauses: none: the retention of datasets
@Suite("Retention of datasets")
struct RetentionTests {
  /// Stands at 2026-03-01T12:00Z, as all tests' clocks do.
  private func levels(_ hub: TestHub, _ id: String) async -> [JSON] {
    let history = await hub.get("temporal/entities/\(id)?options=temporalValues")
    return (history.json["level"]?["values"]?.array ?? []).compactMap { $0.array?.first }
  }

  /// How many instances one sweep removes.
  private func sweep(_ hub: TestHub) async throws -> Int { try await hub.hub.carryOutRetention().instances }

  private func record(_ hub: TestHub, _ id: String, _ days: [Int], type: String = "Tank") async {
    let instances = days.map { day in
      let time = hub.clock.now.adding(seconds: Double(-86_400 * day))
      return #"{"type": "Property", "value": \#(day), "observedAt": "\#(time)"}"#
    }
    let body = #"{"id": "\#(id)", "type": "\#(type)", "level": [\#(instances.joined(separator: ","))]}"#
    #expect(await hub.post("temporal/entities", body).status == 201)
  }

  private func dataset(_ hub: TestHub, _ id: String, _ type: String, _ more: String) async {
    let body = """
      {"id": "\(id)", "title": "t", "description": "d", "publisher": {"name": "p"}, "licence": "https://example.org/l",
       "entities": {"types": ["\(type)"]}\(more)}
      """
    #expect(await hub.city(.PUT, "datasets/\(id)", body).status < 300)
  }

  @Test("histories go as their datasets say, and what says nothing stays")
  func histories() async throws {
    try await withHub { hub in
      await record(hub, "urn:t:1", [100, 40, 29, 1])
      await record(hub, "urn:p:1", [100], type: "Pump")
      let nothing = try await hub.hub.carryOutRetention()
      #expect(nothing == RemovedForAge())
      await dataset(hub, "tanks", "Tank", #", "retention": {"days": 30}"#)
      let removed = try await hub.hub.carryOutRetention()
      #expect(removed.instances == 2 && removed.entities == 0)
      #expect(await levels(hub, "urn:t:1") == [29, 1])
      #expect(await levels(hub, "urn:p:1") == [100])
      let shown = await hub.city(.GET, "datasets/tanks").json["retention"]
      #expect(shown?["applied"] == true && shown?["removedInstances"] == 2 && shown?["lastRemovedAt"] != nil)
      #expect(hub.hub.retentionRemoved == 2)
      // Again: nothing. A day later: one more; with the clock set back: none, and nothing comes back.
      #expect(try await sweep(hub) == 0)
      hub.clock.move(2 * 86_400)
      #expect(try await sweep(hub) == 1)
      hub.clock.move(-300 * 86_400)
      #expect(try await sweep(hub) == 0)
      #expect(await levels(hub, "urn:t:1") == [1])
    }
  }

  @Test("what several datasets have is kept as the one says that keeps it longest")
  func several() async throws {
    try await withHub { hub in
      await record(hub, "urn:t:1", [100, 40, 1])
      await dataset(hub, "short", "Tank", #", "retention": {"days": 30}"#)
      await dataset(hub, "long", "Tank", #", "retention": {"days": 60}"#)
      let first = try await sweep(hub)
      #expect(first == 1)
      await dataset(hub, "ever", "Tank", "")
      hub.clock.move(1000 * 86_400)
      let second = try await sweep(hub)
      #expect(second == 0)
      #expect(await levels(hub, "urn:t:1") == [40, 1])
    }
  }

  @Test("entities that nothing was written to go where it is said, and are told of; their history follows")
  func entities() async throws {
    try await withHub { hub in
      for id in ["urn:t:1", "urn:t:2"] {
        let body = #"{"id": "\#(id)", "type": "Tank", "level": {"type": "Property", "value": 1}}"#
        #expect(await hub.post("entities", body).status == 201)
      }
      _ = await hub.subscribe(#""entities": [{"type": "Tank"}], "notificationTrigger": ["entityDeleted"]"#)
      await dataset(hub, "tanks", "Tank", #", "retention": {"days": 30, "entities": true}"#)
      hub.clock.move(20 * 86_400)
      #expect(
        await hub.patch("entities/urn:t:2/attrs", #"{"level": {"type": "Property", "value": 2}}"#).status == 204)
      hub.clock.move(15 * 86_400)
      let first = try await hub.hub.carryOutRetention()
      #expect(first == RemovedForAge(instances: 2, entities: 1))
      #expect(await hub.get("entities?type=Tank").ids == ["urn:t:2"])
      #expect(await hub.recorder.wait(for: 1).count == 1)
      hub.clock.move(31 * 86_400)
      let rest = try await hub.hub.carryOutRetention()
      #expect(rest.entities == 1)
      #expect(await hub.get("temporal/entities/urn:t:1").status == 404)
    }
  }

  @Test("one that is stopped in the middle goes on where it stopped, and counts each once")
  func stopped() async throws {
    try await withHub { hub in
      for number in 0..<60 { await record(hub, "urn:t:\(number)", Array(31...130)) }
      await dataset(hub, "tanks", "Tank", #", "retention": {"days": 30}"#)
      let stopped = Task { try await hub.hub.carryOutRetention() }
      await eventually { hub.hub.retentionRemoved > 0 }
      stopped.cancel()
      _ = try await stopped.value
      _ = try await hub.hub.carryOutRetention()
      let removed = try hub.hub.removed(by: "tanks", in: .default)
      #expect(removed.instances == 6000)
      #expect(try await sweep(hub) == 0)
    }
  }

  @Test("a clock that is set is noticed, one that goes on is not")
  func clock() {
    let start = DateTime(microseconds: 0)
    let steady = ContinuousClock.now
    var watch = ClockWatch(wall: start, steady: steady)
    let told = [(60.0, 60), (86_400, 120), (86_460, 180), (0, 240)].map { wall, passed in
      watch.wasSet(wall: start.adding(seconds: wall), steady: steady + .seconds(passed))
    }
    #expect(told == [false, true, false, true])
  }
}

extension Hub {
  fileprivate var retentionRemoved: Int64 { retention.health(pieces: 0)["removedInstances"]?.integer ?? 0 }
}
