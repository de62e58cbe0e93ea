import ArgumentParser
import City
import Console
import Egress
import Federation
import Foundation
import Hub
import HubHTTP
import Hummingbird
import Identity
import Ingest
import Logging
import NGSI
import NIOCore
import Safety
import ServiceLifecycle
import Store
import StoreSQLite
import Surveillance

/// Puts a city together and runs it: store, hub, API, console, simulator.
struct CityServer {
  let command: UpCommand
  let manifest: ManifestFile?
  let mode: City.Mode?

  /// - Throws: ``FileProblems`` with everything that is wrong with the manifest.
  init(command: UpCommand) throws {
    self.command = command
    manifest = try command.manifest.map { path throws(FileProblems) in try ManifestFile.read(path: path) }
    if let manifest { try CityLock.verify(manifest) }
    mode = command.mode ?? manifest?.manifest.mode
  }

  func run() async throws {
    let folder = try DataFolder(path: command.data)
    defer { folder.removeIfTemporary() }
    var log = Logger(label: "madang")
    log.logLevel = .notice
    let store = try SQLiteStore(path: folder.store)
    let outlets = Outlets(
      http: HTTPOutlet(), mqtt: MQTTOutlet(authorities: command.mqttAuthorities, certificate: command.mqttCertificate))
    let failure = await serve(store, folder, outlets, log)
    await store.close()
    await outlets.shutdown()
    if let failure { throw failure }
  }

