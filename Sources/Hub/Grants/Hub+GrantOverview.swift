import NGSI
import Store

/// A grant as somebody meets it who may see it.
public struct SeenGrant: Sendable {
  public let grant: Grant
  /// As of when it was looked at: ``Grant/status(at:)``.
  public let status: String
  /// What he may do about it now: `approve` and `refuse`, `revoke`, `review`.
  public let next: Set<Grant.Step.Kind>

  /// Whether somebody waits for him.
  public var waits: Bool { next.contains(.approve) || next.contains(.review) }
}

/// The grants that somebody may see.
public struct GrantOverview: Sendable {
  /// Those that wait for him: decisions before reviews, the oldest first.
  public var waiting: [SeenGrant] = []
  /// How many there are by status; those that break the glass and owe a review as `unreviewed`.
  public var counts: [String: Int] = [:]
  public var count = 0
  /// A window on those that were selected, the newest first, and how many were.
  public var page: [SeenGrant] = []
  public var selected = 0
}

/// What somebody may ask for.
public struct GrantTerms: Sendable {
  /// Whether a rule might let him ask for something, or take it.
  public var mayRequest: Bool
  public var mayBreakGlass: Bool
  public var settings: GrantSettings
}

extension Hub {
  /// The grants that the caller may see, what waits for him, and one page of a selection.
  ///
  /// - Throws: `OperationNotSupported` where access is open; `Unauthorized` where nobody asks.
  public func grantOverview(_ selection: GrantSelection, page: Page, in tenant: Tenant) throws(Problem) -> GrantOverview
  {
    var overview = GrantOverview()
    for grant in try grants(in: tenant) {
      let seen = try seen(grant)
      overview.count += 1
      overview.counts[seen.status, default: 0] += 1
      if grant.owesReview { overview.counts["unreviewed", default: 0] += 1 }
      if seen.waits { overview.waiting.append(seen) }
      let isSelected =
        switch selection {
        case .all: true
        case .status(let status): seen.status == status
        case .unreviewed: grant.owesReview
        case .waiting: seen.waits
        }
      guard isSelected else { continue }
      overview.selected += 1
      if overview.selected > page.offset, overview.page.count < page.limit { overview.page.append(seen) }
    }
    let (reviews, decisions) = (
      overview.waiting.filter { $0.next.contains(.review) }, overview.waiting.filter { !$0.next.contains(.review) }
    )
    // They are listed newest first.
    overview.waiting = decisions.reversed() + reviews.reversed()
    return overview
  }

  /// Others who have to approve a grant.
  public var approvalsNeeded: Int { grantSettings.approvals }

  /// - Throws: `ResourceNotFound`, for one that the caller may not see too.
  public func seenGrant(_ id: String, in tenant: Tenant) throws(Problem) -> SeenGrant {
    try seen(grant(id, in: tenant))
  }

  /// - Throws: `OperationNotSupported` where access is open; `Unauthorized` where nobody asks.
  public func grantTerms(in tenant: Tenant) throws(Problem) -> GrantTerms {
    let rules = try grantingRules()
    let caller = Caller.current
    return GrantTerms(
      mayRequest: rules.outlook(.request, by: caller, in: tenant.owner).isAllowed,
      mayBreakGlass: rules.outlook(.breakGlass, by: caller, in: tenant.owner).isAllowed, settings: grantSettings)
  }

  private func seen(_ grant: Grant) throws(Problem) -> SeenGrant {
    let rules = try grantingRules()
    return SeenGrant(grant: grant, status: grant.status(at: now()), next: nextSteps(of: grant, Caller.current, rules))
  }

  func nextSteps(of grant: Grant, _ caller: Caller, _ rules: any AccessRules) -> Set<Grant.Step.Kind> {
    let at = now()
    func holds(_ check: () throws(Problem) -> Void) -> Bool {
      do throws(Problem) { try check() } catch { return false }
      return true
    }
    var next: Set<Grant.Step.Kind> = []
    let mayApprove = grant.isOpen(at: at) && may(.approve, on: grant, caller, rules)
    if mayApprove, holds({ () throws(Problem) in try grant.requireDecidable(by: caller, at: at) }) {
      next.formUnion([.approve, .refuse])
    }
    if mayApprove || grant.concerns(caller), holds({ () throws(Problem) in try grant.requireRevocable(at: at) }) {
      next.insert(.revoke)
    }
    if holds({ () throws(Problem) in try grant.requireReviewable(by: caller) }), may(.review, on: grant, caller, rules)
    {
      next.insert(.review)
    }
    return next
  }
}

extension Grant {
  /// Whether it was taken, and nobody has judged that.
  public var owesReview: Bool { isBreakGlass && review == nil }

  /// Until when one that was taken is to be reviewed.
  public func reviewDue(in hub: Hub) -> DateTime { from.adding(seconds: hub.grantSettings.review) }
}
