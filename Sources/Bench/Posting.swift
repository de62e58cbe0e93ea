import Foundation
import NIOCore
import NIOPosix

/// Posts bodies, one in each request, as fast as a server takes them.
public struct Posting: Sendable {
  public struct Figures: Sendable {
    public var perSecond: Double
    /// Seconds within which 99 of 100 answers came.
    public var p99: Double
    public var failures: Int
    public var firstFailure: String?
  }

  private let door: Door
  private let target: String
  private let mediaType: String

  /// - Throws: ``BenchError`` when the URL is not one of this machine.
  public init(url: String, target: String, mediaType: String) throws(BenchError) {
    door = try Door(url: url, allowsRemote: false, serverPID: nil)
    self.target = target
    self.mediaType = mediaType
  }

  public func run(_ bodies: [String], clients: Int) async throws -> Figures {
    let requests = bodies.map { body in
      ByteBuffer(
        string: """
          POST \(target) HTTP/1.1\r\nHost: \(door.host)\r\nContent-Type: \(mediaType)\r\n\
          Content-Length: \(body.utf8.count)\r\n\r\n\(body)
          """)
    }
    let load = Load(address: door.address, format: .http, clients: clients, extent: .requests(requests.count)) {
      requests[$0]
    }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let outcome: Load.Outcome
    do { outcome = try await load.run(on: group) } catch {
      try await group.shutdownGracefully()
      throw error
    }
    try await group.shutdownGracefully()
    return Figures(
      perSecond: Double(requests.count) / outcome.seconds, p99: outcome.latencies.percentile(0.99) / 1e6,
      failures: outcome.failures,
      firstFailure: outcome.firstFailure)
  }
}
