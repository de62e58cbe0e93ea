import Foundation
import NGSI

/// What a replay or an import came to.
public struct TransferOutcome: Sendable, Hashable {
  public var stored = 0
  public var refused = 0
  /// Attribute values of rows that were sent in this run.
  public var values = 0
  public var seconds = 0.0
  /// Where refused rows stand with their reasons, when there are any.
  public var refusedPath: String?

  /// The last line that the commands print.
  public var summary: String { "stored \(stored) refused \(refused)" }
}

/// Brings records from a source through a door: in batches, a few at a time, in order for each entity.
///
/// Entities are dealt to lanes; a lane has one batch under way and gathers the next. Memory is bounded by that.
struct Transfer {
  struct Settings: Sendable {
    var lanes = 4
    var batchRows = 400
    var batchBytes = 4 << 20
    /// How many times as fast as observed; `nil` for as fast as it goes.
    var speed: Double?
    var statePath: String?
    var refusedPath: String
    var progress: @Sendable (String) -> Void
  }

  /// The source, shared by the steps of one run.
  private final class Feed {
    private var source: any RecordSource

    init(_ source: any RecordSource) { self.source = source }

    func next() throws(IngestError) -> Record? { try source.next() }

    var progress: Double { source.progress }
  }

  private struct Lane {
    var gathered: [OutgoingRow] = []
    var gatheredBytes = 0
    var underWay: [OutgoingRow] = []
    var task: Task<Delivery, any Error>?
    var hasSent = false
  }

  /// Rows that may be sent before the position is written again.
  static let horizonRows = 10_000
  /// With so many refused by the hub and none stored, the mapping must be wrong.
  static let hopelessRows = 2_000

  private let door: any Door
  private let settings: Settings
  private var position: Position
  private let resumedAt: Int
  /// Rows up to here may be stored already.
  private var doubtThrough: Int
  /// Whether the door has come to rest after an earlier run.
  private var hasRested = false
  private var lanes: [Lane]
  private var laneOfEntity: [String: Int] = [:]
  private var log: RefusedLog
  private var outcome = TransferOutcome()
  private var read = 0
  private let startedAt = ContinuousClock.now
  private var lastSaved = ContinuousClock.now
  private var lastShown = ContinuousClock.now
  private var firstObserved: DateTime?
  private var pacedFrom = ContinuousClock.now
  private var lastSettled: OutgoingRow?

  init(door: any Door, settings: Settings, position: Position, names: [String]) {
    self.door = door
    self.settings = settings
    self.position = position
    resumedAt = position.settled
    doubtThrough = position.horizon
    lanes = Array(repeating: Lane(), count: max(1, settings.lanes))
    log = RefusedLog(path: settings.refusedPath, names: names, resumes: position.settled > 0)
  }

  // In three functions that are not merged: the optimiser of Swift 6.3.1 crashes on them as one.
  mutating func run(_ source: any RecordSource) async throws -> TransferOutcome {
    do {
      try await bring(Feed(source))
    } catch {
      await abandon()
      throw error
    }
    try log.promote()
    if let path = settings.statePath { Position.remove(path) }
    outcome.seconds = Self.seconds(since: startedAt)
    outcome.refusedPath = outcome.refused > 0 ? settings.refusedPath : nil
    show(1)
    return outcome
  }

  @inline(never)
  private mutating func bring(_ feed: Feed) async throws {
    while let record = try feed.next() {
      try Task.checkCancellation()
      try await take(record)
      if read & 127 == 0 { try await housekeeping(feed.progress) }
    }
    for index in lanes.indices { try await submit(index) }
    for index in lanes.indices { try await settle(index) }
  }

  /// What is under way may still arrive: it is noted before the failure is told.
  @inline(never)
  private mutating func abandon() async {
    for index in lanes.indices { try? await settle(index) }
    try? save()
  }

  // MARK: Rows

  private mutating func take(_ record: Record) async throws {
    read += 1
    let sequence = read
    switch record.outcome {
    case .refused(let reason):
      outcome.refused += 1
      try log.add(record, sequence: sequence, by: .mapping, reason: reason)
    case .entity(let entity):
      let row = OutgoingRow(sequence: sequence, record: record, entity: entity)
      if sequence <= resumedAt {
        try settledEarlier(row)
      } else {
        try await pace(entity.observedAt)
        try await send(row)
      }
    }
    if sequence == resumedAt { try await passResumption() }
  }

  private mutating func settledEarlier(_ row: OutgoingRow) throws {
    if let reason = log.earlier[row.sequence] {
      outcome.refused += 1
      try log.add(row.record, sequence: row.sequence, by: .hub, reason: reason)
    } else {
      outcome.stored += 1
      lastSettled = row
    }
  }

  /// The rows of an earlier run have been read again; the hub must still have them.
  private mutating func passResumption() async throws {
    try log.promote()
    guard let row = lastSettled, row.entity.observedAt != nil else { return }
    guard try await door.stored([row]).isEmpty == false else {
      throw IngestError(
        "the position says that row \(row.sequence) is stored, but the hub does not have it; start anew with --fresh")
    }
  }

