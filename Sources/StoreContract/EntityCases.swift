import NGSI
import Query
import Store

extension StoreContract {
  static let entityCases: [Case] = [
    Case("every part of an entity comes back as it was put") { subject in
      var all = Entity(id: "urn:x:모두", types: [iri("A"), iri("B")], scopes: ["/a", "/a/b"])
      all.createdAt = DateTime(microseconds: 1)
      all.modifiedAt = DateTime(microseconds: 2)
      all.deletedAt = DateTime(microseconds: -3)
      all.expiresAt = subject.clock.now.adding(seconds: 60)
      let values: [(AttributeKind, JSON)] = [
        (.property, .decimal("1234567890.12345678901234567890")), (.geoProperty, point(1, 2)),
        (.relationship, .array(["urn:a:1", "urn:a:2"])), (.languageProperty, ["en": "x", "ko": ["가", "나"]]),
        (.vocabProperty, .string(iri("v"))), (.jsonProperty, ["a": .null, "b": [true, false, -0.0, 1e300]]),
        (.listProperty, [1, "two", [3]]), (.listRelationship, ["urn:a:1", "urn:a:1"]),
      ]
      for (kind, value) in values {
        var attribute = Attribute(kind: kind, value: value)
        attribute.observedAt = DateTime(microseconds: Int64.min)
        attribute.unitCode = "CEL"
        attribute.valueType = iri("T")
        attribute.objectType = [iri("O"), iri("P")]
        attribute.expiresAt = DateTime(microseconds: Int64.max)
        attribute.createdAt = DateTime(microseconds: 5)
        attribute.modifiedAt = DateTime(microseconds: kind == .property ? 5 : 6)
        attribute.deletedAt = DateTime(microseconds: 7)
        attribute.instanceId = "urn:i:1"
        attribute.language = "ko"
        attribute.previousValue = value
        attribute.subAttributes = [AttributeSet(name: iri("sub"), instances: [property("deep")])]
        var second = property(.integer(Int64.min), datasetId: "urn:d:1")
        second.subAttributes = attribute.subAttributes
        all.attributes.append(AttributeSet(name: iri(kind.rawValue), instances: [attribute, second]))
      }
      let expected = all
      try await subject.store.write { try $0.put(expected, replacing: nil, in: .default) }
      let found: Entity? = try subject.store.read { try $0.entity(expected.id, in: .default) }
      try expectEqual(found, expected)
    },
    Case("strange text is kept exactly") { subject in
      let texts = [
        "nul\u{0}in", "\u{0}", "'; DROP TABLE entity;--", "\"quoted\"", "<b>&amp;</b>", "😀👨‍👩‍👧‍👦", "한글\n\t\r",
        "e\u{301}", "\u{e9}", "", String(repeating: "😀", count: 1000),
      ]
      try await subject.store.write { writer in
        for (number, text) in texts.enumerated() {
          var one = entity(number, [(text, .string(text)), ("nested", ["k": .string(text)])])
          one.id = "urn:x:\(number):\(text)"
          one.types = [iri(text)]
          one.scopes = [text]
          try writer.put(one, replacing: nil, in: .default)
          try writer.append(
            [HistoryEntry(entityId: one.id, attribute: iri(text), instance: property(.string(text)))],
            types: [one.id: one.types], in: .default)
          try writer.put(StoredDocument(id: text, body: .string(text)), collection: text, in: .default)
        }
      }
      try subject.store.read { reader in
        for (number, text) in texts.enumerated() {
          let id = "urn:x:\(number):\(text)"
          guard let found = try reader.entity(id, in: .default) else { throw Violation(description: "no entity \(id)") }
          func same(_ other: String?) -> Bool { other.map { $0.utf8.elementsEqual(text.utf8) } ?? false }
          try expect(same(found.attributes[0].instances[0].value.string), "value of \(number)")
          try expect(found.types[0].utf8.elementsEqual(iri(text).utf8), "type of \(number)")
          try expect(same(found.scopes[0]), "scope of \(number)")
          var query = EntityQuery()
          query.types = .type(iri(text))
          query.filter = .test(AttributePath(attribute: iri(text)), .compare(.equal, .text(text)))
          let hits = try reader.entities(query, in: .default, page: Page(limit: 100), countsTotal: true).entities
          try expect(hits.contains { $0.id == id }, "q for \(number) found \(hits.map(\.id))")
          var history = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 10), instanceLimit: 10)
          history.entities.ids = [id]
          let evolution = try reader.evolutions(history, in: .default).entities.first {
            $0.id.utf8.elementsEqual(id.utf8)
          }
          try expect(same(evolution?.attributes[0].instances[0].value.string), "history of \(number)")
          try expect(same(try reader.document(text, collection: text, in: .default)?.body.string), "document \(number)")
        }
      }
    },
    Case("an entity of one megabyte, and one of 10,000 attributes") { subject in
      let large = entity(1, [("text", .string(String(repeating: "메가", count: 180_000)))])
      let wide = entity(2, (0..<10_000).map { ("attribute\($0)", .integer(Int64($0))) })
      var wider = wide
      wider.attributes[5000].instances[0].value = "changed"
      wider.attributes.remove(at: 100)
      let changed = wider
      try await subject.store.write { writer in
        try writer.put(large, replacing: nil, in: .default)
        try writer.put(wide, replacing: nil, in: .default)
      }
      try await subject.store.write { writer in
        try writer.put(changed, replacing: writer.entity(wide.id, in: .default), in: .default)
      }
      try subject.store.read { reader in
        try expectEqual(try reader.entity(large.id, in: .default), large)
        try expectEqual(try reader.entity(wide.id, in: .default), changed)
        var query = EntityQuery()
        query.filter = .test(AttributePath(attribute: iri("attribute7777")), .compare(.equal, .number(7777)))
        let page = Page(limit: 5)
        try expectEqual(
          try reader.entities(query, in: .default, page: page, countsTotal: true).entities.map(\.id), [wide.id])
        query.filter = .test(AttributePath(attribute: iri("attribute5000")), .compare(.equal, .number(5000)))
        try expectEqual(try reader.entities(query, in: .default, page: page, countsTotal: true).total, 0)
        try expectEqual(try reader.attributes(in: .default).count, 10_000)
      }
    },
    Case("tenants are separate") { subject in
      let store = subject.store
      let tenants = [Tenant.default, Tenant("a"), Tenant("A"), Tenant("한")]
      try await store.write { writer in
        for (number, tenant) in tenants.enumerated() {
          try writer.makeTenant(tenant)
          for one in 0...number {
            try writer.put(entity(one, [("a", .integer(Int64(number)))]), replacing: nil, in: tenant)
          }
        }
      }
      try store.read { reader in
        try expectEqual(Set(try reader.tenants()), Set(tenants))
        for (number, tenant) in tenants.enumerated() {
          try expectEqual(try reader.entityCount(in: tenant), number + 1)
          var query = selection(type: "Sensor")
          query.filter = .test(AttributePath(attribute: iri("a")), .compare(.greaterOrEqual, .number(0)))
          let found = try reader.entities(query, in: tenant, page: Page(limit: 10), countsTotal: true)
          try expectEqual(found.total, number + 1)
          try expect(
            found.entities.allSatisfy { $0.attributes[0].instances[0].value == .integer(Int64(number)) }, "mixed")
          try expectEqual(try reader.types(in: tenant).first?.entityCount, number + 1)
        }
        try expectEqual(try reader.entity(urn(0), in: Tenant("unknown")), nil)
        try expectEqual(try reader.entityCount(in: Tenant("unknown")), 0)
      }
    },
    Case("a tenant is emptied in steps, and others keep theirs") { subject in
      let store = subject.store
      let (city, other) = (Tenant("city").space(1), Tenant("city"))
      try expect(city.isSpace && !other.isSpace && city.owner == other && city.spaceNumber == 1, "space")
      for tenant in [city, other] {
        try await store.write { writer in
          try writer.makeTenant(tenant)
          for number in 0..<25 {
            var one = entity(number, [("a", .integer(Int64(number)))])
            if number == 7 { one.expiresAt = subject.clock.now.adding(seconds: 1) }
            try writer.put(one, replacing: nil, in: tenant)
            try writer.append(
              [HistoryEntry(entityId: one.id, attribute: iri("a"), instance: property(1))],
              types: [one.id: one.types], in: tenant)
            try writer.put(StoredDocument(id: urn(number), body: 1), collection: "c\(number % 3)", in: tenant)
          }
        }
      }
      subject.clock.advance(seconds: 2)
      var steps = 1
      while try await !store.write({ try $0.clear(city, atMost: 10) }) { steps += 1 }
      try expect(steps >= 8, "\(steps) steps")
      try await expectEqual(store.write { try $0.clear(city, atMost: 10) }, true)
      try await expectEqual(store.write { try $0.clear(Tenant("unknown"), atMost: 10) }, true)
      try store.read { reader in
        var histories = EvolutionQuery(entities: EntityQuery(), page: Page(limit: 100), instanceLimit: 10)
        histories.countsTotal = true
        for (tenant, count) in [(city, 0), (other, 25)] {
          try expectEqual(try reader.entityCount(in: tenant), count)
          try expectEqual(try reader.types(in: tenant).count, count > 0 ? 1 : 0)
          try expectEqual(try reader.evolutions(histories, in: tenant).total, count)
          let documents = try ["c0", "c1", "c2"].map { try reader.documentCount($0, in: tenant) }.reduce(0, +)
          try expectEqual(documents, count)
          var query = selection(type: "Sensor")
          query.filter = .test(AttributePath(attribute: iri("a")), .compare(.greaterOrEqual, .number(0)))
          let found = try reader.entities(query, in: tenant, page: Page(limit: 1), countsTotal: true)
          try expectEqual(found.total, max(0, count - 1))
        }
        try expect(try reader.tenants().contains(city), "the tenant stays")
      }
      // It is as good as new.
      try await store.write { try $0.put(entity(7, [("a", 7)]), replacing: nil, in: city) }
      try expectEqual(try store.entity(urn(7), in: city)?.attributes.count, 1)
    },
    Case("expired entities are not found, and give way") { subject in
      let store = subject.store
      var mortal = entity(1, [("a", 1)])
      mortal.expiresAt = subject.clock.now.adding(seconds: 10)
      let first = mortal
      try await store.write { writer in
        try writer.put(first, replacing: nil, in: .default)
        try writer.put(entity(2, [("a", 1)]), replacing: nil, in: .default)
      }
      func total(_ query: EntityQuery) throws -> Int? {
        try store.read { try $0.entities(query, in: .default, page: Page(limit: 9), countsTotal: true).total }
      }
      try expectEqual(try total(selection(type: "Sensor")), 2)
      subject.clock.advance(seconds: 10)
      try expectEqual(try total(selection(type: "Sensor")), 1)
      try expectEqual(try store.read { try $0.entity(urn(1), in: .default) }, nil)
      let expired = try store.read { try $0.expired(at: subject.clock.now, limit: 10) }
      try expectEqual(expired.map(\.id), [urn(1)])
      try await store.write { try $0.put(entity(1, [("a", 5)]), replacing: nil, in: .default) }
      try expectEqual(try total(selection(type: "Sensor")), 2)
      try expectEqual(try store.read { try $0.entityCount(in: .default) }, 2)
      try expectEqual(try store.read { try $0.expired(at: subject.clock.now, limit: 10) }.count, 0)
    },
    Case("types and attributes stay right through changes") { subject in
      let store = subject.store
      var dice = Dice(7)
      var model: [String: Entity] = [:]
      for _ in 0..<60 {
        var changes: [(old: Entity?, new: Entity?)] = []
        for _ in 0..<10 {
          let next = dice.entity(dice.below(80))
          let old = model[next.id]
          let new = old != nil && dice.chance(30) ? nil : next
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
      let entities = Array(model.values)
      let (types, attributes) = try store.read { (try $0.types(in: .default), try $0.attributes(in: .default)) }
      try expectEqual(Set(types.map(\.type)), Set(entities.flatMap(\.types)))
      for type in types {
        let having = entities.filter { $0.types.contains(type.type) }
        try expectEqual(type.entityCount, having.count)
        try expectEqual(Set(type.attributes.map(\.attribute)), Set(having.flatMap { $0.attributes.map(\.name) }))
        for attribute in type.attributes { try check(attribute, having, of: [type.type]) }
      }
      try expectEqual(Set(attributes.map(\.attribute)), Set(entities.flatMap { $0.attributes.map(\.name) }))
      for attribute in attributes { try check(attribute, entities, of: Set(types.map(\.type))) }
      try expectEqual(try store.read { try $0.entityCount(in: .default) }, entities.count)
    },
  ]

  private static func check(_ summary: AttributeSummary, _ entities: [Entity], of types: Set<String>) throws {
    let having = entities.filter { $0[attribute: summary.attribute] != nil }
    try expectEqual(summary.entityCount, having.count, summary.attribute)
    let kinds = having.flatMap { $0[attribute: summary.attribute]?.instances.map(\.kind) ?? [] }
    try expectEqual(Set(summary.kinds), Set(kinds), summary.attribute)
    try expectEqual(Set(summary.types), Set(having.flatMap(\.types)).intersection(types), summary.attribute)
  }
}
