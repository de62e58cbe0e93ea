import NGSI

extension Manifest {
  /// A door for messages of another standard: `POST /city/v1/ingest/{id}`.
  public struct Adapter: Codable, Sendable, Hashable {
    public enum Format: String, Codable, Sendable, CaseIterable { case senml, ngsiv2, sensorthings }

    public struct Attribute: Codable, Sendable, Hashable {
      public var name: String?
      /// UN/CEFACT code, in place of the one that the message's unit gives.
      public var unitCode: String?

      public init(name: String? = nil, unitCode: String? = nil) {
        self.name = name
        self.unitCode = unitCode
      }
    }

    public struct Datastream: Codable, Sendable, Hashable {
      public var entity: String
      public var type: String?
      public var attribute: String
      public var unitCode: String?

      public init(entity: String, type: String? = nil, attribute: String, unitCode: String? = nil) {
        self.entity = entity
        self.type = type
        self.attribute = attribute
        self.unitCode = unitCode
      }
    }

    public var id: String
    public var format: Format
    /// Type of the entities, where the message says none.
    public var type: String?
    /// URI of an entity, with `{device}`.
    public var entity: String?
    /// URL of the JSON-LD context that the names are read with.
    public var context: String?
    /// SenML: the last part of a name and the attribute it is; others are refused.
    public var attributes: [String: Attribute]?
    /// SenML: the attribute of names that are a device's alone.
    public var only: String?
    /// SensorThings: Datastreams by their id.
    public var datastreams: [String: Datastream]?

    public init(id: String, format: Format) {
      self.id = id
      self.format = format
    }
  }
}

extension ManifestShape {
  private static let word = Shape.pattern("[A-Za-z][A-Za-z0-9_]{0,200}", example: "temperature")
  private static let uri = Shape.pattern(
    "[a-z][a-z0-9+.-]*:[^ <>\"|\\\\^`]{1,1900}", example: "urn:ngsi-ld:Device:{device}")
  private static let unitCode = Shape.pattern("[A-Z0-9]{1,3}", example: "CEL")

  static let adapter = Shape.object([
    .required("id", identifier, "unique among the adapters; its door is POST /city/v1/ingest/{id}"),
    .required(
      "format", .choice(Manifest.Adapter.Format.allCases.map(\.rawValue)),
      "SenML (RFC 8428), NGSIv2 notifications, OGC SensorThings observations"),
    .optional(
      "type", .pattern("[^ ]{1,500}", example: "AirQualityObserved"), "entity type where the message says none"),
    .optional("entity", uri, "URI of an entity, with {device}"),
    .optional("context", uri, "JSON-LD context that the names are read with"),
    .optional(
      "attributes",
      .map(
        .object([
          .optional("name", word, "attribute, where it is not the same word"),
          .optional("unitCode", unitCode, "UN/CEFACT code"),
        ]), keyPattern: "[A-Za-z0-9][A-Za-z0-9_.-]{0,200}", count: 1...500),
      "SenML: the last part of a name and its attribute; others are refused"),
    .optional("only", word, "SenML: the attribute of names that are a device's alone"),
    .optional(
      "datastreams",
      .map(
        .object([
          .required("entity", uri, "the entity it speaks for"), .optional("type", .text(maxLength: 500), "its type"),
          .required("attribute", word, "the attribute it gives"), .optional("unitCode", unitCode, "UN/CEFACT code"),
        ]), keyPattern: "[A-Za-z0-9_.:-]{1,200}", count: 1...10_000),
      "SensorThings: Datastreams by their @iot.id"),
  ])
}
