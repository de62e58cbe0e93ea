import NGSI
import Query
import Store
import Synchronization

/// A clock that stands until it is moved.
final class TestClock: Sendable {
  private let time = Mutex(DateTime(microseconds: 1_795_000_000_000_000))

  var now: DateTime { time.withLock { $0 } }
  func advance(seconds: Double) { time.withLock { $0 = $0.adding(seconds: seconds) } }
}

/// A value that tasks share.
final class Shared<Value: Sendable>: Sendable {
  private let value: Mutex<Value>

  init(_ value: Value) { self.value = Mutex(value) }

  var current: Value { value.withLock { $0 } }
  func change(_ body: @Sendable (inout Value) -> Void) { value.withLock { body(&$0) } }
}

/// Repeatable random numbers (SplitMix64, Steele, Lea and Flood 2014).
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }
}

func iri(_ name: String) -> String { Core.defaultVocabulary + name }
func urn(_ number: Int) -> String { "urn:ngsi-ld:Sample:\(number)" }

func property(_ value: JSON, observedAt: DateTime? = nil, datasetId: String? = nil) -> Attribute {
  Attribute(kind: .property, value: value, datasetId: datasetId, observedAt: observedAt)
}

func entity(_ number: Int, type: String = "Sensor", _ attributes: [(String, JSON)] = []) -> Entity {
  Entity(
    id: urn(number), types: [iri(type)],
    attributes: attributes.map { AttributeSet(name: iri($0.0), instances: [property($0.1)]) })
}

func point(_ longitude: Double, _ latitude: Double) -> JSON {
  ["type": "Point", "coordinates": .array([.double(longitude), .double(latitude)])]
}

func selection(type: String) -> EntityQuery {
  var query = EntityQuery()
  query.types = .type(iri(type))
  return query
}

// MARK: - Random entities

extension Dice {
  static let types = ["Sensor", "Building", "Vehicle", "Tree"]
  static let attributes = ["a", "b", "c", "d", "e"]
  static let texts = [
    "", "a", "b", "abc", "abd", "한글", "😀", "x'y\"z", "nul\u{0}in", "2026-01-01T00:00:00Z",
    "2026-06-01T12:00:00Z",
    "urn:ngsi-ld:Sample:3", "urn:ngsi-ld:Sample:7", String(repeating: "long", count: 80),
  ]
  static let scopes = ["/Seoul", "/Seoul/Mapo", "/Seoul/Mapo/Sangam", "/Seoulx", "/Busan", "/Busan/Nam"]

  mutating func entity(_ number: Int) -> Entity {
    var entity = Entity(id: urn(number), types: [iri(pick(Self.types))])
    if chance(25) {
      let second = iri(pick(Self.types))
      if !entity.types.contains(second) { entity.types.append(second) }
    }
    if chance(40) { entity.scopes = Array(Set([pick(Self.scopes), pick(Self.scopes)])).sorted() }
    for name in Self.attributes where chance(60) {
      var set = AttributeSet(name: iri(name), instances: [attribute()])
      if chance(15) {
        var other = attribute()
        other.datasetId = "urn:ngsi-ld:Dataset:\(below(3))"
        set.instances.append(other)
      }
      entity.attributes.append(set)
    }
    if chance(50) {
      let place = Attribute(kind: .geoProperty, value: geometry())
      entity.attributes.append(AttributeSet(name: Core.location, instances: [place]))
    }
    return entity
  }

  mutating func attribute() -> Attribute {
    switch below(10) {
    case 0: return Attribute(kind: .relationship, value: .string(urn(below(40))))
    case 1: return Attribute(kind: .languageProperty, value: ["en": .string(pick(Self.texts)), "ko": "한국어"])
    case 2: return Attribute(kind: .vocabProperty, value: .string(iri(pick(Self.types))))
    default:
      var attribute = property(value())
      if chance(20) { attribute.unitCode = "CEL" }
      if chance(20) { attribute.subAttributes = [AttributeSet(name: iri("accuracy"), instances: [property(value())])] }
      return attribute
    }
  }

  mutating func value() -> JSON {
    switch below(9) {
    case 0, 1, 2: .integer(Int64(below(20)))
    case 3, 4: .double(Double(below(40)) / 2)
    case 5, 6: .string(pick(Self.texts))
    case 7: .bool(chance(50))
    default:
      chance(50) ? .array([.integer(Int64(below(20))), .string(pick(Self.texts))]) : ["k": .integer(Int64(below(5)))]
    }
  }

