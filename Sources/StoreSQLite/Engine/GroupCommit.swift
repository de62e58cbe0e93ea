import Foundation
import GRDB
import Store
import Synchronization

/// A write that waits for its turn and then for its commit.
protocol PendingWrite: AnyObject, Sendable {
  /// Runs the body and keeps its value.
  func perform(in session: WriteSession) throws
  /// Resumes the caller with the value of the last ``perform(in:)``.
  func succeed()
  func fail(_ error: any Error)
}

/// `@unchecked Sendable`: the queue's lock hands it over; only the writer's thread touches `value`.
final class Write<Value: Sendable>: PendingWrite, @unchecked Sendable {
  private let body: @Sendable (any StoreWriter) throws -> Value
  private let continuation: CheckedContinuation<Value, any Error>
  private var value: Value?

  init(
    _ body: @escaping @Sendable (any StoreWriter) throws -> Value,
    _ continuation: CheckedContinuation<Value, any Error>
  ) {
    self.body = body
    self.continuation = continuation
  }

  func perform(in session: WriteSession) throws { value = try body(session) }

  func succeed() {
    if let value { continuation.resume(returning: value) } else { fail(StoreError.failed("a write gave no value")) }
  }

  func fail(_ error: any Error) { continuation.resume(throwing: error) }
}

/// The one writer: takes what is queued, runs it in one transaction, syncs once, then answers.
///
/// Writes that arrive while a commit waits for the disk make the next group, so a lone client is not delayed and many
/// clients share a sync.
final class GroupCommit: Sendable {
  private struct State {
    var queue = Deque<any PendingWrite>()
    var isDraining = false
    var isClosed = false
    var commits = 0
    var writes = 0
  }

  private let state = Mutex(State())
  private let writer: DatabaseQueue
  private let session: WriteSession
  private let log: WriteAheadLog
  private let options: SQLiteStore.Options

  init(writer: DatabaseQueue, session: WriteSession, log: WriteAheadLog, options: SQLiteStore.Options) {
    self.writer = writer
    self.session = session
    self.log = log
    self.options = options
  }

  var figures: (commits: Int, writes: Int, queued: Int) {
    state.withLock { ($0.commits, $0.writes, $0.queue.count) }
  }

  func submit(_ write: any PendingWrite) {
    let refusal: StoreError? = state.withLock { state in
      if state.isClosed { return .closed }
      if state.queue.count >= options.queueBound { return .busy }
      state.queue.append(write)
      if !state.isDraining {
        state.isDraining = true
        schedule()
      }
      return nil
    }
    if let refusal { write.fail(refusal) }
  }

  /// Takes no more writes; returns when all accepted ones are answered.
  func close() async {
    state.withLock { $0.isClosed = true }
    // The writer's queue is serial: this runs after the drain that is under way or scheduled.
    await withCheckedContinuation { continuation in
      writer.asyncWriteWithoutTransaction { _ in
        self.drain()
        continuation.resume()
      }
    }
  }

  /// Closes the connection; nothing may be submitted after it.
  func finish() {
    writer.writeWithoutTransaction { _ in session.connection.finalizeStatements() }
    _ = try? writer.close()
  }

  private func schedule() { writer.asyncWriteWithoutTransaction { _ in self.drain() } }

  private func drain() {
    while true {
      if runGroup() {
        log.groupHasEnded(session.connection)
        continue
      }
      let isDone = state.withLock { state in
        if state.queue.isEmpty { state.isDraining = false }
        return state.queue.isEmpty
      }
      if isDone { return }
    }
  }

  private func next() -> (any PendingWrite)? { state.withLock { $0.queue.popFirst() } }

  /// Runs, commits and answers one group; false when nothing is queued.
  private func runGroup() -> Bool {
    guard var write = next() else { return false }
    var group: [any PendingWrite] = []
    var failures: [Int: any Error] = [:]
    log.groupBegins()
    do {
      do { try session.beginGroup() } catch {
        group.append(write)
        throw error
      }
      let end = ContinuousClock.now + .seconds(options.groupTime)
      while true {
        group.append(write)
        if let failure = try run(write) { failures[group.count - 1] = failure }
        guard group.count < options.groupLimit, ContinuousClock.now < end, let following = next() else { break }
        write = following
      }
      let after = try session.commitGroup()
      let count = group.count - failures.count
      state.withLock { state in
        state.commits += 1
        state.writes += count
      }
      for body in after { body() }
      for (position, write) in group.enumerated() {
        if let failure = failures[position] { write.fail(failure) } else { write.succeed() }
      }
    } catch {
      // Even a write that had refused by itself may have judged by what a neighbour wrote and is gone now.
      session.rollbackGroup()
      for write in group { write.fail(error) }
    }
    return true
  }

  /// Runs one body. Returns the error it threw, with its changes undone; throws when the whole group is lost.
  private func run(_ write: any PendingWrite) throws(StoreError) -> (any Error)? {
    session.beginBody()
    do {
      try write.perform(in: session)
      if let fatal = session.connection.fatal { throw fatal }
      try session.endBody()
      return nil
    } catch {
      if let fatal = session.connection.fatal { throw fatal }
      try session.undoBody()
      return error
    }
  }
}

/// A first-in first-out queue over an array.
struct Deque<Element> {
  private var items: [Element?] = []
  private var head = 0

  var count: Int { items.count - head }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ item: Element) { items.append(item) }

  mutating func popFirst() -> Element? {
    guard head < items.count else { return nil }
    defer {
      items[head] = nil
      head += 1
      if head == items.count {
        items.removeAll(keepingCapacity: head <= 1024)
        head = 0
      } else if head >= 1024, head * 2 >= items.count {
        items.removeFirst(head)
        head = 0
      }
    }
    return items[head]
  }
}
