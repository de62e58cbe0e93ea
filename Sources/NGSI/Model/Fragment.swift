/// A member that a patch leaves alone, takes away, or sets.
public enum Change<Value: Sendable & Hashable>: Sendable, Hashable {
  case unchanged
  case removed
  case set(Value)

  public var value: Value? {
    if case .set(let value) = self { return value }
    return nil
  }

  public func applied(to current: Value?) -> Value? {
    switch self {
    case .unchanged: current
    case .removed: nil
    case .set(let value): value
    }
  }
}

/// An entity as a client sends it: possibly partial, with every name expanded.
public struct EntityFragment: Sendable, Hashable {
  public var id: String?
  public var types: [String]?
  public var scopes: Change<[String]> = .unchanged
  public var expiresAt: Change<DateTime> = .unchanged
  public var attributes: [AttributeSetFragment] = []
  /// Only read where ``EntityReader/Rules/systemMembers`` allows it.
  public var createdAt: DateTime?
  public var modifiedAt: DateTime?
  public var deletedAt: DateTime?

  public init() {}

  /// The whole entity.
  ///
  /// - Throws: ``Problem`` when id, type, or the value of an attribute is missing.
  public func entity() throws(Problem) -> Entity {
    guard let id else { throw .badRequest("the entity has no 'id'") }
    guard let types, !types.isEmpty else { throw .badRequest("the entity \(id) has no 'type'") }
    var entity = Entity(id: id, types: types, scopes: scopes.value ?? [])
    entity.expiresAt = expiresAt.value
    entity.createdAt = createdAt
    entity.modifiedAt = modifiedAt
    entity.deletedAt = deletedAt
    entity.attributes.reserveCapacity(attributes.count)
    for set in attributes { entity.attributes.append(try set.attributeSet()) }
    return entity
  }
}

public struct AttributeSetFragment: Sendable, Hashable {
  public var name: String
  public var instances: [AttributeFragment]

  public init(name: String, instances: [AttributeFragment]) {
    self.name = name
    self.instances = instances
  }

  public func attributeSet() throws(Problem) -> AttributeSet {
    var set = AttributeSet(name: name, instances: [])
    set.instances.reserveCapacity(instances.count)
    for instance in instances { set.instances.append(try instance.attribute(named: name)) }
    return set
  }
}

/// An attribute instance as a client sends it: possibly partial.
public struct AttributeFragment: Sendable, Hashable {
  public var kind: AttributeKind?
  /// Whether a `type` member named the kind; otherwise it was inferred from the value.
  public var kindIsStated = false
  /// Whether the value came without an attribute object around it (concise and simplified forms).
  public var isBare = false
  /// `.removed` when the value is the NGSI-LD Null: the instance is to be deleted.
  public var value: Change<JSON> = .unchanged
  public var datasetId: String?
  public var observedAt: Change<DateTime> = .unchanged
  public var unitCode: Change<String> = .unchanged
  public var valueType: Change<String> = .unchanged
  public var objectType: Change<[String]> = .unchanged
  public var expiresAt: Change<DateTime> = .unchanged
  public var subAttributes: [AttributeSetFragment] = []
  public var createdAt: DateTime?
  public var modifiedAt: DateTime?
  public var deletedAt: DateTime?
  public var instanceId: String?
  public var previousValue: JSON?
  public var language: String?

  public init() {}

  /// Whether this instance says "delete me".
  public var isDeletion: Bool { value == .removed }

  /// Whether nothing at all is given.
  public var isEmpty: Bool {
    kind == nil && value == .unchanged && observedAt == .unchanged && unitCode == .unchanged
      && valueType == .unchanged && objectType == .unchanged && expiresAt == .unchanged && subAttributes.isEmpty
  }

  /// The whole instance.
  ///
  /// - Throws: ``Problem`` when the kind or the value is missing.
  public func attribute(named name: String) throws(Problem) -> Attribute {
    guard let kind, case .set(let value) = value else {
      if isDeletion { throw .badRequest("the attribute \(name) is NGSI-LD Null, which this operation does not take") }
      throw .badRequest("the attribute \(name) has no value: expected 'value', 'object' or the member of its type")
    }
    var attribute = Attribute(kind: kind, value: value, datasetId: datasetId)
    attribute.observedAt = observedAt.value
    attribute.unitCode = unitCode.value
    attribute.valueType = valueType.value
    attribute.objectType = objectType.value ?? []
    attribute.expiresAt = expiresAt.value
    attribute.createdAt = createdAt
    attribute.modifiedAt = modifiedAt
    attribute.deletedAt = deletedAt
    attribute.instanceId = instanceId
    attribute.previousValue = previousValue
    attribute.language = language
    for set in subAttributes { attribute.subAttributes.append(try set.attributeSet()) }
    return attribute
  }
}
