import City
import Foundation
import NGSI
import Synchronization
import Testing

@testable import Ingest

/// A folder that goes away, with a mapping and a series in it.
final class Workshop {
  let folder: URL
  let mapping: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "madang-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    mapping = folder.appending(path: "m.yaml").path
    try """
    mapping: 1
    format: csv
    entity: {id: "urn:ngsi-ld:Sensor:{s}", type: Sensor}
    observedAt: {from: "{t}", pattern: "yyyy-MM-dd HH:mm", timeZone: Asia/Seoul, hour24: true}
    attributes:
      a: {column: a, range: [0, 1000000]}
      b: {column: b}
      name: {constant: x}
    """.write(toFile: mapping, atomically: true, encoding: .utf8)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// Rows of some sensors, one an hour; every 97th is broken.
  func series(_ rows: Int, sensors: Int = 3, name: String = "series.csv") throws -> String {
    var text = "t,s,a,b\n"
    for row in 0..<rows {
      let hour = row / sensors
      let date = DateTime.civil(days: 18_000 + hour / 24)
      let stamp = String(format: "%04d-%02d-%02d %02d:00", date.year, date.month, date.day, hour % 24 + 1)
      text += "\(stamp),\(row % sensors),\(row % 97 == 96 ? "broken" : "\(row)"),\(row % 5 == 0 ? "" : "0.5")\n"
    }
    let path = folder.appending(path: name).path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  func options(_ file: String, _ hub: FakeHub) -> Replay.Options {
    var options = Replay.Options(files: [file], mapping: mapping, hub: hub.url)
    options.batchRows = 50
    options.patience = .seconds(20)
    options.grace = .milliseconds(20)
    return options
  }
}

@Suite("Replay", .serialized)
struct ReplayTests {
  static func check(_ hub: FakeHub, rows: Int, refused: Int = 0, sensors: Int = 3) {
    hub.state.withLock { state in
      #expect(state.badBodies == [])
      let broken = rows / 97
      #expect(state.rows.count == rows - broken - refused)
      var last: [String: String] = [:]
      for row in state.rows {
        // Order of each entity is kept; nothing comes twice.
        #expect(row.observedAt > (last[row.id] ?? ""))
        last[row.id] = row.observedAt
      }
      let values = Set(state.rows.compactMap { $0.values["a"]?.integer })
      #expect(values.count == state.rows.count)
    }
  }

