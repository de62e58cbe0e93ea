import Synchronization

/// The places for requests to subscribers that are under way at once.
///
/// One endpoint may take an eighth of them, endpoints whose last attempt failed half of them together: so one that
/// hangs, or many that do, leave room for those that answer.
final class Places: Sendable {
  private struct Waiter {
    let isTroubled: Bool
    let continuation: CheckedContinuation<Bool, Never>
  }

  private struct State {
    var taken = 0
    var takenByTroubled = 0
    var takenByEndpoint: [String: Int] = [:]
    var waiting: [String: [Waiter]] = [:]
    /// Endpoints with someone waiting, the longest first.
    var order: [String] = []
    var isClosed = false
  }

  private let bound: Int
  private let state = Mutex(State())

  init(_ bound: Int) { self.bound = max(1, bound) }

  var endpointBound: Int { max(1, bound / 8) }

  var taken: Int { state.withLock { $0.taken } }

  /// Waits for a place; false when the notifier stops. Who got one gives it back with ``leave(_:isTroubled:)``.
  func enter(_ endpoint: String, isTroubled: Bool) async -> Bool {
    await withCheckedContinuation { continuation in
      let passes: Bool? = state.withLock { state in
        if state.isClosed { return false }
        if state.waiting[endpoint] == nil, hasRoom(state, endpoint, isTroubled) {
          take(&state, endpoint, isTroubled)
          return true
        }
        if state.waiting[endpoint] == nil { state.order.append(endpoint) }
        state.waiting[endpoint, default: []].append(Waiter(isTroubled: isTroubled, continuation: continuation))
        return nil
      }
      if let passes { continuation.resume(returning: passes) }
    }
  }

  func leave(_ endpoint: String, isTroubled: Bool) {
    let next: [CheckedContinuation<Bool, Never>] = state.withLock { state in
      state.taken -= 1
      if isTroubled { state.takenByTroubled -= 1 }
      let left = (state.takenByEndpoint[endpoint] ?? 1) - 1
      state.takenByEndpoint[endpoint] = left > 0 ? left : nil
      return admit(&state)
    }
    for continuation in next { continuation.resume(returning: true) }
  }

  /// Sends away all who wait.
  func close() {
    let waiters = state.withLock { state in
      state.isClosed = true
      defer {
        state.waiting = [:]
        state.order = []
      }
      return state.waiting.values.flatMap { $0 }
    }
    for waiter in waiters { waiter.continuation.resume(returning: false) }
  }

  private func hasRoom(_ state: State, _ endpoint: String, _ isTroubled: Bool) -> Bool {
    state.taken < bound && (state.takenByEndpoint[endpoint] ?? 0) < endpointBound
      && (!isTroubled || state.takenByTroubled < max(1, bound / 2))
  }

  private func take(_ state: inout State, _ endpoint: String, _ isTroubled: Bool) {
    state.taken += 1
    if isTroubled { state.takenByTroubled += 1 }
    state.takenByEndpoint[endpoint, default: 0] += 1
  }

  /// Lets in whom there is room for, endpoint by endpoint in turn.
  private func admit(_ state: inout State) -> [CheckedContinuation<Bool, Never>] {
    var admitted: [CheckedContinuation<Bool, Never>] = []
    var stay: [String] = []
    var served: [String] = []
    for endpoint in state.order {
      guard state.taken < bound, let first = state.waiting[endpoint]?.first,
        hasRoom(state, endpoint, first.isTroubled)
      else {
        stay.append(endpoint)
        continue
      }
      take(&state, endpoint, first.isTroubled)
      admitted.append(first.continuation)
      state.waiting[endpoint]?.removeFirst()
      if state.waiting[endpoint]?.isEmpty == true { state.waiting[endpoint] = nil } else { served.append(endpoint) }
    }
    state.order = stay + served
    return admitted
  }
}
