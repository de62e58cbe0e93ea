import Testing
import TestSupport

@testable import NGSI

@Suite("Reading entities")
struct ReaderTests {
  // Clauses: 4.6.2, 4.6.5, 5.5.4
  @Test(
    "what clients get wrong is a bad request",
    arguments: [
      #"[]"#, #"{"id": "no uri"}"#, #"{"id": 1}"#, #"{"id": "urn:ngsi-ld:null"}"#, #"{"type": []}"#, #"{"type": 7}"#,
      #"{"type": "urn:ngsi-ld:null"}"#, #"{"type": "a(b"}"#, #"{"a": null}"#, #"{"a": {"value": null}}"#,
      #"{"a": "urn:ngsi-ld:null"}"#, #"{"a": {"value": "urn:ngsi-ld:null"}}"#,
      #"{"a": {"value": {"x": [{"y": "urn:ngsi-ld:null"}]}}}"#,
      #"{"a": {"languageMap": {"@none": "urn:ngsi-ld:null"}}}"#,
      #"{"a": {"value": 1, "object": "urn:x:1"}}"#, #"{"a": {"type": "Property", "object": "urn:x:1"}}"#,
      #"{"a": {"type": "Unknown", "value": 1}}"#, #"{"a": {"type": "PostalAddress", "street": "x"}}"#,
      #"{"a": {"object": "no uri"}}"#, #"{"a": {"object": []}}"#, #"{"a": {"object": "urn:x:1", "unitCode": "CEL"}}"#,
      #"{"a": {"languageMap": {}}}"#, #"{"a": {"languageMap": {"x y": "z"}}}"#, #"{"a": {"languageMap": {"en": 1}}}"#,
      #"{"a": {"vocab": 1}}"#, #"{"a": {"valueList": 1}}"#, #"{"a": {"objectList": [1]}}"#,
      #"{"a": {"objectList": [{"object": "urn:x:1", "x": 1}]}}"#, #"{"a": {"value": 1, "observedAt": "yesterday"}}"#,
      #"{"a": {"value": 1, "datasetId": "no uri"}}"#, #"{"a": {"value": 1, "@context": {}}}"#,
      #"{"a": [{"value": 1}, {"value": 2}]}"#, #"{"a": {"type": "GeoProperty", "value": 1}}"#,
      #"{"a": {"type": "Point", "coordinates": [200, 1]}}"#, #"{"a": {"type": "Point", "coordinates": ["x", 1]}}"#,
      #"{"a": {"type": "GeoProperty", "value": {"type": "GeometryCollection", "geometries": []}}}"#,
      #"{"a": {"type": "Polygon", "coordinates": [[[0,0],[1,0],[1,1],[0,1]]]}}"#, #"{"datasetId": 1}"#, #"{"a b": 1}"#,
      #"{"": 1}"#, #"{"a=b": 1}"#, #"{"a": 1, "https://uri.etsi.org/ngsi-ld/default-context/a": 2}"#,
      #"{"scope": "1x"}"#, #"{"scope": 5}"#, #"{"expiresAt": 5}"#, #"{"@graph": []}"#,
      #"{"a": {"value": 1, "entityIdSealed": "x"}}"#,
      // Found by fuzzing: was stored as one thing and read back as another.
      #"{"ngsildproof": {"value": {"proof": 1}, "entityTypeSealed": {"@graph": "T"}}}"#,
      #"{"ngsildproof": {"value": {"proof": 1}, "entityIdSealed": {"value": 1}}}"#,
    ])
  func refuses(text: String) throws {
    let json = try JSONParser.parse(text)
    let problem = #expect(throws: Problem.self) { try EntityReader(context: .core).entity(json) }
    #expect(problem?.kind == .badRequestData && problem?.status == 400)
  }

