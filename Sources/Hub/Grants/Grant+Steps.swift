import NGSI

// What may be done about a grant as it stands, whoever does it: permission by rules is asked apart.

extension Grant {
  /// Whether a caller asked for it, or has it.
  func concerns(_ caller: Caller) -> Bool {
    requester?.isSame(as: Party(caller)) ?? false || grantee.includes(caller)
  }

  /// - Throws: `Forbidden` for who asked or would get it; `Conflict` where it is decided no more.
  func requireDecidable(by caller: Caller, at time: DateTime) throws(Problem) {
    guard !concerns(caller) else {
      throw Problem(.forbidden, "\(caller.id) may not decide a grant of his own")
    }
    let isOpen = state == .requested || isCommand && state == .approved
    guard isOpen, time < to else {
      throw Problem(.conflict, "the grant is \(status(at: time)): it is decided no more")
    }
    let party = Party(caller)
    guard !approvals.contains(where: { $0.by.isSame(as: party) }) else {
      throw Problem(.conflict, "\(caller.id) has approved it already")
    }
  }

  /// - Throws: `Conflict` where it is over already.
  func requireRevocable(at time: DateTime) throws(Problem) {
    guard isOpen(at: time) else { throw Problem(.conflict, "the grant is \(status(at: time)) already") }
  }

  /// - Throws: `Conflict` where no review is owed; `Forbidden` for who took it.
  func requireReviewable(by caller: Caller) throws(Problem) {
    guard isBreakGlass else {
      throw Problem(.conflict, "the grant was approved beforehand: there is no review")
    }
    guard !concerns(caller) else { throw Problem(.forbidden, "\(caller.id) may not review a grant of his own") }
    guard review == nil else { throw Problem(.conflict, "the grant was reviewed already") }
  }
}
