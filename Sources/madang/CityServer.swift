import ArgumentParser
import Foundation
import Hub
import HubHTTP
import Hummingbird
import Logging
import NGSI
import ServiceLifecycle
import Store
import StoreSQLite

/// Puts a city together and runs it: store, hub, API, console, simulator.
struct CityServer {
  let command: UpCommand

  func run() async throws {
    let folder = try DataFolder(path: command.data)
    defer { folder.removeIfTemporary() }
    let log = Logger(label: "madang")
    let now: @Sendable () -> DateTime = { .now }
    let store = try SQLiteStore(path: folder.path + "/city.sqlite")
    let outlet = HTTPOutlet()
    var limits = Limits()
    if let page = command.temporalPage { limits.temporalInstances = page }
    let hub = Hub(
      store: store, contexts: ContextResolver(fetcher: outlet, now: now), sender: outlet, limits: limits, now: now,
      log: log)
    try await hub.resume()
    let app = Application(
      responder: HubResponder<BasicRequestContext>(hub: hub),
      configuration: ApplicationConfiguration(
        address: .hostname("127.0.0.1", port: command.port), serverName: "madang", backlog: 1024),
      onServerRunning: { channel in
        let port = channel.localAddress?.port ?? command.port
        FileHandle.standardOutput.write(Data("ready http://127.0.0.1:\(port)\n".utf8))
      },
      logger: log)
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [.init(service: HubService(hub: hub)), .init(service: app)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: log))
    do { try await group.run() } catch {
      await store.close()
      throw error
    }
    await store.close()
    await outlet.shutdown()
  }
}

/// Runs the hub's own work until the city stops.
struct HubService: Service {
  let hub: Hub

  func run() async throws {
    await cancelWhenGracefulShutdown { await hub.run() }
  }
}

/// The folder that holds a city's data.
struct DataFolder {
  let path: String
  let isTemporary: Bool

  init(path: String?) throws {
    isTemporary = path == nil
    self.path = path ?? NSTemporaryDirectory() + "madang-" + UUID().uuidString
    do {
      try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    } catch {
      throw ValidationError("The data folder \(self.path) cannot be made: \(error.localizedDescription)")
    }
  }

  func removeIfTemporary() {
    if isTemporary { try? FileManager.default.removeItem(atPath: path) }
  }
}

extension DateTime {
  /// The machine's clock.
  static var now: DateTime {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return DateTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }
}
