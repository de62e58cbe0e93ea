import ArgumentParser
import Bench
import Foundation

/// What is measured: the hub, where nothing else is named.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures a running hub beside its anchors; or the evidence log.",
    subcommands: [
      BenchHubCommand.self, BenchAccessCommand.self, BenchEvidenceCommand.self, BenchSubmissionsCommand.self,
      BenchCamerasCommand.self,
    ],
    defaultSubcommand: BenchHubCommand.self)
}

struct BenchHubCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hub", abstract: "Measures a running hub beside its anchors.",
    discussion: """
      Loads its own entities (\(BenchHubCommand.prefix)…) and removes them afterwards; their history stays, so take a hub \
      that holds nothing dear. The table goes to standard error. scripts/bench.sh starts hub and anchors.
      """)

  private static let prefix = "urn:ngsi-ld:BenchDevice:"

  @Option(help: "URL of the hub.")
  var to: String

  @Flag(help: "Write the figures as JSON to standard output (docs/performance.md describes them).")
  var json = false

  @Flag(help: "A few seconds in all: shows that it works, not how fast it is.")
  var quick = false

  @Option(help: "Seconds that each point is measured.")
  var duration: Double?

  @Option(help: "Sizes of the data set, separated by commas.")
  var entities: String?

  @Option(help: "Numbers of clients, separated by commas.")
  var clients: String?

  @Option(help: "Operations, separated by commas: \(HubOperation.allCases.map(\.rawValue).joined(separator: ", ")).")
  var operations: String?

  @Option(
    help: "The hub's data folder: raw SQLite is measured on its disk. Without it in the folder for temporary files.")
  var dataDir: String?

  @Flag(help: "Leave the entities in the hub.")
  var keep = false

  @Flag(help: "Use the entities that an earlier run with --keep left.")
  var reuse = false

  @Flag(help: "Measure a hub on another machine, which may belong to others.")
  var allowRemote = false

  @Option(help: "File with an access token that each request shows, for a city with rules of access.")
  var tokenFile: String?

  func run() async throws {
    let report = try await Benchmark(url: to, settings: settings()) { line in Self.tell(line) }.run()
    Self.tell("\n\(Table(report))")
    if json { FileHandle.standardOutput.write(try report.json() + Data("\n".utf8)) }
    if report.points.contains(where: { $0.figures.failures > 0 }) { throw ExitCode.failure }
  }

  private func settings() throws -> Settings {
    var settings = quick ? Settings.quick : Settings()
    if let duration { settings.duration = duration }
    if let entities { settings.entities = try numbers(entities, "--entities") }
    if let clients { settings.clients = try numbers(clients, "--clients") }
    if let operations {
      settings.operations = try operations.split(separator: ",").map { name in
        guard let operation = HubOperation(rawValue: String(name)) else {
          throw ValidationError("--operations does not know '\(name)'")
        }
        return operation
      }
    }
    settings.dataFolder = dataDir
    if let tokenFile {
      guard let data = FileManager.default.contents(atPath: tokenFile) else {
        throw ValidationError("--token-file: \(tokenFile) cannot be read")
      }
      settings.token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
    settings.keeps = keep
    settings.reuses = reuse
    settings.allowsRemote = allowRemote
    return settings
  }

  private func numbers(_ text: String, _ option: String) throws -> [Int] {
    try text.split(separator: ",").map { part in
      guard let number = Int(part) else { throw ValidationError("\(option) takes numbers, found '\(part)'") }
      return number
    }
  }

  private static func tell(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}
