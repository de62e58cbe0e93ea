import Foundation
import NGSI
import Query
import Store
import StoreSQLite
import Synchronization
import Testing

@testable import Hub
@testable import HubHTTP

/// The wall clock is set forward and back by hours while the hub writes, throttles, notifies by the clock and ends what
/// has expired.
@Suite struct ClockStepTests {
  private struct Steps {
    var random: UInt64

    mutating func next(_ bound: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % bound
    }
  }

  @Test(arguments: [1, 2] as [UInt64]) func nothingIsLostOrStuckWhenTheClockJumps(_ seed: UInt64) async throws {
    let calls = Atomic(0)
    let recorder = Recorder { message in
      // One receiver fails every third time, so that retries wait while the clock jumps.
      guard message.url == "http://shaky.test/" else { return nil }
      return calls.wrappingAdd(1, ordering: .relaxed).newValue % 3 == 0 ? "shaken" : nil
    }
    try await withHub(recorder: recorder) { hub in
      let running = Task { await hub.hub.run() }
      let room = #""entities": [{"type": "Room"}], "watchedAttributes": ["count"]"#
      let always = await hub.subscribe(room, to: "http://always.test/")
      let throttled = await hub.subscribe(room + #", "throttling": 600"#, to: "http://throttled.test/")
      let shaky = await hub.subscribe(room, to: "http://shaky.test/")
      let mortal = await hub.subscribe(
        room + #", "expiresAt": "2026-03-01T15:00:00Z""#, to: "http://mortal.test/")
      _ = await hub.subscribe(#""entities": [{"type": "Room"}], "timeInterval": 60"#, to: "http://periodic.test/")
      var steps = Steps(random: seed)
      var counts = [Int](repeating: 0, count: 5)
      var fleeting = 0
      for round in 0..<100 {
        // From a fall back of twelve hours to a leap of twelve, and now and then it stands or creeps.
        hub.clock.move(round % 4 == 0 ? Double(steps.next(86_400) - 43_200) : Double(steps.next(3)))
        let number = steps.next(5)
        counts[number] += 1
        let count = #""count": {"type": "Property", "value": \#(counts[number])}"#
        if counts[number] == 1 {
          #expect(await hub.post("entities", HubHTTPTests.room(number, count)).status == 201)
        } else {
          #expect(await hub.patch("entities/urn:ngsi-ld:Room:\(number)/attrs", "{\(count)}").status == 204)
        }
        if round % 5 == 0 {
          let end = hub.clock.now.adding(seconds: Double(steps.next(20_000) + 1))
          let body = #"{"id": "urn:x:fleeting\#(round)", "type": "Fleeting", "expiresAt": "\#(end)"}"#
          #expect(await hub.post("entities", body).status == 201)
          fleeting += 1
        }
        if round % 10 == 0 { try await Task.sleep(for: .milliseconds(20)) }
      }
      let changes = counts.reduce(0, +)
      // A clock that runs on, as clocks do in the end: what waits is sent, what has expired goes.
      let notifier = hub.hub.notifier
      let isSettled = await eventually(60) {
        hub.clock.move(1500)
        return notifier.waiting == 0
          && (try? hub.store.read { try $0.expired(at: hub.clock.now, limit: 1).isEmpty }) == true
          && hub.clock.now > (DateTime("2026-03-05T00:00:00Z") ?? hub.clock.now)
      }
      #expect(isSettled, "\(notifier.waiting) wait")
      let periodic = recorder.messages(to: "http://periodic.test/").count
      let cameAgain = await eventually {
        hub.clock.move(61)
        return recorder.messages(to: "http://periodic.test/").count > periodic
      }
      #expect(cameAgain, "periodic notifications stopped")
      running.cancel()
      await running.value
      let totals = notifier.totals
      #expect(totals.due == totals.delivered + totals.failed + totals.throttled + totals.waiting)
      func record(_ path: String) -> DeliveryRecord {
        notifier.record(of: String(path.dropFirst("subscriptions/".count)), in: .default)
      }
      for path in [always, throttled, shaky, mortal] {
        let record = record(path)
        // While it has expired it is not due anything.
        #expect(path == mortal ? record.due <= changes : record.due == changes, "\(path): \(record)")
        #expect(record.waiting == 0)
        #expect(record.due == record.delivered + record.failed + record.throttled)
      }
      #expect(record(always).delivered == changes && record(shaky).delivered + record(shaky).failed == changes)
      #expect(record(throttled).delivered >= 2 && record(throttled).throttled >= 2)
      // Every value is in the history, whatever time it was given.
      for (number, count) in counts.enumerated() {
        var query = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: 1000)
        query.entities.ids = ["urn:ngsi-ld:Room:\(number)"]
        let found = try hub.store.read { try $0.evolutions(query, in: .default) }.entities
        let values = found.flatMap(\.attributes).filter { $0.name.hasSuffix("/count") }.flatMap(\.instances)
        #expect(values.compactMap(\.value.integer).sorted() == (0..<count).map { Int64($0) + 1 })
        let entity = try hub.store.read { try $0.entity("urn:ngsi-ld:Room:\(number)", in: .default) }
        #expect(entity?.attributes.first?.instances.first?.value == .integer(Int64(count)))
      }
      let left = try hub.store.read { try $0.entityCount(in: .default) }
      #expect(left == counts.count { $0 > 0 } && fleeting == 20)
      let path = hub.folder + "/city.sqlite"
      let findings = try SQLiteStore.check(path: path, also: { try HubContents($0).findings }).findings
      #expect(findings == [])
    }
  }
}
