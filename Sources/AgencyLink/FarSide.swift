import NGSI

/// The other end of the wire, for tests and to try a link out: it gives sessions, keeps occurrences and answers, and can be
/// told to behave badly. It knows what it was told only by the messages.
public struct FarSide: Sendable {
  /// A message as it was taken.
  public struct Heard: Sendable, Hashable {
    public var key: OccurrenceKey
    public var status: OccurrenceStatus
    /// `nil` where the answer was a failure.
    public var taking: Occurrence.Taking?
    public var body: EventBody
    public var wasEncrypted: Bool
  }

  /// Most messages that are remembered.
  public static let remembered = 100_000

  /// Events that it refuses.
  public var refused: Set<String> = []
  public private(set) var heard: [Heard] = []
  public private(set) var logins = 0
  private let apiKey: String
  private let cipher: BodyCipher?
  private var sessions: [String: String] = [:]
  private var occurrences: [OccurrenceKey: Occurrence] = [:]

  /// - Parameters:
  ///   - apiKey: with which whoever comes logs in.
  ///   - cipher: for encrypted bodies; plain ones are taken too.
  public init(apiKey: String, cipher: BodyCipher? = nil) { (self.apiKey, self.cipher) = (apiKey, cipher) }

  /// As after a restart: who has a session has it no longer.
  public mutating func forgetSessions() { sessions = [:] }

  /// - Parameter key: for the session, should this be a login.
  public mutating func answer(_ request: WireRequest, giving key: String) -> Answer {
    do throws(MessageError) {
      let message = try Message(reading: request)
      let sender = message.envelope.sender
      if case .authentication(let given) = message.body {
        guard given == apiKey else { return .failure("'apiKey' is not known") }
        logins += 1
        sessions[sender] = key
        return .success(key)
      }
      guard let session = sessions[sender], message.secret(of: request) == session else {
        return .failure("'rrKey' is the key of no session")
      }
      let wasEncrypted = if case .sealed = message.body { true } else { false }
      guard let opened = try wasEncrypted ? cipher?.open(message) : message, case .event(let body) = opened.body else {
        throw MessageError("body", .unreadable)
      }
      return take(OccurrenceKey(message.envelope, body), body, wasEncrypted)
    } catch { return Answer(to: error) }
  }

  private mutating func take(_ key: OccurrenceKey, _ body: EventBody, _ wasEncrypted: Bool) -> Answer {
    var line = Heard(key: key, status: body.status, taking: nil, body: body, wasEncrypted: wasEncrypted)
    defer { if heard.count < Self.remembered { heard.append(line) } }
    guard !refused.contains(body.event) else { return .failure("'body.evtId' is not taken") }
    guard var known = occurrences[key] else {
      let (first, taking) = Occurrence.first(body)
      occurrences[key] = first
      line.taking = taking
      return .success("")
    }
    do throws(Occurrence.Refusal) {
      line.taking = try known.take(body)
      occurrences[key] = known
      return .success("")
    } catch { return .failure(error.description) }
  }
}
