import ArgumentParser
import Foundation
import StoreSQLite

struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Makes a data folder out of a backup, checked before and after.",
    discussion: """
      Takes backups and data folders of this and every earlier version; the store is brought to the version of this \
      program. The data folder must not be there yet, or be empty.
      """)

  @Argument(help: "The backup, or the data folder of a stopped city.", completion: .directory)
  var backup: String

  @Argument(help: "The data folder to be made.", completion: .directory)
  var data: String

  func run() throws {
    let source = try FoundFolder(backup)
    try requireEmptyTarget()
    if let record = try BackupRecord.read(in: backup) {
      let differences = record.differences(in: backup)
      guard differences.isEmpty else {
        for difference in differences { Terminal.print(difference) }
        throw Failure("The backup \(backup) is damaged: nothing was restored.")
      }
    } else {
      Terminal.note("\(backup) has no \(BackupRecord.name): its files are checked, but not held against their hashes")
    }
    let copy = try FolderCopy(for: data)
    defer { copy.remove() }
    _ = try copy.fill(from: source)
    let found = try FoundFolder(copy.path)
    try refuse(try found.check())
    do { try SQLiteStore.bringForward(path: copy.store) } catch { throw Failure(storeFailure: error, data) }
    let report = try found.check()
    try refuse(report)
    try Disk.sync(copy.store)
    try copy.putInPlace()
    Terminal.print("restored \(report.summary) to \(data)")
  }

  private func requireEmptyTarget() throws(Failure) {
    if SQLiteStore.isOpen(path: data + "/" + DataFolder.storeName) {
      throw Failure("A city is running on \(data). Stop it, and name another folder: nothing is overwritten.")
    }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: data, isDirectory: &isFolder) else { return }
    guard isFolder.boolValue else { throw Failure("\(data) is a file; name a folder that is not there yet.") }
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: data) } catch {
      throw Failure("The folder \(data) cannot be read: \(error.localizedDescription)")
    }
    guard names.isEmpty else {
      throw Failure("The folder \(data) is not empty; name one that is not there yet. Nothing is overwritten.")
    }
  }

  private func refuse(_ report: StoreReport) throws(Failure) {
    guard !report.isSound else { return }
    report.tell()
    throw Failure("The backup \(backup) is damaged: nothing was restored.")
  }
}
