import ArgumentParser
import Foundation
import Hub
import Store
import StoreSQLite

/// The folder that holds a city's data.
struct DataFolder {
  /// The store, in every data folder.
  static let storeName = "city.sqlite"

  let path: String
  let isTemporary: Bool

  /// Makes the folder where it is missing; the disk knows of it before anything in it is acknowledged.
  init(path: String?) throws {
    isTemporary = path == nil
    self.path = path ?? NSTemporaryDirectory() + "madang-" + UUID().uuidString
    do {
      try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
      if !isTemporary { try Disk.sync(URL(fileURLWithPath: self.path).deletingLastPathComponent().path) }
    } catch let error as Failure {
      throw ValidationError("The data folder \(self.path) cannot be made durable: \(error)")
    } catch {
      throw ValidationError("The data folder \(self.path) cannot be made: \(error.localizedDescription)")
    }
  }

  var store: String { path + "/" + Self.storeName }

  func removeIfTemporary() {
    if isTemporary { try? FileManager.default.removeItem(atPath: path) }
  }
}

/// Why a command gives up, as a sentence.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// A data folder as it is found: the store, and whatever else lies in it.
struct FoundFolder {
  let path: String
  /// Paths below the folder of files other than the store's own, in order.
  private(set) var files: [String] = []
  /// Paths of what is neither a file nor a folder: such things are not copied.
  private(set) var others: [String] = []

  var store: String { path + "/" + DataFolder.storeName }

  /// - Throws: ``Failure`` when there is no such folder, or it holds no city.
  init(_ path: String) throws(Failure) {
    self.path = path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw Failure("There is no folder \(path).")
    }
    guard isFolder.boolValue else {
      throw Failure("\(path) is a file. Give the folder that holds the city's data, as in --data of madang up.")
    }
    try list("")
    guard FileManager.default.fileExists(atPath: store) else {
      throw Failure("The folder \(path) holds no city: there is no \(DataFolder.storeName) in it.")
    }
  }

  private mutating func list(_ below: String) throws(Failure) {
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: path + "/" + below) } catch {
      throw Failure("The folder \(path)/\(below) cannot be read: \(error.localizedDescription)")
    }
    for name in names.sorted() {
      let place = below.isEmpty ? name : below + "/" + name
      var status = stat()
      guard lstat(path + "/" + place, &status) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try list(place)
      case S_IFREG:
        if Self.isOfStore(place) || place == BackupRecord.name { continue }
        // A database that is copied byte by byte while it is written is none.
        guard !name.hasSuffix(".sqlite") else {
          throw Failure("\(path)/\(place) is a database that this program does not know; move it away first.")
        }
        files.append(place)
      default: others.append(place)
      }
    }
  }

  /// The store itself, and what SQLite and the lock keep beside it.
  private static func isOfStore(_ place: String) -> Bool {
    place.hasPrefix(DataFolder.storeName)
      && ["", "-wal", "-shm", "-journal", ".lock"].contains(place.dropFirst(DataFolder.storeName.count))
  }

  /// Checks the store whole. Notes go to the error stream.
  /// - Throws: ``Failure`` when there is nothing that can be checked.
  func check() throws(Failure) -> StoreReport {
    do {
      var notes: [String] = []
      let report = try SQLiteStore.check(path: store, progress: ProgressLines.teller()) { reader in
        let contents = try HubContents(reader)
        notes = contents.notes
        return contents.findings
      }
      for note in notes { Terminal.note(note) }
      return report
    } catch { throw Failure(storeFailure: error, path) }
  }
}

extension Failure {
  init(storeFailure error: any Error, _ path: String) {
    switch error {
    case let failure as Failure: self = failure
    case StoreError.full: self.init("No space is left on the disk of \(path).")
    case let error as StoreError: self.init("The city in \(path) cannot be used: \(error.reason).")
    default: self.init("The city in \(path) cannot be used: \(error).")
    }
  }
}
