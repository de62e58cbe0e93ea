import NGSI
import Synchronization
import Testing

@testable import City

/// Keeps what it is given, as bytes.
final class RecordingSink: EntitySink {
  struct Failure: Error {}
  let bytes = Mutex<[UInt8]>([])
  let calls = Mutex(0)
  let failsAt: Set<Int>
  /// Runs before each batch is taken.
  let before: @Sendable () async throws -> Void

  init(failsAt: Set<Int> = [], before: @escaping @Sendable () async throws -> Void = {}) {
    self.failsAt = failsAt
    self.before = before
  }

  func upsert(_ entities: [Entity]) async throws {
    try await before()
    let call = calls.withLock { count in
      count += 1
      return count
    }
    if failsAt.contains(call) { throw Failure() }
    bytes.withLock { bytes in for entity in entities { bytes += EntityWriter.storedBytes(entity) } }
  }
}

@Suite("Simulation")
struct SimulationTests {
  static let start = DateTime(year: 2026, month: 11, day: 22)!

  static func small(_ seed: Int = 3) throws -> SimulatedCity {
    var manifest = try Examples.manifest("demo")
    manifest.seed = seed
    for index in manifest.fleets.indices {
      manifest.fleets[index].count = 2
      manifest.fleets[index].cadence = Span(seconds: max(600, manifest.fleets[index].cadence.seconds))
    }
    return SimulatedCity(manifest)
  }

  /// Lets a day pass under a clock that `drive` moves.
  func day(_ city: SimulatedCity, speed: Double?) async throws -> [UInt8] {
    let base = ManualClock(Self.start)
    let clock: any CityClock = speed.map { ScaledClock(factor: $0, start: Self.start, base: base) } ?? base
    let sink = RecordingSink()
    let simulation = Simulation(city, catchUp: .everyBeat, batchSize: 5)
    let run = Task {
      try await simulation.run(clock: clock, sink: sink, until: Self.start.adding(seconds: 86_400))
    }
    let finished = Mutex(false)
    let watch = Task {
      try await run.value
      finished.withLock { $0 = true }
    }
    while !finished.withLock({ $0 }) {
      if let wake = base.nextWake { base.advance(to: wake) }
      await Task.yield()
    }
    try await watch.value
    #expect(simulation.statistics.skippedBeats == 0)
    return sink.bytes.withLock { $0 }
  }

  @Test("one seed, one day: byte for byte at ×1 and ×1000")
  func sameDay() async throws {
    let once = try await day(Self.small(), speed: nil)
    #expect(once.count > 100_000)
    #expect(try await day(Self.small(), speed: 1) == once)
    #expect(try await day(Self.small(), speed: 1000) == once)
    #expect(try await day(Self.small(4), speed: nil) != once)
  }

  @Test("readings do not depend on the order in which they are asked for")
  func order() throws {
    let city = try Self.small()
    let times = (0..<50).map { Self.start.adding(seconds: Double($0) * 3571) }
    for fleet in city.fleets {
      let forward = times.map { time in fleet.devices.map { fleet.reading($0, at: time) } }
      let backward = times.reversed().map { time in Array(fleet.readings(at: time)) }
      #expect(forward == backward.reversed())
    }
  }

  @Test("a slow store slows the simulation, and lost beats are counted")
  func backPressure() async throws {
    let clock = ManualClock(Self.start)
    // Each batch takes twenty minutes of the city's time, more than a cadence.
    let sink = RecordingSink { clock.advance(to: clock.now.adding(seconds: 1200)) }
    let simulation = Simulation(try Self.small(), catchUp: .skip, batchSize: 100)
    let run = Task {
      try await simulation.run(clock: clock, sink: sink, until: Self.start.adding(seconds: 86_400))
    }
    let helper = Task {
      while !Task.isCancelled {
        if let wake = clock.nextWake { clock.advance(to: wake) }
        await Task.yield()
      }
    }
    try await run.value
    helper.cancel()
    let statistics = simulation.statistics
    #expect(statistics.skippedBeats > 100)
    #expect(statistics.beats < 100)
    #expect(statistics.failedBatches == 0)
  }

  @Test("a store that fails now and then loses nothing; one that goes on failing costs a counted batch")
  func failures() async throws {
    let clock = ManualClock(Self.start)
    let fleets = try Self.small().fleets.count
    let sink = RecordingSink(failsAt: [fleets + 1, fleets + 3, fleets + 4, fleets + 5])
    let simulation = Simulation(try Self.small())
    try await simulation.run(clock: clock, sink: sink, until: Self.start.adding(seconds: 1))
    #expect(simulation.statistics.beats == fleets)
    #expect(simulation.statistics.failedBatches == 1)
    #expect(simulation.statistics.batches == fleets - 1)
  }

  @Test("cancelling stops it")
  func cancellation() async throws {
    let simulation = Simulation(try Self.small())
    let run = Task { try await simulation.run(clock: ManualClock(Self.start), sink: RecordingSink()) }
    while simulation.statistics.beats < 3 { await Task.yield() }
    run.cancel()
    await #expect(throws: CancellationError.self) { try await run.value }
  }

  @Test("modes: what is real is not simulated")
  func modes() throws {
    var manifest = try Examples.manifest("demo")
    manifest.fleets[0].stage = .real
    #expect(SimulatedCity(manifest).fleets.count == manifest.fleets.count)
    #expect(SimulatedCity(manifest, mode: .build).fleets.count == manifest.fleets.count - 1)
    #expect(SimulatedCity(manifest, mode: .live).fleets.isEmpty)
  }

  @Test("the service contract lists what is published")
  func contract() throws {
    let contract = Simulation(try Self.small()).contract
    #expect(contract.publishes.count == DeviceType.allCases.count)
    #expect(contract.publishes["Streetlight"] == ["powerState", "status", "powerConsumption", "illuminanceLevel"])
  }
}