  mutating func geometry() -> JSON {
    let x = 126 + Double(below(100)) / 50
    let y = 37 + Double(below(100)) / 50
    if chance(60) { return point(x, y) }
    let positions: [JSON] = [(0, 0), (0.2, 0), (0.2, 0.1), (0, 0)].map {
      .array([.double(x + $0.0), .double(y + $0.1)])
    }
    return ["type": "Polygon", "coordinates": .array([.array(positions)])]
  }
}

// MARK: - Random queries

extension Dice {
  mutating func query() -> EntityQuery {
    var query = EntityQuery()
    if chance(40) { query.types = types() }
    if chance(70) { query.filter = filter(depth: 2) }
    if chance(25) { query.scope = scope() }
    if chance(25) { query.geo = geo() }
    if chance(10) { query.attributes = [iri(pick(Self.attributes)), iri(pick(Self.attributes))] }
    if chance(10) { query.ids = (0..<5).map { _ in urn(below(400)) } }
    if chance(5) { query.idPattern = "[02468]$" }
    return query
  }

  private mutating func types() -> TypeSelection {
    switch below(4) {
    case 0: .any([.type(iri(pick(Self.types))), .type(iri(pick(Self.types)))])
    case 1: .all([.type(iri(pick(Self.types))), .type(iri(pick(Self.types)))])
    default: .type(iri(pick(Self.types)))
    }
  }

  private mutating func filter(depth: Int) -> Filter {
    if depth > 0, chance(35) {
      let parts = (0..<2 + below(2)).map { _ in filter(depth: depth - 1) }
      return chance(50) ? .all(parts) : .any(parts)
    }
    var path = AttributePath(attribute: iri(pick(Self.attributes)))
    if chance(10) { path.subAttributes = [iri("accuracy")] }
    if chance(5) { path.valueMembers = ["k"] }
    if chance(6) { path.linked = .init(types: [], path: AttributePath(attribute: iri(pick(Self.attributes)))) }
    return .test(path, condition())
  }

  private mutating func condition() -> Condition {
    switch below(8) {
    case 0: .exists
    case 1: .anyOf([operand(), operand()], negated: chance(30))
    case 2: .within(.number(Double(below(10))), .number(Double(5 + below(15))), negated: chance(20))
    case 3: .within(.text(pick(Self.texts)), .text(pick(Self.texts)), negated: chance(20))
    case 4: .pattern(pick(["^a", "b", "한", "urn:.*7$", "^2026"]), negated: chance(20))
    default: .compare(pick([.equal, .unequal, .greater, .greaterOrEqual, .less, .lessOrEqual]), operand())
    }
  }

  private mutating func operand() -> Operand {
    switch below(7) {
    case 0, 1: .number(Double(below(40)) / 2)
    case 2, 3: .text(pick(Self.texts))
    case 4: .bool(chance(50))
    case 5: .dateTime(DateTime("2026-03-01T00:00:00Z") ?? DateTime(microseconds: 0))
    default: .uri(urn(below(40)))
    }
  }

  private mutating func scope() -> ScopeFilter {
    switch below(4) {
    case 0: .exact(pick(Self.scopes))
    case 1: .below(pick(Self.scopes))
    case 2: .any([.exact(pick(Self.scopes)), .below(pick(Self.scopes))])
    default: .pattern([.name("Seoul"), .anyOne])
    }
  }

  private mutating func geo() -> GeoFilter {
    let x = 126 + Double(below(80)) / 50
    let y = 37 + Double(below(80)) / 50
    let corners: [JSON] = [(0, 0), (0.4, 0), (0.4, 0.4), (0, 0.4), (0, 0)].map {
      .array([.double(x + $0.0), .double(y + $0.1)])
    }
    let area: JSON = ["type": "Polygon", "coordinates": .array([.array(corners)])]
    let box = BoundingBox(west: x, south: y, east: x + 0.4, north: y + 0.4)
    switch below(3) {
    case 0: return GeoFilter(relation: .within, geometry: area, property: Core.location, window: box)
    case 1: return GeoFilter(relation: .disjoint, geometry: area, property: Core.location, window: nil)
    default: return GeoFilter(relation: .intersects, geometry: area, property: Core.location, window: box)
    }
  }
}
