import NGSI

/// What of a tenant's entities somebody may see. It stands in a query, so that what is hidden is neither found, nor
/// counted, nor sorted by, nor given.
///
/// Equal to itself only.
public final class EntityVisibility: Sendable, Hashable {
  /// Whether nothing may be seen whatever there is.
  public let isNothing: Bool
  private let show: @Sendable (Entity) -> Entity?
  private let give: @Sendable (Entity) -> Bool

  /// - Parameters:
  ///   - show: gives the part of an entity that may be seen; `nil` when it may not be known that it is there.
  ///   - give: hears of each entity that is given, as it is given; false when no more may be.
  public init(
    _ show: @escaping @Sendable (Entity) -> Entity?, give: @escaping @Sendable (Entity) -> Bool = { _ in true }
  ) {
    isNothing = false
    self.show = show
    self.give = give
  }

  private init() {
    isNothing = true
    show = { _ in nil }
    give = { _ in false }
  }

  public static let nothing = EntityVisibility()

  public func visible(_ entity: Entity) -> Entity? { show(entity) }

  /// To be called with what ``visible(_:)`` gave, where it becomes a part of an answer.
  ///
  /// - Returns: false when the answer may have no more such entities.
  public func isGiven(_ entity: Entity) -> Bool { give(entity) }

  /// Whether the history of an entity may be seen, and all of these attributes in it.
  ///
  /// - Parameters:
  ///   - history: id and types of the history.
  ///   - current: the entity as it is now; `nil` where only its history is left.
  public func admits(history: Entity, current: Entity?, attributes: Set<String>) -> Bool {
    guard visible(current ?? history) != nil else { return false }
    guard !attributes.isEmpty else { return true }
    var probe = current ?? history
    probe.attributes = attributes.map {
      AttributeSet(name: $0, instances: [Attribute(kind: .property, value: .null)])
    }
    return visible(probe)?.attributes.count == attributes.count
  }

  public static func == (left: EntityVisibility, right: EntityVisibility) -> Bool { left === right }

  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
