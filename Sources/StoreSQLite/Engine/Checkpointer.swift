import Dispatch
import GRDBSQLite
import Store
import Synchronization

/// Copies the write-ahead log into the file, on a thread and a connection of its own, so that no write waits for it.
///
/// The log begins anew with the first write that finds all of it copied and no read using it. While writes go on there
/// is always a rest that is not; so when little is left, the writer itself copies that much.
final class Checkpointer: Sendable {
  private struct State {
    var isRunning = false
    var isClosed = false
    /// Frames (pages) in the log, and how many of them are copied.
    var frames = 0
    var copied = 0
    /// What is left is for the writer.
    var isNearlyDone = false
  }

  /// Frames that the writer copies in about 20 ms.
  private static let fewFrames = 2_000
  /// Most times that the log is gone through at once; each time less has come in the meantime.
  private static let mostRounds = 4

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "store.checkpoint", qos: .utility)
  private let connection: LentConnection
  private let step: Int

  /// - Parameter bytes: growth of the log that is worth copying.
  init(path: String, after bytes: Int) throws(StoreError) {
    let opened = try Connection.writing(path)
    // The log reaches the disk before the file is written, and the file before the log begins anew.
    try opened.execute("PRAGMA synchronous = FULL")
    // A connection knows of the log only once it has read.
    _ = try opened.value("SELECT count(*) FROM sqlite_schema")
    connection = LentConnection(opened)
    step = max(1, bytes / 4096)
  }

  /// The log has so many frames after a commit.
  fileprivate func logHas(_ count: Int) {
    let isDue = state.withLock { state in
      // The log has begun anew.
      if count < state.frames { (state.copied, state.isNearlyDone) = (0, false) }
      state.frames = count
      guard !state.isRunning, !state.isClosed, count - state.copied >= step else { return false }
      state.isRunning = true
      return true
    }
    if isDue { queue.async { self.run() } }
  }

  /// Frames in the log after the last commit.
  var frames: Int { state.withLock { $0.frames } }

  private func run() {
    for round in 1...Self.mostRounds {
      let copied = Self.copy(connection.connection.handle)
      let isDone = state.withLock { state in
        state.copied = copied ?? state.frames
        let left = state.frames - state.copied
        guard left <= Self.fewFrames || round == Self.mostRounds || copied == nil else { return false }
        state.isRunning = false
        state.isNearlyDone = left <= Self.fewFrames && copied != nil
        return true
      }
      if isDone { return }
    }
  }

  /// Copies the rest of the log if it is small; called by the writer between transactions.
  func finish(_ writer: Connection) {
    let isDue = state.withLock { state in
      defer { state.isNearlyDone = false }
      return state.isNearlyDone
    }
    guard isDue, let copied = Self.copy(writer.handle) else { return }
    state.withLock { $0.copied = copied }
  }

  /// Copies what no read holds back; gives the frames that are copied now. A failure is no loss: the log stays as it is
  /// until the next time.
  private static func copy(_ database: OpaquePointer) -> Int? {
    var copied: Int32 = 0
    let code = sqlite3_wal_checkpoint_v2(database, nil, SQLITE_CHECKPOINT_PASSIVE, nil, &copied)
    return code == SQLITE_OK && copied >= 0 ? Int(copied) : nil
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
