import JSONSchema
import NGSI
import Query

/// A text in the languages it was given in; the empty tag stands for a text of no named language.
public struct LanguageTexts: Sendable, Hashable {
  public var texts: [(language: String, text: String)]

  init(_ json: JSON?) {
    switch json {
    case .string(let text)?: texts = [("", text)]
    case .object(let object)?: texts = object.compactMap { member in member.value.string.map { (member.key, $0) } }
    default: texts = []
    }
  }

  public static func == (left: LanguageTexts, right: LanguageTexts) -> Bool {
    left.texts.elementsEqual(right.texts) { $0 == $1 }
  }

  public func hash(into hasher: inout Hasher) { for text in texts { hasher.combine(text.text) } }
}

/// What a city gives out as one thing: a selection of entities with its provider, licence, lineage and retention.
///
/// `docs/datasets.md` explains every member; ``schema`` says what each may hold.
public struct Dataset: Sendable {
  public var id: String
  public var document: JSONObject
  public var createdAt: DateTime
  public var modifiedAt: DateTime
  /// Expanded type IRIs of its entities.
  public var types: [String]
  /// What its entities are, where they are not all of their types.
  public var scope: ScopeFilter?
  /// Expanded names of attributes that every entity is to have.
  public var expectedAttributes: [String]
  /// Seconds that the latest observation of an entity may be old.
  public var expectedWithin: Double?

  public var title: LanguageTexts { LanguageTexts(document["title"]) }
  public var description: LanguageTexts { LanguageTexts(document["description"]) }
  /// Name of the provider.
  public var publisher: LanguageTexts { LanguageTexts(document["publisher"]?["name"]) }
  /// Days that its history is kept; `nil` for ever.
  public var retentionDays: Int? { document["retention"]?["days"]?.integer.map(Int.init) }
  /// Whether entities that nothing was written to for so long go too.
  public var removesEntities: Bool { document["retention"]?["entities"]?.bool ?? false }

  init(_ document: JSONObject, context: Context, createdAt: DateTime, modifiedAt: DateTime) throws(Problem) {
    try Self.check(.object(document), by: Self.reader, "the dataset")
    self.document = document
    self.createdAt = createdAt
    self.modifiedAt = modifiedAt
    id = document["id"]?.string ?? ""
    types = (document["entities"]?["types"]?.array ?? []).compactMap(\.string).map { context.expand($0) }
    scope = try document["entities"]?["scopeQ"]?.string.map { text throws(Problem) in try ScopeFilter(scopeQ: text) }
    let expected = document["expected"]
    expectedAttributes = (expected?["attributes"]?.array ?? []).compactMap(\.string).map { context.expand($0) }
    expectedWithin = expected?["withinSeconds"]?.number
  }

  static func check(_ json: JSON, by schema: Schema?, _ subject: String) throws(Problem) {
    let failures: [SchemaFailure]
    do { failures = try schema?.validate(json) ?? [] } catch { throw .badRequest("\(subject): \(error)") }
    guard failures.isEmpty else {
      throw .badRequest("\(subject): " + failures.prefix(5).map(\.description).joined(separator: "; "))
    }
  }

  // MARK: - Shape

  static let reader = try? Schema(schema)
  static let catalogueReader = try? Schema(catalogueSchema)

  private static let texts: JSON = [
    "anyOf": [
      ["type": "string", "minLength": 1, "maxLength": 4_000],
      [
        "type": "object", "minProperties": 1, "maxProperties": 30,
        "propertyNames": ["pattern": "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"],
        "additionalProperties": ["type": "string", "minLength": 1, "maxLength": 4_000],
      ],
    ]
  ]
  private static let url: JSON = ["type": "string", "format": "iri", "maxLength": 2_000]
  private static let agent: JSON = [
    "type": "object", "required": ["name"], "additionalProperties": false,
    "properties": [
      "name": texts, "homepage": url, "type": url, "email": ["type": "string", "format": "email"], "id": url,
    ],
  ]

  /// JSON Schema (2020-12) of a dataset as the API takes it.
  public static let schema: JSON = [
    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "required": ["id", "title", "description", "publisher", "licence", "entities"], "additionalProperties": false,
    "properties": [
      "id": ["type": "string", "pattern": "^[a-z][a-z0-9-]{0,39}$"], "title": texts, "description": texts,
      "publisher": agent, "contact": agent, "licence": url,
      "themes": ["type": "array", "items": url, "maxItems": 30],
      "keywords": [
        "type": "object", "maxProperties": 30,
        "additionalProperties": [
          "type": "array", "maxItems": 50, "items": ["type": "string", "minLength": 1, "maxLength": 100],
        ],
      ],
      "spatial": url, "frequency": url, "accessRights": url,
      "lineage": [
        "type": "object", "additionalProperties": false, "properties": ["source": url, "derivation": texts],
      ],
      "retention": [
        "type": "object", "required": ["days"], "additionalProperties": false,
        "properties": [
          "days": ["type": "integer", "minimum": 1, "maximum": 40_000], "law": texts, "entities": ["type": "boolean"],
        ],
      ],
      "entities": [
        "type": "object", "required": ["types"], "additionalProperties": false,
        "properties": [
          "types": [
            "type": "array", "minItems": 1, "maxItems": 50,
            "items": ["type": "string", "minLength": 1, "maxLength": 500],
          ],
          "scopeQ": ["type": "string", "maxLength": 1_000],
        ],
      ],
      "expected": [
        "type": "object", "additionalProperties": false,
        "properties": [
          "attributes": [
            "type": "array", "maxItems": 100, "items": ["type": "string", "minLength": 1, "maxLength": 500],
          ],
          "withinSeconds": ["type": "number", "exclusiveMinimum": 0],
        ],
      ],
      "@context": ["type": ["string", "array", "object"]],
    ],
  ]

  /// JSON Schema of what is said of the catalogue itself.
  public static let catalogueSchema: JSON = [
    "type": "object", "required": ["title", "description", "publisher"], "additionalProperties": false,
    "properties": [
      "title": texts, "description": texts, "publisher": agent, "licence": url, "homepage": url, "spatial": url,
      "languages": ["type": "array", "items": url, "maxItems": 30],
    ],
  ]
}

/// What the hub knows of how good a dataset is; each share from 0 to 1, `nil` where nothing tells.
public struct DatasetQuality: Sendable, Hashable {
  /// Entities that were looked at, and whether there are more.
  public var entities = 0
  public var isCut = false
  /// Share of the values that the dataset is said to have, and has.
  public var completeness: Double?
  /// Share of the entities whose latest observation is not older than said.
  public var timeliness: Double?
  /// Share of the entities written since the hub started that met their data model.
  public var validity: Double?
  public var at: DateTime
}
