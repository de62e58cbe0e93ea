import JSONSchema
import NGSI
import Oracles
import Testing

/// Schemas and values drawn from the words that data models use, judged by us and by PyPI's jsonschema (whose
/// `multipleOf` divides as floating point does: 0.3 is no multiple of 0.1 to it, so no such divisor is drawn).
@Suite("JSON Schema against jsonschema")
struct AgreementTests {
  @Test("1,200 schemas of three drafts, eight values each")
  func agreement() throws {
    var random = Draw(state: 20_191_108)
    var cases: [(draft: Int, schema: JSON, values: [JSON])] = []
    for index in 0..<1_200 {
      let draft = [7, 2019, 2020][index % 3]
      let body = random.schema(depth: 3, draft: draft)
      var schema = body.object ?? JSONObject()
      if body == false { schema["not"] = true }
      schema["$schema"] = .string(
        draft == 7
          ? "http://json-schema.org/draft-07/schema#"
          : "https://json-schema.org/draft/\(draft == 2019 ? "2019-09" : "2020-12")/schema")
      schema["definitions"] = ["d": ["type": ["number", "array"], "minimum": 1]]
      cases.append((draft, .object(schema), (0..<8).map { _ in random.value(depth: 3) }))
    }
    let question: JSON = [
      "cases": .array(
        cases.map { ["draft": .integer(Int64($0.draft)), "schema": $0.schema, "values": .array($0.values)] })
    ]
    guard let answers = try Oracle.ask("jsonschema_oracle.py", question, for: "schemas against jsonschema")?.array
    else { return }
    var counts = (valid: 0, invalid: 0)
    for (test, answer) in zip(cases, answers) {
      let schema = try Schema(test.schema)
      for (value, said) in zip(test.values, answer.array ?? []) {
        let accepts = try schema.accepts(value)
        #expect(
          accepts == said.bool, "draft \(test.draft): \(JSONWriter.text(test.schema)) on \(JSONWriter.text(value))")
        #expect(try schema.validate(value).isEmpty == accepts)
        if accepts { counts.valid += 1 } else { counts.invalid += 1 }
      }
    }
    #expect(answers.count == cases.count && counts.valid > 1_000 && counts.invalid > 1_000, "\(counts)")
  }
}

/// Draws schemas and values that often meet.
private struct Draw {
  var state: UInt64

  mutating func next(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }

  private mutating func pick<Item>(_ items: [Item]) -> Item { items[next(items.count)] }

  private static let names = ["a", "b", "c", "ab", "x/y", "name~"]
  private static let scalars: [JSON] = [
    .null, true, false, 0, 1, 2, 3, 10, -1, 1.0, 1.5, 0.1, 0.3, 7.25, "", "a", "ab", "abc", "äöü", "b1", "2026-11-23",
  ]

  mutating func value(depth: Int) -> JSON {
    let kind = depth == 0 ? 9 : next(10)
    switch kind {
    case 0...2: return .array((0..<next(5)).map { _ in value(depth: depth - 1) })
    case 3...6:
      var object = JSONObject()
      for _ in 0..<next(5) { object[pick(Self.names)] = value(depth: depth - 1) }
      return .object(object)
    default: return pick(Self.scalars)
    }
  }

  mutating func schema(depth: Int, draft: Int) -> JSON {
    if depth == 0 || next(12) == 0 { return pick([true, true, ["type": "integer"], ["type": "string"], false]) }
    var schema = JSONObject()
    for _ in 0...next(3) { add(to: &schema, depth: depth - 1, draft: draft) }
    return .object(schema)
  }

  private mutating func schemas(_ depth: Int, _ draft: Int) -> JSON {
    .array((0...next(3)).map { _ in schema(depth: depth, draft: draft) })
  }

  private mutating func map(_ names: [String], _ depth: Int, _ draft: Int) -> JSON {
    var map = JSONObject()
    for _ in 0...next(3) { map[pick(names)] = schema(depth: depth, draft: draft) }
    return .object(map)
  }

  private mutating func add(to schema: inout JSONObject, depth: Int, draft: Int) {
    let types = ["null", "boolean", "object", "array", "number", "integer", "string"]
    switch next(26) {
    case 0: schema["type"] = .string(pick(types))
    case 1: schema["type"] = pick([["string", "object"], ["array", "integer"], ["null", "number", "object"]])
    case 2: schema["enum"] = .array((0...next(4)).map { _ in value(depth: 1) })
    case 3: schema["const"] = value(depth: 1)
    case 4: schema["minimum"] = pick([0, 1, 1.5, -2])
    case 5: schema["exclusiveMaximum"] = pick([1, 2, 3, 10])
    case 6: schema["multipleOf"] = pick([1, 2, 0.5, 0.25])
    case 7: schema["minLength"] = pick([0, 1, 2, 3])
    case 8: schema["pattern"] = pick(["^a", "b$", "[0-9]", "ö", "^\\w{2}$"])
    case 9: schema["minItems"] = pick([1, 2])
    case 10: schema["uniqueItems"] = true
    case 11:
      if draft < 2020 { schema["items"] = schemas(depth, draft) } else { schema["prefixItems"] = schemas(depth, draft) }
    case 12: if !schema.contains("items") { schema["items"] = self.schema(depth: depth, draft: draft) }
    case 13: if schema["items"]?.array != nil { schema["additionalItems"] = self.schema(depth: depth, draft: draft) }
    case 14:
      schema["contains"] = self.schema(depth: depth, draft: draft)
      if draft > 7, next(2) == 0 { schema["minContains"] = pick([0, 1, 2]) }
      if draft > 7, next(4) == 0 { schema["maxContains"] = pick([1, 2]) }
    case 15: schema["properties"] = map(Self.names, depth, draft)
    case 16: schema["patternProperties"] = map(["^a", "b", "/"], depth, draft)
    case 17: schema["additionalProperties"] = self.schema(depth: depth, draft: draft)
    case 18: schema["required"] = .array([.string(pick(Self.names))])
    case 19: schema["propertyNames"] = pick([["maxLength": 1], ["pattern": "^[a-c]"], ["enum": ["a", "b"]]])
    case 20: schema[pick(["allOf", "anyOf", "oneOf"])] = schemas(depth, draft)
    case 21: schema["not"] = self.schema(depth: depth, draft: draft)
    case 22:
      schema["if"] = self.schema(depth: depth, draft: draft)
      schema["then"] = self.schema(depth: depth, draft: draft)
      if next(2) == 0 { schema["else"] = self.schema(depth: depth, draft: draft) }
    case 23: schema["$ref"] = "#/definitions/d"
    case 24:
      if draft == 7 {
        schema["dependencies"] = ["a": ["b"], "c": self.schema(depth: depth, draft: draft)]
      } else {
        schema["dependentRequired"] = ["a": ["b"]]
        schema["dependentSchemas"] = ["c": self.schema(depth: depth, draft: draft)]
      }
    default:
      guard draft > 7 else { return }
      schema[pick(["unevaluatedProperties", "unevaluatedItems"])] = self.schema(depth: depth, draft: draft)
    }
  }
}
