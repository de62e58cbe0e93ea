import Access
import Foundation
import Incidents
import NGSI
import Store
import StoreSQLite
import Synchronization

@testable import Hub
@testable import Safety

/// A hub with the service, on a store of its own.
final class SafetyCity {
  static let start = DateTime(microseconds: 1_795_000_000_000_000)
  let folder: String
  private(set) var store: SQLiteStore
  private(set) var hub: Hub
  private(set) var service: SafetyService
  let recorded = Recorded()
  private let clock = Clock()
  private let rules: String?

  final class Clock: Sendable {
    private let time = Mutex(SafetyCity.start)

    var now: DateTime { time.withLock { $0 } }
    func move(_ seconds: Double) { time.withLock { $0 = $0.adding(seconds: seconds) } }
  }

  final class Recorded: Sendable {
    private let list = Mutex<[Disclosure]>([])

    var steps: [String] { list.withLock { $0.compactMap { $0.kind == "incident-step" ? $0.step : nil } } }

    func add(_ more: [Disclosure]) -> [UInt64] {
      list.withLock { list in
        list += more
        return more.indices.map { UInt64(list.count - more.count + $0) }
      }
    }
  }

  static let plan = """
    {"categories": [{"id": "fire", "title": {"ko": "화재", "en": "Fire"}, "severity": "Severe"},
        {"id": "smoke", "title": {"ko": "연기", "en": "Smoke"}}, {"id": "crowd", "title": {"ko": "군중", "en": "Crowd"}}],
     "procedures": [{"id": "fire", "title": {"ko": "화재", "en": "Fire"}, "categories": ["fire"],
        "steps": [{"id": "look", "title": {"ko": "확인", "en": "Look"}, "within": 60}]}],
     "targets": [{"milestone": "acknowledge", "within": 30, "source": "test"}],
     "joining": [{"categories": ["fire", "smoke"], "metres": 150, "seconds": 900},
        {"categories": ["crowd"], "metres": 200, "seconds": 900, "automatic": true}]}
    """

  init(rules: String? = nil) throws {
    folder = NSTemporaryDirectory() + "safety-" + UUID().uuidString
    self.rules = rules
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    (store, hub, service) = try Self.open(folder, rules, clock, recorded)
  }

  private static func open(_ folder: String, _ text: String?, _ clock: Clock, _ recorded: Recorded) throws
    -> (SQLiteStore, Hub, SafetyService)
  {
    let store = try SQLiteStore(path: folder + "/city.sqlite")
    let rules = try text.map {
      try CityRules($0, now: { clock.now }, recorder: { disclosures, _ in recorded.add(disclosures) })
    }
    let hub = Hub(store: store, rules: rules, now: { clock.now })
    let plan = try SafetyPlan(
      json: JSONParser.parse(Array(Self.plan.utf8)), centre: Position(longitude: 127, latitude: 37.5), radius: 30_000)
    let service = SafetyService(hub: hub, plan: plan)
    try service.resume()
    return (store, hub, service)
  }

  func move(_ seconds: Double) { clock.move(seconds) }

  func restart() async throws {
    await store.close()
    (store, hub, service) = try Self.open(folder, rules, clock, recorded)
  }

  func end() async {
    await store.close()
    try? FileManager.default.removeItem(atPath: folder)
  }

  static func person(_ id: String, agency: String? = nil, roles: [String] = ["operator"]) -> Caller {
    var caller = Caller(.person, id: id)
    caller.roles = roles
    caller.agency = agency
    return caller
  }

  static func report(
    _ number: String, _ category: String = "fire", source: String = "sensor-1", channel: Report.Channel = .sensor,
    at place: (Double, Double)? = (127, 37.5), observedAt: DateTime? = nil, severity: Severity = .unknown
  ) -> Report {
    Report(
      source: source, number: number, channel: channel, category: category, severity: severity, observedAt: observedAt,
      position: place.flatMap { Position(longitude: $0.0, latitude: $0.1) })
  }
}

func problem<Value>(_ body: () async throws(Problem) -> Value) async -> Problem? {
  do throws(Problem) {
    _ = try await body()
    return nil
  } catch { return error }
}
