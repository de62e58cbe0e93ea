import NGSI
import Query
import Store

extension StoreContract {
  static func moment(_ hour: Int) -> DateTime {
    DateTime(microseconds: 1_700_000_000_000_000 + Int64(hour) * 3_600_000_000)
  }

  static func reading(_ hour: Int, _ value: JSON, datasetId: String? = nil) -> Attribute {
    var instance = property(value, observedAt: moment(hour), datasetId: datasetId)
    instance.createdAt = moment(1000 - hour)
    instance.modifiedAt = moment(1000 - hour)
    return instance
  }

  static func entry(_ number: Int, _ attribute: String, _ instance: Attribute) -> HistoryEntry {
    HistoryEntry(entityId: urn(number), attribute: iri(attribute), instance: instance)
  }

  static func evolutionQuery(_ number: Int? = nil, limit: Int = 1000) -> EvolutionQuery {
    var entities = EntityQuery()
    if let number { entities.ids = [urn(number)] }
    return EvolutionQuery(entities: entities, page: Page(limit: 100), instanceLimit: limit)
  }

  /// The instances of one attribute of the first entity found.
  static func instances(
    _ store: any Store, _ query: EvolutionQuery, _ attribute: String = "a"
  ) throws -> [Attribute] {
    try store.read { try $0.evolutions(query, in: .default) }.entities.first?[attribute: iri(attribute)]?.instances
      ?? []
  }

