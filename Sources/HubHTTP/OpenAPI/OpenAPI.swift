import NGSI

/// The description of the city's API (OpenAPI 3.1), kept beside its routes: parameters are those that the routes take,
/// and tests hold paths and methods against what is routed.
public enum OpenAPI {
  static var operations: [OpenAPIOperation] { hub + city + runners + provider }

  /// - Parameters:
  ///   - version: of the program.
  ///   - services: what the city's services answer, by their names.
  ///   - hearsAgencies: whether systems of other agencies are answered (``AgencyDoor``).
  public static func document(version: String, services: ServiceOperations = [:], hearsAgencies: Bool = false) -> JSON {
    var paths: [String: JSONObject] = [:]
    let served = services.flatMap { name, operations in operations.map { OpenAPIOperation($0, of: name) } }
    for operation in operations + served + (hearsAgencies ? agencies : []) {
      paths[operation.path, default: JSONObject()][operation.method.rawValue.lowercased()] = operation.json
    }
    return [
      "openapi": "3.1.0",
      "info": [
        "title": "Madang", "version": .string(version),
        "description": .string(
          "NGSI-LD v1.9.1 (ETSI GS CIM 009), the city's own resources, its identity provider, its evidence log and its "
            + "devices. Each path that answers GET answers HEAD too; those of the hub answer OPTIONS. A body may have "
            + "the context of its names in `@context`, or a header Link names it."),
      ],
      "servers": [["url": "/"]], "security": [["token": []], ["session": []]],
      "paths": .object(
        JSONObject(
          uniqueMembers: paths.sorted { $0.key < $1.key }.map {
            JSONObject.Member(key: $0.key, value: .object($0.value))
          })),
      "components": [
        "schemas": schemas,
        "securitySchemes": [
          "token": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"],
          "session": [
            "type": "apiKey", "in": "cookie", "name": "__Host-madang-session",
            "description": "what changes something needs X-CSRF-Token beside it",
          ],
        ],
        "parameters": [
          "tenant": [
            "name": "NGSILD-Tenant", "in": "header", "description": "another tenant than the default one",
            "schema": ["type": "string", "pattern": "^[a-z0-9_]{1,50}$"],
          ]
        ],
        "responses": [
          "problem": [
            "description": "problem details (RFC 9457), or what OAuth says instead",
            "content": [
              "application/json": ["schema": reference("Problem")],
              "application/problem+json": ["schema": reference("Problem")],
              "text/plain": ["schema": ["type": "string"]],
            ],
          ]
        ],
      ],
    ]
  }

  static func reference(_ schema: String) -> JSON { ["$ref": .string("#/components/schemas/" + schema)] }

  // MARK: Parameters

  private static let flags: Set = [
    "count", "details", "deleteAll", "expandValues", "splitEntities", "entityMap", "local", "reload",
  ]

  static func schema(ofParameter name: String) -> JSON {
    switch name {
    case "limit", "offset", "lastN", "joinLevel": ["type": "integer", "minimum": 0, "maximum": 1000]
    case "options": ["type": "string", "enum": ["normalized", "concise", "keyValues", "sysAttrs"]]
    case "format": ["type": "string", "enum": ["normalized", "concise", "simplified"]]
    case "georel": ["type": "string", "examples": ["near;maxDistance==1000", "within"]]
    case "geometry": ["type": "string", "enum": ["Point", "LineString", "Polygon", "MultiPoint"]]
    case "timerel": ["type": "string", "enum": ["before", "after", "between"]]
    case "timeAt", "endTimeAt", "observedAt": ["type": "string", "format": "date-time"]
    case "q": ["type": "string", "examples": ["temperature>20", "name==\"Han\""]]
    case "type": ["type": "string", "examples": ["Streetlight", "(A|B),C"]]
    case _ where flags.contains(name): ["type": "boolean"]
    default: ["type": "string"]
    }
  }

