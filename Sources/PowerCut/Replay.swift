import Foundation

/// What a run promised up to a moment, and whether a disk keeps it.
protocol Workload {
  /// Steps that were acknowledged.
  var acknowledged: Int { get }

  mutating func note(_ operation: Operation)

  /// Takes up what lies in a folder as a program does that starts after a cut. Gives whether more is there than was
  /// acknowledged.
  /// - Throws: ``Complaint`` when less is there, or what no step made, or what is there is not sound.
  func verify(_ folder: String, _ chance: inout Chance) async throws -> Bool
}

/// Cuts the power of a recorded run at many moments, opens what may be on the disk then, and compares it with what had
/// been acknowledged.
struct Replay {
  let record: Record
  var states: Int
  var seed: UInt64
  /// Files whose syncs are not believed, by the end of their name: to show that the replay would notice.
  var ignoredSyncs: [String] = []
  let folder: String
  let workload: any Workload

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
    var outcome = Outcome()
    var disk = DiskFolder()
    var promised = workload
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
          try lay(files)
          if try await promised.verify(folder, &chance) { outcome.unacknowledged += 1 }
        } catch {
          outcome.failures += 1
          if outcome.words.count < 5 {
            outcome.words.append("cut after operation \(position), state \(number): \(error)")
          }
        }
      }
    }
    outcome.acknowledged = promised.acknowledged
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

  private func lay(_ files: [String: [UInt8]]) throws {
    try? FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name)) }
  }
}

/// What may be anything after a cut.
enum Noise {
  static func write(to path: String, _ chance: inout Chance) throws {
    try Data((0..<32_768).map { _ in UInt8(truncatingIfNeeded: chance.next()) }).write(to: URL(fileURLWithPath: path))
  }
}
