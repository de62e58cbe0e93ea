import Evidence
import Foundation
import NGSI
import Store
import StoreSQLite
import TransparencyLog

/// What an evidence log promised up to a moment, and whether a store keeps it: every entry that was acknowledged stands
/// where it stood, every checkpoint that a witness was shown is the beginning of the log, and the log goes on from there.
struct LogWorkload: Workload {
  private let side: LogRecording.Side
  private let checkpoints: [Checkpoint]
  private let signer: SignerKey
  private let witness: SignerKey
  private var begun: [Int: Int] = [:]
  private var acknowledgedSteps: [Int: Int] = [:]
  /// First position of the newest step of each task that adds entries.
  private var placed: [Int: UInt64] = [:]
  private var stands: [(step: LogStep, position: UInt64)] = []
  private var shown = 0

  init(record: String) throws {
    side = try LogRecording.Side.read(record)
    signer = try SignerKey(parsing: side.log)
    witness = try SignerKey(parsing: side.witness)
    checkpoints = try side.shown.map { try Checkpoint(parsing: SignedNote(parsing: Array($0.utf8)).text) }
  }

  var acknowledged: Int { acknowledgedSteps.values.reduce(0, +) }

  mutating func note(_ operation: Operation) {
    switch operation {
    case .begun(let task, let count): begun[task] = count
    case .placed(let task, let position): placed[task] = position
    case .acknowledged(let task, let count):
      acknowledgedSteps[task] = count
      let step = LogStep(task: task, count: count)
      if step.size > 0, let position = placed[task] { stands.append((step, position)) }
    case .shown(let number): shown = number + 1
    default: break
    }
  }

  func verify(_ folder: String, _ chance: inout Chance) async throws -> Bool {
    if chance.happens(0.3) { try Noise.write(to: folder + "/city.sqlite-shm", &chance) }
    let path = folder + "/city.sqlite"
    var options = Recording.options
    options.readers = 2
    let store: SQLiteStore
    do { store = try SQLiteStore(path: path, options: options) } catch {
      throw Complaint("the store cannot be opened: \(error)")
    }
    let hasMore: Bool
    do {
      hasMore = try store.read { try compare($0) }
      try await goOn(store, &chance)
    } catch {
      await store.close()
      throw error
    }
    await store.close()
    let report = try SQLiteStore.check(path: path)
    guard report.isSound else { throw Complaint(report.findings.prefix(3).joined(separator: " ")) }
    return hasMore
  }

  /// Holds the entries against what was promised; whether there are more of them.
  private func compare(_ reader: any StoreReader) throws -> Bool {
    let records = try reader.evidence(0..<UInt64(Int64.max))
    guard UInt64(records.count) == (try reader.evidenceCount()) else { throw Complaint("the log has gaps") }
    for (step, position) in stands {
      for part in 0..<step.size {
        let place = Int(position) + part
        guard place < records.count, try Self.isEntry(records[place], of: step, part) else {
          throw Complaint("entry \(place), which was acknowledged to step \(step.name(part)), is not there")
        }
      }
    }
    // What came beyond that is of steps under way, whole.
    let more = records.count - stands.reduce(0) { $0 + $1.step.size }
    let underWay = (0..<LogRecording.tasks).compactMap { task -> Int? in
      guard let begun = begun[task], begun > acknowledgedSteps[task] ?? 0 else { return nil }
      return LogStep(task: task, count: begun).size
    }
    var sums: Set = [0]
    for size in underWay { sums.formUnion(sums.map { $0 + size }) }
    guard sums.contains(more) else { throw Complaint("\(more) entries are there that no step made whole") }
    var range = CompactRange()
    var roots: [UInt64: TreeHash] = [0: .empty]
    let wanted = Set(checkpoints.prefix(shown).map(\.size))
    for record in records {
      range.append(.leaf(record.entry))
      if wanted.contains(range.size) { roots[range.size] = range.root }
    }
    for checkpoint in checkpoints.prefix(shown) where roots[checkpoint.size] != checkpoint.root {
      throw Complaint(
        "a witness was shown \(checkpoint.size) entries that are not the first of the \(records.count) there are")
    }
    try compareKeys(EvidenceView(reader))
    return more > 0
  }

  private static func isEntry(_ record: EvidenceRecord, of step: LogStep, _ part: Int) throws -> Bool {
    if step.kind == .bulk { return record.entry == Array("bulk \(step.name(part))".utf8) }
    let object = try JSONParser.parse(record.entry)["object"]?.string
    return object == ObjectHash(of: Data(step.name(part).utf8)).description && record.register != nil
  }

  /// Whom a step forgot stays forgotten; the others can be read.
  private func compareKeys(_ view: EvidenceView) throws {
    for (step, position) in stands where step.kind != .bulk {
      let next = LogStep(task: step.task, count: step.count + 1)
      let isForgotten = next.kind == .forget && next.count <= acknowledgedSteps[step.task] ?? 0
      if next.kind == .forget, !isForgotten { continue }
      let line = try view.register(from: position, limit: 1).first
      guard (line?.subject == nil) == isForgotten, line?.actor == "officer:\(step.task)" else {
        throw Complaint("the register's line of entry \(position) says \(line?.subject ?? "nothing")")
      }
    }
  }

  /// The log is taken up, adds an entry, and has it cosigned by a witness that stands at what it was shown last.
  private func goOn(_ store: SQLiteStore, _ chance: inout Chance) async throws {
    let last = checkpoints.prefix(shown).max { $0.size < $1.size }
    let judge = Judge(
      signer: witness, log: signer.verifier,
      stands: last.map { WitnessedTree(size: $0.size, root: $0.root) } ?? .none)
    let clock = Clock()
    let log = try EvidenceLog(
      store: store, signer: signer, treaty: side.treaty, caller: judge, limits: LogRecording.limits, now: { clock.now })
    try log.resume()
    guard log.alarms.isEmpty else { throw Complaint("the log is taken up with \(log.alarms.map(\.sentence))") }
    let position = try await store.write { try log.record([Act(.access, action: "go on")], $0) }.lowerBound
    let running = Task { await log.run() }
    var isProved = false
    for _ in 0..<5000 where !isProved {
      isProved = (try? log.read { try $0.proof(of: position) }) != nil
      if judge.complaint != nil { break }
      if !isProved { try await Task.sleep(for: .milliseconds(2)) }
    }
    running.cancel()
    await running.value
    if let complaint = judge.complaint { throw Complaint(complaint) }
    guard isProved, log.alarms.isEmpty else { throw Complaint("the log does not go on: \(log.alarms.map(\.sentence))") }
    // Any entry is proved, out of tiles that were kept before the cut and after it.
    let any = UInt64(chance.below(Int(position) + 1))
    let proof = try log.read { try $0.proof(of: any) }
    _ = try proof.verify(.leaf(proof.extra ?? []), under: log.policy)
  }
}
