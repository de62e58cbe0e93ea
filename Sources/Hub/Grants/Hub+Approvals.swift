import NGSI
import Store

// Commands that rules let run only when others have approved them, which is proved by the evidence log under a checkpoint
// that the treaty's witnesses have seen.

/// An approval that a request named, with its proof in hand.
struct ProvedApproval: Sendable {
  var grant: Grant
  /// People whose approval was proved.
  var approvals: Int
}

extension Hub {
  /// The approval that the caller names, its steps proved.
  ///
  /// - Throws: `ResourceNotFound`; `Conflict` as long as too few witnesses have seen it.
  func approval(_ rules: any AccessRules, in tenant: Tenant) throws(Problem) -> ProvedApproval? {
    guard let id = Caller.current.approval else { return nil }
    let grant = try grant(id, in: tenant)
    guard grant.isCommand else { throw .badRequest("the grant \(id.prefix(100)) approves no command") }
    var proved = 0
    for step in grant.approvals {
      guard let entry = step.entry else { continue }
      try rules.requireProof(of: entry)
      proved += 1
    }
    return ProvedApproval(grant: grant, approvals: proved)
  }

  /// - Throws: `Forbidden` when a change needs more approval than it has.
  func requireApproval(
    _ needed: Int, of update: EntityUpdate, _ approval: ProvedApproval?, by caller: Caller
  ) throws(Problem) {
    guard needed > 0 else { return }
    guard let approval else {
      throw Problem(
        .forbidden,
        "this change of \(update.entity.id) runs when \(needed) others have approved it: ask for it at "
          + "/city/v1/grants as a 'command', then name the grant in the header Approval")
    }
    let (grant, at) = (approval.grant, now())
    guard grant.grantee.includes(caller), case .command(let command) = grant.what, command.covers(update) else {
      throw Problem(.forbidden, "the grant \(grant.id) approves another change, or one by somebody else")
    }
    guard grant.state == .approved, grant.from <= at, at < grant.to else {
      throw Problem(.forbidden, "the grant \(grant.id) is \(grant.status(at: at))")
    }
    guard approval.approvals >= needed else {
      throw Problem(.forbidden, "the grant \(grant.id) has \(approval.approvals) approvals; \(needed) are needed")
    }
  }

  /// Notes in the transaction of the change that its approval was used.
  ///
  /// - Throws: `Conflict` when it was used before.
  func use(_ approval: ProvedApproval, by caller: Caller, _ writer: any StoreWriter) throws {
    guard let rules else { return }
    var grant = try stored(approval.grant.id, in: approval.grant.tenant, writer)
    guard grant.state == .approved else {
      throw Problem(
        .conflict, "the grant \(grant.id) is \(grant.status(at: now())): an approval is good for one change")
    }
    grant.steps.append(Grant.Step(kind: .use, by: Grant.Party(caller), at: now()))
    grant.state = .used
    try keep(grant, rules, writer)
  }
}
