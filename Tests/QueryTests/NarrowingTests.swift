import Fuzzing
import NGSI
import Query
import Testing

// Clauses: none: what an index may decide is our own
@Suite struct NarrowingTests {
  /// Matches ⇒ narrowing holds, on random filters and entities.
  @Test func neverUnderSelects() throws {
    var random = Seeded(99)
    let entities = (0..<400).map { _ in Random.entity(&random) }
    var matched = 0
    var excluded = 0
    for _ in 0..<4_000 {
      let filter = Random.filter(&random, depth: 3)
      let narrowing = filter.narrowing
      let matcher = try FilterMatcher(filter)
      for _ in 0..<25 {
        let entity = random.pick(entities)
        if try matcher.matches(entity) {
          matched += 1
          if !narrowing.holds(for: entity) {
            Issue.record("\(filter)\nis narrowed to \(narrowing)\nwhich misses \(entity)")
          }
        } else if !narrowing.holds(for: entity) {
          excluded += 1
        }
      }
    }
    #expect(matched > 10_000 && excluded > 10_000)
  }

  @Test func narrowsWhatAnIndexCanAnswer() throws {
    let speed = example + "speed"
    func narrowing(_ q: String) throws -> Narrowing { try Filter(q: q, context: context).narrowing }
    #expect(try narrowing("speed>5") == .number(attribute: speed, low: 5, high: nil))
    #expect(try narrowing("speed==1..5") == .number(attribute: speed, low: 1, high: 5))
    #expect(try narrowing("speed==\"a\",\"b\"") == .text(attribute: speed, equals: ["a", "b"]))
    #expect(try narrowing("speed!=5") == .hasAttribute(speed))
    #expect(try narrowing("!speed") == .everything)
    #expect(try narrowing("!speed;speed>5") == .number(attribute: speed, low: 5, high: nil))
    #expect(try narrowing("!speed|speed>5") == .everything)
    let range = Narrowing.number(attribute: speed, low: 2, high: 5)
    #expect(try narrowing("speed>=2;speed<5") == .any([range, .several(speed)]))
    #expect(try narrowing("speed>=2;other==1;speed<5;speed>1").joinsOnly(range, several: speed))
    #expect(try narrowing("speed.accuracy>5") == .hasAttribute(speed))
    #expect(try narrowing("speed~=^abc.*") == .textPrefix(attribute: speed, prefix: "abc"))
    #expect(try narrowing("speed~=^abc*") == .textPrefix(attribute: speed, prefix: "ab"))
    #expect(try narrowing("speed~=\"^abc|d\"") == .hasAttribute(speed))
    let time = try #require(DateTime("2020-01-01T00:00:00Z"))
    #expect(try narrowing("speed<2020-01-01T00:00:00Z") == .time(attribute: speed, low: nil, high: time))
  }

  @Test func listsWhatIsIndexed() throws {
    func values(_ json: String) throws -> [IndexValue] {
      let set = try #require(try entity(#"{"id":"urn:x:1","type":"T","a":\#(json)}"#)[attribute: example + "a"])
      return IndexValue.values(of: set)
    }
    let time = try #require(DateTime("2020-01-01T00:00:00Z"))
    #expect(try values("5") == [.number(5)])
    #expect(try values("[5, 5.0, \"x\", [7], {\"k\": 1}, null]") == [.number(5), .text("x"), .several])
    #expect(try values("\"2020-01-01T00:00:00Z\"") == [.text("2020-01-01T00:00:00Z"), .time(time)])
    #expect(try values(#"{"type":"Property","value":{"@type":"Integer","@value":9}}"#) == [.number(9)])
    #expect(try values("true") == [.none])
    #expect(
      try values(#"{"type":"LanguageProperty","languageMap":{"en":"a","fr":["b","a"]}}"#) == [
        .text("a"), .text("b"), .several,
      ])
    #expect(try values(#"{"type":"GeoProperty","value":{"type":"Point","coordinates":[1,2]}}"#) == [.none])
    #expect(try values("[\"\u{e9}\", \"e\u{301}\"]").count == 3)
    let many = "[" + (0...300).map(String.init).joined(separator: ",") + "]"
    #expect(try values(many) == [.unlisted])
  }

  @Test func keysAreCutAtWholeCharacters() {
    #expect(IndexValue.key(of: String(repeating: "가", count: 100)) == String(repeating: "가", count: 66))
    #expect(IndexValue.key(of: "a\0b") == "a")
    let exact = String(repeating: "x", count: 200)
    #expect(IndexValue.key(of: exact) == exact && IndexValue.key(of: exact + "y") == exact)
  }
}

extension Narrowing {
  /// Whether this is an "and" with one range of an attribute, the joint one.
  fileprivate func joinsOnly(_ range: Narrowing, several attribute: String) -> Bool {
    guard case .all(let parts) = self else { return false }
    return parts.count == 2 && parts.contains(.any([range, .several(attribute)]))
  }
}

