import ArgumentParser
import City
import Evidence
import Foundation
import HubHTTP
import NGSI
import Store
import StoreSQLite
import TransparencyLog

/// Fills the evidence log of a new city by the city's own way and measures it beside its floor.
struct BenchEvidenceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evidence", abstract: "Fills a new city's evidence log and measures it beside its floor.",
    discussion: """
      The manifest says the log's name and the treaty, whose witnesses have to run already. The data folder has to be new; \
      the filled log stays in it, for `madang up` to serve and for others to check. One figure a line: its name, number, unit.
      """)

  @Argument(help: "The city manifest (*.city.yaml).", completion: .file(extensions: ["yaml"]))
  var manifest: String

  @Option(help: "Folder of the city's data; may hold the log's key, and nothing else.")
  var data: String

  @Option(help: "Entries in all.")
  var entries: Int = 100_000

  @Option(help: "Entries that are added in one transaction.")
  var batch: Int = 1024

  @Option(help: "Writers that add batches at once.")
  var writers: Int = 4

  @Option(
    help: "Entries that are added one by one in the end, to see how long each takes to be published and witnessed.")
  var samples: Int = 100

  func validate() throws {
    guard (1...65_536).contains(batch), (1...64).contains(writers), samples >= 0, entries > samples else {
      throw ValidationError("--batch is from 1 to 65536, --writers from 1 to 64, and --entries more than --samples.")
    }
  }

  func run() async throws {
    let file = try ManifestFile.read(path: manifest)
    let folder = try DataFolder(path: data)
    let http = HTTPOutlet()
    let store = try SQLiteStore(path: folder.store)
    do {
      guard try store.read({ try $0.evidenceCount() }) == 0 else {
        throw ValidationError("\(data) holds a log already; take a new folder")
      }
      try await Self.tellFloor(folder.path, batch: batch)
      let log = try CityEvidence(store: store, folder: folder, manifest: file, http: http).log
      try log.resume()
      let running = Task { await log.run() }
      try await fill(log, store)
      try await sample(log, store)
      try Self.tellProofs(log)
      running.cancel()
      await running.value
    } catch {
      await store.close()
      await http.shutdown()
      throw error
    }
    await store.close()
    await http.shutdown()
  }

  // MARK: The floor

  /// What the log cannot do without: its bytes on the disk, two hashes for each entry, rows in SQLite.
  private static func tellFloor(_ folder: String, batch: Int) async throws {
    let entry = Statement.bytes(
      of: act(0), at: DateTime(microseconds: 0), nonce: Array(repeating: 7, count: 16), actor: .random(),
      subject: .random())
    tell("floor: bytes of an entry", Double(entry.count), "bytes")
    let bytes = Array(repeating: UInt8(7), count: entry.count * batch)
    let path = folder + "/floor"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Failure("\(path): \(String(cString: strerror(errno)))") }
    defer {
      close(descriptor)
      unlink(path)
    }
    var syncs: [Double] = []
    for _ in 0..<50 {
      let start = ContinuousClock.now
      guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count, fdatasync(descriptor) == 0 else {
        throw Failure("\(path): \(String(cString: strerror(errno)))")
      }
      syncs.append(start.seconds)
    }
    tell("floor: a batch written and synced, median", syncs.share(0.5) * 1000, "ms")
    let start = ContinuousClock.now
    var range = CompactRange()
    for _ in 0..<50_000 { range.append(.leaf(entry)) }
    tell("floor: entries hashed into a tree", 50_000 / start.seconds, "per s")
    let scratch = try SQLiteStore(path: folder + "/floor.sqlite")
    let records = Array(repeating: EvidenceRecord(entry: entry, time: DateTime(microseconds: 0)), count: batch)
    let rows = ContinuousClock.now
    let rounds = max(4, 50_000 / batch)
    for _ in 0..<rounds { _ = try await scratch.write { try $0.appendEvidence(records) } }
    tell("floor: rows of that size stored, durable", Double(rounds * batch) / rows.seconds, "per s")
    await scratch.close()
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix("floor.sqlite") {
      try FileManager.default.removeItem(atPath: folder + "/" + name)
    }
  }

  // MARK: The log

  /// What an agency's officers do all day: a few hundred accounts, some ten thousand people.
  private static func act(_ number: Int) -> Act {
    var act = Act(.access, action: "read")
    act.agency = "police"
    act.actor = "officer.\(number % 300)"
    act.source = "10.0.\(number % 200).7"
    act.purpose = "missing-child"
    act.subject = "urn:ngsi-ld:Person:\(number &* 7919 % 20_000)"
    act.object = ObjectHash(of: Data("\(number)".utf8))
    act.reason = "call 112-\(number)"
    return act
  }

  private func fill(_ log: EvidenceLog, _ store: SQLiteStore) async throws {
    let total = entries - samples
    // Half of them are made elsewhere, as submissions are; the other half are acts, with what is sealed beside them.
    let ready = total / 2
    let made = (0..<16).map { number in (0..<batch).map { Self.entry(number * batch + $0) } }
    var lags = try await add(0..<ready, "entries", log) { numbers in
      let records = made[numbers.lowerBound / numbers.count % made.count].prefix(numbers.count)
      return try await store.write { try log.append(Array(records), $0) }
    }
    lags += try await add(ready..<total, "acts", log) { numbers in
      let acts = numbers.map(Self.act)
      return try await store.write { try log.record(acts, $0) }
    }
    Self.tell("batch acknowledged to published, p99", lags.share(0.99), "s")
  }

  private static func entry(_ number: Int) -> EvidenceRecord {
    let nonce = (0..<16).map { UInt8(truncatingIfNeeded: number >> ($0 * 4)) }
    let time = DateTime(microseconds: 0)
    return EvidenceRecord(
      entry: Statement.bytes(of: act(number), at: time, nonce: nonce, actor: nil, subject: nil), time: time)
  }

  /// Adds a range in batches, by several writers at once; gives how long each batch took to be published.
  private func add(
    _ range: Range<Int>, _ name: String, _ log: EvidenceLog,
    _ body: @escaping @Sendable (Range<Int>) async throws -> Range<UInt64>
  ) async throws -> [Double] {
    let watch = Watch(log)
    let batches = stride(from: range.lowerBound, to: range.upperBound, by: batch).map { first in
      first..<min(range.upperBound, first + batch)
    }
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<writers {
        group.addTask {
          for number in stride(from: writer, to: batches.count, by: writers) {
            watch.expect(try await body(batches[number]).upperBound)
          }
        }
      }
      try await group.waitForAll()
    }
    Self.tell(
      "\(name) added in batches of \(batch) by \(writers) writers, durable", Double(range.count) / start.seconds,
      "per s")
    return try await watch.end()
  }

  private func sample(_ log: EvidenceLog, _ store: SQLiteStore) async throws {
    let watch = Watch(log)
    for number in 0..<samples {
      let added = try await store.write { try log.record([Self.act(number)], $0) }
      watch.expect(added.upperBound)
      try await Task.sleep(for: .milliseconds(30))
    }
    let lags = try await watch.end()
    if !lags.isEmpty { Self.tell("entry acknowledged to published, p99", lags.share(0.99), "s") }
    let quorums = log.quorumTimes
    if !quorums.isEmpty {
      Self.tell("quorum gathered, median of \(quorums.count) rounds", quorums.share(0.5) * 1000, "ms")
      Self.tell("quorum gathered, p99 of \(quorums.count) rounds", quorums.share(0.99) * 1000, "ms")
    }
  }

  private static func tellProofs(_ log: EvidenceLog) throws {
    let (origin, count) = try log.read { (log.key.name, $0.count) }
    var longest = 0
    var spent = 0.0
    let rounds = 200
    for round in 0..<rounds {
      let position = UInt64(round) * (count - 1) / UInt64(rounds)
      let text = Array(try log.read { try $0.proof(of: position) }.text.utf8)
      longest = max(longest, text.count)
      let start = ContinuousClock.now
      let proof = try InclusionFile(parsing: text)
      _ = try proof.verify(.leaf(proof.extra ?? []), under: log.policy)
      spent += start.seconds
    }
    tell("longest of \(rounds) proofs of \(origin) at \(count) entries", Double(longest), "bytes")
    tell("a proof read and verified, mean", spent / Double(rounds) * 1000, "ms")
  }

  private static func tell(_ what: String, _ number: Double, _ unit: String) {
    Terminal.print("\(what): \(String(format: number < 100 ? "%.3f" : "%.0f", number)) \(unit)")
  }
}

