import Foundation
import GRDB
import NGSI
import Query
import Store
import StoreSQLite
import Synchronization
import Testing
import TestSupport

@Suite("Copies of a store")
struct CopyTests {
  private func entity(_ number: Int, _ text: String) -> Entity {
    Entity(
      id: "urn:\(number)", types: ["urn:T"],
      attributes: [AttributeSet(name: "urn:a", instances: [Attribute(kind: .property, value: .string(text))])])
  }

  @Test("a copy of a store that is written all the while is one moment of it")
  func written() async throws {
    let folder = try Folder()
    let store = try SQLiteStore(path: folder.database)
    let text = String(repeating: "x", count: 10_000)
    for number in 0..<400 {
      try await store.write { try $0.put(self.entity(number, text), replacing: nil, in: .default) }
    }
    let rounds = Atomic(0)
    let writing = Task {
      while !Task.isCancelled {
        let round = rounds.load(ordering: .relaxed) + 1
        // All of them in one write, so that a moment has one number.
        try await store.write { writer in
          for number in 0..<20 {
            let old = try writer.entity("urn:\(number)", in: .default)
            try writer.put(self.entity(number, "\(round)"), replacing: old, in: .default)
          }
        }
        rounds.store(round, ordering: .relaxed)
      }
    }
    for number in 0..<5 {
      // Other tests may have all the threads for a while; each copy is to fall among writes.
      let seen = rounds.load(ordering: .relaxed)
      while rounds.load(ordering: .relaxed) < seen + 2 { try await Task.sleep(for: .milliseconds(5)) }
      let copy = folder.url.appending(path: "copy\(number).sqlite").path
      try SQLiteStore.copy(path: folder.database, to: copy)
      #expect(throws: StoreError.self) { try SQLiteStore.copy(path: folder.database, to: copy) }
      try checkIntegrity(copy)
      let opened = try SQLiteStore(path: copy)
      let values = try opened.read { reader in
        try Set((0..<20).map { try reader.entity("urn:\($0)", in: .default)?.attributes[0].instances[0].value })
      }
      #expect(values.count == 1)
      #expect(try opened.read { try $0.entityCount(in: .default) } == 400)
      await opened.close()
    }
    let findings = try SQLiteStore.check(path: folder.database).findings
    #expect(findings == [], "a check beside the writes")
    writing.cancel()
    try await writing.value
    await store.close()
  }

  /// A reader of another process cannot be paused. Before it was tried again only after a second, every group of writes
  /// waited five seconds for it once the log had reached its bound.
  @Test("a copy that takes long does not hold up writes, and the log is bounded again after it")
  func longReader() async throws {
    let folder = try Folder()
    var options = SQLiteStore.Options()
    options.walStep = 256 << 10
    options.walBound = 1 << 20
    let store = try SQLiteStore(path: folder.database, options: options)
    try await store.write { try $0.put(self.entity(0, "first"), replacing: nil, in: .default) }
    var configuration = Configuration()
    configuration.readonly = true
    configuration.allowsUnsafeTransactions = true
    let outside = try DatabaseQueue(path: folder.database, configuration: configuration)
    let text = String(repeating: "x", count: 100_000)
    func write(_ range: Range<Int>) async throws -> Duration {
      try await withTaskExecutorPreference(OwnThread()) {
        try await ContinuousClock().measure {
          for number in range {
            try await store.write { try $0.put(self.entity(number, text), replacing: nil, in: .default) }
          }
        }
      }
    }
    try await outside.writeWithoutTransaction { database in
      try database.execute(sql: "BEGIN")
      _ = try Int.fetchOne(database, sql: "SELECT count(*) FROM entity")
    }
    let time = try await write(1..<51)
    #expect(store.statistics.walBytes > 3 << 20, "the outside reader did not hold the log")
    #expect(time < .seconds(90), "50 writes beside a long copy took \(time)")
    #expect(try store.read { try $0.entityCount(in: .default) } == 51)
    try await outside.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
    try outside.close()
    try await Task.sleep(for: .milliseconds(1100))
    let held = store.statistics.walBytes
    _ = try await write(51..<101)
    #expect(store.statistics.walBytes <= held + 3 << 20, "the log still grows")
    await store.close()
    try checkIntegrity(folder.database)
  }

  @Test("an unfinished migration leaves the file as it was")
  func brokenMigration() async throws {
    let folder = try Folder()
    let database = try DatabaseQueue(path: folder.database)
    try await database.writeWithoutTransaction { database in
      try database.execute(sql: storeOfVersion1)
      // Flags that no version wrote: the history cannot be moved.
      try database.execute(sql: "UPDATE instance SET flags = 1 WHERE series = 1")
    }
    try database.close()
    #expect(throws: StoreError.self) { try SQLiteStore(path: folder.database) }
    let again = try DatabaseQueue(path: folder.database)
    let (version, rows, hasPieces) = try await again.read { database in
      (
        try Int.fetchOne(database, sql: "PRAGMA user_version"),
        try Int.fetchOne(database, sql: "SELECT count(*) FROM instance"), try database.tableExists("piece")
      )
    }
    #expect(version == 1 && rows == 2 && !hasPieces)
    try again.close()
  }

  @Test("another program's file is left alone")
  func foreign() throws {
    let folder = try Folder()
    let database = try DatabaseQueue(path: folder.database)
    try database.write { try $0.execute(sql: "CREATE TABLE bookmark(url TEXT)") }
    try database.close()
    let before = try Data(contentsOf: URL(filePath: folder.database))
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.database) }
    #expect("\(String(describing: error))".contains("another program"))
    #expect(try Data(contentsOf: URL(filePath: folder.database)) == before)
    #expect(throws: StoreError.self) { try SQLiteStore.check(path: folder.database) }
    #expect(throws: StoreError.self) {
      try SQLiteStore.copy(path: folder.database, to: folder.url.appending(path: "copy").path)
    }
  }
}
