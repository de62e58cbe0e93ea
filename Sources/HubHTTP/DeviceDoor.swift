import Devices
import Hub
import NGSI
import NIOCore
import NIOHTTP1
import Store

/// The ways to the registry of devices.
///
/// Below `/.well-known/est/`, over TLS only: enrolment (RFC 7030). At `/admin/devices`, for those who run the city, JSON:
///
/// - `GET`: the devices by name, a page of them (`limit`, `offset`, `count`).
/// - `POST` of `{"id": …, "tenant": …, "agency": …}`: expects a device; the answer is the only place where its secret is.
/// - `POST …/revoke` of `{"name": …, "reason": …}`: shuts a device out.
public struct DeviceDoor: Sendable {
  private let registry: DeviceRegistry
  private let enrolment: EnrolmentServer

  public init(registry: DeviceRegistry) {
    self.registry = registry
    enrolment = EnrolmentServer(registry: registry)
  }

  func enroll(_ request: APIRequest, isSecure: Bool) async -> APIResponse {
    guard isSecure else {
      return Exchange.problem(Problem(.operationNotSupported, "enrolment is on the port for TLS (--tls-port)"))
    }
    let answer = await Self.naming(request) {
      await enrolment.answer(
        request.method.rawValue, String(request.path), authorization: request.headers[first: "Authorization"],
        contentType: request.headers[first: HeaderName.contentType], body: Array(request.body.readableBytesView),
        peer: request.peer)
    }
    return APIResponse(
      status: answer.status, headers: HTTPHeaders(answer.headers.map { ($0.name, $0.value) }), body: answer.body)
  }

  /// Has what is recorded say where a request came from, also where nobody was asked who he is.
  private static func naming<Answer>(
    _ request: APIRequest, _ body: () async -> Answer
  ) async -> Answer {
    var caller = Caller.current
    caller.source = caller.source ?? request.remote
    return await Caller.$current.withValue(caller, operation: body)
  }

  /// - Parameter request: with the path below `/admin/devices`.
  func administrate(_ request: APIRequest, _ hub: Hub) async -> APIResponse {
    await Self.naming(request) { await administrated(request, hub) }
  }

  private func administrated(_ request: APIRequest, _ hub: Hub) async -> APIResponse {
    do throws(Problem) {
      let exchange = try Exchange(hub: hub, request: request)
      try exchange.takes(request.path.isEmpty && request.method == .GET ? Parameters.page : Parameters.none)
      try hub.permitAdministration()
      switch (request.path, request.method) {
      case ("", .GET):
        let devices = try await Self.asked { () async throws(DeviceError) in try await registry.allDevices() }
        let (page, counts) = try exchange.page()
        var response = Self.json(.array(devices.dropFirst(page.offset).prefix(page.limit).map(Self.json)))
        if counts { response.headers[first: HeaderName.resultsCount] = String(devices.count) }
        return response
      case ("", .POST):
        let body = try Self.body(exchange, ["id", "tenant", "agency"])
        let (profile, secret) = try await Self.asked { () async throws(DeviceError) in
          let profile = try DeviceProfile(id: body["id"] ?? "", tenant: body["tenant"], agency: body["agency"])
          return (profile, try await registry.expect(profile))
        }
        return Self.json(["name": .string(profile.name), "secret": .string(secret)], status: 201)
      case ("/revoke", .POST):
        let body = try Self.body(exchange, ["name", "reason"])
        guard let reason = RevocationReason(rawValue: body["reason"] ?? RevocationReason.unspecified.rawValue) else {
          let known = RevocationReason.allCases.map(\.rawValue).joined(separator: ", ")
          throw .badRequest("the reason is one of \(known)")
        }
        try await Self.asked { () async throws(DeviceError) in
          try await registry.revoke(body["name"] ?? "", reason: reason)
        }
        return .noContent
      case ("", _), ("/revoke", _):
        var response = Exchange.problem(API.notAllowed(exchange))
        response.headers[first: HeaderName.allow] = request.path.isEmpty ? "GET, POST" : "POST"
        return response
      default: throw API.unknown("devices\(request.path)")
      }
    } catch { return Exchange.problem(error) }
  }

  private static func body(_ exchange: Exchange, _ names: Set<String>) throws(Problem) -> [String: String] {
    // Another type would let any web page post here without being asked by the browser first.
    guard try exchange.contentType() == .json else {
      throw Problem(.unsupportedMediaType, "the body must be application/json")
    }
    guard case .object(let object) = try exchange.json() else { throw .badRequest("expected an object") }
    var texts: [String: String] = [:]
    for member in object {
      let name = member.key
      guard names.contains(name), let text = member.value.string else {
        throw .badRequest("expected texts named \(names.sorted().joined(separator: ", ")), found '\(name.prefix(40))'")
      }
      texts[name] = text
    }
    return texts
  }

  private static func asked<Value>(
    _ body: () async throws(DeviceError) -> Value
  ) async throws(Problem) -> Value {
    do throws(DeviceError) { return try await body() } catch { throw Problem(error) }
  }

  private static func json(_ device: DeviceRecord) -> JSON {
    let object: JSON = [
      "name": .string(device.profile.name), "id": .string(device.profile.id), "state": .string(device.state.rawValue),
      "certificates": .array(
        device.certificates.map {
          [
            "serial": .string($0.serial),
            "notAfter": .string(DateTime(microseconds: Int64($0.notAfter * 1_000_000)).description),
          ]
        }),
    ]
    guard case .object(var object) = object else { return object }
    if let tenant = device.profile.tenant { object["tenant"] = .string(tenant) }
    if let agency = device.profile.agency { object["agency"] = .string(agency) }
    if let reason = device.reason { object["reason"] = .string(reason.rawValue) }
    return .object(object)
  }

  private static func json(_ value: JSON, status: Int = 200) -> APIResponse {
    // What has a secret in it is nothing for a cache.
    APIResponse(
      status: status, headers: ["Content-Type": "application/json", "Cache-Control": "no-store"],
      body: JSONWriter.bytes(value))
  }
}

extension Problem {
  /// What the registry refuses, as problem details.
  init(_ error: DeviceError) {
    switch error {
    case .malformed(let why): self = .badRequest(why)
    case .unauthorized(let why): self.init(.unauthorized, why)
    case .forbidden(let why): self.init(.forbidden, why)
    case .unknown(let why): self.init(.resourceNotFound, why)
    case .conflict(let why): self.init(.alreadyExists, why)
    case .failed(let why): self.init(.internalError, why)
    }
  }
}

extension Caller {
  /// The device that a certificate names, bound to its tenant; it proved that the key is its own (RFC 8176).
  public init(_ peer: PeerIdentity) {
    self.init(.device, id: peer.id)
    agency = peer.agency
    tenants = [peer.tenant ?? Tenant.default.name]
    methods = ["pop"]
  }
}
