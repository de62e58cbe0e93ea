import NGSI
import Query
import Store

extension Hub {
  /// Whether rules say who may do what; otherwise everybody may do everything.
  public var hasRules: Bool { rules != nil }

  /// Runs a body as the city itself.
  public static func asCity<Value>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
  ) async rethrows -> Value {
    try await Caller.$current.withValue(.city, operation: body)
  }

  /// A change as far as a caller may see it; `nil` for nothing.
  public func seen(_ change: EntityChange, by caller: Caller) -> EntityChange? {
    guard let rules, caller.kind != .city else { return change }
    return change.seen(by: rules.visibility(for: caller, in: change.tenant.owner))
  }

  /// - Throws: `Unauthorized` when nobody asks, `Forbidden` when the caller may not.
  func permit(_ action: HubAction, in tenant: Tenant) throws(Problem) {
    guard let rules else { return }
    let caller = Caller.current
    guard caller.kind != .city else { return }
    try Self.requireTenant(tenant, caller)
    let verdict = rules.decide(action, by: caller, in: tenant.owner)
    guard verdict.isAllowed else { throw Self.refusal(action, caller, verdict) }
    guard let kind = verdict.evidence else { return }
    let act = Disclosure(caller: caller, action: action, tenant: tenant.owner, kind: kind)
    guard AccessNotes.current?.note(act: act) == true else {
      throw Problem(.forbidden, "\(caller.id) may \(action.rawValue) only where that is recorded, which it is not here")
    }
  }

  /// Whether the caller may run the city: for doors to what stands beside the hub.
  ///
  /// - Throws: as ``permit(_:in:)``.
  public func permitAdministration() throws(Problem) { try permit(.administer, in: .default) }

  /// Whether the caller may open the pages of the operations centre.
  ///
  /// - Throws: as ``permit(_:in:)``.
  public func permitWatching() throws(Problem) { try permit(.watch, in: .default) }

  /// What the caller may read of a tenant; `nil` where it is everything.
  func visibility(in tenant: Tenant) throws(Problem) -> EntityVisibility? {
    guard let rules else { return nil }
    let caller = Caller.current
    guard caller.kind != .city else { return nil }
    try Self.requireTenant(tenant, caller)
    let visibility = rules.visibility(for: caller, in: tenant.owner)
    if caller.kind == .nobody, visibility?.isNothing == true {
      throw Self.refusal(.read, caller, AccessVerdict(isAllowed: false, reasons: []))
    }
    return visibility
  }

  /// Lets who may read something of a tenant know what is set for all of it.
  ///
  /// - Throws: `Unauthorized`, `Forbidden`.
  func permitKnowing(in tenant: Tenant) throws(Problem) {
    guard try visibility(in: tenant)?.isNothing == true else { return }
    throw Self.refusal(.read, Caller.current, AccessVerdict(isAllowed: false, reasons: []))
  }

  /// Whether the caller may read everything of a tenant, unwatched.
  public func showsEverything(in tenant: Tenant) throws(Problem) -> Bool { try visibility(in: tenant) == nil }

  /// Whether the caller may have what other hubs have: rules see entities of this hub only.
  func mayFederate(in tenant: Tenant) -> Bool {
    mayFederate(Caller.current, in: tenant)
  }

  func mayFederate(_ caller: Caller, in tenant: Tenant) -> Bool {
    rules.map { Self.mayFederate(caller, in: tenant, by: $0) } ?? true
  }

  static func mayFederate(_ caller: Caller, in tenant: Tenant, by rules: any AccessRules) -> Bool {
    guard caller.kind != .city else { return true }
    do throws(Problem) { try requireTenant(tenant, caller) } catch { return false }
    return rules.visibility(for: caller, in: tenant.owner) == nil
      && rules.decide(.federate, by: caller, in: tenant.owner).isAllowed
  }

  static func requireTenant(_ tenant: Tenant, _ caller: Caller) throws(Problem) {
    guard !caller.tenants.isEmpty, !caller.tenants.contains(tenant.owner.name) else { return }
    throw Problem(.forbidden, "\(caller.id) may not reach the tenant '\(tenant.owner.name)'")
  }

  static func refusal(_ action: HubAction, _ caller: Caller, _ verdict: AccessVerdict) -> Problem {
    guard caller.kind != .nobody else {
      return Problem(.unauthorized, "nobody is logged in; \(action.rawValue) needs a permission")
    }
    let why = verdict.reasons.isEmpty ? "no rule permits it" : "forbidden by " + verdict.reasons.joined(separator: ", ")
    return Problem(.forbidden, "\(caller.id) may not \(action.rawValue): \(why)")
  }

  // MARK: Recording

  /// Records what a request was shown and did. Until it returns, nothing of it may leave.
  ///
  /// - Parameter failed: the request was refused: what it would have done is not said of it.
  public func record(_ notes: AccessNotes, failed: Bool = false) async throws(Problem) {
    guard let rules else { return }
    let acts = notes.takeActs()
    let disclosures = notes.take() + (failed ? [] : acts)
    guard !disclosures.isEmpty else { return }
    do { try await store.write { writer in try rules.record(disclosures, writer) } } catch {
      throw Problem(storeFailure: error)
    }
  }
}
