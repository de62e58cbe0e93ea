import Synchronization

/// Messages of a connection in batches, of which one at a time is out; for one reader.
///
/// ```swift
/// while let batch = await inflow.next() {
///   try await store(batch)
///   inflow.settle()   // now the broker may forget them
/// }
/// ```
public final class MQTTInflow: Sendable {
  private struct State {
    var gathered: [MQTTMessage] = []
    /// Handed over, not taken yet.
    var ready: [MQTTMessage]?
    /// From the moment a batch is handed over until it is settled.
    var isHeld = false
    var isEnded = false
    var reader: CheckedContinuation<[MQTTMessage]?, Never>?
  }

  let filters: [String]
  let quality: MQTTQuality
  let report: @Sendable (MQTTError?) -> Void
  private let bound: Int
  private let wake: @Sendable () -> Void
  private let state = Mutex(State())

  init(
    filters: [String], quality: MQTTQuality, bound: Int, report: @escaping @Sendable (MQTTError?) -> Void,
    wake: @escaping @Sendable () -> Void
  ) {
    self.filters = filters
    self.quality = quality
    self.bound = max(1, bound)
    self.report = report
    self.wake = wake
  }

  // MARK: - The connection's side

  var isHeld: Bool { state.withLock { $0.isHeld } }
  var hasRoom: Bool { state.withLock { $0.gathered.count < bound } }

  func put(_ message: MQTTMessage) { state.withLock { $0.gathered.append(message) } }

  /// Makes a batch of what was gathered, unless one is out still.
  func handOver() {
    let (reader, batch) = state.withLock { state -> (CheckedContinuation<[MQTTMessage]?, Never>?, [MQTTMessage]) in
      guard !state.isHeld, !state.gathered.isEmpty, !state.isEnded else { return (nil, []) }
      let batch = state.gathered
      state.gathered = []
      state.isHeld = true
      guard let reader = state.reader else {
        state.ready = batch
        return (nil, [])
      }
      state.reader = nil
      return (reader, batch)
    }
    reader?.resume(returning: batch)
  }

  func end() {
    let reader = state.withLock { state in
      state.isEnded = true
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: nil)
  }

  // MARK: - The reader's side

  /// The next batch; `nil` when the connection is closed or the task is cancelled.
  public func next() async -> [MQTTMessage]? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer: [MQTTMessage]?? = state.withLock { state in
          if let ready = state.ready {
            state.ready = nil
            return .some(ready)
          }
          guard !state.isEnded, !Task.isCancelled else { return .some(nil) }
          state.reader = continuation
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      end()
    }
  }

  /// The batch that is out is safe: the broker is told so, and more is read.
  public func settle() {
    state.withLock { $0.isHeld = false }
    // What came with the end of a connection was never made a batch.
    handOver()
    wake()
  }
}
