/// How a camera's stream is: what it does is told, what it is and when to try again follows. Knows no clock: times are seconds
/// of the caller's.
public struct StreamHealth: Sendable, Hashable {
  public enum State: Sendable, Hashable {
    /// Being opened; no picture yet.
    case connecting
    case running
    /// Pictures come, and are the same for too long.
    case frozen
    /// No picture comes; tried again.
    case lost(LossReason)
    /// What is there cannot be used; tried again, seldom.
    case refused(RefusalReason)

    /// The code that a screen translates.
    public var code: String {
      switch self {
      case .connecting: "connecting"
      case .running: "running"
      case .frozen: "frozen"
      case .lost(let reason): "lost-" + reason.rawValue
      case .refused(let reason): "refused-" + reason.rawValue
      }
    }
  }

  public enum LossReason: String, Sendable, Hashable, CaseIterable {
    /// It could not be reached, or did not answer.
    case unreachable
    /// Nothing came for too long.
    case silent
    /// The other side ended it.
    case ended
    /// Its pictures have another size than before.
    case resized
  }

  public enum RefusalReason: String, Sendable, Hashable, CaseIterable {
    /// No video that can be read: no such stream, an unknown codec, or data that is not what it says.
    case undecodable
    /// Larger than the bounds allow.
    case tooLarge = "too-large"
    /// It wants another name and password.
    case unauthorized
    /// An address of a kind that is not opened.
    case address
  }

  public struct Settings: Sendable, Hashable {
    /// Seconds without a picture after which a stream is lost.
    public var silence = 10.0
    /// Seconds of the same picture after which it is frozen.
    public var freeze = 15.0
    /// Seconds until the first new attempt, doubled with each up to the longest.
    public var firstRetry = 1.0
    public var longestRetry = 60.0
    /// Seconds between attempts where it was refused.
    public var refusedRetry = 300.0
    /// Seconds of running after which attempts count from the beginning.
    public var steady = 30.0

    public init() {}
  }

  public let settings: Settings
  public private(set) var state = State.connecting
  /// Since when it is so.
  public private(set) var since: Double
  /// When it is to be opened again; `nil` while it is open.
  public private(set) var retryAt: Double?
  public private(set) var attempts = 0
  private var lastPicture: Double
  private var lastChange: Double
  private var runningSince: Double?

  public init(at time: Double, settings: Settings = Settings()) {
    self.settings = settings
    since = time
    lastPicture = time
    lastChange = time
  }

  /// It is being opened.
  public mutating func open(at time: Double) {
    retryAt = nil
    lastPicture = time
    lastChange = time
    runningSince = nil
    become(.connecting, time)
  }

  /// A picture came.
  /// - Parameter isSame: whether it is the last one to the byte.
  public mutating func picture(isSame: Bool, at time: Double) {
    guard retryAt == nil else { return }
    lastPicture = time
    if !isSame || runningSince == nil { lastChange = time }
    if runningSince == nil { runningSince = time }
    if let runningSince, time - runningSince >= settings.steady { attempts = 0 }
    become(time - lastChange >= settings.freeze ? .frozen : .running, time)
  }

  /// Time passes. True when the stream fell silent and is to be closed.
  public mutating func check(at time: Double) -> Bool {
    guard retryAt == nil, time - lastPicture >= settings.silence else { return false }
    lose(runningSince == nil ? .unreachable : .silent, at: time, jitter: 0)
    return true
  }

  /// - Parameter jitter: 0 to 1; spreads the attempts of many cameras that were lost at once.
  public mutating func lose(_ reason: LossReason, at time: Double, jitter: Double) {
    let doublings = min(attempts, 16)
    let wait = min(settings.longestRetry, settings.firstRetry * Double(1 << doublings))
    attempts += 1
    retryAt = time + wait * (1 + 0.25 * min(max(jitter, 0), 1))
    runningSince = nil
    become(.lost(reason), time)
  }

  public mutating func refuse(_ reason: RefusalReason, at time: Double, jitter: Double) {
    attempts += 1
    retryAt = time + settings.refusedRetry * (1 + 0.25 * min(max(jitter, 0), 1))
    runningSince = nil
    become(.refused(reason), time)
  }

  private mutating func become(_ next: State, _ time: Double) {
    guard next != state else { return }
    state = next
    since = time
  }
}
