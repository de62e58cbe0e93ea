import NGSI
import Query
import Store

/// A page that the store writes itself has to be what its entities give, byte by byte, in all forms.
private func expectShown(
  _ page: EntityPage, _ query: EntityQuery, limit: Int, offset: Int, countsTotal: Bool, _ store: any Store
) throws {
  for representation in [Representation(), Representation(systemAttributes: true), Representation(.simplified)] {
    let form = EntityWriter(context: .core, representation: representation)
    var expected = JSONWriter()
    for entity in page.entities {
      expected.separate()
      form.write(entity, to: &expected)
    }
    var shown = JSONWriter()
    let extent = try store.read { reader in
      try reader.write(
        query, in: .default, page: Page(limit: limit, offset: offset), countsTotal: countsTotal, as: form,
        embeddedContext: nil, to: &shown)
    }
    try expectEqual(shown.bytes, expected.bytes)
    try expectEqual(extent, PageExtent(total: page.total, hasMore: page.hasMore))
  }
}

extension StoreContract {
  static let queryCases: [Case] = [
    Case("an index finds what the evaluator finds over all entities") { subject in
      let store = subject.store
      var dice = Dice(20_261_122)
      var model: [String: Entity] = [:]
      var order: [String] = []
      // Made, changed and deleted, so that index rows of old values would be found if they stayed.
      for _ in 0..<30 {
        var changes: [(old: Entity?, new: Entity?)] = []
        for _ in 0..<40 {
          let next = dice.entity(dice.below(400))
          let old = model[next.id]
          let new = old != nil && dice.chance(20) ? nil : next
          if old == nil { order.append(next.id) }
          if new == nil { order.removeAll { $0 == next.id } }
          model[next.id] = new
          changes.append((old, new))
        }
        let batch = changes
        try await store.write { writer in
          for (old, new) in batch {
            if let new {
              try writer.put(new, replacing: old, in: .default)
            } else if let old {
              try writer.delete(old, in: .default)
            }
          }
        }
      }
      let all = order.compactMap { model[$0] }
      let entities = model
      var nonEmpty = 0
      for round in 0..<1500 {
        let query = dice.query()
        let matcher = try EntityMatcher(query)
        let expected = try all.filter { try matcher.matches($0) { entities[$0] } }.map(\.id)
        let limit = dice.pick([1, 5, 1000])
        let offset = dice.pick([0, 0, 3])
        let page = try store.read {
          try $0.entities(query, in: .default, page: Page(limit: limit, offset: offset), countsTotal: round % 2 == 0)
        }
        let window = expected.dropFirst(offset)
        try expectEqual(page.entities.map(\.id), Array(window.prefix(limit)), "round \(round): \(query)")
        try expectEqual(page.hasMore, window.count > limit, "round \(round)")
        try expectEqual(page.total, round % 2 == 0 ? expected.count : nil, "round \(round)")
        try expect(page.entities.allSatisfy { entities[$0.id] == $0 }, "a stale entity, round \(round)")
        try expectShown(page, query, limit: limit, offset: offset, countsTotal: round % 2 == 0, store)
        if !expected.isEmpty { nonEmpty += 1 }
      }
      try expect(nonEmpty > 500, "the random queries find too little to prove anything: \(nonEmpty)")
    },
    Case("pages are in order of creation, without gap or repetition") { subject in
      let store = subject.store
      try await store.write { writer in
        for number in 0..<95 {
          try writer.put(entity(97 * number % 100, [("a", .integer(Int64(number)))]), replacing: nil, in: .default)
        }
      }
      // A change does not move an entity.
      try await store.write { writer in
        let old = try writer.entity(urn(0), in: .default)
        try writer.put(entity(0, [("a", 0), ("b", 1)]), replacing: old, in: .default)
      }
      let expected = (0..<95).map { urn(97 * $0 % 100) }
      var filtered = selection(type: "Sensor")
      filtered.filter = .test(AttributePath(attribute: iri("a")), .compare(.greaterOrEqual, .number(0)))
      for query in [selection(type: "Sensor"), EntityQuery(), filtered] {
        var seen: [String] = []
        for offset in stride(from: 0, through: 100, by: 10) {
          let page = try store.read {
            try $0.entities(query, in: .default, page: Page(limit: 10, offset: offset), countsTotal: true)
          }
          try expectEqual(page.total, 95)
          try expectEqual(page.hasMore, offset + 10 < 95)
          seen += page.entities.map(\.id)
        }
        try expectEqual(seen, expected)
        let none = try store.read { try $0.entities(query, in: .default, page: Page(limit: 0), countsTotal: true) }
        try expectEqual(none.total, 95)
        try expectEqual(none.entities, [])
      }
    },
    Case("orderBy sorts before it pages") { subject in
      let store = subject.store
      try await store.write { writer in
        for number in 0..<60 {
          try writer.put(entity(number, [("a", .integer(Int64(number * 37 % 60)))]), replacing: nil, in: .default)
        }
      }
      for ascending in [true, false] {
        var query = selection(type: "Sensor")
        query.order = [OrderKey(subject: .attribute(AttributePath(attribute: iri("a"))), ascending: ascending)]
        let page = try store.read {
          try $0.entities(query, in: .default, page: Page(limit: 10, offset: 20), countsTotal: true)
        }
        let values = page.entities.compactMap { $0.attributes[0].instances[0].value.integer }
        try expectEqual(values, ascending ? Array(20..<30) : (30..<40).reversed())
        try expectEqual(page.total, 60)
        try expect(page.hasMore, "there are more")
      }
    },
    Case("linked paths read from the same snapshot") { subject in
      let store = subject.store
      try await store.write { writer in
        try writer.put(entity(1, type: "Building", [("name", "tower")]), replacing: nil, in: .default)
        var sensor = entity(2)
        sensor.attributes = [
          AttributeSet(name: iri("in"), instances: [Attribute(kind: .relationship, value: .string(urn(1)))])
        ]
        try writer.put(sensor, replacing: nil, in: .default)
      }
      var query = EntityQuery()
      let path = AttributePath(
        attribute: iri("in"), linked: .init(types: [iri("Building")], path: AttributePath(attribute: iri("name"))))
      query.filter = .test(path, .compare(.equal, .text("tower")))
      let page = try store.read { try $0.entities(query, in: .default, page: Page(limit: 5), countsTotal: true) }
      try expectEqual(page.entities.map(\.id), [urn(2)])
    },
    Case("more than 2,000 candidates are paged and counted right") { subject in
      let store = subject.store
      for batch in 0..<10 {
        try await store.write { writer in
          for number in batch * 500..<(batch + 1) * 500 {
            try writer.put(
              entity(
                number, type: number % 2 == 0 ? "Even" : "Odd",
                [("a", .integer(Int64(number))), ("b", .integer(Int64(number / 4990)))]),
              replacing: nil, in: .default)
          }
        }
      }
      func page(_ filter: Filter, _ limit: Int, count: Bool, type: String = "Even") throws -> EntityPage {
        var query = selection(type: type)
        query.filter = filter
        return try store.read { try $0.entities(query, in: .default, page: Page(limit: limit), countsTotal: count) }
      }
      let wide = Filter.test(AttributePath(attribute: iri("a")), .compare(.greaterOrEqual, .number(100)))
      let first = try page(wide, 10, count: false)
      try expectEqual(first.entities.map(\.id), (0..<10).map { urn(100 + 2 * $0) })
      try expect(first.hasMore, "there are more")
      try expectEqual(try page(wide, 10, count: true).total, 2450)
      // Many candidates of which only the last few match, behind the point where reading in order gives up.
      let late = Filter.all([wide, .test(AttributePath(attribute: iri("b")), .compare(.unequal, .number(0)))])
      try expectEqual(try page(late, 20, count: false).entities.map(\.id), (0..<5).map { urn(4990 + 2 * $0) })
      try expectEqual(try page(late, 20, count: true).total, 5)
    },
  ]
}
