import NGSI

/// A message of the link: its envelope and its body.
public struct Message: Sendable, Hashable {
  public enum Body: Sendable, Hashable {
    /// Asks for a session.
    case authentication(apiKey: String)
    case event(EventBody)
    /// Encrypted, as a text.
    case sealed(String)
  }

  public var envelope: Envelope
  public var body: Body

  public init(_ envelope: Envelope, _ body: Body) {
    self.envelope = envelope
    self.body = body
  }

  /// How the far side writes what can be written in two ways.
  public enum Dialect: String, Sendable, Hashable, CaseIterable {
    /// As the published module reads and writes.
    case module
    /// As the platform wrote the messages that the module has kept: tags in the body, `Body`, `ocrEvtUsr`.
    case platform
  }
}

/// What stands around a body: who sends it to whom.
public struct Envelope: Sendable, Hashable {
  public enum ServiceType: String, Sendable, Hashable, CaseIterable {
    case authentication = "AUTH"
    case event = "EVENT"
    /// The module names it and says nothing of it.
    case beforeEvent = "PREEVT"
  }

  /// A system that the message went through.
  public struct Hop: Sendable, Hashable {
    /// `tranSysHis` in the module's dialect; the platform numbers them.
    public var name: String
    /// An agency and a system with an underscore between them.
    public var value: String

    static let plainName = "tranSysHis"

    public init(_ value: String, name: String = "tranSysHis") {
      self.name = name
      self.value = value
    }
  }

  /// Where an answer would be sent to. It is kept and never called: an address out of a message is anybody's.
  public struct Callback: Sendable, Hashable {
    public var isUsed: Bool
    public var target: String

    public init(isUsed: Bool, target: String) {
      self.isUsed = isUsed
      self.target = target
    }
  }

  /// `svcTy`
  public var service: ServiceType
  /// `hdCnt`
  public var headerCount: String? = "14"
  /// `dtCnt`
  public var dataCount: String? = "16"
  /// `apSeq.apCurrent`
  public var part: String? = "1"
  /// `apSeq.apTotal`
  public var parts: String? = "1"
  /// `cmnMtd`
  public var method: String? = "1"
  /// `sendCd`: agency or city that sends.
  public var sender: String
  /// `rcvCd`
  public var receiver: String?
  /// `encAt`: Y or N, as it came; what leaves says what its body is.
  public var isEncrypted: Bool
  /// `tranTy`
  public var transport: String? = "HTTP"
  /// `rrKey`: the session's key.
  public var session: String?
  /// `reqDate`
  public var requestedAt: DateTime?
  /// `bodyLen`: UTF-16 units of the body's text. Written by us; what comes is not compared, as it is not true always.
  public var bodyLength: String?
  /// `sysCd`: the system that sends.
  public var system: String?
  /// `tranSysHis`
  public var hops: [Hop] = []
  /// `callBack`
  public var callback: Callback?

  public init(_ service: ServiceType, sender: String, receiver: String?, system: String?, isEncrypted: Bool = false) {
    self.service = service
    self.sender = sender
    self.receiver = receiver
    self.system = system
    self.isEncrypted = isEncrypted
  }
}
