import City
import Foundation
import Fuzzing
import MQTT
import NGSI
import Testing

@testable import Ingest

/// Nearly right messages against the readers of adapters (see `Fuzz`): entities that the hub can read, or a reason.
@Suite(.serialized) struct FuzzTests {
  private struct Broken: Error {
    let what: String
  }

  private let time = DateTime(microseconds: 1_700_000_000_000_000)

  private func check(_ outcome: Fuzz.Outcome) {
    #expect(outcome.findings == [])
    #expect(outcome.isTelling, "\(outcome.taken) of \(outcome.tried) were taken")
  }

  /// What an adapter makes must be in a form that the hub reads, if not in a value that it takes.
  private func requireForm(_ input: AdaptedInput) throws {
    for entity in input.entities {
      guard let id = entity["id"]?.string, !id.isEmpty, entity["type"]?.string?.isEmpty == false else {
        throw Broken(what: "an entity without id or type: \(JSONWriter.text(entity).prefix(300))")
      }
      guard IRI.isAbsolute(id) else { throw Broken(what: "an id that is no URI: \(id.prefix(300))") }
    }
    guard !input.entities.isEmpty else { throw Problem.badRequest("nothing was taken") }
  }

  @Test func senML() throws {
    let seeds = [
      #"[{"bn":"urn:dev:mac:01:","bt":1.7e9,"bu":"m","n":"level","v":3.5},{"n":"level","t":60,"v":3.25}]"#,
      #"[{"n":"a/t","u":"Cel","v":20,"s":3},{"n":"a/ok","vb":true},{"n":"b:x","vs":"on"},{"n":"c","vd":"aGk"}]"#,
      #"[{"bver":10,"bv":1,"bs":2,"n":"x:y"},{"n":"z","t":-5,"ut":3}]"#,
    ]
    let tokens = [
      "\"bn\":", "\"bt\":", "\"v\":", "\"vs\":", "\"n\":", "\"t\":", "\"s\":", "1e308", "-1e400", "268435456", "{", "}",
      "[",
      "]", ",", "\"x_\":1", "\"urn:a b\"", "é", "\\u0000", "null", "\"bver\":11",
    ]
    var plan = Manifest.Adapter(id: "f", format: .senml)
    plan.attributes = nil
    let adapter = Adapter(plan)
    check(
      Fuzz().run {
        Mutation.text(&$0, seeds, tokens)
      } isRefusal: {
        $0 is JSONError
      } parse: { (text: String) in
        try requireForm(adapter.read(JSONParser.parse(text), at: time))
      })
  }

  @Test func otherMessages() throws {
    let seeds = [
      #"{"subscriptionId":"1","data":[{"id":"T 2","type":"Tank","level":{"type":"Number","value":1,"metadata":{"TimeInstant":{"value":"2026-01-01T00:00:00Z"}}},"at":{"type":"geo:point","value":"37.5, 127"}}]}"#,
      #"[{"id":"urn:x:1","type":"A","b":3,"refX":"urn:ngsi-ld:B:1","box":{"type":"geo:box","value":["1,2","3,4"]}}]"#,
    ]
    let tokens = [
      "\"id\":", "\"value\":", "\"type\":", "geo:line", "geo:polygon", "\"1,2\"", "null", "{", "}", "[", "]", ",",
      "\"é\"",
    ]
    let adapter = Adapter(Manifest.Adapter(id: "f", format: .ngsiv2))
    check(
      Fuzz().run {
        Mutation.text(&$0, seeds, tokens)
      } isRefusal: {
        $0 is JSONError
      } parse: { (text: String) in
        try requireForm(adapter.read(JSONParser.parse(text), at: time))
      })
    var plan = Manifest.Adapter(id: "f", format: .sensorthings)
    plan.datastreams = ["7": .init(entity: "urn:ngsi-ld:T:7", attribute: "t")]
    let things = Adapter(plan)
    let observations = [
      #"{"phenomenonTime":"2026-01-01T00:00:00Z/2026-01-01T01:00:00Z","result":2,"Datastream":{"@iot.id":7}}"#,
      #"[{"Datastream":{"@iot.id":"7"},"components":["result","phenomenonTime"],"dataArray":[[1,"2026-01-01T00:00:00Z"],[2,null]]}]"#,
      #"{"result":[1],"resultQuality":{"a":1},"Datastream@iot.navigationLink":"http://x/Datastreams('7')"}"#,
    ]
    let words = ["\"result\":", "\"@iot.id\":", "7", "\"dataArray\":", "[[", "]]", "{", "}", ",", "null", "/", "(7)"]
    check(
      Fuzz().run {
        Mutation.text(&$0, observations, words)
      } isRefusal: {
        $0 is JSONError
      } parse: { (text: String) in
        try requireForm(things.read(JSONParser.parse(text), at: time))
      })
  }

