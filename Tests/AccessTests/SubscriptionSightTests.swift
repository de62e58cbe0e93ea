import NGSI
import Query
import Store
import Synchronization
import Testing

@testable import Access
@testable import Hub

/// What subscriptions tell when the rights of their owners, or what is in sight, change.
@Suite struct SubscriptionSightTests {
  /// Keeps what is sent; refuses while it is told to.
  final class Receiver: NotificationSending {
    private let bodies = Mutex<[(url: String, body: JSON)]>([])
    let refuses = Mutex(false)

    private let attempts = Mutex(0)

    var asked: Int { attempts.withLock { $0 } }

    func send(_ message: NotificationMessage) async -> String? {
      attempts.withLock { $0 += 1 }
      guard !refuses.withLock({ $0 }) else { return "not now" }
      let body = (try? JSONParser.parse(message.body)) ?? .null
      bodies.withLock { $0.append((message.url, body)) }
      return nil
    }

    func messages(to url: String) -> [JSON] { bodies.withLock { $0.filter { $0.url == url }.map(\.body) } }
  }

  static let rules = """
    permit(principal in Role::"reader", action in [Action::"read", Action::"subscribe"], resource in EntityType::"Room");
    permit(principal in Agency::"north", action in [Action::"read", Action::"subscribe"], resource in Scope::"/north");
    permit(principal, action == Action::"subscribe", resource);
    permit(principal in Role::"root", action in [Action::"administer", Action::"register"], resource);
    """

  /// - Parameters:
  ///   - members: more of the subscription, as text.
  ///   - told: more of its `notification`.
  static func document(_ id: String, _ members: String = "", told: String = "") throws -> JSONObject {
    try object(
      """
      {"id": "urn:ngsi-ld:Subscription:\(id)", "type": "Subscription", "entities": [{"type": "Room"}], \(members)
       "notification": {\(told) "endpoint": {"uri": "http://receiver.example/\(id)"}}}
      """)
  }

  static func subscribe(
    _ caller: Caller, _ document: JSONObject, about subject: SubscriptionSubject = .entities, _ city: RuledHub
  ) async throws {
    try await Caller.$current.withValue(caller) {
      _ = try await city.hub.createSubscription(document, about: subject, context: .core, in: .default)
    }
  }

  static func set(_ room: Int, _ level: Int, _ city: RuledHub) async throws {
    try await Hub.asCity {
      _ = try await city.hub.update(
        "urn:ngsi-ld:Room:\(room)", RuledHub.fragment("Room:\(room)", "Room", ["level": .integer(Int64(level))]),
        types: nil, in: .default)
    }
  }

