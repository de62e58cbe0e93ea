import NGSI
import Query
import Store

/// Who may do what: decided above the hub, carried out in it.
public protocol AccessRules: Sendable {
  /// Whether a caller may do something that is about no single entity.
  func decide(_ action: HubAction, by caller: Caller, in tenant: Tenant) -> AccessVerdict

  /// Whether a caller might be permitted to do so at all, whatever it is about.
  func outlook(_ action: HubAction, by caller: Caller, in tenant: Tenant) -> AccessVerdict

  /// Somebody who once made something, as he stands today; `nil` when he is no more, or was shut out. What he stated then,
  /// such as his purpose, stays.
  func standing(of owner: Caller) -> Caller?

  /// What a caller may read of a tenant; `nil` where it is everything, unwatched.
  func visibility(for caller: Caller, in tenant: Tenant) -> EntityVisibility?

  /// Whether a caller may change an entity.
  ///
  /// - Parameters:
  ///   - before: as it is; `nil` for a new one.
  ///   - after: as it would be; `nil` when it is deleted.
  ///   - attributes: expanded names of those that change.
  func decide(
    _ action: HubAction, before: Entity?, after: Entity?, attributes: [String], by caller: Caller, in tenant: Tenant
  ) -> AccessVerdict

  /// Writes what has to be proved later, in the transaction of the act.
  func record(_ disclosures: [Disclosure], _ writer: any StoreWriter) throws
}

/// What was decided, and by what.
public struct AccessVerdict: Sendable, Hashable {
  public var isAllowed: Bool
  /// Names of the rules that decided; none where nothing permits.
  public var reasons: [String]
  /// What has to be recorded of it: the words of the rule that asks for it; `nil` for nothing.
  public var evidence: String?

  public init(isAllowed: Bool, reasons: [String], evidence: String? = nil) {
    self.isAllowed = isAllowed
    self.reasons = reasons
    self.evidence = evidence
  }
}

/// Something that a caller saw or did, and that a rule wants recorded.
public struct Disclosure: Sendable, Hashable {
  public var caller: Caller
  public var action: HubAction
  public var tenant: Tenant
  /// `nil` for what is about a tenant as a whole.
  public var entityId: String?
  /// The entity as it was given, or as it became.
  public var entity: Entity?
  /// The rule's words, such as `access`.
  public var kind: String

  public init(
    caller: Caller, action: HubAction, tenant: Tenant, entityId: String? = nil, entity: Entity? = nil, kind: String
  ) {
    self.caller = caller
    self.action = action
    self.tenant = tenant
    self.entityId = entityId
    self.entity = entity
    self.kind = kind
  }
}
