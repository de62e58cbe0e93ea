import DequeModule
import NGSI
import Synchronization

/// Lets one at a time through, in the order in which they came; those that go first before the others.
final class Turns: Sendable {
  private struct Line {
    var isTaken = false
    var first: Deque<CheckedContinuation<Void, Never>> = []
    var others: Deque<CheckedContinuation<Void, Never>> = []
  }

  private let line = Mutex(Line())
  private let bound: Int

  /// - Parameter bound: how many may wait of each kind.
  init(bound: Int) { self.bound = bound }

  /// - Throws: what the body throws; `TooManyRequests` when too many wait.
  func take<Value: Sendable>(first goesFirst: Bool = true, _ body: () async throws(Problem) -> Value)
    async throws(Problem) -> Value
  {
    let mayWait = line.withLock { (goesFirst ? $0.first : $0.others).count < bound }
    guard mayWait else { throw Problem(.tooManyRequests, "more than \(bound) reports wait; send it again") }
    await withCheckedContinuation { continuation in
      let isFirst = line.withLock { line in
        guard line.isTaken else {
          line.isTaken = true
          return true
        }
        if goesFirst { line.first.append(continuation) } else { line.others.append(continuation) }
        return false
      }
      if isFirst { continuation.resume() }
    }
    defer {
      let next = line.withLock { line -> CheckedContinuation<Void, Never>? in
        if let next = line.first.popFirst() ?? line.others.popFirst() { return next }
        line.isTaken = false
        return nil
      }
      next?.resume()
    }
    return try await body()
  }
}
