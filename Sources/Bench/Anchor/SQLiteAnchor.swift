import Foundation
import GRDBSQLite
import NIOCore

/// The storage floor: the same entities in a plain SQLite table, with the hub's durability and nothing else.
///
/// WAL and `synchronous=FULL`; a write transaction holds as many entities as the hub could commit together: one per
/// client, or a batch. What is measured is the calling thread.
final class SQLiteAnchor {
  private let path: String
  private var handle: OpaquePointer?
  private let seed: UInt64
  private var size = 0
  /// Made beforehand, so that writing them as JSON is not measured.
  private let documents: [String]

  /// Makes a database in the folder.
  init(folder: String, seed: UInt64) throws(BenchError) {
    path = folder + "/bench-anchor-\(getpid()).sqlite"
    self.seed = seed
    documents = (0..<256).map { Device(index: $0, seed: seed).json() }
    guard
      sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nil) == SQLITE_OK
    else {
      sqlite3_close_v2(handle)
      throw BenchError("raw SQLite cannot make \(path)")
    }
    try execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;")
    try execute(
      """
      CREATE TABLE entity(pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, level REAL, lot TEXT, document BLOB NOT NULL);
      CREATE INDEX entity_level ON entity(level);
      CREATE INDEX entity_lot ON entity(lot);
      """)
  }

  func close() {
    for statement in statements.values { sqlite3_finalize(statement) }
    sqlite3_close_v2(handle)
    for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
  }

  /// Adds entities up to this number.
  func grow(to size: Int) throws(BenchError) {
    while self.size < size {
      let end = min(size, self.size + 1000)
      try transaction { () throws(BenchError) in
        for index in self.size..<end { try insert(Device(index: index, seed: seed)) }
      }
      self.size = end
    }
  }

  /// Measures an operation for some seconds; one operation more is run before.
  func measure(_ operation: HubOperation, clients: Int, seconds: Double) throws(BenchError) -> Figures {
    let requests = Requests(host: "", size: size, seed: seed)
    let entities = operation == .batch ? HubOperation.batchSize : operation.isWrite ? clients : 1
    let perRun = operation.isWrite && operation != .batch ? clients : 1
    var times: [Int64] = []
    var number = 0
    try run(operation, requests, number, entities)
    let begin = NIODeadline.now()
    let processorBegin = ProcessClock.thisThread()
    var now = begin
    while now - begin < .nanoseconds(Int64(seconds * 1e9)) {
      number += 1
      try run(operation, requests, number, entities)
      let end = NIODeadline.now()
      times.append((end - now).nanoseconds)
      now = end
    }
    let processor = ProcessClock.thisThread() - processorBegin
    if operation == .create { try execute("DELETE FROM entity WHERE pk > \(size)") }
    return Figures(
      seconds: Double((now - begin).nanoseconds) / 1e9, operations: times.count * perRun, processorTime: processor,
      latencies: Latencies(times))
  }

  /// Runs the operation once, over so many entities in one transaction when it writes.
  private func run(_ operation: HubOperation, _ requests: Requests, _ number: Int, _ entities: Int) throws(BenchError) {
    let pick = Int(Device.mix(seed &+ UInt64(number)) % UInt64(size))
    switch operation {
    case .get: try read("SELECT document FROM entity WHERE id = ?1", [.text(Device(index: pick, seed: seed).id)])
    case .page:
      try read("SELECT document FROM entity ORDER BY pk LIMIT 20 OFFSET ?1", [.number(Double(pick % 980))])
    case .range:
      let (low, high) = requests.range(number)
      try read(
        "SELECT document FROM entity WHERE level >= ?1 AND level < ?2 ORDER BY pk LIMIT 20",
        [.number(low), .number(high)])
    case .text:
      let lot = Device.lot(pick % (size / Device.perLot))
      try read("SELECT document FROM entity WHERE lot = ?1 ORDER BY pk LIMIT 20", [.text(lot)])
    case .patch, .batch:
      let devices = (0..<entities).map { Device(index: (pick + $0 * 37) % size, seed: seed) }
      try transaction { () throws(BenchError) in
        for device in devices { try update(device, reading: number) }
      }
    case .create:
      try transaction { () throws(BenchError) in
        for offset in 0..<entities { try insert(Device(index: size + number * entities + offset, seed: seed)) }
      }
    }
  }

  private func insert(_ device: Device) throws(BenchError) {
    try run(
      "INSERT INTO entity(pk, id, level, lot, document) VALUES (?1, ?2, ?3, ?4, ?5)",
      [
        .number(Double(device.index + 1)), .text(device.id), .number(device.level), .text(device.lot),
        .text(documents[device.index % documents.count]),
      ])
  }

  private func update(_ device: Device, reading: Int) throws(BenchError) {
    try run(
      "UPDATE entity SET document = ?2 WHERE id = ?1",
      [.text(device.id), .text(documents[(device.index + reading) % documents.count])])
  }

  // MARK: Statements

  private enum Value {
    case number(Double)
    case text(String)
  }

  private var statements: [String: OpaquePointer] = [:]

  private func prepared(_ sql: String, _ values: [Value]) throws(BenchError) -> OpaquePointer {
    var statement = statements[sql]
    if statement == nil {
      guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else { throw failure() }
      statements[sql] = statement
    }
    guard let statement else { throw failure() }
    // Makes SQLite copy what is bound: SQLITE_TRANSIENT, which C spells as a cast that Swift does not import.
    let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    for (index, value) in values.enumerated() {
      switch value {
      case .number(let number): sqlite3_bind_double(statement, Int32(index + 1), number)
      case .text(let text): sqlite3_bind_text(statement, Int32(index + 1), text, Int32(text.utf8.count), copies)
      }
    }
    return statement
  }

  /// Steps over all rows and touches their documents.
  private func read(_ sql: String, _ values: [Value]) throws(BenchError) {
    let statement = try prepared(sql, values)
    defer { sqlite3_reset(statement) }
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW: _ = sqlite3_column_blob(statement, 0)
      case SQLITE_DONE: return
      default: throw failure()
      }
    }
  }

  private func run(_ sql: String, _ values: [Value]) throws(BenchError) {
    let statement = try prepared(sql, values)
    defer { sqlite3_reset(statement) }
    guard sqlite3_step(statement) == SQLITE_DONE else { throw failure() }
  }

  private func transaction(_ body: () throws(BenchError) -> Void) throws(BenchError) {
    try execute("BEGIN IMMEDIATE")
    try body()
    try execute("COMMIT")
  }

  private func execute(_ sql: String) throws(BenchError) {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw failure() }
  }

  private func failure() -> BenchError { BenchError("raw SQLite: \(String(cString: sqlite3_errmsg(handle)))") }
}
