import Foundation
import NGSI
import Query
import Store
import StoreSQLite
import Testing

@Suite("Durability", .serialized)
struct DurabilityTests {
  @Test("kill -9 a hundred times under mixed load loses no acknowledged write and leaves none half done")
  func killed() async throws {
    let folder = try Folder()
    var acknowledged = 0
    for round in 0..<100 {
      let first = round * 8
      let (process, output) = try Probe.powerCut.start(["run", folder.url.path, "\(first)"])
      // From before it is open to well into the writing.
      try await Task.sleep(for: .milliseconds(Int.random(in: 5...(round % 10 == 0 ? 60 : 250))))
      kill(process.processIdentifier, SIGKILL)
      let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
      process.waitUntilExit()
      var last: [Int: Int] = [:]
      for line in text.split(separator: "\n") {
        let fields = line.split(separator: " ").compactMap { Int($0) }
        guard fields.count == 2 else { continue }
        last[fields[0]] = max(last[fields[0]] ?? 0, fields[1])
        acknowledged += 1
      }
      let promises = (first..<first + 8).map { "\($0):\(last[$0] ?? 0)" }
      // The whole check looks at all rounds, so it need not be made after each.
      let complaints = try Probe.powerCut.run([round % 20 == 19 ? "verify" : "compare", folder.url.path] + promises)
      #expect(complaints.isEmpty)
    }
    print("kill -9: 100 times, \(acknowledged) acknowledged steps, all there")
    #expect(acknowledged > 1000, "too few writes to prove anything")
  }

  @Test("no crash state of a power cut loses an acknowledged write, and lost syncs would show")
  func powerCut() async throws {
    let folder = try Folder()
    let record = folder.url.appending(path: "record").path
    let told = try Probe.powerCut.run(["record", folder.url.appending(path: "city").path, record])
    func count(_ what: String) -> Int {
      told.compactMap { $0.hasSuffix(what) ? Int($0.prefix { $0 != " " }) : nil }.first ?? 0
    }
    // The log was copied while writes went on, and began anew; the store was closed and opened.
    #expect(count(" syncs of city.sqlite") > 20, "\(told)")
    #expect(count(" syncs of city.sqlite-wal") > 100)
    #expect(count(" removals of city.sqlite-wal") == 3)
    let outcome = try Probe.powerCut.run(["replay", record, "150", "\(UInt64.random(in: 0 ... .max))"])
    print("power cut: \(outcome.last ?? "")")
    #expect(outcome.last?.hasSuffix(" failures 0") == true, "\(outcome)")
    #expect(outcome.last?.hasPrefix("states 150 ") == true)
    // A battery that cannot fail proves nothing: here a disk that only says that it has synced.
    for suffix in ["-wal", ".sqlite"] {
      let lied = try Probe.powerCut.run(["replay", record, "60", "1", suffix], expecting: 1)
      let failures = lied.last?.split(separator: " ").last.flatMap { Int($0) } ?? 0
      #expect(failures >= 10, "syncs of \(suffix) are lost, and only \(failures) states show it")
    }
  }

  @Test("no crash state loses an entry of the evidence log or gives it a second history, nor has a witness cosign one")
  func powerCutOfTheLog() async throws {
    let folder = try Folder()
    for (kind, states, lie) in [("log", "60", "-wal"), ("witness", "150", ".checkpoint.new")] {
      let record = folder.url.appending(path: kind + ".record").path
      let told = try Probe.powerCut.run(["record", folder.url.appending(path: kind).path, record, kind])
      #expect(told.contains { $0.hasSuffix(" acknowledgements") }, "\(told)")
      if kind == "witness" {
        #expect(told.contains("142 renamings") && told.contains("142 syncs of the folder"), "\(told)")
      }
      let outcome = try Probe.powerCut.run(["replay-" + kind, record, states, "\(UInt64.random(in: 0 ... .max))"])
      print("power cut of the \(kind): \(outcome.last ?? "")")
      #expect(outcome.last?.hasSuffix(" failures 0") == true, "\(outcome)")
      #expect(outcome.last?.hasPrefix("states \(states) ") == true)
      let lied = try Probe.powerCut.run(["replay-" + kind, record, "60", "1", lie], expecting: 1)
      #expect(lied.last?.hasSuffix(" failures 10") == true, "syncs of \(lie) are lost, and it does not show: \(lied)")
    }
  }

