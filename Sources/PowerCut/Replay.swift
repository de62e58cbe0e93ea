import Foundation
import NGSI
import Store
import StoreSQLite

/// Cuts the power of a recorded run at many moments, opens what may be on the disk then, and compares it with what had
/// been acknowledged.
struct Replay {
  let record: Record
  var states: Int
  var seed: UInt64
  /// Files whose syncs are not believed, by the end of their name: to show that the replay would notice.
  var ignoredSyncs: [String] = []
  let folder: String

  struct Outcome {
    var states = 0
    var cuts = 0
    var acknowledged = 0
    /// Crash states that lost or invented something, and the first few in words.
    var failures = 0
    var words: [String] = []
    /// Crash states in which a step that was not acknowledged is there.
    var unacknowledged = 0
  }

  /// Failures after which it has been shown.
  private static let enough = 10

  func run() async throws -> Outcome {
    let models = Models(record)
    var outcome = Outcome()
    var disk = DiskFolder()
    var promised = Promised()
    let moments = cuts()
    for (position, operation) in record.operations.enumerated() {
      disk.note(operation, at: position, record.bytes) { name in !ignoredSyncs.contains { name.hasSuffix($0) } }
      promised.note(operation)
      guard let count = moments[position], outcome.failures < Self.enough else { continue }
      outcome.cuts += 1
      for number in 0..<count {
        var chance = Chance(seed &+ UInt64(position) &* 1_000_003 &+ UInt64(number))
        let files = disk.crashed(&chance, record.bytes)
        outcome.states += 1
        do {
          if try await verify(files, promised, models, &chance) { outcome.unacknowledged += 1 }
        } catch {
          outcome.failures += 1
          if outcome.words.count < 5 {
            outcome.words.append("cut after operation \(position), state \(number): \(error)")
          }
        }
      }
    }
    outcome.acknowledged = promised.acknowledged.values.reduce(0, +)
    return outcome
  }

  /// How many states are made after which operation.
  private func cuts() -> [Int: Int] {
    var chance = Chance(seed)
    var moments: [Int: Int] = [:]
    let total = record.operations.count
    // Every moment has the same chance, and so has every acknowledgement: the promise is newest there.
    let acknowledged = record.operations.indices.filter {
      if case .acknowledged = record.operations[$0] { return true } else { return false }
    }
    for number in 0..<states {
      let position =
        number % 3 == 0 && !acknowledged.isEmpty
        ? acknowledged[chance.below(acknowledged.count)] : chance.below(total)
      moments[position, default: 0] += 1
    }
    return moments
  }

  /// Whether more is there than was acknowledged.
  /// - Throws: ``Complaint`` when less is there, or what no step made, or the store is not sound.
  private func verify(
    _ files: [String: [UInt8]], _ promised: Promised, _ models: Models, _ chance: inout Chance
  ) async throws -> Bool {
    try? FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name)) }
    // The index of the log is no promise: it may be anything.
    if chance.happens(0.3) {
      try Data((0..<32_768).map { _ in UInt8(truncatingIfNeeded: chance.next()) })
        .write(to: URL(fileURLWithPath: folder + "/city.sqlite-shm"))
    }
    let path = folder + "/city.sqlite"
    var options = Recording.options
    options.readers = 1
    let store: SQLiteStore
    do { store = try SQLiteStore(path: path, options: options) } catch {
      throw Complaint("the store cannot be opened: \(error)")
    }
    let result = Result { try store.read { try compare($0, promised, models) } }
    await store.close()
    let hasMore = try result.get()
    let report = try SQLiteStore.check(path: path)
    guard report.isSound else { throw Complaint(report.findings.prefix(3).joined(separator: " ")) }
    return hasMore
  }

  private func compare(_ reader: any StoreReader, _ promised: Promised, _ models: Models) throws -> Bool {
    var hasMore = false
    for task in 0..<Recording.tasks {
      let cell = try Cell(of: task, reader)
      let acknowledged = promised.acknowledged[task] ?? 0
      let begun = promised.begun[task] ?? 0
      if cell == models.cell(task, after: acknowledged) { continue }
      guard begun > acknowledged, cell == models.cell(task, after: begun) else {
        let older = (0..<acknowledged).last { cell == models.cell(task, after: $0) }
        throw Complaint(
          older.map { "task \(task): step \(acknowledged) was acknowledged, the store is at step \($0)" }
            ?? "task \(task): the store holds what no step made")
      }
      hasMore = true
    }
    return hasMore
  }
}

/// Steps that were begun and acknowledged up to a moment, by task. A task begins one when the last is acknowledged.
private struct Promised {
  var begun: [Int: Int] = [:]
  var acknowledged: [Int: Int] = [:]

  mutating func note(_ operation: Operation) {
    switch operation {
    case .begun(let task, let count): begun[task] = count
    case .acknowledged(let task, let count): acknowledged[task] = count
    default: break
    }
  }
}

/// What each task has after each of its steps.
private struct Models {
  private var cells: [[Cell]]

  init(_ record: Record) {
    cells = Array(repeating: [Cell()], count: Recording.tasks)
    for operation in record.operations {
      guard case .begun(let task, let count) = operation, var cell = cells[task].last else { continue }
      Step(task: task, count: count).apply(to: &cell)
      cells[task].append(cell)
    }
  }

  func cell(_ task: Int, after count: Int) -> Cell { cells[task][count] }
}
