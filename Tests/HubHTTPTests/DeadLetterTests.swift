import Foundation
import NIOHTTP1
import NGSI
import NIOCore
import Store
import Testing

@testable import Hub
@testable import HubHTTP

// Clauses: none: dead letters are our own
/// What was given up can be seen, sent again, and thrown away.
@Suite struct DeadLetterTests {
  private static func once() -> Limits {
    var limits = Limits()
    limits.deliveryAttempts = 1
    return limits
  }

  private func ask(
    _ hub: TestHub, _ path: String, _ body: String? = nil, query: String = "", type: String = "application/json",
    tenant: String? = nil
  ) async -> Answer {
    var headers = HTTPHeaders()
    if body != nil { headers[first: HeaderName.contentType] = type }
    if let tenant { headers[first: HeaderName.tenant] = tenant }
    return Answer(
      await Administration(hub: hub.hub).respond(
        to: APIRequest(
          method: body == nil ? .GET : .POST, path: path[...], query: query[...], headers: headers,
          body: ByteBuffer(string: body ?? ""))))
  }

  /// Two subscriptions of which each loses three notifications; gives their ids.
  private func lose(_ hub: TestHub) async -> [String] {
    var ids: [String] = []
    for name in ["a", "b"] {
      let path = await hub.subscribe(#""entities": [{"type": "Room"}]"#, to: "http://\(name).test/n")
      ids.append(String(path.dropFirst("subscriptions/".count)).removingPercentEncoding ?? "")
    }
    for number in 1...3 { _ = await hub.post("entities", room(number)) }
    await eventually { ((try? hub.hub.deadLetters(in: .default, page: Page(limit: 1)))?.total ?? 0) == 6 }
    return ids
  }

  private func balance(_ hub: TestHub) -> (due: Int, delivered: Int, failed: Int, waiting: Int) {
    let totals = hub.hub.notifier.totals
    return (totals.due, totals.delivered, totals.failed, totals.waiting)
  }

  @Test func lettersAreListed() async throws {
    try await withHub(recorder: Recorder { _ in "no" }, limits: Self.once()) { hub in
      let ids = await lose(hub)
      let all = await ask(hub, "dead-letters", query: "count=true&limit=4")
      #expect(all.status == 200 && all.json.array?.count == 4 && all.header("NGSILD-Results-Count") == "6")
      let some = await ask(hub, "dead-letters", query: "count=true&limit=2&offset=1&subscriptionId=\(ids[0])")
      #expect(some.header("NGSILD-Results-Count") == "3")
      let letters = some.json.array ?? []
      #expect(letters.map { $0["data"]?.array?.first?["id"] } == ["urn:ngsi-ld:Room:2", "urn:ngsi-ld:Room:3"])
      #expect(letters.allSatisfy { $0["reason"] == "no" && $0["at"] == "2026-03-01T12:00:00Z" })
      #expect(letters.allSatisfy { $0["subscriptionId"] == .string(ids[0]) })
      let health = try hub.hub.health()
      #expect(health["outbox"]?["deadLetters"] == 6)
    }
  }

  @Test func lettersAreSentAgain() async throws {
    try await withHub(recorder: Recorder { _ in "no" }, limits: Self.once()) { hub in
      let ids = await lose(hub)
      hub.recorder.answers { _ in nil }
      let first = await ask(hub, "dead-letters/resend", #"{"subscriptionId": "\#(ids[0])"}"#)
      #expect(first.status == 200 && first.json["success"]?.array?.count == 3)
      let came = await hub.recorder.wait(for: 3).filter { $0.url == "http://a.test/n" }
      let rooms = came.compactMap { (try? JSONParser.parse($0.body))?["data"]?.array?.first?["id"]?.string }
      #expect(rooms == (1...3).map { "urn:ngsi-ld:Room:\($0)" })
      await eventually { balance(hub).delivered == 3 }
      // Due once more, on top of what was counted as failed.
      #expect(balance(hub) == (9, 3, 6, 0))
      // The others stay: one is paused, then gone.
      _ = await hub.patch("subscriptions/\(ids[1])", #"{"isActive": false}"#)
      let paused = await ask(hub, "dead-letters/resend", #"{"all": true}"#)
      #expect(paused.status == 207 && paused.json["success"] == [] && paused.json["errors"]?.array?.count == 3)
      _ = await hub.delete("subscriptions/\(ids[1])")
      let gone = await ask(hub, "dead-letters/resend", #"{"all": true}"#)
      #expect(gone.json["errors"]?.array?.allSatisfy { $0["error"]?["status"] == 404 } == true)
      #expect(balance(hub) == (9, 3, 6, 0))
      let left = try hub.hub.deadLetters(in: .default, page: Page(limit: 10))
      #expect(left.total == 3)
    }
  }

  /// What fails again comes back to the list, under another id.
  @Test func whatFailsAgainComesBack() async throws {
    try await withHub(recorder: Recorder { _ in "no" }, limits: Self.once()) { hub in
      _ = await lose(hub)
      let before = Set(try hub.hub.deadLetters(in: .default, page: Page(limit: 10)).letters.map(\.id))
      hub.recorder.answers { _ in "still not" }
      _ = await ask(hub, "dead-letters/resend", #"{"all": true}"#)
      await eventually { balance(hub).failed == 12 }
      await eventually { ((try? hub.hub.deadLetters(in: .default, page: Page(limit: 1)))?.total ?? 0) == 6 }
      let after = try hub.hub.deadLetters(in: .default, page: Page(limit: 10)).letters
      #expect(after.count == 6 && before.isDisjoint(with: after.map(\.id)))
      #expect(after.allSatisfy { $0.reason == "still not" })
    }
  }

  @Test func lettersAreDiscarded() async throws {
    try await withHub(recorder: Recorder { _ in "no" }, limits: Self.once()) { hub in
      _ = await lose(hub)
      let id = try #require(try hub.hub.deadLetters(in: .default, page: Page(limit: 1)).letters.first?.id)
      let some = await ask(hub, "dead-letters/discard", #"{"ids": ["\#(id)", "none"]}"#)
      #expect(some.status == 207 && some.json["success"] == [.string(id)])
      #expect(some.json["errors"]?.array?.first?["id"] == "none")
      #expect(await ask(hub, "dead-letters/discard", #"{"all": true}"#).json["success"]?.array?.count == 5)
      #expect(await ask(hub, "dead-letters").json == [])
      #expect(balance(hub) == (6, 0, 6, 0))
      let waiting = try hub.store.read { try $0.outboxCount() }
      #expect(waiting == 0)
    }
  }

  @Test func whatHasNoSenseIsRefused() async throws {
    try await withHub { hub in
      for body in ["", "{", "{}", "[]", #"{"all": false}"#, #"{"ids": [1]}"#, #"{"ids": [], "all": true}"#] {
        let answer = await ask(hub, "dead-letters/discard", body)
        #expect(answer.status == 400, "\(body)")
      }
      #expect(await ask(hub, "dead-letters/resend", #"{"all": true}"#, type: "text/plain").status == 415)
      #expect(await ask(hub, "dead-letters/resend", #"{"all": true}"#, tenant: "none").status == 404)
      #expect(await ask(hub, "dead-letters/resend").status == 405)
      #expect(await ask(hub, "dead-letters", "{}").status == 405)
      #expect(await ask(hub, "dead-letters", query: "limit=0").status == 400)
      #expect(await ask(hub, "other").status == 404)
    }
  }
}
