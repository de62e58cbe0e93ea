import NGSI

/// A message of the Common Alerting Protocol (OASIS CAP 1.2): who warns whom of what, where, until when.
///
/// Members have the names of the standard's elements (section 3.2), in words.
public struct CAPAlert: Sendable, Hashable {
  public enum Status: String, Sendable, Hashable, CaseIterable {
    case actual = "Actual"
    case exercise = "Exercise"
    /// For technical functions of networks.
    case system = "System"
    case test = "Test"
    case draft = "Draft"
  }

  public enum MessageType: String, Sendable, Hashable, CaseIterable {
    case alert = "Alert"
    case update = "Update"
    case cancel = "Cancel"
    case acknowledgement = "Ack"
    case error = "Error"
  }

  public enum Scope: String, Sendable, Hashable, CaseIterable {
    case open = "Public"
    case restricted = "Restricted"
    case closed = "Private"
  }

  /// An earlier message: `sender,identifier,sent`.
  public struct Reference: Sendable, Hashable {
    public var sender: String
    public var identifier: String
    public var sent: DateTime

    public init(sender: String, identifier: String, sent: DateTime) {
      (self.sender, self.identifier, self.sent) = (sender, identifier, sent)
    }
  }

  /// What could not be taken at its word, and was left out or made unknown.
  public struct Doubt: Sendable, Hashable {
    /// The element with its path, such as `info[0].area[0].polygon[0]`.
    public var element: String
    /// As it came, shortened.
    public var text: String
    public var reason: String

    public init(element: String, text: String, reason: String) {
      (self.element, self.text, self.reason) = (element, text, reason)
    }
  }

  public var identifier: String
  public var sender: String
  /// To the second.
  public var sent: DateTime
  public var status: Status
  public var messageType: MessageType
  public var source: String?
  public var scope: Scope
  /// Of a restricted scope.
  public var restriction: String?
  /// Of a private scope.
  public var addresses: [String] = []
  public var codes: [String] = []
  public var note: String?
  public var references: [Reference] = []
  /// Names of incidents.
  public var incidents: [String] = []
  /// In each language one.
  public var infos: [Info] = []
  public var doubts: [Doubt] = []

  public init(
    identifier: String, sender: String, sent: DateTime, status: Status, messageType: MessageType, scope: Scope = .open
  ) {
    (self.identifier, self.sender, self.sent) = (identifier, sender, sent)
    (self.status, self.messageType, self.scope) = (status, messageType, scope)
  }

  public var reference: Reference { Reference(sender: sender, identifier: identifier, sent: sent) }

  /// When it ends: the last of what its parts say; `nil` where none says.
  public var expires: DateTime? { infos.compactMap(\.expires).max() }

  /// The part in a language, or else the first.
  public func info(in language: String) -> Info? {
    infos.first { $0.language.lowercased().hasPrefix(language.lowercased()) } ?? infos.first
  }
}

extension CAPAlert {
  /// What is said in one language (section 3.2.2).
  public struct Info: Sendable, Hashable {
    public enum Category: String, Sendable, Hashable, CaseIterable {
      case geophysical = "Geo"
      case meteorological = "Met"
      case safety = "Safety"
      case security = "Security"
      case rescue = "Rescue"
      case fire = "Fire"
      case health = "Health"
      case environment = "Env"
      case transport = "Transport"
      case infrastructure = "Infra"
      /// Chemical, biological, radiological, nuclear, explosive.
      case cbrne = "CBRNE"
      case other = "Other"
    }

    public enum Response: String, Sendable, Hashable, CaseIterable {
      case shelter = "Shelter"
      case evacuate = "Evacuate"
      case prepare = "Prepare"
      case execute = "Execute"
      case avoid = "Avoid"
      case monitor = "Monitor"
      case assess = "Assess"
      case allClear = "AllClear"
      case nothing = "None"
    }

    public enum Urgency: String, Sendable, Hashable, CaseIterable {
      case immediate = "Immediate"
      case expected = "Expected"
      case future = "Future"
      case past = "Past"
      case unknown = "Unknown"
    }

    public enum Severity: String, Sendable, Hashable, CaseIterable {
      case extreme = "Extreme"
      case severe = "Severe"
      case moderate = "Moderate"
      case minor = "Minor"
      case unknown = "Unknown"
    }

    public enum Certainty: String, Sendable, Hashable, CaseIterable {
      case observed = "Observed"
      case likely = "Likely"
      case possible = "Possible"
      case unlikely = "Unlikely"
      case unknown = "Unknown"
    }

    public static let defaultLanguage = "en-US"

    /// RFC 3066.
    public var language: String
    public var categories: [Category]
    public var event: String
    public var responses: [Response] = []
    public var urgency: Urgency
    public var severity: Severity
    public var certainty: Certainty
    public var audience: String?
    public var eventCodes: [Named] = []
    public var effective: DateTime?
    public var onset: DateTime?
    public var expires: DateTime?
    public var senderName: String?
    public var headline: String?
    public var description: String?
    public var instruction: String?
    public var web: String?
    public var contact: String?
    public var parameters: [Named] = []
    public var resources: [Resource] = []
    public var areas: [Area] = []

    public init(
      language: String = Info.defaultLanguage, categories: [Category], event: String, urgency: Urgency,
      severity: Severity, certainty: Certainty
    ) {
      (self.language, self.categories, self.event) = (language, categories, event)
      (self.urgency, self.severity, self.certainty) = (urgency, severity, certainty)
    }
  }

  /// `valueName` and `value`: a code of a list that the name names.
  public struct Named: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
  }

  /// A picture or a sound. What `derefUri` may hold inside the message is not kept.
  public struct Resource: Sendable, Hashable {
    public var description: String
    public var mimeType: String
    public var size: Int?
    public var uri: String?
    public var digest: String?
  }

  /// Where (section 3.2.4): all of its parts together.
  public struct Area: Sendable, Hashable {
    public var description: String
    public var polygons: [Polygon] = []
    public var circles: [Circle] = []
    public var geocodes: [Named] = []
    /// Feet above mean sea level, as the standard has them.
    public var altitude: Double?
    public var ceiling: Double?

    public init(description: String) { self.description = description }
  }

  public struct Point: Sendable, Hashable {
    /// Degrees, WGS 84.
    public var latitude: Double
    public var longitude: Double

    public init(latitude: Double, longitude: Double) { (self.latitude, self.longitude) = (latitude, longitude) }
  }

  public struct Circle: Sendable, Hashable {
    public var centre: Point
    /// Kilometres.
    public var radius: Double

    /// - Returns: `nil` for what is no place, or no radius.
    public init?(centre: Point, radius: Double) {
      guard Polygon.isPlace(centre), radius.isFinite, (0...20_038).contains(radius) else { return nil }
      (self.centre, self.radius) = (centre, radius)
    }
  }
}
