import NGSI
import Query
import Store

extension StoreContract {
  static let writtenCases: [Case] = [
    Case("an entity is written as what is read of it would be, byte for byte") { subject in
      var dice = Dice(20_261_122)
      let entities = (0..<150).map { dice.anything($0) }
      try await subject.store.write { writer in
        for one in entities { try writer.put(one, replacing: nil, in: .default) }
      }
      for (number, form) in forms.enumerated() {
        for one in entities {
          let found: Entity? = try subject.store.entity(one.id, in: .default)
          try expectEqual(found, one)
          for embedded: JSON? in [nil, ["https://example.org/c.jsonld", ["a": "urn:a"]]] {
            var expected = JSONWriter()
            form.write(one, embeddedContext: embedded, to: &expected)
            var written = JSONWriter()
            let isThere = try subject.store.write(
              one.id, in: .default, at: subject.clock.now, as: form, under: nil, embeddedContext: embedded, to: &written
            )
            try expect(isThere, "\(one.id) is not there")
            try expectEqual(
              String(decoding: written.bytes, as: UTF8.self), String(decoding: expected.bytes, as: UTF8.self),
              "form \(number)")
          }
        }
      }
    },
    Case("an entity is written as far as it may be seen, alone and in a page") { subject in
      let whole = entity(1, [("open", 1), ("secret", 2)])
      let open = entity(1, [("open", 1)])
      try await subject.store.write { try $0.put(whole, replacing: nil, in: .default) }
      let store = subject.store
      let form = EntityWriter(context: .core, representation: Representation())
      let now = subject.clock.now
      func expectSeen(_ expected: Entity?, _ glance: EntityVisibility.Glance, isGiven: Bool = true) throws {
        let visibility = EntityVisibility { _, _ in
          .attributes([open.attributes[0].name])
        } glance: { types, scopes in
          types == whole.types && scopes == whole.scopes ? glance : .nothing
        } give: { _ in
          isGiven
        }
        var shown = JSONWriter()
        if let expected { form.write(expected, embeddedContext: nil, to: &shown) }
        var alone = JSONWriter()
        let isThere = try store.write(
          whole.id, in: .default, at: now, as: form, under: visibility, embeddedContext: nil, to: &alone)
        try expectEqual(isThere, expected != nil, "\(glance)")
        try expectEqual(String(decoding: alone.bytes, as: UTF8.self), String(decoding: shown.bytes, as: UTF8.self))
        guard isGiven else { return }
        var query = EntityQuery()
        query.visibility = visibility
        let asked = query
        let page = try store.read { reader in
          var page = JSONWriter()
          let extent = try reader.write(
            asked, in: .default, page: Page(limit: 10), countsTotal: true, as: form, embeddedContext: nil, to: &page)
          try expectEqual(extent.total, expected == nil ? 0 : 1, "\(glance)")
          return page.bytes
        }
        try expectEqual(String(decoding: page, as: UTF8.self), String(decoding: shown.bytes, as: UTF8.self))
      }
      try expectSeen(whole, .whole)
      try expectSeen(open, .unclear)
      try expectSeen(open, .attributes { $0 == open.attributes[0].name })
      try expectSeen(nil, .nothing)
      try expectSeen(nil, .unclear, isGiven: false)
    },
    Case("an entity that is not there, or whose time has come, is not written") { subject in
      var brief = entity(1, [("a", 1)])
      brief.expiresAt = subject.clock.now.adding(seconds: 10)
      let expected = brief
      try await subject.store.write { try $0.put(expected, replacing: nil, in: .default) }
      let store = subject.store
      func isWritten(_ id: String, in tenant: Tenant = .default, at time: DateTime) throws -> Bool {
        var writer = JSONWriter()
        let form = EntityWriter(context: .core, representation: Representation())
        let isThere = try store.write(
          id, in: tenant, at: time, as: form, under: nil, embeddedContext: nil, to: &writer)
        try expectEqual(writer.bytes.isEmpty, !isThere, "what was written")
        return isThere
      }
      let now = subject.clock.now
      try expect(try isWritten(urn(1), at: now), "it is there")
      try expect(try !isWritten(urn(2), at: now), "another")
      try expect(try !isWritten(urn(1), in: Tenant("other"), at: now), "another tenant's")
      try expect(try !isWritten(urn(1), at: now.adding(seconds: 10)), "its end by the caller's clock")
      subject.clock.advance(seconds: 10)
      try expect(try !isWritten(urn(1), at: now), "its end by the store's clock")
    },
  ]

  /// Every form, with names as they are, by the core context, and by one with terms and a prefix.
  private static let forms: [EntityWriter] = {
    let terms: [String: Context.Term] = [
      "ah": .init(iri: iri("a")), "ex": .init(iri: "https://example.org/", isPrefix: true), "b": .init(iri: "urn:b"),
    ]
    var forms: [EntityWriter] = []
    for context in [Context.identity, .core, Context(terms: terms, source: .string("https://example.org/c.jsonld"))] {
      for form in [Representation.Form.normalized, .concise, .simplified] {
        for systemAttributes in [false, true] {
          for languages in [[], ["ko", "*"]] {
            let representation = Representation(form, systemAttributes: systemAttributes, languages: languages)
            forms.append(EntityWriter(context: context, representation: representation))
          }
        }
      }
    }
    return forms
  }()
}

