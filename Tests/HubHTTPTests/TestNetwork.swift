import Federation
import Foundation
import Hub
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
    var calls: [SourceCall] = []
  }

  private let state = Mutex(State())

  func connect(_ hub: TestHub, as host: String) { state.withLock { $0.hosts[host] = hub } }

  /// All calls to the host end so; `nil` mends the link.
  func fail(_ host: String, with reply: SourceReply?) { state.withLock { $0.faults[host] = reply } }

  var calls: [SourceCall] { state.withLock { $0.calls } }

  func forgetCalls() { state.withLock { $0.calls = [] } }

  func call(_ call: SourceCall) async -> SourceReply {
    let parts = call.url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    let host = String(parts[2])
    let (hub, fault) = state.withLock { state in
      state.calls.append(call)
      return (state.hosts[host] as? TestHub, state.faults[host])
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
    guard call.share.take(response.body.count) else { return .noRoom }
    return .answered(
      status: response.status, headers: response.headers.map { ($0.name, $0.value) }, body: response.body)
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
    let hubs = [
      try await TestHub(clock: clock, limits: limits, network: network, sources: sources),
      try await TestHub(clock: clock, limits: limits, network: network, sources: sources),
      try await TestHub(clock: clock, limits: limits, network: network, sources: sources),
    ]
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
