import Access
import AgencyLink
import Devices
import Foundation
import HubHTTP
import Incidents
import NGSI
import NIOCore
import Store
import StoreSQLite
import Synchronization

@testable import Hub
@testable import Safety

/// A hub with links, and the far sides that they lead to.
final class LinkCity {
  let folder: String
  private(set) var store: SQLiteStore
  private(set) var hub: Hub
  private(set) var service: SafetyService
  let sides = Sides()
  private let ahead = Ahead()
  private var running: Task<Void, Never>?

  final class Ahead: Sendable {
    private let seconds = Mutex(0.0)
    var now: DateTime {
      DateTime(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)).adding(seconds: seconds.withLock { $0 })
    }
    func move(_ more: Double) { seconds.withLock { $0 += more } }
  }

  /// Far sides by their URLs; one that is not there cannot be reached.
  final class Sides: LinkOutlet {
    private let sides = Mutex<[String: FarSide]>([:])
    private let down = Mutex<Set<String>>([])

    init() {
      for name in ["fire", "police", "drill"] { sides.withLock { $0["http://" + name] = FarSide(apiKey: "k") } }
    }

    func change(_ name: String, _ body: (inout FarSide) -> Void) {
      sides.withLock { sides in
        var side = sides["http://" + name] ?? FarSide(apiKey: "k")
        body(&side)
        sides["http://" + name] = side
      }
    }

    func isDown(_ name: String, _ isDown: Bool) {
      down.withLock { if isDown { $0.insert("http://" + name) } else { $0.remove("http://" + name) } }
    }

    func heard(_ name: String) -> [FarSide.Heard] { sides.withLock { $0["http://" + name]?.heard ?? [] } }
    func logins(_ name: String) -> Int { sides.withLock { $0["http://" + name]?.logins ?? 0 } }

    func post(_ request: WireRequest, to url: String, seconds: Double) async -> Reply {
      let base = url.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
      guard !down.withLock({ $0.contains(base) }) else { return .unreachable("down") }
      let answer = sides.withLock { $0[base]?.answer(request, giving: UUID().uuidString) }
      return answer.map { Reply(status: 200, body: $0.bytes) } ?? .unreachable("nobody")
    }
  }

  static func link(_ id: String, _ party: String, _ agency: String, _ events: String, _ more: String = "") -> String {
    """
    {"id": "\(id)", "name": {"ko": "\(id)", "en": "\(id)"}, "party": "\(party)", "city": "CITY", "agency": "\(agency)",
     "system": "MDG", "events": \(events)\(more.isEmpty ? "" : ", " + more)}
    """
  }

  static let fire = link(
    "119", "fire", "FIRE", #"{"fire": "E-FIRE", "smoke": "E-SMOKE"}"#,
    #""peer": "http://fire", "login": {"env": "K"}, "takes": {"login": {"env": "K"}, "addresses": ["10.0.0.0/8"]}"#)
  static let police = link(
    "112", "police", "POLICE", #"{"crowd": "E-CROWD"}"#,
    #""peer": "http://police", "login": {"env": "K"}, "encryption": "base64", "key": {"env": "A"}, "takes": {"addresses": ["10.1.2.3"]}"#
  )
  static let drill = link(
    "drill", "fire", "DRILL", #"{"fire": "E-DRILL"}"#,
    #""peer": "http://drill", "login": {"env": "K"}, "exercise": true, "takes": {"addresses": ["10.0.0.0/8"]}"#)

  private let rules: String?

  init(_ links: [String] = [LinkCity.fire, LinkCity.police, LinkCity.drill], rules: String? = nil) throws {
    self.rules = rules
    folder = NSTemporaryDirectory() + "links-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    sides.change("police") { $0 = FarSide(apiKey: "k", cipher: try? BodyCipher(key: "secret", encoding: .base64)) }
    (store, hub, service) = try Self.open(folder, links, ahead, rules)
  }

  static func plan(_ links: [String]) throws -> SafetyPlan {
    guard case .object(var json) = try JSONParser.parse(Array(SafetyCity.plan.utf8)) else {
      throw Problem.badRequest("")
    }
    json["links"] = try JSONParser.parse(Array("[\(links.joined(separator: ","))]".utf8))
    return try SafetyPlan(json: .object(json), centre: Position(longitude: 127, latitude: 37.5), radius: 30_000)
  }

  private static func open(_ folder: String, _ links: [String], _ ahead: Ahead, _ rules: String?) throws -> (
    SQLiteStore, Hub, SafetyService
  ) {
    let store = try SQLiteStore(path: folder + "/city.sqlite")
    let access = try rules.map {
      try CityRules($0, now: { ahead.now }, recorder: { disclosures, _ in disclosures.map { _ in 0 } })
    }
    let hub = Hub(store: store, rules: access, now: { ahead.now })
    let service = SafetyService(hub: hub, plan: try plan(links))
    try service.links.open { $0 == .environment("A") ? "secret" : "k" }
    _ = try service.resume()
    return (store, hub, service)
  }

  func run() {
    let (links, sides) = (service.links, sides)
    running = Task { await links.run(sides) }
  }

  func stop() async {
    running?.cancel()
    await running?.value
    running = nil
  }

  /// As after a crash: what was under way is not settled.
  func restart(_ links: [String] = [LinkCity.fire, LinkCity.police, LinkCity.drill]) async throws {
    await stop()
    await store.close()
    (store, hub, service) = try Self.open(folder, links, ahead, rules)
  }

  func end() async {
    await stop()
    await store.close()
    try? FileManager.default.removeItem(atPath: folder)
  }

  func move(_ seconds: Double) {
    ahead.move(seconds)
    for link in service.plan.links.links { service.plan.links.bells[link.id]?.ring() }
  }

  /// Waits for what comes about by other tasks.
  func until(_ seconds: Double = 10, _ condition: () throws -> Bool) async throws -> Bool {
    for _ in 0..<Int(seconds * 50) {
      if try condition() { return true }
      try await Task.sleep(for: .milliseconds(20))
    }
    return false
  }

  func statuses(_ name: String) -> [String] { sides.heard(name).filter { $0.taking != nil }.map(\.status.rawValue) }

  func open(_ number: String, _ category: String = "fire", exercise: String? = nil, at place: (Double, Double)? = nil)
    async throws -> String
  {
    try await service.report(
      SafetyCity.report(
        number, category, source: "bell \(number)", channel: .bell,
        at: place ?? (127 + Double(number.count) / 100, 37.5)),
      exercise: exercise, in: .default
    ).id
  }

  @discardableResult
  func give(_ commands: Command..., to incident: String) async throws -> Incident? {
    var last: Incident?
    for command in commands {
      last = try await service.carryOut(command, as: UUID().uuidString, on: incident, in: .default).0
    }
    return last
  }

  // MARK: - The way in

  func post(_ request: WireRequest, from remote: String = "10.1.2.3", device: String? = nil) async throws -> Answer {
    try Answer(reading: await response(request, from: remote, device: device).body)
  }

  func stopStore() async { await store.close() }

  func status(_ body: EventBody, under session: String) async throws -> Int {
    var envelope = Envelope(.event, sender: "FIRE", receiver: "CITY", system: "X")
    envelope.session = session
    return try await response(try Message(envelope, .event(body)).request(.json), from: "10.1.2.3", device: nil).status
  }

  private func response(_ request: WireRequest, from remote: String, device: String?) async throws -> APIResponse {
    var asked = APIRequest(method: .POST, path: "integrationPlatformEvent")
    for header in request.headers { asked.headers.add(name: header.name, value: header.value) }
    asked.body = ByteBuffer(bytes: request.body)
    asked.remote = remote
    asked.peer = try device.map { PeerIdentity(device: try DeviceProfile(id: $0), serial: "1", notAfter: 0) }
    return await service.links.answer(asked)
  }

  func logIn(_ agency: String, _ key: String = "k", from remote: String = "10.1.2.3") async throws -> Answer {
    let message = Message(
      Envelope(.authentication, sender: agency, receiver: "CITY", system: "X"), .authentication(apiKey: key))
    return try await post(try message.request(.json), from: remote)
  }

  func session(_ agency: String = "FIRE") async throws -> String {
    guard case .success(let key) = try await logIn(agency) else { throw Problem.badRequest("no session") }
    return key
  }

  func tell(
    _ body: EventBody, from agency: String = "FIRE", under session: String?, _ format: WireRequest.Format = .json,
    cipher: BodyCipher? = nil
  ) async throws -> Answer {
    var envelope = Envelope(.event, sender: agency, receiver: "CITY", system: "X")
    envelope.session = session
    let message = Message(envelope, .event(body))
    return try await post(try (cipher?.seal(message) ?? message).request(format))
  }

  private static let begun = DateTime(microseconds: Int64(Date().timeIntervalSince1970) * 1_000_000)

  static func event(
    _ number: String, _ status: OccurrenceStatus = .occurred, _ event: String = "E-FIRE", at seconds: Double = 0
  )
    -> EventBody
  {
    var body = EventBody(event: event, number: number, status: .occurred)
    body.name = "화재"
    body.content = "연기가 보임"
    body.coordinates = .init(longitude: 127.01, latitude: 37.51)
    body.occurredAt = begun
    return body.moved(to: status, at: begun.adding(seconds: seconds), by: nil)
  }

  func usage(_ link: String) throws -> JSON? {
    try service.links.overview().first { $0["id"]?.string == link }
  }
}
