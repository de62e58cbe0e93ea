import ArgumentParser
import Foundation
import NGSI
import StoreSQLite

struct BackupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Copies a city's data folder while the city runs, and checks the copy.",
    discussion: """
      The backup is a folder: the store as it was at one moment, every other file, and backup.json with the hash of \
      each. It is filled under another name, checked whole, synced to disk and only then put in place.
      """)

  @Argument(help: "The city's data folder (--data of madang up).", completion: .directory)
  var data: String

  @Argument(help: "The folder to be made.", completion: .directory)
  var backup: String

  func run() throws {
    let source = try FoundFolder(data)
    guard !FileManager.default.fileExists(atPath: backup) else {
      throw Failure("\(backup) is there already; a backup overwrites nothing. Name another folder.")
    }
    let copy = try FolderCopy(for: backup)
    defer { copy.remove() }
    let takenAt = SQLiteStore.systemTime()
    var files = try copy.fill(from: source)
    let report = try FoundFolder(copy.path).check()
    guard report.isSound else {
      report.tell()
      throw Failure("The city in \(data) is damaged: no backup was made. Look with: madang check \(data)")
    }
    files[DataFolder.storeName] = try Disk.describe(copy.store)
    try BackupRecord(takenAt: takenAt, report: report, files: files).write(in: copy.path)
    try copy.putInPlace()
    Terminal.print("backed up \(report.summary) to \(backup)")
  }
}

extension StoreReport {
  var summary: String {
    "\(counts.entities) entities, \(counts.instances) instances of history, \(counts.documents) documents"
      + ", \(counts.outboxItems) waiting notifications"
  }

  /// Prints the findings, a line each.
  func tell() {
    for finding in findings { Terminal.print(finding) }
    if unlisted > 0 { Terminal.print("… and \(unlisted) more findings.") }
  }
}