  static func schema(ofPathParameter name: String) -> JSON {
    switch name {
    case "operation": ["type": "string", "enum": .array(API.batchOperations.sorted().map { .string($0) })]
    case "entityId", "subscriptionId", "registrationId", "mapId", "snapshotId", "instanceId":
      ["type": "string", "pattern": "^urn:[a-z][a-z0-9-]{0,20}:[A-Za-z0-9:]{1,40}$"]
    case "decision": ["type": "string", "enum": ["approve", "refuse", "revoke", "review"]]
    case "index": ["type": "integer", "minimum": 0]
    default: ["type": "string", "minLength": 1]
    }
  }

  // MARK: Schemas

  private static let anything: JSON = [:]

  private static func object(
    _ properties: [String: JSON], required: [String] = [], others: Bool = true
  ) -> JSON {
    [
      "type": "object",
      "properties": .object(
        JSONObject(
          uniqueMembers: properties.sorted { $0.key < $1.key }.map {
            JSONObject.Member(key: $0.key, value: $0.value)
          })),
      "required": .array(required.map { .string($0) }), "additionalProperties": .bool(others),
    ]
  }

  private static let text: JSON = ["type": "string"]
  private static let time: JSON = ["type": "string", "format": "date-time"]
  private static let texts: JSON = ["type": "array", "items": ["type": "string"]]
  private static let urn: JSON = ["type": "string", "pattern": "^urn:[a-z][a-z0-9-]{0,20}:[A-Za-z0-9:]{1,40}$"]
  private static let typeNames: JSON = ["type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,40}$"]
  private static let coreContext: JSON = ["const": .string(CoreContext.url)]