  @Test func topicMapping() throws {
    var mqtt = Manifest.Adapter.MQTT(broker: "mqtt://b", topics: [])
    var plain = Manifest.Adapter.MQTT.Topic(topic: "city/{district}/+/{device}/{what}")
    (plain.entity, plain.type, plain.attribute) = ("urn:d:{district}:{device}", "{district}", "{what}")
    var rest = Manifest.Adapter.MQTT.Topic(topic: "x/{rest#}")
    (rest.entity, rest.type, rest.attribute, rest.as) = ("urn:r:{rest}", "R", "v", "text")
    mqtt.topics = [plain, rest]
    var reading = try TopicReading(Manifest.Adapter(id: "f", format: .value), mqtt, mappings: [nil, nil])
    let seeds = ["city/North/s/7/temp\n21.5", "city/A/b/c d/e\n-1e3", "x/a/b/c\non", "x\n", "$SYS/x\n1"]
    let tokens = [
      "/", "//", "+", "#", "$", "{", "}", "\n", "é", "\u{0}", "%", "\"", "<", " ", "1e999", "value", "id", ".5",
    ]
    check(
      Fuzz().run {
        Mutation.text(&$0, seeds, tokens)
      } parse: { (text: String) in
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        var input = AdaptedInput()
        reading.read(
          MQTTMessage(topic: String(parts[0]), payload: Array((parts.count > 1 ? parts[1] : "").utf8)), at: time,
          into: &input)
        guard input.entities.count + input.refused.count == 1 else { throw Broken(what: "neither taken nor refused") }
        try requireForm(input)
      })
  }

  @Test func topicPatterns() {
    let seeds = ["city/{district}/sensor/{device}/temp", "+/+/#", "{a}/{b#}", "$share", "a//b"]
    let tokens = ["/", "{", "}", "#}", "+", "#", "a", "$", "{a}", "\u{1}", "é"]
    check(
      Fuzz().run {
        Mutation.text(&$0, seeds, tokens)
      } isRefusal: {
        $0 is TopicPattern.Flaw
      } parse: { (text: String) in
        let pattern = try TopicPattern(text)
        // The filter of a pattern covers what stands in the place of its names, itself above all.
        let plain = try TopicPattern(pattern.filter)
        let topic = pattern.filter.replacing("+", with: "x").replacing("#", with: "y/z")
        guard (plain.values(in: topic) != nil) == (pattern.values(in: topic) != nil) else {
          throw Broken(what: "pattern and filter differ on \(topic)")
        }
      })
  }

  @Test func timetables() {
    let seeds = ["15 6 * * mon-fri", "*/5 0-6,22 1-15/2 jan,dec 0", "0 0 29 2 7", "59 23 31 12 *"]
    let tokens = ["*", "/", "-", ",", " ", "0", "7", "31", "sun", "99999999999", "é", "?"]
    check(
      Fuzz(share: 0.2).run {
        Mutation.text(&$0, seeds, tokens)
      } isRefusal: {
        $0 is Timetable.Flaw
      } parse: { (text: String) in
        let times = try Timetable(text)
        if let next = times.next(after: time, in: .gmt), next <= time { throw Broken(what: "it runs backwards") }
      })
  }
}
