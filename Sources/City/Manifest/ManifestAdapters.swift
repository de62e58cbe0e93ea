import NGSI

extension Manifest {
  /// A way in for data of another form: a door that others post to, a file that is fetched on a schedule, or topics of an
  /// MQTT broker.
  public struct Adapter: Codable, Sendable, Hashable {
    public enum Format: String, Codable, Sendable, CaseIterable {
      case senml, ngsiv2, sensorthings
      /// Rows under a mapping.
      case csv, json, jsonl, geojson
      /// A plain number or text, of which the topic says everything else.
      case value
    }

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

    /// Where a secret stands: never in the manifest, which many read.
    public struct Secret: Codable, Sendable, Hashable {
      /// Name of an environment variable.
      public var env: String?
      /// A file, relative to the manifest; a line break at its end does not count.
      public var file: String?

      public init(env: String? = nil, file: String? = nil) {
        self.env = env
        self.file = file
      }
    }

    /// What is fetched over HTTP, and when.
    public struct Pull: Codable, Sendable, Hashable {
      /// A secret and where in the request it goes.
      public struct Credential: Codable, Sendable, Hashable {
        public var header: String?
        /// Parameter of the URL's query.
        public var query: String?
        /// What stands before it, such as `Bearer `.
        public var prefix: String?
        public var secret: Secret

        public init(header: String? = nil, query: String? = nil, prefix: String? = nil, secret: Secret) {
          self.header = header
          self.query = query
          self.prefix = prefix
          self.secret = secret
        }
      }

      public var url: String
      public var every: Span?
      /// A ``Timetable``.
      public var at: String?
      /// IANA time zone of `at`; the site's without it.
      public var timeZone: String?
      public var headers: [String: String]?
      public var credentials: [Credential]?
      /// Time for one fetch, from the first byte sent to the last received.
      public var timeout: Span?
      /// Most bytes of a body, unpacked.
      public var mostBytes: Int?
      /// Character set of the body, where it is not UTF-8: a name that iconv knows.
      public var charset: String?

      public init(url: String) { self.url = url }
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
    /// Mapping file of rows, relative to the manifest.
    public var mapping: String?
    public var pull: Pull?
    public var mqtt: MQTT?

    public init(id: String, format: Format) {
      self.id = id
      self.format = format
    }

    /// Whether others post to it.
    public var isDoor: Bool { pull == nil && mqtt == nil }
  }
}

extension ManifestShape {
  static let word = Shape.pattern("[A-Za-z][A-Za-z0-9_]{0,200}", example: "temperature")
  static let uri = Shape.pattern(
    "[a-z][a-z0-9+.-]*:[^ <>\"|\\\\^`]{1,1900}", example: "urn:ngsi-ld:Device:{device}")
  static let unitCode = Shape.pattern("[A-Z0-9]{1,3}", example: "CEL")
  static let path = Shape.text(maxLength: 500)

  static let secret = Shape.object([
    .optional("env", .pattern("[A-Za-z_][A-Za-z0-9_]{0,200}", example: "AIR_API_KEY"), "environment variable"),
    .optional("file", path, "file, relative to the manifest"),
  ])

  private static let token = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"

  static let pull = Shape.object([
    .required(
      "url", .pattern("https?://[^ <>\"#]{1,1900}", example: "https://data.example/air.csv"), "what is fetched"),
    .optional("every", duration, "time from one fetch to the next"),
    .optional(
      "at", .pattern("[0-9A-Za-z*,/-]+( +[0-9A-Za-z*,/-]+){4}", example: "15 6 * * mon-fri"),
      "minute, hour, day of the month, month, day of the week, as cron has them"),
    .optional(
      "timeZone", .pattern("[A-Za-z]+(/[A-Za-z_+-]+[0-9]*)*", example: "Asia/Seoul"), "of 'at'; the site's without it"),
    .optional(
      "headers", .map(.pattern("[ -~]{1,1000}", example: "text/csv"), keyPattern: token, count: 1...20),
      "headers of the request; no secrets"),
    .optional(
      "credentials",
      .list(
        .object([
          .optional("header", .pattern(token, example: "Authorization"), "header that it is sent in"),
          .optional(
            "query", .pattern("[A-Za-z0-9_.~-]{1,100}", example: "serviceKey"), "parameter that it is sent in"),
          .optional("prefix", .pattern("[ -~]{1,100}", example: "Bearer "), "what stands before it"),
          .required("secret", secret, "where it stands: env or file"),
        ]), count: 1...10), "secrets, by reference"),
    .optional("timeout", duration, "time for one fetch; 60s without it"),
    .optional("mostBytes", .integer(1...268_435_456), "most bytes of a body, unpacked; 33554432 without it"),
    .optional("charset", .pattern("[A-Za-z0-9_:.-]{1,40}", example: "CP949"), "of the body, where it is not UTF-8"),
  ])

  static let adapter = Shape.object([
    .required(
      "id", identifier, "unique among the adapters; without pull and mqtt its door is POST /city/v1/ingest/{id}"),
    .required(
      "format", .choice(Manifest.Adapter.Format.allCases.map(\.rawValue)),
      "SenML (RFC 8428), NGSIv2 notifications, OGC SensorThings observations; rows under a mapping; a plain value"),
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
    .optional("mapping", path, "mapping file of csv, json, jsonl and geojson, relative to the manifest"),
    .optional("pull", pull, "fetched over HTTP on a schedule"),
    .optional("mqtt", mqtt, "heard from a broker"),
  ])
}
