import Synchronization

/// Bytes that the answers of sources take in memory together, over all requests in flight.
final class AnswerRoom: Sendable {
  struct Figures: Sendable {
    var taken = 0
    /// The most that was taken at once.
    var most = 0
    /// Answers that found no room.
    var refused = 0
  }

  let bound: Int
  private let state = Mutex(Figures())

  init(bytes: Int) { bound = bytes }

  var figures: Figures { state.withLock { $0 } }

  fileprivate func take(_ bytes: Int) -> Bool {
    state.withLock { state in
      guard bytes <= bound - state.taken else {
        state.refused += 1
        return false
      }
      state.taken += bytes
      state.most = max(state.most, state.taken)
      return true
    }
  }

  fileprivate func give(_ bytes: Int) { state.withLock { $0.taken -= bytes } }
}

/// What the answers for one request take of the room for all of them, until the request is answered.
public final class AnswerShare: Sendable {
  private let room: AnswerRoom
  private let taken = Mutex(0)

  init(of room: AnswerRoom) { self.room = room }

  /// Takes room for bytes that are about to be kept; false, and nothing is taken, where there is none.
  public func take(_ bytes: Int) -> Bool {
    guard room.take(bytes) else { return false }
    taken.withLock { $0 += bytes }
    return true
  }

  /// Gives everything back.
  public func close() {
    room.give(
      taken.withLock { taken in
        defer { taken = 0 }
        return taken
      })
  }

  deinit { close() }
}
