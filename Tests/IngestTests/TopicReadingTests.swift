import City
import Foundation
import MQTT
import NGSI
import Testing

@testable import Ingest

@Suite("Messages of topics")
struct TopicReadingTests {
  private let time = DateTime(microseconds: 1_700_000_000_000_000)

  private func topic(_ text: String, _ change: (inout Manifest.Adapter.MQTT.Topic) -> Void = { _ in })
    -> Manifest.Adapter.MQTT.Topic
  {
    var topic = Manifest.Adapter.MQTT.Topic(topic: text)
    change(&topic)
    return topic
  }

  private func read(
    _ format: Manifest.Adapter.Format, _ topics: [Manifest.Adapter.MQTT.Topic], mapping: String? = nil,
    _ messages: [MQTTMessage]
  ) throws -> AdaptedInput {
    var mqtt = Manifest.Adapter.MQTT(broker: "mqtt://b", topics: topics)
    mqtt.mostBytes = 1000
    let read = try mapping.map { try Mapping.read(text: $0, path: "m.yaml") }
    var reading = try TopicReading(Manifest.Adapter(id: "a", format: format), mqtt, mappings: topics.map { _ in read })
    var input = AdaptedInput()
    for message in messages { reading.read(message, at: time, into: &input) }
    return input
  }

  private func message(_ topic: String, _ payload: String, retained: Bool = false) -> MQTTMessage {
    MQTTMessage(topic: topic, payload: Array(payload.utf8), isRetained: retained)
  }

  private var plain: [Manifest.Adapter.MQTT.Topic] {
    [
      topic("city/{district}/sensor/{device}/temp") {
        ($0.entity, $0.type, $0.attribute, $0.unitCode) = ("urn:d:{district}:{device}", "Device", "temperature", "CEL")
      },
      topic("meters/{kind}/{id}/{what}") {
        ($0.entity, $0.type, $0.attribute) = ("urn:m:{id}", "{kind}", "{what}")
        $0.as = "text"
      },
      topic("doors/{id}") {
        ($0.entity, $0.type, $0.attribute, $0.as) = ("urn:door:{id}", "Door", "open", "flag")
      },
    ]
  }

  @Test("a plain value is what its topic says")
  func values() throws {
    let input = try read(
      .value, plain,
      [
        message("city/north/sensor/7/temp", " 21.5\n"), message("meters/Water/a b/state", "on"),
        message("doors/1", "OFF"), message("city/north/sensor/8/temp", "-1e2", retained: true),
      ])
    #expect(input.refused.isEmpty)
    #expect(
      input.entities == [
        [
          "id": "urn:d:north:7", "type": "Device",
          "temperature": [
            "type": "Property", "value": 21.5, "observedAt": .string(time.description), "unitCode": "CEL",
          ],
        ],
        [
          "id": "urn:m:a%20b", "type": "Water",
          "state": ["type": "Property", "value": "on", "observedAt": .string(time.description)],
        ],
        [
          "id": "urn:door:1", "type": "Door",
          "open": ["type": "Property", "value": false, "observedAt": .string(time.description)],
        ],
        [
          "id": "urn:d:north:8", "type": "Device",
          "temperature": ["type": "Property", "value": -100.0, "unitCode": "CEL"],
        ],
      ])
  }

  @Test(
    "what a topic or a payload cannot say is refused with its reason",
    arguments: [
      ("city//sensor/7/temp", "1", "the level 'district' of the topic is empty"),
      ("city/north/sensor/7/temp", "warm", "is no number"), ("city/north/sensor/7/temp", "", "is no number"),
      ("city/north/sensor/7/temp", "1e999", "is no number"), ("elsewhere", "1", "no pattern"),
      ("meters/9 lives/1/state", "on", "the name of a type"), ("meters/Water/1/id", "on", "the name of an attribute"),
      ("meters/Water/1/$where", "on", "the name of an attribute"), ("meters/Water/1/state", "", "empty"),
      ("doors/1", "perhaps", "neither true nor false"),
      ("doors/1", String(repeating: "1", count: 1001), "at most 1000"),
      ("doors/1/2", "1", "no pattern"),
    ])
  func refused(_ topic: String, _ payload: String, _ reason: String) throws {
    let input = try read(.value, plain, [message(topic, payload)])
    #expect(input.entities.isEmpty && input.refused.count == 1)
    #expect(input.refused[0].problem.detail.contains(reason), "\(input.refused[0].problem.detail)")
  }

  @Test("JSON under a mapping whose columns are levels too, and messages of other standards")
  func rows() throws {
    let mapping = """
      mapping: 1
      format: json
      rows: readings
      entity: {id: "urn:s:{site}:{n}", type: "{kind}"}
      observedAt: {from: "{t}", pattern: milliseconds, timeZone: UTC}
      attributes: {level: {column: v.now, range: [0, 10]}}
      """
    let text =
      #"{"readings": [{"n": 1, "kind": "Tank", "t": 1700000000500, "v": {"now": 3}}, {"n": 2, "kind": "Tank", "t": 1, "v": {"now": 11}}]}"#
    let input = try read(
      .json, [topic("tanks/{site}/up")], mapping: mapping,
      [message("tanks/north/up", text), message("tanks/x/up", "{")])
    #expect(input.entities.map { $0["id"] } == ["urn:s:north:1"] && input.refused.count == 2)
    #expect(input.entities[0]["level"]?["observedAt"] == "2023-11-14T22:13:20.500Z")
    let senml = try read(.senml, [topic("#")], [message("any/thing", #"[{"n": "a:t", "u": "Cel", "v": 20}]"#)])
    #expect(senml.entities.count == 1 && senml.entities[0]["id"] == "urn:ngsi-ld:Device:a")
  }
}
