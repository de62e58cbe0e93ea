import NGSI

/// The body of an event message: what happened, where, when, and where it stands.
public struct EventBody: Sendable, Hashable {
  /// Degrees, as texts: they leave as they came.
  public struct Coordinates: Sendable, Hashable {
    /// `crdntX`, the longitude.
    public var x: String
    /// `crdntY`, the latitude.
    public var y: String
    /// `crdntZ`, always `0` from the published module.
    public var z: String?

    public init(x: String, y: String, z: String? = "0") {
      self.x = x
      self.y = y
      self.z = z
    }

    public init(longitude: Double, latitude: Double) { self.init(x: "\(longitude)", y: "\(latitude)") }

    /// `nil` for what is no degree.
    public var longitude: Double? { Self.degree(x, 180) }
    public var latitude: Double? { Self.degree(y, 90) }

    private static func degree(_ text: String, _ most: Double) -> Double? {
      guard let value = Double(text), abs(value) <= most else { return nil }
      return value
    }
  }

  /// Who brought it to its state.
  public struct User: Sendable, Hashable {
    public var id: String?
    public var name: String?

    public init(id: String?, name: String?) {
      self.id = id
      self.name = name
    }
  }

  /// One more fact, or the name of an attachment (`IMAGE_SEND_TY_CD`, `IMAGE_URL`).
  public struct Item: Sendable, Hashable {
    public var key: String
    public var value: String?

    public init(_ key: String, _ value: String?) {
      self.key = key
      self.value = value
    }
  }

  /// A code with what it means, either of them optional.
  public struct Coded: Sendable, Hashable {
    public var code: String?
    public var detail: String?

    public init(_ code: String?, _ detail: String?) {
      self.code = code
      self.detail = detail
    }
  }

  /// `evtId`: the kind of event.
  public var event: String
  /// `evtNm`
  public var name: String?
  /// `evtGrad`
  public var grade: String?
  /// `ocrNbr`: with sender and event it names one occurrence.
  public var number: String
  /// `ocrSts`
  public var status: OccurrenceStatus
  /// `ocrLc`
  public var coordinates: Coordinates?
  /// `ocrPlc`: the address in words.
  public var place: String?
  /// `ocrEvtCn`: what happened, in words.
  public var content: String?
  /// `ocrEvtTime`
  public var occurredAt: DateTime?
  /// `ocrEvtSts`: the status again, with its name; `ocrSts` decides.
  public var statusText: Coded?
  /// `ocrEvtStsUsr`
  public var user: User?
  /// `ocrEvtStsTime`
  public var statusAt: DateTime?
  /// `ocrEvtEndTime`
  public var endedAt: DateTime?
  /// `ocrEvtItem`, with `ocrEvtItemCnt`
  public var items: [Item] = []
  /// `ocrEvtDtl`
  public var detail: Coded?
  /// What could not be read and was left out, where that is allowed (``Bounds/keepsDoubtful``).
  public var doubts: [Doubt] = []

  /// A field that says what cannot be.
  public struct Doubt: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable { case time, place, status }

    public var kind: Kind
    /// Its name on the wire.
    public var field: String
    /// As it came.
    public var text: String
  }

  public init(event: String, number: String, status: OccurrenceStatus) {
    self.event = event
    self.number = number
    self.status = status
  }

  /// The same occurrence in another state, told by somebody at a time.
  public func moved(to status: OccurrenceStatus, at time: DateTime, by user: User?) -> EventBody {
    var body = self
    body.status = status
    body.statusText = Coded(status.rawValue, status.name)
    body.statusAt = time
    body.user = user
    body.endedAt = status.isFinal ? time : nil
    return body
  }
}
