import Fuzzing
import Testing

@testable import NGSI

/// Nearly right documents against the readers of JSON, times, geometries and JSON-LD (see `Fuzz`).
@Suite(.serialized) struct FuzzTests {
  /// A document says it was read, and was read as something else.
  private struct Broken: Error {
    let what: String

    init(_ what: String) { self.what = what }
  }

  private func check(_ outcome: Fuzz.Outcome) {
    #expect(outcome.findings == [])
    #expect(outcome.isTelling, "\(outcome.taken) of \(outcome.tried) were taken")
  }

  @Test func json() {
    let seeds = [
      #"{"id":"urn:x:1","type":"T","a":{"type":"Property","value":[1,-2.5e3,null,true,"é\u0000\ud83d\ude00"]}}"#,
      "[[[[]]],{}]", "-0.0", "12345678901234567890.123e-400", #""\\\"\/\b\f\n\r\t""#, " \t\r\n[1 , 2]\n",
    ]
    let tokens = [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "0", "-", "1e999", ".", "E+", "true", "null", "nul", " ",
      "\u{0}", "é", "\u{FEFF}", "[[[[[[[[[[[[[[[[", "{\"a\":{\"a\":{\"a\":",
    ]
    check(
      Fuzz().run {
        Mutation.text(&$0, seeds, tokens)
      } isRefusal: {
        $0 is JSONError
      } parse: { (text: String) in
        let json = try JSONParser.parse(text)
        let written = JSONWriter.text(json)
        guard try JSONParser.parse(written) == json else { throw Broken("written as \(written)") }
      })
  }

  @Test func bytesAsJSON() {
    let seeds = [#"{"이름":"서울","a":[1,2,{"b":"\ud83d\ude00"}]}"#, "\"\u{10FFFF}\u{7FF}\"", "[0.1,1e5]"].map {
      Array($0.utf8)
    }
    check(
      Fuzz().run {
        Mutation.bytes(&$0, seeds)
      } isRefusal: {
        $0 is JSONError
      } parse: { (bytes: [UInt8]) in
        let json = try JSONParser.parse(bytes)
        guard String(validating: bytes, as: UTF8.self) != nil else { throw Broken("no UTF-8, and taken") }
        guard try JSONParser.parse(JSONWriter.bytes(json)) == json else { throw Broken("is written as another") }
      })
  }

  @Test func times() {
    let seeds = [
      "2017-12-24T12:00:00Z", "2017-12-24T12:00:00,123456+09:00", "2016-12-31T23:59:60Z", "2000-02-29T24:00:00Z",
      "0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z",
    ]
    let tokens = ["0", "9", "-", ":", "T", "t", "Z", "z", ".", ",", "+", "24", "60", "29", "99999", " ", "é", "\u{0}"]
    struct Refused: Error {}
    check(
      Fuzz().run {
        Mutation.text(&$0, seeds, tokens)
      } isRefusal: {
        $0 is Refused
      } parse: { (text: String) in
        guard let time = DateTime(text) else { throw Refused() }
        guard DateTime(time.description) == time else { throw Broken("is shown as \(time)") }
      })
  }

  private static let positions: [JSON] = [
    0, 1, -180, 180.0, 90, -90, 91, 1e308, .double(-0.0), .null, "1", [], [0, 0], [1, 1, 1],
    [[0, 0], [1, 0], [1, 1], [0, 0]],
    .integer(.max), true,
  ]