  private static var schemas: JSON {
    let attribute = reference("Attribute")
    let named: JSON = [
      "type": "object", "propertyNames": ["pattern": "^[A-Za-z][A-Za-z0-9_]{0,40}$"],
      "additionalProperties": attribute,
    ]
    func entity(_ required: [String]) -> JSON {
      [
        "type": "object",
        "properties": [
          "id": urn, "type": ["anyOf": [typeNames, ["type": "array", "items": typeNames, "minItems": 1]]],
          "scope": ["anyOf": [text, texts]], "@context": coreContext,
        ],
        "required": .array(required.map { .string($0) }), "additionalProperties": attribute,
      ]
    }
    let selector = object(["id": urn, "idPattern": text, "type": typeNames], required: ["type"], others: false)
    return [
      "Entity": entity(["id", "type"]), "EntityFragment": entity([]), "Attributes": named,
      "EntityShown": ["type": "object"],
      "EntitiesShown": ["anyOf": [["type": "array", "items": ["type": "object"]], ["type": "object"]]],
      "Attribute": [
        "anyOf": [
          object(
            [
              "type": ["const": "Property"], "value": anything, "unitCode": text,
              "observedAt": ["type": "string", "format": "date-time"],
              "datasetId": urn,
            ], required: ["type", "value"]),
          object(["type": ["const": "Relationship"], "object": urn], required: ["type", "object"]),
          object(["type": ["const": "GeoProperty"], "value": reference("Point")], required: ["type", "value"]),
          object(
            ["type": ["const": "LanguageProperty"], "languageMap": ["type": "object", "additionalProperties": text]],
            required: ["type", "languageMap"]),
        ]
      ],
      "Point": object(
        [
          "type": ["const": "Point"],
          "coordinates": [
            "type": "array", "items": ["type": "number", "minimum": -90, "maximum": 90], "minItems": 2, "maxItems": 2,
          ],
        ],
        required: ["type", "coordinates"], others: false),
      "TemporalEntity": [
        "type": "object", "properties": ["id": urn, "type": typeNames, "@context": coreContext],
        "required": ["id", "type"],
        "additionalProperties": ["type": "array", "items": attribute],
      ],
      "TemporalAttributes": [
        "type": "object", "propertyNames": ["pattern": "^[A-Za-z][A-Za-z0-9_]{0,40}$"],
        "additionalProperties": ["type": "array", "items": attribute],
      ],
      "Query": object(
        [
          "type": ["const": "Query"], "entities": ["type": "array", "items": selector, "minItems": 1], "q": text,
          "pick": texts, "omit": texts,
        ],
        required: ["type"], others: false),
      "Subscription": object(
        [
          "id": urn, "type": ["const": "Subscription"],
          "entities": ["type": "array", "items": selector, "minItems": 1],
          "watchedAttributes": texts, "q": text, "throttling": ["type": "number"], "isActive": ["type": "boolean"],
          "notification": object(
            ["endpoint": reference("Endpoint"), "attributes": texts], required: ["endpoint"], others: false),
        ], required: ["type", "entities", "notification"], others: false),
      "SubscriptionChange": object(
        ["q": text, "throttling": ["type": "number"], "isActive": ["type": "boolean"], "watchedAttributes": texts],
        others: false),
      "Endpoint": object(
        [
          "uri": ["type": "string", "format": "uri"], "accept": ["enum": ["application/json", "application/ld+json"]],
        ], required: ["uri"], others: false),
      "Registration": object(
        [
          "id": urn, "type": ["const": "ContextSourceRegistration"], "endpoint": ["type": "string", "format": "uri"],
          "mode": ["enum": ["inclusive", "exclusive", "redirect", "auxiliary"]],
          "information": [
            "type": "array", "items": object(["entities": ["type": "array", "items": selector]], others: false),
            "minItems": 1,
          ],
        ], required: ["type", "endpoint", "information"], others: false),
      "Batch": object(["success": texts, "errors": ["type": "array", "items": ["type": "object"]]]),
      "Object": ["type": "object"], "List": ["type": "array"], "Anything": [:],
      "Ids": ["type": "array", "items": urn], "IdList": texts,
      "Selection": [
        "oneOf": [
          object(["all": ["const": true]], required: ["all"], others: false),
          object(["ids": texts], required: ["ids"], others: false),
          object(["subscriptionId": text], required: ["subscriptionId"], others: false),
        ]
      ],
      "Empty": ["type": "object", "maxProperties": 0],
      "Validation": object(["mode": ["enum": ["strict", "warn", "open"]]], required: ["mode"], others: false),
      "DataModel": object(
        ["type": typeNames, "schema": ["type": "object"]], required: ["type", "schema"], others: false),
      "Rules": object(["rules": text], required: ["rules"], others: false),
      "Decision": object(["note": text, "justified": ["type": "boolean"]], others: false),
      "Grant": object(
        [
          "purpose": text, "legalBasis": text, "reason": text, "incident": urn, "grantee": ["type": "object"],
          "actions": ["type": "array", "items": ["enum": ["read", "create", "update", "delete"]]],
          "things": [
            "type": "array", "items": object(["id": urn, "type": typeNames, "scope": text], others: false),
          ],
          "attributes": texts, "command": ["type": "object"], "from": time, "to": time,
          "recorded": object(["from": time, "to": time], required: ["from", "to"], others: false),
          "breakGlass": ["type": "boolean"],
        ],
        required: ["purpose", "legalBasis", "reason", "to"], others: false),
      "Device": object(["id": urn, "tenant": text, "agency": text], required: ["id"], others: false),
      "Revocation": object(["name": text, "reason": text], required: ["name"], others: false),
      "Person": object(
        [
          "username": text, "name": text, "email": text, "roles": texts, "groups": texts, "tenants": texts,
          "agency": text, "password": text,
        ],
        required: ["username"], others: false),
      "PersonChange": object(
        [
          "name": text, "roles": texts, "isDisabled": ["type": "boolean"], "resetPassword": ["type": "boolean"],
          "resetOneTimeCode": ["type": "boolean"],
        ], others: false),
      "ClientMetadata": object(
        [
          "client_name": text, "redirect_uris": texts, "grant_types": texts, "scope": text, "roles": texts,
          "token_endpoint_auth_method": text,
        ], others: false),
      "TokenRequest": object(
        ["grant_type": text, "scope": text, "code": text, "refresh_token": text], required: ["grant_type"]),
      "TokenQuestion": object(["token": text], required: ["token"]),
      "Problem": [
        "type": "object",
        "properties": ["type": text, "title": text, "status": ["type": "integer"], "detail": text, "error": text],
      ],
    ]
  }
}
