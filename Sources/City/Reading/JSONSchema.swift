import NGSI

extension Shape {
  /// This shape as a JSON Schema (draft 2020-12).
  var schema: JSON {
    switch self {
    case .object(let fields):
      var properties = JSONObject()
      for field in fields {
        var property = field.shape.schema.object ?? JSONObject()
        property["description"] = .string(field.summary)
        properties[field.name] = .object(property)
      }
      var schema: JSONObject = JSONObject()
      schema["type"] = "object"
      schema["properties"] = .object(properties)
      let required = fields.filter(\.isRequired).map { JSON.string($0.name) }
      if !required.isEmpty { schema["required"] = .array(required) }
      schema["additionalProperties"] = false
      return .object(schema)
    case .map(let value, let keyPattern, let count):
      return [
        "type": "object", "additionalProperties": value.schema,
        "propertyNames": ["pattern": .string("^(?:\(keyPattern))$")],
        "minProperties": .integer(Int64(count.lowerBound)), "maxProperties": .integer(Int64(count.upperBound)),
      ]
    case .list(let item, let count):
      return [
        "type": "array", "items": item.schema, "minItems": .integer(Int64(count.lowerBound)),
        "maxItems": .integer(Int64(count.upperBound)),
      ]
    case .text(let length):
      return ["type": "string", "minLength": 1, "maxLength": .integer(Int64(length))]
    case .pattern(let pattern, let example):
      return [
        "type": "string", "pattern": .string("^(?:\(pattern))$"), "examples": .array([.string(example)]),
      ]
    case .choice(let words): return ["enum": .array(words.map(JSON.string))]
    case .number(let range):
      return ["type": "number", "minimum": .double(range.lowerBound), "maximum": .double(range.upperBound)]
    case .integer(let range):
      return [
        "type": "integer", "minimum": .integer(Int64(range.lowerBound)),
        "maximum": .integer(Int64(range.upperBound)),
      ]
    case .flag: return ["type": "boolean"]
    case .position:
      return [
        "type": "array",
        "prefixItems": [
          ["type": "number", "minimum": -180, "maximum": 180], ["type": "number", "minimum": -90, "maximum": 90],
        ], "minItems": 2, "maxItems": 2,
      ]
    case .scalar: return ["type": ["string", "number", "boolean"]]
    case .either(let shapes): return ["anyOf": .array(shapes.map(\.schema))]
    }
  }
}
