import Foundation
import GRDB
import NGSI
import Query
import Store
import StoreSQLite
import Synchronization
import Testing

@Suite("The SQLite engine")
struct EngineTests {
  @Test("a closed store can be opened while a child that is just starting has its descriptors")
  func descriptorsInChildren() async throws {
    let folder = try Folder()
    let store = try SQLiteStore(path: folder.database)
    let link = try #require(
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").first {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == folder.database + ".lock"
      }.flatMap(Int32.init))
    let copy = dup(link)
    defer { Foundation.close(copy) }
    #expect(throws: (any Error).self) { try SQLiteStore(path: folder.database) }
    await store.close()
    await #expect(throws: Never.self) { try await SQLiteStore(path: folder.database).close() }
  }

  @Test("a store is kept over closing and opening")
  func reopened() async throws {
    let folder = try Folder()
    for round in 1...3 {
      let store = try SQLiteStore(path: folder.database)
      try await store.write { writer in
        let entity = Entity(
          id: "urn:e:\(round)", types: ["urn:T\(round)"],
          attributes: [
            AttributeSet(name: "urn:a\(round)", instances: [Attribute(kind: .property, value: .integer(Int64(round)))])
          ])
        try writer.makeTenant(Tenant("tenant \(round)"))
        for tenant in [Tenant.default, Tenant("tenant \(round)")] { try writer.put(entity, replacing: nil, in: tenant) }
        try writer.append(
          [HistoryEntry(entityId: "urn:e", attribute: "urn:a", instance: Attribute(kind: .property, value: 1))],
          types: [:], in: .default)
      }
      await store.close()
    }
    let store = try SQLiteStore(path: folder.database)
    try store.read { reader in
      #expect(try reader.tenants().count == 4)
      #expect(try reader.types(in: .default).map(\.type) == ["urn:T1", "urn:T2", "urn:T3"])
      for round in 1...3 {
        #expect(try reader.entity("urn:e:\(round)", in: .default)?.attributes[0].name == "urn:a\(round)")
        #expect(try reader.entityCount(in: Tenant("tenant \(round)")) == 1)
      }
      let query = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: 10)
      let instances = try reader.evolutions(query, in: .default).entities[0].attributes[0].instances
      #expect(Set(instances.compactMap(\.instanceId)).count == 3)
    }
    await store.close()
  }

  @Test("a file of another version is brought forward, or refused when it is newer")
  func versions() async throws {
    let folder = try Folder()
    // Version 0 is an empty file.
    try DatabaseQueue(path: folder.database).close()
    let store = try SQLiteStore(path: folder.database)
    await store.close()
    let database = try DatabaseQueue(path: folder.database)
    let version = try await database.read { try Int.fetchOne($0, sql: "PRAGMA user_version") }
    #expect(version == 4)
    try await database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
    try database.close()
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.database) }
    #expect("\(String(describing: error))".contains("version 99"))
  }

  @Test("a file of version 1 as first written is read")
  func firstVersion() async throws {
    let folder = try Folder()
    let database = try DatabaseQueue(path: folder.database)
    try await database.writeWithoutTransaction { try $0.execute(sql: storeOfVersion1) }
    try database.close()
    let store = try SQLiteStore(path: folder.database)
    try store.read { reader in
      let entity = try #require(try reader.entity("urn:e:1", in: .default))
      #expect(entity.types == ["urn:T"])
      #expect(entity.attributes[0].instances[0].value == 42)
      var query = EntityQuery()
      query.filter = .test(AttributePath(attribute: "urn:a"), .compare(.equal, .number(42)))
      #expect(try reader.entities(query, in: .default, page: Page(limit: 2), countsTotal: true).total == 1)
      // What version 2 adds: `urn:b` has three texts, so that no range over it can be joined.
      let b = AttributePath(attribute: "urn:b")
      query.filter = .all([
        .test(b, .compare(.greaterOrEqual, .text("y"))), .test(b, .compare(.lessOrEqual, .text("x"))),
      ])
      #expect(try reader.entities(query, in: .default, page: Page(limit: 2), countsTotal: true).total == 1)
      let evolutions = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: 10)
      #expect(try reader.evolutions(evolutions, in: .default).entities[0].attributes[0].instances[0].value == 42)
    }
    await store.close()
    try checkIntegrity(folder.database)
  }

  /// The rows are those of version 2, as its source had them: flags 16 observedAt, 32 unmodified, 64 created, 1024
  /// integer, 2048 double, 4096 text.
  @Test("a long history of rows is moved into pieces, value by value")
  func movedHistory() async throws {
    let folder = try Folder()
    let database = try DatabaseQueue(path: folder.database)
    try await database.writeWithoutTransaction { database in
      try database.execute(sql: storeOfVersion1)
      try database.execute(
        sql: """
          WITH RECURSIVE hours(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM hours WHERE n < 5000)
          INSERT INTO instance SELECT 1, 1700000000000000 + n * 3600000000, 100 + n,
            1 + 16 + 32 + 64 + CASE n % 3 WHEN 0 THEN 1024 WHEN 1 THEN 2048 ELSE 4096 END,
            1710000000000000 + n, NULL, CASE n % 3 WHEN 0 THEN n WHEN 1 THEN n / 10.0 ELSE 'text ' || n END,
            NULL, NULL, NULL FROM hours
          """)
    }
    try database.close()
    let store = try SQLiteStore(path: folder.database)
    var query = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: 10_000)
    query.attributes = ["urn:a"]
    let instances = try store.read { try $0.evolutions(query, in: .default) }.entities[0].attributes[0].instances
    #expect(instances.count == 5001)
    #expect(instances.first?.value == 42)
    for (n, instance) in instances.enumerated().dropFirst() {
      let expected: JSON =
        switch n % 3 {
        case 0: .integer(Int64(n))
        case 1: .double(Double(n) / 10)
        default: .string("text \(n)")
        }
      #expect(instance.value == expected)
      #expect(instance.observedAt?.microseconds == 1_700_000_000_000_000 + Int64(n) * 3_600_000_000)
      #expect(instance.createdAt?.microseconds == 1_710_000_000_000_000 + Int64(n))
      #expect(instance.modifiedAt == instance.createdAt)
    }
    #expect(Set(instances.compactMap(\.instanceId)).count == 5001)
    await store.close()
    try checkIntegrity(folder.database)
  }

  @Test("what cannot be opened is refused with its reason")
  func refused() async throws {
    let folder = try Folder()
    let store = try SQLiteStore(path: folder.database)
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.database) }
    #expect("\(String(describing: error))".contains("another process"))
    await store.close()
    #expect(throws: StoreError.self) { try SQLiteStore(path: "/nowhere/city.db") }
    let text = folder.url.appending(path: "text.db").path
    try Data(repeating: 65, count: 5000).write(to: URL(filePath: text))
    #expect(throws: StoreError.self) { try SQLiteStore(path: text) }
  }

  @Test("a damaged entity is an error, not a crash")
  func damaged() async throws {
    let folder = try Folder()
    var store = try SQLiteStore(path: folder.database)
    try await store.write { writer in
      var attribute = Attribute(kind: .property, value: ["k": [1, "two", 3.5, .null]])
      attribute.subAttributes = [AttributeSet(name: "urn:s", instances: [Attribute(kind: .property, value: "x")])]
      let entity = Entity(
        id: "urn:e", types: ["urn:T"], scopes: ["/a"], attributes: [AttributeSet(name: "urn:a", instances: [attribute])]
      )
      try writer.put(entity, replacing: nil, in: .default)
    }
    await store.close()
    let database = try DatabaseQueue(path: folder.database)
    let document = try #require(
      try await database.read { try Data.fetchOne($0, sql: "SELECT document FROM entity") })
    try database.close()
    var failures = 0
    for position in 0...document.count {
      var damaged = document
      if position == document.count { damaged.removeLast(5) } else { damaged[position] = damaged[position] &+ 0x83 }
      let stored = damaged
      let database = try DatabaseQueue(path: folder.database)
      try await database.write { try $0.execute(sql: "UPDATE entity SET document = ?", arguments: [stored]) }
      try database.close()
      store = try SQLiteStore(path: folder.database)
      do { _ = try store.read { try $0.entity("urn:e", in: .default) } } catch is StoreError { failures += 1 }
      await store.close()
    }
    #expect(failures > 10)
  }

  @Test("a damaged history is an error, not a crash", arguments: ["piece", "arrival"])
  func damagedHistory(_ table: String) async throws {
    let folder = try Folder()
    var options = SQLiteStore.Options()
    options.arrivals = 2
    let store = try SQLiteStore(path: folder.database, options: options)
    for round in 0..<3 {
      let values: [JSON] = [.integer(7), .double(0.1), .string("text"), ["k": [1, .null]]]
      let entries = values.map { value in
        var instance = Attribute(kind: .property, value: value, datasetId: "urn:d", unitCode: "CEL")
        instance.observedAt = DateTime(microseconds: Int64(round) * 3_600_000_000)
        return HistoryEntry(entityId: "urn:e", attribute: "urn:a", instance: instance)
      }
      try await store.write { try $0.append(entries, types: ["urn:e": ["urn:T"]], in: .default) }
    }
    await store.close()
    let database = try DatabaseQueue(path: folder.database)
    let body = try #require(try await database.read { try Data.fetchOne($0, sql: "SELECT body FROM \(table)") })
    try database.close()
    var failures = 0
    for position in 0...body.count {
      var damaged = body
      if position == body.count { damaged.removeLast(3) } else { damaged[position] = damaged[position] &+ 0x83 }
      let stored = damaged
      let database = try DatabaseQueue(path: folder.database)
      try await database.write { try $0.execute(sql: "UPDATE \(table) SET body = ?", arguments: [stored]) }
      try database.close()
      let store = try SQLiteStore(path: folder.database)
      let query = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: 100)
      do { _ = try store.read { try $0.evolutions(query, in: .default) } } catch is StoreError { failures += 1 }
      await store.close()
    }
    #expect(failures > 10)
  }

  @Test("the queue is bounded")
  func busy() async throws {
    let folder = try Folder()
    var options = SQLiteStore.Options()
    options.queueBound = 4
    let store = try SQLiteStore(path: folder.database, options: options)
    let (started, isStarted) = AsyncStream.makeStream(of: Void.self)
    let gate = DispatchSemaphore(value: 0)
    let holding = Task {
      try await store.write { _ in
        isStarted.yield()
        gate.wait()
      }
    }
    var starts = started.makeAsyncIterator()
    await starts.next()
    let results = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<10 {
        group.addTask {
          do {
            try await store.write {
              try $0.put(Entity(id: "urn:\(number)", types: ["urn:T"]), replacing: nil, in: .default)
            }
            return true
          } catch StoreError.busy { return false } catch {
            Issue.record(error)
            return false
          }
        }
      }
      // Refusals come at once, while the writer still stands.
      for _ in 0..<6 { #expect(await group.next() == false) }
      #expect(store.statistics.queuedWrites == 4)
      gate.signal()
      var taken = 0
      for await isTaken in group where isTaken { taken += 1 }
      return taken
    }
    #expect(results == 4)
    try await holding.value
    #expect(try store.read { try $0.entityCount(in: .default) } == 4)
    await store.close()
  }

  @Test("a query that would look at too much says so")
  func tooComplex() async throws {
    let folder = try Folder()
    var options = SQLiteStore.Options()
    options.maxScanned = 50
    options.maxSorted = 20
    let store = try SQLiteStore(path: folder.database, options: options)
    try await store.write { writer in
      for number in 0..<60 {
        let value = Attribute(kind: .property, value: .integer(Int64(number)))
        try writer.put(
          Entity(id: "urn:\(number)", types: ["urn:T"], attributes: [AttributeSet(name: "urn:a", instances: [value])]),
          replacing: nil, in: .default)
        try writer.append(
          [HistoryEntry(entityId: "urn:h", attribute: "urn:a", instance: value)], types: [:], in: .default)
      }
    }
    func isRefused(_ body: (any StoreReader) throws -> Void) throws -> Bool {
      do { try store.read(body) } catch StoreError.tooComplex { return true }
      return false
    }
    var query = EntityQuery()
    query.idPattern = "none"
    #expect(try isRefused { _ = try $0.entities(query, in: .default, page: Page(limit: 1), countsTotal: false) })
    query.idPattern = nil
    query.order = [OrderKey(subject: .id)]
    #expect(try isRefused { _ = try $0.entities(query, in: .default, page: Page(limit: 1), countsTotal: false) })
    let history = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 1), instanceLimit: 100)
    #expect(try isRefused { _ = try $0.evolutions(history, in: .default) })
    #expect(
      try !isRefused { _ = try $0.entities(EntityQuery(), in: .default, page: Page(limit: 60), countsTotal: true) })
    await store.close()
  }

  @Test(
    "the write-ahead log stays bounded under load, by waiting for it at the bound or by copying it before",
    arguments: [(step: 1 << 30, bound: 8 << 20), (step: 1 << 20, bound: 1 << 30)])
  func log(_ bytes: (step: Int, bound: Int)) async throws {
    let folder = try Folder()
    var options = SQLiteStore.Options()
    options.walStep = bytes.step
    options.walBound = bytes.bound
    let store = try SQLiteStore(path: folder.database, options: options)
    let text = String(repeating: "x", count: 50_000)
    var largest = 0
    for round in 0..<40 {
      try await store.write { writer in
        for number in 0..<20 {
          let value = Attribute(kind: .property, value: .string(text))
          try writer.put(
            Entity(
              id: "urn:\(round):\(number)", types: ["urn:T"],
              attributes: [AttributeSet(name: "urn:a", instances: [value])]), replacing: nil, in: .default)
        }
      }
      _ = try store.read { try $0.entityCount(in: .default) }
      largest = max(largest, store.statistics.walBytes)
    }
    #expect(store.statistics.fileBytes > 30 << 20)
    #expect(largest < 24 << 20, "\(largest >> 20) MB of log")
    await store.close()
    #expect(store.statistics.walBytes == 0)
  }

  @Test("snapshots that readers keep do not keep the log from beginning anew")
  func keptSnapshots() async throws {
    let folder = try Folder()
    var options = SQLiteStore.Options()
    options.walStep = 256 << 10
    let store = try SQLiteStore(path: folder.database, options: options)
    var largest = 0
    for round in 0..<40 {
      let value = Attribute(kind: .property, value: .string(String(repeating: "x", count: 1 << 20)))
      let entity = Entity(
        id: "urn:1", types: ["urn:T"], attributes: [AttributeSet(name: "urn:a\(round)", instances: [value])])
      try await store.write { try $0.put(entity, replacing: try $0.entity("urn:1", in: .default), in: .default) }
      // Read while the log is being copied, and after.
      for _ in 0..<3 {
        #expect(try store.entity("urn:1", in: .default)?.attributes[0].name == "urn:a\(round)")
        try await Task.sleep(for: .milliseconds(10))
      }
      largest = max(largest, store.statistics.walBytes)
    }
    #expect(largest < 16 << 20, "\(largest >> 20) MB of log")
    await store.close()
  }
}