  @Test("every row is stored or refused, in order, and the counts add up")
  func whole() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(2000)
    let outcome = try await Replay.run(workshop.options(file, hub))
    #expect(outcome.summary == "stored 1980 refused 20")
    Self.check(hub, rows: 2000)
    let log = try String(contentsOfFile: try #require(outcome.refusedPath), encoding: .utf8).split(separator: "\n")
    #expect(log.count == 20)
    let first = try JSONParser.parse(String(try #require(log.first)))
    #expect(first["row"]?.integer == 97 && first["record"]?.array?[2] == "broken")
    #expect(!FileManager.default.fileExists(atPath: file + ".position"))
    try await hub.close()
  }

  @Test("a hub that hangs up after taking, fails, or is busy: nothing is lost or stored twice")
  func whims() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(2000)
    hub.state.withLock { state in
      for post in stride(from: 3, through: 40, by: 4) {
        state.whims[post] =
          [.takeAndHangUp, .answer(503), .hangUpAndTakeLater, .answer(429), .answer(500)][
            post / 4 % 5]
      }
    }
    let outcome = try await Replay.run(workshop.options(file, hub))
    #expect(outcome.summary == "stored 1980 refused 20")
    Self.check(hub, rows: 2000)
    #expect(hub.state.withLock { $0.lookUps } > 5)
    try await hub.close()
  }

  @Test("rows that the hub refuses are found one by one")
  func refusals() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(600)
    hub.state.withLock { $0.refuses = #""value":10"# }
    let outcome = try await Replay.run(workshop.options(file, hub))
    let refused = (0..<600).filter { "\($0)".hasPrefix("10") && $0 % 97 != 96 }.count
    #expect(outcome.stored == 600 - 6 - refused && outcome.refused == 6 + refused)
    Self.check(hub, rows: 600, refused: refused)
    let log = try String(contentsOfFile: try #require(outcome.refusedPath), encoding: .utf8)
    #expect(log.contains("not this one"))
    try await hub.close()
  }

  @Test("a run that is cut off goes on exactly", arguments: [1, 7, 19])
  func resumption(after posts: Int) async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(3000)
    let options = workshop.options(file, hub)
    let run = Task { try await Replay.run(options) }
    while hub.state.withLock({ $0.posts }) < posts { try await Task.sleep(for: .milliseconds(1)) }
    run.cancel()
    _ = await run.result
    let before = hub.state.withLock { $0.rows.count }
    if FileManager.default.fileExists(atPath: file + ".position") {
      // Another mapping must not go on from this position.
      let text = try String(contentsOfFile: workshop.mapping, encoding: .utf8)
      try text.replacing("range: [0, 1000000]", with: "range: [0, 5]").write(
        toFile: workshop.mapping, atomically: true, encoding: .utf8)
      await #expect(throws: IngestError.self) { try await Replay.run(options) }
      try text.write(toFile: workshop.mapping, atomically: true, encoding: .utf8)
    }
    let outcome = try await Replay.run(options)
    #expect(outcome.summary == "stored 2970 refused 30")
    #expect(before <= 2970)
    Self.check(hub, rows: 3000)
    let log = try String(contentsOfFile: try #require(outcome.refusedPath), encoding: .utf8).split(separator: "\n")
    #expect(log.count == 30)
    try await hub.close()
  }

  @Test("a kill between sending and noting: what the hub has is not sent again")
  func horizon() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(1000)
    let options = workshop.options(file, hub)
    _ = try await Replay.run(options)
    // As after a kill: the position says that 300 rows are settled and that all may have been sent.
    let mapping = try Mapping.read(path: workshop.mapping)
    var position = Position(files: try Position.describe([file]), mapping: mapping.fingerprint, hub: hub.url + "|")
    position.settled = 300
    position.horizon = 50_000
    try position.write(file + ".position")
    hub.state.withLock { state in state.rows.removeAll { ($0.values["a"]?.integer ?? 0) >= 700 } }
    let outcome = try await Replay.run(options)
    #expect(outcome.summary == "stored 990 refused 10")
    Self.check(hub, rows: 1000)
    // A hub that lost the settled rows is noticed.
    try position.write(file + ".position")
    hub.state.withLock { $0.rows = [] }
    await #expect(throws: IngestError.self) { try await Replay.run(options) }
    try await hub.close()
  }

  @Test("a run that is killed while the hub is still busy with its last batches")
  func busy() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(1000)
    let options = workshop.options(file, hub)
    hub.state.withLock { state in for post in 4...9 { state.whims[post] = .hangUpAndTakeLater } }
    let run = Task {
      var impatient = options
      impatient.patience = .zero
      return try await Replay.run(impatient)
    }
    await #expect(throws: IngestError.self) { try await run.value }
    #expect(hub.state.withLock { !$0.late.isEmpty })
    let outcome = try await Replay.run(options)
    #expect(outcome.summary == "stored 990 refused 10")
    Self.check(hub, rows: 1000)
    try await hub.close()
  }

  @Test("what the hub refused before a first position is refused after the second kill too")
  func refusedTwiceKilled() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(3000)
    let options = workshop.options(file, hub)
    hub.state.withLock { $0.refuses = #""value":10"# }
    // Killed before anything was settled, then again on the way.
    let mapping = try Mapping.read(path: workshop.mapping)
    var position = Position(files: try Position.describe([file]), mapping: mapping.fingerprint, hub: hub.url + "|")
    position.horizon = 10_000
    try position.write(file + ".position")
    let run = Task { try await Replay.run(options) }
    while hub.state.withLock({ $0.posts }) < 30 { try await Task.sleep(for: .milliseconds(1)) }
    run.cancel()
    _ = await run.result
    #expect(try Position.read(file + ".position")?.settled ?? 0 > 150)
    let outcome = try await Replay.run(options)
    let refused = (0..<3000).filter { "\($0)".hasPrefix("10") && $0 % 97 != 96 }.count
    #expect(outcome.stored == 2970 - refused && outcome.refused == 30 + refused)
    Self.check(hub, rows: 3000, refused: refused)
    try await hub.close()
  }

