import Dispatch
import GRDBSQLite
import Store
import Synchronization

/// Copies the write-ahead log into the file, on a thread and a connection of its own, so that no write waits for it.
///
/// The log begins anew with the first write that finds all of it copied and no read using it.
final class Checkpointer: Sendable {
  private struct State {
    var isRunning = false
    var isClosed = false
    /// Frames that the log had when it was last copied.
    var copied = 0
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "store.checkpoint", qos: .utility)
  private let connection: LentConnection
  private let frames: Int

  /// - Parameter bytes: growth of the log that is worth copying.
  init(path: String, after bytes: Int) throws(StoreError) {
    connection = LentConnection(try Connection.writing(path))
    frames = max(1, bytes / 4096)
  }

  /// The log has so many frames (pages) after a commit.
  func logHas(_ count: Int) {
    let isDue = state.withLock { state in
      // The log has begun anew.
      if count < state.copied { state.copied = 0 }
      guard !state.isRunning, !state.isClosed, count - state.copied >= frames else { return false }
      state.isRunning = true
      state.copied = count
      return true
    }
    guard isDue else { return }
    queue.async { [self] in
      // A failure is no loss: the log stays as it is until the next time.
      sqlite3_wal_checkpoint_v2(connection.connection.handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
      state.withLock { $0.isRunning = false }
    }
  }

  /// Waits for what is under way.
  func close() {
    state.withLock { $0.isClosed = true }
    queue.sync { connection.connection.close() }
  }
}

/// `@unchecked Sendable`: only the checkpointer's serial queue uses it.
private final class LentConnection: @unchecked Sendable {
  let connection: Connection

  init(_ connection: Connection) { self.connection = connection }
}

extension Checkpointer {
  /// Hears of each commit of a connection. The checkpointer must live as long as the connection.
  func watch(_ connection: Connection) {
    sqlite3_wal_hook(connection.handle, committed, Unmanaged.passUnretained(self).toOpaque())
  }
}

/// At file scope: a C callback must belong to no actor.
private func committed(
  _ context: UnsafeMutableRawPointer?, _ database: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ frames: Int32
) -> Int32 {
  if let context { Unmanaged<Checkpointer>.fromOpaque(context).takeUnretainedValue().logHas(Int(frames)) }
  return SQLITE_OK
}
