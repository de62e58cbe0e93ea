import NGSI

/// What somebody or something says has happened.
public struct Report: Sendable, Hashable {
  /// How it came.
  public enum Channel: String, Sendable, Hashable, CaseIterable {
    /// A call page on a phone.
    case page
    case voice
    case bell
    case wearable
    case sensor
    case camera
    /// Another agency's system, such as 112 or 119.
    case agency
    case `operator`
    case advancedMobileLocation = "aml"
  }

  /// Why something in it is not taken at its word. The report counts all the same.
  public enum Doubt: String, Sendable, Hashable, CaseIterable {
    /// The time it gives cannot be: the time it came is used.
    case time
    /// The place it gives cannot be, or lies far outside the city.
    case place
    /// A code that the city does not know.
    case category
  }

  /// Whose numbers ``number`` is one of: an agency, a device, a service.
  public var source: String
  /// The source's own number for it: the same one twice is the same report.
  public var number: String
  public var channel: Channel
  /// What it is about: a code out of the city's list, such as `fire`.
  public var category: String
  public var severity: Severity
  /// When it happened, as the source says.
  public var observedAt: DateTime?
  public var position: Position?
  /// Address or place in words.
  public var address: String?
  public var text: String?
  /// URIs of entities that it is about, such as the camera or the bell.
  public var about: [String]
  /// Where who called may be called back.
  public var contact: String?
  /// Who called does not want to be heard: no call back by voice.
  public var isSilent: Bool
  public var doubts: Set<Doubt>

  public init(
    source: String, number: String, channel: Channel, category: String, severity: Severity = .unknown,
    observedAt: DateTime? = nil, position: Position? = nil, address: String? = nil, text: String? = nil,
    about: [String] = [], contact: String? = nil, isSilent: Bool = false, doubts: Set<Doubt> = []
  ) {
    self.source = source
    self.number = number
    self.channel = channel
    self.category = category
    self.severity = severity
    self.observedAt = observedAt
    self.position = position
    self.address = address
    self.text = text
    self.about = about
    self.contact = contact
    self.isSilent = isSilent
    self.doubts = doubts
  }

  /// The same source and number is the same report, however often it is sent.
  public struct Key: Sendable, Hashable {
    public var source: String
    public var number: String

    public init(source: String, number: String) {
      self.source = source
      self.number = number
    }
  }

  public var key: Key { Key(source: source, number: number) }

  /// Where it may be looked for; `nil` where it says nothing that can be believed.
  public var believedPosition: Position? { doubts.contains(.place) ? nil : position }
}
