import GRDBSQLite
import Store

// Why raw handles: a point read costs 5 µs through a cached statement and 15 µs through GRDB's `pool.read`
// (DESIGN, "What things cost here"); a page of 20 or a history of 40,000 rows is nothing but such steps.

/// A prepared statement with typed binding and columns. Belongs to one ``Connection``.
final class Statement {
  private let handle: OpaquePointer
  private unowned let connection: Connection

  init(_ sql: String, on connection: Connection) throws(StoreError) {
    var handle: OpaquePointer?
    let code = sqlite3_prepare_v3(connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
    guard code == SQLITE_OK, let handle else { throw connection.failure(code) }
    self.handle = handle
    self.connection = connection
  }

  func finalize() { sqlite3_finalize(handle) }

  /// Advances to the next row; false at the end.
  @inline(__always)
  func step() throws(StoreError) -> Bool {
    let code = sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    if code == SQLITE_DONE { return false }
    let failure = connection.failure(code)
    sqlite3_reset(handle)
    throw failure
  }

  /// Runs a statement that gives no rows, and makes it ready again.
  func run() throws(StoreError) {
    while try step() {}
    sqlite3_reset(handle)
  }

  func reset() { sqlite3_reset(handle) }
}

// MARK: - Parameters, numbered from 1

extension Statement {
  @discardableResult @inline(__always)
  func bind(_ position: Int32, _ value: Int64) -> Statement {
    sqlite3_bind_int64(handle, position, value)
    return self
  }

  @discardableResult @inline(__always)
  func bind(_ position: Int32, _ value: Int) -> Statement { bind(position, Int64(value)) }

  @discardableResult
  func bind(_ position: Int32, _ value: Int64?) -> Statement {
    if let value { return bind(position, value) }
    sqlite3_bind_null(handle, position)
    return self
  }

  @discardableResult
  func bind(_ position: Int32, _ value: Double) -> Statement {
    sqlite3_bind_double(handle, position, value)
    return self
  }

  @discardableResult
  func bind(_ position: Int32, _ value: String) -> Statement {
    var value = value
    value.withUTF8 { bytes in
      let start = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
      // An empty string may have no address, which SQLite would take for NULL.
      _ = sqlite3_bind_text64(
        handle, position, start ?? Statement.emptyText, UInt64(bytes.count), Statement.transient, UInt8(SQLITE_UTF8))
    }
    return self
  }

  /// Binds a text without a copy, for as long as the body runs; the statement is reset when it ends.
  func withBound<Value, Failure: Error>(
    _ position: Int32, _ value: String, _ body: (Statement) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    var value = value
    let result = value.withUTF8 { bytes in
      let start = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
      _ = sqlite3_bind_text64(
        handle, position, start ?? Statement.emptyText, UInt64(bytes.count), nil, UInt8(SQLITE_UTF8))
      defer {
        sqlite3_reset(handle)
        sqlite3_bind_null(handle, position)
      }
      return Result { () throws(Failure) in try body(self) }
    }
    return try result.get()
  }

  @discardableResult
  func bind(_ position: Int32, _ value: some Collection<UInt8>) -> Statement {
    let done: Void? = value.withContiguousStorageIfAvailable { bytes in
      guard let start = bytes.baseAddress, !bytes.isEmpty else {
        sqlite3_bind_zeroblob(handle, position, 0)
        return
      }
      sqlite3_bind_blob64(handle, position, start, UInt64(bytes.count), Statement.transient)
    }
    return done == nil ? bind(position, Array(value)) : self
  }

  /// Binds bytes as text, valid UTF-8 or not.
  @discardableResult
  func bind(_ position: Int32, text bytes: [UInt8]) -> Statement {
    bytes.withUnsafeBytes { bytes in
      let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      _ = sqlite3_bind_text64(
        handle, position, start ?? Statement.emptyText, UInt64(bytes.count), Statement.transient, UInt8(SQLITE_UTF8))
    }
    return self
  }

  @discardableResult
  func bindNull(_ position: Int32) -> Statement {
    sqlite3_bind_null(handle, position)
    return self
  }

  /// Tells SQLite to copy what is bound.
  private static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
  nonisolated(unsafe) private static let emptyText: UnsafePointer<CChar> = UnsafePointer(
    UnsafeMutablePointer<CChar>.allocate(capacity: 1).initialized(to: 0))
}

extension UnsafeMutablePointer {
  fileprivate func initialized(to value: Pointee) -> UnsafeMutablePointer {
    initialize(to: value)
    return self
  }
}

// MARK: - Columns, numbered from 0

extension Statement {
  @inline(__always)
  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  @inline(__always)
  func double(_ column: Int32) -> Double { sqlite3_column_double(handle, column) }

  @inline(__always)
  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

  func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

  func text(_ column: Int32) -> String {
    guard let start = sqlite3_column_text(handle, column) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, column))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }

  /// The bytes of a column; valid inside the body only.
  @inline(__always)
  func withBytes<Value, Failure: Error>(
    _ column: Int32, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let start = sqlite3_column_blob(handle, column)
    return try body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
  }

  func bytes(_ column: Int32) -> [UInt8] { withBytes(column) { Array($0) } }
}
