import Foundation
import NIOCore
import NIOPosix

/// Brings the data set into the hub and out again.
struct Fleet: Sendable {
  let door: Door
  let seed: UInt64
  let token: String?
  let group: MultiThreadedEventLoopGroup

  /// Entities in one request.
  static let perRequest = 500
  static let clients = 4

  private var requests: Requests { Requests(host: door.host, size: Int.max, seed: seed, token: token) }

  func add(_ indices: Range<Int>) async throws -> Report.LoadFigures {
    let requests = requests
    let outcome = try await inParts(indices) { requests.upsert($0) }
    return Report.LoadFigures(
      entities: indices.count, seconds: rounded(outcome.seconds),
      entitiesPerSecond: rounded(Double(indices.count) / max(outcome.seconds, 1e-9)),
      cpuPerEntity: outcome.processorTime.map { rounded(Double($0) / 1000 / Double(max(1, indices.count))) })
  }

  func remove(_ indices: Range<Int>) async throws {
    let requests = requests
    _ = try await inParts(indices) { requests.delete($0) }
  }

  /// Removes what there is of the first entities, whether or not all of them were added.
  func removeAll(upTo size: Int) async throws {
    guard size > 0, try await count() > 0 else { return }
    let requests = requests
    _ = try await inParts(0..<size, tolerant: true) { requests.delete($0) }
  }

  /// Entities of the type that the hub holds.
  func count() async throws -> Int {
    let requests = requests
    var load = Load(address: door.address, format: .http, clients: 1, extent: .requests(1)) { _ in requests.count() }
    load.keepsHead = true
    let outcome = try await load.run(on: group)
    let line = outcome.lastHead?.split(separator: "\r\n").first { $0.lowercased().hasPrefix("ngsild-results-count:") }
    guard outcome.failures == 0, let line, let count = Int(line.drop { $0 != " " }.dropFirst()) else {
      throw BenchError(
        "\(door.url) does not answer as a hub does: \(outcome.firstFailure ?? outcome.lastHead ?? "no answer")")
    }
    return count
  }

  private func inParts(
    _ indices: Range<Int>, tolerant: Bool = false, _ request: @escaping @Sendable (Range<Int>) -> ByteBuffer
  ) async throws -> Load.Outcome {
    guard !indices.isEmpty else { return Load.Outcome() }
    let parts = stride(from: indices.lowerBound, to: indices.upperBound, by: Self.perRequest).map {
      $0..<min(indices.upperBound, $0 + Self.perRequest)
    }
    let load = Load(
      address: door.address, format: .http, clients: min(Self.clients, parts.count), extent: .requests(parts.count),
      clock: door.clock
    ) { request(parts[$0]) }
    let outcome = try await load.run(on: group)
    guard outcome.failures == 0 || tolerant else {
      throw BenchError("the hub refused a part of the data set: \(outcome.firstFailure ?? "no reason given")")
    }
    return outcome
  }
}
