import Foundation
import NIOCore
import NIOPosix

/// Measures a running hub beside its anchors.
///
/// ```swift
/// let report = try await Benchmark(url: "http://127.0.0.1:8080", settings: .quick).run()
/// print(Table(report))
/// ```
public struct Benchmark: Sendable {
  let door: Door
  let settings: Settings
  let anchors: Anchors
  let progress: @Sendable (String) -> Void

  /// - Parameters:
  ///   - environment: names the server's process and the anchors; see `docs/performance.md`.
  ///   - progress: is told what is being done, one line at a time.
  /// - Throws: ``BenchError`` when the settings are out of bounds or the URL is not one to measure.
  public init(
    url: String, settings: Settings, environment: [String: String] = ProcessInfo.processInfo.environment,
    progress: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(BenchError) {
    try settings.check()
    self.settings = settings
    self.progress = progress
    door = try Door(url: url, allowsRemote: settings.allowsRemote, serverPID: environment["MADANG_SERVER_PID"])
    anchors = Anchors(environment)
  }

  public func run() async throws -> Report {
    var report = Report(
      begunAt: Date.now.ISO8601Format(), machine: .here(),
      server: .init(url: door.url, pid: door.pid, name: door.pid.flatMap(ProcessFile.name)), settings: settings)
    if door.pid == nil { progress("the server's process is not known: its processor time and memory are not measured") }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
      try await run(on: group, into: &report)
    } catch {
      try await group.shutdownGracefully()
      throw error
    }
    try await group.shutdownGracefully()
    report.machine.loadAtEnd = Machine.load()
    report.compare()
    return report
  }

  private func run(on group: MultiThreadedEventLoopGroup, into report: inout Report) async throws {
    let fleet = fleet(on: group)
    // Looked at first: what a run did not bring in, it does not remove.
    let present = try await fleet.count()
    guard present == 0 || settings.reuses else {
      throw BenchError(
        "the hub holds \(present) entities of type \(Device.type) already: take another hub, or --reuse them")
    }
    let folder = settings.dataFolder ?? NSTemporaryDirectory()
    let sqlite = try SQLiteAnchor(folder: folder, seed: settings.seed)
    defer { sqlite.close() }
    do {
      try await anchors.measure(settings, on: group, into: &report, progress)
      try await measure(on: group, sqlite, present: present, into: &report)
    } catch {
      if !settings.keeps { try? await fleet.removeAll(upTo: settings.entities.max() ?? 0) }
      throw error
    }
    if !settings.keeps { try await fleet.removeAll(upTo: settings.entities.max() ?? 0) }
  }

  private func fleet(on group: MultiThreadedEventLoopGroup) -> Fleet {
    Fleet(door: door, seed: settings.seed, token: settings.token, group: group)
  }

  private func measure(
    on group: MultiThreadedEventLoopGroup, _ sqlite: SQLiteAnchor, present: Int, into report: inout Report
  ) async throws {
    let fleet = fleet(on: group)
    var present = present
    for size in settings.entities.sorted() {
      if present < size {
        progress("loading \(size - present) entities")
        report.loads.append(try await fleet.add(present..<size))
        present = size
      }
      try sqlite.grow(to: size)
      for operation in settings.operations {
        for clients in settings.clients {
          progress("\(operation.rawValue), \(size) entities, \(clients) clients")
          report.points.append(try await point(operation, size, clients, on: group))
          // Reads take one connection in SQLite, however many clients there are.
          report.anchors.append(
            .init(
              anchor: .sqlite, operation: operation, entities: size, clients: clients,
              figures: try sqlite.measure(operation, clients: clients, seconds: min(1, settings.duration))))
        }
      }
      if let pid = door.pid, let resident = ProcessFile.memory(pid, "VmRSS") {
        report.memory.append(
          .init(
            entities: size, resident: resident, anonymous: ProcessFile.memory(pid, "RssAnon") ?? 0,
            peak: ProcessFile.memory(pid, "VmHWM") ?? 0))
      }
    }
  }

  private func point(_ operation: HubOperation, _ size: Int, _ clients: Int, on group: MultiThreadedEventLoopGroup)
    async throws -> Report.Point
  {
    let requests = Requests(host: door.host, size: size, seed: settings.seed, token: settings.token)
    let load = Load(
      address: door.address, format: .http, clients: clients,
      extent: .time(warmup: settings.warmup, seconds: settings.duration), clock: door.clock
    ) { requests.request(operation, $0) }
    let outcome = try await load.run(on: group)
    if operation == .create { try await fleet(on: group).remove(size..<size + outcome.sent) }
    return Report.Point(
      operation: operation, entities: size, clients: clients, entitiesPerOperation: operation.entitiesPerOperation,
      figures: Figures(outcome))
  }
}

extension Report {
  /// Sets each point beside its anchors and its target.
  mutating func compare() {
    for index in points.indices {
      let beside = anchors(beside: points[index])
      for anchor in beside {
        points[index].ratios[anchor.anchor.rawValue] = points[index].figures.ratio(to: anchor.figures)
      }
      let http = beside.first { $0.anchor == .http }?.figures.cpu
      let point = points[index]
      points[index].target = Target.all.compactMap { $0.result(point, http: http) }.first
    }
    targets = points.compactMap(\.target)
    for memory in memory {
      guard let limit = Target.resident(entities: memory.entities) else { continue }
      let megabytes = Double(limit) / 1e6
      targets.append(
        .atMost(megabytes, megabytes, Double(memory.resident) / 1e6, "MB resident", "\(memory.entities) entities"))
    }
  }
}
