import NGSI
import Store

/// Which grants are asked for.
public enum GrantSelection: Sendable, Hashable {
  case all
  /// By ``Grant/status(at:)``.
  case status(String)
  /// Taken, and not reviewed yet.
  case unreviewed
  /// What the caller may decide or review now.
  case waiting
}

extension Hub {
  static let grantCollection = "grants"

  /// Takes up the grants that wait to be decided, or still give something.
  func resumeGrants() throws(Problem) {
    let tenants = try read { try $0.tenants() }
    let at = now()
    for tenant in tenants { for grant in try storedGrants(in: tenant) { grants.put(grant, at: at) } }
    rules?.admit(grants.live(at: at))
  }

  // MARK: - Asking

  /// Asks for a grant, or takes it where it is one that breaks the glass.
  ///
  /// - Throws: `BadRequestData` that names the member; `Forbidden` for who may not ask for one of the things.
  public func requestGrant(_ object: JSONObject, in tenant: Tenant) async throws(Problem) -> Grant {
    let rules = try grantingRules()
    let caller = Caller.current
    let parser = GrantParser(settings: grantSettings, now: now())
    let id = "urn:ngsi-ld:Grant:" + Identifier.random()
    let asked = try parser.grant(object, id: id, by: caller, in: tenant)
    try permit(asked.isBreakGlass ? .breakGlass : .request, on: asked, caller, rules)
    guard grants.count(askedBy: Grant.Party(caller), at: now()) < limits.grantsOfRequester else {
      throw Problem(
        .tooManyResults, "\(caller.id) has \(limits.grantsOfRequester) grants open; that is the most, end some first")
    }
    return try await write { writer in
      try self.requireRoom(for: tenant, writer)
      try self.requireIncident(of: asked, writer)
      try self.makeRoomForGrant(in: tenant, writer)
      return try self.keep(asked, rules, writer)
    }
  }

  /// Approves or refuses a grant that was asked for. Who asked, or would get it, may not.
  public func decideGrant(_ id: String, approves: Bool, note: String?, in tenant: Tenant) async throws(Problem) -> Grant
  {
    let settings = grantSettings
    return try await change(id, .approve, in: tenant) { grant, caller, at throws(Problem) in
      try grant.requireDecidable(by: caller, at: at)
      grant.steps.append(Grant.Step(kind: approves ? .approve : .refuse, by: Grant.Party(caller), at: at, note: note))
      if !approves {
        grant.state = .refused
      } else if grant.approvals.count >= settings.approvals {
        grant.state = .approved
      }
    }
  }

  /// Ends a grant before its time. Who has it may give it back.
  public func revokeGrant(_ id: String, note: String?, in tenant: Tenant) async throws(Problem) -> Grant {
    try await change(id, nil, in: tenant) { grant, caller, at throws(Problem) in
      try grant.requireRevocable(at: at)
      grant.steps.append(Grant.Step(kind: .revoke, by: Grant.Party(caller), at: at, note: note))
      grant.state = .revoked
    }
  }

  /// Judges a grant that was taken. Who took it may not.
  public func reviewGrant(_ id: String, isJustified: Bool, note: String, in tenant: Tenant) async throws(Problem)
    -> Grant
  {
    try await change(id, .review, in: tenant) { grant, caller, at throws(Problem) in
      try grant.requireReviewable(by: caller)
      grant.steps.append(
        Grant.Step(kind: .review, by: Grant.Party(caller), at: at, note: note, isJustified: isJustified))
      if !isJustified, grant.isLive(at: at) { grant.state = .revoked }
    }
  }

  // MARK: - Seeing

  /// The grants that the caller may see, newest first: his own, and those that he may decide or review.
  public func grants(_ selection: GrantSelection = .all, in tenant: Tenant) throws(Problem) -> [Grant] {
    let rules = try grantingRules()
    let (caller, at) = (Caller.current, now())
    return try storedGrants(in: tenant).reversed().filter { grant in
      switch selection {
      case .all: true
      case .status(let status): grant.status(at: at) == status
      case .unreviewed: grant.owesReview
      case .waiting: !nextSteps(of: grant, caller, rules).isDisjoint(with: [.approve, .review])
      }
    }.filter { maySee($0, caller, rules) }
  }

