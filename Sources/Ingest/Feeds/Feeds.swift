import AsyncHTTPClient
import City
import Egress
import Foundation
import NGSI

/// The adapters of a manifest that fetch or listen, at work until they are cancelled.
public struct Feeds: Sendable {
  /// Sources that are fetched and read at the same time.
  static let mostAtOnce = 4

  public let board = FeedBoard()
  private let pulls: [PullPlan]
  private let topics: [TopicPlan]
  private let manifest: ManifestFile
  private let egress: Egress

  private struct PullPlan: Sendable {
    var adapter: Manifest.Adapter
    var pull: Manifest.Adapter.Pull
    var schedule: PullFeed.Schedule
    var mapping: Mapping?
  }

  private struct TopicPlan: Sendable {
    var adapter: Manifest.Adapter
    var mqtt: Manifest.Adapter.MQTT
    var mappings: [Mapping?]
  }

  /// - Throws: ``FileProblems`` of mapping files, ``IngestError``.
  public init(_ manifest: ManifestFile, egress: Egress) throws {
    self.manifest = manifest
    self.egress = egress
    var pulls: [PullPlan] = []
    var topics: [TopicPlan] = []
    for adapter in manifest.manifest.adapters ?? [] {
      let mapping = try adapter.mapping.map { try Mapping.read(path: manifest.resolve($0)) }
      if let mapping { try Self.check(mapping, adapter) }
      if let pull = adapter.pull {
        let schedule = try Self.schedule(pull, manifest.manifest)
        pulls.append(PullPlan(adapter: adapter, pull: pull, schedule: schedule, mapping: mapping))
        board.add(FeedStatus(id: adapter.id, kind: "pull", source: pull.url))
      }
      if let mqtt = adapter.mqtt {
        let mappings = try mqtt.topics.map { topic in
          let own = try topic.mapping.map { try Mapping.read(path: manifest.resolve($0)) }
          if let own { try Self.check(own, adapter) }
          return own ?? mapping
        }
        // Told at the start what cannot work later.
        _ = try TopicReading(adapter, mqtt, mappings: mappings)
        topics.append(TopicPlan(adapter: adapter, mqtt: mqtt, mappings: mappings))
        board.add(FeedStatus(id: adapter.id, kind: "mqtt", source: mqtt.broker))
      }
    }
    self.pulls = pulls
    self.topics = topics
  }

  public var isEmpty: Bool { pulls.isEmpty && topics.isEmpty }

  private static func check(_ mapping: Mapping, _ adapter: Manifest.Adapter) throws(IngestError) {
    let wanted: Mapping.Format =
      switch adapter.format {
      case .csv: .csv
      case .geojson: .geojson
      default: .json
      }
    guard mapping.format == wanted else {
      throw IngestError(
        "adapter \(adapter.id): its mapping is for \(mapping.format.rawValue), expected \(wanted.rawValue)")
    }
  }

  private static func schedule(_ pull: Manifest.Adapter.Pull, _ manifest: Manifest) throws(IngestError)
    -> PullFeed.Schedule
  {
    if let every = pull.every { return .every(seconds: Double(every.seconds)) }
    let zone = pull.timeZone ?? manifest.site.timeZone
    guard let found = TimeZone(identifier: zone) else { throw IngestError("\(zone) is no time zone") }
    do throws(Timetable.Flaw) { return .at(try Timetable(pull.at ?? ""), found) } catch {
      throw IngestError(error.reason)
    }
  }

  /// Runs until it is cancelled.
  public func run(sink: any FeedSink, clock: any CityClock) async {
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: PullFetcher.configuration)
    let fetcher = PullFetcher(client: client, egress: egress)
    let gate = FeedGate(most: Self.mostAtOnce)
    let seed = RandomStream(seed: UInt64(bitPattern: Int64(manifest.manifest.seed)))
    await withTaskGroup(of: Void.self) { group in
      for plan in pulls {
        let stream = seed.named("pull " + plan.adapter.id)
        let feed = PullFeed(
          adapter: plan.adapter, pull: plan.pull, schedule: plan.schedule, mapping: plan.mapping,
          resolve: { [manifest] in manifest.resolve($0) }, fetcher: fetcher, sink: sink, board: board, clock: clock,
          chance: { stream.unit(Int64($0)) })
        group.addTask { await feed.run(gate) }
      }
      for plan in topics {
        let stream = seed.named("mqtt " + plan.adapter.id)
        let feed = TopicFeed(
          adapter: plan.adapter, mqtt: plan.mqtt, mappings: plan.mappings,
          clientId: plan.mqtt.clientId ?? "madang-\(manifest.manifest.id)-\(plan.adapter.id)",
          resolve: { [manifest] in manifest.resolve($0) }, sink: sink, board: board, clock: clock,
          chance: { stream.unit(Int64($0)) })
        group.addTask { await feed.run() }
      }
    }
    try? await client.shutdown()
  }
}
