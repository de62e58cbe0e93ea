@testable import Federation
import Foundation
@testable import Hub
import NGSI
import NIOCore
import NIOHTTP1
import Store
import Synchronization

@testable import HubHTTP

/// Hubs that call one another in one process, by host name, over links that can be cut.
final class TestNetwork: SourceCalling {
  private struct State {
    var hosts: [String: any Sendable] = [:]
    var faults: [String: SourceReply] = [:]
    var deaf: Set<String> = []
    var calls: [SourceCall] = []
  }

  private let state = Mutex(State())

  func connect(_ hub: TestHub, as host: String) { state.withLock { $0.hosts[host] = hub } }

  /// All calls to the host end so; `nil` mends the link.
  func fail(_ host: String, with reply: SourceReply?) { state.withLock { $0.faults[host] = reply } }

  /// What is asked of the host is done, but nobody hears that it was.
  func loseAnswers(of host: String, _ loses: Bool) {
    state.withLock { state in
      if loses { state.deaf.insert(host) } else { state.deaf.remove(host) }
    }
  }

  var calls: [SourceCall] { state.withLock { $0.calls } }

  func forgetCalls() { state.withLock { $0.calls = [] } }

  func call(_ call: SourceCall) async -> SourceReply {
    let parts = call.url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    let host = String(parts[2])
    let (hub, fault, isDeaf) = state.withLock { state in
      state.calls.append(call)
      return (state.hosts[host] as? TestHub, state.faults[host], state.deaf.contains(host))
    }
    if let fault { return fault }
    guard let hub, parts.count == 4, parts[3].hasPrefix("ngsi-ld/v1/") else { return .unreachable("no such host") }
    let target = parts[3].dropFirst("ngsi-ld/v1/".count).split(separator: "?", maxSplits: 1)
    var headers = HTTPHeaders()
    for (name, value) in call.headers { headers.add(name: name, value: value) }
    let request = APIRequest(
      method: HTTPMethod(rawValue: call.method.rawValue), path: target[0], query: target.count > 1 ? target[1] : "",
      headers: headers, body: call.body.map { ByteBuffer(bytes: $0) } ?? ByteBuffer())
    let response = await hub.api.respond(to: request)
    if isDeaf { return .late }
    guard call.share.take(response.body.count) else { return .noRoom }
    return .answered(
      status: response.status, headers: response.headers.map { ($0.name, $0.value) }, body: response.body)
  }
}

extension TestNetwork {
  /// What is posted to a hub's own resources; `nil` where there is no such host.
  func post(_ url: String, _ body: [UInt8], headers: [(String, String)] = []) async -> APIResponse? {
    let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 4, parts[3].hasPrefix("city/v1/"),
      let hub = state.withLock({ $0.hosts[String(parts[2])] as? TestHub })
    else { return nil }
    var fields = HTTPHeaders(headers)
    if headers.isEmpty { fields.add(name: "Content-Type", value: "application/json") }
    let request = APIRequest(
      method: .POST, path: parts[3].dropFirst("city/v1/".count), headers: fields, body: ByteBuffer(bytes: body))
    return await CityAPI(hub: hub.hub, federation: hub.federation).respond(to: request)
  }
}

/// Notifies hubs of the network, and a recorder of all else.
struct Post: NotificationSending {
  let network: TestNetwork
  let recorder: Recorder

  func send(_ message: NotificationMessage) async -> String? {
    guard let response = await network.post(message.url, message.body, headers: message.headers) else {
      return await recorder.send(message)
    }
    return response.status == 200 ? nil : "the receiver answered \(response.status)"
  }
}

/// A metropolitan hub over two districts.
struct Districts {
  let network: TestNetwork
  let metropolis: TestHub
  let north: TestHub
  let south: TestHub

  static func with(
    limits: Limits = Limits(), sources: Federation.Limits = Federation.Limits(),
    _ body: (Districts) async throws -> Void
  ) async throws {
    let network = TestNetwork()
    let clock = TestClock()
    var hubs: [TestHub] = []
    for _ in 0..<3 {
      let recorder = Recorder()
      let post = Post(network: network, recorder: recorder)
      hubs.append(
        try await TestHub(
          clock: clock, recorder: recorder, limits: limits, sender: post, network: network, sources: sources))
    }
    let districts = Districts(metropolis: hubs[0], north: hubs[1], south: hubs[2], network: network)
    network.connect(hubs[0], as: "metropolis.test")
    network.connect(hubs[1], as: "north.test")
    network.connect(hubs[2], as: "south.test")
    do { try await body(districts) } catch {
      for hub in hubs { await hub.remove() }
      throw error
    }
    for hub in hubs { await hub.remove() }
  }

  private init(metropolis: TestHub, north: TestHub, south: TestHub, network: TestNetwork) {
    (self.metropolis, self.north, self.south) = (metropolis, north, south)
    self.network = network
  }

  private var named: [(String, TestHub)] {
    [("metropolis.test", metropolis), ("north.test", north), ("south.test", south)]
  }

  /// Tells each hub where others reach it.
  func reach() { for (name, hub) in named { hub.federation.isReached(at: "http://" + name) } }

  /// Does all that subscriptions at sources need; what one hub makes at another may concern a third.
  func settle() async {
    for _ in 0..<2 { for (_, hub) in named { await hub.federation.settleSubscriptions() } }
  }

  /// Waits until nobody has anything more to tell: first the sources, then who hears of them.
  func rest() async {
    for hub in [north, south, metropolis] { await eventually { hub.hub.notifier.waiting == 0 } }
  }

  /// Ends a hub as a power cut would, and starts another on what it left.
  func restart(_ hub: TestHub, as name: String) async throws -> TestHub {
    await hub.store.close()
    let post = Post(network: network, recorder: hub.recorder)
    let again = try await TestHub(
      folder: hub.folder, clock: hub.clock, recorder: hub.recorder, sender: post, network: network)
    network.connect(again, as: name)
    again.federation.isReached(at: "http://" + name)
    return again
  }

  /// Registers a host at the metropolis; gives the registration's id.
  @discardableResult
  func register(
    _ host: String, _ information: String, mode: String = "inclusive", operations: String = "",
    more: String = "", at hub: TestHub? = nil
  ) async -> String {
    let id = "urn:ngsi-ld:ContextSourceRegistration:\(host)-\(UUID().uuidString.prefix(6))"
    let offers = operations.isEmpty ? "" : #", "operations": [\#(operations)]"#
    let answer = await (hub ?? metropolis).post(
      "csourceRegistrations",
      #"{"id": "\#(id)", "type": "ContextSourceRegistration", "endpoint": "http://\#(host)/", "mode": "\#(mode)","#
        + #""information": [\#(information)]\#(offers)\#(more.isEmpty ? "" : ", " + more)}"#)
    return answer.status == 201 ? id : "refused: \(answer.status) \(answer.text)"
  }
}
