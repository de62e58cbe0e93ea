import NGSI
import Query
import Store

extension StoreContract {
  static let concurrencyCases: [Case] = [
    Case("64 writers and readers at once lose nothing and see what was acknowledged") { subject in
      let store = subject.store
      try await store.write { try $0.put(entity(0, [("sum", 0)]), replacing: nil, in: .default) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 1...64 {
          group.addTask {
            for round in 0..<10 {
              let number = task * 100 + round
              try await store.write { writer in
                try writer.put(entity(number, [("a", .integer(Int64(number)))]), replacing: nil, in: .default)
                guard let old = try writer.entity(urn(0), in: .default),
                  let sum = old.attributes[0].instances[0].value.integer
                else { throw Violation(description: "the sum is gone") }
                try writer.put(entity(0, [("sum", .integer(sum + 1))]), replacing: old, in: .default)
                try writer.append(
                  [HistoryEntry(entityId: urn(0), attribute: iri("sum"), instance: property(.integer(sum + 1)))],
                  types: [:], in: .default)
              }
              let found = try store.read { try $0.entity(urn(number), in: .default) }
              try expect(found != nil, "an acknowledged write is not visible")
              let alone = try store.entity(urn(number), in: .default)
              try expect(alone != nil, "an acknowledged write is not visible to a read of one entity")
            }
          }
        }
        for _ in 0..<8 {
          group.addTask {
            for _ in 0..<50 {
              try store.read { reader in
                let sum = try reader.entity(urn(0), in: .default)?.attributes[0].instances[0].value.integer ?? -1
                let count = try reader.entityCount(in: .default)
                try expectEqual(Int(sum), count - 1, "sum and count are of different moments")
              }
              await Task.yield()
            }
          }
        }
        try await group.waitForAll()
      }
      let sum = try store.read { try $0.entity(urn(0), in: .default) }?.attributes[0].instances[0].value
      try expectEqual(sum, 640)
      let values = try instances(store, evolutionQuery(0), "sum").compactMap(\.value.integer)
      try expectEqual(values.sorted(), Array(1...640))
    },
    Case("closing finishes what was accepted and refuses the rest") { subject in
      let store = subject.store
      let kept = Shared(0)
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<500 {
          group.addTask {
            do {
              try await store.write { try $0.put(entity(number), replacing: nil, in: .default) }
              kept.change { $0 += 1 }
            } catch {}
          }
          if number == 250 { group.addTask { await store.close() } }
        }
      }
      do {
        try await store.write { _ in }
        throw Violation(description: "a closed store took a write")
      } catch StoreError.closed {}
      do {
        _ = try store.read { try $0.entityCount(in: .default) }
        throw Violation(description: "a closed store answered a read")
      } catch StoreError.closed {}
      let statistics = store.statistics
      try expectEqual(statistics.writes, kept.current)
      try expectEqual(statistics.queuedWrites, 0)
    },
    Case("writes that wait together share commits") { subject in
      let store = subject.store
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<64 {
          group.addTask {
            for round in 0..<20 {
              try await store.write { try $0.put(entity(task * 100 + round), replacing: nil, in: .default) }
            }
          }
        }
        try await group.waitForAll()
      }
      let statistics = store.statistics
      try expectEqual(statistics.writes, 1280)
      try expect(statistics.commits * 4 < statistics.writes, "\(statistics.commits) commits for 1280 writes")
    },
  ]
}
