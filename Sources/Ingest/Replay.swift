import AsyncHTTPClient
import City
import Foundation
import NGSI

/// Feeds a recorded series to a hub by its normal way in.
///
/// Every row is either stored or refused with its reason; the counts add up to the rows of the files. A run that was
/// cut off goes on where it stopped, and stores nothing twice.
public enum Replay {
  public struct Options: Sendable {
    /// CSV files, plain or gzip; several are merged in the order of their times.
    public var files: [String]
    public var mapping: String
    /// Base URL of the hub.
    public var hub: String
    /// How many times as fast as observed; `nil` for as fast as it goes.
    public var speed: Double?
    /// Where the position is kept; `FILE.position` without it.
    public var state: String?
    /// Where refused rows are listed; `FILE.refused.jsonl` without it.
    public var refused: String?
    /// Forget an earlier position.
    public var isFresh = false
    public var tenant: String?
    /// How long a hub that does not answer is tried again.
    public var patience: Duration = .seconds(300)
    /// How long a hub may at least go on with requests whose sender is gone.
    public var grace: Duration = .seconds(1)
    public var lanes = 4
    public var batchRows = 400
    /// Hears progress and notices, one line a call.
    public var notice: @Sendable (String) -> Void = { _ in }

    public init(files: [String], mapping: String, hub: String) {
      self.files = files
      self.mapping = mapping
      self.hub = hub
    }
  }

  /// - Throws: ``FileProblems`` of the mapping, ``IngestError``, `CancellationError`.
  public static func run(_ options: Options) async throws -> TransferOutcome {
    guard let first = options.files.first else { throw IngestError("no file to replay") }
    if let speed = options.speed, !(speed > 0 && speed <= 1_000_000) {
      throw IngestError("the speed must be above 0 and at most 1,000,000")
    }
    let mapping = try Mapping.read(path: options.mapping)
    let base = try HubAddress.check(options.hub)
    let statePath = options.state ?? Places.beside(first, "position")
    var position = Position(
      files: try Position.describe(options.files), mapping: mapping.fingerprint,
      hub: base + "|" + (options.tenant ?? ""))
    if options.isFresh {
      // What the earlier run sent may be at the hub all the same.
      position.horizon = (try? Position.read(statePath))?.horizon ?? 0
    } else if let kept = try Position.read(statePath) {
      guard kept.files == position.files, kept.mapping == position.mapping, kept.hub == position.hub else {
        throw IngestError(
          "\(statePath): is the position of another run (other files, mapping or hub); name another with --state, or start anew with --fresh"
        )
      }
      position = kept
      options.notice("going on after row \(kept.settled)")
    }
    let source = try Sources.series(options.files, mapping, notice: options.notice)
    let settings = Transfer.Settings(
      lanes: options.lanes, batchRows: options.batchRows, speed: options.speed, statePath: statePath,
      refusedPath: options.refused ?? Places.beside(first, "refused.jsonl"), progress: options.notice)
    let slowest = Duration.seconds(position.slowest ?? 0)
    let names = options.files.map { URL(fileURLWithPath: $0).lastPathComponent }
    return try await HubAddress.withClient { client in
      let door = HubDoor(
        client: client,
        settings: HubDoor.Settings(
          base: base, tenant: options.tenant, context: mapping.context, patience: options.patience,
          grace: max(options.grace, slowest * 2), notice: options.notice))
      var transfer = Transfer(door: door, settings: settings, position: position, names: names)
      return try await transfer.run(source)
    }
  }
}

/// Base URLs of hubs, and the client that calls them.
enum HubAddress {
  static func check(_ text: String) throws(IngestError) -> String {
    guard let url = URL(string: text), url.scheme == "http" || url.scheme == "https", url.host() != nil else {
      throw IngestError("'\(text.prefix(200))' is no address of a hub, such as http://127.0.0.1:8080")
    }
    var base = text
    for ending in ["/ngsi-ld/v1/", "/ngsi-ld/v1", "/"] where base.hasSuffix(ending) {
      base.removeLast(ending.count)
      break
    }
    return base
  }

  static func withClient<Value: Sendable>(_ body: (HTTPClient) async throws -> Value) async throws -> Value {
    var configuration = HTTPClient.Configuration()
    configuration.httpVersion = .http1Only
    configuration.timeout = HTTPClient.Configuration.Timeout(connect: .seconds(5), read: .seconds(120))
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
      let value = try await body(client)
      try await client.shutdown()
      return value
    } catch {
      try? await client.shutdown()
      throw error
    }
  }
}

enum Places {
  /// `FILE.suffix`, or in the current folder where the file's own may not be written.
  static func beside(_ file: String, _ suffix: String) -> String {
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    let name = URL(fileURLWithPath: file).lastPathComponent + "." + suffix
    return FileManager.default.isWritableFile(atPath: folder) ? file + "." + suffix : name
  }
}

enum Sources {
  /// Whether a file holds one JSON object a line, by its name.
  static func hasLines(_ file: String) -> Bool {
    let plain = file.hasSuffix(".gz") ? String(file.dropLast(3)) : file
    return [".jsonl", ".ndjson", ".jsonlines"].contains(where: plain.hasSuffix)
  }

  private static func json(_ file: String, _ mapping: Mapping) throws(IngestError) -> any RecordSource {
    if hasLines(file) { return try JSONLineRecords(ByteSources.open(file), mapping: mapping, name: file) }
    let bytes = try ByteSources.readAll(ByteSources.open(file), name: file, most: JSONRecords.maxBytes)
    return try JSONRecords(bytes, mapping: mapping, name: file)
  }

  /// The rows of one or more files under a mapping, merged in the order of their times, each instant of an entity once.
  static func series(
    _ files: [String], _ mapping: Mapping, notice: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(IngestError) -> any RecordSource {
    var sources: [any RecordSource] = []
    for file in files {
      switch mapping.format {
      case .csv: sources.append(try CSVRecords(path: file, mapping: mapping))
      case .geojson: sources.append(try GeoJSONRecords(path: file, mapping: mapping))
      case .json: sources.append(try json(file, mapping))
      }
    }
    let names = files.map { URL(fileURLWithPath: $0).lastPathComponent }
    let merged: any RecordSource = sources.count == 1 ? sources[0] : try MergedRecords(sources)
    return DistinctRecords(merged, names: names, notice: notice)
  }
}
