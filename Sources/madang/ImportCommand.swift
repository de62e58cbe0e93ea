import ArgumentParser
import Ingest

struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Brings a file into a hub: NGSI-LD, GeoJSON, CSV, JSON or GTFS.",
    discussion: """
      The format is told from the file's name or the mapping. The last line is "stored N refused M".
      """)

  @Argument(help: "The file; NGSI-LD as .json, .jsonld or .jsonl, GTFS as .zip.", completion: .file())
  var file: String

  @Option(help: "Base URL of the hub, such as http://127.0.0.1:8080.")
  var to: String

  @Option(help: "The mapping file of CSV, GeoJSON and other JSON.", completion: .file(extensions: ["yaml"]))
  var mapping: String?

  @Option(help: "ngsi-ld, geojson, csv, json or gtfs, where the name does not tell.")
  var format: Import.Format?

  @Option(help: "Where refused rows are listed with their reasons (default: FILE.refused.jsonl).")
  var refused: String?

  @Option(help: "NGSI-LD tenant.")
  var tenant: String?

  func run() async throws {
    var options = Import.Options(file: file, destination: .hub(to))
    options.format = format
    options.mapping = mapping
    options.refused = refused
    options.tenant = tenant
    options.notice = TransferReport.note
    try await TransferReport.run { try await Import.run(options) }
  }
}

extension Import.Format: ExpressibleByArgument {}
