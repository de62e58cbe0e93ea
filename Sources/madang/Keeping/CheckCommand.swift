import ArgumentParser
import StoreSQLite

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Checks a data folder or a backup whole, and changes nothing.",
    discussion: """
      A city may be running on it. Prints a sentence for each finding; the exit code is 0 when there is none, 1 when \
      there are some or the folder cannot be checked.
      """)

  @Argument(help: "The data folder, or a backup.", completion: .directory)
  var folder: String

  func run() throws {
    let found = try FoundFolder(folder)
    let differences = try BackupRecord.read(in: folder)?.differences(in: folder) ?? []
    let report = try found.check()
    for difference in differences { Terminal.print(difference) }
    report.tell()
    guard report.isSound, differences.isEmpty else { throw ExitCode.failure }
    let version =
      report.version == SQLiteStore.currentVersion
      ? "" : " (version \(report.version), which madang up brings to \(SQLiteStore.currentVersion))"
    Terminal.print("sound: \(report.summary)\(version)")
  }
}