  /// Runs until a signal ends it; gives what went wrong, if anything did.
  private func serve(
    _ store: any Store, _ folder: DataFolder, _ outlets: Outlets, _ log: Logger
  ) async -> (any Error)? {
    do {
      let evidence = try CityEvidence(store: store, folder: folder, manifest: manifest, http: outlets.http)
      try await evidence.resume(store: store)
      let identity = try await CityIdentity.make(
        store, folder, command, manifest, evidence: evidence.log, http: outlets.http)
      let access = try CityAccess.make(
        manifest, mode: mode, standings: Standings(store, identity), evidence: evidence.log, now: { RealClock().now })
      let hub = makeHub(store, outlets, log, access)
      try await hub.resume()
      if let manifest {
        try await Hub.asCity {
          try await CityRegister(hub: hub, file: manifest).register()
          try await ManifestSources(manifest: manifest.manifest, hub: hub).apply()
        }
      }
      let egress = Egress()
      let safety = try manifest.flatMap { try CitySafety.make($0, hub: hub) }
      let agencies = safety.map { service in AgencyDoor { await service.links.answer($0) } }
      let video = try manifest.flatMap { file in
        try safety.flatMap { try CityCameras.make(file, hub: hub, safety: $0, folder: folder) }
      }
      let served = safety.map { [SafetyService.name: $0.operations + (video?.operations ?? [])] } ?? [:]
      let feeds = try manifest.map { try Feeds($0, egress: egress) }
      let adapters: @Sendable () -> [JSON] = { feeds?.board.all.map(\.json) ?? [] }
      let connections = Connections()
      let federation = Federation(hub: hub, caller: outlets.http, egress: egress)
      let limiter = CityLimits.limiter(manifest?.manifest.limits?.requests, isOpen: access == nil)
      let health: @Sendable () throws(Problem) -> JSON = { () throws(Problem) in
        guard case .object(var report) = try hub.health() else { return .null }
        var section = connections.health.object ?? JSONObject()
        let brokers = outlets.mqtt.figures
        section["brokers"] = [
          "value": .integer(Int64(brokers.connections)), "bound": .integer(Int64(brokers.bound)),
        ]
        report["connections"] = .object(section)
        report["federation"] = federation.health
        report["evidence"] = evidence.log.health
        report["identity"] = identity.health
        if let limiter { report["limits"] = limiter.health }
        if let feeds, !feeds.isEmpty { report["adapters"] = feeds.board.health }
        return .object(report)
      }
      let router = Router(context: CityContext.self)
      if let limiter { router.add(middleware: LimitedPages(limiter: limiter, isBehindProxy: command.address != nil)) }
      identity.addRoutes(to: router) { _, context in context.source }
      addMachinePages(to: router, health, served, keptBy: access.map { _ in (identity, WatchDoor(hub: hub)) })
      evidence.log.addRoutes(to: router)
      let source = HubCitySource(
        hub: hub, report: health, site: SiteDescription(manifest?.manifest, mode: mode, openAccess: access == nil),
        kpis: manifest.map { KPIWatch(hub: hub, manifest: $0.manifest) }, evidencePolicy: evidence.log.policyText,
        ownGrants: access.map { _ in
          HubGrants(hub: hub, identity: identity, roles: (manifest?.manifest.roles ?? []).map(\.id))
        }, safety: safety, video: video)
      let console = try Console(source: source, assets: WebAssets.folder)
      console.addOpenRoutes(to: router)
      if let firmware = command.firmware { try FirmwareShelf(firmware).addRoutes(to: router) }
      let devices = command.tlsPort == nil ? nil : try await DeviceTrust(command, folder, store, evidence.log)
      devices?.addPages(to: router)
      let keeper = access.map { _ in CityDoorkeeper(identity: identity) }
      if access != nil {
        router.add(
          middleware: PageDoor(
            identity: identity, hub: hub, isBehindProxy: command.address != nil,
            staleForm: { request in console.staleForm(request) }))
      }
      console.addReaderRoutes(to: router)
      if access != nil { router.add(middleware: WatchDoor(hub: hub)) }
      console.addRoutes(to: router)
      let doors = (manifest?.manifest.adapters ?? []).filter(\.isDoor).map { IngestDoor(Adapter($0)) }
      let (running, started) = AsyncStream.makeStream(of: Void.self)
      let app = Application(
        responder: router.buildResponder(),
        // Half-sent requests and silent connections are let go.
        server: .api(
          of: federation, doors: doors, services: served, adapters: adapters, agencies: agencies,
          devices: devices?.door, keeper: keeper,
          limiter: limiter, trustsForwarded: command.address != nil, saysOpen: access == nil, idleTimeout: .seconds(30)),
        configuration: ApplicationConfiguration(
          address: .hostname("127.0.0.1", port: command.port), serverName: "madang", backlog: 1024,
          availableConnectionsDelegate: connections),
        onServerRunning: { channel in
          let local = "http://127.0.0.1:\(channel.localAddress?.port ?? command.port)"
          federation.isReached(at: command.address ?? local)
          identity.isReached(at: command.address ?? local)
          Terminal.print("ready " + local)
          started.finish()
        },
        logger: log)
      var services: [any Service] = [
        HubService(federation: federation), IdentityService(provider: identity), IdleMemory(), evidence,
        EvidenceAlarms(log: evidence.log, hub: hub), app,
      ]
      if access != nil { services.append(ReviewAlarms(hub: hub)) }
      // A service that has nothing to do would end the city.
      if let safety, !safety.plan.alarms.rules.isEmpty { services.append(AlarmWatch(safety: safety)) }
      if let video { services.append(CameraWork(desk: video, sink: HubSink(hub: hub, source: "cameras"))) }
      if let safety, let manifest, let path = command.evening {
        let evening = try CitySafety.evening(path, manifest, mode: mode)
        let sink = HubSink(hub: hub, source: "simulator")
        services.append(
          SimulatedEvening(player: EveningPlayer(evening, safety: safety, sink: sink, pace: command.pace)))
      }
      if let devices {
        services.append(devices)
        services.append(
          Application(
            responder: router.buildResponder(),
            server: .api(
              of: federation, doors: doors, services: served, adapters: adapters, agencies: agencies,
              devices: devices.door,
              tls: devices.front, keeper: keeper, limiter: limiter,
              trustsForwarded: command.address != nil, saysOpen: access == nil, idleTimeout: .seconds(30)),
            configuration: ApplicationConfiguration(
              address: .hostname("127.0.0.1", port: command.tlsPort ?? 0), serverName: "madang", backlog: 1024,
              availableConnectionsDelegate: connections),
            onServerRunning: { channel in
              Terminal.note("tls https://localhost:\(channel.localAddress?.port ?? 0)")
            }, logger: log))
      }
      if let safety {
        services.append(LinkService(desk: safety.links, outlet: CityLinkOutlet(http: outlets.http, egress: egress)))
      }
      if let manifest { services.append(CityLife(hub: hub, manifest: manifest, mode: mode, running: running)) }
      if let feeds, !feeds.isEmpty { services.append(FeedService(feeds: feeds, sink: HubFeed(hub: hub))) }
      let group = ServiceGroup(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: log)
      try await group.run()
      return nil
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      return ValidationError(
        "Port \(command.port) is taken by another program; name another with --port, or 0 for a free one.")
    } catch { return error }
  }

