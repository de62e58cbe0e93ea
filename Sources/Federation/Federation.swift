import Egress
import Hub
import NGSI
import Query
import Store
import Synchronization

/// The hub together with the context sources that are registered at it (ETSI GS CIM 009 clause 4.3.6).
///
/// Each operation is carried out where the registrations say: exclusive sources first, then redirects, then the hub
/// itself together with inclusive ones. A source that does not answer takes nothing from what the others gave; it is
/// named in a warning (reads) or in the outcome (writes).
public struct Federation: Sendable {
  /// Bounds of what one request may cause.
  public struct Limits: Sendable {
    /// Sources that one request may be sent to.
    public var sources = 200
    /// Calls under way at once, over all requests.
    public var callsInFlight = 256
    /// Bytes of one answer, and of all that are held at once, over all requests. In memory an answer takes several times
    /// as much while it is put together with others.
    public var answerBytes = 16 << 20
    public var heldBytes = 128 << 20
    /// Entities that a query over several sources may put together.
    public var entities = 10_000
    /// Entities asked for in one call.
    public var page = 1_000
    /// Seconds for a call, where the registration says nothing, and at most.
    public var timeout = 10.0
    public var longestTimeout = 60.0
    /// Seconds that a subscription lives at a source unless it is renewed.
    public var subscriptionLease = 86_400.0
    /// Seconds after which no further level of linked entities is asked for.
    public var linkingSeconds = 20.0
    /// Bytes of answers that are kept for registrations with a `cacheDuration`.
    public var cacheBytes = 32 << 20

    public init() {}
  }

  public let hub: Hub
  public let limits: Limits
  /// Whether entities may lie in parts at several sources where the client does not say (clause 4.3.6.7).
  public let splitsEntities: Bool
  let egress: Egress
  private let caller: any SourceCalling
  let cache: AnswerCache
  private let underWay: UnderWay
  let subscribing: Subscribing
  private let room: AnswerRoom

  public init(
    hub: Hub, caller: any SourceCalling = NoSources(), egress: Egress = Egress(), limits: Limits = Limits(),
    splitsEntities: Bool = false
  ) {
    self.hub = hub
    self.caller = caller
    self.egress = egress
    self.limits = limits
    self.splitsEntities = splitsEntities
    cache = AnswerCache(bytes: limits.cacheBytes)
    underWay = UnderWay(bound: limits.callsInFlight)
    subscribing = Subscribing()
    room = AnswerRoom(bytes: limits.heldBytes)
    hub.assembleParts { [weak hub, parts = Parts(self)] entities, subscription, source in
      guard let hub else { return [] }
      let federation = Federation(hub, parts)
      return await federation.assembled(entities, for: subscription, from: source)
    }
  }

  /// A federation apart from its hub, which knows it.
  private struct Parts: Sendable {
    let caller: any SourceCalling
    let egress: Egress
    let limits: Limits
    let splitsEntities: Bool
    let cache: AnswerCache
    let underWay: UnderWay
    let room: AnswerRoom
    let subscribing: Subscribing

    init(_ federation: Federation) {
      caller = federation.caller
      egress = federation.egress
      limits = federation.limits
      splitsEntities = federation.splitsEntities
      cache = federation.cache
      underWay = federation.underWay
      room = federation.room
      subscribing = federation.subscribing
    }
  }

  private init(_ hub: Hub, _ parts: Parts) {
    self.hub = hub
    caller = parts.caller
    egress = parts.egress
    limits = parts.limits
    splitsEntities = parts.splitsEntities
    cache = parts.cache
    underWay = parts.underWay
    room = parts.room
    subscribing = parts.subscribing
  }

  /// Room for what a request will be answered with; it is given back when that is closed.
  public func share() -> AnswerShare { AnswerShare(of: room) }

  /// A section of the health report.
  public var health: JSON {
    let held = room.figures
    func gauge(_ value: Int, _ bound: Int, _ unit: String? = nil) -> JSON {
      var gauge = JSONObject()
      gauge["value"] = .integer(Int64(value))
      gauge["bound"] = .integer(Int64(bound))
      gauge["unit"] = unit.map { .string($0) }
      return .object(gauge)
    }
    return [
      "calls": gauge(underWay.count, limits.callsInFlight), "heldBytes": gauge(held.taken, limits.heldBytes, "B"),
      "mostHeldBytes": ["value": .integer(Int64(held.most)), "unit": "B"],
      "withoutRoom": .integer(Int64(held.refused)),
      "answerBytesBound": ["value": .integer(Int64(limits.answerBytes)), "unit": "B"],
      "sourcesBound": .integer(Int64(limits.sources)), "entitiesBound": .integer(Int64(limits.entities)),
    ]
  }

  /// Whether anything but the hub itself may be concerned by requests of this tenant.
  public func concerns(_ tenant: Tenant) -> Bool { hub.hasRegistrations(in: tenant) }

  /// Calls under way.
  public var callsUnderWay: Int { underWay.count }

  /// The registrations that an operation is to be sent to, and whether the request has come by this hub before.
  func sources(_ query: SourceQuery, _ origin: RequestOrigin) throws(Problem) -> (matches: [SourceMatch], loops: Bool) {
    var query = query
    query.via = origin.passed
    let loops = query.via.contains(hub.alias(of: origin.tenant))
    var matches = try hub.sources(query, in: origin.tenant)
    guard matches.count <= limits.sources else {
      throw Problem(.tooManyResults, "more than \(limits.sources) context sources are concerned")
    }
    // A circle through this hub ends here: what only others hold cannot be had on this way.
    if loops { matches.removeAll { !$0.registration.mode.isProxied } }
    return (matches, loops)
  }

