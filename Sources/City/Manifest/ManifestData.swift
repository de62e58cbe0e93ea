import NGSI

// What a manifest says of a city's data: the models that entities are to meet, what is given out, and the catalogue.

extension Manifest {
  public struct Agent: Codable, Sendable, Hashable {
    public var name: Text
    public var homepage: String?
    public var email: String?
  }

  public struct DataModels: Codable, Sendable, Hashable {
    public enum Mode: String, Codable, Sendable, CaseIterable { case strict, warn, open }
    public enum Form: String, Codable, Sendable, CaseIterable { case keyValues, normalized }

    public struct SchemaFile: Codable, Sendable, Hashable {
      /// The URL that `$ref` names it by.
      public var url: String
      /// Relative to the manifest.
      public var file: String
    }

    public struct TypeModel: Codable, Sendable, Hashable {
      public var type: String
      /// File of the JSON Schema, relative to the manifest.
      public var schema: String
      /// URL of the JSON-LD context that the names are read with.
      public var context: String?
      public var form: Form?
    }

    public var mode: Mode
    public var schemas: [SchemaFile]?
    public var types: [TypeModel]?
  }

  public struct Catalogue: Codable, Sendable, Hashable {
    public var title: Text
    public var description: Text
    public var publisher: Agent
    public var licence: String?
    public var homepage: String?
    public var spatial: String?
    public var languages: [String]?
  }

  public struct Dataset: Codable, Sendable, Hashable {
    public struct Lineage: Codable, Sendable, Hashable {
      public var source: String?
      public var derivation: Text?
    }

    public struct Expected: Codable, Sendable, Hashable {
      public var attributes: [String]?
      public var within: Span?
    }

    public var id: String
    public var title: Text
    public var description: Text
    public var publisher: Agent
    public var licence: String
    public var types: [String]
    public var scopeQ: String?
    public var context: String?
    public var themes: [String]?
    /// Words by language tag.
    public var keywords: [String: [String]]?
    public var spatial: String?
    public var frequency: String?
    public var accessRights: String?
    public var lineage: Lineage?
    public var retention: Span?
    public var removesEntities: Bool?
    public var expected: Expected?
  }
}

extension ManifestShape {
  private static let url = Shape.pattern("[a-z][a-z0-9+.-]*:[^ <>\"{}|\\\\^`]{1,1900}", example: "https://example.org/")
  private static let name = Shape.pattern("[^ ]{1,500}", example: "AirQualityObserved")
  private static let longText = Shape.object([
    .required("ko", .text(maxLength: 4_000), "in Korean"), .required("en", .text(maxLength: 4_000), "in English"),
  ])
  private static let agent = Shape.object([
    .required("name", bilingual, "as people know it"), .optional("homepage", url, "its page"),
    .optional("email", .pattern("[^@ ]{1,64}@[^@ ]{1,190}", example: "data@example.org"), "where it is asked"),
  ])

  static let dataModels = Shape.object([
    .required(
      "mode", .choice(Manifest.DataModels.Mode.allCases.map(\.rawValue)),
      "what happens to an entity that does not meet its model: refused, stored with a warning, not looked at"),
    .optional(
      "schemas",
      .list(
        .object([
          .required("url", url, "by which $ref names it"),
          .required("file", .text(maxLength: 500), "relative to the manifest"),
        ]), count: 0...500), "schemas that models refer to"),
    .optional(
      "types",
      .list(
        .object([
          .required("type", name, "entity type"),
          .required("schema", .text(maxLength: 500), "file of its JSON Schema, relative to the manifest"),
          .optional("context", url, "JSON-LD context that the names are read with"),
          .optional("form", .choice(Manifest.DataModels.Form.allCases.map(\.rawValue)), "what the schema describes"),
        ]), count: 0...500), "the models"),
  ])

  static let catalogue = Shape.object([
    .required("title", bilingual, "name of the catalogue"), .required("description", longText, "what is in it"),
    .required("publisher", agent, "who answers for it"), .optional("licence", url, "licence of the catalogue itself"),
    .optional("homepage", url, "its page"), .optional("spatial", url, "place, as an authority names it"),
    .optional("languages", .list(url, count: 1...30), "languages, as the EU authority table names them"),
  ])

  static let dataset = Shape.object([
    .required("id", identifier, "unique among the datasets"), .required("title", bilingual, "its name"),
    .required("description", longText, "what it is"), .required("publisher", agent, "its provider"),
    .required("licence", url, "its licence"), .required("types", .list(name, count: 1...50), "its entity types"),
    .optional("scopeQ", .text(maxLength: 1_000), "scopes of its entities, where not all belong to it"),
    .optional("context", url, "JSON-LD context that the names are read with"),
    .optional("themes", .list(url, count: 1...30), "themes, as the EU authority table names them"),
    .optional(
      "keywords",
      .map(.list(.text(maxLength: 100), count: 1...50), keyPattern: "[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", count: 1...30),
      "words by language"),
    .optional("spatial", url, "place, as an authority names it"),
    .optional("frequency", url, "how often it changes, as the EU authority table names it"),
    .optional("accessRights", url, "who may have it, as the EU authority table names it"),
    .optional(
      "lineage",
      .object([
        .optional("source", url, "what it comes from"),
        .optional("derivation", longText, "what was done to it"),
      ]), "where it comes from"),
    .optional("retention", duration, "how long its history is kept, in whole days; without it for ever"),
    .optional("removesEntities", .flag, "whether entities that nothing was written to for so long go too"),
    .optional(
      "expected",
      .object([
        .optional("attributes", .list(name, count: 1...100), "what every entity is to have: completeness"),
        .optional("within", duration, "how old its latest observation may be: timeliness"),
      ]), "what its quality is measured by"),
  ])
}
