import Dispatch
import Foundation
import Synchronization

/// Where passwords are hashed: on few threads of its own, so that whoever tries many slows nobody else.
///
/// Those who wait are bounded, and so are those of one source among them: who floods the pool waits behind himself.
final class HashingPool: Sendable {
  struct Limits: Sendable {
    var threads: Int
    var waiting = 64
    var waitingOfOneSource = 4
  }

  enum Refusal: Error {
    /// Too many wait.
    case busy
    /// Too many of this source wait.
    case sourceBusy
  }

  private struct Line {
    var count = 0
    var bySource: [String: Int] = [:]
    var next = 0
  }

  let limits: Limits
  private let threads: [DispatchQueue]
  private let line = Mutex(Line())

  init(limits: Limits) {
    self.limits = limits
    threads = (0..<max(1, limits.threads)).map { DispatchQueue(label: "madang.passwords.\($0)") }
  }

  var waiting: Int { line.withLock { $0.count } }

  /// Runs a computation that takes long.
  func run<Value: Sendable>(for source: String, _ body: @escaping @Sendable () -> Value) async throws(Refusal) -> Value
  {
    let place = line.withLock { line -> Result<DispatchQueue, Refusal> in
      guard line.bySource[source, default: 0] < limits.waitingOfOneSource else { return .failure(.sourceBusy) }
      guard line.count < limits.waiting else { return .failure(.busy) }
      line.count += 1
      line.bySource[source, default: 0] += 1
      line.next = (line.next + 1) % threads.count
      return .success(threads[line.next])
    }
    let thread = try place.get()
    let value = await withCheckedContinuation { (continuation: CheckedContinuation<Value, Never>) in
      thread.async { continuation.resume(returning: body()) }
    }
    line.withLock { line in
      line.count -= 1
      let left = line.bySource[source, default: 1] - 1
      line.bySource[source] = left > 0 ? left : nil
    }
    return value
  }
}
