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

  /// Whether nothing may be seen whatever there is.
  public let isNothing: Bool
  private let show: @Sendable (Entity, [String]) -> Part?
  private let give: @Sendable (Entity) -> Bool

  /// - Parameters:
  ///   - show: gives the part of an entity that may be seen, of the attributes with these expanded names, whether it has
  ///     them now or had them once; `nil` when it may not be known that it is there.
  ///   - give: hears of each entity that is given, as it is given; false when no more may be.
  public init(
    _ show: @escaping @Sendable (Entity, [String]) -> Part?, give: @escaping @Sendable (Entity) -> Bool = { _ in true }
  ) {
    isNothing = false
    self.show = show
    self.give = give
  }

  private init() {
    isNothing = true
    show = { _, _ in nil }
    give = { _ in false }
  }

  public static let nothing = EntityVisibility()

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
