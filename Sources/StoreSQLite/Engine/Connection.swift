import Foundation
import GRDBSQLite
import Store

/// One SQLite connection with its prepared statements. Used by one thread at a time.
final class Connection {
  /// How long a statement waits for another connection's lock.
  static let busyMilliseconds: Int32 = 5000

  let handle: OpaquePointer
  private var statements = [Statement?](repeating: nil, count: SQL.allCases.count)
  /// The first failure of this transaction after which nothing of it may be kept.
  var fatal: StoreError?

  /// Takes a handle that someone else opened and closes.
  init(handle: OpaquePointer) { self.handle = handle }

  /// Opens a read-only connection.
  static func reading(_ path: String) throws(StoreError) -> Connection {
    try open(path, SQLITE_OPEN_READONLY)
  }

  /// Opens a connection to a file that nobody writes: no lock is taken and no file is made beside it.
  static func readingStill(_ path: String) throws(StoreError) -> Connection {
    var allowed = CharacterSet.urlPathAllowed
    allowed.remove("?")
    let name = path.addingPercentEncoding(withAllowedCharacters: allowed) ?? path
    return try open("file:\(name)?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI)
  }

  /// Opens a connection to a file that is there.
  static func writing(_ path: String) throws(StoreError) -> Connection {
    try open(path, SQLITE_OPEN_READWRITE)
  }

  /// Opens a connection to a new file.
  static func creating(_ path: String) throws(StoreError) -> Connection {
    try open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
  }

  private static func open(_ path: String, _ flags: Int32) throws(StoreError) -> Connection {
    var handle: OpaquePointer?
    // One thread at a time has a connection, so SQLite need not lock for itself.
    let code = sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX, nil)
    guard code == SQLITE_OK, let handle else {
      sqlite3_close_v2(handle)
      throw .failed("cannot open \(path): \(String(cString: sqlite3_errstr(code)))")
    }
    sqlite3_busy_timeout(handle, busyMilliseconds)
    return Connection(handle: handle)
  }

  /// The statement, prepared once and ready to bind.
  @inline(__always)
  func statement(_ sql: SQL) throws(StoreError) -> Statement {
    if let statement = statements[sql.rawValue] {
      statement.reset()
      return statement
    }
    let statement = try Statement(sql.text, on: self)
    statements[sql.rawValue] = statement
    return statement
  }

  /// Runs statements that are needed once.
  func execute(_ sql: String) throws(StoreError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw failure(code) }
  }

  /// The single value of a statement that is needed once.
  func value(_ sql: String) throws(StoreError) -> String {
    let statement = try Statement(sql, on: self)
    defer { statement.finalize() }
    return try statement.step() ? statement.text(0) : ""
  }

  func finalizeStatements() {
    for position in statements.indices {
      statements[position]?.finalize()
      statements[position] = nil
    }
  }

  func close() {
    finalizeStatements()
    sqlite3_close_v2(handle)
  }

  var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(handle) }

  /// Rows that the last statement changed.
  var lastChanges: Int { Int(sqlite3_changes(handle)) }

  /// Outside of any transaction.
  var isAutocommit: Bool { sqlite3_get_autocommit(handle) != 0 }

  func failure(_ code: Int32) -> StoreError {
    let error: StoreError =
      code & 0xFF == SQLITE_FULL ? .full : .failed("SQLite: \(String(cString: sqlite3_errmsg(handle))) (\(code))")
    if code & 0xFF != SQLITE_CONSTRAINT, fatal == nil { fatal = error }
    return error
  }
}
