import NGSI

/// The order of a query's result (clause 4.23), made ready.
public struct EntityOrder: Sendable {
  private enum Source: Sendable {
    case id
    case type
    case scope
    case path(AttributePath)
    case distance(DistanceMeter, property: String)
    case createdAt
    case modifiedAt
  }

  private let keys: [(source: Source, ascending: Bool)]
  private let collation: Collation?

  /// - Throws: ``Problem`` `BadRequestData` for a collation that is not known or a geometry that is not valid.
  public init(_ keys: [OrderKey], collation: String? = nil) throws(Problem) {
    var prepared: [(source: Source, ascending: Bool)] = []
    for key in keys {
      let source: Source
      switch key.subject {
      case .id: source = .id
      case .type: source = .type
      case .scope: source = .scope
      case .createdAt: source = .createdAt
      case .modifiedAt: source = .modifiedAt
      case .attribute(let path): source = .path(path)
      case .distance(let geometry, let property):
        source = .distance(try DistanceMeter(from: geometry), property: property)
      }
      prepared.append((source, key.ascending))
    }
    self.keys = prepared
    self.collation = if let collation { try Collation(collation) } else { nil }
  }

  /// What an entity is ordered by: compute it once for each entity.
  public struct SortKey: Sendable {
    let values: [OrderValue]
    let id: String
  }

  public func sortKey(of entity: Entity) -> SortKey {
    SortKey(values: keys.map { value($0.source, of: entity) }, id: entity.id)
  }

  /// Whether the first stands before the second. Entities that are alike in all keys go by id, so that pages are stable;
  /// null and missing values stand last in both directions (clause 4.23.2).
  public func precedes(_ left: SortKey, _ right: SortKey) -> Bool {
    for (position, key) in keys.enumerated() {
      let (a, b) = (left.values[position], right.values[position])
      if a.isLast || b.isLast {
        if a.rank != b.rank { return a.rank < b.rank }
        continue
      }
      let order = a.compare(b, collation)
      if order != 0 { return key.ascending ? order < 0 : order > 0 }
    }
    return TextOrder.compare(left.id, right.id) < 0
  }

  public func sorted(_ entities: [Entity]) -> [Entity] {
    let keyed = entities.map { (entity: $0, key: sortKey(of: $0)) }
    return keyed.sorted { precedes($0.key, $1.key) }.map(\.entity)
  }

  private func value(_ source: Source, of entity: Entity) -> OrderValue {
    switch source {
    case .id: return .text(entity.id)
    case .type: return .text(entity.types.min { TextOrder.compare($0, $1) < 0 } ?? "")
    case .scope: return entity.scopes.first.map(OrderValue.text) ?? .missing
    case .createdAt: return entity.createdAt.map(OrderValue.dateTime) ?? .missing
    case .modifiedAt: return entity.modifiedAt.map(OrderValue.dateTime) ?? .missing
    case .path(let path):
      if let member = PlainMember(iri: path.attribute), member.isOfEntity {
        return member.time(of: entity).map(OrderValue.dateTime) ?? .missing
      }
      guard let set = entity[attribute: path.attribute] else { return .missing }
      return OrderValue(set, path, step: 0)
    case .distance(let meter, let property):
      guard let set = entity[attribute: property] else { return .missing }
      let nearest = set.instances.filter { $0.kind == .geoProperty }.compactMap { meter.distance(to: $0.value) }.min()
      return nearest.map(OrderValue.distance) ?? OrderValue(set, AttributePath(attribute: property), step: 0)
    }
  }
}

/// A value in the order of kinds of clause 4.23.2.
enum OrderValue: Sendable {
  case distance(Double)
  case number(Double)
  case text(String)
  case object(String)
  case array([OrderValue])
  case bool(Bool)
  /// Microseconds since midnight.
  case time(Int64)
  case date(String)
  case dateTime(DateTime)
  case null
  case missing

  var rank: Int {
    switch self {
    case .distance: 0
    case .number: 1
    case .text: 2
    case .object: 3
    case .array: 4
    case .bool: 5
    case .time: 6
    case .date: 7
    case .dateTime: 8
    case .null: 9
    case .missing: 10
    }
  }

  var isLast: Bool { rank >= 9 }

  /// The value of the default instance, or of the first where there is none.
  init(_ set: AttributeSet, _ path: AttributePath, step: Int) {
    guard let instance = set.instance(datasetId: nil) ?? set.instances.first else {
      self = .missing
      return
    }
    guard step < path.subAttributes.count else {
      self.init(instance, members: path.valueMembers)
      return
    }
    let name = path.subAttributes[step]
    if let member = PlainMember(iri: name) {
      self = member.time(of: instance).map(OrderValue.dateTime) ?? OrderValue(member.value(of: instance), type: nil)
    } else if let sub = instance[subAttribute: name] {
      self.init(sub, path, step: step + 1)
    } else {
      self = .missing
    }
  }

  private init(_ instance: Attribute, members: [String]) {
    guard instance.kind == .languageProperty else {
      self.init(PreparedPath.target(members, in: instance.value), type: members.isEmpty ? instance.valueType : nil)
      return
    }
    guard case .object(let map) = instance.value else {
      self = .missing
      return
    }
    let text = members.first.map { map[$0] } ?? (map["@none"] ?? map.members.first?.value)
    self.init(text?.items.first, type: nil)
  }

  private init(_ json: JSON?, type: String?) {
    guard let json else {
      self = .missing
      return
    }
    let plain = json.plainValue
    switch plain {
    case .null: self = .null
    case .bool(let flag): self = .bool(flag)
    case .integer, .double, .decimal: self = plain.number.map(OrderValue.number) ?? .missing
    case .string(let text): self = Self.text(text, type: type ?? json["@type"]?.string)
    case .array(let items): self = .array(items.map { OrderValue($0, type: nil) })
    case .object: self = .object(JSONWriter.text(plain))
    }
  }

  /// A text that says it is a time, a date or both counts as such.
  private static func text(_ text: String, type: String?) -> OrderValue {
    guard let type else { return .text(text) }
    if type.hasSuffix("DateTime"), let time = DateTime(text) { return .dateTime(time) }
    if type.hasSuffix("Date"), Clock.isDate(text) { return .date(text) }
    if type.hasSuffix("Time"), let time = Clock.microseconds(text) { return .time(time) }
    return .text(text)
  }

  /// Below zero, zero or above.
  func compare(_ other: OrderValue, _ collation: Collation?) -> Int {
    switch (self, other) {
    case (.distance(let a), .distance(let b)), (.number(let a), .number(let b)): return a < b ? -1 : a > b ? 1 : 0
    case (.text(let a), .text(let b)): return collation?.compare(a, b) ?? TextOrder.compare(a, b)
    case (.object(let a), .object(let b)), (.date(let a), .date(let b)): return TextOrder.compare(a, b)
    case (.bool(let a), .bool(let b)): return (a ? 1 : 0) - (b ? 1 : 0)
    case (.time(let a), .time(let b)): return a < b ? -1 : a > b ? 1 : 0
    case (.dateTime(let a), .dateTime(let b)): return a < b ? -1 : a > b ? 1 : 0
    case (.array(let a), .array(let b)):
      for (left, right) in zip(a, b) {
        let order = left.compare(right, collation)
        if order != 0 { return order }
      }
      return a.count - b.count
    default: return rank - other.rank
    }
  }
}
