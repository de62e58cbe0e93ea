import NGSI
import Synchronization

/// Lets one at a time through, in the order in which they came.
final class Turns: Sendable {
  private struct Line {
    var isTaken = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let line = Mutex(Line())
  private let bound: Int

  /// - Parameter bound: how many may wait.
  init(bound: Int) { self.bound = bound }

  /// - Throws: what the body throws; `TooManyRequests` when too many wait.
  func take<Value: Sendable>(_ body: () async throws(Problem) -> Value) async throws(Problem) -> Value {
    let mayWait = line.withLock { $0.waiting.count < bound }
    guard mayWait else { throw Problem(.tooManyRequests, "more than \(bound) reports wait; send it again") }
    await withCheckedContinuation { continuation in
      let isFirst = line.withLock { line in
        guard line.isTaken else {
          line.isTaken = true
          return true
        }
        line.waiting.append(continuation)
        return false
      }
      if isFirst { continuation.resume() }
    }
    defer {
      let next = line.withLock { line -> CheckedContinuation<Void, Never>? in
        guard !line.waiting.isEmpty else {
          line.isTaken = false
          return nil
        }
        return line.waiting.removeFirst()
      }
      next?.resume()
    }
    return try await body()
  }
}
