import NGSI
import Synchronization

/// Where readings go: the hub's normal way in.
///
/// An entity that exists is updated attribute by attribute; what is not mentioned stays. The call returns when the
/// entities are durable, so that whoever calls is slowed to the pace of the store.
public protocol EntitySink: Sendable {
  func upsert(_ entities: [Entity]) async throws
}

/// All fleets of a city that are simulated in a mode.
public struct SimulatedCity: Sendable {
  public let fleets: [Fleet]

  /// - Parameter mode: overrides the manifest's.
  public init(_ manifest: Manifest, mode: Mode? = nil) {
    let root = RandomStream(seed: UInt64(manifest.seed))
    let ground = Ground(site: manifest.site)
    let almanac = CityAlmanac(site: manifest.site, stream: root.named("weather"))
    let plans: [FleetPlan] =
      switch mode ?? manifest.mode {
      case .simulated: manifest.fleets
      case .build: manifest.fleets.filter { $0.stage != .real }
      case .live: []
      }
    fleets = plans.map { Fleet(plan: $0, city: manifest, ground: ground, almanac: almanac) }
  }

  public var deviceCount: Int { fleets.reduce(0) { $0 + $1.devices.count } }
}

/// Lets a simulated city live: at every beat of a fleet's cadence all its devices report.
///
/// Beats lie on whole multiples of the cadence since 1970, so that runs agree on them. Batches go out one after the
/// other, each awaited: a slow store slows the simulation, nothing piles up. Cancelling the task stops it.
public final class Simulation: Sendable {
  /// What happens to beats that were missed because the store or the machine was too slow.
  public enum CatchUp: Sendable {
    /// A fleet that is a whole beat late goes on with the latest; the lost ones are counted.
    case skip
    /// Every beat is reported, however late.
    case everyBeat
  }

  public struct Statistics: Sendable, Hashable {
    public var readings = 0
    public var batches = 0
    public var beats = 0
    public var skippedBeats = 0
    /// Batches that the sink refused; each was given up after its last attempt.
    public var failedBatches = 0
  }

  public let city: SimulatedCity
  private let catchUp: CatchUp
  private let batchSize: Int
  private let state = Mutex(Statistics())
  static let attempts = 3

  public init(_ city: SimulatedCity, catchUp: CatchUp = .skip, batchSize: Int = 200) {
    self.city = city
    self.catchUp = catchUp
    self.batchSize = max(1, batchSize)
  }

  public var statistics: Statistics { state.withLock { $0 } }

  /// Describes all devices, then reports beat by beat until the time or until it is cancelled.
  /// - Throws: `CancellationError`; an error of the sink only when not even the descriptions could be stored.
  public func run(clock: any CityClock, sink: any EntitySink, until end: DateTime?) async throws {
    for fleet in city.fleets {
      for range in ranges(fleet.devices.count) {
        try Task.checkCancellation()
        try await sink.upsert(fleet.devices[range].map(fleet.description))
      }
    }
    // A new city shows values at once: the beat before the start is reported first.
    var due = city.fleets.map { Self.beat(before: clock.now, $0) }
    while let next = due.indices.min(by: { (due[$0], $0) < (due[$1], $1) }) {
      let beat = due[next]
      if let end, beat >= end { return }
      try await clock.sleep(until: beat)
      try Task.checkCancellation()
      let fleet = city.fleets[next]
      try await report(fleet, at: beat, clock: clock, to: sink)
      due[next] = following(beat, fleet, now: clock.now)
    }
  }

  private func report(_ fleet: Fleet, at beat: DateTime, clock: any CityClock, to sink: any EntitySink) async throws {
    let moment = fleet.moment(at: beat)
    for range in ranges(fleet.devices.count) {
      try Task.checkCancellation()
      let batch = fleet.readings(of: range, moment)
      if try await send(batch, to: sink, clock: clock) {
        state.withLock {
          $0.readings += batch.count
          $0.batches += 1
        }
      } else {
        state.withLock { $0.failedBatches += 1 }
      }
    }
    state.withLock { $0.beats += 1 }
  }

  /// Tries a few times; a reading that cannot be stored is lost, as a device's would be, and counted.
  private func send(_ batch: [Entity], to sink: any EntitySink, clock: any CityClock) async throws -> Bool {
    for attempt in 1...Self.attempts {
      do {
        try await sink.upsert(batch)
        return true
      } catch let error as CancellationError {
        throw error
      } catch {
        if attempt < Self.attempts { try await Task.sleep(for: .milliseconds(50 << attempt)) }
      }
    }
    return false
  }

  private func ranges(_ count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: batchSize).map { $0..<min($0 + batchSize, count) }
  }

  private func following(_ beat: DateTime, _ fleet: Fleet, now: DateTime) -> DateTime {
    let next = beat.adding(seconds: Double(fleet.plan.cadence.seconds))
    guard catchUp == .skip else { return next }
    let latest = Self.beat(before: now, fleet)
    guard latest > next else { return next }
    let lost = (latest.microseconds - next.microseconds) / (Int64(fleet.plan.cadence.seconds) * 1_000_000)
    state.withLock { $0.skippedBeats += Int(lost) }
    return latest
  }

  /// The last whole multiple of the cadence that is not after the time.
  static func beat(before time: DateTime, _ fleet: Fleet) -> DateTime {
    let step = Int64(fleet.plan.cadence.seconds) * 1_000_000
    let remainder = time.microseconds % step
    return DateTime(microseconds: time.microseconds - (remainder < 0 ? remainder + step : remainder))
  }
}
