import Synchronization

/// Wakes those who wait for work, wherever it comes from. Wakes that come while nobody waits count as one.
final class Wakes: Sendable {
  private struct State {
    var count = 0
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  var count: Int { state.withLock { $0.count } }

  func wake() {
    let waiting = state.withLock { state in
      state.count += 1
      defer { state.waiting = [] }
      return state.waiting
    }
    for one in waiting { one.resume() }
  }

  /// Returns once there has been a wake after this count, or the task is cancelled.
  func wait(after count: Int) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.count == count { state.waiting.append(continuation) }
          return state.count != count
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      wake()
    }
  }
}
