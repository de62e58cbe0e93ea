import GRDBSQLite

/// Keeps the write-ahead log from growing without end.
///
/// SQLite begins the log anew only when all of it is copied and no read is using it. Reads that always overlap, or
/// writes that never pause, would let it grow for ever; so above the bound all wait for the moment that it takes. The
/// file keeps its size: to give 64 MB back costs a tenth of a second, and they will be needed again.
struct WriteAheadLog: Sendable {
  /// In frames (pages).
  let bound: Int
  let readers: ReaderPool
  let checkpointer: Checkpointer

  init(bound bytes: Int, readers: ReaderPool, checkpointer: Checkpointer) {
    bound = bytes / 4096
    self.readers = readers
    self.checkpointer = checkpointer
  }

  /// To be called before each group of writes.
  func groupBegins() { readers.writesBegin() }

  /// To be called after each group, whether it was committed or not.
  func groupHasEnded(_ connection: Connection) {
    limit(connection)
    readers.writesEnd()
  }

  private func limit(_ connection: Connection) {
    checkpointer.finish(connection)
    guard checkpointer.frames > bound else { return }
    // Most of the work, beside the reads that go on.
    sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    // A failure is no loss: the log stays as it is until the next group.
    readers.pause { _ = sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_RESTART, nil, nil) }
  }
}
