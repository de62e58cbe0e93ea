import CDiskRecorder
import Evidence
import Foundation
import NGSI
import Store
import StoreSQLite
import Synchronization
import TransparencyLog

/// One step of a task of the evidence log: entries that are added together, or a name that is forgotten.
struct LogStep: Hashable {
  enum Kind { case act, acts, bulk, refused, forget }

  struct Refusal: Error {}

  let task: Int
  /// From 1.
  let count: Int

  var kind: Kind {
    if count % 11 == 0 { return .bulk }
    if count % 7 == 0 { return .forget }
    if count % 5 == 0 { return .refused }
    return (count + task) % 2 == 0 ? .act : .acts
  }

  /// Entries that it adds.
  var size: Int {
    switch kind {
    case .act: 1
    case .acts: 3
    case .bulk: 70
    case .refused, .forget: 0
    }
  }

  /// Whom its acts concern; what is forgotten is of an earlier step.
  var subject: String { "person:\(task):\(count)" }
  var forgotten: String { "person:\(task):\(count - 1)" }

  func name(_ part: Int) -> String { "\(task):\(count):\(part)" }

  /// - Returns: the first position; `nil` for what adds nothing.
  func perform(_ log: EvidenceLog, _ store: SQLiteStore, at now: DateTime) async throws -> UInt64? {
    switch kind {
    case .act, .acts, .refused:
      let acts = (0..<max(1, size)).map { part in
        var act = Act(.access, action: "read")
        act.actor = "officer:\(task)"
        act.subject = subject
        act.reason = String(repeating: "x", count: count * 53 % 700)
        act.object = ObjectHash(of: Data(name(part).utf8))
        return act
      }
      let isRefused = kind == .refused
      do {
        return try await store.write { writer in
          let range = try log.record(acts, writer)
          if isRefused { throw Refusal() }
          return range.lowerBound
        }
      } catch is Refusal { return nil }
    case .bulk:
      let records = (0..<size).map { EvidenceRecord(entry: Array("bulk \(name($0))".utf8), time: now) }
      return try await store.write { try log.append(records, $0).lowerBound }
    case .forget:
      _ = try await log.forget(subject: forgotten)
      return nil
    }
  }
}

/// Runs a city's evidence log, watched by a witness on a disk of its own, while everything that it does to the city's disk
/// is written down; with the moments at which a step was begun and acknowledged, where its entries came to stand, and
/// what the witness was shown.
enum LogRecording {
  static let tasks = 4
  /// Steps of each task in each opening of the store.
  private static let phases = [6, 14, 30]
  static let origin = "city.example/evidence"

  /// What a replay has to know beside the record: keys, and the checkpoints that the witness was shown.
  struct Side: Codable {
    var log: String
    var witness: String
    var treaty: String
    var shown: [String]

    static func path(_ record: String) -> String { record + ".json" }

    static func read(_ record: String) throws -> Side {
      try JSONDecoder().decode(Side.self, from: Data(contentsOf: URL(fileURLWithPath: path(record))))
    }
  }

  static func run(folder: String, record: String) async throws {
    let signer = try SignerKey(name: origin, kind: .ed25519)
    let witness = try SignerKey(name: "police.example/witness", kind: .cosignature)
    let treaty = "witness police \(witness.verifier.text) http://police\nquorum police\n"
    let judge = Judge(signer: witness, log: signer.verifier)
    guard disk_recorder_start(folder, record) == 1 else { throw Complaint("cannot record into \(record)") }
    var reached = 0
    for (position, steps) in phases.enumerated() {
      let store = try SQLiteStore(path: folder + "/city.sqlite", options: Recording.options)
      let clock = Clock()
      let log = try EvidenceLog(
        store: store, signer: signer, treaty: treaty, caller: judge, limits: limits, now: { clock.now })
      try log.resume()
      let running = Task { await log.run() }
      try await withThrowingTaskGroup(of: Void.self) { [reached] group in
        for task in 0..<tasks {
          group.addTask {
            for count in reached + 1...reached + steps {
              try await perform(LogStep(task: task, count: count), log, store, at: clock.now)
            }
          }
        }
        try await group.waitForAll()
      }
      reached += steps
      running.cancel()
      await running.value
      // The last one is cut off in the middle of its life.
      if position < phases.count - 1 {
        await store.close()
      } else {
        guard disk_recorder_stop() == 1 else { throw Complaint("the record is not whole") }
        withExtendedLifetime(store) {}
      }
    }
    let side = Side(log: signer.text, witness: witness.text, treaty: treaty, shown: judge.shown)
    try JSONEncoder().encode(side).write(to: URL(fileURLWithPath: Side.path(record)))
  }

  /// Rounds follow each other closely, so that there are many.
  static var limits: EvidenceLog.Limits {
    var limits = EvidenceLog.Limits()
    limits.pace = 0.002
    return limits
  }

  private static func perform(
    _ step: LogStep, _ log: EvidenceLog, _ store: SQLiteStore, at now: DateTime
  ) async throws {
    disk_recorder_mark(Recording.Mark.begun, UInt64(step.task), UInt64(step.count))
    if let position = try await step.perform(log, store, at: now) {
      disk_recorder_mark(Recording.Mark.placed, UInt64(step.task), position)
    }
    disk_recorder_mark(Recording.Mark.acknowledged, UInt64(step.task), UInt64(step.count))
  }
}

/// A clock that goes forward a little whenever it is asked.
final class Clock: Sendable {
  private let microseconds = Mutex(Int64(1_795_000_000_000_000))

  var now: DateTime {
    microseconds.withLock { time in
      time += 1000
      return DateTime(microseconds: time)
    }
  }
}

/// A witness without a disk: it remembers what it was told, and judges as any witness does.
final class Judge: WitnessCalling {
  private struct Memory {
    var tree: WitnessedTree
    var shown: [String] = []
    var complaint: String?
  }

  private let signer: SignerKey
  private let log: VerifierKey
  private let memory: Mutex<Memory>

  init(signer: SignerKey, log: VerifierKey, stands tree: WitnessedTree = .none) {
    self.signer = signer
    self.log = log
    memory = Mutex(Memory(tree: tree))
  }

  /// Checkpoints that it was shown, in order.
  var shown: [String] { memory.withLock { $0.shown } }
  /// What is wrong with the log.
  var complaint: String? { memory.withLock { $0.complaint } }

  func addCheckpoint(_ body: String, at url: String) async -> (status: Int, body: String)? {
    memory.withLock { memory in
      guard let request = try? WitnessRequest(parsing: Array(body.utf8)) else { return (400, "") }
      memory.shown.append(request.checkpoint.description)
      // It may know of the checkpoint from here on, whatever becomes of its answer.
      disk_recorder_mark(Recording.Mark.shown, UInt64(memory.shown.count - 1), 0)
      do throws(WitnessRefusal) {
        let new = try request.judged(trusting: [log]) { _ in memory.tree }
        guard let signature = try? signer.sign(new.text, at: 1_795_000_000) else { return (500, "") }
        memory.tree = WitnessedTree(size: new.size, root: new.root)
        return (200, signature.line)
      } catch {
        if case .otherSize(let size) = error { return (409, "\(size)\n") }
        memory.complaint = "a checkpoint that does not continue the last one: \(error)"
        return (error.status, error.sentence)
      }
    }
  }
}
