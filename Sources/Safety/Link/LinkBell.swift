import Synchronization

/// Wakes who waits for something to do. Ringing while nobody waits is remembered, once.
final class LinkBell: Sendable {
  private struct State {
    var isRung = false
    /// What is in the store at the start is news.
    var hasNews = true
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// - Parameter isNews: whether there is something new in the store.
  func ring(isNews: Bool = false) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.isRung = true
      if isNews { state.hasNews = true }
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Whether there was something new since this was asked last.
  func takeNews() -> Bool {
    state.withLock { state in
      defer { state.hasNews = false }
      return state.hasNews
    }
  }

  /// Waits until it rings, for so many seconds at most, or until the task is cancelled. One waits at a time.
  func wait(seconds: Double) async {
    let timer = Task {
      guard (try? await Task.sleep(for: .seconds(seconds))) != nil else { return }
      ring()
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isRung = state.withLock { state in
          if !state.isRung { state.waiter = continuation }
          return state.isRung
        }
        if isRung { continuation.resume() }
      }
    } onCancel: {
      ring()
    }
    timer.cancel()
    state.withLock { $0.isRung = false }
  }
}

/// A bell for each link. They are no part of what a plan says: all are equal.
final class LinkBells: Sendable, Hashable {
  private let bells: [String: LinkBell]

  init(_ links: [String]) {
    bells = Dictionary(links.map { ($0, LinkBell()) }, uniquingKeysWith: { first, _ in first })
  }

  subscript(link: String) -> LinkBell? { bells[link] }

  static func == (left: LinkBells, right: LinkBells) -> Bool { true }

  func hash(into hasher: inout Hasher) {}
}
