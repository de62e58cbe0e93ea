import NGSI

/// A link to one far side: its session and what waits to be sent. It says what to do next, and hears what came of it.
public struct Link: Sendable {
  public enum Step: Sendable, Hashable {
    case logIn
    case send(Outbox.Entry, key: String)
    /// `nil`: until something is put into the outbox or under way comes back.
    case wait(until: DateTime?)
  }

  /// Messages that are under way at most.
  public let parallel: Int
  public private(set) var session: Session
  public var outbox: Outbox
  /// Keys under which messages are under way.
  private var keys: [Int: String] = [:]

  public init(_ rules: Session.Rules = .init(), outbox: Outbox = Outbox(), parallel: Int = 4) {
    session = Session(rules)
    self.outbox = outbox
    self.parallel = parallel
  }

  /// What is to be done now; it counts as begun. Ask again until it says to wait.
  public mutating func step(at time: DateTime) -> Step {
    guard outbox.underWay.count < parallel else { return .wait(until: nil) }
    guard let entry = outbox.due(at: time) else { return .wait(until: outbox.nextDue) }
    switch session.step(at: time) {
    case .wait(let until): return .wait(until: until)
    case .logIn:
      session.asked(at: time)
      return .logIn
    case .ready(let key):
      outbox.sent(entry.id)
      keys[entry.id] = key
      return .send(entry, key: key)
    }
  }

  /// What came of a login.
  public mutating func loggedIn(_ reply: Reply, at time: DateTime) { session.took(reply, at: time) }

  /// What came of a message.
  public mutating func took(_ reply: Reply, for id: Int, at time: DateTime) {
    guard outbox.underWay.contains(id) else { return }
    let key = keys.removeValue(forKey: id)
    guard let reason = reply.failure else { return outbox.done(id) }
    guard case .answer(.failure(let said)) = reply else { return outbox.failed(id, because: reason, at: time) }
    let isSecond = outbox.entry(id)?.isDoubted == true
    if !isSecond, let key, session.doubt(key, at: time, isNamed: Session.isNamed(in: said)) {
      outbox.doubted(id, because: reason)
    } else {
      outbox.refused(id, because: reason)
    }
  }
}
