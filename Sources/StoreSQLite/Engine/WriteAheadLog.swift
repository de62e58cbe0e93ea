import GRDBSQLite
import Synchronization

/// Keeps the write-ahead log from growing without end.
///
/// SQLite begins the log anew only when all of it is copied and no read is using it. Reads that always overlap, or
/// writes that never pause, would let it grow for ever; so above the bound all wait for the moment that it takes. The
/// file keeps its size: to give 64 MB back costs a tenth of a second, and they will be needed again.
///
/// A reader of another process (a backup, a check) cannot be paused: while it holds its snapshot the log grows on.
final class WriteAheadLog: Sendable {
  /// Milliseconds that all wait for readers of other processes, and seconds until that is tried again.
  private static let patience: Int32 = 20
  private static let pause = Duration.seconds(1)

  /// In frames (pages).
  private let bound: Int
  private let readers: ReaderPool
  private let checkpointer: Checkpointer
  private let notBefore = Mutex<ContinuousClock.Instant?>(nil)

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
    if let time = notBefore.withLock({ $0 }), ContinuousClock.now < time { return }
    // Most of the work, beside the reads that go on.
    sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    var code = SQLITE_OK
    sqlite3_busy_timeout(connection.handle, Self.patience)
    readers.pause { code = sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_RESTART, nil, nil) }
    sqlite3_busy_timeout(connection.handle, Connection.busyMilliseconds)
    // A failure is no loss: the log stays as it is until the next time.
    notBefore.withLock { $0 = code == SQLITE_OK ? nil : ContinuousClock.now + Self.pause }
  }
}
