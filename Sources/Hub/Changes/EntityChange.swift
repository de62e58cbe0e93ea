import NGSI
import Query
import Store

/// A committed change of one entity, as services, subscriptions and pages hear of it.
public struct EntityChange: Sendable {
  /// Ascending within one run of the hub, without gaps.
  public var sequence: Int64
  public var tenant: Tenant
  public var entityId: String
  /// The entity before; `nil` when it has been created.
  public var old: Entity?
  /// The entity after; `nil` when it has been deleted.
  public var new: Entity?
  /// Attribute instances that were created, updated or deleted.
  public var attributes: [AttributeChange]
  public var at: DateTime

  public init(
    sequence: Int64 = 0, tenant: Tenant, entityId: String, old: Entity?, new: Entity?, attributes: [AttributeChange],
    at: DateTime
  ) {
    self.sequence = sequence
    self.tenant = tenant
    self.entityId = entityId
    self.old = old
    self.new = new
    self.attributes = attributes
    self.at = at
  }
}

extension EntityChange {
  /// The change as far as somebody may see it; `nil` for nothing. An entity that leaves what he may see ends for him.
  func seen(by visibility: EntityVisibility?) -> EntityChange? {
    guard let visibility else { return self }
    var change = self
    change.old = old.flatMap(visibility.visible)
    change.new = new.flatMap(visibility.visible)
    guard change.old != nil || change.new != nil else { return nil }
    let before = Set(change.old?.attributes.map(\.name) ?? [])
    let after = Set(change.new?.attributes.map(\.name) ?? [])
    change.attributes = attributes.compactMap { one in
      let (old, new) = (before.contains(one.name) ? one.old : nil, after.contains(one.name) ? one.new : nil)
      switch (old, new) {
      case (let old?, let new?): return AttributeChange(updated: old, to: new, name: one.name)
      case (nil, let new?): return AttributeChange(created: new, name: one.name)
      case (let old?, nil): return AttributeChange(deleted: old, name: one.name)
      case (nil, nil): return nil
      }
    }
    // What comes into sight begins for him, and what leaves it ends, changed or not.
    let told = Set(change.attributes.map(\.name))
    for set in change.new?.attributes ?? [] where !before.contains(set.name) && !told.contains(set.name) {
      change.attributes += set.instances.map { AttributeChange(created: $0, name: set.name) }
    }
    for set in change.old?.attributes ?? [] where !after.contains(set.name) && !told.contains(set.name) {
      change.attributes += set.instances.map { AttributeChange(deleted: $0, name: set.name) }
    }
    let isSame = change.old != nil && change.new != nil && change.attributes.isEmpty && !attributes.isEmpty
    return isSame ? nil : change
  }

  /// Expanded names of the attributes that changed, where the entity was there before and is there now.
  var changedNames: Set<String>? { old == nil || new == nil ? nil : Set(attributes.map(\.name)) }
}
