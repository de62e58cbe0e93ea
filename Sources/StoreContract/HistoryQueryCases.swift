import NGSI
import Query
import Store

extension StoreContract {
  /// Scopes that were set at an hour (`nil`: nobody said when), or taken away.
  private static func scope(_ number: Int, _ scopes: [String]?, at hour: Int?) -> HistoryEntry {
    var instance = property(scopes.map(JSON.scopes) ?? .string(Core.null), observedAt: hour.map(moment))
    if scopes == nil { (instance.observedAt, instance.deletedAt) = (nil, hour.map(moment)) }
    instance.modifiedAt = moment(2000)
    return HistoryEntry(entityId: urn(number), attribute: Core.scope, instance: instance)
  }

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
            added[start..<start + 50].map { entry(1, "a", $0) }, types: [urn(1): [iri("Sensor")]], in: .default)
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
        try writer.append(entries, types: [urn(1): [iri("Sensor")]], in: .default)
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
              scope(number, [number < 5 ? "/first/x" : "/second"], at: nil),
            ], types: [urn(number): [iri(number < 10 ? "Low" : "High")]], in: .default)
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
      paged.entities.order = [OrderKey(subject: .id, ascending: false)]
      let descending = try store.read { try $0.evolutions(paged, in: .default) }
      try expectEqual(descending.entities.map(\.id), [16, 15, 14, 13].map(urn))
      try expectEqual(descending.total, 10)
      try expect(page.hasMore, "there are more")
      try expect(page.entities.allSatisfy { $0.attributes.map(\.name) == [iri("a")] }, "only what was asked for")
    },
    Case("attributes outside a cut stay, without instances") { subject in
      try await subject.store.write { writer in
        try writer.append(
          (0..<30).map { entry(1, "early", reading($0, 1)) }
            + (30..<60).map {
              entry(1, "late", Attribute(kind: .relationship, value: .string(urn($0)), observedAt: moment($0)))
            }, types: [:], in: .default)
      }
      for backward in [false, true] {
        var query = evolutionQuery(1, limit: 10)
        if backward { query.lastN = 50 }
        let page = try subject.store.read { try $0.evolutions(query, in: .default) }
        let (full, empty) = backward ? ("late", "early") : ("early", "late")
        try expectEqual(page.entities[0][attribute: iri(full)]?.instances.count, 10)
        try expectEqual(page.entities[0][attribute: iri(empty)]?.instances.count, 0)
        try expectEqual(page.beyondCut, [urn(1): [iri(empty): backward ? .property : .relationship]])
        try expectEqual(page.cut?.from, moment(backward ? 50 : 0))
      }
    },
    Case("a time property alone asks for instances that have it") { subject in
      var gone = property(.string(Core.null))
      gone.deletedAt = moment(5)
      let mark = gone
      try await subject.store.write { writer in
        try writer.append(
          [
            entry(1, "a", reading(0, 1)), entry(1, "a", mark), entry(1, "b", reading(0, 2)),
            entry(2, "a", reading(0, 3)),
          ],
          types: [:], in: .default)
      }
      var query = evolutionQuery()
      query.time = TemporalFilter(relation: nil, property: .deletedAt)
      let page = try subject.store.read { try $0.evolutions(query, in: .default) }
      try expectEqual(page.entities.map(\.id), [urn(1)])
      try expectEqual(page.entities[0].attributes.map(\.name), [iri("a")])
      try expectEqual(page.entities[0].attributes[0].instances.map(\.deletedAt), [moment(5)])
    },
    Case("scopes hold until the next ones are set") { subject in
      let store = subject.store
      try await store.write { writer in
        try writer.append(
          (0..<40).map { entry(1, "a", reading($0, .integer(Int64($0)))) }
            // Told out of order; 1 had a scope from the beginning, 2 only later, 3 never.
            + [scope(1, ["/b"], at: 20), scope(1, ["/a", "/c"], at: 10), scope(1, nil, at: 30)]
            + [entry(2, "a", reading(15, 0)), scope(2, ["/a"], at: 25), entry(3, "a", reading(15, 0))],
          types: [:], in: .default)
      }
      func found(_ asked: ScopeFilter, from: Int, to: Int) throws -> [String: [Int64]] {
        var query = evolutionQuery()
        query.entities.scope = asked
        query.attributes = [iri("a")]
        query.time = TemporalFilter(relation: .between(moment(from), moment(to)))
        return try store.read { try $0.evolutions(query, in: .default) }.entities.reduce(into: [:]) { found, entity in
          found[entity.id] = entity.attributes.flatMap(\.instances).compactMap(\.value.integer)
        }
      }
      try expectEqual(try found(.exact("/a"), from: 0, to: 40), [urn(1): Array(10..<20)])
      try expectEqual(try found(.exact("/a"), from: 12, to: 15), [urn(1): [12, 13, 14]])
      try expectEqual(try found(.all([.exact("/a"), .exact("/c")]), from: 18, to: 22), [urn(1): [18, 19]])
      try expectEqual(try found(.exact("/b"), from: 0, to: 20), [:])
      try expectEqual(try found(.exact("/b"), from: 28, to: 35), [urn(1): [28, 29]])
      try expectEqual(try found(.pattern([.anyRest]), from: 31, to: 40), [:])
      // What was set before the window and holds in it is shown with it.
      var query = evolutionQuery(1)
      query.time = TemporalFilter(relation: .between(moment(22), moment(31)))
      let shown = try store.read { try $0.evolutions(query, in: .default) }.entities.first
      try expectEqual(shown?[attribute: Core.scope]?.instances.map(\.value), ["/b", .string(Core.null)])
    },
    Case("a history given value by value is the history") { subject in
      var dice = Dice(20_261_123)
      var whole = 0
      for number in 0..<40 {
        // Long enough that most of it is sealed; now and then with what is no plain value, or out of order.
        let isPlain = !dice.chance(25)
        let kinds = [JSON.integer(7), 21.5, .string("열림"), .double(-0.0), .string("")]
        var hour = 0
        for _ in 0..<dice.pick([1, 20, 90]) {
          let history = (0..<8).map { _ -> HistoryEntry in
            hour += isPlain || !dice.chance(5) ? 1 : -2
            var instance = property(dice.pick(kinds), observedAt: moment(hour))
            if dice.chance(50) { instance.unitCode = "CEL" }
            if !isPlain, dice.chance(2) { instance.datasetId = "urn:d:1" }
            if !isPlain, dice.chance(2) { instance.value = ["k": 1] }
            if !isPlain, dice.chance(2) { instance.observedAt = nil }
            return entry(number, dice.pick(["a", "b"]), instance)
          }
          try await subject.store.write {
            try $0.append(history, types: [urn(number): [iri("Sensor")]], in: .default)
          }
        }
        for _ in 0..<6 {
          var query = evolutionQuery(number, limit: dice.pick([3, 100_000, 100_000]))
          query.showsInstanceIds = false
          let (start, end) = (moment(dice.below(200)), moment(dice.below(700)))
          let relations: [TemporalFilter.Relation?] = [.before(end), .after(start), .between(start, end)]
          query.time = dice.chance(40) ? nil : TemporalFilter(relation: dice.pick(relations))
          if dice.chance(40) { query.attributes = [iri(dice.pick(["a", "b", "c"]))] }
          if try compareValues(query, of: number, subject.store) { whole += 1 }
        }
      }
      try expect(whole > 80, "too few histories were given value by value: \(whole)")
    },
    Case("instances come without ids where that is asked") { subject in
      try await subject.store.write { writer in
        try writer.append([entry(1, "a", reading(0, 1))], types: [:], in: .default)
      }
      var query = evolutionQuery(1)
      query.showsInstanceIds = false
      try expectEqual(try instances(subject.store, query).map(\.instanceId), [nil])
    },
  ]
}

