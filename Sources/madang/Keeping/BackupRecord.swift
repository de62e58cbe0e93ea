import Foundation
import NGSI
import StoreSQLite

/// `backup.json`: what a backup holds, so that it can be told whole from damaged.
struct BackupRecord: Codable {
  struct File: Codable, Equatable {
    var bytes: Int
    var sha256: String
  }

  static let name = "backup.json"
  private static let form = 1

  private var backup = form
  var program = "madang \(Madang.version)"
  /// RFC 3339, UTC.
  var takenAt: String
  /// Version of the store's tables.
  var storeVersion: Int
  var entities: Int
  var instances: Int
  /// By path below the folder.
  var files: [String: File]

  init(takenAt: DateTime, report: StoreReport, files: [String: File]) {
    self.takenAt = takenAt.description
    storeVersion = report.version
    entities = report.counts.entities
    instances = report.counts.instances
    self.files = files
  }

  /// The record of a folder; `nil` where there is none.
  static func read(in folder: String) throws(Failure) -> BackupRecord? {
    guard let data = FileManager.default.contents(atPath: folder + "/" + name) else { return nil }
    guard let record = try? JSONDecoder().decode(BackupRecord.self, from: data) else {
      throw Failure("\(folder)/\(name) is damaged: it does not tell what the backup holds.")
    }
    guard record.backup <= form else {
      throw Failure(
        "The backup \(folder) has form \(record.backup), made by \(record.program); this program knows forms up to \(form)."
      )
    }
    return record
  }

  func write(in folder: String) throws(Failure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let path = folder + "/" + Self.name
    do { try (encoder.encode(self) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path)) } catch {
      throw Failure("\(path) cannot be written: \(error.localizedDescription)")
    }
    try Disk.sync(path)
  }

  /// What differs between the record and the files of a folder, a sentence each.
  func differences(in folder: String) -> [String] {
    files.sorted { $0.key < $1.key }.compactMap { place, file in
      do throws(Failure) {
        let found = try Disk.describe(folder + "/" + place)
        if found.bytes != file.bytes {
          return "\(place) has \(found.bytes) bytes; the backup was made with \(file.bytes)."
        }
        return found == file ? nil : "\(place) is damaged: its hash is not that of the backup."
      } catch { return "\(error)" }
    }
  }
}
