import ArgumentParser
import Foundation
import Ingest

struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Feeds a recorded series to a hub, by its normal way in.",
    discussion: """
      Every row is stored or refused with its reason; the last line is "stored N refused M". A run that was cut off \
      goes on where it stopped when it is started again. Several files are merged in the order of their times.
      """)

  @Argument(help: "CSV files, plain or gzip.", completion: .file())
  var files: [String]

  @Option(help: "The mapping file: which column is which attribute.", completion: .file(extensions: ["yaml"]))
  var mapping: String

  @Option(help: "Base URL of the hub, such as http://127.0.0.1:8080.")
  var to: String

  @Option(help: "How many times as fast as observed, or 'max'.")
  var speed: ReplaySpeed = ReplaySpeed(factor: nil)

  @Option(help: "Where the position is kept until the series is through (default: FILE.position).")
  var state: String?

  @Option(help: "Where refused rows are listed with their reasons (default: FILE.refused.jsonl).")
  var refused: String?

  @Flag(help: "Forget the position of an earlier run.")
  var fresh = false

  @Option(help: "NGSI-LD tenant.")
  var tenant: String?

  @Option(help: "Seconds for which a hub that does not answer is tried again.")
  var patience: Int = 300

  func run() async throws {
    var options = Replay.Options(files: files, mapping: mapping, hub: to)
    options.speed = speed.factor
    options.state = state
    options.refused = refused
    options.isFresh = fresh
    options.tenant = tenant
    options.patience = .seconds(patience)
    options.notice = TransferReport.note
    try await TransferReport.run { try await Replay.run(options) }
  }
}

/// A factor, or as fast as it goes.
struct ReplaySpeed: ExpressibleByArgument {
  let factor: Double?

  init(factor: Double?) { self.factor = factor }

  init?(argument: String) {
    if argument == "max" {
      factor = nil
    } else if let number = Double(argument), number > 0, number <= 1_000_000 {
      factor = number
    } else {
      return nil
    }
  }

  var defaultValueDescription: String { factor.map { "\($0)" } ?? "max" }
}

/// How replay and import speak: progress on the error stream, the outcome as the last line of the output.
enum TransferReport {
  static let note: @Sendable (String) -> Void = { line in
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }

  static func run(_ transfer: () async throws -> TransferOutcome) async throws {
    do {
      let outcome = try await transfer()
      if let path = outcome.refusedPath { note("refused rows are listed in \(path)") }
      print(outcome.summary)
    } catch let error as CancellationError {
      throw error
    } catch {
      note("\(error)")
      throw ExitCode.failure
    }
  }
}