  /// Whether some of a lane's rows may be stored already.
  ///
  /// Without a position the series may still have been stored before; the first rows of each lane tell.
  private mutating func areInDoubt(_ rows: [OutgoingRow], lane: Int) async throws -> Bool {
    if !lanes[lane].hasSent, resumedAt == 0, doubtThrough == 0, try await !door.stored(rows).isEmpty {
      settings.progress("the hub has some of the rows already; every row is looked up before it is sent")
      doubtThrough = .max
    }
    lanes[lane].hasSent = true
    guard let first = rows.first, first.sequence <= doubtThrough else { return false }
    if !hasRested {
      try await door.rest()
      hasRested = true
    }
    return true
  }

  private mutating func send(_ row: OutgoingRow) async throws {
    let index: Int
    if let known = laneOfEntity[row.entity.id] {
      index = known
    } else {
      // Beyond a bound the entity's name decides alone, so that memory does not grow with entities.
      index =
        laneOfEntity.count < 100_000
        ? laneOfEntity.count % lanes.count
        : Int(row.entity.id.utf8.reduce(UInt(5381)) { $0 &* 33 &+ UInt($1) } % UInt(lanes.count))
      if laneOfEntity.count < 100_000 { laneOfEntity[row.entity.id] = index }
    }
    let changesForm = lanes[index].gathered.last.map { $0.entity.hasContext != row.entity.hasContext } ?? false
    if changesForm { try await submit(index) }
    lanes[index].gathered.append(row)
    lanes[index].gatheredBytes += row.entity.json.count
    if lanes[index].gathered.count >= settings.batchRows || lanes[index].gatheredBytes >= settings.batchBytes {
      try await submit(index)
    }
  }

  private mutating func submit(_ index: Int) async throws {
    try await settle(index)
    guard let last = lanes[index].gathered.last else { return }
    let rows = lanes[index].gathered
    let inDoubt = try await areInDoubt(rows, lane: index)
    if last.sequence > position.horizon, settings.statePath != nil {
      position.horizon = read + Self.horizonRows
      try save()
    }
    lanes[index].gathered = []
    lanes[index].gatheredBytes = 0
    lanes[index].underWay = rows
    lanes[index].task = Task { [door] in try await door.deliver(rows, inDoubt: inDoubt) }
  }

  /// Waits for the lane's batch and counts it.
  private mutating func settle(_ index: Int) async throws {
    guard let task = lanes[index].task else { return }
    let delivery = try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
    let refused = delivery.refused
    position.slowest = max(position.slowest ?? 0, delivery.longest / .seconds(1))
    for row in lanes[index].underWay {
      if let reason = refused[row.sequence] {
        outcome.refused += 1
        try log.add(row.record, sequence: row.sequence, by: .hub, reason: reason)
      } else {
        outcome.stored += 1
        outcome.values += row.entity.valueCount
      }
    }
    lanes[index].task = nil
    lanes[index].underWay = []
    if outcome.stored == 0, outcome.refused >= Self.hopelessRows, let reason = refused.values.first {
      throw IngestError("the hub refuses every row; the first reason: \(reason)")
    }
  }

  // MARK: Time

  /// Waits until the row's time has come; what was gathered goes out before a wait.
  private mutating func pace(_ observedAt: DateTime?) async throws {
    guard let speed = settings.speed, let observedAt else { return }
    guard let first = firstObserved else {
      firstObserved = observedAt
      pacedFrom = .now
      return
    }
    let due = Double(observedAt.microseconds - first.microseconds) / 1e6 / speed
    guard Self.seconds(since: pacedFrom) < due else { return }
    for index in lanes.indices { try await submit(index) }
    while case let left = due - Self.seconds(since: pacedFrom), left > 0 {
      try await Task.sleep(for: .seconds(min(left, 1)))
    }
    for index in lanes.indices { try await settle(index) }
  }

  private mutating func housekeeping(_ progress: Double) async throws {
    if Self.seconds(since: lastSaved) > 0.5 { try save() }
    if Self.seconds(since: lastShown) > 1 { show(progress) }
  }

  private mutating func save() throws {
    lastSaved = .now
    guard let path = settings.statePath else { return }
    let open = lanes.compactMap { ($0.underWay.first ?? $0.gathered.first)?.sequence }.min()
    position.settled = max(position.settled, (open ?? read + 1) - 1)
    try log.synchronize()
    try position.write(path)
  }

  private mutating func show(_ progress: Double) {
    lastShown = .now
    let elapsed = max(0.001, Self.seconds(since: startedAt))
    let rows = Double(outcome.stored + outcome.refused)
    let left = progress > 0.001 ? Int(elapsed / progress * (1 - progress)) : 0
    settings.progress(
      "\(Int(rows)) rows, \(Int(progress * 100)) %, \(Int(rows / elapsed)) rows/s, "
        + "\(Int(Double(outcome.values) / elapsed)) values/s, \(outcome.refused) refused, \(left) s to go")
  }

  private static func seconds(since start: ContinuousClock.Instant) -> Double {
    let components = (ContinuousClock.now - start).components
    return Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}
