import NGSI
import Query
import Store

extension Hub {
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
  }

  /// Whether the caller may run the city: for doors to what stands beside the hub.
  ///
  /// - Throws: as ``permit(_:in:)``.
  public func permitAdministration() throws(Problem) { try permit(.administer, in: .default) }

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

  /// Whether the caller may read everything of a tenant, unwatched.
  public func showsEverything(in tenant: Tenant) throws(Problem) -> Bool { try visibility(in: tenant) == nil }

  /// Whether the caller may have what other hubs have: rules see entities of this hub only.
  func mayFederate(in tenant: Tenant) -> Bool {
    mayFederate(Caller.current, in: tenant)
  }

  func mayFederate(_ caller: Caller, in tenant: Tenant) -> Bool {
    guard let rules, caller.kind != .city else { return true }
    do throws(Problem) { try Self.requireTenant(tenant, caller) } catch { return false }
    return rules.visibility(for: caller, in: tenant.owner) == nil
      && rules.decide(.federate, by: caller, in: tenant.owner).isAllowed
  }

  private static func requireTenant(_ tenant: Tenant, _ caller: Caller) throws(Problem) {
    guard !caller.tenants.isEmpty, !caller.tenants.contains(tenant.owner.name) else { return }
    throw Problem(.forbidden, "\(caller.id) may not reach the tenant '\(tenant.owner.name)'")
  }

  fileprivate static func refusal(_ action: HubAction, _ caller: Caller, _ verdict: AccessVerdict) -> Problem {
    guard caller.kind != .nobody else {
      return Problem(.unauthorized, "nobody is logged in; \(action.rawValue) needs a permission")
    }
    let why = verdict.reasons.isEmpty ? "no rule permits it" : "forbidden by " + verdict.reasons.joined(separator: ", ")
    return Problem(.forbidden, "\(caller.id) may not \(action.rawValue): \(why)")
  }

  // MARK: Writing

  /// Who writes, as seen from inside the transaction.
  struct Writing: Sendable {
    fileprivate let caller: Caller
    fileprivate let tenant: Tenant

    static let city = Writing(caller: .city, tenant: .default)
  }

  /// Who is about to write to a tenant.
  func writing(in tenant: Tenant) throws(Problem) -> Writing {
    let caller = rules == nil ? Caller.city : Caller.current
    if caller.kind != .city { try Self.requireTenant(tenant, caller) }
    return Writing(caller: caller, tenant: tenant.owner)
  }

  /// - Throws: `Unauthorized`, `Forbidden`; `ResourceNotFound` for an entity that the caller may not know of.
  func permit(_ update: EntityUpdate, by writing: Writing) throws(Problem) {
    guard let rules, writing.caller.kind != .city else { return }
    let isDeletion = update.entity.deletedAt != nil
    let action: HubAction = update.before == nil ? .create : isDeletion ? .delete : .update
    let verdict = rules.decide(
      action, before: update.before, after: isDeletion ? nil : update.entity, attributes: update.changes.map(\.name),
      by: writing.caller, in: writing.tenant)
    guard !verdict.isAllowed else { return }
    if writing.caller.kind != .nobody, let before = update.before,
      let visibility = rules.visibility(for: writing.caller, in: writing.tenant),
      visibility.visible(before) == nil
    {
      throw .notFound("there is no entity \(update.entity.id)")
    }
    throw Self.refusal(action, writing.caller, verdict)
  }

  /// Records the updates that rules want recorded, in their transaction.
  func recordWrites(_ updates: [EntityUpdate], by writing: Writing, _ writer: any StoreWriter) throws {
    guard let rules, writing.caller.kind != .city else { return }
    var disclosures: [Disclosure] = []
    for update in updates where !update.isUnchanged || update.entity.deletedAt != nil {
      let isDeletion = update.entity.deletedAt != nil
      let action: HubAction = update.before == nil ? .create : isDeletion ? .delete : .update
      let verdict = rules.decide(
        action, before: update.before, after: isDeletion ? nil : update.entity, attributes: update.changes.map(\.name),
        by: writing.caller, in: writing.tenant)
      guard let kind = verdict.evidence else { continue }
      disclosures.append(
        Disclosure(
          caller: writing.caller, action: action, tenant: writing.tenant, entityId: update.entity.id,
          entity: isDeletion ? nil : update.entity, kind: kind))
    }
    if !disclosures.isEmpty { try rules.record(disclosures, writer) }
  }

  // MARK: Recording

  /// Records what a request was shown. Until it returns, nothing of it may leave.
  public func record(_ notes: AccessNotes) async throws(Problem) {
    guard let rules, !notes.isEmpty else { return }
    let disclosures = notes.take()
    try await write { writer in try rules.record(disclosures, writer) }
  }
}

extension Hub {
  /// Asks whether a caller may change the history of an entity: as he may change the entity, which may be gone.
  ///
  /// - Parameter part: id, and the attributes that are concerned.
  func permitHistory(
    of part: Entity, _ action: HubAction, by writing: Writing, in tenant: Tenant, _ reader: any StoreReader
  ) throws {
    guard let rules, writing.caller.kind != .city else { return }
    var before = try reader.entity(part.id, in: tenant)
    if before == nil {
      let types = try reader.evolutions(.latest(of: part.id, count: 1), in: tenant).entities.first?.types
      before = types.map { Entity(id: part.id, types: $0) }
    }
    let verdict = rules.decide(
      before == nil ? .create : action, before: before, after: action == .delete ? nil : before ?? part,
      attributes: part.attributes.map(\.name), by: writing.caller, in: writing.tenant)
    guard !verdict.isAllowed else { return }
    if writing.caller.kind != .nobody, let before,
      let visibility = rules.visibility(for: writing.caller, in: writing.tenant),
      visibility.visible(before) == nil
    {
      throw Problem.notFound("there is no entity \(part.id)")
    }
    throw Self.refusal(action, writing.caller, verdict)
  }
}