  /// - Throws: `ResourceNotFound`, for one that the caller may not see too.
  public func grant(_ id: String, in tenant: Tenant) throws(Problem) -> Grant {
    let rules = try grantingRules()
    let found = try read { try self.stored(id, in: tenant, $0) }
    guard maySee(found, Caller.current, rules) else { throw .notFound("there is no grant \(id.prefix(100))") }
    return found
  }

  /// Grants that somebody took, and that should have been reviewed by now; none where the caller may not see them.
  public func overdueReviews() throws(Problem) -> [Grant] {
    let rules = try grantingRules()
    let latest = now().adding(seconds: -grantSettings.review)
    var overdue: [Grant] = []
    for tenant in try read({ try $0.tenants() }) {
      overdue += try storedGrants(in: tenant).filter { $0.owesReview && $0.from <= latest }
    }
    return overdue.filter { maySee($0, Caller.current, rules) }
  }

  private func maySee(_ grant: Grant, _ caller: Caller, _ rules: any AccessRules) -> Bool {
    if caller.kind == .city { return true }
    do throws(Problem) { try Self.requireTenant(grant.tenant, caller) } catch { return false }
    if grant.concerns(caller) { return true }
    if rules.decide(.administer, by: caller, in: grant.tenant.owner).isAllowed { return true }
    return [.approve, .review].contains { may($0, on: grant, caller, rules) }
  }

  // MARK: - Permission

  /// Where access is open there is nothing to grant.
  func grantingRules() throws(Problem) -> any AccessRules {
    guard let rules else {
      throw Problem(.operationNotSupported, "access is open in this city: there is nothing to grant")
    }
    guard Caller.current.kind != .nobody else {
      throw Problem(.unauthorized, "nobody is logged in; a grant is asked for and decided by somebody")
    }
    return rules
  }

  func may(_ action: HubAction, on grant: Grant, _ caller: Caller, _ rules: any AccessRules) -> Bool {
    do throws(Problem) { try permit(action, on: grant, caller, rules) } catch { return false }
    return true
  }

  /// An action on a grant is one on all that it is for.
  private func permit(_ action: HubAction, on grant: Grant, _ caller: Caller, _ rules: any AccessRules) throws(Problem)
  {
    guard caller.kind != .city else { return }
    try Self.requireTenant(grant.tenant, caller)
    for thing in grant.what.things {
      let known = try thing.id.flatMap { id throws(Problem) in try read { try $0.entity(id, in: grant.tenant) } }
      let verdict = rules.decide(
        action, before: known ?? thing.entity, after: nil, attributes: [], by: caller, in: grant.tenant.owner)
      guard verdict.isAllowed else { throw Self.refusal(action, caller, verdict) }
    }
  }

  // MARK: - Keeping

  private func change(
    _ id: String, _ action: HubAction?, in tenant: Tenant,
    _ body: @escaping @Sendable (inout Grant, Caller, DateTime) throws(Problem) -> Void
  ) async throws(Problem) -> Grant {
    let rules = try grantingRules()
    let (caller, at) = (Caller.current, now())
    let known = try grant(id, in: tenant)
    // To end one is for who may decide it, and for who has it.
    if let action {
      try permit(action, on: known, caller, rules)
    } else if !known.concerns(caller) {
      try permit(.approve, on: known, caller, rules)
    }
    return try await write { writer in
      var grant = try self.stored(id, in: tenant, writer)
      try body(&grant, caller, at)
      if grant.state == .approved { try self.requireIncident(of: grant, writer) }
      return try self.keep(grant, rules, writer)
    }
  }

  /// Stores a grant with its last step, which goes into the evidence log in the same transaction.
  @discardableResult
  func keep(_ grant: Grant, _ rules: any AccessRules, _ writer: any StoreWriter) throws -> Grant {
    var grant = grant
    guard let last = grant.steps.indices.last else { return grant }
    let caller = Caller(of: grant.steps[last].by)
    let entries = try rules.record(
      [
        Disclosure(
          caller: caller, action: .approve, tenant: grant.tenant.owner, entityId: grant.id,
          document: .object(grant.document()), kind: "grant", step: grant.steps[last].kind.rawValue,
          purpose: grant.purpose, reason: grant.steps[last].note)
      ], writer)
    grant.steps[last].entry = entries.first
    try writer.put(
      StoredDocument(id: grant.id, body: .object(grant.document())), collection: Self.grantCollection, in: grant.tenant)
    let (kept, book, now) = (grant, grants, now)
    writer.afterCommit {
      let at = now()
      book.put(kept, at: at)
      rules.admit(book.live(at: at))
    }
    return grant
  }

