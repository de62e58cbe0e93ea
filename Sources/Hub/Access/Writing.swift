import Foundation
import NGSI
import Query
import Store

/// Who writes to a tenant, as seen from inside the transaction.
struct Writing: Sendable {
  fileprivate let caller: Caller
  fileprivate let tenant: Tenant
  fileprivate let notes: AccessNotes?
  fileprivate let approval: ProvedApproval?
  /// The service that writes what it owns.
  var service: String?

  static let city = Writing(caller: .city, tenant: .default, notes: nil, approval: nil)
}

extension Hub {
  /// Who is about to write to a tenant.
  ///
  /// - Throws: `Unauthorized`, `Forbidden` for who may write nothing there, whatever it is: he does not hear what there is.
  func writing(in tenant: Tenant) throws(Problem) -> Writing {
    guard let rules, Caller.current.kind != .city else { return .city }
    let caller = Caller.current
    try Self.requireTenant(tenant, caller)
    let outlooks = [HubAction.create, .update, .delete].map { rules.outlook($0, by: caller, in: tenant.owner) }
    guard outlooks.contains(where: \.isAllowed) || mayFederate(caller, in: tenant) else {
      throw Self.refusal(.update, caller, outlooks[1])
    }
    return Writing(
      caller: caller, tenant: tenant.owner, notes: AccessNotes.current, approval: try approval(rules, in: tenant))
  }

  /// - Throws: `BadRequestData` for names that only look like others.
  private static func requireComposed(_ names: some Sequence<String>) throws(Problem) {
    guard let name = names.first(where: { !$0.isComposed }) else { return }
    throw .badRequest(
      "the name '\(name.prefix(100))' is not in Unicode's Normalization Form C: it can be taken for another; write it as "
        + "'\(name.precomposedStringWithCanonicalMapping.prefix(100))'")
  }

  /// Asks before anything is tried on an entity, so that a refusal does not tell what it has.
  ///
  /// - Parameter attributes: expanded names of those that are to change.
  /// - Throws: `ResourceNotFound` for an entity that the caller may not know of, `Unauthorized`, `Forbidden`.
  func permitTouching(
    _ entity: Entity, _ action: HubAction = .update, attributes: [String], by writing: Writing
  ) throws(Problem) {
    guard let rules, writing.caller.kind != .city else { return }
    let verdict = rules.decide(
      action, before: entity, after: nil, attributes: attributes, by: writing.caller, in: writing.tenant)
    guard !verdict.isAllowed else { return }
    throw refusal(action, of: entity, verdict, writing)
  }

  /// - Throws: `Unauthorized`, `Forbidden`; `ResourceNotFound` for an entity that the caller may not know of;
  ///   `BadRequestData` for a new name that could be taken for another. What has such a name may still be deleted.
  func permit(_ update: EntityUpdate, by writing: Writing) throws(Problem) {
    let entity = update.entity
    try requireOwner(of: update.before.map { $0.types + update.addedTypes } ?? entity.types, writing)
    try Self.requireComposed(update.changes.lazy.filter { $0.kind != .deleted }.map(\.name))
    try Self.requireComposed(update.before == nil ? [entity.id] + entity.types : update.addedTypes)
    if update.before == nil || update.scopesChanged { try Self.requireComposed(entity.scopes) }
    guard let verdict = verdict(on: update, by: writing) else { return }
    guard verdict.isAllowed else { throw refusal(update.action, of: update.before, verdict, writing) }
    try requireApproval(verdict.approvals, of: update, writing.approval, by: writing.caller)
  }

  private func verdict(on update: EntityUpdate, by writing: Writing) -> AccessVerdict? {
    guard let rules, writing.caller.kind != .city else { return nil }
    return rules.decide(
      update.action, before: update.before, after: update.isDeletion ? nil : update.entity,
      attributes: update.changes.map(\.name), by: writing.caller, in: writing.tenant)
  }

  private func refusal(
    _ action: HubAction, of known: Entity?, _ verdict: AccessVerdict, _ writing: Writing
  ) -> Problem {
    // An adapter hears why: what it is told stands among the refused input, for those who may read that.
    if ![.nobody, .adapter].contains(writing.caller.kind), let known, !isVisible(known, to: writing) {
      return .notFound("there is no entity \(known.id)")
    }
    return Self.refusal(action, writing.caller, verdict)
  }

