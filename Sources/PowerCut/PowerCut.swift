import Foundation
import StoreSQLite

/// Proves what an acknowledgement is worth when the power goes.
///
/// - `record FOLDER RECORD [KIND]`: runs a workload in a new folder and writes down all that it does to the disk. It is
///   `store` where none is named, `log` (the evidence log, watched), or `witness`.
/// - `run FOLDER FIRST`: opens the store, prints `ready`, then eight tasks from that number on write without end. Each
///   acknowledged step is a line `<task> <step>`.
/// - `compare FOLDER [TASK:STEP…]`: whether the store holds what was acknowledged of these tasks; `verify` checks the whole
///   store besides.
/// - `replay RECORD STATES SEED [SUFFIX…]`: makes so many crash states of a record, opens and compares each; `replay-log`
///   and `replay-witness` do it with the records of these. Syncs of files whose name has one of the suffixes are not believed, which must show as loss.
///
/// The last line of a replay is `states N cuts C acknowledged A unacknowledged U failures F`; the exit code is 1 when there are
/// failures.
@main
struct PowerCut {
  static func main() async throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      switch (arguments.first, arguments.count) {
      case ("record", 3...4):
        try await record(folder: arguments[1], log: arguments[2], kind: arguments.dropFirst(3).first)
      case ("run", 3): try await Recording.load(folder: arguments[1], first: Int(arguments[2]) ?? 0)
      case ("verify", 2...): try await compare(folder: arguments[1], arguments.dropFirst(2), checks: true)
      case ("compare", 2...): try await compare(folder: arguments[1], arguments.dropFirst(2), checks: false)
      case ("replay", 4...): try await replay(arguments) { StoreWorkload($0) }
      case ("replay-log", 4...): try await replay(arguments) { _ in try LogWorkload(record: arguments[1]) }
      case ("replay-witness", 4...): try await replay(arguments) { _ in try WitnessWorkload(record: arguments[1]) }
      default:
        print(
          "usage: PowerCut record FOLDER RECORD [store|log|witness] | run FOLDER FIRST | compare|verify FOLDER [TASK:STEP…] | "
            + "replay|replay-log|replay-witness RECORD STATES SEED [SUFFIX…]")
        exit(64)
      }
    } catch {
      print("\(error)")
      exit(2)
    }
  }

  private static func record(folder: String, log: String, kind: String?) async throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    switch kind ?? "store" {
    case "store": try await Recording.run(folder: folder, log: log)
    case "log": try await LogRecording.run(folder: folder, record: log)
    case "witness": try await WitnessRecording.run(folder: folder, record: log)
    case let other: throw Complaint("\(other) is no workload")
    }
    let record = try Record(path: log)
    var names: [Int: String] = [:]
    var counts: [String: Int] = [:]
    for operation in record.operations {
      switch operation {
      case .create(let file, let name): names[file] = name
      case .write(let file, _, _): counts["writes to \(names[file] ?? "?")", default: 0] += 1
      case .truncate(let file, _): counts["truncations of \(names[file] ?? "?")", default: 0] += 1
      case .syncEnd(let file, _): counts["syncs of \(file == 0 ? "the folder" : names[file] ?? "?")", default: 0] += 1
      case .unlink(_, let name): counts["removals of \(name)", default: 0] += 1
      case .rename(let file, let name):
        names[file] = name
        counts["renamings", default: 0] += 1
      case .acknowledged: counts["acknowledgements", default: 0] += 1
      case .shown: counts["checkpoints shown", default: 0] += 1
      case .begun, .placed, .syncBegin: break
      }
    }
    for (what, count) in counts.sorted(by: { $0.key < $1.key }) { print("\(count) \(what)") }
    // Tasks of the store may still run: the record is whole.
    exit(0)
  }

  private static func compare(folder: String, _ promises: ArraySlice<String>, checks: Bool) async throws {
    let path = folder + "/city.sqlite"
    let store = try SQLiteStore(path: path)
    for promise in promises {
      let numbers = promise.split(separator: ":").compactMap { Int($0) }
      guard numbers.count == 2 else { throw Complaint("\(promise) is no TASK:STEP") }
      let (task, acknowledged) = (numbers[0], numbers[1])
      var expected = Cell()
      for count in 0..<acknowledged { Step(task: task, count: count + 1).apply(to: &expected) }
      let found = try store.read { try Cell(of: task, $0) }
      if found == expected { continue }
      // The step under way may have been committed before its answer got out.
      Step(task: task, count: acknowledged + 1).apply(to: &expected)
      guard found == expected else {
        throw Complaint("task \(task) is not at its step \(acknowledged), nor at the next")
      }
    }
    await store.close()
    guard checks else { return }
    let report = try SQLiteStore.check(path: path)
    guard report.isSound else { throw Complaint(report.findings.prefix(5).joined(separator: " ")) }
  }

  private static func replay(_ arguments: [String], _ workload: @Sendable (Record) throws -> any Workload) async throws
  {
    guard let states = Int(arguments[2]), let seed = UInt64(arguments[3]) else {
      throw Complaint("STATES and SEED are numbers")
    }
    let folder = FileManager.default.temporaryDirectory.appending(path: "powercut-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let record = try Record(path: arguments[1])
    let replay = Replay(
      record: record, states: states, seed: seed, ignoredSyncs: Array(arguments.dropFirst(4)), folder: folder,
      workload: try workload(record))
    let outcome = try await replay.run()
    for words in outcome.words { print(words) }
    print(
      "states \(outcome.states) cuts \(outcome.cuts) acknowledged \(outcome.acknowledged) "
        + "unacknowledged \(outcome.unacknowledged) failures \(outcome.failures)")
    if outcome.failures > 0 {
      try? FileManager.default.removeItem(atPath: folder)
      exit(1)
    }
  }
}