  /// Calls a source and notes how it answered.
  ///
  /// - Returns: status, headers and body of an answer that is no error.
  func call(_ call: SourceCall, _ registration: Registration) async -> Result<SourceAnswer, SourceFailure> {
    let key =
      registration.management.cacheDuration != nil && call.method == .get ? call.question(of: registration.tenant) : nil
    if let key, let kept = cache.answer(key, of: registration, at: hub.time) {
      return call.share.take(kept.body.count) ? .success(kept) : .failure(.noRoom)
    }
    if let cooldown = registration.management.cooldown {
      let record = hub.record(of: registration)
      if record.isFailing == true, let failed = record.lastFailure, hub.time < failed.adding(seconds: cooldown) {
        return .failure(.cooling)
      }
    }
    if let refusal = egress.refusal(of: call.url) {
      hub.note(refusal, of: registration)
      return .failure(.forbidden(refusal))
    }
    guard underWay.enter() else { return .failure(.unreachable("too many calls are under way")) }
    defer { underWay.leave() }
    let outcome = Self.outcome(of: await caller.call(call))
    switch outcome {
    case .success(let answer):
      hub.note(nil, of: registration)
      if let key { cache.keep(answer, key, of: registration, at: hub.time) }
    case .failure(.refused(let status, _)) where status < 500 && status != 401 && status != 403 && status != 429:
      // It works, and does not want this: not found, exists already, bad data.
      hub.note(nil, of: registration)
    // It did answer.
    case .failure(.noRoom): hub.note(nil, of: registration)
    case .failure(let failure): hub.note(failure.reason, of: registration)
    }
    return outcome
  }

  private static func outcome(of reply: SourceReply) -> Result<SourceAnswer, SourceFailure> {
    switch reply {
    case .late: return .failure(.late)
    case .tooLong: return .failure(.unreadable("its answer is too long"))
    case .noRoom: return .failure(.noRoom)
    case .unreachable(let why): return .failure(.unreachable(why))
    case .answered(let status, let headers, let body):
      guard (200..<300).contains(status) else {
        let detail = (try? JSONParser.parse(body))?["detail"]?.string ?? ""
        return .failure(status == 508 ? .loop : .refused(status, String(detail.prefix(200))))
      }
      return .success(SourceAnswer(status: status, headers: headers, body: body))
    }
  }
}

/// An answer of a source that is no error.
struct SourceAnswer: Sendable {
  var status: Int
  var headers: [(name: String, value: String)]
  var body: [UInt8]
  /// Taken from an earlier call.
  var isStale = false

  func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
}

extension SourceCall {
  /// All that the answer may depend on: headers too, which may say who asks, but not the way that the request came.
  fileprivate func question(of tenant: Tenant) -> String {
    let said = headers.filter { $0.name != "Via" }.map { $0.name + ": " + $0.value }
    return ([tenant.name, url] + said).joined(separator: "\n")
  }
}

/// Counts calls under way.
final class UnderWay: Sendable {
  private let bound: Int
  private let state = Mutex(0)

  init(bound: Int) { self.bound = bound }

  var count: Int { state.withLock { $0 } }

  func enter() -> Bool {
    state.withLock { count in
      guard count < bound else { return false }
      count += 1
      return true
    }
  }

  func leave() { state.withLock { $0 -= 1 } }
}

/// Answers of registrations with a `cacheDuration` (clause 5.2.34), the oldest of which go first.
final class AnswerCache: Sendable {
  private struct Entry {
    var answer: SourceAnswer
    var registration: String
    var modifiedAt: DateTime
    var until: DateTime
  }

  private struct State {
    var entries: [String: Entry] = [:]
    var order: [String] = []
    var bytes = 0
  }

  private let bound: Int
  private let state = Mutex(State())

  init(bytes: Int) { bound = bytes }

  func answer(_ key: String, of registration: Registration, at time: DateTime) -> SourceAnswer? {
    state.withLock { state in
      guard let entry = state.entries[key], entry.registration == registration.id,
        entry.modifiedAt == registration.modifiedAt, time < entry.until
      else { return nil }
      var answer = entry.answer
      answer.isStale = true
      return answer
    }
  }

  /// What an entry takes, roughly: many small answers must not grow without bound either.
  private static func size(_ key: String, _ answer: SourceAnswer) -> Int {
    let headers = answer.headers.reduce(500) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    return answer.body.count + 2 * key.utf8.count + headers
  }

  func keep(_ answer: SourceAnswer, _ key: String, of registration: Registration, at time: DateTime) {
    guard let duration = registration.management.cacheDuration, answer.body.count <= bound / 4 else { return }
    state.withLock { state in
      if let old = state.entries[key] { state.bytes -= Self.size(key, old.answer) } else { state.order.append(key) }
      state.entries[key] = Entry(
        answer: answer, registration: registration.id, modifiedAt: registration.modifiedAt,
        until: time.adding(seconds: duration))
      state.bytes += Self.size(key, answer)
      while state.bytes > bound, !state.order.isEmpty {
        let oldest = state.order.removeFirst()
        if let gone = state.entries.removeValue(forKey: oldest) { state.bytes -= Self.size(oldest, gone.answer) }
      }
    }
  }
}
