import NGSI
import Store

extension StoreContract {
  static let listCases: [Case] = [
    Case("documents are put, replaced, deleted and listed in the order they were made") { subject in
      let store = subject.store
      let other = Tenant("other")
      try await store.write { writer in
        for number in [5, 3, 9, 1] {
          try writer.put(StoredDocument(id: "d\(number)", body: .integer(Int64(number))), collection: "c", in: .default)
        }
        try writer.put(StoredDocument(id: "d5", body: "other collection"), collection: "e", in: .default)
        try writer.put(StoredDocument(id: "d5", body: "other tenant"), collection: "c", in: other)
        try writer.put(StoredDocument(id: "d3", body: ["new": true]), collection: "c", in: .default)
      }
      try store.read { reader in
        let listed = try reader.documents("c", in: .default, page: Page(limit: 10))
        try expectEqual(listed.map(\.id), ["d5", "d3", "d9", "d1"])
        try expectEqual(listed.map(\.body), [5, ["new": true], 9, 1])
        let page = try reader.documents("c", in: .default, page: Page(limit: 2, offset: 1))
        try expectEqual(page.map(\.id), ["d3", "d9"])
        try expectEqual(try reader.documentCount("c", in: .default), 4)
        try expectEqual(try reader.document("d5", collection: "c", in: other)?.body, "other tenant")
        try expectEqual(try reader.document("d5", collection: "e", in: .default)?.body, "other collection")
        try expectEqual(try reader.document("d7", collection: "c", in: .default), nil)
      }
      let isDeleted = try await store.write { writer in
        [
          try writer.deleteDocument("d9", collection: "c", in: .default),
          try writer.deleteDocument("d9", collection: "c", in: .default),
          try writer.deleteDocument("d1", collection: "c", in: other),
        ]
      }
      try expectEqual(isDeleted, [true, false, false])
      try expectEqual(try store.read { try $0.documentCount("c", in: .default) }, 3)
    },
    Case("every outbox item is there once until it is taken out") { subject in
      let store = subject.store
      @Sendable func item(_ subscription: String, _ number: Int, _ tenant: Tenant = .default) -> OutboxItem {
        OutboxItem(
          tenant: tenant, subscriptionId: subscription, payload: [UInt8(number), 0, 255],
          dueAt: DateTime(microseconds: Int64(number)), attempts: number)
      }
      let first = try await store.write { try $0.enqueue([item("s", 1), item("t", 2), item("s", 3, Tenant("x"))]) }
      let second = try await store.write { try $0.enqueue([item("s", 4)]) }
      let sequences = first + second
      try expectEqual(sequences, sequences.sorted())
      try expectEqual(Set(sequences).count, 4)
      try store.read { reader in
        let all = try reader.outbox(after: 0, limit: 10)
        try expectEqual(all.map(\.sequence), sequences)
        var expected = [item("s", 1), item("t", 2), item("s", 3, Tenant("x")), item("s", 4)]
        for position in expected.indices { expected[position].sequence = sequences[position] }
        try expectEqual(all, expected)
        try expectEqual(try reader.outbox(after: sequences[0], limit: 2).map(\.sequence), Array(sequences[1...2]))
        let ofOne = try reader.outbox(of: "s", in: .default, after: 0, limit: 10)
        try expectEqual(ofOne.map(\.sequence), [sequences[0], sequences[3]])
        try expectEqual(
          try reader.outbox(of: "s", in: .default, after: sequences[0], limit: 10).map(\.sequence), [sequences[3]])
        let counts = try reader.outboxCounts().map { "\($0.tenant.name)/\($0.subscriptionId)=\($0.count)" }
        try expectEqual(Set(counts), ["/s=2", "/t=1", "x/s=1"])
      }
      let later = DateTime(microseconds: 77)
      try await store.write { writer in
        try writer.postpone(sequences[1], attempts: 9, until: later)
        try writer.removeFromOutbox([sequences[0], sequences[3]])
      }
      let left = try store.read { try $0.outbox(after: 0, limit: 10) }
      try expectEqual(left.map(\.sequence), Array(sequences[1...2]))
      try expectEqual(left[0].attempts, 9)
      try expectEqual(left[0].dueAt, later)
      // Even when the last are gone, their numbers do not come again.
      try await store.write { try $0.removeFromOutbox(Array(sequences[1...2])) }
      let next = try await store.write { try $0.enqueue([item("s", 5)]) }
      try expect(next[0] > sequences[3], "a sequence number was used twice")
      try expectEqual(try store.read { try $0.outboxCount() }, 1)
    },
  ]
}
