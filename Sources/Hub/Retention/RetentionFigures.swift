import NGSI
import Synchronization

/// What was removed for its age since the hub started, for the health page.
final class RetentionFigures: Sendable {
  private struct State {
    var instances = 0
    var entities = 0
    var sweeps = 0
    var lastSweep: DateTime?
    var failure: String?
  }

  private let state = Mutex(State())

  func count(instances: Int, entities: Int) {
    state.withLock { state in
      state.instances += instances
      state.entities += entities
    }
  }

  func finishSweep(at time: DateTime, failure: String?) {
    state.withLock { state in
      state.sweeps += 1
      state.lastSweep = time
      state.failure = failure
    }
  }

  func health(pieces: Int) -> JSON {
    state.withLock { state in
      var section = JSONObject()
      section["removedInstances"] = .integer(Int64(state.instances))
      section["removedEntities"] = .integer(Int64(state.entities))
      section["sweeps"] = .integer(Int64(state.sweeps))
      section["lastSweep"] = state.lastSweep.map { .string($0.description) }
      section["piecesOfWriteBound"] = .integer(Int64(pieces))
      if let failure = state.failure { section["failure"] = ["value": .string(failure), "state": "red"] }
      return .object(section)
    }
  }
}

/// Notices a clock that does not go with the machine's steady one: what it calls old may be of today.
struct ClockWatch {
  /// Seconds that the two may part from one look to the next.
  static let tolerance = 3600.0

  private var wall: DateTime
  private var steady: ContinuousClock.Instant

  init(wall: DateTime, steady: ContinuousClock.Instant = .now) {
    self.wall = wall
    self.steady = steady
  }

  /// Whether the clock was set by more than the tolerance since the last look.
  mutating func wasSet(wall: DateTime, steady: ContinuousClock.Instant = .now) -> Bool {
    let passed = (steady - self.steady) / .seconds(1)
    let shown = wall.secondsSince1970 - self.wall.secondsSince1970
    self.wall = wall
    self.steady = steady
    return abs(shown - passed) > Self.tolerance
  }
}