  private func isVisible(_ entity: Entity, to writing: Writing) -> Bool {
    guard let visibility = rules?.visibility(for: writing.caller, in: writing.tenant) else { return true }
    return AccessNotes.$current.withValue(writing.notes) { visibility.visible(entity) != nil }
  }

  /// Records the updates that rules want recorded, in their transaction.
  func recordWrites(_ updates: [EntityUpdate], by writing: Writing, _ writer: any StoreWriter) throws {
    guard let rules, writing.caller.kind != .city else { return }
    var disclosures: [Disclosure] = []
    for update in updates where !update.isUnchanged || update.isDeletion {
      guard let verdict = verdict(on: update, by: writing) else { continue }
      // What permitted it may have ended meanwhile, and would then not be recorded.
      guard verdict.isAllowed else { throw refusal(update.action, of: update.before, verdict, writing) }
      if verdict.approvals > 0, let approval = writing.approval {
        try use(approval, by: writing.caller, writer)
      }
      guard let kind = verdict.evidence ?? (verdict.approvals > 0 ? "command" : nil) else { continue }
      disclosures.append(
        Disclosure(
          caller: writing.caller, action: update.action, tenant: writing.tenant, entityId: update.entity.id,
          entity: update.isDeletion ? nil : update.entity, kind: kind,
          purpose: verdict.purpose ?? (verdict.approvals > 0 ? writing.approval?.grant.purpose : nil)))
    }
    if !disclosures.isEmpty { try rules.record(disclosures, writer) }
  }

  // MARK: Histories

  /// Asks whether a caller may change the history of an entity, and records it where rules want that: he must be permitted
  /// to change the entity, as it is or as it was last, and what it becomes by what is said of it.
  ///
  /// - Parameters:
  ///   - part: id, and what is said of it; of attributes that go no more than the names.
  ///   - adds: whether the history is made where there is none.
  func permitHistory(
    of part: Entity, adds: Bool, _ action: HubAction = .update, by writing: Writing, in tenant: Tenant,
    _ writer: any StoreWriter
  ) throws {
    if adds { try Self.requireComposed([part.id] + part.types + part.scopes + part.attributes.map(\.name)) }
    if !ownership.isEmpty {
      let known = try writer.entity(part.id, in: tenant) ?? writer.lastState(of: part.id, in: tenant)
      try requireOwner(of: part.types + (known?.types ?? []), writing)
    }
    guard let rules, writing.caller.kind != .city else { return }
    let before = try writer.entity(part.id, in: tenant) ?? writer.lastState(of: part.id, in: tenant)
    guard adds || before != nil else { throw Problem.notFound("there is no entity \(part.id)") }
    var after = before ?? part
    if adds, before != nil {
      after.types += part.types.filter { !after.types.contains($0) }
      if !part.scopes.isEmpty { after.scopes = part.scopes }
      for set in part.attributes { after[attribute: set.name] = set }
    }
    let action = before == nil ? .create : action
    var attributes = part.attributes.map(\.name)
    if action == .delete {
      // All of them go, with those that the entity has no more.
      let known = [before, try writer.lastState(of: part.id, in: tenant)].compactMap { $0 }
      attributes = Set(known.flatMap { $0.attributes.map(\.name) }).sorted()
    }
    let verdict = rules.decide(
      action, before: before, after: action == .delete ? nil : after, attributes: attributes,
      by: writing.caller, in: writing.tenant)
    guard verdict.isAllowed, verdict.approvals == 0 else { throw refusal(action, of: before, verdict, writing) }
    guard let kind = verdict.evidence else { return }
    try rules.record(
      [
        Disclosure(
          caller: writing.caller, action: action, tenant: writing.tenant, entityId: part.id,
          entity: part.types.isEmpty ? nil : part, kind: kind, purpose: verdict.purpose)
      ], writer)
  }
}

extension EntityUpdate {
  fileprivate var isDeletion: Bool { entity.deletedAt != nil }

  fileprivate var action: HubAction { before == nil ? .create : isDeletion ? .delete : .update }
}
