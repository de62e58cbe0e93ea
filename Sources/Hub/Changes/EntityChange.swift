import NGSI
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
