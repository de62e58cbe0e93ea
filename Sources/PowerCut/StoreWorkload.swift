import Foundation
import NGSI
import Store
import StoreSQLite

/// The store's own promises: entities, histories, outbox and documents of each task, at the step that was acknowledged or
/// the one under way.
struct StoreWorkload: Workload {
  private let models: Models
  private var promised = Promised()

  init(_ record: Record) { models = Models(record) }

  var acknowledged: Int { promised.acknowledged.values.reduce(0, +) }

  mutating func note(_ operation: Operation) { promised.note(operation) }

  func verify(_ folder: String, _ chance: inout Chance) async throws -> Bool {
    // The index of the log is no promise: it may be anything.
    if chance.happens(0.3) { try Noise.write(to: folder + "/city.sqlite-shm", &chance) }
    let path = folder + "/city.sqlite"
    var options = Recording.options
    options.readers = 1
    let store: SQLiteStore
    do { store = try SQLiteStore(path: path, options: options) } catch {
      throw Complaint("the store cannot be opened: \(error)")
    }
    let result = Result { try store.read { try compare($0) } }
    await store.close()
    let hasMore = try result.get()
    let report = try SQLiteStore.check(path: path)
    guard report.isSound else { throw Complaint(report.findings.prefix(3).joined(separator: " ")) }
    return hasMore
  }

  private func compare(_ reader: any StoreReader) throws -> Bool {
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