  @Test func geometries() throws {
    let seeds: [JSON] = try [
      #"{"type":"Point","coordinates":[127.0,37.5]}"#, #"{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}"#,
      #"{"type":"LineString","coordinates":[[1,2],[3,4],[5,6]]}"#,
      #"{"type":"MultiLineString","coordinates":[[[1,2],[3,4]],[[5,6],[7,8]]]}"#,
      #"{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]],[[1,1],[2,1],[2,2],[1,1]]]}"#,
      #"{"type":"MultiPolygon","coordinates":[[[[0,0],[4,0],[4,4],[0,0]]]]}"#,
      #"{"type":"GeometryCollection","geometries":[]}"#,
    ].map { try JSONParser.parse($0) }
    let keys = ["type", "coordinates", "geometries", "bbox", "crs", "a"]
    let names: [JSON] = ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "Feature"]
    check(
      Fuzz().run {
        Mutation.json(&$0, seeds, keys: keys, values: Self.positions + names)
      } parse: { (geometry: JSON) in
        let document: JSON = ["id": "urn:x:1", "type": "T", "g": ["type": "GeoProperty", "value": geometry]]
        let entity = try EntityReader(context: .core).entity(document).entity()
        guard Geometry.isGeometry(geometry), Geometry.failure(of: geometry) == nil else {
          throw Broken("taken, and none")
        }
        try Self.requireStored(entity)
      })
  }

  /// Contexts with everything that JSON-LD knows, in documents that use it.
  @Test func jsonLD() throws {
    let seeds: [JSON] = try [
      #"""
      {"@context":[{"ex":"https://e.example/","T":"ex:T","a":{"@id":"ex:a","@type":"@id"},"b":"ex:b",
        "l":{"@id":"ex:l","@container":"@language"},"@vocab":"https://v.example/"},
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"],
       "id":"urn:x:1","type":["T","ex:U"],"a":{"type":"Property","value":{"b":[1,{"@value":"x","@type":"ex:t"}]}},
       "l":{"type":"LanguageProperty","languageMap":{"en":"hi","@none":"x"}}}
      """#,
      "{" + #""@context":"https://c.example/one.jsonld","id":"urn:x:2","type":"T","#
        + RepresentationTests.everything + "}",
      #"{"id":"urn:x:3","type":"T","r":[{"type":"Relationship","object":"urn:x:1","datasetId":"urn:d:1"},{"object":"urn:x:2"}]}"#,
    ].map { try JSONParser.parse($0) }
    let keys = [
      "@context", "@id", "@type", "@value", "@vocab", "@base", "@container", "@language", "@set", "@list", "@reverse",
      "@graph", "@none", "@version", "@import", "@propagate", "@protected", "@index", "@nest", "@prefix", "@direction",
      "id", "type", "value", "object", "languageMap", "vocab", "json", "valueList", "objectList", "observedAt",
      "datasetId", "unitCode", "createdAt", "expiresAt", "scope", "ex", "ex:a", "a", "T", "https://e.example/a", "",
      "이름",
      "urn:x", ":", "_:b", "a b",
    ]
    let one = "https://c.example/one.jsonld"
    let values: [JSON] = [
      .null, true, 0, -1.5, "", "x", "ex:a", "ex:", "urn:x:1", "https://e.example/", "@id", "@vocab", "@type", "@set",
      "@none",
      "_:b", "urn:ngsi-ld:null", "2020-01-01T00:00:00Z", .string(one), "https://c.example/two.jsonld", "Property",
      "Relationship", "GeoProperty", "LanguageProperty", [], [[]], .object(JSONObject()), ["@id": "ex:a"],
      ["a": "b", "b": "a"], ["@id": "a", "@container": ["@set", "@language"]], ["type": "Property", "value": 1],
      ["@vocab": .null], ["@reverse": "ex:r"], ["@import": .string(one)], ["value": ["@value": 1]],
      .string(String(repeating: "a:", count: 500)),
    ]
    let documents: [String: JSON] = [
      one: ["@context": ["T": "https://one.example/T", "p": ["@id": "https://one.example/p", "@type": "DateTime"]]],
      "https://c.example/two.jsonld": ["@context": [.string(one), "https://c.example/two.jsonld"]],
    ]
    check(
      Fuzz(share: 0.15).run {
        Mutation.json(&$0, seeds, keys: keys, values: values)
      } parse: { (document: JSON) in
        let context = try ContextProcessor.context(document["@context"] ?? .null, documents: documents)
        var body = document
        if case .object(var object) = document {
          object["@context"] = nil
          body = .object(object)
        }
        let entity = try EntityReader(context: context, rules: .systemMembers).entity(body).entity()
        try Self.requireStored(entity)
        // What is written with the context is JSON, and can be read again with it.
        var writer = JSONWriter()
        EntityWriter(context: context, representation: Representation(.normalized)).write(entity, to: &writer)
        _ = try JSONParser.parse(writer.bytes)
        for name in entity.types + entity.attributes.map(\.name) {
          guard context.expand(context.compact(name)) == name else {
            throw Broken(
              "\(name) is shown as \(context.compact(name)), which says \(context.expand(context.compact(name)))")
          }
        }
      })
  }

  /// What is stored is read back as it was.
  private static func requireStored(_ entity: Entity) throws {
    let stored = try EntityWriter.storedBytes(entity).withUnsafeBufferPointer { try EntityWriter.stored($0) }
    guard stored == entity else {
      let differing = zip(entity.attributes, stored.attributes).filter { $0 != $1 }
      throw Broken("is stored as another: \(differing)")
    }
  }
}