extension StoreContract {
  /// Compares what is given value by value with the page; false when it is not given so.
  private static func compareValues(_ query: EvolutionQuery, of number: Int, _ store: any Store) throws -> Bool {
    var ids: [String] = []
    var sets: [(name: String, kind: AttributeKind, values: [(DateTime, JSON)])] = []
    let (isWhole, page) = try store.read { reader in
      let isWhole = try reader.forEachValue(
        of: urn(number), query, in: .default, entity: { ids.append($0.id + $0.types.joined()) },
        attribute: { sets.append(($0, $1, [])) }, value: { sets[sets.count - 1].values.append(($0, $1)) })
      return (isWhole, try reader.evolutions(query, in: .default))
    }
    guard isWhole else { return false }
    try expectEqual(ids, page.entities.map { $0.id + $0.types.joined() })
    try expect(page.cut == nil, "a page that was cut")
    let expected = page.entities.first?.attributes.filter { !$0.instances.isEmpty } ?? []
    try expectEqual(sets.map(\.name), expected.map(\.name))
    for (set, expected) in zip(sets, expected) {
      try expect(expected.instances.allSatisfy { $0.kind == set.kind }, "the kind of \(set.name)")
      try expectEqual(set.values.map(\.0), expected.instances.map { $0.observedAt ?? DateTime(microseconds: 0) })
      try expect(
        zip(set.values, expected.instances).allSatisfy {
          $0.1 == $1.value && JSONWriter.text($0.1) == JSONWriter.text($1.value)
        },
        "the values of \(set.name)")
    }
    return true
  }
}
