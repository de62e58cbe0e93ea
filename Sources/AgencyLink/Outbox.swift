import NGSI

/// Messages that wait to be sent, in a lane for each occurrence: one after another within a lane, no lane waits for
/// another, and nothing leaves it but by success or by somebody's decision.
public struct Outbox: Sendable {
  public struct Entry: Sendable, Hashable {
    /// Rises with each message that is put in.
    public let id: Int
    public let key: OccurrenceKey
    /// Without a session's key and with a plain body: both are made when it goes.
    public let message: Message
    public let putAt: DateTime
    public internal(set) var attempts = 0
    public internal(set) var notBefore: DateTime
    public internal(set) var lastFailure: String?
    /// Whether it was refused under a key that may have ended, and gets another try under a new one.
    public internal(set) var isDoubted = false

    /// As it was kept.
    public init(
      id: Int, key: OccurrenceKey, message: Message, putAt: DateTime, attempts: Int = 0, notBefore: DateTime,
      lastFailure: String? = nil
    ) {
      self.id = id
      self.key = key
      self.message = message
      self.putAt = putAt
      self.attempts = attempts
      self.notBefore = notBefore
      self.lastFailure = lastFailure
    }
  }

  public enum Failure: Error, Sendable, Hashable {
    /// The caller keeps it: it is not taken.
    case full(bound: Int)
    /// Only an event message has an occurrence.
    case notEvent
  }

  /// Messages that are kept at most, those set aside included.
  public let bound: Int
  public let backoff: Backoff
  /// Each lane in its order.
  public private(set) var lanes: [OccurrenceKey: [Entry]] = [:]
  /// Refused by the far side; a person decides (``retry(_:at:)``, ``discard(_:)``).
  public private(set) var setAside: [Entry] = []
  /// On their way: at most one of a lane.
  public private(set) var underWay: Set<Int> = []
  private var lastID: Int
  /// The lanes of those that wait or are under way.
  private var keys: [Int: OccurrenceKey] = [:]
  /// First messages of lanes by when they may go; some of them are so no longer.
  private var waiting = Waiting()
  /// Lanes whose beginning was set aside.
  private var held: Set<OccurrenceKey> = []

  public init(bound: Int = 100_000, backoff: Backoff = Backoff()) {
    self.init(bound: bound, backoff: backoff, restoring: [], setAside: [])
  }

  /// After a restart: what was under way waits again. The far side knows a message by its occurrence and state.
  public init(bound: Int, backoff: Backoff, restoring entries: [Entry], setAside: [Entry]) {
    self.bound = bound
    self.backoff = backoff
    self.setAside = setAside
    lastID = (entries + setAside).map(\.id).max() ?? 0
    held = Set(setAside.filter(\.isBeginning).map(\.key))
    for entry in entries.sorted(by: { $0.id < $1.id }) {
      lanes[entry.key, default: []].append(entry)
      keys[entry.id] = entry.key
    }
    for key in lanes.keys { offer(key) }
  }

  public var count: Int { setAside.count + keys.count }
  public var isEmpty: Bool { lanes.isEmpty && setAside.isEmpty }

  /// - Returns: the entry as it has to be kept.
  public mutating func put(_ message: Message, at time: DateTime) throws(Failure) -> Entry {
    guard case .event(let body) = message.body else { throw .notEvent }
    guard count < bound else { throw .full(bound: bound) }
    lastID += 1
    let entry = Entry(
      id: lastID, key: OccurrenceKey(message.envelope, body), message: message, putAt: time, notBefore: time)
    lanes[entry.key, default: []].append(entry)
    keys[entry.id] = entry.key
    offer(entry.key)
    return entry
  }

  /// Takes up a message that was set aside before a restart.
  public mutating func putAside(_ message: Message, because reason: String, at time: DateTime) throws(Failure) -> Entry
  {
    guard case .event(let body) = message.body else { throw .notEvent }
    guard count < bound else { throw .full(bound: bound) }
    lastID += 1
    let entry = Entry(
      id: lastID, key: OccurrenceKey(message.envelope, body), message: message, putAt: time, notBefore: time,
      lastFailure: reason)
    setAside.append(entry)
    if entry.isBeginning { held.insert(entry.key) }
    return entry
  }

  /// The first message of a lane that may go and has waited longest; `nil` where none may.
  public mutating func due(at time: DateTime) -> Entry? {
    guard let next = nextTurn, next.at <= time else { return nil }
    return entry(next.id)
  }