  @Test("a series that is already there is not stored again, though its first row is broken; a corrected value is")
  func corrected() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(400)
    var text = try String(contentsOfFile: file, encoding: .utf8).replacing(",0,0,,", with: ",0,broken,,")
      .replacing(",0,0,\n", with: ",0,broken,\n")
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    let options = workshop.options(file, hub)
    #expect(try await Replay.run(options).summary == "stored 395 refused 5")
    #expect(try await Replay.run(options).summary == "stored 395 refused 5")
    #expect(hub.state.withLock { $0.rows.count } == 395)
    text = text.replacing(",1,301,", with: ",1,999,")
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    #expect(try await Replay.run(options).summary == "stored 395 refused 5")
    #expect(hub.state.withLock { $0.rows.count } == 396)
    #expect(hub.state.withLock { $0.rows.last?.values["a"] } == 999)
    try await hub.close()
  }

  @Test("a second row for an instant is refused across files too, each counted and named")
  func duplicates() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let a = try workshop.series(960, name: "a.csv")
    // The second file repeats 300 rows of the first, out of order, and goes on with its own.
    let lines = try String(contentsOfFile: a, encoding: .utf8).split(separator: "\n")
    let b = workshop.folder.appending(path: "b.csv").path
    let repeated = lines[301...600].reversed()
    let own = lines[1...30].map { $0.replacing(",0,", with: ",8,").replacing(",1,", with: ",8,") }
    try ([lines[0]] + repeated + own.map { $0[...] }).joined(separator: "\n").write(
      toFile: b, atomically: true, encoding: .utf8)
    var options = workshop.options(a, hub)
    options.files = [a, b]
    let outcome = try await Replay.run(options)
    #expect(outcome.stored + outcome.refused == 960 + 330)
    hub.state.withLock { state in
      #expect(state.rows.count == outcome.stored)
      #expect(Set(state.rows.map { $0.id + $0.observedAt }).count == state.rows.count)
      #expect(state.rows.count { !$0.id.hasSuffix(":8") } == 960 - 9)
    }
    let log = try String(contentsOfFile: try #require(outcome.refusedPath), encoding: .utf8).split(separator: "\n")
    #expect(log.count == outcome.refused)
    // The 300 but for three broken ones, and the rows of sensor 2; two rows of sensor 8 for an hour in one file.
    #expect(log.count { $0.contains(".csv gave already") } == 300 - 3 + 10)
    #expect(log.count { $0.contains("gave already") } == 300 - 3 + 10 + 10)
    try await hub.close()
  }

  @Test("a series that is already there is not stored again")
  func again() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(500)
    let options = workshop.options(file, hub)
    let first = try await Replay.run(options)
    let second = try await Replay.run(options)
    #expect(first.summary == second.summary)
    Self.check(hub, rows: 500)
    try await hub.close()
  }

  @Test("several files are merged in the order of their times")
  func merge() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let a = try workshop.series(300, sensors: 1, name: "a.csv")
    let b = try workshop.series(300, sensors: 1, name: "b.csv")
    try String(contentsOfFile: b, encoding: .utf8).replacing(":00,0,", with: ":00,9,")
      .write(toFile: b, atomically: true, encoding: .utf8)
    var options = workshop.options(a, hub)
    options.files = [a, b]
    options.lanes = 1
    let outcome = try await Replay.run(options)
    #expect(outcome.summary == "stored 594 refused 6")
    let times = hub.state.withLock { $0.rows.map(\.observedAt) }
    #expect(times == times.sorted())
    try await hub.close()
  }

  @Test("the speed is kept: an hour in 10 ms at ×360,000")
  func speed() async throws {
    let hub = try await FakeHub()
    let workshop = try Workshop()
    let file = try workshop.series(60, sensors: 1)
    var options = workshop.options(file, hub)
    options.speed = 360_000
    let started = ContinuousClock.now
    let outcome = try await Replay.run(options)
    let elapsed = ContinuousClock.now - started
    #expect(outcome.summary == "stored 60 refused 0")
    #expect(elapsed > .milliseconds(585))
    try await hub.close()
  }

  @Test("a hub that is not there: patience, then a sentence, and nothing counts as stored")
  func absent() async throws {
    let workshop = try Workshop()
    let file = try workshop.series(10)
    let hub = try await FakeHub()
    var options = workshop.options(file, hub)
    try await hub.close()
    options.patience = .milliseconds(300)
    let notices = Mutex<[String]>([])
    options.notice = { line in notices.withLock { $0.append(line) } }
    await #expect(throws: IngestError.self) { try await Replay.run(options) }
    #expect(notices.withLock { $0.contains { $0.contains("does not answer") } })
    options.hub = "ftp://x"
    await #expect(throws: IngestError.self) { try await Replay.run(options) }
  }
}
