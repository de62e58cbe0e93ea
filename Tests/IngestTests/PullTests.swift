import AsyncHTTPClient
import City
import Egress
import Foundation
import NGSI
import NIOHTTP1
import Synchronization
import Testing

@testable import Ingest

/// Keeps what feeds bring; takes the same reading once.
private final class KeptReadings: FeedSink {
  struct State {
    var entities: [JSON] = []
    var known = 0
    var refused: [String] = []
    /// How often it is to say that it cannot write.
    var failures = 0
  }

  let state = Mutex(State())

  func take(_ input: AdaptedInput, from feed: FeedName) async throws(Problem) -> FeedOutcome {
    let (outcome, fails) = state.withLock { state -> (FeedOutcome, Bool) in
      if state.failures > 0 {
        state.failures -= 1
        return (FeedOutcome(), true)
      }
      var outcome = FeedOutcome()
      for entity in input.entities {
        if state.entities.contains(entity) {
          outcome.known += 1
        } else {
          outcome.stored += 1; state.entities.append(entity)
        }
      }
      outcome.refused = input.refused.count
      state.refused += input.refused.map(\.problem.detail)
      return (outcome, false)
    }
    if fails { throw Problem(.unavailable, "the hub has more writes waiting than it may") }
    return outcome
  }

  func refuse(_ problem: Problem, sample: String, from feed: FeedName) {
    state.withLock { $0.refused.append(problem.detail) }
  }
}

/// A feed whose clock stands still, on a server of the test's own.
private struct Bench {
  static let mapping = """
    mapping: 1
    format: csv
    entity: {id: "urn:t:{station}", type: Air}
    observedAt: {from: "{time}", pattern: iso8601, timeZone: UTC}
    attributes: {pm25: {column: pm, range: [0, 1000]}}
    """
  static let rows = "time,station,pm\n2026-01-01T00:00:00Z,A,17\n2026-01-01T01:00:00Z,A,18\n"

  let server: SourceServer
  let sink = KeptReadings()
  let board = FeedBoard()
  let clock: ManualClock
  let task: Task<Void, Never>
  private let client: HTTPClient

  init(
    _ server: SourceServer, path: String = "/rows", schedule: PullFeed.Schedule = .every(seconds: 60),
    start: String = "2026-03-01T00:00:00Z", egress: Egress = Egress(), format: Manifest.Adapter.Format = .csv,
    mapping: String = Bench.mapping, failures: Int = 0, _ change: (inout Manifest.Adapter.Pull) -> Void = { _ in }
  ) throws {
    self.server = server
    var adapter = Manifest.Adapter(id: "air", format: format)
    var pull = Manifest.Adapter.Pull(url: server.url + path)
    pull.timeout = Span(seconds: 60)
    change(&pull)
    adapter.pull = pull
    clock = ManualClock(try #require(DateTime(start)))
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: PullFetcher.configuration)
    board.add(FeedStatus(id: "air", kind: "pull", source: pull.url))
    sink.state.withLock { $0.failures = failures }
    let feed = PullFeed(
      adapter: adapter, pull: pull, schedule: schedule, mapping: try Mapping.read(text: mapping, path: "m.yaml"),
      resolve: { $0 }, fetcher: PullFetcher(client: client, egress: egress), sink: sink, board: board, clock: clock,
      chance: { _ in 0.5 })
    task = Task { await feed.run(FeedGate(most: 1)) }
  }

