import Dispatch
import Store
import Synchronization

/// Read connections, given to one thread at a time; a thread waits when all are in use.
///
/// Between two groups of writes nothing changes, so that a connection keeps its snapshot from one read to the next:
/// to take one costs as much as to find an entity. While a group is written none is kept, and the write-ahead log finds
/// no reader that holds it back.
final class ReaderPool: Sendable {
  private struct State {
    var idle: [ReadSession]
    var isClosed = false
    /// Grows when a group of writes begins and when it has ended: odd in between.
    var turn = 0

    var isWriting: Bool { turn & 1 == 1 }
  }

  /// Reads after which a snapshot is taken anew, though nothing has changed: the log may have been copied meanwhile.
  private static let longest = 256

  private let state: Mutex<State>
  private let free: DispatchSemaphore
  private let size: Int

  init(_ sessions: [ReadSession]) {
    state = Mutex(State(idle: sessions))
    size = sessions.count
    free = DispatchSemaphore(value: sessions.count)
  }

  /// Runs a read whose statements all see the same moment.
  func read<Value>(_ body: (any StoreReader) throws -> Value) throws -> Value {
    try use(asOneMoment: true) { session in try body(session) }
  }

  /// Runs a read of one statement, which sees one moment without a transaction around it.
  func readOnce<Value>(_ body: (ReadSession) throws -> Value) throws -> Value {
    try use(asOneMoment: false, body)
  }

  private func use<Value>(asOneMoment: Bool, _ body: (ReadSession) throws -> Value) throws -> Value {
    free.wait()
    defer { free.signal() }
    let taken = state.withLock { state -> (session: ReadSession, turn: Int, mayKeep: Bool)? in
      guard !state.isClosed, let session = state.idle.popLast() else { return nil }
      return (session, state.turn, !state.isWriting)
    }
    guard let (session, turn, mayKeep) = taken else { throw StoreError.closed }
    var keeps = false
    defer { giveBack(session, keeps: keeps, since: turn) }
    if mayKeep || asOneMoment { try session.beginSnapshot() }
    // Names first: a name that is committed in between is found in the file.
    session.refreshNames()
    let value = try body(session)
    keeps = mayKeep && session.reads < Self.longest
    return value
  }

  private func giveBack(_ session: ReadSession, keeps: Bool, since turn: Int) {
    let isBack = state.withLock { state in
      guard keeps, state.turn == turn else { return false }
      state.idle.append(session)
      return true
    }
    guard !isBack else { return }
    session.endSnapshot()
    state.withLock { $0.idle.append(session) }
  }

  /// A group of writes begins: snapshots that are kept are let go.
  func writesBegin() {
    state.withLock { state in
      if !state.isWriting { state.turn += 1 }
      for session in state.idle { session.endSnapshot() }
    }
  }

  /// All that the group wrote is committed.
  func writesEnd() { state.withLock { if $0.isWriting { $0.turn += 1 } } }

  /// Runs the body while no read is under way; reads that come meanwhile wait.
  func pause(_ body: () -> Void) {
    for _ in 0..<size { free.wait() }
    body()
    for _ in 0..<size { free.signal() }
  }

  /// Waits for reads that are under way, then closes the connections.
  func close() {
    state.withLock { $0.isClosed = true }
    pause {
      for session in state.withLock({ $0.idle }) { session.connection.close() }
      state.withLock { $0.idle = [] }
    }
  }
}
