import Federation
import Hub
import Hummingbird
import HummingbirdCore
import Logging
import NGSI
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

extension HTTPServerBuilder {
  /// An HTTP/1.1 server whose NGSI-LD requests the hub answers on the connection's own event loop; all others go to
  /// the application's responder.
  ///
  /// A request costs no thread hop and no second set of header types, which is most of what an answer from memory costs
  /// otherwise (`docs/decisions/006-api-on-the-event-loop.md`).
  ///
  /// - Parameters:
  ///   - doors: the ways in for messages of other standards.
  ///   - services: what the city's services answer.
  ///   - adapters: how each adapter fares that fetches or listens (``CityAPI``).
  ///   - agencies: what systems of other agencies are answered, which prove themselves in ways of their own.
  ///   - devices: the registry of devices; `nil` for a city without.
  ///   - tls: what stands before everything on this port; `nil` for plain TCP.
  ///   - limiter: holds back who asks too often; `nil` where nobody is.
  ///   - trustsForwarded: whether a proxy stands before the city and says in `X-Forwarded-For` whom it asks for.
  ///   - idleTimeout: how long a connection may stand without a request, or a request without its next byte.
  ///   - farewell: how long requests and answers may go on when the server stops; who has not read its answer by then
  ///     is not waited for.
  public static func api(
    of federation: Federation, doors: [IngestDoor] = [], services: ServiceOperations = [:],
    adapters: @escaping @Sendable () -> [JSON] = { [] }, agencies: AgencyDoor? = nil,
    devices: DeviceDoor? = nil, tls: TLSFront? = nil, keeper: (any Doorkeeper)? = nil, limiter: RateLimiter? = nil,
    trustsForwarded: Bool = false, saysOpen: Bool = false, idleTimeout: TimeAmount,
    farewell: TimeAmount = .seconds(8)
  ) -> HTTPServerBuilder {
    HTTPServerBuilder { responder in
      APIChannel(
        doors: HubDoors(
          federation, ingest: doors, services: services, adapters: adapters, agencies: agencies, devices: devices,
          keeper: keeper, limiter: limiter, trustsForwarded: trustsForwarded, saysOpen: saysOpen),
        pages: HTTP1Channel(responder: responder), tls: tls, idleTimeout: idleTimeout, farewell: farewell)
    }
  }
}

/// What the hub answers itself: the API, its administration and the city's own resources.
struct HubDoors: Sendable {
  private let api: API
  private let administration: Administration
  private let city: CityAPI
  private let agencies: AgencyDoor?
  private let devices: DeviceDoor?
  let hub: Hub
  /// `nil` where everybody may do everything.
  let keeper: (any Doorkeeper)?
  let limiter: RateLimiter?
  let trustsForwarded: Bool

  /// Whether answers say that everybody may do everything.
  private let saysOpen: Bool

  private func sayingOpen(_ response: APIResponse) -> APIResponse {
    guard saysOpen else { return response }
    var response = response
    response.headers.add(name: HeaderName.access, value: "open")
    return response
  }

  /// Whether it is looked at who comes.
  var areKept: Bool { keeper != nil || limiter != nil }
  /// Most bytes of a request's body.
  let bodyBytes: Int

  init(
    _ federation: Federation, ingest: [IngestDoor] = [], services: ServiceOperations = [:],
    adapters: @escaping @Sendable () -> [JSON] = { [] }, agencies: AgencyDoor? = nil,
    devices: DeviceDoor? = nil, keeper: (any Doorkeeper)? = nil, limiter: RateLimiter? = nil,
    trustsForwarded: Bool = false, saysOpen: Bool = false
  ) {
    self.limiter = limiter
    self.trustsForwarded = trustsForwarded
    self.saysOpen = saysOpen
    hub = federation.hub
    self.agencies = agencies
    self.devices = devices
    self.keeper = keeper
    api = API(federation: federation)
    administration = Administration(hub: hub)
    city = CityAPI(hub: hub, federation: federation, doors: ingest, services: services, adapters: adapters)
    bodyBytes = hub.limits.bodyBytes
  }

  enum Door {
    case api
    case administration
    case city
    case devices
    case enrolment
    case agencies

