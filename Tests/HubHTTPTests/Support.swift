import Foundation
import NIOHTTP1
import NGSI
import NIOCore
import Store
import StoreSQLite
import Synchronization

import Federation
@testable import Hub
@testable import HubHTTP

/// A clock that stands until a test moves it.
final class TestClock: Sendable {
  private let time: Mutex<DateTime>

  init(_ text: String = "2026-03-01T12:00:00Z") { time = Mutex(DateTime(text) ?? DateTime(microseconds: 0)) }

  var now: DateTime { time.withLock { $0 } }

  func move(_ seconds: Double) { time.withLock { $0 = $0.adding(seconds: seconds) } }
}

/// Receives notifications in place of the network.
final class Recorder: NotificationSending {
  typealias Answer = @Sendable (NotificationMessage) async -> String?

  private let received = Mutex<[NotificationMessage]>([])
  private let answer: Mutex<Answer>

  init(_ answer: @escaping Answer = { _ in nil }) { self.answer = Mutex(answer) }

  func answers(_ new: @escaping Answer) { answer.withLock { $0 = new } }

  func send(_ message: NotificationMessage) async -> String? {
    let failure = await answer.withLock { $0 }(message)
    if failure == nil { received.withLock { $0.append(message) } }
    return failure
  }

  var messages: [NotificationMessage] { received.withLock { $0 } }

  func messages(to url: String) -> [NotificationMessage] { messages.filter { $0.url == url } }

  /// Waits until this many have come.
  func wait(for count: Int, seconds: Double = 60) async -> [NotificationMessage] {
    await eventually(seconds) { self.messages.count >= count }
    return messages
  }
}

/// Waits until the condition holds; false when it does not in time, which is long: other tests may have all the cores.
@discardableResult
func eventually(_ seconds: Double = 60, _ condition: @Sendable () -> Bool) async -> Bool {
  let end = ContinuousClock.now + .seconds(seconds)
  while ContinuousClock.now < end {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return condition()
}

/// Contexts by address, without a network.
struct TestContexts: ContextFetching {
  static let city = "https://example.org/city.jsonld"
  var documents: [String: String] = [
    city: #"{"@context": {"Station": "https://example.org/Station", "pm10": "https://example.org/pm10"}}"#,
    "https://example.org/loop.jsonld": #"{"@context": "https://example.org/loop.jsonld"}"#,
  ]

  func fetch(_ url: String) async throws(Problem) -> FetchedContext {
    guard let text = documents[url] else { throw Problem(.ldContextNotAvailable, "\(url) is not there") }
    return FetchedContext(bytes: Array(text.utf8))
  }
}

/// A hub on a folder of its own, asked in-process.
final class TestHub: Sendable {
  let clock: TestClock
  let recorder: Recorder
  let store: SQLiteStore
  let hub: Hub
  let api: API
  let federation: Federation
  let folder: String

  init(
    folder: String? = nil, clock: TestClock = TestClock(), recorder: Recorder = Recorder(), limits: Limits = Limits(),
    contexts: any ContextFetching = TestContexts(), sender: (any NotificationSending)? = nil,
    network: any SourceCalling = NoSources(), sources: Federation.Limits = Federation.Limits(),
    rules: (any AccessRules)? = nil
  ) async throws {
    self.clock = clock
    self.recorder = recorder
    self.folder = folder ?? NSTemporaryDirectory() + "hub-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
    let now: @Sendable () -> DateTime = { clock.now }
    store = try SQLiteStore(path: self.folder + "/city.sqlite", now: now)
    hub = Hub(
      store: store, contexts: contexts, sender: sender ?? recorder, limits: limits, rules: rules, now: now)
    federation = Federation(hub: hub, caller: network, limits: sources)
    api = API(federation: federation)
    try await hub.resume()
  }

  /// Stops as a process does that is asked to.
  func stop() async {
    await hub.notifier.stop()
    await store.close()
  }

  func remove() async {
    await stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  func send(
    _ method: HTTPMethod, _ target: String, _ body: String? = nil, headers: [String: String] = [:]
  ) async -> Answer {
    var fields = HTTPHeaders()
    for (name, value) in headers { fields.add(name: name, value: value) }
    if body != nil, !fields.contains(name: "Content-Type") {
      fields.add(name: "Content-Type", value: "application/json")
    }
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let request = APIRequest(
      method: method, path: parts[0], query: parts.count > 1 ? parts[1] : "", headers: fields,
      body: body.map { ByteBuffer(string: $0) } ?? ByteBuffer())
    return Answer(await api.respond(to: request))
  }

  func get(_ target: String, headers: [String: String] = [:]) async -> Answer {
    await send(.GET, target, headers: headers)
  }

  func post(_ target: String, _ body: String, headers: [String: String] = [:]) async -> Answer {
    await send(.POST, target, body, headers: headers)
  }

  func patch(_ target: String, _ body: String, headers: [String: String] = [:]) async -> Answer {
    await send(.PATCH, target, body, headers: headers)
  }

  func delete(_ target: String, headers: [String: String] = [:]) async -> Answer {
    await send(.DELETE, target, headers: headers)
  }

  /// Subscribes with the given members beside the endpoint; gives the path of the subscription.
  func subscribe(_ members: String, notification: String = "", to url: String = "http://receiver.test/n") async
    -> String
  {
    let more = notification.isEmpty ? "" : ", " + notification
    let answer = await post(
      "subscriptions",
      """
      {"type": "Subscription", \(members), "notification": {"endpoint": {"uri": "\(url)"}\(more)}}
      """)
    return String(answer.header("Location")?.dropFirst("/ngsi-ld/v1/".count) ?? "no subscription: \(answer.text)")
  }
}

struct Answer {
  let status: Int
  let headers: HTTPHeaders
  let bytes: [UInt8]

  init(_ response: APIResponse) {
    status = response.status
    headers = response.headers
    bytes = response.body
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }
  var json: JSON { (try? JSONParser.parse(bytes)) ?? .null }
  /// Last part of the problem's type.
  var problem: String? { json["type"]?.string.map { String($0.split(separator: "/").last ?? "") } }
  /// Ids of the entities of a list.
  var ids: [String] { (json.array ?? []).compactMap { $0["id"]?.string } }

  func header(_ name: String) -> String? { headers.first(name: name) }
  func links() -> [String] { headers["Link"] }
}

/// Runs a test on a fresh hub and removes it.
func withHub(
  recorder: Recorder = Recorder(), limits: Limits = Limits(), _ body: (TestHub) async throws -> Void
) async throws {
  let hub = try await TestHub(recorder: recorder, limits: limits)
  do { try await body(hub) } catch {
    await hub.remove()
    throw error
  }
  await hub.remove()
}

func room(_ number: Int, _ more: String = #""temperature": {"type": "Property", "value": 20}"#) -> String {
  #"{"id": "urn:ngsi-ld:Room:\#(number)", "type": "Room", \#(more)}"#
}
