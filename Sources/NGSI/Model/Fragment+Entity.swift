extension EntityFragment {
  /// A whole entity as a fragment that sets everything it has.
  public init(_ entity: Entity) {
    self.init()
    id = entity.id
    types = entity.types
    scopes = entity.scopes.isEmpty ? .unchanged : .set(entity.scopes)
    expiresAt = entity.expiresAt.map { .set($0) } ?? .unchanged
    attributes = entity.attributes.map(AttributeSetFragment.init)
  }
}

extension AttributeSetFragment {
  public init(_ set: AttributeSet) {
    self.init(name: set.name, instances: set.instances.map(AttributeFragment.init))
  }
}

extension AttributeFragment {
  public init(_ attribute: Attribute) {
    self.init()
    kind = attribute.kind
    value = .set(attribute.value)
    datasetId = attribute.datasetId
    observedAt = attribute.observedAt.map { .set($0) } ?? .unchanged
    unitCode = attribute.unitCode.map { .set($0) } ?? .unchanged
    valueType = attribute.valueType.map { .set($0) } ?? .unchanged
    objectType = attribute.objectType.isEmpty ? .unchanged : .set(attribute.objectType)
    expiresAt = attribute.expiresAt.map { .set($0) } ?? .unchanged
    subAttributes = attribute.subAttributes.map(AttributeSetFragment.init)
  }
}
