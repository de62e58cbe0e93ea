import NGSI

extension Manifest.Adapter {
  /// Topics of an MQTT broker.
  public struct MQTT: Codable, Sendable, Hashable {
    public enum Version: String, Codable, Sendable, CaseIterable {
      case v311 = "3.1.1"
      case v5 = "5.0"
    }

    /// One topic pattern and what its messages say.
    public struct Topic: Codable, Sendable, Hashable {
      /// A topic filter (MQTT 5.0 section 4.7) whose levels may be named: `city/{district}/sensor/{device}/temp`,
      /// `meters/+/{meter}`, `logs/{rest#}`.
      public var topic: String
      /// URI with named levels in it.
      public var entity: String?
      /// With named levels in it.
      public var type: String?
      /// With named levels in it; `value` only.
      public var attribute: String?
      public var unitCode: String?
      /// How a plain value is read: `number`, `text` or `flag`.
      public var `as`: String?
      /// Mapping file of JSON messages; named levels are columns of it.
      public var mapping: String?

      public init(topic: String) { self.topic = topic }
    }

    /// `mqtt://host[:port]` or `mqtts://host[:port]`.
    public var broker: String
    public var version: Version?
    public var qos: Int?
    public var clientId: String?
    public var user: Manifest.Adapter.Secret?
    public var password: Manifest.Adapter.Secret?
    /// File with the certificates of authorities to trust, relative to the manifest.
    public var authorities: String?
    /// File with the city's own certificate and its key (PEM), for brokers that ask for one; relative to the manifest.
    public var certificate: String?
    /// Name of a shared subscription: several hubs divide the messages among them.
    public var share: String?
    public var topics: [Topic]
    /// Largest payload that is taken.
    public var mostBytes: Int?
    /// Most messages taken in a second; the broker keeps the rest.
    public var perSecond: Int?
    /// How long the broker is to keep what comes while the hub is away.
    public var keeps: Span?

    public init(broker: String, topics: [Topic]) {
      self.broker = broker
      self.topics = topics
    }
  }
}

extension ManifestShape {
  static let mqtt = Shape.object([
    .required("broker", .pattern("mqtts?://[^ /?#@]{1,260}", example: "mqtts://broker.example:8883"), "the broker"),
    .optional("version", .choice(Manifest.Adapter.MQTT.Version.allCases.map(\.rawValue)), "of MQTT; 5.0 without it"),
    .optional("qos", .integer(0...2), "quality of service asked for; 1 without it, and 2 is carried as 1"),
    .optional(
      "clientId", .pattern("[A-Za-z0-9_.:-]{1,200}", example: "madang-north"),
      "how the broker knows this hub again; madang-CITY-ADAPTER without it"),
    .optional("user", secret, "user's name, by reference"), .optional("password", secret, "password, by reference"),
    .optional("authorities", path, "certificates of authorities to trust, relative to the manifest"),
    .optional("certificate", path, "the city's certificate with its key (PEM), for brokers that ask for one"),
    .optional(
      "share", .pattern("[A-Za-z0-9_.-]{1,100}", example: "hubs"),
      "name of a shared subscription: several hubs divide the messages among them"),
    .required(
      "topics",
      .list(
        .object([
          .required(
            "topic", .text(maxLength: 1000), "filter with named levels, such as city/{district}/sensor/{device}/temp"),
          .optional("entity", uri, "URI of the entity, with named levels"),
          .optional("type", .text(maxLength: 500), "its type, with named levels"),
          .optional("attribute", .text(maxLength: 200), "its attribute, with named levels"),
          .optional("unitCode", unitCode, "UN/CEFACT code"),
          .optional("as", .choice(["number", "text", "flag"]), "how a plain value is read; number without it"),
          .optional("mapping", path, "mapping file of JSON messages, in place of the adapter's"),
        ]), count: 1...100), "what is subscribed to, and what it says"),
    .optional("mostBytes", .integer(1...16_777_216), "largest payload that is taken; 1048576 without it"),
    .optional("perSecond", .integer(1...100_000), "most messages taken in a second; 5000 without it"),
    .optional("keeps", duration, "how long the broker is to keep what comes while the hub is away; 1d without it"),
  ])
}
