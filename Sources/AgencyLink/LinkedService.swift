import NGSI

/// A service that the city shares with another agency (연계서비스): who talks to whom about which events, and how.
///
/// Keys are no part of it: they come from where the operator keeps secrets, by the service's `id`.
public struct LinkedService: Sendable, Hashable {
  /// How its bodies are encrypted.
  public enum Encryption: Sendable, Hashable {
    case none
    case aria(BodyCipher.Encoding)
  }

  public var id: String
  /// By language: `ko`, `en`.
  public var names: [String: String]
  /// `sendCd` of the city.
  public var city: String
  /// `sendCd` of the agency.
  public var agency: String
  /// `sysCd` of the city's system.
  public var system: String
  /// `evtId` that belong to it; agreed with the agency, as no list of them is public.
  public var events: [String]
  public var format: WireRequest.Format
  public var dialect: Message.Dialect
  public var encryption: Encryption
  /// Paths at the far side.
  public var loginPath: String
  public var eventPath: String

  /// The envelope of a message to the agency, as the published module fills it.
  public func envelope(_ type: Envelope.ServiceType, at time: DateTime, session: String? = nil) -> Envelope {
    var envelope = Envelope(type, sender: city, receiver: agency, system: system)
    envelope.requestedAt = time
    envelope.session = session
    envelope.hops = [Envelope.Hop("\(city)_\(system)"), Envelope.Hop("\(agency)_SCSNS")]
    return envelope
  }
}

/// The services of a city, in the order in which they are shown.
public struct LinkedServices: Sendable, Hashable {
  /// Services at most.
  public static let bound = 50

  public let services: [LinkedService]

  /// Reads `{"services": [{"id", "name", "city", "agency", "system", "events", "format", "dialect", "encryption",
  /// "loginPath", "eventPath"}]}`.
  ///
  /// - Throws: ``MessageError`` with the member's name.
  public init(json: JSON) throws(MessageError) {
    var bounds = Bounds()
    bounds.items = 1_000
    var services: [LinkedService] = []
    var ids: Set<String> = []
    // An event of an agency belongs to one service, or nobody could say to which a message goes.
    var events: Set<[String]> = []
    for (path, item) in try FieldReader(json, "", bounds).list("services", most: Self.bound) {
      let service = try LinkedService(FieldReader(item, path, bounds))
      guard ids.insert(service.id).inserted else { throw MessageError(path + ".id", .twice) }
      for event in service.events where !events.insert([service.agency, event]).inserted {
        throw MessageError(path + ".events", .twice)
      }
      services.append(service)
    }
    self.services = services
  }

  public subscript(id: String) -> LinkedService? { services.first { $0.id == id } }
}

extension LinkedService {
  fileprivate init(_ fields: FieldReader) throws(MessageError) {
    let bounds = fields.bounds
    func choice<Value: RawRepresentable>(_ name: String, _ fallback: Value) throws(MessageError) -> Value
    where Value.RawValue == String {
      guard let text = try fields.text(name, most: bounds.detail) else { return fallback }
      guard let value = Value(rawValue: text) else { throw MessageError(fields.path + name, .unknown) }
      return value
    }
    guard let named = try fields.reader("name") else { throw MessageError(fields.path + "name", .missing) }
    var names: [String: String] = [:]
    for member in named.object { names[member.key] = try named.needed(member.key, most: bounds.detail) }
    var events: [String] = []
    for (path, item) in try fields.list("events", most: bounds.items) {
      events.append(try FieldReader.text(item, path, most: bounds.event))
    }
    let encryption: Encryption
    switch try fields.text("encryption", most: bounds.detail) ?? "none" {
    case "none": encryption = .none
    case let text:
      guard let encoding = BodyCipher.Encoding(rawValue: text) else {
        throw MessageError(fields.path + "encryption", .unknown)
      }
      encryption = .aria(encoding)
    }
    func form(_ text: String?) throws(MessageError) -> WireRequest.Format {
      switch text ?? "json" {
      case "json": return .json
      case "form": return .form
      default: throw MessageError(fields.path + "format", .unknown)
      }
    }
    self.init(
      id: try fields.needed("id", most: bounds.event), names: names,
      city: try fields.needed("city", most: bounds.code), agency: try fields.needed("agency", most: bounds.code),
      system: try fields.needed("system", most: bounds.code), events: events,
      format: try form(fields.text("format", most: bounds.detail)), dialect: try choice("dialect", .module),
      encryption: encryption,
      loginPath: try fields.text("loginPath", most: bounds.key) ?? "/api/getAuth.json",
      eventPath: try fields.text("eventPath", most: bounds.key) ?? "/linkHttp/recvEvent.json")
  }
}
