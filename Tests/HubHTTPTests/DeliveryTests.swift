import Foundation
import NGSI
import Store
import Synchronization
import Testing

@testable import Hub
@testable import HubHTTP

// Clauses: 5.8.6
/// What becomes of notifications when receivers fail, hang, and the hub stops in between.
@Suite struct DeliveryTests {
  private func isBalanced(_ hub: TestHub) -> Bool {
    let totals = hub.hub.notifier.totals
    return totals.due == totals.delivered + totals.failed + totals.throttled
  }

  @Test func failuresAreTriedAgainAndThenPutAside() async throws {
    let calls = Mutex(0)
    let recorder = Recorder { _ in
      calls.withLock { $0 += 1 }
      return "no"
    }
    var limits = Limits()
    limits.deliveryAttempts = 3
    try await withHub(recorder: recorder, limits: limits) { hub in
      let path = await hub.subscribe(
        #""entities": [{"type": "Room"}]"#)
      _ = await hub.post("entities", room(1))
      for _ in 0..<400 where hub.hub.notifier.totals.failed == 0 {
        hub.clock.move(1)
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(calls.withLock { $0 } == 3)
      #expect(isBalanced(hub) && hub.hub.notifier.totals.failed == 1)
      // However often it was tried, it is one notification (clause 5.8.6).
      let shown = await hub.get(path).json["notification"]
      #expect(shown?["timesSent"] == 1 && shown?["timesFailed"] == 1 && shown?["status"] == "failed")
      await eventually { (try? hub.store.read { try $0.outboxCount() }) == 0 }
      let letters = try hub.store.read {
        try $0.documents(Notifier.deadLetterCollection, in: .default, page: Page(limit: 10))
      }
      #expect(letters.count == 1 && letters.first?.body["reason"] == "no")
      let waiting = try hub.store.read { try $0.outboxCount() }
      #expect(waiting == 0)
    }
  }

  @Test func deadLettersAreBounded() async throws {
    var limits = Limits()
    limits.deliveryAttempts = 1
    limits.deadLetters = 5
    try await withHub(recorder: Recorder { _ in "no" }, limits: limits) { hub in
      _ = await hub.subscribe(#""entities": [{"type": "Room"}]"#)
      for number in 1...12 { _ = await hub.post("entities", room(number)) }
      await eventually { hub.hub.notifier.totals.failed == 12 }
      await eventually {
        (try? hub.store.read { try $0.documentCount(Notifier.deadLetterCollection, in: .default) }) == 5
          && (try? hub.store.read { try $0.outboxCount() }) == 0
      }
      let letters = try hub.store.read {
        try $0.documents(Notifier.deadLetterCollection, in: .default, page: Page(limit: 10))
      }
      #expect(letters.count == 5)
    }
  }

  /// One is dead, one hangs: the other 98 hear everything, in order, meanwhile.
  @Test func oneDeadAndOneHangingSlowNobody() async throws {
    let patience = Mutex(3.0)
    let recorder = Recorder { message in
      if message.url.hasSuffix("/dead") { return "dead" }
      if message.url.hasSuffix("/hangs") { try? await Task.sleep(for: .seconds(patience.withLock { $0 })) }
      return nil
    }
    try await withHub(recorder: recorder) { hub in
      _ = await hub.subscribe(#""entities": [{"type": "Room"}]"#, to: "http://a.test/dead")
      _ = await hub.subscribe(#""entities": [{"type": "Room"}]"#, to: "http://b.test/hangs")
      for number in 0..<98 {
        _ = await hub.subscribe(#""entities": [{"type": "Room"}]"#, to: "http://r\(number % 9).test/\(number)")
      }
      let start = ContinuousClock.now
      for number in 1...10 { _ = await hub.post("entities", room(number)) }
      let came = await eventually(2.5) { recorder.messages.count >= 980 }
      #expect(came, "\(recorder.messages.count) after \(ContinuousClock.now - start)")
      for number in 0..<98 {
        let ids = recorder.messages(to: "http://r\(number % 9).test/\(number)").compactMap {
          (try? JSONParser.parse($0.body))?["data"]?.array?.first?["id"]?.string
        }
        #expect(ids == (1...10).map { "urn:ngsi-ld:Room:\($0)" })
      }
      // In the end the two have their due as well: one is given up, the other wakes up.
      patience.withLock { $0 = 0 }
      await eventually(60) {
        hub.clock.move(30)
        return hub.hub.notifier.waiting == 0
      }
      let totals = hub.hub.notifier.totals
      #expect(isBalanced(hub) && totals.due == 1000 && totals.failed == 10 && totals.delivered == 990)
    }
  }

  @Test func aThousandSubscriptionsHearOneChange() async throws {
    try await withHub { hub in
      for number in 0..<1000 {
        _ = await hub.subscribe(#""entities": [{"type": "Room"}]"#, to: "http://r\(number % 50).test/\(number)")
      }
      _ = await hub.post("entities", room(1))
      await eventually(30) { hub.recorder.messages.count == 1000 }
      #expect(Set(hub.recorder.messages.map(\.url)).count == 1000)
      await eventually { hub.hub.notifier.waiting == 0 }
      #expect(isBalanced(hub) && hub.hub.notifier.totals.delivered == 1000)
    }
  }

  /// More than a lane holds in memory waits in the outbox; everything comes once and in order.
  @Test func whatDoesNotFitTheQueueWaitsOnDisk() async throws {
    var limits = Limits()
    limits.endpointQueue = 4
    limits.endpointRefill = 3
    limits.endpointQueueBytes = 2000
    let isOpen = Mutex(false)
    let recorder = Recorder { _ in
      while !isOpen.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(5)) }
      return nil
    }
    try await withHub(recorder: recorder, limits: limits) { hub in
      _ = await hub.subscribe(#""entities": [{"type": "Room"}]"#)
      for number in 1...60 { _ = await hub.post("entities", room(number)) }
      #expect(hub.hub.notifier.figures.queued <= 4 && hub.hub.notifier.waiting == 60)
      isOpen.withLock { $0 = true }
      // Changes go on while the backlog is read.
      await withTaskGroup(of: Void.self) { group in
        for part in 0..<4 {
          group.addTask { for number in 0..<40 { _ = await hub.post("entities", room(1000 + part * 100 + number)) } }
        }
      }
      await eventually(30) { recorder.messages.count >= 220 }
      let ids = recorder.messages.compactMap {
        (try? JSONParser.parse($0.body))?["data"]?.array?.first?["id"]?.string
      }
      #expect(ids.count == 220 && Set(ids).count == 220)
      #expect(Array(ids.prefix(60)) == (1...60).map { "urn:ngsi-ld:Room:\($0)" })
      await eventually { (try? hub.store.read { try $0.outboxCount() }) == 0 }
      #expect(isBalanced(hub))
    }
  }

  @Test func whatWaitsIsSentAfterARestart() async throws {
    let folder = NSTemporaryDirectory() + "hub-" + UUID().uuidString
    let first = try await TestHub(folder: folder, recorder: Recorder { _ in "not now" })
    let path = await first.subscribe(#""entities": [{"type": "Room"}]"#)
    let doomed = await first.subscribe(#""entities": [{"type": "Room"}]"#, to: "http://doomed.test/")
    for number in 1...5 { _ = await first.post("entities", room(number)) }
    #expect(await first.delete(doomed).status == 204)
    await first.stop()
    let second = try await TestHub(folder: folder)
    second.clock.move(120)
    await eventually { second.recorder.messages.count == 5 }
    let ids = second.recorder.messages.compactMap {
      (try? JSONParser.parse($0.body))?["data"]?.array?.first?["id"]?.string
    }
    #expect(ids == (1...5).map { "urn:ngsi-ld:Room:\($0)" })
    #expect(second.recorder.messages(to: "http://doomed.test/").isEmpty)
    // A notification is counted when the answer to it has come back.
    await eventually { (try? second.store.read { try $0.outboxCount() }) == 0 }
    let left = try second.store.read { try $0.outboxCount() }
    #expect(left == 0)
    let shown = await second.get(path).json["notification"]
    #expect(shown?["timesSent"]?.integer ?? 0 >= 5 && shown?["status"] == "ok")
    await second.remove()
  }

  @Test func aSubscriptionOfTheSameNameStartsAfresh() async throws {
    let recorder = Recorder { _ in "no" }
    try await withHub(recorder: recorder) { hub in
      let body = #"""
        {"id": "urn:x:s", "type": "Subscription", "entities": [{"type": "Room"}],
        "notification": {"endpoint": {"uri": "http://r.test/"}}}
        """#
      #expect(await hub.post("subscriptions", body).status == 201)
      for number in 1...3 { _ = await hub.post("entities", room(number)) }
      #expect(await hub.delete("subscriptions/urn:x:s").status == 204)
      #expect(await hub.post("subscriptions", body).status == 201)
      recorder.answers { _ in nil }
      _ = await hub.post("entities", room(4))
      await eventually {
        hub.clock.move(1)
        return recorder.messages.count >= 1 && hub.hub.notifier.waiting == 0
      }
      #expect(recorder.messages.count == 1)
      #expect(await hub.get("subscriptions/urn:x:s").json["notification"]?["timesSent"] == 1)
      #expect(hub.hub.notifier.totals.throttled == 3 && isBalanced(hub))
    }
  }

  @Test func contextsSurviveARestartWithoutTheNetwork() async throws {
    let folder = NSTemporaryDirectory() + "hub-" + UUID().uuidString
    let first = try await TestHub(folder: folder)
    let body = #"""
      {"type": "Subscription", "entities": [{"type": "Station"}], "@context": "\#(TestContexts.city)",
      "notification": {"endpoint": {"uri": "http://r.test/"}}}
      """#
    #expect(await first.post("subscriptions", body, headers: ["Content-Type": "application/ld+json"]).status == 201)
    await first.stop()
    let second = try await TestHub(folder: folder, contexts: NoContextFetching())
    second.clock.move(10 * 86_400)
    let station =
      #"{"id": "urn:x:1", "type": "https://example.org/Station", "https://example.org/pm10": {"type": "Property", "value": 1}}"#
    #expect(await second.post("entities", station).status == 201)
    let messages = await second.recorder.wait(for: 1)
    #expect((try? JSONParser.parse(messages.first?.body ?? []))?["data"]?.array?.first?["pm10"]?["value"] == 1)
    await second.remove()
  }

  // Clauses: 4.22
  @Test func entitiesWhoseTimeHasComeGoUnlessTheyGotMore() async throws {
    try await withHub { hub in
      for number in 1...2 {
        _ = await hub.post(
          "entities", #"{"id": "urn:x:\#(number)", "type": "T", "expiresAt": "2026-03-01T12:01:00Z"}"#)
      }
      _ = await hub.patch("entities/urn:x:2", #"{"expiresAt": "2027-01-01T00:00:00Z"}"#)
      hub.clock.move(61)
      #expect(await hub.get("entities/urn:x:1").status == 404)
      let gone = try await hub.hub.removeExpired(atMost: 10)
      let left = try hub.store.read { try $0.entityCount(in: .default) }
      #expect(gone == 1 && left == 1)
      #expect(await hub.get("entities/urn:x:2").status == 200)
    }
  }
}
