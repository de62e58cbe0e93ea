import Foundation
import NGSI
import Store
import StoreSQLite

/// A writer for the durability tests to trace and starve. Prints `ready`, then one line for each acknowledged
/// write: `<task> <number>`.
///
/// - `lone DATABASE COUNT`: one task writes so many times.
/// - `many DATABASE COUNT`: 64 tasks write so many times together.
/// - `starve DATABASE`: writes until files may not grow any more, then on when they may.
@main
struct StoreProbe {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 3 else {
      say("usage: StoreProbe lone|many|starve DATABASE [COUNT]")
      exit(64)
    }
    let store = try SQLiteStore(path: arguments[2])
    let number = arguments.count > 3 ? Int(arguments[3]) ?? 0 : 0
    say("ready")
    switch arguments[1] {
    case "lone": try await write(store, tasks: 1, count: number)
    case "many": try await write(store, tasks: 64, count: number / 64)
    default: try await starve(store)
    }
    await store.close()
  }

  private static func write(_ store: SQLiteStore, tasks: Int, count: Int) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<tasks {
        group.addTask {
          for number in 1...max(1, count) {
            try await ProbeWrite(task: task, number: number, padding: 300).perform(in: store)
            say("\(task) \(number)")
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// The limit on file sizes stands for a full disk.
  private static func starve(_ store: SQLiteStore) async throws {
    signal(SIGXFSZ, SIG_IGN)
    setFileLimit(2 << 20)
    var number = 1
    while number < 10_000 {
      do {
        try await ProbeWrite(task: 0, number: number, padding: 20_000).perform(in: store)
        say("0 \(number)")
        number += 1
      } catch let error as StoreError {
        say("refused \(error)")
        break
      }
    }
    // Still full: refused again, and reading goes on.
    do {
      try await ProbeWrite(task: 1, number: 1, padding: 3_000_000).perform(in: store)
      say("taken although full")
    } catch let error as StoreError { say("refused \(error)") }
    say("count \(try store.read { try $0.entityCount(in: .default) })")
    setFileLimit(1 << 30)
    for next in number..<number + 20 {
      try await ProbeWrite(task: 0, number: next, padding: 20_000).perform(in: store)
      say("0 \(next)")
    }
    say("recovered")
  }

  private static func setFileLimit(_ bytes: Int) {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    limit.rlim_cur = rlim_t(bytes)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
  }
}

/// One write that touches every kind of table: the numbered state of one entity, its history and an outbox item.
struct ProbeWrite: Sendable {
  let task: Int
  let number: Int
  let padding: Int

  var id: String { "urn:probe:\(task)" }

  func perform(in store: SQLiteStore) async throws {
    try await store.write { writer in
      let old = try writer.entity(id, in: .default)
      let value = Attribute(kind: .property, value: .integer(Int64(number)))
      let text = Attribute(kind: .property, value: .string(String(repeating: "x", count: padding)))
      let entity = Entity(
        id: id, types: ["urn:Probe"],
        attributes: [
          AttributeSet(name: "urn:number", instances: [value]), AttributeSet(name: "urn:text", instances: [text]),
        ])
      try writer.put(entity, replacing: old, in: .default)
      try writer.append(
        [HistoryEntry(entityId: id, attribute: "urn:number", instance: value)], types: [:], in: .default)
      _ = try writer.enqueue([
        OutboxItem(
          tenant: .default, subscriptionId: id, payload: Array("\(number)".utf8), dueAt: DateTime(microseconds: 0))
      ])
    }
  }
}

/// One write, so that a line is whole or absent when the process is killed.
func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}
