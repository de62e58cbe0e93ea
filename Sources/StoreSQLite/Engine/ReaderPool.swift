import Dispatch
import Store
import Synchronization

/// Read connections, given to one thread at a time; a thread waits when all are in use.
final class ReaderPool: Sendable {
  private let idle: Mutex<[ReadSession]>
  private let free: DispatchSemaphore
  private let size: Int
  private let isClosed = Mutex(false)

  init(_ sessions: [ReadSession]) {
    idle = Mutex(sessions)
    size = sessions.count
    free = DispatchSemaphore(value: sessions.count)
  }

  /// Runs a read whose statements all see the same moment.
  func read<Value>(_ body: (any StoreReader) throws -> Value) throws -> Value {
    try readOnce { session in
      try session.connection.statement(.begin).run()
      defer { _ = try? session.connection.statement(.commit).run() }
      return try body(session)
    }
  }

  /// Runs a read of one statement, which sees one moment without a transaction around it.
  func readOnce<Value>(_ body: (ReadSession) throws -> Value) throws -> Value {
    free.wait()
    defer { free.signal() }
    guard !isClosed.withLock({ $0 }), let session = idle.withLock({ $0.popLast() }) else { throw StoreError.closed }
    defer { idle.withLock { $0.append(session) } }
    // Names first: a name that is committed in between is found in the file.
    session.refreshNames()
    return try body(session)
  }

  /// Runs the body while no read is under way; reads that come meanwhile wait.
  func pause(_ body: () -> Void) {
    for _ in 0..<size { free.wait() }
    body()
    for _ in 0..<size { free.signal() }
  }

  /// Waits for reads that are under way, then closes the connections.
  func close() {
    isClosed.withLock { $0 = true }
    pause {
      for session in idle.withLock({ $0 }) { session.connection.close() }
      idle.withLock { $0 = [] }
    }
  }
}
