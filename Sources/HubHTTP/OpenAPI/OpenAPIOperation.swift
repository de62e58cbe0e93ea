import NGSI
import NIOHTTP1

/// One operation of the city's API, as the OpenAPI document describes it.
struct OpenAPIOperation {
  /// What a body is, by name of its schema, and the media types that it comes in.
  struct Body {
    var schema: JSON
    var types: [String]

    static func json(_ schema: String) -> Body {
      Body(schema: OpenAPI.reference(schema), types: [MediaType.json.rawValue])
    }

    /// NGSI-LD's own: with the context in the body, or in a header.
    static func linked(_ schema: String) -> Body {
      Body(schema: OpenAPI.reference(schema), types: [MediaType.json.rawValue, MediaType.jsonLD.rawValue])
    }

    static func many(_ schema: String, least: Int = 0) -> Body {
      Body(
        schema: ["type": "array", "items": OpenAPI.reference(schema), "minItems": .integer(Int64(least))],
        types: [MediaType.json.rawValue, MediaType.jsonLD.rawValue])
    }

    static func text(_ type: String) -> Body { Body(schema: ["type": "string"], types: [type]) }
  }

  let method: HTTPMethod
  let path: String
  let summary: String
  /// Names of query parameters.
  var parameters: Set<String> = []
  var body: Body?
  /// What is answered when it is done, by status.
  var answers: [Int: Body?] = [204: nil]
  /// Whether everybody may ask; otherwise a token, a session or a certificate is needed where access is not open.
  var isPublic = false

  init(
    _ method: HTTPMethod, _ path: String, _ summary: String, parameters: Set<String> = [], body: Body? = nil,
    gives answers: [Int: Body?] = [204: nil], isPublic: Bool = false
  ) {
    (self.method, self.path, self.summary) = (method, path, summary)
    (self.parameters, self.body, self.answers, self.isPublic) = (parameters, body, answers, isPublic)
  }

  /// The names in braces, in order.
  var pathParameters: [String] {
    path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.prefix { $0 != "}" }.dropFirst()) }
  }

  var json: JSON {
    var object = JSONObject()
    object["summary"] = .string(summary)
    object["operationId"] = .string(
      ([method.rawValue.lowercased()] + path.split(separator: "/").map { $0.filter { $0.isLetter || $0.isNumber } })
        .joined(separator: "_"))
    object["tags"] = [.string(path.split(separator: "/").first.map(String.init) ?? "city")]
    var all: [JSON] = pathParameters.map {
      ["name": .string($0), "in": "path", "required": true, "schema": OpenAPI.schema(ofPathParameter: $0)]
    }
    all += parameters.sorted().map {
      ["name": .string($0), "in": "query", "schema": OpenAPI.schema(ofParameter: $0)]
    }
    if path.hasPrefix("/ngsi-ld/") || path.hasPrefix("/city/") {
      all.append(["$ref": "#/components/parameters/tenant"])
    }
    if !all.isEmpty { object["parameters"] = .array(all) }
    if let body { object["requestBody"] = ["required": true, "content": Self.content(body)] }
    var responses = JSONObject()
    for (status, body) in answers.sorted(by: { $0.key < $1.key }) {
      var response: JSONObject = JSONObject()
      response["description"] = .string(HTTPResponseStatus(statusCode: status).reasonPhrase)
      if let body { response["content"] = Self.content(body) }
      if status == 201 {
        response["headers"] = ["Location": ["schema": ["type": "string"], "description": "where it is to be had"]]
      }
      responses["\(status)"] = .object(response)
    }
    responses["4XX"] = ["$ref": "#/components/responses/problem"]
    responses["5XX"] = ["$ref": "#/components/responses/problem"]
    object["responses"] = .object(responses)
    if isPublic { object["security"] = [] }
    return .object(object)
  }

  private static func content(_ body: Body) -> JSON {
    .object(JSONObject(uniqueMembers: body.types.map { JSONObject.Member(key: $0, value: ["schema": body.schema]) }))
  }
}
