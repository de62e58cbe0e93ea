import NGSI
import Query
import Store

extension StoreContract {
  private static func old(_ store: any Store, before hour: Int, limit: Int = 100) throws -> [String] {
    var ids: [String] = []
    var cursor: Int64? = 0
    while let start = cursor {
      let found = try store.read {
        try $0.histories(ofType: iri("Sensor"), before: moment(hour), after: start, limit: limit, in: .default)
      }
      ids += found.histories.map(\.id)
      cursor = found.next
    }
    return ids
  }

  private static func scope(_ hour: Int, _ value: JSON) -> HistoryEntry {
    var instance = property(value)
    instance.createdAt = moment(hour)
    instance.modifiedAt = moment(hour)
    return HistoryEntry(entityId: urn(1), attribute: Core.scope, instance: instance)
  }

  static let trimmingCases: [Case] = [
    Case("what is older than a time goes, in steps, and everything else stays as it was") { subject in
      let store = subject.store
      // Long enough for many pieces, with some that came out of order, another attribute, and a second history.
      let hours = (0..<3000).map { $0 % 7 == 3 ? $0 - 3 : $0 }
      for part in 0..<10 {
        try await store.write { writer in
          var entries = hours[part * 300..<(part + 1) * 300].map { entry(1, "a", reading($0, .integer(Int64($0)))) }
          entries.append(entry(1, "b", reading(part, "b")))
          try writer.append(entries, types: [urn(1): [iri("Sensor")]], in: .default)
        }
      }
      try await store.write { writer in
        try writer.append([entry(2, "a", reading(2500, 1))], types: [urn(2): [iri("Sensor")]], in: .default)
      }
      try expectEqual(try old(store, before: 2000), [urn(1)])
      try expectEqual(try old(store, before: 0), [])
      try expectEqual(try old(store, before: 2600, limit: 1), [urn(1), urn(2)])
      var removed = 0
      var steps = 0
      while true {
        let trimmed = try await store.write {
          try $0.trimHistory(of: urn(1), before: moment(2000), pieces: 3, in: .default)
        }
        removed += trimmed.removed
        steps += 1
        if trimmed.isWhole { break }
        try expect(steps < 1000, "it does not end")
      }
      try expect(steps > 1, "all at once")
      let stays = hours.filter { $0 >= 2000 }.sorted()
      try expectEqual(removed, 3000 - stays.count + 10)
      try expectEqual(
        try instances(store, evolutionQuery(1, limit: 5000)).map(\.value), stays.map { .integer(Int64($0)) })
      try expectEqual(try instances(store, evolutionQuery(1), "b"), [])
      try expectEqual(try instances(store, evolutionQuery(2)).map(\.value), [1])
      try expectEqual(try old(store, before: 2000), [])
      // It goes on as before.
      try await store.write { try $0.append([entry(1, "a", reading(4000, 4000))], types: [:], in: .default) }
      try expectEqual(try instances(store, evolutionQuery(1, limit: 5000)).count, stays.count + 1)
      let all = try await store.write {
        try $0.trimHistory(of: urn(1), before: moment(5000), pieces: 1000, in: .default)
      }
      try expectEqual(all.removed, stays.count + 1)
      try expect(all.isWhole && all.isEmpty, "\(all)")
      let none = try await store.write { try $0.trimHistory(of: urn(9), before: moment(1), pieces: 1, in: .default) }
      try expectEqual(none, TrimmedHistory())
    },
    Case("of scopes the last that is older stays, since it holds on") { subject in
      let store = subject.store
      try await store.write { writer in
        try writer.append(
          [scope(0, "/a"), scope(1, "/b"), scope(9, "/c"), entry(1, "a", reading(0, 1))],
          types: [urn(1): [iri("Sensor")]], in: .default)
      }
      let trimmed = try await store.write {
        try $0.trimHistory(of: urn(1), before: moment(5), pieces: 100, in: .default)
      }
      try expectEqual(trimmed.removed, 2)
      try expect(!trimmed.isEmpty, "the scopes are gone")
      try expectEqual(try old(store, before: 5), [])
    },
    Case("a trimming that fails leaves everything") { subject in
      let store = subject.store
      try await store.write { writer in
        try writer.append(
          (0..<100).map { entry(1, "a", reading($0, 1)) }, types: [urn(1): [iri("Sensor")]], in: .default)
      }
      try await store.refuse(Refusal(number: 1)) { writer in
        _ = try writer.trimHistory(of: urn(1), before: moment(50), pieces: 100, in: .default)
        throw Refusal(number: 1)
      }
      try expectEqual(try instances(store, evolutionQuery(1)).count, 100)
    },
  ]
}