  /// When the next may go; `nil` where none waits.
  public var nextDue: DateTime? {
    mutating get { nextTurn?.at }
  }

  /// Passes over turns of messages that are on their way, gone, held, or wait for another time by now.
  private var nextTurn: Waiting.Turn? {
    mutating get {
      while let turn = waiting.first {
        if let entry = entry(turn.id), entry.notBefore == turn.at, !underWay.contains(turn.id),
          !held.contains(entry.key)
        {
          return turn
        }
        waiting.removeFirst()
      }
      return nil
    }
  }

  /// The first message of a lane gets its turn.
  private mutating func offer(_ key: OccurrenceKey) {
    guard let head = lanes[key]?.first, !underWay.contains(head.id), !held.contains(key) else { return }
    waiting.insert(.init(at: head.notBefore, id: head.id))
  }

  /// It is on its way.
  public mutating func sent(_ id: Int) {
    guard let entry = entry(id) else { return }
    change(entry.key) { $0.attempts += 1 }
    underWay.insert(id)
  }

  /// The far side has it.
  public mutating func done(_ id: Int) {
    guard let entry = entry(id) else { return }
    underWay.remove(id)
    removeHead(of: entry.key)
    offer(entry.key)
  }

  /// Nobody knows whether the far side has it: it waits, longer each time, and is sent again.
  public mutating func failed(_ id: Int, because reason: String, at time: DateTime) {
    guard let entry = entry(id) else { return }
    underWay.remove(id)
    let delay = backoff.delay(after: entry.attempts)
    change(entry.key) {
      $0.lastFailure = reason
      $0.notBefore = time.adding(seconds: delay)
    }
    offer(entry.key)
  }

  /// Refused, maybe because the session had ended: it goes again under a new key, once.
  public mutating func doubted(_ id: Int, because reason: String) {
    guard let entry = entry(id) else { return }
    underWay.remove(id)
    change(entry.key) {
      $0.lastFailure = reason
      $0.isDoubted = true
    }
    offer(entry.key)
  }

  /// The far side does not take it. A beginning holds up what follows it, which would tell of what is not known there;
  /// after any other message the lane goes on.
  public mutating func refused(_ id: Int, because reason: String) {
    guard var entry = entry(id) else { return }
    underWay.remove(id)
    entry.lastFailure = reason
    removeHead(of: entry.key)
    setAside.append(entry)
    if entry.isBeginning { held.insert(entry.key) } else { offer(entry.key) }
  }

  /// Somebody decides that a message that was set aside is tried again, before what waits of its occurrence.
  public mutating func retry(_ id: Int, at time: DateTime) {
    guard var entry = takeBack(id) else { return }
    entry.notBefore = time
    entry.isDoubted = false
    let lane = lanes[entry.key, default: []]
    // What is under way is not overtaken.
    let place = lane.firstIndex { $0.id > id && !underWay.contains($0.id) } ?? lane.endIndex
    lanes[entry.key, default: []].insert(entry, at: place)
    keys[id] = entry.key
    offer(entry.key)
  }

  /// Somebody decides that a message is not sent after all; it is given back for the record.
  public mutating func discard(_ id: Int) -> Entry? { takeBack(id) }

  private mutating func takeBack(_ id: Int) -> Entry? {
    guard let position = setAside.firstIndex(where: { $0.id == id }) else { return nil }
    let entry = setAside.remove(at: position)
    if entry.isBeginning {
      held.remove(entry.key)
      offer(entry.key)
    }
    return entry
  }

  /// The first of its lane by that number.
  func entry(_ id: Int) -> Entry? {
    guard let key = keys[id], let entry = lanes[key]?.first, entry.id == id else { return nil }
    return entry
  }

  private mutating func change(_ key: OccurrenceKey, _ body: (inout Entry) -> Void) {
    guard var entry = lanes[key]?.first else { return }
    body(&entry)
    lanes[key]?[0] = entry
  }

  private mutating func removeHead(of key: OccurrenceKey) {
    if let entry = lanes[key]?.removeFirst() { keys[entry.id] = nil }
    if lanes[key]?.isEmpty == true { lanes[key] = nil }
  }
}

extension Outbox.Entry {
  /// Whether it is the first that the far side hears of its occurrence.
  var isBeginning: Bool {
    guard case .event(let body) = message.body else { return false }
    return body.status == .occurred
  }
}
