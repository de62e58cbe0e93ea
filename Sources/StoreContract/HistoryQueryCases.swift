import NGSI
import Query
import Store

extension StoreContract {
  static let historyQueryCases: [Case] = [
    Case("a window on time takes what the filter says") { subject in
      let store = subject.store
      var dice = Dice(5)
      var model: [Attribute] = []
      // Out of order, with equal times, with and without observedAt, some deleted.
      for number in 0..<300 {
        var instance = reading(dice.below(100), .integer(Int64(number)), datasetId: dice.chance(20) ? "urn:d:1" : nil)
        instance.createdAt = moment(dice.below(100))
        instance.modifiedAt = dice.chance(50) ? instance.createdAt : moment(100 + dice.below(100))
        if dice.chance(15) { instance.observedAt = nil }
        if dice.chance(10) {
          instance.value = .string(Core.null)
          instance.deletedAt = moment(dice.below(100))
        }
        model.append(instance)
      }
      let added = model
      for start in stride(from: 0, to: 300, by: 50) {
        try await store.write { writer in
          try writer.append(
            added[start..<start + 50].map { entry(1, "a", $0) }, types: [urn(1): [iri("Sensor")]], scopes: [:],
            in: .default)
        }
      }
      for property: TemporalFilter.Property in [.observedAt, .createdAt, .modifiedAt, .deletedAt] {
        for _ in 0..<40 {
          let (low, high) = (moment(dice.below(150)), moment(dice.below(150)))
          let relation = dice.pick([
            TemporalFilter.Relation.before(low), .after(low), .between(min(low, high), max(low, high)),
          ])
          var query = evolutionQuery(1)
          query.time = TemporalFilter(relation: relation, property: property)
          if dice.chance(30) { query.datasetIds = dice.pick([["@none"], ["urn:d:1"], ["@none", "urn:d:1"]]) }
          query.newestFirst = dice.chance(30)
          if dice.chance(30) { query.lastN = 1 + dice.below(20) }
          func time(_ instance: Attribute) -> DateTime? {
            switch property {
            case .observedAt: instance.observedAt
            case .createdAt: instance.createdAt
            case .modifiedAt: instance.modifiedAt
            case .deletedAt: instance.deletedAt
            }
          }
          var expected = added.filter { instance in
            (query.time?.matches(instance) ?? true)
              && (query.datasetIds.isEmpty || query.datasetIds.contains(instance.datasetId ?? "@none"))
          }.compactMap(time).sorted()
          if let lastN = query.lastN { expected = expected.suffix(lastN) }
          if query.newestFirst { expected.reverse() }
          let found = try instances(store, query)
          try expectEqual(found.compactMap(time), expected, "\(query)")
          try expectEqual(found.count, expected.count)
        }
      }
      try expectEqual(try instances(store, evolutionQuery(1)).count, 300)
    },
    Case("an answer that is cut goes on where it ended") { subject in
      let store = subject.store
      try await store.write { writer in
        var entries: [HistoryEntry] = []
        for hour in 0..<200 { entries.append(entry(1, "a", reading(hour, .integer(Int64(hour))))) }
        for hour in stride(from: 0, to: 200, by: 3) {
          entries.append(entry(1, "b", reading(hour, .integer(Int64(hour)))))
        }
        try writer.append(entries, types: [urn(1): [iri("Sensor")]], scopes: [:], in: .default)
      }
      var seen = (a: Set<JSON>(), b: Set<JSON>())
      var start = moment(0)
      var pages = 0
      while true {
        var query = evolutionQuery(1, limit: 50)
        query.time = TemporalFilter(relation: .after(start))
        let page = try store.read { try $0.evolutions(query, in: .default) }
        for instance in page.entities[0][attribute: iri("a")]?.instances ?? [] { seen.a.insert(instance.value) }
        for instance in page.entities[0][attribute: iri("b")]?.instances ?? [] { seen.b.insert(instance.value) }
        pages += 1
        guard let cut = page.cut else { break }
        try expectEqual(cut.from, start)
        try expect(cut.to > start, "no progress")
        let late = page.entities[0].attributes.flatMap(\.instances).filter { ($0.observedAt ?? cut.to) > cut.to }
        try expectEqual(late.count, 0, "instances after the end of the span")
        start = cut.to
      }
      try expectEqual(seen.a.count, 200)
      try expectEqual(seen.b.count, 67)
      try expectEqual(pages, 5)
      // With lastN the latest stay; what lastN itself leaves out is no cut.
      var latest = evolutionQuery(1, limit: 50)
      latest.lastN = 80
      let page = try store.read { try $0.evolutions(latest, in: .default) }
      try expectEqual(page.cut?.from, moment(150))
      try expectEqual(page.cut?.to, moment(199))
      try expectEqual(
        page.entities[0][attribute: iri("a")]?.instances.map(\.value), (150..<200).map { .integer(Int64($0)) })
      try expectEqual(page.entities[0][attribute: iri("b")]?.instances.count, 17)
      latest.lastN = 50
      try expect(
        try store.read { try $0.evolutions(latest, in: .default) }.cut == nil, "lastN within the limit cuts nothing")
    },
    Case("entities are selected by what their history holds") { subject in
      let store = subject.store
      try await store.write { writer in
        for number in 0..<20 {
          try writer.append(
            [
              entry(number, "a", reading(number, .integer(Int64(number)))),
              entry(number, "a", reading(50 + number, .integer(100))),
              entry(number, number % 2 == 0 ? "even" : "odd", reading(number, "x")),
              entry(
                number, "place",
                Attribute(kind: .geoProperty, value: point(Double(number), 0), observedAt: moment(number))),
            ],
            types: [urn(number): [iri(number < 10 ? "Low" : "High")]],
            scopes: [urn(number): [number < 5 ? "/first/x" : "/second"]], in: .default)
        }
      }
      func ids(_ change: (inout EvolutionQuery) -> Void) throws -> [Int] {
        var query = evolutionQuery()
        change(&query)
        let found = try store.read { try $0.evolutions(query, in: .default) }.entities
        return (0..<20).filter { number in found.contains { $0.id == urn(number) } }
      }
      func compare(_ value: Double) -> Filter {
        .test(AttributePath(attribute: iri("a")), .compare(.equal, .number(value)))
      }
      let early = TemporalFilter(relation: .before(moment(50)))
      try expectEqual(try ids { $0.entities.types = .type(iri("Low")) }, Array(0..<10))
      try expectEqual(try ids { $0.entities.scope = .below("/first") }, Array(0..<5))
      try expectEqual(try ids { $0.entities.idPattern = "[37]$" }, [3, 7, 13, 17])
      try expectEqual(try ids { $0.entities.attributes = [iri("odd")] }, Array(stride(from: 1, to: 20, by: 2)))
      try expectEqual(try ids { $0.time = TemporalFilter(relation: .after(moment(65))) }, Array(15..<20))
      try expectEqual(
        try ids {
          $0.time = TemporalFilter(relation: .after(moment(10)))
          $0.attributes = [iri("even")]
        }, Array(stride(from: 10, to: 20, by: 2)))
      try expectEqual(try ids { $0.entities.filter = compare(7) }, [7])
      try expectEqual(try ids { $0.entities.filter = compare(100) }, Array(0..<20))
      // Only instances in the window count.
      try expectEqual(
        try ids {
          $0.entities.filter = compare(100)
          $0.time = early
        }, [])
      // One instance for each condition is enough.
      try expectEqual(try ids { $0.entities.filter = .all([compare(7), compare(100)]) }, [7])
      let box = BoundingBox(west: 2.5, south: -1, east: 4.5, north: 1)
      let corners: [JSON] = [[2.5, -1.0], [4.5, -1.0], [4.5, 1.0], [2.5, 1.0], [2.5, -1.0]]
      try expectEqual(
        try ids {
          $0.entities.geo = GeoFilter(
            relation: .within, geometry: ["type": "Polygon", "coordinates": .array([.array(corners)])],
            property: iri("place"), window: box)
        }, [3, 4])
      // Pages and totals.
      var paged = evolutionQuery()
      paged.page = Page(limit: 4, offset: 3)
      paged.countsTotal = true
      paged.entities.types = .type(iri("High"))
      paged.attributes = [iri("a")]
      let page = try store.read { try $0.evolutions(paged, in: .default) }
      try expectEqual(page.entities.map(\.id), (13..<17).map(urn))
      try expectEqual(page.total, 10)
      try expect(page.hasMore, "there are more")
      try expect(page.entities.allSatisfy { $0.attributes.map(\.name) == [iri("a")] }, "only what was asked for")
    },
    Case("instances come without ids where that is asked") { subject in
      try await subject.store.write { writer in
        try writer.append([entry(1, "a", reading(0, 1))], types: [:], scopes: [:], in: .default)
      }
      var query = evolutionQuery(1)
      query.showsInstanceIds = false
      try expectEqual(try instances(subject.store, query).map(\.instanceId), [nil])
    },
  ]
}
