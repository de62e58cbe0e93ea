import CDiskRecorder
import Foundation
import TransparencyLog
import Witness

/// A log in memory whose entries are numbers, and another that begins otherwise.
struct NumberedLog {
  let signer: SignerKey
  private var hashes: [[TreeHash]] = [[]]
  private var roots: [TreeHash] = [.empty]

  init(_ signer: SignerKey, first: String, size: Int) {
    self.signer = signer
    var range = CompactRange()
    for number in 0..<size {
      range.append(.leaf(Array((number == 0 ? first : "\(number)").utf8))) { height, _, hash in
        if hashes.count <= height { hashes.append([]) }
        hashes[height].append(hash)
      }
      roots.append(range.root)
    }
  }

  func root(_ size: Int) -> TreeHash { roots[size] }

  func request(from old: Int, to new: Int) throws -> [UInt8] {
    let text = Checkpoint(origin: signer.verifier.name, size: UInt64(new), root: roots[new]).text
    let path = MerkleProof.consistency(from: UInt64(old), to: UInt64(new)) { hashes[$0][Int($1)] }
    let note = SignedNote(text: text, signatures: [try signer.sign(text, at: 0)])
    return Array(WitnessRequest(oldSize: UInt64(old), path: path, checkpoint: note).text.utf8)
  }
}

/// Two logs and their witness, while everything that it does to its disk is written down.
enum WitnessRecording {
  static let logs = 2
  private static let steps = [1, 30, 40]
  /// Entries of a log in the end.
  static let entries = 1200

  struct Side: Codable {
    var logs: [String]
    var witness: String
  }

  /// Entries after a step.
  static func size(_ log: Int, _ count: Int) -> Int { count == 0 ? 0 : count * (count + 7 * log + 3) / 8 + 1 }

  static func run(folder: String, record: String) async throws {
    let signers = try (0..<logs).map { try SignerKey(name: "city\($0).example/evidence", kind: .ed25519) }
    let key = try SignerKey(name: "police.example/witness", kind: .cosignature)
    let numbered = signers.map { NumberedLog($0, first: "0", size: entries) }
    guard disk_recorder_start(folder, record) == 1 else { throw Complaint("cannot record into \(record)") }
    var reached = 0
    for more in steps {
      let witness = try Witness(signer: key, logs: signers.map(\.verifier), folder: folder)
      try await withThrowingTaskGroup(of: Void.self) { [reached] group in
        for log in 0..<logs {
          group.addTask {
            for count in reached + 1...reached + more {
              let request = try numbered[log].request(from: size(log, count - 1), to: size(log, count))
              disk_recorder_mark(Recording.Mark.begun, UInt64(log), UInt64(count))
              guard case .cosigned = try await witness.add(request) else {
                throw Complaint("step \(count) was refused")
              }
              disk_recorder_mark(Recording.Mark.acknowledged, UInt64(log), UInt64(count))
            }
          }
        }
        try await group.waitForAll()
      }
      reached += more
    }
    guard disk_recorder_stop() == 1 else { throw Complaint("the record is not whole") }
    let side = Side(logs: signers.map(\.text), witness: key.text)
    try JSONEncoder().encode(side).write(to: URL(fileURLWithPath: record + ".json"))
  }
}

/// What a witness cosigned up to a moment, and whether one that finds its disk as a cut left it could be brought to cosign
/// another history.
struct WitnessWorkload: Workload {
  private let key: SignerKey
  private let logs: [NumberedLog]
  private let forks: [NumberedLog]
  private var begun: [Int: Int] = [:]
  private var cosigned: [Int: Int] = [:]

  init(record: String) throws {
    let side = try JSONDecoder().decode(
      WitnessRecording.Side.self, from: Data(contentsOf: URL(fileURLWithPath: record + ".json")))
    key = try SignerKey(parsing: side.witness)
    let signers = try side.logs.map { try SignerKey(parsing: $0) }
    logs = signers.map { NumberedLog($0, first: "0", size: WitnessRecording.entries) }
    forks = signers.map { NumberedLog($0, first: "another", size: WitnessRecording.entries) }
  }

  var acknowledged: Int { cosigned.values.reduce(0, +) }

  mutating func note(_ operation: Operation) {
    switch operation {
    case .begun(let log, let count): begun[log] = count
    case .acknowledged(let log, let count): cosigned[log] = count
    default: break
    }
  }

  func verify(_ folder: String, _ chance: inout Chance) async throws -> Bool {
    let witness = try Witness(signer: key, logs: logs.map(\.signer.verifier), folder: folder)
    var hasMore = false
    for log in logs.indices {
      let sizes = [cosigned[log] ?? 0, begun[log] ?? 0].map { WitnessRecording.size(log, $0) }
      // It says where it stands.
      let stands: Int
      switch try await witness.add(forks[log].request(from: sizes[1] + 1, to: sizes[1] + 2)) {
      case .refused(.otherSize(let size)): stands = Int(size)
      case let other: throw Complaint("a fork that begins nowhere was answered with \(other)")
      }
      guard sizes.contains(stands) else {
        throw Complaint("log \(log): \(sizes[0]) entries were cosigned, the witness stands at \(stands)")
      }
      hasMore = hasMore || stands > sizes[0]
      if stands > 0 {
        for old in [0, stands] {
          let answer = try await witness.add(forks[log].request(from: old, to: stands + 1 + chance.below(50)))
          guard case .refused = answer else {
            throw Complaint("log \(log): another history was cosigned from \(old) on")
          }
        }
      }
      guard case .cosigned = try await witness.add(logs[log].request(from: stands, to: stands + 1 + chance.below(50)))
      else {
        throw Complaint("log \(log): the witness does not go on")
      }
    }
    return hasMore
  }
}
