import NGSI

/// A path whose names of plain members (`observedAt`, `unitCode` …) are told apart from attributes.
struct PreparedPath: Sendable {
  private enum Step: Sendable {
    case attribute(String)
    case member(PlainMember)
  }

  private let attribute: String
  /// The temporal member of the entity itself that the path names.
  private let entityMember: PlainMember?
  private let steps: [Step]
  private let members: [String]
  private let linkedTypes: [String]
  private let linked: Next?

  /// Indirection for the recursive path.
  private final class Next: Sendable {
    let path: PreparedPath
    init(_ path: PreparedPath) { self.path = path }
  }

  init(_ path: AttributePath) {
    attribute = path.attribute
    entityMember = PlainMember(iri: path.attribute).flatMap { $0.isOfEntity ? $0 : nil }
    steps = path.subAttributes.map { name in PlainMember(iri: name).map(Step.member) ?? .attribute(name) }
    members = path.valueMembers
    linkedTypes = path.linked?.types ?? []
    linked = path.linked.map { Next(PreparedPath($0.path.path)) }
  }

  func holds(
    for entity: Entity, _ condition: PreparedCondition, _ lookUp: FilterMatcher.Linked
  ) throws(Problem) -> Bool {
    if let entityMember {
      guard steps.isEmpty, members.isEmpty, linked == nil, let time = entityMember.time(of: entity) else {
        return false
      }
      return condition.holds(for: time)
    }
    guard let position = entity.attributes.position(of: attribute) else { return false }
    guard steps.isEmpty, linked == nil else {
      return try holds(for: entity.attributes[position].instances, step: 0, condition, lookUp)
    }
    // The common case reads two members of each instance; an instance as a whole is dear to copy.
    for index in entity.attributes[position].instances.indices {
      let kind = entity.attributes[position].instances[index].kind
      if try holds(for: entity.attributes[position].instances[index].value, kind, condition) { return true }
    }
    return false
  }

  private func holds(
    for instances: [Attribute], step: Int, _ condition: PreparedCondition, _ lookUp: FilterMatcher.Linked
  ) throws(Problem) -> Bool {
    for index in instances.indices where try holds(for: instances[index], step: step, condition, lookUp) {
      return true
    }
    return false
  }

  private func holds(
    for instance: Attribute, step: Int, _ condition: PreparedCondition, _ lookUp: FilterMatcher.Linked
  ) throws(Problem) -> Bool {
    guard step < steps.count else {
      if let linked { return try holds(linkedBy: instance, linked.path, condition, lookUp) }
      return try holds(for: instance.value, instance.kind, condition)
    }
    switch steps[step] {
    case .attribute(let name):
      guard let position = instance.subAttributes.position(of: name) else { return false }
      return try holds(for: instance.subAttributes[position].instances, step: step + 1, condition, lookUp)
    case .member(let member):
      guard step == steps.count - 1, members.isEmpty else { return false }
      if let time = member.time(of: instance) { return condition.holds(for: time) }
      guard let value = member.value(of: instance) else { return false }
      return try condition.holds(for: value)
    }
  }

  private func holds(
    linkedBy instance: Attribute, _ path: PreparedPath, _ condition: PreparedCondition, _ lookUp: FilterMatcher.Linked
  ) throws(Problem) -> Bool {
    guard instance.kind == .relationship || instance.kind == .listRelationship else { return false }
    for item in instance.value.items {
      guard let id = item.string, let entity = lookUp(id) else { continue }
      guard linkedTypes.isEmpty || entity.types.contains(where: linkedTypes.contains) else { continue }
      if try path.holds(for: entity, condition, lookUp) { return true }
    }
    return false
  }

  private func holds(
    for value: JSON, _ kind: AttributeKind, _ condition: PreparedCondition
  ) throws(Problem) -> Bool {
    switch kind {
    case .relationship, .listRelationship:
      guard condition.fitsRelationship, members.isEmpty else { return false }
      return try condition.holds(for: value)
    case .languageProperty: return try condition.holds(forAnyOf: texts(of: value))
    default:
      if members.isEmpty { return try condition.holds(for: value.plainValue) }
      guard let target = Self.target(members, in: value) else { return false }
      return try condition.holds(for: target.plainValue)
    }
  }

  /// The texts in the language that the path names, or in all of them.
  private func texts(of map: JSON) -> [JSON] {
    guard case .object(let map) = map, members.count <= 1 else { return [] }
    guard let language = members.first, language != "*" else { return map.members.flatMap { $0.value.items } }
    if let exact = map[language] { return exact.items }
    let wanted = language.lowercased()
    return map.members.first { $0.key.lowercased() == wanted }?.value.items ?? []
  }

  /// The value that a path of member names leads to; `nil` where it leads nowhere.
  static func target(_ members: [String], in value: JSON) -> JSON? {
    var value = value
    for member in members {
      guard let next = value[member] else { return nil }
      value = next
    }
    return value
  }
}

extension [AttributeSet] {
  /// Where the attribute of this name stands. Names of another length are told apart without a look at their bytes.
  func position(of name: String) -> Int? {
    let length = name.utf8.count
    for position in indices where self[position].name.utf8.count == length && self[position].name == name {
      return position
    }
    return nil
  }
}

/// Members of attributes and entities that are no attributes themselves.
enum PlainMember: String, Sendable {
  case observedAt
  case createdAt
  case modifiedAt
  case deletedAt
  case expiresAt
  case unitCode
  case datasetId
  case instanceId
  case valueType
  case objectType

  init?(iri: String) {
    guard iri.hasPrefix(Core.namespace) else { return nil }
    self.init(rawValue: String(iri.dropFirst(Core.namespace.count)))
  }

  var isOfEntity: Bool {
    switch self {
    case .createdAt, .modifiedAt, .deletedAt, .expiresAt: true
    default: false
    }
  }

  func time(of entity: Entity) -> DateTime? {
    switch self {
    case .createdAt: entity.createdAt
    case .modifiedAt: entity.modifiedAt
    case .deletedAt: entity.deletedAt
    case .expiresAt: entity.expiresAt
    default: nil
    }
  }

  func time(of attribute: Attribute) -> DateTime? {
    switch self {
    case .observedAt: attribute.observedAt
    case .createdAt: attribute.createdAt
    case .modifiedAt: attribute.modifiedAt
    case .deletedAt: attribute.deletedAt
    case .expiresAt: attribute.expiresAt
    default: nil
    }
  }

  func value(of attribute: Attribute) -> JSON? {
    switch self {
    case .unitCode: attribute.unitCode.map(JSON.string)
    case .datasetId: attribute.datasetId.map(JSON.string)
    case .instanceId: attribute.instanceId.map(JSON.string)
    case .valueType: attribute.valueType.map(JSON.string)
    case .objectType: attribute.objectType.isEmpty ? nil : .array(attribute.objectType.map(JSON.string))
    default: nil
    }
  }
}
