import NGSI
import Synchronization

/// Where adapters bring what they read: the hub.
public protocol FeedSink: Sendable {
  /// Writes what a message or a part of a file says, durably; what is refused is kept with its reason.
  ///
  /// - Throws: ``Problem`` when nothing can be written at present, so that it has to be brought again.
  func take(_ input: AdaptedInput, from feed: FeedName) async throws(Problem) -> FeedOutcome
  /// Keeps input that could not even be read.
  func refuse(_ problem: Problem, sample: String, from feed: FeedName)
}

/// Who brings something.
public struct FeedName: Sendable, Hashable {
  /// Id of the adapter.
  public var adapter: String
  /// Where it comes from, without secrets: a URL, a broker with its topic.
  public var source: String
  /// JSON-LD context that the names are read with.
  public var context: JSON
  /// Types that its entities have by the manifest, as they stand there; none where its messages say them.
  public var types: [String]
}

/// What became of readings.
public struct FeedOutcome: Sendable, Hashable {
  public var stored = 0
  /// Those that the hub had already.
  public var known = 0
  public var refused = 0

  public init(stored: Int = 0, known: Int = 0, refused: Int = 0) {
    self.stored = stored
    self.known = known
    self.refused = refused
  }

  static func += (left: inout FeedOutcome, right: FeedOutcome) {
    left.stored += right.stored
    left.known += right.known
    left.refused += right.refused
  }
}

/// How an adapter fares, for people and machines.
public struct FeedStatus: Sendable, Hashable {
  public enum State: String, Sendable {
    /// Nothing has come yet.
    case waiting
    case ok
    /// It works, but some of what came was refused.
    case partly
    case failing
  }

  public var id: String
  /// `pull` or `mqtt`.
  public var kind: String
  public var source: String
  public var state = State.waiting
  public var lastSuccess: DateTime?
  public var lastFailure: DateTime?
  /// Why the last failure was one.
  public var reason: String?
  public var nextRun: DateTime?
  /// Failures since the last success.
  public var failures = 0
  /// Fetches, or messages.
  public var received = 0
  /// Fetches whose answer was that nothing has changed.
  public var unchanged = 0
  public var total = FeedOutcome()

  init(id: String, kind: String, source: String) {
    self.id = id
    self.kind = kind
    self.source = source
  }

  public var json: JSON {
    var json = JSONObject()
    json["id"] = .string(id)
    json["kind"] = .string(kind)
    json["source"] = .string(source)
    json["state"] = .string(state.rawValue)
    json["lastSuccess"] = lastSuccess.map { .string($0.description) }
    json["lastFailure"] = lastFailure.map { .string($0.description) }
    json["reason"] = reason.map(JSON.string)
    json["failures"] = .integer(Int64(failures))
    json["nextRun"] = nextRun.map { .string($0.description) }
    json["received"] = .integer(Int64(received))
    json["unchanged"] = .integer(Int64(unchanged))
    json["stored"] = .integer(Int64(total.stored))
    json["known"] = .integer(Int64(total.known))
    json["refused"] = .integer(Int64(total.refused))
    return .object(json)
  }
}

/// The states of all adapters that fetch or listen.
public final class FeedBoard: Sendable {
  private let states = Mutex<[FeedStatus]>([])

  public init() {}

  /// In the order of the manifest.
  public var all: [FeedStatus] { states.withLock { $0 } }

  func add(_ status: FeedStatus) { states.withLock { $0.append(status) } }

  func change(_ id: String, _ body: (inout FeedStatus) -> Void) {
    states.withLock { states in
      guard let position = states.firstIndex(where: { $0.id == id }) else { return }
      body(&states[position])
    }
  }

  public func status(of id: String) -> FeedStatus? { all.first { $0.id == id } }
}

/// How long to wait after failures in a row.
struct BackOff: Sendable {
  /// Seconds after the first.
  var first: Double
  var longest: Double
  /// Evenly in 0 ..< 1, by number of the failure.
  var chance: @Sendable (Int) -> Double

  /// Twice as long each time, a quarter more or less, so that what failed together does not come back together.
  func seconds(after failures: Int) -> Double {
    let pause = min(longest, first * Double(UInt64(1) << UInt64(min(max(failures, 1) - 1, 20))))
    return pause * (0.75 + 0.5 * chance(failures))
  }
}
