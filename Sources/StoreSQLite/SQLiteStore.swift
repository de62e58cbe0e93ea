import Foundation
import GRDB
import NGSI
import Query
import Store
import Synchronization

/// A city's store in one SQLite file.
///
/// One connection writes, with group commit; a few read, each on a snapshot of the write-ahead log. One process at a
/// time may have the file open.
///
/// ```swift
/// let store = try SQLiteStore(path: "city.db")
/// try await store.write { try $0.put(entity, replacing: nil, in: .default) }
/// let found = try store.read { try $0.entity(entity.id, in: .default) }
/// ```
public final class SQLiteStore: Store {
  private let path: String
  private let options: Options
  private let lock: FileLock
  private let writer: DatabaseQueue
  private let groups: GroupCommit
  private let readers: ReaderPool
  private let checkpointer: Checkpointer
  private let closing = Mutex(false)

  /// Opens the file, and makes it where there is none.
  /// - Parameter now: the clock that tells whether an entity has expired.
  /// - Throws: ``StoreError/failed(_:)`` when the file cannot be used or another process has it open.
  public init(
    path: String, options: Options = Options(), now: @escaping @Sendable () -> DateTime = SQLiteStore.systemTime
  ) throws {
    self.path = path
    self.options = options
    lock = try FileLock(path + ".lock")
    let names = Names()
    let (writer, session) = try Self.openWriter(path, options: options, names: names, now: now)
    self.writer = writer
    var sessions: [ReadSession] = []
    for _ in 0..<max(1, options.readers) {
      let connection = try Connection.reading(path)
      try connection.execute("PRAGMA cache_size = -\(options.readerCache)")
      try connection.execute("PRAGMA mmap_size = \(options.mappedBytes)")
      sessions.append(ReadSession(connection: connection, names: names, options: options, clock: now))
    }
    readers = ReaderPool(sessions)
    checkpointer = try Checkpointer(path: path, after: options.walStep)
    checkpointer.watch(session.connection)
    let log = WriteAheadLog(bound: options.walBound, readers: readers, checkpointer: checkpointer)
    groups = GroupCommit(writer: writer, session: session, log: log, options: options)
  }

  static func openWriter(
    _ path: String, options: Options, names: Names, now: @escaping @Sendable () -> DateTime
  ) throws -> (DatabaseQueue, WriteSession) {
    do {
      var configuration = Configuration()
      configuration.label = "store.writer"
      configuration.busyMode = .timeout(Double(Connection.busyMilliseconds) / 1000)
      let writer = try DatabaseQueue(path: path, configuration: configuration)
      let session = try writer.writeWithoutTransaction { database in
        try Schema.requireKnown(database)
        try prepare(database, options: options)
        try Schema.migrate(database)
        guard let handle = database.sqliteConnection else { throw StoreError.failed("the file \(path) is not open") }
        let connection = Connection(handle: handle)
        try names.load(from: connection)
        return WriteSession(connection: connection, names: names, options: options, clock: now)
      }
      return (writer, session)
    } catch let error as DatabaseError {
      throw StoreError.failed("cannot open \(path): \(error.message ?? error.description)")
    }
  }

  /// Sets how the writer's connection works, and asserts what durability rests on.
  private static func prepare(_ database: Database, options: Options) throws {
    try database.execute(sql: "PRAGMA journal_mode = WAL")
    try database.execute(sql: "PRAGMA synchronous = FULL")
    try database.execute(sql: "PRAGMA cache_size = -\(options.writerCache)")
    try database.execute(sql: "PRAGMA temp_store = MEMORY")
    try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
    let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode")
    let synchronous = try Int.fetchOne(database, sql: "PRAGMA synchronous")
    guard mode == "wal", synchronous == 2 else {
      throw StoreError.failed(
        "the store needs journal_mode wal and synchronous 2 (FULL), found \(mode ?? "?") and \(synchronous ?? -1)")
    }
  }

  public func read<Value>(_ body: (any StoreReader) throws -> Value) throws -> Value { try readers.read(body) }

  public func entity(_ id: String, in tenant: Tenant) throws -> Entity? {
    try readers.readOnce { try $0.entity(id, in: tenant) }
  }

  public func write(
    _ id: String, in tenant: Tenant, at time: DateTime, as form: EntityWriter, under visibility: EntityVisibility?,
    embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws -> Bool {
    try readers.readOnce { session in
      try session.write(
        id, in: tenant, at: time, as: form, under: visibility, embeddedContext: embeddedContext, to: &writer)
    }
  }

  public func write<Value: Sendable>(_ body: @escaping @Sendable (any StoreWriter) throws -> Value) async throws
    -> Value
  {
    try await withCheckedThrowingContinuation { continuation in groups.submit(Write(body, continuation)) }
  }

  public var statistics: StoreStatistics {
    let figures = groups.figures
    var statistics = StoreStatistics()
    statistics.commits = figures.commits
    statistics.writes = figures.writes
    statistics.queuedWrites = figures.queued
    statistics.queueBound = options.queueBound
    statistics.fileBytes = FileLock.size(of: path)
    statistics.walBytes = FileLock.size(of: path + "-wal")
    return statistics
  }

  public func close() async {
    let isFirst = closing.withLock { closing in
      defer { closing = true }
      return !closing
    }
    await groups.close()
    guard isFirst else { return }
    readers.close()
    checkpointer.close()
    groups.finish()
    lock.release()
  }
}