  static let historyCases: [Case] = [
    Case("every part of an instance comes back as it was added") { subject in
      let store = subject.store
      var instances: [Attribute] = [
        property(1), property(-1.5, observedAt: moment(1)), property("text", observedAt: moment(2)),
        property(.decimal("1234567890.12345678901234567890"), observedAt: moment(3)),
        property(.bool(true), observedAt: moment(4)), property(["k": [1, .null]], observedAt: moment(5)),
        property(2, observedAt: moment(6), datasetId: "urn:d:1"),
        Attribute(kind: .relationship, value: .string(urn(3)), observedAt: moment(7)),
        Attribute(kind: .geoProperty, value: point(1, 2), observedAt: moment(8)),
        Attribute(kind: .property, value: .integer(.max), observedAt: moment(9), unitCode: "CEL"),
        Attribute(kind: .property, value: .double(-0.0), observedAt: moment(10), unitCode: "CEL"),
      ]
      for position in instances.indices {
        if position % 3 != 0 { instances[position].createdAt = moment(20 + position) }
        if position % 3 == 1 { instances[position].modifiedAt = instances[position].createdAt }
        if position % 3 == 2, position % 2 == 0 { instances[position].modifiedAt = moment(99) }
      }
      var deleted = property(.string(Core.null))
      deleted.deletedAt = moment(500)
      var explicit = property(5, observedAt: moment(501))
      explicit.instanceId = "urn:instance:own"
      explicit.subAttributes = [AttributeSet(name: iri("sub"), instances: [property("x")])]
      let added = instances + [deleted, explicit]
      try await store.write { writer in
        try writer.append(
          added.enumerated().map { entry(1, "a\($0.offset)", $0.element) }, types: [urn(1): [iri("Sensor"), iri("B")]],
          in: .default)
      }
      let page = try store.read { try $0.evolutions(evolutionQuery(1), in: .default) }
      try expectEqual(page.entities.first?.types ?? [], [iri("Sensor"), iri("B")])
      var ids = Set<String>()
      for (position, expected) in added.enumerated() {
        guard var found = page.entities.first?[attribute: iri("a\(position)")]?.instances.first else {
          throw Violation(description: "instance \(position) is missing")
        }
        guard let id = found.instanceId, IRI.isAbsolute(id) else {
          throw Violation(description: "instance \(position) has no instanceId")
        }
        ids.insert(id)
        if expected.instanceId == nil { found.instanceId = nil }
        try expectEqual(found, expected, "instance \(position)")
        if case .double(let number)? = found.value.isDouble {
          try expectEqual(number.sign, expected.value.number?.sign)
        }
      }
      try expectEqual(ids.count, added.count, "instanceIds are unique")
    },
    Case("instances are replaced and deleted by their instanceId") { subject in
      let store = subject.store
      var own = reading(3, 3)
      own.instanceId = "urn:instance:own"
      let ownInstance = own
      try await store.write { writer in
        try writer.append(
          (0..<3).map { entry(1, "a", reading($0, .integer(Int64($0)))) } + [entry(1, "a", ownInstance)],
          types: [urn(1): [iri("Sensor")]], in: .default)
      }
      let before = try instances(store, evolutionQuery(1))
      try expectEqual(before.map(\.value), [0, 1, 2, 3])
      let ids = before.compactMap(\.instanceId)
      try expectEqual(ids.count, 4)
      // Moved in time, twice; the id stays.
      for hour in [10, 11] {
        let isReplaced = try await store.write {
          try $0.replaceHistory(entry(1, "a", reading(hour, "moved")), instanceId: ids[1], in: .default)
        }
        try expect(isReplaced, "replaced at \(hour)")
      }
      var after = try instances(store, evolutionQuery(1))
      try expectEqual(after.map(\.value), [0, 2, 3, "moved"])
      try expectEqual(after.compactMap(\.instanceId), [ids[0], ids[2], "urn:instance:own", ids[1]])
      let deleted = try await store.write { writer in
        [
          try writer.deleteHistory(of: urn(1), attribute: iri("a"), instanceId: ids[1], in: .default),
          try writer.deleteHistory(of: urn(1), attribute: iri("a"), instanceId: "urn:instance:own", in: .default),
          try writer.deleteHistory(of: urn(1), attribute: iri("a"), instanceId: "urn:instance:own", in: .default),
          try writer.deleteHistory(of: urn(1), attribute: iri("b"), instanceId: ids[0], in: .default),
          try writer.deleteHistory(of: urn(2), attribute: iri("a"), instanceId: ids[0], in: .default),
          try writer.replaceHistory(entry(1, "a", reading(1, 1)), instanceId: ids[1], in: .default),
        ]
      }
      try expectEqual(deleted, [true, true, false, false, false, false])
      after = try instances(store, evolutionQuery(1))
      try expectEqual(after.map(\.value), [0, 2])
      // A number that is free again is not given to another instance.
      try await store.write { writer in
        try writer.append([entry(1, "a", reading(1, 9))], types: [:], in: .default)
      }
      let last = try instances(store, evolutionQuery(1)).compactMap(\.instanceId)
      try expect(!last.contains(ids[1]), "an instanceId was given twice")
    },
    Case("histories are deleted by attribute, by dataset and whole") { subject in
      let store = subject.store
      try await store.write { writer in
        for number in 1...2 {
          try writer.append(
            [
              entry(number, "a", reading(0, 1)), entry(number, "a", reading(0, 2, datasetId: "urn:d:1")),
              entry(number, "b", reading(0, 3)),
            ], types: [urn(number): [iri("Sensor")]], in: .default)
        }
      }
      func delete(_ attribute: String, _ datasetId: String?, all: Bool) async throws -> Bool {
        try await store.write {
          try $0.deleteHistory(
            of: urn(1), attribute: iri(attribute), datasetId: datasetId, allDatasets: all, in: .default)
        }
      }
      try expectEqual(try await delete("a", nil, all: false), true)
      try expectEqual(try instances(store, evolutionQuery(1)).map(\.value), [2])
      try expectEqual(try await delete("a", nil, all: false), false)
      try expectEqual(try await delete("a", nil, all: true), true)
      try expectEqual(try instances(store, evolutionQuery(1)), [])
      try expectEqual(try instances(store, evolutionQuery(1), "b").map(\.value), [3])
      try expectEqual(try await store.write { try $0.deleteHistory(of: urn(1), in: .default) }, true)
      try expectEqual(try await store.write { try $0.deleteHistory(of: urn(1), in: .default) }, false)
      var sensors = evolutionQuery()
      sensors.entities.types = .type(iri("Sensor"))
      try expectEqual(
        try store.read { try $0.evolutions(sensors, in: .default) }.entities.map(\.id), [urn(2)])
      // It begins anew.
      try await store.write { writer in
        try writer.append([entry(1, "a", reading(5, 5))], types: [urn(1): [iri("Tree")]], in: .default)
      }
      try expectEqual(try instances(store, evolutionQuery(1)).map(\.value), [5])
    },
    Case("history outlives its entity") { subject in
      let store = subject.store
      try await store.write { writer in
        try writer.put(entity(1, [("a", 1)]), replacing: nil, in: .default)
        try writer.append([entry(1, "a", reading(0, 1))], types: [urn(1): [iri("Sensor")]], in: .default)
      }
      try await store.write { writer in
        if let found = try writer.entity(urn(1), in: .default) { try writer.delete(found, in: .default) }
      }
      try expectEqual(try store.read { try $0.entity(urn(1), in: .default) }, nil)
      try expectEqual(try instances(store, evolutionQuery(1)).map(\.value), [1])
    },
  ]
}

extension JSON {
  fileprivate var isDouble: JSON? { if case .double = self { self } else { nil } }
}
