import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

// Clauses: 7.2
/// Notifications over MQTT, apart from the broker (clause 7.2).
@Suite struct MQTTOutletTests {
  @Test func theMessageHoldsMetadataAndBody() throws {
    let message = NotificationMessage(
      url: "mqtt://h/t", headers: [("Content-Type", "application/json"), ("Link", "<c>"), ("key", "a"), ("key", "b")],
      body: Array(#"{"type": "Notification"}"#.utf8), timeout: 1)
    let payload = try JSONParser.parse(MQTTOutlet.payload(message))
    #expect(
      payload == [
        "metadata": ["Content-Type": "application/json", "Link": "<c>", "key": "b"], "body": ["type": "Notification"],
      ])
  }

  @Test func theDefaultsAreThoseOfTheStandard() throws {
    let (version, quality) = try MQTTOutlet.choices([])
    #expect(version == .v5 && quality == .atMostOnce)
    let chosen = try MQTTOutlet.choices([("MQTT-Version", "mqtt3.1.1"), ("other", "x"), ("MQTT-QoS", "2")])
    #expect(chosen.0 == .v311 && chosen.1 == .exactlyOnce)
  }

  /// What can be known to fail is refused when the subscription is made, with the reason.
  @Test func endpointsAreCheckedWhenASubscriptionIsMade() async throws {
    let cases: [(uri: String, members: String, why: String?)] = [
      ("mqtt://h/t", "", nil), ("mqtts://u:p@h:8884/a/b", "", nil), ("http://h/t", "", nil),
      ("mqtt://h/t", #", "notifierInfo": [{"key": "MQTT-QoS", "value": 1}]"#, nil),
      ("mqtt://h/t", #", "accept": "application/ld+json""#, nil), ("mqtt://h/a/#", "", "'#'"),
      ("mqtt://h/a/+", "", "wildcard"), ("mqtt://h", "", "topic"), ("amqp://h/t", "", "mqtts"),
      ("mqtt://h/t", #", "notifierInfo": [{"key": "MQTT-QoS", "value": "3"}]"#, "MQTT-QoS"),
      ("mqtt://h/t", #", "notifierInfo": [{"key": "MQTT-Version", "value": "mqtt4"}]"#, "MQTT-Version"),
      ("mqtt://h/t", #", "notifierInfo": [{"key": "MQTT-QoS"}]"#, "notifierInfo"),
      ("mqtt://h/t", #", "accept": "application/geo+json""#, "geo+json"),
    ]
    let outlets = Outlets(http: HTTPOutlet(), mqtt: MQTTOutlet())
    let hub = try await TestHub(sender: outlets)
    for (uri, members, why) in cases {
      let answer = await hub.post(
        "subscriptions",
        #"{"type": "Subscription", "entities": [{"type": "T"}], "notification": {"endpoint": {"uri": "\#(uri)"\#(members)}}}"#
      )
      if let why {
        #expect(answer.problem == "BadRequestData", "\(uri)\(members)")
        #expect(answer.json["detail"]?.string?.contains(why) == true, "\(uri)\(members): \(answer.text)")
      } else {
        #expect(answer.status == 201, "\(uri)\(members): \(answer.text)")
      }
    }
    await hub.remove()
    await outlets.shutdown()
  }

  /// A hub without a way out over MQTT says so.
  @Test func withoutABrokerBindingMQTTIsRefused() async throws {
    try await withHub { hub in
      #expect(await hub.subscribe(#""entities": [{"type": "T"}]"#, to: "mqtt://h/t").contains("http or https"))
    }
  }
}