/// Random entities and filters over few names and values, so that they often meet.
enum Random {
  private static let long = String(repeating: "길", count: 80)
  private static let texts = [
    "a", "b", "abc", "abd", "Abc", "", "é", "e\u{301}", "2020-01-01T00:00:00Z", "2021-06-01T12:00:00.5Z", "2020-01-01",
    "10:00:00Z", "10:00:00.5Z", "urn:x:1", "urn:x:2", "5", "a\u{0}b", long, long + "a", long + "b",
    String(long.dropLast(9)),
  ]
  private static let numbers: [JSON] = [
    0, 1, -1, 5, 5.5, 1e300, -1e300, .decimal("5.00000000000000000000001"), 9_007_199_254_740_993,
  ]
  private static let names = ["a", "b", "c"].map { example + $0 }

  static func entity(_ random: inout Seeded) -> Entity {
    var entity = Entity(id: "urn:x:1", types: [example + "T"])
    for name in names where random.chance(70) {
      entity.attributes.append(
        AttributeSet(name: name, instances: (0..<1 + random.below(2)).map { _ in attribute(&random, depth: 2) }))
    }
    return entity
  }

  private static func attribute(_ random: inout Seeded, depth: Int) -> Attribute {
    let kind = random.pick(AttributeKind.allCases)
    var attribute = Attribute(kind: kind, value: value(kind, &random))
    if random.chance(30) { attribute.observedAt = DateTime(microseconds: Int64(random.below(5))) }
    if depth > 0, random.chance(30) {
      attribute.subAttributes = [
        AttributeSet(name: random.pick(names), instances: [Self.attribute(&random, depth: depth - 1)])
      ]
    }
    return attribute
  }

  private static func value(_ kind: AttributeKind, _ random: inout Seeded) -> JSON {
    switch kind {
    case .geoProperty: ["type": "Point", "coordinates": [1, 2]]
    case .relationship, .vocabProperty: random.chance(70) ? text(&random) : [text(&random), text(&random)]
    case .listRelationship, .listProperty: .array((0..<random.below(4)).map { _ in scalar(&random) })
    case .languageProperty: ["en": text(&random), "fr": [text(&random), text(&random)]]
    case .property, .jsonProperty: any(&random, depth: 2)
    }
  }

  private static func any(_ random: inout Seeded, depth: Int) -> JSON {
    switch random.below(depth > 0 ? 6 : 3) {
    case 0, 1, 2: scalar(&random)
    case 3: .array((0..<random.below(random.chance(5) ? 400 : 4)).map { _ in any(&random, depth: depth - 1) })
    case 4: ["@type": "Thing", "@value": scalar(&random)]
    default: ["en": any(&random, depth: depth - 1), "k": scalar(&random)]
    }
  }

  private static func text(_ random: inout Seeded) -> JSON { .string(random.pick(texts)) }

  private static func scalar(_ random: inout Seeded) -> JSON {
    switch random.below(8) {
    case 0: .bool(random.chance(50))
    case 1: .null
    case 2, 3, 4: random.pick(numbers)
    default: text(&random)
    }
  }

  static func filter(_ random: inout Seeded, depth: Int) -> Filter {
    if depth > 0, random.chance(45) {
      let parts = (0..<1 + random.below(3)).map { _ in filter(&random, depth: depth - 1) }
      return random.chance(50) ? .all(parts) : .any(parts)
    }
    var path = AttributePath(attribute: random.pick(names))
    if random.chance(12) { path.subAttributes = [random.pick(names + [Core.namespace + "observedAt"])] }
    if random.chance(12) { path.valueMembers = [random.pick(["en", "k", "*", "@value"])] }
    return .test(path, condition(&random))
  }

  private static func condition(_ random: inout Seeded) -> Condition {
    switch random.below(8) {
    case 0: return .exists
    case 1: return .absent
    case 2: return .anyOf((0..<1 + random.below(3)).map { _ in operand(&random) }, negated: random.chance(40))
    case 3: return .within(operand(&random), operand(&random), negated: random.chance(40))
    case 4:
      let patterns = ["^a", "^abc*", "^ab.", "b", "^길{3}", "^(a|b)", "^2020-01", "^urn:x:1?", "c$", "^a\\x00"]
      return .pattern(random.pick(patterns), negated: random.chance(40))
    default:
      let comparisons: [Comparison] = [.equal, .unequal, .greater, .greaterOrEqual, .less, .lessOrEqual]
      return .compare(random.pick(comparisons), operand(&random))
    }
  }

  private static func operand(_ random: inout Seeded) -> Operand {
    switch random.below(9) {
    case 0: .bool(random.chance(50))
    case 1: .date("2020-01-01")
    case 2: .time("10:00:00Z")
    case 3: .uri(random.pick(["urn:x:1", "urn:x:2"]))
    case 4:
      .dateTime(
        DateTime("2020-06-01T00:00:00Z").map { random.chance(50) ? $0 : DateTime(microseconds: 2) }
          ?? DateTime(microseconds: 0))
    case 5, 6: .number(random.pick(numbers).number ?? 0)
    default: .text(random.pick(texts))
    }
  }
}
