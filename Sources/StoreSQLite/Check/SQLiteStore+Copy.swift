import Foundation
import GRDBSQLite
import Store

extension SQLiteStore {
  /// Pages that are copied before progress is told.
  private static let copyStep: Int32 = 2048

  /// Copies a store as it is at one moment into a new file, through a connection of its own, while a city may go on
  /// writing. The new file is synced to disk and needs no write-ahead log beside it.
  ///
  /// All is read in one transaction: SQLite's backup would begin anew with each write of another connection, and never
  /// end on a busy city. Until it ends the write-ahead log cannot begin anew, and grows with what is written.
  ///
  /// - Throws: ``StoreError/full`` when there is no space; ``StoreError/failed(_:)`` when the store cannot be read or the
  ///   new file is there already or cannot be written.
  public static func copy(
    path: String, to copy: String, progress: (StoreProgress) -> Void = { _ in }
  ) throws(StoreError) {
    guard access(copy, F_OK) != 0 else { throw .failed("\(copy) is there already") }
    let (source, lock) = try openForReading(path)
    defer {
      source.close()
      lock?.release()
    }
    // A damaged or foreign file is refused before anything is written.
    _ = try Schema.version(of: source, at: path)
    try source.execute("BEGIN")
    _ = try source.value("SELECT count(*) FROM sqlite_schema")
    let target = try Connection.creating(copy)
    do throws(StoreError) {
      // The file is synced once, at the end: before that nobody takes it for a copy.
      try target.execute("PRAGMA synchronous = OFF")
      guard let backup = sqlite3_backup_init(target.handle, "main", source.handle, "main") else {
        throw target.failure(sqlite3_errcode(target.handle))
      }
      var code = SQLITE_OK
      while code == SQLITE_OK {
        code = sqlite3_backup_step(backup, copyStep)
        let total = Int(sqlite3_backup_pagecount(backup))
        progress(
          StoreProgress(stage: "copying", done: total - Int(sqlite3_backup_remaining(backup)), total: total))
      }
      sqlite3_backup_finish(backup)
      guard code == SQLITE_DONE else { throw target.failure(code) }
    } catch {
      target.close()
      unlink(copy)
      unlink(copy + "-journal")
      throw error
    }
    target.close()
    try sync(copy)
  }

  private static func sync(_ path: String) throws(StoreError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .failed("cannot open \(path): \(String(cString: strerror(errno)))") }
    defer { Foundation.close(descriptor) }
    guard fsync(descriptor) == 0 else {
      throw errno == ENOSPC ? .full : .failed("cannot sync \(path): \(String(cString: strerror(errno)))")
    }
  }
}