  // Clauses: 5.2.2
  @Test("members that only the hub sets are read over")
  func readOnly() throws {
    let entity = try Sample.fragment(
      #"""
      {"id": "urn:e:1", "type": "T", "createdAt": "2000-01-01T00:00:00Z", "modifiedAt": "nonsense",
       "a": {"value": 1, "createdAt": 7, "instanceId": "x", "previousValue": 3, "lang": "en", "entity": {}}}
      """#
    ).entity()
    #expect(entity.createdAt == nil)
    #expect(entity.attributes[0].instances == [Attribute(kind: .property, value: 1)])
  }

  // Clauses: 4.5.2, 4.5.3, 4.5.18, 4.5.20, 4.5.21, 4.5.22, 4.5.24, 4.7.3
  @Test(
    "kinds are inferred from the value where the concise form leaves the type out",
    arguments: [
      ("1", AttributeKind.property), (#"{"street": "x"}"#, .property), (#"[{"a": 1}, 2]"#, .property),
      (#"{"type": "Point", "coordinates": [1, 2]}"#, .geoProperty),
      (#"{"value": {"type": "Point", "coordinates": [1, 2]}}"#, .geoProperty), (#"{"value": 1}"#, .property),
      (#"{"object": "urn:x:1"}"#, .relationship), (#"{"languageMap": {"en": "x"}}"#, .languageProperty),
      (#"{"vocab": "x"}"#, .vocabProperty), (#"{"json": null}"#, .jsonProperty), (#"{"valueList": []}"#, .listProperty),
      (#"{"objectList": ["urn:x:1"]}"#, .listRelationship),
      (#"{"type": "VocabularyProperty", "vocab": "x"}"#, .vocabProperty),
      (#"{"type": "https://uri.etsi.org/ngsi-ld/Property", "value": "x"}"#, .property),
    ])
  func kinds(text: String, kind: AttributeKind) throws {
    let fragment = try Sample.fragment(#"{"a": \#(text)}"#)
    #expect(fragment.attributes[0].instances.map(\.kind) == [kind])
    #expect(throws: Never.self) { try fragment.attributes[0].attributeSet() }
  }

  // Clauses: 4.5.5, 4.7.2
  @Test("a geometry in a string is a geometry, and @none is the default instance")
  func leniency() throws {
    let entity = try Sample.entity(
      #""g": {"type": "GeoProperty", "value": "{\"type\": \"Point\", \"coordinates\": [1, 2]}"}, "a": {"value": 1, "datasetId": "@none"}"#
    )
    #expect(entity[attribute: Sample.iri("g")]?.instances[0].value == ["type": "Point", "coordinates": [1, 2]])
    #expect(entity[attribute: Sample.iri("a")]?.instances[0].datasetId == nil)
  }

  // Clauses: 4.6.2, 5.5.7
  @Test("a user context: aliases of keywords, forbidden names, names that mean the same")
  func userContext() throws {
    let context = try ContextProcessor.context(
      ["uid": "@id", "kind": "@type", "gone": .null, "x": "https://a.example/x", "y": "https://a.example/x"],
      documents: [:])
    let reader = EntityReader(context: context)
    let entity = try reader.entity(["uid": "urn:e:1", "kind": "T", "x": 1]).entity()
    #expect(entity.id == "urn:e:1" && entity.attributes.map(\.name) == ["https://a.example/x"])
    #expect(throws: Problem.self) { try reader.entity(["gone": 1]) }
    #expect(throws: Problem.self) { try reader.entity(["x": 1, "y": 2]) }
  }

  // Clauses: 4.5.1
  @Test("10,000 attributes are read without quadratic work, more are refused")
  func many() throws {
    func text(_ count: Int) -> String {
      #"{"id": "urn:e:1", "type": "T", \#((0..<count).map { #""a\#($0)": {"type": "Property", "value": \#($0)}"# }.joined(separator: ","))}"#
    }
    let bytes = Array(text(10_000).utf8)
    let taken = try processorTime {
      let entity = try EntityReader(context: .core).entity(JSONParser.parse(bytes)).entity()
      #expect(entity.attributes.count == 10_000)
    }
    // A debug build; the release build takes a tenth. Quadratic work would take many seconds.
    #expect(taken < .seconds(2))
    #expect(throws: Problem.self) { try EntityReader(context: .core).entity(JSONParser.parse(text(10_001))) }
  }

  // Clauses: 4.5.1
  @Test("deep nesting is refused, not followed")
  func deep() throws {
    let text = String(repeating: #"{"a":"#, count: 10_000) + "1" + String(repeating: "}", count: 10_000)
    #expect(throws: JSONError.self) { try JSONParser.parse(text) }
    var attribute: JSON = ["value": 1]
    for _ in 0..<40 { attribute = ["value": 1, "a": attribute] }
    #expect(throws: Problem.self) { try EntityReader(context: .core).entity(["a": attribute]) }
  }
}