  /// What programs ask beside the API: the version, and the health report as JSON.
  private func addMachinePages(
    to router: Router<CityContext>, _ health: @escaping @Sendable () throws(Problem) -> JSON,
    _ services: ServiceOperations, keptBy doors: (identity: IdentityProvider, watch: WatchDoor)?
  ) {
    @Sendable func json(_ value: JSON, status: HTTPResponse.Status = .ok) -> Response {
      Response(
        status: status, headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONWriter.bytes(value))))
    }
    router.get("/version") { _, _ in
      json(["name": "madang", "version": .string(Madang.version), "ngsiLd": "1.9.1"])
    }
    let isBehindProxy = command.address != nil
    let description = OpenAPI.document(
      version: Madang.version, services: services, hearsAgencies: services[SafetyService.name] != nil)
    router.get("/openapi.json") { _, _ in json(description) }
    router.get("/health.json") { request, context in
      do throws(Problem) {
        let report = try health()
        guard let doors else { return json(report) }
        // Who may not watch learns that the city is there and can read its store, not what is in it; the log is public.
        guard let proven = try? PageDoor.proven(request, csrf: nil, doors.identity),
          case let caller = Caller(
            proven, of: doors.identity.issuer, from: request.source(context, isBehindProxy: isBehindProxy)),
          (try? await doors.watch.admit(caller)) != nil
        else { return json(["status": "up", "evidence": report["evidence"] ?? .null]) }
        return json(report)
      } catch {
        return json(error.json, status: .internalServerError)
      }
    }
  }

  private func makeHub(_ store: any Store, _ outlets: Outlets, _ log: Logger, _ access: CityAccess?) -> Hub {
    let now: @Sendable () -> DateTime = { RealClock().now }
    var limits = Limits()
    if let page = command.temporalPage { limits.temporalInstances = page }
    return Hub(
      store: store, contexts: outlets.http, sender: outlets, limits: limits, rules: access?.rules,
      grants: access?.grants ?? GrantSettings(),
      address: command.address, now: now,
      log: log)
  }
}

/// Runs the hub's own work until the city stops.
struct HubService: Service {
  let federation: Federation

  func run() async throws {
    await cancelWhenGracefulShutdown { await federation.run() }
  }
}

/// Lets adapters fetch and listen until the city stops.
struct FeedService: Service {
  let feeds: Feeds
  let sink: HubFeed

  func run() async throws {
    await cancelWhenGracefulShutdown { await Hub.asCity { await feeds.run(sink: sink, clock: RealClock()) } }
  }
}

/// Fills the city from its connectors, then lets its fleets live.
struct CityLife: Service {
  let hub: Hub
  let manifest: ManifestFile
  let mode: City.Mode?
  /// Ends once the city answers: nothing is written before.
  let running: AsyncStream<Void>

  func run() async throws {
    try await cancelWhenGracefulShutdown {
      for await _ in running {}
      try await Hub.asCity { try await live() }
    }
  }

  private func live() async throws {
    do {
      _ = try await Import.connectors(of: manifest, to: HubSink(hub: hub, source: "connector")) { Terminal.note($0) }
      let simulation = Simulation(SimulatedCity(manifest.manifest, mode: mode))
      if simulation.city.deviceCount > 0 {
        Terminal.note("\(simulation.city.deviceCount) simulated devices report; all their data is synthetic")
        try await simulation.run(clock: RealClock(), sink: HubSink(hub: hub, source: "simulator"))
      }
    } catch is CancellationError {
      return
    }
    // A city that simulates nothing waits for its devices.
    while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
  }
}

/// The browser libraries that setup fetched.
enum WebAssets {
  /// `MADANG_WEB_ASSETS`, or `.web-assets` in the current folder or above the program; `nil` when there is none.
  static var folder: String? {
    if let named = ProcessInfo.processInfo.environment["MADANG_WEB_ASSETS"], !named.isEmpty { return named }
    var candidates = [URL(fileURLWithPath: FileManager.default.currentDirectoryPath)]
    var above = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    for _ in 0..<6 {
      candidates.append(above)
      above = above.deletingLastPathComponent()
    }
    return candidates.map { $0.appendingPathComponent(".web-assets").path }
      .first { FileManager.default.fileExists(atPath: $0) }
  }
}

/// Lines for the people and programs that started the command.
enum Terminal {
  static func print(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

  static func note(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}