/// Sees when what was acknowledged is in a published checkpoint.
private struct Watch {
  /// What was acknowledged, and when.
  private struct Expected: Sendable {
    var end: UInt64
    var at = ContinuousClock.now
  }

  private let waiting: AsyncStream<Expected>.Continuation
  private let seen: Task<[Double], any Error>

  /// Longest that is waited for, in seconds.
  private static let patience = 600.0

  init(_ log: EvidenceLog) {
    let (stream, waiting) = AsyncStream.makeStream(of: Expected.self)
    self.waiting = waiting
    seen = Task { try await Self.lags(of: stream, in: log) }
  }

  private static func lags(of stream: AsyncStream<Expected>, in log: EvidenceLog) async throws -> [Double] {
    var lags: [Double] = []
    for await expected in stream {
      while log.publishedSize < expected.end {
        guard expected.at.seconds < patience else {
          throw Failure("Entry \(expected.end - 1) was not published within \(patience) s.")
        }
        try await Task.sleep(for: .milliseconds(1))
      }
      lags.append(expected.at.seconds)
    }
    return lags
  }

  func expect(_ end: UInt64) { waiting.yield(Expected(end: end)) }

  func end() async throws -> [Double] {
    waiting.finish()
    return try await seen.value
  }
}

extension ContinuousClock.Instant {
  /// Seconds since then.
  fileprivate var seconds: Double {
    let (seconds, attoseconds) = (ContinuousClock.now - self).components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}

extension [Double] {
  /// The number that a share of all does not exceed.
  fileprivate func share(_ share: Double) -> Double {
    let sorted = self.sorted()
    return sorted[Swift.min(count - 1, Int((Double(count) * share).rounded(.down)))]
  }
}
