import NGSI
import Store

extension Hub {
  /// The grant under which the caller may use an attribute of an entity now; what a rule forbids no grant gives.
  ///
  /// A rule that permits the same without a grant does not count: this is for what nobody may do without one.
  ///
  /// - Parameters:
  ///   - attribute: expanded.
  ///   - incident: the incident that the grant has to be for; any where there is none.
  /// - Returns: of several the one that lasts longest; `nil` where there is none.
  /// - Throws: `Unauthorized` where nobody asks, `OperationNotSupported` where access is open.
  public func grantInForce(
    _ action: HubAction, on entity: Entity, attribute: String, for incident: String?, in tenant: Tenant
  ) throws(Problem) -> Grant? {
    let rules = try grantingRules()
    let (caller, at) = (Caller.current, now())
    let live = grants.live(at: at).filter { grant in
      grant.tenant == tenant && grant.from <= at && grant.grantee.includes(caller)
        && (incident == nil || grant.incident == incident) && grant.gives(action, on: entity, attribute: attribute)
    }
    guard let longest = live.max(by: { $0.to < $1.to }) else { return nil }
    let verdict = rules.decide(
      action, before: entity, after: nil, attributes: [attribute], by: caller, in: tenant.owner)
    return verdict.isAllowed ? longest : nil
  }
}

extension Hub {
  /// Lets who judges the access of others to an entity know of it.
  ///
  /// - Throws: `Unauthorized`, `Forbidden`; `OperationNotSupported` where access is open.
  public func permitReviewing(_ entity: Entity, in tenant: Tenant) throws(Problem) {
    let rules = try grantingRules()
    let caller = Caller.current
    guard caller.kind != .city else { return }
    try Self.requireTenant(tenant, caller)
    let verdict = rules.decide(.review, before: entity, after: nil, attributes: [], by: caller, in: tenant.owner)
    guard verdict.isAllowed else { throw Self.refusal(.review, caller, verdict) }
  }
}

extension Grant {
  fileprivate func gives(_ action: HubAction, on entity: Entity, attribute: String) -> Bool {
    guard case .access(let actions, let things, let attributes) = what else { return false }
    return actions.contains(action) && (attributes.isEmpty || attributes.contains(attribute))
      && things.contains { $0.matches(entity) }
  }

  /// When what may be seen under it was recorded.
  public var seenSpan: Recorded { recorded ?? Recorded(from: from, to: to) }
}

extension Grant.Thing {
  fileprivate func matches(_ entity: Entity) -> Bool {
    (id == nil || id == entity.id) && (type.map(entity.types.contains) ?? true)
      && (scope.map { scope in entity.scopes.contains { $0 == scope || $0.hasPrefix(scope + "/") } } ?? true)
  }
}
