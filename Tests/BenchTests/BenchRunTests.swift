import Foundation
import Testing

@testable import Bench

@Suite(.serialized) struct BenchRunTests {
  /// All operations against a stand-in: every request is well-formed and succeeds, and the hub is left as it was.
  @Test func aQuickRunMeasuresEverythingAndLeavesNothing() async throws {
    let standIn = StandIn()
    let report = try await standIn.serve { url in
      try await Benchmark(
        url: url, settings: .quick,
        environment: ["MADANG_ANCHOR_HTTP": url + "/ngsi-ld/v1/entities", "MADANG_ANCHOR_HTTP_PID": "\(getpid())"]
      ).run()
    }
    #expect(report.points.count == HubOperation.allCases.count * 2)
    for point in report.points {
      #expect(point.figures.failures == 0, "\(point.operation): \(point.figures.firstFailure ?? "")")
      #expect(point.figures.operations > 0 && point.figures.perSecond > 0 && point.figures.cpu ?? 0 > 0)
      #expect(point.figures.p50 > 0 && point.figures.p50 <= point.figures.p99 && point.figures.p99 <= point.figures.max)
      // A short run may use less than one tick of the processor clock; what was counted always has a ratio.
      #expect(point.ratios["http"]?.perSecond != nil && point.ratios["sqlite"]?.perSecond != nil)
      #expect(point.ratios["redis"] == nil)
    }
    #expect(report.server.pid == getpid())
    #expect(report.missing.map(\.anchor) == [.redis])
    #expect(report.memory.count == 1 && report.memory[0].resident > 0)
    standIn.state.withLock { state in
      #expect(state.ids.isEmpty, "\(state.ids.count) entities stay behind")
      #expect(state.malformed.isEmpty, "\(state.malformed)")
      for kind in ["GET entities/id", "GET entities", "PATCH entities/id/attrs/temperature", "POST entities"] {
        #expect(state.requests[kind, default: 0] > 0, "no request \(kind)")
      }
    }
    try checkShape(report)
  }

  /// The JSON has what `docs/performance.md` says, read by Foundation.
  private func checkShape(_ report: Report) throws {
    let object = try #require(JSONSerialization.jsonObject(with: report.json()) as? [String: Any])
    #expect(object["version"] as? Int == 1)
    let points = try #require(object["points"] as? [[String: Any]])
    let first = try #require(points.first)
    for key in ["operation", "entities", "clients", "entitiesPerOperation", "figures", "ratios", "target"] {
      #expect(first[key] != nil, "a point has no \(key)")
    }
    let figures = try #require(first["figures"] as? [String: Any])
    for key in ["cpu", "p50", "p99", "max", "perSecond", "operations", "seconds", "failures"] {
      #expect(figures[key] is NSNumber, "figures have no \(key)")
    }
    let missing = try #require(object["missing"] as? [[String: String]])
    #expect(missing.first?["anchor"] == "redis")
    let text = "\(Table(report))"
    #expect(text.contains("missing anchor redis: MADANG_ANCHOR_REDIS is not set"))
    #expect(text.contains("q-range"))
  }

  @Test func failuresAreCountedAndNamed() async throws {
    let standIn = StandIn()
    standIn.state.withLock { $0.refuses = "PATCH entities/id/attrs/temperature" }
    var settings = Settings.quick
    settings.operations = [.patch]
    settings.clients = [2]
    let quick = settings
    let report = try await standIn.serve { url in try await Benchmark(url: url, settings: quick, environment: [:]).run()
    }
    let point = try #require(report.points.first)
    #expect(point.figures.failures >= point.figures.operations && point.figures.operations > 0)
    #expect(point.figures.firstFailure?.contains("out of order") == true)
    #expect(standIn.state.withLock { $0.ids.isEmpty })
  }

  @Test func aHubWithDevicesIsNotTouched() async throws {
    let standIn = StandIn()
    standIn.state.withLock { $0.ids = ["urn:ngsi-ld:BenchDevice:dear"] }
    await #expect(throws: BenchError.self) {
      try await standIn.serve { url in try await Benchmark(url: url, settings: .quick, environment: [:]).run() }
    }
    #expect(standIn.state.withLock { $0.ids } == ["urn:ngsi-ld:BenchDevice:dear"])
  }

  @Test(arguments: ["http://192.0.2.1:8080", "http://hub.example", "https://127.0.0.1", "nonsense"])
  func othersAreNotLoaded(url: String) {
    #expect(throws: BenchError.self) { _ = try Benchmark(url: url, settings: .quick, environment: [:]) }
  }

  @Test func settingsHaveBounds() {
    for (entities, clients, duration) in [([0], [1], 1.0), ([500], [0], 1), ([500], [1], 0), ([], [1], 1)] {
      #expect(throws: BenchError.self) {
        let settings = Settings(duration: duration, entities: entities, clients: clients)
        _ = try Benchmark(url: "http://127.0.0.1:1", settings: settings, environment: [:])
      }
    }
  }
}
