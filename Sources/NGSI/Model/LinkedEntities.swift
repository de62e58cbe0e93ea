/// An entity as one answer shows it: reduced to what was asked for, with the entities that are given along inside it.
public struct EntityView: Sendable {
  public var entity: Entity
  /// Whether `id` is left out (`pick`, `omit`).
  public var hidesId: Bool
  /// Whether `type` is left out (`pick`, `omit`).
  public var hidesType: Bool
  public var linked: LinkedEntities

  public init(
    _ entity: Entity, hidesId: Bool = false, hidesType: Bool = false, linked: LinkedEntities = LinkedEntities()
  ) {
    self.entity = entity
    self.hidesId = hidesId
    self.hidesType = hidesType
    self.linked = linked
  }

  /// Whether it shows something else of the entity, or of those given along.
  public func differs(from other: EntityView) -> Bool {
    entity != other.entity || linked.views.contains { $0.value.differs(from: other.linked.views[$0.key] ?? $0.value) }
  }

  /// Whether nothing of the entity is shown.
  public var isEmpty: Bool { hidesId && hidesType && entity.scopes.isEmpty && entity.attributes.isEmpty }
}

/// Entities that relationships of one entity point at, given along inside it (clause 4.5.23.2).
public struct LinkedEntities: Sendable {
  /// A relationship, by its expanded name, and the URI that it points at.
  public struct Link: Sendable, Hashable {
    public var relationship: String
    public var target: String

    public init(_ relationship: String, _ target: String) {
      self.relationship = relationship
      self.target = target
    }
  }

  public var views: [Link: EntityView]
  /// The relationship that is being written.
  var relationship = ""

  public init(_ views: [Link: EntityView] = [:]) { self.views = views }

  var isEmpty: Bool { views.isEmpty }

  /// The targets of an instance of the relationship that are at hand.
  func targets(of attribute: Attribute) -> [EntityView] {
    guard !views.isEmpty else { return [] }
    return attribute.linkTargets.compactMap { views[Link(relationship, $0)] }
  }
}

extension Attribute {
  /// URIs that a relationship points at; none for other kinds.
  public var linkTargets: [String] {
    switch kind {
    case .relationship, .listRelationship: value.items.compactMap { ($0["object"] ?? $0).string }
    default: []
    }
  }
}

extension EntityWriter {
  /// Writes the entity with what the view leaves of it.
  public func write(_ view: EntityView, embeddedContext: JSON? = nil, to writer: inout JSONWriter) {
    showing(view).write(view.entity, embeddedContext: embeddedContext, to: &writer)
  }

  func showing(_ view: EntityView) -> EntityWriter {
    var inner = self
    inner.representation.hidesId = view.hidesId
    inner.representation.hidesType = view.hidesType
    inner.linked = view.linked
    return inner
  }

  /// Writes `entity` or `entityList` for the targets of a relationship that are at hand.
  func writeLinked(_ attribute: Attribute, to writer: inout JSONWriter) {
    let targets = linked.targets(of: attribute)
    guard !targets.isEmpty else { return }
    writer.key(attribute.kind == .listRelationship ? "entityList" : "entity")
    writeTargets(targets, isList: attribute.kind == .listRelationship || attribute.value.array != nil, to: &writer)
  }

  func writeTargets(_ targets: [EntityView], isList: Bool, to writer: inout JSONWriter) {
    if isList { writer.open("[") }
    for target in isList ? targets[...] : targets.prefix(1) {
      if isList { writer.separate() }
      write(target, to: &writer)
    }
    if isList { writer.close("]") }
  }
}
