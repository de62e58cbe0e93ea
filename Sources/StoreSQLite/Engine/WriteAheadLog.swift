import GRDBSQLite

/// Keeps the write-ahead log from growing without end.
///
/// SQLite begins the log anew only when no read is using it, and never makes the file smaller. Reads that always
/// overlap would let it grow for ever; so above the bound they wait for the moment that it takes.
struct WriteAheadLog: Sendable {
  let path: String
  let bound: Int
  let readers: ReaderPool

  /// - Parameter isIdle: no write is waiting, so that a quarter of the bound is reason enough.
  func limit(_ connection: Connection, isIdle: Bool) {
    let size = FileLock.size(of: path)
    guard size > (isIdle ? bound / 4 : bound) else { return }
    // Most of the work, beside the reads that go on.
    sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    // A failure is no loss: the log stays as it is until the next group.
    readers.pause { _ = sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil) }
  }
}
