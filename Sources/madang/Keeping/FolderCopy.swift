import Foundation
import Store
import StoreSQLite

/// A folder that is filled under a name of its own and then put in place, whole or not at all.
struct FolderCopy {
  let target: String
  /// Where it is filled: beside the target, on the same disk.
  let path: String

  var store: String { path + "/" + DataFolder.storeName }

  /// - Throws: ``Failure`` when the folder cannot be made.
  init(for target: String) throws(Failure) {
    var trimmed = target
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    self.target = trimmed
    let url = URL(fileURLWithPath: trimmed)
    path = url.deletingLastPathComponent().appendingPathComponent(".\(url.lastPathComponent).\(getpid()).partial").path
    guard mkdir(path, 0o700) == 0 else { throw Failure(system: path) }
  }

  /// Copies the store at one moment, and every other file.
  func fill(from source: FoundFolder) throws(Failure) -> [String: BackupRecord.File] {
    do throws(StoreError) {
      try SQLiteStore.copy(path: source.store, to: store, progress: ProgressLines.teller())
    } catch { throw Failure(storeFailure: error, error == .full ? target : source.path) }
    var files: [String: BackupRecord.File] = [:]
    for place in source.files {
      let copy = path + "/" + place
      do {
        try FileManager.default.createDirectory(
          atPath: URL(fileURLWithPath: copy).deletingLastPathComponent().path, withIntermediateDirectories: true)
      } catch { throw Failure("\(copy) cannot be made: \(error.localizedDescription)") }
      files[place] = try Disk.copy(source.path + "/" + place, to: copy)
    }
    for other in source.others { Terminal.note("\(source.path)/\(other) is neither a file nor a folder: left out") }
    return files
  }

  /// Puts it in place of nothing, or of an empty folder.
  func putInPlace() throws(Failure) {
    for name in ["-wal", "-shm", ".lock"] { unlink(store + name) }
    if let folders = FileManager.default.enumerator(atPath: path) {
      for case let place as String in folders {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path + "/" + place, isDirectory: &isFolder), isFolder.boolValue {
          try Disk.sync(path + "/" + place)
        }
      }
    }
    try Disk.sync(path)
    guard rename(path, target) == 0 else { throw Failure(system: target) }
    try Disk.sync(URL(fileURLWithPath: target).deletingLastPathComponent().path)
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// Tells of long work on the error stream, at most every two seconds.
enum ProgressLines {
  /// What one piece of work reports to.
  static func teller() -> (StoreProgress) -> Void {
    var last = ContinuousClock.now
    return { progress in
      let now = ContinuousClock.now
      guard now - last > .seconds(2), progress.total > 0 else { return }
      last = now
      Terminal.note("\(progress.stage): \(progress.done * 100 / progress.total) % of \(progress.total)")
    }
  }
}
