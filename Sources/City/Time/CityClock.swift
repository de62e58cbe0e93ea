import NGSI
import Synchronization

/// The time that a city lives in; passed in, so that a day can be replayed, sped up or stepped through.
public protocol CityClock: Sendable {
  var now: DateTime { get }
  /// Returns once ``now`` has reached the time; at once when it has.
  /// - Throws: `CancellationError`.
  func sleep(until time: DateTime) async throws
}

/// The machine's own time.
public struct RealClock: CityClock {
  public init() {}

  public var now: DateTime {
    let sinceEpoch = SystemTime.sinceEpoch
    return DateTime(microseconds: sinceEpoch)
  }

  public func sleep(until time: DateTime) async throws {
    // In steps, so that a clock set anew is followed within a second.
    while case let left = time.microseconds - now.microseconds, left > 0 {
      try await Task.sleep(for: .microseconds(min(left, 1_000_000)))
    }
    try Task.checkCancellation()
  }
}

/// Time that runs a number of times as fast as another clock.
public struct ScaledClock: CityClock {
  let base: any CityClock
  let factor: Double
  let start: DateTime
  let baseStart: DateTime

  /// - Parameters:
  ///   - factor: speed, above 0.
  ///   - start: the city's time now.
  public init(factor: Double, start: DateTime, base: any CityClock = RealClock()) {
    precondition(factor > 0 && factor.isFinite, "a clock's speed must be above 0")
    self.base = base
    self.factor = factor
    self.start = start
    baseStart = base.now
  }

  public var now: DateTime {
    let elapsed = Double(base.now.microseconds - baseStart.microseconds)
    return DateTime(microseconds: start.microseconds + Int64((elapsed * factor).rounded(.down)))
  }

  public func sleep(until time: DateTime) async throws {
    let distance = Double(time.microseconds - start.microseconds) / factor
    try await base.sleep(until: DateTime(microseconds: baseStart.microseconds + Int64(distance.rounded(.up))))
  }
}

/// Time that stands still until it is moved.
public final class ManualClock: CityClock {
  private struct State {
    var now: DateTime
    var sleepers: [UInt64: (until: DateTime, continuation: CheckedContinuation<Void, any Error>)] = [:]
    var cancelled: Set<UInt64> = []
    var nextSleeper: UInt64 = 0
  }

  private let state: Mutex<State>

  public init(_ start: DateTime) { state = Mutex(State(now: start)) }

  public var now: DateTime { state.withLock { $0.now } }

  /// Moves the time forward and wakes who waited for it; moving back is ignored.
  public func advance(to time: DateTime) {
    let due = state.withLock { state in
      if time > state.now { state.now = time }
      let now = state.now
      let due = state.sleepers.filter { $0.value.until <= now }.sorted { $0.key < $1.key }
      for sleeper in due { state.sleepers[sleeper.key] = nil }
      return due.map(\.value.continuation)
    }
    for continuation in due { continuation.resume() }
  }

  /// The earliest time that somebody waits for.
  public var nextWake: DateTime? { state.withLock { $0.sleepers.values.map(\.until).min() } }

  public func sleep(until time: DateTime) async throws {
    let key = state.withLock { state in
      state.nextSleeper += 1
      return state.nextSleeper
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let outcome: Result<Void, any Error>? = state.withLock { state in
          if state.cancelled.remove(key) != nil { return .failure(CancellationError()) }
          if time <= state.now { return .success(()) }
          state.sleepers[key] = (time, continuation)
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let continuation = state.withLock { state -> CheckedContinuation<Void, any Error>? in
        if let sleeper = state.sleepers.removeValue(forKey: key) { return sleeper.continuation }
        state.cancelled.insert(key)
        return nil
      }
      continuation?.resume(throwing: CancellationError())
    }
  }
}
