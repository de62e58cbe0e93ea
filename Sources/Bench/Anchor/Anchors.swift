import Foundation
import NIOCore
import NIOPosix

/// The anchors that answer over a socket, as the environment names them.
///
/// - `MADANG_ANCHOR_HTTP`: URL of a static file, with `MADANG_ANCHOR_HTTP_PID`, the server's first process.
/// - `MADANG_ANCHOR_REDIS`: `host:port` of a Redis with a text under the key `entity`, with `MADANG_ANCHOR_REDIS_PID`.
struct Anchors: Sendable {
  private let environment: [String: String]

  init(_ environment: [String: String]) { self.environment = environment }

  /// Measures those that are there, at each number of clients, and names those that are not.
  func measure(
    _ settings: Settings, on group: MultiThreadedEventLoopGroup, into report: inout Report,
    _ progress: @Sendable (String) -> Void
  ) async throws {
    for anchor in [Report.Anchor.http, .redis] {
      do throws(BenchError) {
        let load = try anchor == .http ? http() : redis()
        for clients in settings.clients {
          progress("anchor \(anchor.rawValue), \(clients) clients")
          report.anchors.append(
            .init(anchor: anchor, clients: clients, figures: try await figures(load, clients, settings, group)))
        }
      } catch {
        report.anchors.removeAll { $0.anchor == anchor }
        report.missing.append(.init(anchor: anchor, reason: error.description))
      }
    }
  }

  private func figures(_ load: Load, _ clients: Int, _ settings: Settings, _ group: MultiThreadedEventLoopGroup)
    async throws(BenchError) -> Figures
  {
    let measured = Load(
      address: load.address, format: load.format, clients: clients,
      extent: .time(warmup: settings.warmup, seconds: settings.duration), clock: load.clock, request: load.request)
    do {
      let figures = Figures(try await measured.run(on: group))
      guard figures.failures == 0 else { throw BenchError("it answers \(figures.firstFailure?.prefix(40) ?? "badly")") }
      return figures
    } catch let error as BenchError { throw error } catch { throw BenchError("\(error)") }
  }

  private func http() throws(BenchError) -> Load {
    guard let url = environment["MADANG_ANCHOR_HTTP"] else { throw BenchError("MADANG_ANCHOR_HTTP is not set") }
    let door = try Door(url: url, allowsRemote: false, serverPID: nil)
    let path = URLComponents(string: url)?.percentEncodedPath ?? "/"
    let request = ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: \(door.host)\r\n\r\n")
    return Load(
      address: door.address, format: .http, clients: 1, extent: .requests(1), clock: try clock("MADANG_ANCHOR_HTTP_PID")
    ) { _ in request }
  }

  private func redis() throws(BenchError) -> Load {
    guard let place = environment["MADANG_ANCHOR_REDIS"] else { throw BenchError("MADANG_ANCHOR_REDIS is not set") }
    let door = try Door(url: "http://\(place)", allowsRemote: false, serverPID: nil)
    let request = ByteBuffer(string: "*2\r\n$3\r\nGET\r\n$6\r\nentity\r\n")
    return Load(
      address: door.address, format: .redis, clients: 1, extent: .requests(1),
      clock: try clock("MADANG_ANCHOR_REDIS_PID")
    ) { _ in request }
  }

  private func clock(_ name: String) throws(BenchError) -> ProcessClock? {
    guard let text = environment[name] else { return nil }
    guard let pid = Int32(text), pid > 0 else { throw BenchError("\(name) must be a process number") }
    return try ProcessClock(pids: ProcessFile.family(of: pid))
  }
}
