import NGSI

/// What of a tenant's entities somebody may see. It stands in a query, so that what is hidden is neither found, nor
/// counted, nor sorted by, nor given.
///
/// Equal to itself only.
public final class EntityVisibility: Sendable, Hashable {
  /// What of one entity may be seen.
  public enum Part: Sendable, Hashable {
    /// Every attribute that was asked about.
    case whole
    /// These attributes of those that were asked about.
    case attributes(Set<String>)
  }

  /// What is known of what may be seen of an entity before its attributes are read.
  public enum Glance: Sendable {
    case nothing
    /// All of it, and nobody wants to hear of it.
    case whole
    /// It is there, and these attributes of it, by their expanded names, whatever else they have; nobody wants to hear of it.
    case attributes(@Sendable (String) -> Bool)
    /// It has to be looked at.
    case unclear
  }

  /// Whether nothing may be seen whatever there is.
  public let isNothing: Bool
  private let show: @Sendable (Entity, [String]) -> Part?
  private let glance: @Sendable (_ types: [String], _ scopes: [String]) -> Glance
  private let give: @Sendable (Entity) -> Bool

  /// - Parameters:
  ///   - show: gives the part of an entity that may be seen, of the attributes with these expanded names, whether it has
  ///     them now or had them once; `nil` when it may not be known that it is there.
  ///   - glance: the same of all entities of these types and scopes, where that is known without more of them.
  ///   - give: hears of each entity that is given, as it is given; false when no more may be.
  public init(
    _ show: @escaping @Sendable (Entity, [String]) -> Part?,
    glance: @escaping @Sendable (_ types: [String], _ scopes: [String]) -> Glance = { _, _ in .unclear },
    give: @escaping @Sendable (Entity) -> Bool = { _ in true }
  ) {
    isNothing = false
    self.show = show
    self.glance = glance
    self.give = give
  }

  private init() {
    isNothing = true
    glance = { _, _ in .nothing }
    show = { _, _ in nil }
    give = { _ in false }
  }

  public static let nothing = EntityVisibility()

  /// What is known by an entity's types and scopes alone.
  public func glance(_ head: Entity) -> Glance { glance(head.types, head.scopes) }

  /// The entity as far as it may be seen; `nil` when it may not be known that it is there.
  public func visible(_ entity: Entity) -> Entity? {
    switch show(entity, entity.attributes.map(\.name)) {
    case nil: return nil
    case .whole?: return entity
    case .attributes(let names)?:
      var shown = entity
      shown.attributes.removeAll { !names.contains($0.name) }
      return shown
    }
  }

  /// Which of these attributes may be seen of an entity, judged by the whole of it; `nil` when it may not be known that
  /// it is there.
  public func part(of entity: Entity, asking names: [String]) -> Part? { show(entity, names) }

  /// To be called with what may be seen, where it becomes a part of an answer.
  ///
  /// - Returns: false when the answer may have no more such entities.
  public func isGiven(_ entity: Entity) -> Bool { give(entity) }

  /// What may be seen of an entity that becomes a part of an answer by that; `nil` for nothing.
  public func given(_ entity: Entity) -> Entity? {
    guard let shown = visible(entity), isGiven(shown) else { return nil }
    return shown
  }

  public static func == (left: EntityVisibility, right: EntityVisibility) -> Bool { left === right }

  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

extension EntityVisibility.Part {
  public func contains(_ attribute: String) -> Bool {
    switch self {
    case .whole: true
    case .attributes(let names): names.contains(attribute)
    }
  }
}
