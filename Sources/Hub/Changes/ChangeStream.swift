import Synchronization

/// Hands committed changes to listeners inside the process, in commit order.
///
/// Each listener has a buffer of its own. One that lags behind its buffer loses what does not fit and is told so by
/// ``Signal/missed(_:)``, right after what it still got: it slows nobody, and knows that it must read the present state
/// anew.
public final class ChangeStream: Sendable {
  public enum Signal: Sendable {
    case change(EntityChange)
    /// This many changes did not fit the buffer since the last signal, or what was told before holds no more.
    case missed(Int)
  }

  private struct State {
    var listeners: [Int: Listener] = [:]
    var nextListener = 0
    var sequence: Int64 = 0
    var missed = 0
    var isFinished = false
  }

  private let state = Mutex(State())
  private let buffer: Int
  private let maxListeners: Int

  public init(buffer: Int, maxListeners: Int) {
    self.buffer = buffer
    self.maxListeners = maxListeners
  }

  /// Opens a stream of the changes that `wants` accepts; `nil` when there are too many listeners or the hub stops.
  ///
  /// The stream ends when its task is cancelled or the hub stops; it is given up when the stream is let go of.
  public func listen(_ wants: @escaping @Sendable (EntityChange) -> Bool = { _ in true }) -> AsyncStream<Signal>? {
    let listener: (key: Int, value: Listener)? = state.withLock { state in
      guard !state.isFinished, state.listeners.count < maxListeners else { return nil }
      state.nextListener += 1
      let listener = Listener(bound: buffer, wants: wants)
      state.listeners[state.nextListener] = listener
      return (state.nextListener, listener)
    }
    guard let listener else { return nil }
    let ticket = Ticket(stream: self, key: listener.key)
    return AsyncStream {
      defer { withExtendedLifetime(ticket) {} }
      return await listener.value.next()
    } onCancel: {
      listener.value.finish()
    }
  }

  fileprivate func forget(_ key: Int) {
    state.withLock { _ = $0.listeners.removeValue(forKey: key) }
  }

  /// Numbers the changes and hands them out. Called on the writer's thread, in commit order.
  func publish(_ changes: [EntityChange]) {
    state.withLock { state in
      for change in changes {
        state.sequence += 1
        guard !state.listeners.isEmpty else { continue }
        var numbered = change
        numbered.sequence = state.sequence
        for listener in state.listeners.values where !listener.offer(numbered) { state.missed += 1 }
      }
    }
  }

  /// Has all listeners read the present state anew: what they may see of it is something else now.
  func upset() {
    let listeners = state.withLock { $0.listeners.values }
    for listener in listeners { listener.upset() }
  }

  /// Ends all streams.
  func finish() {
    let listeners = state.withLock { state in
      state.isFinished = true
      defer { state.listeners = [:] }
      return state.listeners.values
    }
    for listener in listeners { listener.finish() }
  }

  /// Listeners, changes published, and changes that did not fit a listener's buffer.
  public var figures: (listeners: Int, published: Int64, missed: Int) {
    state.withLock { ($0.listeners.count, $0.sequence, $0.missed) }
  }
}

/// Signs a listener off when its stream is gone.
private final class Ticket: Sendable {
  private let stream: ChangeStream
  private let key: Int

  init(stream: ChangeStream, key: Int) {
    self.stream = stream
    self.key = key
  }

  deinit { stream.forget(key) }
}

/// What one listener has not taken yet.
private final class Listener: Sendable {
  private struct State {
    var waiting: [EntityChange] = []
    var taken = 0
    var missed = 0
    var isFinished = false
    var reader: CheckedContinuation<ChangeStream.Signal?, Never>?
  }

  private let state = Mutex(State())
  private let bound: Int
  private let wants: @Sendable (EntityChange) -> Bool

  init(bound: Int, wants: @escaping @Sendable (EntityChange) -> Bool) {
    self.bound = bound
    self.wants = wants
  }

  /// False when it wanted the change and has no room for it.
  func offer(_ change: EntityChange) -> Bool {
    guard wants(change) else { return true }
    let (fits, reader) = state.withLock { state in
      guard !state.isFinished else { return (true, CheckedContinuation<ChangeStream.Signal?, Never>?.none) }
      if let reader = state.reader {
        state.reader = nil
        return (true, reader)
      }
      // Once something is missed all is, until the listener has been told.
      guard state.missed == 0, state.waiting.count - state.taken < bound else {
        state.missed += 1
        return (false, nil)
      }
      state.waiting.append(change)
      return (true, nil)
    }
    reader?.resume(returning: .change(change))
    return fits
  }

  func next() async -> ChangeStream.Signal? {
    await withCheckedContinuation { continuation in
      let signal: ChangeStream.Signal?? = state.withLock { state in
        if state.taken < state.waiting.count {
          let change = state.waiting[state.taken]
          state.taken += 1
          if state.taken == state.waiting.count || state.taken >= 1024 {
            state.waiting.removeFirst(state.taken)
            state.taken = 0
          }
          return .some(.change(change))
        }
        if state.missed > 0 {
          defer { state.missed = 0 }
          return .some(.missed(state.missed))
        }
        if state.isFinished { return .some(nil) }
        state.reader = continuation
        return nil
      }
      if let signal { continuation.resume(returning: signal) }
    }
  }

  func upset() {
    let reader = state.withLock { state in
      guard state.reader != nil else {
        state.missed += 1
        return CheckedContinuation<ChangeStream.Signal?, Never>?.none
      }
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: .missed(1))
  }

  func finish() {
    let reader = state.withLock { state in
      state.isFinished = true
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: nil)
  }
}
