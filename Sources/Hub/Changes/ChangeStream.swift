import Synchronization

/// Hands committed changes to listeners inside the process, in commit order.
///
/// Each listener has a buffer of its own. One that lags behind its buffer loses what does not fit and is told so by
/// ``Signal/missed(_:)``: it slows nobody, and knows that it must read the present state anew.
public final class ChangeStream: Sendable {
  public enum Signal: Sendable {
    case change(Change)
    /// This many changes did not fit the buffer since the last signal.
    case missed(Int)
  }

  private struct Listener {
    let continuation: AsyncStream<Signal>.Continuation
    let wants: @Sendable (Change) -> Bool
    var missed = 0
  }

  private struct State {
    var listeners: [Int: Listener] = [:]
    var nextListener = 0
    var sequence: Int64 = 0
    var missed = 0
  }

  private let state = Mutex(State())
  private let buffer: Int
  private let maxListeners: Int

  public init(buffer: Int, maxListeners: Int) {
    self.buffer = buffer
    self.maxListeners = maxListeners
  }

  /// Opens a stream of the changes that `wants` accepts; `nil` when there are too many listeners.
  ///
  /// The stream ends when its task is cancelled or the hub stops.
  public func listen(_ wants: @escaping @Sendable (Change) -> Bool = { _ in true }) -> AsyncStream<Signal>? {
    let (stream, continuation) = AsyncStream.makeStream(of: Signal.self, bufferingPolicy: .bufferingOldest(buffer))
    let key: Int? = state.withLock { state in
      guard state.listeners.count < maxListeners else { return nil }
      state.nextListener += 1
      state.listeners[state.nextListener] = Listener(continuation: continuation, wants: wants)
      return state.nextListener
    }
    guard let key else { return nil }
    continuation.onTermination = { [weak self] _ in self?.forget(key) }
    return stream
  }

  private func forget(_ key: Int) {
    state.withLock { _ = $0.listeners.removeValue(forKey: key) }
  }

  /// Numbers the changes and hands them out. Called on the writer's thread, in commit order.
  func publish(_ changes: [Change]) {
    state.withLock { state in
      for change in changes {
        state.sequence += 1
        guard !state.listeners.isEmpty else { continue }
        var numbered = change
        numbered.sequence = state.sequence
        for (key, listener) in state.listeners where listener.wants(numbered) {
          var listener = listener
          if listener.missed > 0, case .enqueued = listener.continuation.yield(.missed(listener.missed)) {
            listener.missed = 0
          }
          if listener.missed > 0 {
            listener.missed += 1
            state.missed += 1
          } else if case .dropped = listener.continuation.yield(.change(numbered)) {
            listener.missed = 1
            state.missed += 1
          }
          state.listeners[key] = listener
        }
      }
    }
  }

  /// Ends all streams.
  func finish() {
    let listeners = state.withLock { state in
      defer { state.listeners = [:] }
      return state.listeners.values.map(\.continuation)
    }
    for continuation in listeners { continuation.finish() }
  }

  /// Listeners, changes published, and changes that did not fit a listener's buffer.
  public var figures: (listeners: Int, published: Int64, missed: Int) {
    state.withLock { ($0.listeners.count, $0.sequence, $0.missed) }
  }
}