  func stored(_ id: String, in tenant: Tenant, _ reader: any StoreReader) throws -> Grant {
    guard let document = try reader.document(id, collection: Self.grantCollection, in: tenant) else {
      throw Problem.notFound("there is no grant \(id.prefix(100))")
    }
    return try Grant(stored: document, in: tenant)
  }

  private func storedGrants(in tenant: Tenant) throws(Problem) -> [Grant] {
    try read { reader in
      try reader.documents(Self.grantCollection, in: tenant, page: Page(limit: self.limits.grants)).map {
        try Grant(stored: $0, in: tenant)
      }
    }
  }

  /// Where the bound is met, the oldest that is over and owes no review goes; the evidence log keeps what was done.
  private func makeRoomForGrant(in tenant: Tenant, _ writer: any StoreWriter) throws {
    guard try writer.documentCount(Self.grantCollection, in: tenant) >= limits.grants else { return }
    let at = now()
    let all = try writer.documents(Self.grantCollection, in: tenant, page: Page(limit: limits.grants))
    let over = try all.first { document in
      let grant = try Grant(stored: document, in: tenant)
      return !grant.owesReview && !["requested", "approved", "active"].contains(grant.status(at: at))
    }
    guard let over else {
      throw Problem(.tooManyResults, "a tenant may have at most \(limits.grants) grants, and none of them is over")
    }
    _ = try writer.deleteDocument(over.id, collection: Self.grantCollection, in: tenant)
  }

  // MARK: - The end of a reason

  /// - Throws: `BadRequestData` when the reason of a grant is over already.
  private func requireIncident(of grant: Grant, _ reader: any StoreReader) throws {
    guard let incident = grant.incident else { return }
    guard let entity = try reader.entity(incident, in: grant.tenant), !entity.isEndedIncident else {
      throw Problem.badRequest("there is no incident \(incident), or it has ended")
    }
  }

  /// Ends the grants whose incident ends with these changes, in their transaction.
  func endGrants(after changes: [EntityChange], _ writer: any StoreWriter) throws {
    guard let rules, let tenant = changes.first?.tenant else { return }
    let ended = Set(changes.filter(\.endsIncident).map(\.entityId))
    guard !ended.isEmpty else { return }
    for grant in grants.grants(for: ended, in: tenant) {
      var grant = try stored(grant.id, in: tenant, writer)
      guard grant.state == .approved || grant.state == .requested else { continue }
      grant.steps.append(
        Grant.Step(kind: .revoke, by: Grant.Party(.city), at: now(), note: "\(grant.incident ?? "") has ended"))
      grant.state = .revoked
      try keep(grant, rules, writer)
    }
  }
}

extension Grant {
  var isCommand: Bool { if case .command = what { true } else { false } }
}

extension Caller {
  fileprivate init(of party: Grant.Party) {
    self.init(party.kind, id: party.id)
    agency = party.agency
    if Caller.current.kind == party.kind, Caller.current.id == party.id { source = Caller.current.source }
  }
}

extension Entity {
  /// Words for a state that is the end, in the field's data models.
  private static let ends: Set<String> = ["closed", "resolved", "cancelled", "canceled", "archived", "completed"]

  /// Whether its `status` says that it is over.
  fileprivate var isEndedIncident: Bool {
    let status = self[attribute: Context.core.expand("status")]?.instances.first { $0.datasetId == nil }
    return status?.value.string.map { Self.ends.contains($0.lowercased()) } ?? false
  }
}

extension EntityChange {
  /// Whether with it an incident ends: it is gone, or its `status` says so.
  fileprivate var endsIncident: Bool { new?.isEndedIncident ?? true }
}