  /// Entity, history and outbox of one task agree, and hold at least what was acknowledged.
  private func check(_ reader: any StoreReader, task: Int, acknowledged: Int) throws {
    let id = "urn:probe:\(task)"
    let entity = try reader.entity(id, in: .default)
    let number = Int(entity?.attributes[0].instances[0].value.integer ?? 0)
    #expect(number == acknowledged || number == acknowledged + 1, "\(id): has \(number), acknowledged \(acknowledged)")
    var query = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: .max)
    query.entities.ids = [id]
    let history = try reader.evolutions(query, in: .default).entities.first?.attributes[0].instances ?? []
    #expect(history.compactMap(\.value.integer).sorted() == Array(1...Int64(max(1, number))).suffix(number))
    let outbox = try reader.outbox(of: id, in: .default, after: 0, limit: .max)
    #expect(
      outbox.map { String(decoding: $0.payload, as: UTF8.self) } == (1...max(1, number)).map(String.init).suffix(number)
    )
  }

  @Test("a full disk refuses writes, loses nothing, and is forgotten when there is space again")
  func full() async throws {
    let folder = try Folder()
    let lines = try Probe.store.run(["starve", folder.database])
    let refusals = lines.filter { $0.hasPrefix("refused") }
    #expect(refusals.count == 2, "\(lines.suffix(30))")
    #expect(lines.contains("count 1"))
    #expect(lines.last == "recovered")
    #expect(!lines.contains("taken although full"))
    let last = lines.compactMap { $0.hasPrefix("0 ") ? Int($0.dropFirst(2)) : nil }.max() ?? 0
    let store = try SQLiteStore(path: folder.database)
    try store.read { try check($0, task: 0, acknowledged: last) }
    await store.close()
    try checkIntegrity(folder.database)
  }

  @Test("no answer comes before its fsync, and many writers share one")
  func sync() async throws {
    let strace = "/usr/bin/strace"
    guard FileManager.default.isExecutableFile(atPath: strace) else {
      print("SKIPPED: no answer comes before its fsync (strace is not installed)")
      return
    }
    let folder = try Folder()
    let lone = try trace(["lone", folder.database, "50"], folder)
    #expect(lone.answers == 50)
    #expect(lone.answersWithoutSync == 0, "an answer came before its log was synced")
    let many = try trace(["many", folder.database, "3200"], folder)
    #expect(many.answers == 3200)
    #expect(many.syncs * 4 < many.answers, "\(many.syncs) syncs for \(many.answers) writes")
    #expect(many.syncs > 10)
    print("fsync: 50 lone writes with \(lone.syncs) syncs; 3200 writes of 64 tasks with \(many.syncs) syncs")
  }

  private struct Trace {
    var answers = 0
    var syncs = 0
    var answersWithoutSync = 0
  }

  /// System calls in the order in which they ended.
  private func trace(_ arguments: [String], _ folder: Folder) throws -> Trace {
    let file = folder.url.appending(path: "trace").path
    _ = try Probe.store.run(
      arguments, through: ["/usr/bin/strace", "-f", "-y", "-e", "trace=fsync,fdatasync,pwrite64,write", "-o", file])
    var result = Trace()
    var isWritten = false
    var isReady = false
    for line in try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") {
      if line.contains("\"ready\\n\"") {
        isReady = true
        isWritten = false
        continue
      }
      guard isReady else { continue }
      let isDone = line.contains(" = ")
      if line.contains("pwrite64("), line.contains("-wal>") { isWritten = true }
      if line.contains("sync"), isDone, line.contains("-wal>") || line.contains("resumed") {
        result.syncs += 1
        isWritten = false
      }
      if line.contains(" write(1<") {
        result.answers += 1
        // Of one task only: nobody else writes to the log in between.
        if isWritten { result.answersWithoutSync += 1 }
      }
    }
    return result
  }
}
