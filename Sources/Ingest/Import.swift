import City
import Foundation
import NGSI

/// Brings a file into a hub once: NGSI-LD, GeoJSON, CSV, JSON or GTFS. Doing it again changes nothing but `modifiedAt`.
public enum Import {
  public enum Format: String, Sendable, CaseIterable {
    case ngsiLD = "ngsi-ld"
    case geojson, csv, json, gtfs
  }

  public enum Destination: Sendable {
    /// Base URL of a hub.
    case hub(String)
    /// The way in of a city in the same process.
    case sink(any EntitySink)
  }

  public struct Options: Sendable {
    public var file: String
    /// Guessed from the file's ending without it.
    public var format: Format?
    /// For CSV, GeoJSON and JSON that is not NGSI-LD.
    public var mapping: String?
    public var destination: Destination
    /// Where refused rows are listed; `FILE.refused.jsonl` without it.
    public var refused: String?
    public var tenant: String?
    public var patience: Duration = .seconds(60)
    /// Hears progress and notices, one line a call.
    public var notice: @Sendable (String) -> Void = { _ in }

    public init(file: String, destination: Destination) {
      self.file = file
      self.destination = destination
    }
  }

  /// - Throws: ``FileProblems`` of the mapping, ``IngestError``, `CancellationError`.
  public static func run(_ options: Options) async throws -> TransferOutcome {
    var mapping: Mapping?
    if let path = options.mapping { mapping = try Mapping.read(path: path) }
    let format = try options.format ?? guess(options.file, mapping)
    let source = try source(options, format, mapping)
    let settings = Transfer.Settings(
      statePath: nil, refusedPath: options.refused ?? Places.beside(options.file, "refused.jsonl"),
      progress: options.notice)
    let position = Position(files: [], mapping: "", hub: "")
    let name = URL(fileURLWithPath: options.file).lastPathComponent
    switch options.destination {
    case .sink(let sink):
      var transfer = Transfer(door: SinkDoor(sink: sink), settings: settings, position: position, names: [name])
      return try await transfer.run(source)
    case .hub(let address):
      let base = try HubAddress.check(address)
      return try await HubAddress.withClient { client in
        let door = HubDoor(
          client: client,
          settings: HubDoor.Settings(
            base: base, tenant: options.tenant, context: mapping?.context, patience: options.patience,
            notice: options.notice))
        var transfer = Transfer(door: door, settings: settings, position: position, names: [name])
        return try await transfer.run(source)
      }
    }
  }

  /// Imports what a manifest's connectors name; an optional file that is absent is passed over with a notice.
  /// - Returns: outcomes by connector.
  public static func connectors(
    of manifest: ManifestFile, to sink: any EntitySink, notice: @escaping @Sendable (String) -> Void
  ) async throws -> [String: TransferOutcome] {
    var outcomes: [String: TransferOutcome] = [:]
    for connector in manifest.manifest.connectors ?? [] {
      let file = manifest.resolve(connector.file)
      if connector.optional == true, !FileManager.default.fileExists(atPath: file) {
        notice("connector \(connector.id): \(connector.file) is absent; going on without it")
        continue
      }
      var options = Options(file: file, destination: .sink(sink))
      options.format = Format(rawValue: connector.format.rawValue)
      options.mapping = connector.mapping.map(manifest.resolve)
      options.refused =
        FileManager.default.temporaryDirectory.appendingPathComponent(
          "madang-\(manifest.manifest.id)-\(connector.id).refused.jsonl"
        ).path
      let outcome = try await run(options)
      let list = outcome.refusedPath.map { ", listed in \($0)" } ?? ""
      notice("connector \(connector.id): \(outcome.summary)\(list)")
      outcomes[connector.id] = outcome
    }
    return outcomes
  }

  private static func guess(_ file: String, _ mapping: Mapping?) throws(IngestError) -> Format {
    if let mapping {
      switch mapping.format {
      case .csv: return .csv
      case .geojson: return .geojson
      case .json: return .json
      }
    }
    let name = file.hasSuffix(".gz") ? String(file.dropLast(3)) : file
    if name.hasSuffix(".zip") { return .gtfs }
    if [".json", ".jsonld", ".jsonl", ".ndjson"].contains(where: name.hasSuffix) { return .ngsiLD }
    throw IngestError(
      "\(file): what it holds cannot be told from its name; say --format, and --mapping for CSV and GeoJSON")
  }

  private static func source(_ options: Options, _ format: Format, _ mapping: Mapping?) throws(IngestError)
    -> any RecordSource
  {
    let file = options.file
    switch format {
    case .ngsiLD: return try EntityRecords(path: file)
    case .gtfs: return try GTFSRecords(path: file)
    case .csv, .geojson, .json:
      guard let mapping else { throw IngestError("\(file): \(format.rawValue) needs a mapping file (--mapping)") }
      guard mapping.format.rawValue == format.rawValue else {
        throw IngestError("\(file): the mapping is for \(mapping.format.rawValue), not \(format.rawValue)")
      }
      return try Sources.series([file], mapping, notice: options.notice)
    }
  }
}
