import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

@Suite struct SubscriptionTests {
  private func data(_ message: NotificationMessage) -> [JSON] {
    (try? JSONParser.parse(message.body))?["data"]?.items ?? []
  }

  // Clauses: 5.8.4, 6.10
  /// Clients of earlier versions of the standard ask for the count among the options.
  @Test func theCountMayStandAmongTheOptions() async throws {
    try await withHub { hub in
      _ = await hub.subscribe(#""entities": [{"type": "Room"}]"#)
      let answer = await hub.get("subscriptions/?options=count&limit=10")
      #expect(answer.status == 200 && answer.header("NGSILD-Results-Count") == "1")
      #expect(await hub.get("subscriptions/urn:x:1?options=count").status == 400)
    }
  }

  // Clauses: 5.2.12, 5.8.1, 5.8.2, 5.8.3, 5.8.4, 5.8.5, 6.3.11, 6.10, 6.11
  @Test func documentsAreCheckedShownChangedAndDeleted() async throws {
    try await withHub { hub in
      let path = await hub.subscribe(#""entities": [{"type": "Room"}], "q": "temperature>1""#)
      let shown = await hub.get(path).json
      #expect(shown["status"] == "active" && shown["entities"] == [["type": "Room"]] && shown["createdAt"] == nil)
      #expect(shown["notificationTrigger"] == ["attributeCreated", "attributeUpdated"])
      let timed = await hub.subscribe(#""entities": [{"type": "Room"}], "timeInterval": 60"#)
      #expect(await hub.get(timed).json["notificationTrigger"] == nil)
      #expect(await hub.delete(timed).status == 204)
      #expect(await hub.get(path + "?options=sysAttrs").json["createdAt"] != nil)
      #expect(await hub.patch(path, #"{"isActive": false, "q": "urn:ngsi-ld:null"}"#).status == 204)
      let paused = await hub.get(path).json
      #expect(paused["status"] == "paused" && paused["q"] == nil)
      #expect(await hub.patch(path, #"{"notification": {"format": "keyValues"}}"#).problem == "BadRequestData")
      #expect(await hub.patch(path, #"{"expiresAt": "2020-01-01T00:00:00Z"}"#).problem == "BadRequestData")
      #expect(await hub.patch(path, #"{"expiresAt": "2026-03-01T12:00:10Z"}"#).status == 204)
      hub.clock.move(11)
      #expect(await hub.get(path).json["status"] == "expired")
      #expect(await hub.patch(path, #"{"description": "late"}"#).status == 204)
      #expect(await hub.get(path).json["status"] == "expired")
      #expect(await hub.get("subscriptions?count=true").header("NGSILD-Results-Count") == "1")
      #expect(await hub.delete(path).status == 204)
      #expect(await hub.get(path).status == 404)
      #expect(await hub.delete(path).status == 404)
    }
  }

  // Clauses: 5.2.12, 5.2.14, 5.2.15, 5.8.1
  @Test(arguments: [
    "{}", #"{"type": "Subscription"}"#,
    #"{"type": "Subscription", "entities": [{"type": "T"}], "notification": {}}"#,
    #"{"type": "Subscription", "entities": [{"type": "T"}], "notification": {"endpoint": {"uri": "ftp://x.y/z"}}}"#,
    #"{"type": "Subscription", "entities": [{}], "notification": {"endpoint": {"uri": "http://x.y/z"}}}"#,
    #"{"type": "Subscription", "entities": [{"type": "T"}], "throttling": 0, "notification": {"endpoint": {"uri": "http://x.y/z"}}}"#,
    #"{"type": "Subscription", "entities": [{"type": "T"}], "timeInterval": 1, "watchedAttributes": ["a"], "notification": {"endpoint": {"uri": "http://x.y/z"}}}"#,
    #"{"type": "Subscription", "entities": [{"type": "T"}], "notificationTrigger": ["what"], "notification": {"endpoint": {"uri": "http://x.y/z"}}}"#,
    #"{"type": "Subscription", "entities": [{"type": "T"}], "expiresAt": "2020-01-01T00:00:00Z", "notification": {"endpoint": {"uri": "http://x.y/z"}}}"#,
    #"{"type": "Subscription", "entities": [{"type": "T"}], "notification": {"pick": ["a"], "omit": ["a"], "endpoint": {"uri": "http://x.y/z"}}}"#,
    #"{"type": "Subscription", "entities": [{"type": "T"}], "notification": {"endpoint": {"uri": "http://x.y/z", "receiverInfo": [{"key": "a", "value": "b\r\nc"}]}}}"#,
  ])
  func brokenDocumentsAreRefused(_ body: String) async throws {
    try await withHub { hub in #expect(await hub.post("subscriptions", body).problem == "BadRequestData") }
  }

  // Clauses: 5.2.12, 5.8.6
  @Test(arguments: [
    ("entityCreated", [true, false, false, false, false]), ("attributeCreated", [true, true, false, false, false]),
    ("attributeUpdated", [false, false, true, false, false]), ("attributeDeleted", [false, false, false, true, true]),
    ("entityUpdated", [true, true, true, true, true]), ("entityDeleted", [false, false, false, false, true]),
  ])
  func triggersTellWhatTheyName(_ trigger: String, _ expected: [Bool]) async throws {
    try await withHub { hub in
      _ = await hub.subscribe(#""entities": [{"type": "Room"}], "notificationTrigger": ["\#(trigger)"]"#)
      let path = "entities/urn:ngsi-ld:Room:1"
      var seen: [Bool] = []
      for step in 0..<5 {
        let before = hub.hub.notifier.totals.due
        let answer: Answer
        switch step {
        case 0: answer = await hub.post("entities", room(1))
        case 1: answer = await hub.post(path + "/attrs", #"{"a": {"type": "Property", "value": 1}}"#)
        case 2: answer = await hub.patch(path + "/attrs", #"{"a": {"type": "Property", "value": 2}}"#)
        case 3: answer = await hub.delete(path + "/attrs/a")
        default: answer = await hub.delete(path)
        }
        #expect(answer.status < 300)
        seen.append(hub.hub.notifier.totals.due > before)
      }
      #expect(seen == expected)
      // The same value again is no change.
      _ = await hub.post("entities", room(2))
      let before = hub.hub.notifier.totals.due
      _ = await hub.patch("entities/urn:ngsi-ld:Room:2/attrs", #"{"temperature": {"type": "Property", "value": 20}}"#)
      #expect(hub.hub.notifier.totals.due == before)
    }
  }

  // Clauses: 5.2.14, 5.3.1, 5.8.6, 6.3.8
  @Test func messagesHaveTheWantedForm() async throws {
    try await withHub { hub in
      _ = await hub.subscribe(
        #""entities": [{"type": "Room"}], "notificationTrigger": ["attributeUpdated", "entityDeleted"]"#,
        notification: #""showChanges": true, "attributes": ["temperature"], "sysAttrs": false"#)
      _ = await hub.post("entities", room(1))
      _ = await hub.patch("entities/urn:ngsi-ld:Room:1/attrs", #"{"temperature": {"type": "Property", "value": 21}}"#)
      _ = await hub.delete("entities/urn:ngsi-ld:Room:1")
      let messages = await hub.recorder.wait(for: 2)
      #expect(messages.count == 2)
      let first = try JSONParser.parse(messages[0].body)
      #expect(first["type"] == "Notification" && first["notifiedAt"] == "2026-03-01T12:00:00Z")
      #expect(
        messages[0].headers.contains { $0.0 == "Link" } && messages[0].headers.contains { $0.1 == "application/json" })
      #expect(data(messages[0]).first?["temperature"] == ["type": "Property", "value": 21, "previousValue": 20])
      let gone = data(messages[1]).first
      #expect(gone?["deletedAt"] == "2026-03-01T12:00:00Z" && gone?["temperature"]?["previousValue"] == 21)
    }
  }

  // Clauses: 5.2.15, 5.2.22, 6.3.8, 6.3.14
  @Test func jsonLDAndTenantsAndReceiverInfo() async throws {
    try await withHub { hub in
      let body = #"""
        {"type": "Subscription", "entities": [{"type": "Room"}], "notification": {"format": "simplified", "endpoint":
        {"uri": "http://r.test/n", "accept": "application/ld+json", "receiverInfo": [{"key": "X-Key", "value": "v"}]}}}
        """#
      let tenant = ["NGSILD-Tenant": "t"]
      #expect(await hub.post("subscriptions", body, headers: tenant).status == 201)
      _ = await hub.post("entities", room(1), headers: tenant)
      let message = try #require(await hub.recorder.wait(for: 1).first)
      #expect(
        message.headers.contains { $0 == ("X-Key", "v") } && message.headers.contains { $0 == ("NGSILD-Tenant", "t") })
      #expect(!message.headers.contains { $0.0 == "Link" })
      #expect(data(message).first?["@context"] != nil && data(message).first?["temperature"] == 20)
    }
  }

  // Clauses: 5.2.14, 5.8.6
  @Test func throttlingPauseAndExpiryHoldBackAndAreCounted() async throws {
    try await withHub { hub in
      let path = await hub.subscribe(#""entities": [{"type": "Room"}], "throttling": 60"#)
      for number in 1...3 {
        _ = await hub.post("entities", room(number))
        await eventually { hub.hub.notifier.totals.waiting == 0 }
      }
      #expect(hub.recorder.messages.count == 1 && hub.hub.notifier.totals.throttled == 2)
      hub.clock.move(61)
      _ = await hub.post("entities", room(4))
      await eventually { hub.recorder.messages.count == 2 }
      // A clock that is set back does not silence it.
      hub.clock.move(-3600)
      _ = await hub.post("entities", room(5))
      await eventually { hub.recorder.messages.count == 3 }
      #expect(hub.recorder.messages.count == 3)
      _ = await hub.patch(path, #"{"isActive": false}"#)
      _ = await hub.post("entities", room(6))
      let totals = hub.hub.notifier.totals
      #expect(totals.due == 5 && totals.delivered == 3 && totals.throttled == 2 && totals.waiting == 0)
      let shown = await hub.get(path).json
      #expect(shown["notification"]?["timesSent"] == 3 && shown["notification"]?["status"] == "ok")
    }
  }

  // Clauses: 5.8.6
  @Test func periodicOnesTellThePresentState() async throws {
    try await withHub { hub in
      let task = Task { await hub.hub.run() }
      defer { task.cancel() }
      _ = await hub.subscribe(#""entities": [{"type": "Room"}], "timeInterval": 10, "q": "temperature>=20""#)
      _ = await hub.post("entities", room(1))
      try await Task.sleep(for: .milliseconds(300))
      #expect(hub.recorder.messages.isEmpty)
      hub.clock.move(10)
      let first = await hub.recorder.wait(for: 1)
      #expect(first.count == 1 && data(first[0]).count == 1)
      // Periods that were missed are not made up for.
      hub.clock.move(100)
      await eventually { hub.recorder.messages.count >= 2 }
      try await Task.sleep(for: .milliseconds(300))
      #expect(hub.recorder.messages.count == 2)
      _ = await hub.delete("entities/urn:ngsi-ld:Room:1")
      hub.clock.move(10)
      try await Task.sleep(for: .milliseconds(300))
      #expect(hub.recorder.messages.count == 2)
    }
  }
}
