import JSONSchema
import NGSI
import Testing

@Suite("JSON Schema")
struct SchemaTests {
  @Test("a failure names member, what is expected and what is found")
  func failures() throws {
    let schema = try Schema([
      "type": "object", "required": ["id", "no2"],
      "properties": [
        "no2": ["type": "number", "minimum": 0], "status": ["enum": ["ok", "defective"]],
        "dateObserved": ["type": "string", "format": "date-time"],
        "address": ["properties": ["postalCode": ["type": "string", "maxLength": 5]]],
      ],
    ])
    let failures = try schema.validate([
      "id": "urn:a:1", "no2": "41", "status": "broken", "dateObserved": "yesterday",
      "address": ["postalCode": "123456"],
    ])
    #expect(
      failures.map(\.description) == [
        #"'/no2': expected number, found "41""#, #"'/status': expected one of ["ok","defective"], found "broken""#,
        #"'/dateObserved': expected a time such as 2026-11-23T09:00:00Z (RFC 3339), found "yesterday""#,
        "'/address/postalCode': expected at most 5 characters, found 6",
      ])
    #expect(try schema.validate(["id": "urn:a:1"]).map(\.expected) == ["the member 'no2'"])
  }

  @Test("references lead into given documents only")
  func references() throws {
    let common: JSON = ["definitions": ["Name": ["type": "string"]]]
    let url = "https://example.org/common-schema.json"
    let schema: JSON = ["properties": ["name": ["$ref": .string(url + "#/definitions/Name")]]]
    #expect(try Schema(schema, documents: [url: common]).accepts(["name": 1]) == false)
    #expect(throws: SchemaError.self) { try Schema(schema) }
    #expect(throws: SchemaError.self) { try Schema(["$ref": "#/definitions/Missing"]) }
  }

  @Test(
    "a schema that is none says where",
    arguments: [
      ["type": "nothing"], ["minimum": "1"], ["required": [1]], ["pattern": "("], ["properties": [1]], ["allOf": []],
      ["properties": ["a": 5]], ["multipleOf": 0], ["minLength": -1], ["enum": 1],
    ] as [JSON])
  func unusable(schema: JSON) {
    #expect(throws: SchemaError.self) { try Schema(schema) }
  }

  @Test("what a judgement may cost is bounded")
  func bounds() throws {
    let circle = try Schema(["$ref": "#/$defs/a", "$defs": ["a": ["$ref": "#/$defs/b"], "b": ["$ref": "#/$defs/a"]]])
    #expect(throws: SchemaError.self) { try circle.accepts(1) }

    // Each level asks twice: 2^40 steps without a bound.
    var doubling: JSON = ["type": "integer"]
    for _ in 0..<40 { doubling = ["anyOf": [["allOf": [doubling, false]], doubling]] }
    var limits = Schema.Limits()
    limits.nodes = 1_000
    #expect(throws: SchemaError.self) { try Schema(doubling, limits: limits) }
    let twice: JSON = [
      "$ref": "#/$defs/n0",
      "$defs": .object(
        JSONObject(
          uniqueMembers: (0..<60).map { level in
            let next: JSON = ["$ref": .string("#/$defs/n\(level + 1)")]
            return .init(key: "n\(level)", value: ["anyOf": [["allOf": [next, false]], next]])
          } + [.init(key: "n60", value: ["type": "integer"])])),
    ]
    #expect(throws: SchemaError.self) { try Schema(twice).accepts("x") }

    let hostile = try Schema(["pattern": "^(a+)+$"])
    #expect(throws: SchemaError.self) { try hostile.accepts(.string(String(repeating: "a", count: 40) + "b")) }

    let many = try Schema(["items": ["type": "string"]]).validate(.array(Array(repeating: 1, count: 1_000)))
    #expect(many.count == Schema.Limits().failures)
  }

  @Test("numbers are compared as they are written")
  func numbers() throws {
    let cents = try Schema(["multipleOf": 0.01])
    for value in [19.99, 0.07, 1.1, 4.35, 1e22] as [JSON] { #expect(try cents.accepts(value), "\(value)") }
    #expect(try cents.accepts(0.075) == false)
    let whole = try Schema(["type": "integer"])
    #expect(try whole.accepts(try JSONParser.parse("1.0")))
    #expect(try whole.accepts(try JSONParser.parse("12345678901234567890")))
    #expect(try whole.accepts(try JSONParser.parse("1.00000000000000000001")) == false)
  }
}