  var status: FeedStatus { get throws { try #require(board.status(of: "air")) } }

  /// Moves the clock to the next run and waits until it is through.
  func runOnce() async throws {
    while try status.nextRun == nil { try await Task.sleep(for: .milliseconds(1)) }
    let due = try status.nextRun
    while try status.nextRun == due {
      if let wake = clock.nextWake { clock.advance(to: wake) }
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  func close() async throws {
    task.cancel()
    await task.value
    try await client.shutdown()
    try await server.close()
  }
}

@Suite("Pulled sources", .serialized)
struct PullTests {
  private func with(_ answer: @escaping SourceServer.Answer, _ body: (SourceServer) async throws -> Void) async throws {
    try await body(try await SourceServer(answer))
  }

  @Test("rows come once, unchanged documents not at all, and the server is asked for something newer")
  func conditional() async throws {
    try await with({ request in
      if request.headers["If-None-Match"].first == "\"1\"" { return .init(status: .notModified) }
      return .init(headers: [("ETag", "\"1\"")], body: Bench.rows)
    }) { server in
      let bench = try Bench(server)
      try await bench.runOnce()
      #expect(try bench.status.total == FeedOutcome(stored: 2))
      #expect(try bench.status.state == .ok && bench.status.unchanged == 0)
      try await bench.runOnce()
      #expect(try bench.status.total == FeedOutcome(stored: 2) && bench.status.unchanged == 1)
      #expect(try bench.status.nextRun == DateTime("2026-03-01T00:02:05Z"))
      #expect(server.requests.map { $0.headers["If-None-Match"].first } == [nil, "\"1\""])
      try await bench.close()
    }
  }

  @Test("a server without validators: the same bytes are not read again, a changed row is one more")
  func digests() async throws {
    let rows = Mutex(Bench.rows)
    try await with({ _ in .init(body: rows.withLock { $0 }) }) { server in
      let bench = try Bench(server)
      try await bench.runOnce()
      try await bench.runOnce()
      #expect(try bench.status.unchanged == 1)
      rows.withLock { $0 += "2026-01-01T02:00:00Z,A,19\nyesterday,A,1\n" }
      try await bench.runOnce()
      #expect(try bench.status.total == FeedOutcome(stored: 3, known: 2, refused: 1))
      #expect(try bench.status.state == .partly)
      #expect(bench.sink.state.withLock { $0.refused } == ["the time 'yesterday' cannot be read"])
      try await bench.close()
    }
  }

  @Test("secrets go where they are meant for and nowhere else; others that it may not call are not called")
  func secrets() async throws {
    let secret = FileManager.default.temporaryDirectory.appending(path: "secret-\(UUID().uuidString)").path
    try Data("s3cret&x\n".utf8).write(to: URL(filePath: secret))
    let other = try await SourceServer { _ in .init(body: Bench.rows) }
    try await with({ [url = other.url] _ in .init(status: .found, headers: [("Location", url + "/away")]) }) { server in
      let bench = try Bench(server) { pull in
        pull.credentials = [
          .init(header: "Authorization", prefix: "Bearer ", secret: .init(file: secret)),
          .init(query: "serviceKey", secret: .init(file: secret)),
        ]
      }
      try await bench.runOnce()
      #expect(try bench.status.total.stored == 2)
      #expect(server.requests[0].headers["Authorization"] == ["Bearer s3cret&x"])
      #expect(server.requests[0].uri == "/rows?serviceKey=s3cret%26x")
      #expect(other.requests[0].headers["Authorization"] == [] && other.requests[0].uri == "/away")
      try FileManager.default.removeItem(atPath: secret)
      try await bench.runOnce()
      #expect(try bench.status.reason == "the secret in \(secret) cannot be read")
      try await bench.close()
    }
    try await other.close()
    for target in ["http://169.254.169.254/latest", "file:///etc/passwd", "http://[fe80::1]/"] {
      try await with({ _ in .init(status: .movedPermanently, headers: [("Location", target)]) }) { server in
        let bench = try Bench(server)
        try await bench.runOnce()
        #expect(try bench.status.state == .failing && bench.sink.state.withLock { $0.entities }.isEmpty)
        try await bench.close()
      }
    }
    try await with({ _ in .init(body: Bench.rows) }) { server in
      let bench = try Bench(server, egress: Egress(allowsPrivate: false))
      try await bench.runOnce()
      #expect(try bench.status.reason?.hasSuffix("the egress rules forbid private addresses") == true)
      #expect(server.requests.isEmpty)
      try await bench.close()
    }
  }

  static let breakages: [(String, SourceServer.Reply, String)] = [
    ("a circle of redirects", .init(status: .found, headers: [("Location", "/rows")]), "it leads on and on"),
    ("a redirect to nowhere", .init(status: .found), "without saying where to"),
    ("a drip", .init(body: Bench.rows, drips: true), "did not come whole within 2 s"),
    ("half a file", .init(body: Bench.rows, breaksOffAfter: 40), "broke off"),
    ("an endless body", .init(endless: true), "more than 4096 bytes"),
    (
      "a body that is too large", .init(headers: [("Content-Length", "52428800")], endless: true),
      "more than 4096 bytes"
    ),
    ("a packing that was not asked for", .init(headers: [("Content-Encoding", "br")], body: "x"), "packed as 'br'"),
    ("gzip that is none", .init(headers: [("Content-Encoding", "gzip")], body: Bench.rows), "is not"),
    ("bytes that are not UTF-8", .init(bytes: [0x74, 0xFF, 0x0A, 0x31]), "not UTF-8"),
    ("another heading", .init(body: "a,b\n1,2\n"), "the mapping names the columns"),
    ("an open quote", .init(body: "time,station,pm\n\"2026,A,1\n"), "never closes"),
    ("nothing at all", .init(body: ""), "no heading"),
    ("no such page", .init(status: .notFound, body: "<html>"), "it answers 404"),
  ]

  @Test("what is broken is told and stores nothing", arguments: breakages.map(\.0))
  func broken(_ name: String) async throws {
    let (_, reply, reason) = try #require(Self.breakages.first { $0.0 == name })
    try await with({ _ in reply }) { server in
      let bench = try Bench(server) {
        $0.mostBytes = 4096
        if name == "a drip" { $0.timeout = Span(seconds: 2) }
      }
      try await bench.runOnce()
      let told = try bench.status.reason ?? ""
      #expect(told.contains(reason), "\(told)")
      #expect(try bench.status.state == .failing && bench.status.failures == 1)
      #expect(bench.sink.state.withLock { $0.entities }.isEmpty)
      try await bench.close()
    }
  }

  @Test("pauses grow with failures, and a server that asks to be left alone is")
  func backOff() async throws {
    let count = Mutex(0)
    try await with({ _ in
      switch count.withLock({ count in
        count += 1
        return count
      }) {
      case 3: .init(status: .tooManyRequests, headers: [("Retry-After", "600")])
      case 5...: .init(body: Bench.rows)
      default: .init(status: .internalServerError)
      }
    }) { server in
      let bench = try Bench(server)
      var pauses: [Double] = []
      for _ in 0..<5 {
        try await bench.runOnce()
        pauses.append(try #require(bench.status.nextRun).secondsSince1970 - bench.clock.now.secondsSince1970)
      }
      #expect(pauses[..<4] == [30, 60, 600, 240] && pauses[4] <= 60)
      #expect(try bench.status.failures == 0 && bench.status.state == .ok && bench.status.lastFailure != nil)
      try await bench.close()
    }
  }

  @Test("a hub that cannot write at present is brought the rows again")
  func busyHub() async throws {
    try await with({ _ in .init(headers: [("ETag", "\"1\"")], body: Bench.rows) }) { server in
      let bench = try Bench(server, failures: 1)
      try await bench.runOnce()
      #expect(try bench.status.state == .failing && bench.status.total.stored == 0)
      try await bench.runOnce()
      #expect(try bench.status.total.stored == 2)
      // What was not stored is not known: it was asked for whole.
      #expect(server.requests[1].headers["If-None-Match"] == [])
      try await bench.close()
    }
  }

  @Test("times of day in the zone of the city, over the change of its clocks")
  func timesOfDay() async throws {
    try await with({ _ in .init(body: Bench.rows) }) { server in
      let zone = try #require(TimeZone(identifier: "Europe/Berlin"))
      let bench = try Bench(
        server, schedule: .at(try Timetable("30 2 * * *"), zone), start: "2026-03-28T00:00:00Z")
      var due: [String] = []
      for _ in 0..<4 {
        while try bench.status.nextRun == nil { try await Task.sleep(for: .milliseconds(1)) }
        due.append(try #require(bench.status.nextRun).description)
        try await bench.runOnce()
      }
      #expect(due == ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"])
      try await bench.close()
    }
  }

  @Test("JSON, lines of it, and a Korean character set")
  func formats() async throws {
    let mapping = """
      mapping: 1
      format: json
      rows: data.items
      entity: {id: "urn:t:{site.id}", type: "{kind}"}
      observedAt: {from: "{at}", pattern: seconds, timeZone: UTC}
      missing: ["", "-"]
      attributes: {pm25: {column: values.0, unitCode: GQ}, name: {column: site.name, as: text}}
      """
    let row = #"{"site": {"id": "7", "name": "강남"}, "kind": "Air", "at": 1700000000, "values": [17.50]}"#
    try await with({ _ in .init(body: #"{"data": {"items": [\#(row), {"at": 1}, 5]}}"#) }) { server in
      let bench = try Bench(server, format: .json, mapping: mapping)
      try await bench.runOnce()
      let entity = try #require(bench.sink.state.withLock { $0.entities }.first)
      #expect(entity["id"] == "urn:t:7" && entity["type"] == "Air" && entity["name"]?["value"] == "강남")
      #expect(entity["pm25"]?["observedAt"] == "2023-11-14T22:13:20Z")
      #expect(JSONWriter.text(entity["pm25"]?["value"] ?? .null) == "17.5")
      #expect(try bench.status.total == FeedOutcome(stored: 1, refused: 2))
      try await bench.close()
    }
    try await with({ _ in .init(body: "\(row)\n\n{\"site\": \n") }) { server in
      let bench = try Bench(
        server, format: .jsonl, mapping: mapping.replacing("rows: data.items\n", with: ""))
      try await bench.runOnce()
      #expect(try bench.status.total == FeedOutcome(stored: 1, refused: 1))
      try await bench.close()
    }
    // "강남" in CP949.
    let korean = Array("time,station,pm,name\n2026-01-01T00:00:00Z,A,17,".utf8) + [0xB0, 0xAD, 0xB3, 0xB2, 0x0A]
    for (charset, bytes, stores) in [
      ("CP949", korean, true), ("CP949", korean + [0xFF], false), ("KLINGON", korean, false),
    ] {
      try await with({ _ in .init(bytes: bytes) }) { server in
        let bench = try Bench(
          server, mapping: Bench.mapping.replacing("1000]}}", with: "1000]}, name: {column: name, as: text}}")
        ) {
          $0.charset = charset
        }
        try await bench.runOnce()
        let status = try bench.status
        #expect((status.total.stored == 1) == stores, "\(charset): \(status)")
        try await bench.close()
      }
    }
  }
}
