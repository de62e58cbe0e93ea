/// Amends entities so that who knows only an earlier version of the specification understands them
/// (ETSI GS CIM 009 clause 4.3.6.8).
public struct EarlierEntities: Sendable {
  private let version: SpecificationVersion
  private let compact: @Sendable (String) -> String
  /// Whether LanguageProperties stay, since they are shown in one language and so as Properties.
  private let keepsLanguages: Bool
  /// Whether instances of a history are kept, of which there are many by nature.
  private let keepsInstances: Bool

  /// - Parameters:
  ///   - compact: writes the words of a vocabulary as the answer's context has them.
  public init(
    _ version: SpecificationVersion, keepsLanguages: Bool = false, keepsInstances: Bool = false,
    compact: @escaping @Sendable (String) -> String
  ) {
    self.version = version
    self.compact = compact
    self.keepsLanguages = keepsLanguages
    self.keepsInstances = keepsInstances
  }

  public func amended(_ view: EntityView) -> EntityView {
    var view = view
    view.entity = amended(view.entity)
    view.linked = LinkedEntities(view.linked.views.mapValues(amended))
    return view
  }

  public func amended(_ entity: Entity) -> Entity {
    guard !version.hasExpiry else { return entity }
    var entity = entity
    entity.expiresAt = nil
    if !version.hasLanguagesAndScopes {
      entity.scopes = []
      entity.attributes.removeAll { $0.name == Core.scope }
    }
    if !version.hasDatasets { entity.types = Array(entity.types.prefix(1)) }
    entity.attributes = entity.attributes.map(amended)
    return entity
  }

  private func amended(_ set: AttributeSet) -> AttributeSet {
    var instances = set.instances
    if !version.hasDatasets, let preferred = instances.first(where: { $0.datasetId == nil }) ?? instances.first {
      instances = keepsInstances ? instances.filter { $0.datasetId == preferred.datasetId } : [preferred]
    }
    return AttributeSet(name: set.name, instances: instances.map(amended))
  }

  private func amended(_ attribute: Attribute) -> Attribute {
    var attribute = attribute
    attribute.expiresAt = nil
    attribute.valueType = nil
    if !version.hasListsAndVocabularies { attribute.objectType = [] }
    if !version.hasDatasets {
      (attribute.datasetId, attribute.unitCode) = (nil, nil)
      // In a history it is what tells the instances apart.
      if !keepsInstances { attribute.observedAt = nil }
    }
    let kind = attribute.kind
    let fallback = version.fallback(of: kind)
    if fallback != kind, !(kind == .languageProperty && keepsLanguages) {
      attribute.value = value(attribute.value, of: kind)
      attribute.previousValue = attribute.previousValue.map { value($0, of: kind) }
      attribute.kind = fallback
    }
    attribute.subAttributes = attribute.subAttributes.map(amended)
    return attribute
  }

  private func value(_ value: JSON, of kind: AttributeKind) -> JSON {
    switch kind {
    case .vocabProperty:
      if case .array(let items) = value { return .array(items.map { .string(compact($0.string ?? "")) }) }
      return value.string.map { .string(compact($0)) } ?? value
    case .listRelationship: return .array(value.items.map { $0["object"] ?? $0 })
    default: return value
    }
  }
}

extension AttributeKind {
  /// What is shown to who asks for an earlier version.
  public func shown(in version: SpecificationVersion) -> AttributeKind { version.fallback(of: self) }
}