// MARK: - Entities with everything

extension Dice {
  private static let names = [
    iri("a"), iri("b"), iri("c"), "https://example.org/d", "https://example.org/한글", "urn:x", Core.location,
  ]
  private static let seals = [
    "https://uri.etsi.org/ngsi-ld/entityIdSealed", "https://uri.etsi.org/ngsi-ld/entityTypeSealed",
  ]

  /// An entity whose attributes may be of any kind, with any members.
  mutating func anything(_ number: Int) -> Entity {
    var entity = Entity(id: urn(number), types: [pick(Self.names)])
    if chance(30) { entity.types.append(iri("Second")) }
    for _ in 0..<below(3) { entity.scopes.append("/\(entity.scopes.count)/" + pick(Self.texts)) }
    if chance(60) { entity.createdAt = time() }
    if chance(60) { entity.modifiedAt = time() }
    if chance(10) { entity.deletedAt = time() }
    if chance(20) { entity.expiresAt = DateTime("2100-01-01T00:00:00Z") }
    entity.attributes = anySets(depth: 2, Self.names)
    return entity
  }

  private mutating func anySets(depth: Int, _ names: [String]) -> [AttributeSet] {
    names.shuffled(using: &self).prefix(below(5)).map { name in
      var set = AttributeSet(name: name, instances: chance(90) ? [anyInstance(depth: depth)] : [])
      while chance(25) {
        var other = anyInstance(depth: depth)
        other.datasetId = "urn:d:\(set.instances.count)"
        set.instances.append(other)
      }
      return set
    }
  }

  private mutating func anyInstance(depth: Int) -> Attribute {
    let kind = pick(AttributeKind.allCases)
    var one = Attribute(kind: kind, value: anyValue(of: kind))
    if chance(30) { one.observedAt = time() }
    if chance(30) { one.unitCode = pick(["CEL", "P1", "한", "\"q\""]) }
    if chance(10) { one.valueType = pick(Self.names) }
    if chance(10) { one.objectType = [pick(Self.names), iri("O")] }
    if chance(10) { one.expiresAt = time() }
    if chance(30) { one.createdAt = time() }
    if chance(30) { one.modifiedAt = chance(50) ? one.createdAt : time() }
    if chance(10) { one.deletedAt = time() }
    if chance(20) { one.instanceId = "urn:i:\(below(100))" }
    if chance(10) { one.language = "ko" }
    if chance(10) { one.previousValue = anyValue(of: kind) }
    if depth > 0, chance(40) { one.subAttributes = anySets(depth: depth - 1, Self.names + Self.seals) }
    return one
  }

  private mutating func anyValue(of kind: AttributeKind) -> JSON {
    switch kind {
    case .property, .jsonProperty: return anyJSON(depth: 3)
    case .geoProperty: return geometry()
    case .relationship: return chance(80) ? .string(urn(below(9))) : .array([.string(urn(1)), .string(urn(2))])
    case .languageProperty: return ["en": .string(pick(Self.texts)), "ko": .array(["가", .string(pick(Self.texts))])]
    case .vocabProperty:
      return chance(60) ? .string(pick(Self.names)) : .array([.string(pick(Self.names)), .string(Core.null)])
    case .listProperty: return .array([anyJSON(depth: 1), anyJSON(depth: 1)])
    case .listRelationship: return .array([.string(urn(below(9))), .string(chance(80) ? urn(3) : Core.null)])
    }
  }

  private mutating func anyJSON(depth: Int) -> JSON {
    switch below(depth > 0 ? 10 : 7) {
    case 0: .null
    case 1: .bool(chance(50))
    case 2: .integer(pick([0, -1, 7, Int64.min, Int64.max, Int64(below(1_000_000))]))
    case 3:
      .double(
        pick([0, -0.0, 0.1, 1e-7, 1e21, 2.2250738585072014e-308, 1.7976931348623157e308, Double(below(1000)) / 8]))
    case 4: .decimal("1234567890.12345678901234567890")
    case 5, 6: .string(pick(Self.texts + ["\u{0}\u{1f}\u{7f}", "\\\"", "e\u{301}", "seven77\"", "eightbyt\n"]))
    case 7: .array((0..<below(4)).map { _ in anyJSON(depth: depth - 1) })
    default:
      .object(
        JSONObject(
          uniqueMembers: Self.texts.shuffled(using: &self).prefix(below(4)).map {
            .init(key: $0, value: anyJSON(depth: depth - 1))
          }))
    }
  }

  private mutating func time() -> DateTime {
    DateTime(microseconds: 1_795_000_000_000_000 + Int64(below(5)) * pick([1, 1000, 1_000_000, 86_400_000_000]))
  }
}