    /// What its paths begin with.
    var prefix: StaticString {
      switch self {
      case .api: "/ngsi-ld/v1/"
      case .administration: "/admin/"
      case .city: "/city/v1/"
      case .devices: "/admin/devices"
      case .enrolment: "/.well-known/est/"
      case .agencies: "/"
      }
    }
  }

  /// The door that a request's target leads to.
  static func door(of target: String) -> Door? {
    if target.utf8.begins(with: Door.api.prefix) { return .api }
    if target.utf8.begins(with: Door.city.prefix) { return .city }
    if target.utf8.begins(with: Door.devices.prefix) { return .devices }
    if target.utf8.begins(with: Door.administration.prefix) { return .administration }
    if AgencyDoor.paths.contains(where: { target.utf8.begins(with: $0) }) { return .agencies }
    return target.utf8.begins(with: Door.enrolment.prefix) ? .enrolment : nil
  }

  /// Notes a request that is refused before its body is read.
  func noteRefused(_ request: APIRequest, at door: Door, _ problem: Problem) {
    if door == .api { api.noteRefused(request, problem) }
  }

  /// The answer to what can be answered without waiting for anything but the disk; `nil` for everything else.
  func answerAtOnce(_ request: APIRequest, at door: Door) -> APIResponse? {
    guard door == .api else { return nil }
    guard keeper != nil else { return api.respondAtOnce(to: request).map { telling(sayingOpen($0), request) } }
    // A proof that is none is told by the long way.
    guard let caller = request.caller else { return nil }
    return Caller.$current.withValue(caller) { api.respondAtOnce(to: request) }.map {
      telling(Self.challenging($0), request)
    }
  }

  /// - Parameter isSecure: whether the request came over TLS.
  func answer(_ request: APIRequest, at door: Door, isSecure: Bool) async -> APIResponse {
    // Enrolment and agencies have their own proofs.
    guard let keeper, door != .enrolment, door != .agencies else {
      return telling(sayingOpen(await respond(to: request, at: door, isSecure: isSecure)), request)
    }
    return await answer(request, keptBy: keeper) { await respond(to: request, at: door, isSecure: isSecure) }
  }

  private func respond(to request: APIRequest, at door: Door, isSecure: Bool) async -> APIResponse {
    switch door {
    case .api: await api.respond(to: request)
    case .administration: await administration.respond(to: request)
    case .city: await city.respond(to: request)
    case .devices: await devices?.administrate(request, hub) ?? Self.noDevices
    case .enrolment: await devices?.enroll(request, isSecure: isSecure) ?? Self.noDevices
    case .agencies: await agencies?.answer(request) ?? Exchange.problem(API.unknown(request.path))
    }
  }
}

extension HubDoors {
  private static let noDevices = Exchange.problem(
    Problem(.resourceNotFound, "this city knows no devices by certificate; start it with --tls-port"))
}

/// One connection: the API stands in front, Hummingbird is set up behind it with the first request that needs it.
struct APIChannel: ServerChildChannel {
  let doors: HubDoors
  let pages: HTTP1Channel
  let tls: TLSFront?
  let idleTimeout: TimeAmount
  let farewell: TimeAmount

  /// A connection, and Hummingbird's end of it once there is one; `nil` when the connection ended without.
  struct Value: ServerChildChannelValue {
    let channel: any Channel
    let pages: EventLoopFuture<NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>?>
  }

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      let pages = channel.eventLoop.makePromise(of: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>?.self)
      let pipeline = channel.pipeline.syncOperations
      if let tls { try pipeline.addHandler(tls.handler()) }
      try pipeline.addHandler(
        ByteToMessageHandler(
          HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: APIHandler.headerLimits)))
      try pipeline.addHandler(
        APIHandler(
          doors: doors, tls: tls, loop: channel.eventLoop, idleTimeout: idleTimeout, farewell: farewell, pages: pages))
      return Value(channel: channel, pages: pages.futureResult)
    }
  }

  func handle(value: Value, logger: Logger) async {
    guard let asked = try? await value.pages.get() else { return }
    await pages.handle(value: asked, logger: logger)
  }
}