  static func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<4000 {
      if condition() { return true }
      try? await Task.sleep(for: .milliseconds(5))
    }
    return condition()
  }

  @Test func aSubscriptionTellsWhatItsOwnerMaySeeToday() async throws {
    let receiver = Receiver()
    let city = try RuledHub(Self.rules, sender: receiver)
    try await city.fill()
    try await Self.subscribe(RuledHub.caller("kim", roles: ["reader"]), try Self.document("kim"), city)
    try await Self.subscribe(RuledHub.caller("lee", roles: ["reader"]), try Self.document("lee"), city)
    func told(_ id: String) -> Int { receiver.messages(to: "http://receiver.example/" + id).count }
    try await Self.set(1, 10, city)
    #expect(await Self.eventually { told("kim") == 1 && told("lee") == 1 })
    // Kim's role is taken, then Kim's account.
    city.today.set(RuledHub.caller("kim"), "kim")
    try await Self.set(1, 11, city)
    city.today.set(nil, "kim")
    try await Self.set(1, 12, city)
    #expect(await Self.eventually { told("lee") == 3 })
    #expect(told("kim") == 1)
    await city.end()
  }

  /// What waits for its receiver is told as far as its owner may see it when it is sent.
  @Test func whatWaitsIsJudgedWhenItIsSent() async throws {
    let receiver = Receiver()
    let city = try RuledHub(Self.rules, sender: receiver)
    try await city.fill()
    let people = ["kim", "lee", "max", "all"]
    for id in people {
      try await Self.subscribe(
        RuledHub.caller(id, roles: ["reader"]),
        try Self.document(id, "\"notificationTrigger\": [\"attributeUpdated\", \"entityDeleted\"],"), city)
    }
    try await Self.subscribe(RuledHub.caller("n", agency: "north"), try Self.document("n"), city)
    func told(_ id: String) -> [JSON] {
      receiver.messages(to: "http://receiver.example/" + id).flatMap { $0["data"]?.items ?? [] }
    }
    receiver.refuses.withLock { $0 = true }
    let asked = receiver.asked
    try await Self.set(1, 10, city)
    // Each has been tried, in vain.
    #expect(await Self.eventually { receiver.asked >= asked + 5 })
    try await Hub.asCity { try await city.hub.delete("urn:ngsi-ld:Room:4", types: nil, in: .default) }
    city.today.set(RuledHub.caller("kim"), "kim")
    city.today.set(nil, "lee")
    try city.rules.replace(
      Self.rules + """
        forbid(principal == Person::"max", action == Action::"read", resource)
        when { context has attribute && context.attribute == "level" };
        forbid(principal in Agency::"north", action == Action::"read", resource)
        when { context has attribute && context.attribute == "code" };
        """)
    receiver.refuses.withLock { $0 = false }
    // Retries come by the clock of the hub.
    city.move(10)
    try await Self.set(1, 11, city)
    #expect(await Self.eventually { told("all").count == 3 && told("n").count == 2 && told("max").count == 1 })
    #expect(told("all").map { $0["level"]?["value"] } == [10, nil, 11])
    #expect(told("all")[1]["deletedAt"] != nil)
    #expect(told("n").map { $0["level"]?["value"] } == [10, 11])
    #expect(told("n").allSatisfy { $0["code"] == nil })
    // A change of what he may not see any more is none to him; that an entity ended is.
    #expect(told("max").map { $0["id"] } == ["urn:ngsi-ld:Room:4"])
    #expect(told("kim").isEmpty && told("lee").isEmpty)
    await city.end()
  }

  /// The same of letters that are sent again.
  @Test func lettersAreJudgedWhenTheyAreSentAgain() async throws {
    let receiver = Receiver()
    let city = try RuledHub(
      Self.rules + "permit(principal in Role::\"root\", action == Action::\"read\", resource);", sender: receiver)
    try await city.fill()
    let root = RuledHub.caller("root", roles: ["root"])
    try await Self.subscribe(RuledHub.caller("kim", roles: ["reader"]), try Self.document("kim"), city)
    let room = try await Hub.asCity { try city.hub.entity("urn:ngsi-ld:Room:1", in: .default) }
    let payload = Notification.judged(Notification.payload([room]), by: [room])
    let letter = StoredDocument(
      id: "100",
      body: [
        "subscriptionId": "urn:ngsi-ld:Subscription:kim", "reason": "not now", "at": .string(city.hub.time.description),
        "data": .string(String(decoding: payload, as: UTF8.self)),
      ])
    func resend() async throws -> Int {
      try await city.store.write { try $0.put(letter, collection: Notifier.deadLetterCollection, in: .default) }
      let shown = try Caller.$current.withValue(root) {
        try city.hub.deadLetters(in: .default, page: Page(limit: 9)).letters
      }
      #expect(shown.first?.data.items.first?["id"] == "urn:ngsi-ld:Room:1")
      return try await Caller.$current.withValue(root) {
        try await city.hub.resendDeadLetters(.all, in: .default).done.count
      }
    }
    func told() -> [JSON] { receiver.messages(to: "http://receiver.example/kim").flatMap { $0["data"]?.items ?? [] } }
    #expect(try await resend() == 1)
    #expect(await Self.eventually { told().count == 1 })
    try city.rules.replace(
      Self.rules + "permit(principal in Role::\"root\", action == Action::\"read\", resource);"
        + "forbid(principal == Person::\"kim\", action == Action::\"read\", resource in Scope::\"/north\");")
    #expect(try await resend() == 1)
    try await Self.set(3, 30, city)
    #expect(await Self.eventually { told().count == 2 })
    #expect(told().map { $0["id"] } == ["urn:ngsi-ld:Room:1", "urn:ngsi-ld:Room:3"])
    await city.end()
  }

  @Test func aSubscriptionStaysItsMakers() async throws {
    let receiver = Receiver()
    let city = try RuledHub(Self.rules, sender: receiver)
    try await city.fill()
    let (kim, root) = (RuledHub.caller("kim", roles: ["reader"]), RuledHub.caller("root", roles: ["root"]))
    try await Self.subscribe(kim, try Self.document("kim"), city)
    let id = "urn:ngsi-ld:Subscription:kim"
    func change(_ caller: Caller, _ patch: JSONObject) async -> Problem? {
      await LeakTests.problem(caller) {
        try await city.hub.updateSubscription(id, with: patch, context: nil, in: .default)
      }
    }
    // Who administers does not turn to himself what he may not read.
    let mine = try object("{\"notification\": {\"endpoint\": {\"uri\": \"http://receiver.example/root\"}}}")
    let (off, on) = (try object("{\"isActive\": false}"), try object("{\"isActive\": true}"))
    #expect(await change(root, mine)?.kind == .forbidden)
    #expect(await change(RuledHub.caller("x"), off)?.kind == .resourceNotFound)
    #expect(await change(root, off) == nil)
    try await Self.set(1, 20, city)
    #expect(await change(root, on) == nil)
    try await Self.set(1, 21, city)
    #expect(await Self.eventually { receiver.messages(to: "http://receiver.example/kim").count == 1 })
    #expect(await change(kim, mine) == nil)
    try await Self.set(1, 22, city)
    #expect(await Self.eventually { receiver.messages(to: "http://receiver.example/root").count == 1 })
    await city.end()
  }

  @Test func whatComesIntoSightTellsNothingOfBefore() async throws {
    let receiver = Receiver()
    let city = try RuledHub(Self.rules, sender: receiver)
    try await city.fill()
    let triggers = "\"entityCreated\", \"attributeCreated\", \"attributeUpdated\", \"entityDeleted\""
    let document = try Self.document(
      "n", "\"notificationTrigger\": [\(triggers)],", told: "\"showChanges\": true,")
    try await Self.subscribe(RuledHub.caller("n", agency: "north"), document, city)
    func told() -> [JSON] { receiver.messages(to: "http://receiver.example/n").compactMap { $0["data"]?.items.first } }
    // A room of the south with a new level moves north.
    try await Hub.asCity {
      try await city.hub.merge(
        "urn:ngsi-ld:Room:3", with: RuledHub.fragment("Room:3", "Room", ["level": 99], scope: "/north/b"),
        options: MergeOptions(), types: nil, in: .default)
    }
    #expect(await Self.eventually { told().count == 1 })
    let first = try #require(told().first)
    #expect(first["level"]?["value"] == 99)
    #expect(first["level"]?["previousValue"] == nil)
    #expect(first["code"]?["value"] == "s3")
    // Back in the south it has ended, and nothing of its new level is told.
    try await Hub.asCity {
      try await city.hub.merge(
        "urn:ngsi-ld:Room:3", with: RuledHub.fragment("Room:3", "Room", ["level": 100], scope: "/south"),
        options: MergeOptions(), types: nil, in: .default)
    }
    #expect(await Self.eventually { told().count == 2 })
    let last = try #require(told().last)
    #expect(last["deletedAt"] != nil)
    #expect(!JSONWriter.text(last).contains("100"))
    await city.end()
  }

  @Test func aDeadLetterGoesToNoLaterSubscriptionOfTheSameId() async throws {
    let receiver = Receiver()
    let city = try RuledHub(
      Self.rules + "permit(principal in Role::\"root\", action == Action::\"read\", resource);",
      sender: receiver)
    try await city.fill()
    let (kim, root) = (RuledHub.caller("kim", roles: ["reader"]), RuledHub.caller("root", roles: ["root"]))
    let letter = StoredDocument(
      id: "1",
      body: [
        "subscriptionId": "urn:ngsi-ld:Subscription:kim", "reason": "not now", "at": .string(city.hub.time.description),
        "data": .string("[{\"id\": \"urn:ngsi-ld:Room:1\", \"type\": \"Room\"}]"),
      ])
    try await city.store.write { try $0.put(letter, collection: Notifier.deadLetterCollection, in: .default) }
    city.move(60)
    try await Self.subscribe(kim, try Self.document("kim"), city)
    let outcome = try await Caller.$current.withValue(root) {
      try await city.hub.resendDeadLetters(.all, in: .default)
    }
    #expect(outcome.done.isEmpty)
    #expect(outcome.kept.map(\.problem.kind) == [.resourceNotFound])
    // What it holds is for who may read it.
    let shown = try Caller.$current.withValue(root) {
      try city.hub.deadLetters(in: .default, page: Page(limit: 9)).letters
    }
    #expect(shown.first?.data.items.count == 1)
    try city.rules.replace(Self.rules)
    let withheld = try Caller.$current.withValue(root) {
      try city.hub.deadLetters(in: .default, page: Page(limit: 9)).letters
    }
    #expect(withheld.map(\.reason) == ["not now"])
    #expect(withheld.first?.data == .null)
    await city.end()
  }

  @Test func whoMayRegisterNoMoreHearsOfNoRegistrations() async throws {
    let receiver = Receiver()
    let city = try RuledHub(Self.rules, sender: receiver)
    let (kim, root) = (RuledHub.caller("kim", roles: ["root"]), RuledHub.caller("root", roles: ["root"]))
    try await Self.subscribe(kim, try Self.document("kim"), about: .registrations, city)
    try await Self.subscribe(root, try Self.document("root"), about: .registrations, city)
    func told(_ id: String) -> Int { receiver.messages(to: "http://receiver.example/" + id).count }
    func register(_ number: Int) async throws {
      try await Caller.$current.withValue(root) {
        _ = try await city.hub.register(
          object(
            """
            {"id": "urn:ngsi-ld:ContextSourceRegistration:\(number)", "type": "ContextSourceRegistration",
             "endpoint": "http://source.example", "information": [{"entities": [{"type": "Room"}]}]}
            """), context: .core, in: .default)
      }
    }
    try await register(1)
    #expect(await Self.eventually { told("kim") == 1 && told("root") == 1 })
    city.today.set(RuledHub.caller("kim"), "kim")
    try await register(2)
    #expect(await Self.eventually { told("root") == 2 })
    #expect(told("kim") == 1)
    await city.end()
  }
}
