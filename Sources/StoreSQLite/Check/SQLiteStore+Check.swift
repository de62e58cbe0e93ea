import Foundation
import GRDBSQLite
import NGSI
import Store

extension SQLiteStore {
  /// Version of the tables that this program writes.
  public static var currentVersion: Int { Schema.version }

  /// Whether a process has the store open.
  public static func isOpen(path: String) -> Bool { FileLock.isHeld(path + ".lock") }

  /// Checks a whole store without changing it; a city may be running on it.
  ///
  /// SQLite's own check comes first. Then every entity, document, history piece and arrival is decoded, and every index
  /// row, count and bound that follows from them is worked out anew and compared. A file of an older version is brought
  /// forward in a copy, in the folder for temporary files, and the copy is checked.
  ///
  /// - Parameters:
  ///   - progress: heard now and then.
  ///   - also: checks of what the store's owner keeps in it, on the same snapshot; gives findings.
  /// - Throws: ``StoreError/failed(_:)`` when there is nothing that can be checked: no file, no permission, a file of
  ///   another program, a newer version.
  public static func check(
    path: String, progress: @escaping (StoreProgress) -> Void = { _ in },
    also: (any StoreReader) throws -> [String] = { _ in [] }
  ) throws -> StoreReport {
    let (connection, lock) = try openForReading(path)
    defer {
      connection.close()
      lock?.release()
    }
    let version = try Schema.version(of: connection, at: path)
    guard version == Schema.version else {
      let folder = FileManager.default.temporaryDirectory.appending(path: "madang-check-\(UUID().uuidString)")
      do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
        throw StoreError.failed("cannot make \(folder.path), to bring a copy forward: \(error.localizedDescription)")
      }
      defer { try? FileManager.default.removeItem(at: folder) }
      let copy = folder.appending(path: "city.sqlite").path
      try SQLiteStore.copy(path: path, to: copy, progress: progress)
      try bringForward(path: copy)
      var report = try check(path: copy, progress: progress, also: also)
      report.version = version
      return report
    }
    let names = Names()
    let session = ReadSession(connection: connection, names: names, options: Options(), clock: systemTime)
    try session.beginSnapshot()
    defer { session.endSnapshot() }
    let checker = StoreChecker(session, progress: progress)
    checker.report.version = version
    do { try names.load(from: connection) } catch { checker.report.add("The names cannot be read: \(error).") }
    session.refreshNames()
    checker.run(also: also)
    return checker.report
  }

  /// Reads a store on one snapshot without changing it; a city may be running on it.
  ///
  /// - Throws: ``StoreError/failed(_:)`` when there is none, or one of another version; what the body throws.
  public static func read<Value>(path: String, _ body: (any StoreReader) throws -> Value) throws -> Value {
    let (connection, lock) = try openForReading(path)
    defer {
      connection.close()
      lock?.release()
    }
    let version = try Schema.version(of: connection, at: path)
    guard version == Schema.version else {
      throw StoreError.failed("\(path) has version \(version); the city brings it forward when it starts")
    }
    let names = Names()
    let session = ReadSession(connection: connection, names: names, options: Options(), clock: systemTime)
    try session.beginSnapshot()
    defer { session.endSnapshot() }
    try names.load(from: connection)
    session.refreshNames()
    return try body(session)
  }

  /// Brings a file that no city is running on to the newest version.
  public static func bringForward(path: String) throws {
    let lock = try FileLock(path + ".lock")
    defer { lock.release() }
    var options = Options()
    options.readers = 1
    let (writer, session) = try openWriter(path, options: options, names: Names(), now: systemTime)
    session.connection.finalizeStatements()
    do { try writer.close() } catch { throw StoreError.failed("cannot close \(path): \(error)") }
  }

  /// A read-only connection to a store that is there, with a reason that says what to do where that cannot be. Where no
  /// city runs, none starts until the lock is released.
  static func openForReading(_ path: String) throws(StoreError) -> (connection: Connection, lock: FileLock?) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw .failed(
        errno == ENOENT ? "there is no \(path)" : "cannot open \(path): \(String(cString: strerror(errno)))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .failed("\(path) is no file") }
    guard access(path, R_OK) == 0 else { throw .failed("\(path) may not be read: \(String(cString: strerror(errno)))") }
    guard status.st_size > 0 else { throw .failed("\(path) is empty") }
    let lock = FileLock.shared(path + ".lock")
    // With a log beside it the file is read as a city would read it.
    guard lock != nil || !isOpen(path: path), FileLock.size(of: path + "-wal") == 0 else {
      return (try Connection.reading(path), lock)
    }
    return (try Connection.readingStill(path), lock)
  }
}
