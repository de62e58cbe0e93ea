import NGSI

/// One session with the far side: it logs in once and sends with the same key until that ends.
///
/// The published module logs in before each message, which ends the session of every other message under way.
public struct Session: Sendable, Hashable {
  public struct Rules: Sendable, Hashable {
    /// Seconds that a key is used. The module's far side says nothing of it, so a key is renewed before it may end.
    public var lifetime: Double = 1_800
    /// Seconds after which a login that nobody answered is taken for lost.
    public var patience: Double = 30
    /// Seconds in which a key does not end: a message that is refused under it is refused for what it says.
    public var young: Double = 60
    public var backoff = Backoff()

    public init() {}
  }

  public enum State: Sendable, Hashable {
    case out
    case asking(since: DateTime)
    case open(key: String, since: DateTime)
  }

  public enum Step: Sendable, Hashable {
    case logIn
    case ready(key: String)
    case wait(until: DateTime)
  }

  public let rules: Rules
  public private(set) var state = State.out
  /// Logins that failed one after another.
  public private(set) var failures = 0
  public private(set) var lastFailure: String?
  private var notBefore: DateTime?

  public init(_ rules: Rules = Rules()) { self.rules = rules }

  /// What is to be done for a message to go now.
  public func step(at time: DateTime) -> Step {
    switch state {
    case .open(let key, let since) where time < since.adding(seconds: rules.lifetime): return .ready(key: key)
    case .asking(let since) where time < since.adding(seconds: rules.patience):
      return .wait(until: since.adding(seconds: rules.patience))
    default:
      if let notBefore, time < notBefore { return .wait(until: notBefore) }
      return .logIn
    }
  }

  /// The login is on its way.
  public mutating func asked(at time: DateTime) { state = .asking(since: time) }

  /// What became of it; an empty key is none.
  public mutating func took(_ reply: Reply, at time: DateTime) {
    if case .answer(.success(let key)) = reply, !key.isEmpty {
      state = .open(key: key, since: time)
      failures = 0
      lastFailure = nil
      notBefore = nil
    } else {
      failures += 1
      lastFailure = reply.failure ?? "the answer to the login has no key"
      state = .out
      notBefore = time.adding(seconds: rules.backoff.delay(after: failures))
    }
  }

  /// Whether a refusal names what carries the session's key: so our own far side says that it knows no such session, as
  /// after a restart, and so does HTTP.
  static func isNamed(in refusal: String) -> Bool {
    refusal == "HTTP 401" || refusal == "HTTP 403" || refusal.contains("'rrKey'")
      || refusal.contains(WireRequest.Name.secret)
  }

  /// A message under this key was refused. The protocol has no word for a session that ended, so that is what a refusal
  /// may mean unless the key is young.
  ///
  /// - Parameter isNamed: whether the refusal names the session; then it is believed of a young key too.
  /// - Returns: whether the message is worth another try, under another key.
  public mutating func doubt(_ key: String, at time: DateTime, isNamed: Bool = false) -> Bool {
    guard case .open(key, let since) = state else { return true }
    guard isNamed || time >= since.adding(seconds: rules.young) else { return false }
    state = .out
    return true
  }
}

/// What came back for a request.
public enum Reply: Sendable, Hashable {
  case answer(Answer)
  /// An HTTP status that is no success, or an answer that cannot be read.
  case garbled(String)
  case unreachable(String)

  /// From an HTTP answer. The far side answers 200 with what it made of the message; 401 and 403 mean the session.
  public init(status: Int, body: [UInt8], bounds: Bounds = Bounds()) {
    if status == 401 || status == 403 {
      self = .answer(.failure("HTTP \(status)"))
    } else if !(200..<300).contains(status) {
      self = .garbled("HTTP \(status)")
    } else {
      do { self = .answer(try Answer(reading: body, bounds: bounds)) } catch { self = .garbled("\(error)") }
    }
  }

  /// Why it is no success.
  public var failure: String? {
    switch self {
    case .answer(.success): nil
    case .answer(.failure(let text)): "refused: " + text
    case .garbled(let text): "not understood: " + text
    case .unreachable(let text): "not reached: " + text
    }
  }
}

/// Waits twice as long after each failure, up to a bound.
public struct Backoff: Sendable, Hashable {
  /// Seconds after the first failure.
  public var first: Double = 1
  public var most: Double = 300

  public init(first: Double = 1, most: Double = 300) {
    self.first = first
    self.most = most
  }

  public func delay(after failures: Int) -> Double {
    // Beyond that the bound is reached in any case, and the shift would not hold.
    min(most, first * Double(UInt64(1) << UInt64(max(0, min(failures - 1, 40)))))
  }
}
