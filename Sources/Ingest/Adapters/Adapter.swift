import City
import NGSI

/// What a message of another standard says in NGSI-LD.
public struct AdaptedInput: Sendable {
  /// A part of the message that says nothing that can be taken.
  public struct Refused: Sendable {
    /// The entity it would have been about, where that is known.
    public var entityId: String?
    /// The part as it came.
    public var part: JSON
    public var problem: Problem
  }

  /// Entities in normalized form with short names, in the order of their times: one that has several readings stands
  /// here once for each, so that every reading has its place in the history.
  public var entities: [JSON] = []
  public var refused: [Refused] = []

  mutating func refuse(_ part: JSON, _ detail: String, entityId: String? = nil) {
    refused.append(Refused(entityId: entityId, part: part, problem: .badRequest(detail)))
  }
}

/// Reads messages of one kind by what the manifest says of them. Pure: a message and the time in, entities out.
public struct Adapter: Sendable {
  let plan: Manifest.Adapter

  public init(_ plan: Manifest.Adapter) { self.plan = plan }

  public var id: String { plan.id }
  /// What the names of the entities are read with.
  public var context: JSON { plan.context.map(JSON.string) ?? .null }

  /// Parts of one message that are read.
  static let mostParts = 10_000

  /// Media types of its messages.
  public var mediaTypes: [String] {
    plan.format == .senml
      ? ["application/senml+json", "application/sensml+json", "application/json"] : ["application/json"]
  }

  /// - Parameter time: when the message came, for what carries no time of its own.
  /// - Throws: ``Problem`` when the message as a whole cannot be read.
  public func read(_ message: JSON, at time: DateTime) throws(Problem) -> AdaptedInput {
    switch plan.format {
    case .senml: try SenMLReader(plan: plan).read(message, at: time)
    case .ngsiv2: try NGSIv2Reader(plan: plan).read(message)
    case .sensorthings: try SensorThingsReader(plan: plan).read(message, at: time)
    case .csv, .json, .jsonl, .geojson, .value:
      throw Problem(.internalError, "\(plan.format.rawValue) is read by its mapping or its topic")
    }
  }

  /// A text as a part of a URN: what may not stand there is percent-encoded.
  static func urnPart(_ text: String) -> String {
    let allowed = Set("-._~:/()+,=@;$!*'".utf8)
    var part = ""
    for byte in text.utf8 {
      if (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || allowed.contains(byte) {
        part.unicodeScalars.append(UnicodeScalar(byte))
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        part += "%" + (digits.count == 1 ? "0" : "") + digits
      }
    }
    return part
  }

  /// A name that an attribute can have: letters, digits and underscores, beginning with a letter.
  static func attributeName(_ text: String) -> String? {
    let name = String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "_" })
    guard let first = name.first, first.isLetter, !reserved.contains(name) else { return nil }
    return name
  }

  private static let reserved: Set<String> = ["id", "type", "scope", "value", "object", "createdAt", "modifiedAt"]
}

extension Manifest.Adapter {
  /// Types that its entities have by the manifest; none where its messages say them, or a value of a topic's.
  ///
  /// - Parameter mapping: of its rows.
  func producedTypes(_ mapping: Mapping?) -> [String] {
    switch format {
    case .senml: [type ?? "Device"]
    case .sensorthings: Set((datastreams ?? [:]).values.map { $0.type ?? type ?? "Device" }).sorted()
    case .ngsiv2: type.map { [$0] } ?? []
    case .csv, .json, .jsonl, .geojson: mapping.map { $0.type.hasColumns ? [] : [$0.type.text] } ?? []
    case .value: []
    }
  }

  /// The id of the entity that a device speaks for.
  func entityId(of device: String) -> String {
    let pattern = entity ?? "urn:ngsi-ld:\(type ?? "Device"):{device}"
    return pattern.replacing("{device}", with: Adapter.urnPart(device))
  }
}
