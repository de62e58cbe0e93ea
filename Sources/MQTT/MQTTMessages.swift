import Synchronization

/// What comes to a subscription, in the order it came; for one reader.
public struct MQTTMessages: AsyncSequence, Sendable {
  let inbox: Inbox

  public func makeAsyncIterator() -> Iterator { Iterator(inbox: inbox) }

  /// Why it ended, if not by closing the connection.
  public var failure: MQTTError? { inbox.failure }

  /// Messages that were larger than ``MQTTConnection/Options/receivedBytes`` and were passed over.
  public var tooLarge: Int { inbox.tooLarge }

  public struct Iterator: AsyncIteratorProtocol {
    let inbox: Inbox

    /// The next message; `nil` when the connection is closed or the task is cancelled.
    public mutating func next() async -> MQTTMessage? { await inbox.next() }
  }
}

/// Received messages that wait for their reader.
final class Inbox: Sendable {
  private struct State {
    var messages: [MQTTMessage] = []
    var first = 0
    var reader: CheckedContinuation<MQTTMessage?, Never>?
    var isEnded = false
    var failure: MQTTError?
    var tooLarge = 0

    var count: Int { messages.count - first }
  }

  let filter: String
  let quality: MQTTQuality
  private let bound: Int
  private let largest: Int
  private let hasRoom: @Sendable () -> Void
  private let state = Mutex(State())

  init(filter: String, quality: MQTTQuality, bound: Int, largest: Int, hasRoom: @escaping @Sendable () -> Void) {
    self.filter = filter
    self.quality = quality
    self.bound = bound
    self.largest = largest
    self.hasRoom = hasRoom
  }

  var failure: MQTTError? { state.withLock { $0.failure } }
  var tooLarge: Int { state.withLock { $0.tooLarge } }
  /// Whether reading from the broker has to pause.
  var isFull: Bool { state.withLock { $0.count >= bound } }
  var isEnded: Bool { state.withLock { $0.isEnded } }

  func put(_ message: MQTTMessage) {
    let reader: CheckedContinuation<MQTTMessage?, Never>? = state.withLock { state in
      guard !state.isEnded else { return nil }
      guard message.payload.count <= largest else {
        state.tooLarge += 1
        return nil
      }
      if let reader = state.reader {
        state.reader = nil
        return reader
      }
      state.messages.append(message)
      return nil
    }
    reader?.resume(returning: message)
  }

  func end(_ failure: MQTTError?) {
    let reader: CheckedContinuation<MQTTMessage?, Never>? = state.withLock { state in
      guard !state.isEnded else { return nil }
      state.isEnded = true
      state.failure = failure
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: nil)
  }

  func next() async -> MQTTMessage? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let (answer, frees): (MQTTMessage??, Bool) = state.withLock { state in
          if state.count > 0 {
            let wasFull = state.count >= bound
            let message = state.messages[state.first]
            state.first += 1
            if state.first > 256 {
              state.messages.removeFirst(state.first)
              state.first = 0
            }
            return (.some(message), wasFull)
          }
          guard !state.isEnded, !Task.isCancelled else { return (.some(nil), false) }
          state.reader = continuation
          return (nil, false)
        }
        if let answer { continuation.resume(returning: answer) }
        if frees { hasRoom() }
      }
    } onCancel: {
      end(nil)
    }
  }
}
