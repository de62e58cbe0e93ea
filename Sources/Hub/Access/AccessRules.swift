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

  /// Writes what has to be proved later, in the transaction of the act; gives where each stands in the evidence log.
  @discardableResult
  func record(_ disclosures: [Disclosure], _ writer: any StoreWriter) throws -> [UInt64]

  /// Whether rules can stand beside those of the manifest.
  ///
  /// - Throws: `BadRequestData` that names the place; `Conflict` when who sends them could not change them again.
  func check(added text: String, by caller: Caller) throws(Problem)

  /// Takes further rules beside those of the manifest, in place of those before.
  func use(added text: String) throws(Problem)

  /// Takes the grants that give something now or later, in place of those before.
  func admit(_ grants: [Grant])

  /// Things decided that are remembered for later requests, and the most that are.
  var remembered: (count: Int, bound: Int) { get }

  /// - Throws: `Conflict` when no checkpoint that enough witnesses have seen covers an entry of the evidence log.
  func requireProof(of entry: UInt64) throws(Problem)
}

/// What was decided, and by what.
public struct AccessVerdict: Sendable, Hashable {
  public var isAllowed: Bool
  /// Names of the rules that decided; none where nothing permits.
  public var reasons: [String]
  /// What has to be recorded of it: the words of the rule that asks for it; `nil` for nothing.
  public var evidence: String?
  /// The purpose of the grant that permits it.
  public var purpose: String?
  /// Others who have to have approved it.
  public var approvals = 0

  public init(isAllowed: Bool, reasons: [String], evidence: String? = nil, purpose: String? = nil, approvals: Int = 0) {
    self.isAllowed = isAllowed
    self.reasons = reasons
    self.evidence = evidence
    self.purpose = purpose
    self.approvals = approvals
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
  /// What it is about, where that is no entity.
  public var document: JSON?
  /// The rule's words, such as `access`.
  public var kind: String
  /// What was done, where the action does not say it.
  public var step: String?
  /// What for, where the caller does not state it.
  public var purpose: String?
  /// Why, where that is said of the act itself.
  public var reason: String?

  public init(
    caller: Caller, action: HubAction, tenant: Tenant, entityId: String? = nil, entity: Entity? = nil,
    document: JSON? = nil, kind: String, step: String? = nil, purpose: String? = nil, reason: String? = nil
  ) {
    self.document = document
    self.step = step
    self.purpose = purpose
    self.reason = reason
    self.caller = caller
    self.action = action
    self.tenant = tenant
    self.entityId = entityId
    self.entity = entity
    self.kind = kind
  }
}
