import CDiskRecorder
import Foundation
import NGSI
import Store
import StoreSQLite

/// Runs the store on a folder while everything it does to the disk is written down, with the moments at which a step was
/// begun and acknowledged.
struct Recording {
  /// Kinds of marks.
  enum Mark {
    static let begun: UInt32 = 1
    static let acknowledged: UInt32 = 2
    static let placed: UInt32 = 3
    static let shown: UInt32 = 4
  }

  /// One opening of the store: so many tasks write so many steps each, in groups of at most so many.
  private struct Phase {
    var tasks: Int
    var steps: Int
    var groupLimit: Int
  }

  static let tasks = 8
  private static let phases = [
    Phase(tasks: 1, steps: 30, groupLimit: 256), Phase(tasks: 8, steps: 40, groupLimit: 256),
    Phase(tasks: 8, steps: 20, groupLimit: 3), Phase(tasks: 8, steps: 60, groupLimit: 256),
  ]

  /// Small bounds, so that the log is copied and begins anew many times.
  static var options: SQLiteStore.Options {
    var options = SQLiteStore.Options()
    options.readers = 2
    options.arrivals = 8
    options.walStep = 200 << 10
    options.walBound = 600 << 10
    return options
  }

  static func run(folder: String, log: String) async throws {
    guard disk_recorder_start(folder, log) == 1 else { throw Complaint("cannot record into \(log)") }
    var counts = [Int](repeating: 0, count: tasks)
    for (position, phase) in phases.enumerated() {
      var options = options
      options.groupLimit = phase.groupLimit
      let store = try SQLiteStore(path: folder + "/city.sqlite", options: options)
      counts = try await withThrowingTaskGroup(of: (task: Int, count: Int).self) { group in
        for task in 0..<phase.tasks {
          let start = counts[task]
          group.addTask {
            for count in start + 1...start + phase.steps { try await perform(Step(task: task, count: count), store) }
            return (task, start + phase.steps)
          }
        }
        var reached = counts
        for try await end in group { reached[end.task] = end.count }
        return reached
      }
      // The last one is cut off in the middle of its life.
      if position < phases.count - 1 { await store.close() } else { try stop(store) }
    }
  }

  /// Writes until the process is killed.
  static func load(folder: String, first: Int) async throws {
    let store = try SQLiteStore(path: folder + "/city.sqlite", options: options)
    say("ready")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in first..<first + tasks {
        group.addTask {
          for count in 1... {
            try await perform(Step(task: task, count: count), store)
            say("\(task) \(count)")
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// One write, so that a line is whole or absent when the process is killed.
  private static func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }

  private static func perform(_ step: Step, _ store: SQLiteStore) async throws {
    disk_recorder_mark(Mark.begun, UInt64(step.task), UInt64(step.count))
    do { try await store.write { try step.perform($0) } } catch is Step.Refusal {}
    disk_recorder_mark(Mark.acknowledged, UInt64(step.task), UInt64(step.count))
  }

  private static func stop(_ store: SQLiteStore) throws {
    guard disk_recorder_stop() == 1 else { throw Complaint("the record is not whole") }
    withExtendedLifetime(store) {}
  }
}

/// Why the program gives up.
struct Complaint: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
