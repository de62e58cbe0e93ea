import NGSI
import Query
import Store

extension StoreContract {
  static let writeCases: [Case] = [
    Case("a write is kept whole or not at all") { subject in
      let store = subject.store
      try await store.refuse(Refusal(number: 1)) { writer in
        try writer.put(entity(1, [("a", 1)]), replacing: nil, in: .default)
        try writer.put(entity(2, type: "Tree", [("b", "x")]), replacing: nil, in: Tenant("city"))
        try writer.append(
          [HistoryEntry(entityId: urn(1), attribute: iri("a"), instance: property(1))],
          types: [urn(1): [iri("Sensor")]], in: .default)
        try writer.put(StoredDocument(id: "d", body: 1), collection: "c", in: .default)
        _ = try writer.enqueue([
          OutboxItem(tenant: .default, subscriptionId: "s", payload: [1], dueAt: DateTime(microseconds: 1))
        ])
        throw Refusal(number: 1)
      }
      try store.read { reader in
        try expect(reader.entity(urn(1), in: .default) == nil, "the entity was kept")
        try expectEqual(try reader.entityCount(in: .default), 0)
        try expectEqual(try reader.types(in: .default), [])
        try expectEqual(try reader.attributes(in: .default), [])
        try expectEqual(try reader.tenants(), [.default])
        try expectEqual(try reader.documentCount("c", in: .default), 0)
        try expectEqual(try reader.outboxCount(), 0)
        let history = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 10), instanceLimit: 10)
        try expectEqual(try reader.evolutions(history, in: .default).entities, [])
        try expectEqual(
          try reader.entities(selection(type: "Sensor"), in: .default, page: Page(limit: 9), countsTotal: true).total, 0
        )
      }
    },
    Case("a write that throws does not harm its neighbours") { subject in
      let store = subject.store
      // All at once, so that they share commits; every third throws after it has written.
      let refused = Shared(0)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<300 {
          group.addTask {
            do {
              try await store.write { writer in
                let type = number % 2 == 0 ? "Sensor" : "Kind\(number)"
                try writer.put(
                  entity(number, type: type, [("a\(number)", .integer(Int64(number)))]), replacing: nil, in: .default)
                try writer.append(
                  [HistoryEntry(entityId: urn(number), attribute: iri("a\(number)"), instance: property(1))],
                  types: [urn(number): [iri(type)]], in: .default)
                // Reading counts in the middle must not lose those of the neighbours.
                if number % 5 == 0 { _ = try writer.entityCount(in: .default) }
                if number % 3 == 0 { throw Refusal(number: number) }
              }
            } catch is Refusal { refused.change { $0 += 1 } }
          }
        }
        try await group.waitForAll()
      }
      try expectEqual(refused.current, 100)
      try store.read { reader in
        try expectEqual(try reader.entityCount(in: .default), 200)
        for number in 0..<300 {
          let found = try reader.entity(urn(number), in: .default)
          try expectEqual(found != nil, number % 3 != 0, "entity \(number)")
          if let found { try expectEqual(found.attributes[0].name, iri("a\(number)")) }
          var history = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 10), instanceLimit: 10)
          history.entities.ids = [urn(number)]
          let evolution = try reader.evolutions(history, in: .default).entities.first
          try expectEqual(evolution?.attributes.first?.name, number % 3 != 0 ? iri("a\(number)") : nil)
        }
        let sensors = (0..<300).filter { $0 % 2 == 0 && $0 % 3 != 0 }.count
        try expectEqual(try reader.types(in: .default).first { $0.type == iri("Sensor") }?.entityCount, sensors)
        try expectEqual(try reader.attributes(in: .default).count, 200)
        try expect(try reader.attributes(in: .default).allSatisfy { $0.entityCount == 1 }, "attribute counts")
      }
    },
    Case("an error inside a body that goes on leaves what was right") { subject in
      try await subject.store.write { writer in
        try writer.put(entity(1), replacing: nil, in: .default)
        // The same id again is refused; the body may go on.
        do {
          try writer.put(entity(1), replacing: nil, in: .default)
          throw Violation(description: "a second entity with the same id was taken")
        } catch is StoreError {}
        try writer.put(entity(2), replacing: nil, in: .default)
      }
      try expectEqual(try subject.store.read { try $0.entityCount(in: .default) }, 2)
    },
    Case("a body sees its own writes, a reader only committed ones") { subject in
      let store = subject.store
      try await store.write { try $0.put(entity(1, [("a", 1)]), replacing: nil, in: .default) }
      try await store.write { writer in
        let old = try writer.entity(urn(1), in: .default)
        try writer.put(entity(1, [("a", 2)]), replacing: old, in: .default)
        try expectEqual(try writer.entity(urn(1), in: .default)?.attributes[0].instances[0].value, 2)
        try writer.put(entity(2, type: "New", [("a", 3)]), replacing: nil, in: .default)
        try expectEqual(
          try writer.entities(selection(type: "New"), in: .default, page: Page(limit: 5), countsTotal: true).total, 1)
        try expectEqual(try writer.types(in: .default).count, 2)
        let outside = try store.read { reader in
          (try reader.entity(urn(1), in: .default), try reader.entity(urn(2), in: .default))
        }
        try expectEqual(outside.0?.attributes[0].instances[0].value, 1)
        try expect(outside.1 == nil, "a reader saw an uncommitted entity")
      }
      try expectEqual(try store.read { try $0.entity(urn(1), in: .default) }?.attributes[0].instances[0].value, 2)
    },
    Case("a read sees one moment") { subject in
      let store = subject.store
      try await store.write { writer in
        for number in 0..<10 { try writer.put(entity(number, [("a", 0)]), replacing: nil, in: .default) }
      }
      let writing = Task {
        for round in 1...200 {
          try await store.write { writer in
            for number in 0..<10 {
              let old = try writer.entity(urn(number), in: .default)
              try writer.put(entity(number, [("a", .integer(Int64(round)))]), replacing: old, in: .default)
            }
          }
        }
      }
      for _ in 0..<400 {
        try store.read { reader in
          var seen = Set<JSON>()
          for number in 0..<10 {
            if let found = try reader.entity(urn(number), in: .default) {
              seen.insert(found.attributes[0].instances[0].value)
            }
          }
          try expectEqual(seen.count, 1, "a read saw several moments")
        }
        await Task.yield()
      }
      try await writing.value
    },
    Case("what is to run after a commit runs in order, and not after a failure") { subject in
      let store = subject.store
      let heard = Shared<[Int]>([])
      for number in 0..<20 {
        do {
          try await store.write { writer in
            try writer.put(entity(number), replacing: nil, in: .default)
            writer.afterCommit { heard.change { $0.append(number) } }
            if number % 4 == 0 { throw Refusal(number: number) }
          }
        } catch is Refusal {}
        let last = heard.current.last
        if number % 4 != 0 { try expectEqual(last, number, "it had not run when the write returned") }
      }
      try expectEqual(heard.current, (0..<20).filter { $0 % 4 != 0 })
    },
  ]
}
