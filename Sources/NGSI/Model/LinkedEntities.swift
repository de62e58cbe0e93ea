/// Entities that relationships point at, given along inside them (clause 4.5.23.2).
public struct LinkedEntities: Sendable {
  /// By id.
  public var entities: [String: Entity]
  /// How many relationships are followed from the entity that was asked for.
  public var levels: Int

  public init(entities: [String: Entity] = [:], levels: Int = 0) {
    self.entities = entities
    self.levels = levels
  }

  var isEmpty: Bool { levels <= 0 || entities.isEmpty }

  /// The targets of a relationship that are at hand.
  func targets(of attribute: Attribute) -> [Entity] {
    switch attribute.kind {
    case .relationship, .listRelationship:
      attribute.value.items.compactMap { ($0["object"] ?? $0).string.flatMap { entities[$0] } }
    default: []
    }
  }
}

extension EntityWriter {
  /// Writes `entity` or `entityList` for the targets of a relationship that are at hand.
  func writeLinked(_ attribute: Attribute, to writer: inout JSONWriter) {
    let targets = linked.targets(of: attribute)
    guard !targets.isEmpty else { return }
    writer.key(attribute.kind == .listRelationship ? "entityList" : "entity")
    writeTargets(targets, isList: attribute.kind == .listRelationship || attribute.value.array != nil, to: &writer)
  }

  func writeTargets(_ targets: [Entity], isList: Bool, to writer: inout JSONWriter) {
    var deeper = self
    deeper.linked.levels -= 1
    if isList { writer.open("[") }
    for target in isList ? targets[...] : targets.prefix(1) {
      if isList { writer.separate() }
      deeper.write(target, to: &writer)
    }
    if isList { writer.close("]") }
  }
}
