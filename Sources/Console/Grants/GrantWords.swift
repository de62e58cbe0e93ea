import NGSI

// Grants as people read them.

extension [String: Any] {
  /// Without the texts that are empty, which a template would take for something that is there.
  var withoutEmpty: [String: Any] { filter { ($0.value as? String)?.isEmpty != true } }
}

extension GrantView {
  /// The shape and colour that goes with its state: what waits, or owes a review, is to be seen first.
  var mark: String {
    if reviewDue != nil { return "alarm" }
    switch state {
    case .requested: return "attention"
    case .active: return "normal"
    default: return "unknown"
    }
  }

  var approvalsGiven: Int { steps.count { $0.kind == "approve" } }
}

extension Visit {
  func who(_ grantee: GrantView.Grantee) -> String {
    switch grantee {
    case .somebody(let name): name
    case .agency(let name): text("granteeAgency", ["name": name])
    case .role(let name): text("granteeRole", ["name": name])
    }
  }

  func who(_ step: GrantView.Step) -> String {
    if step.by.isEmpty { return text("byCity") }
    return step.agency.map { "\(step.by) (\($0))" } ?? step.by
  }

  func thing(_ thing: GrantView.Thing) -> String {
    var parts: [String] = []
    if let type = thing.type { parts.append(room.names.type(type, language)) }
    if let id = thing.id { parts.append(id) }
    if let scope = thing.scope { parts.append(text("inScope", ["scope": scope])) }
    return parts.joined(separator: " · ")
  }

  func actions(_ grant: GrantView) -> String {
    if grant.command != nil { return text("actionCommand") }
    return grant.actions.map { text("action_" + $0) }.joined(separator: ", ")
  }

  /// What it is for, in one line.
  private func summary(_ grant: GrantView) -> String {
    let shown = grant.things.prefix(3).map(thing)
    let more = grant.things.count - shown.count
    let things = shown + (more > 0 ? [text("thingsMore", ["n": "\(more)"])] : [])
    return actions(grant) + ": " + things.joined(separator: "; ")
  }

  /// When it began, ends or ended, in a few words.
  private func moment(_ grant: GrantView) -> (text: String, at: DateTime) {
    let last = grant.steps.last?.at ?? grant.from
    let (key, at): (String, DateTime) =
      switch grant.state {
      case .requested: ("momentRequested", grant.steps.first?.at ?? grant.from)
      case .approved: ("momentApproved", grant.from)
      case .active: ("momentActive", grant.to)
      case .ended, .lapsed: ("momentEnded", grant.to)
      case .refused, .revoked, .used: ("momentDone", last)
      }
    return (text(key, ["when": age(at)]), at)
  }

  func state(_ grant: GrantView) -> String {
    let state = text("grant_" + grant.state.rawValue)
    return grant.reviewDue == nil ? state : state + " · " + text("reviewOwed")
  }

  /// One line of a list.
  func row(_ grant: GrantView) -> [String: Any] {
    let moment = moment(grant)
    let asked = grant.steps.first
    var row: [String: Any] = [
      "grantHref": grantsPath("/" + Percent.encode(grant.id)), "grantPurpose": grant.purpose,
      "grantMark": grant.mark, "grantStateText": state(grant), "grantWho": who(grant.grantee),
      "grantSummary": summary(grant), "grantMoment": moment.text, "grantMomentTime": moment.at.description,
      "grantMomentLocal": room.time.text(moment.at), "grantTaken": grant.isBreakGlass,
      "grantReason": asked?.note ?? "", "grantAsker": asked.map(who) ?? "",
      "grantCall": text(grant.next.contains(.decide) ? "callDecide" : "callReview"),
    ]
    if let due = grant.reviewDue {
      row["grantDue"] = text(due < now ? "reviewLate" : "reviewDue", ["time": room.time.text(due)])
    }
    return row.withoutEmpty
  }

  /// What a refusal says to who reads the page.
  ///
  /// - Parameter doing: what was tried: `request`, `break-glass`, `approve`, `refuse`, `revoke`, `review`.
  func sentence(_ refusal: GrantRefusal, _ doing: String) -> String {
    switch refusal.kind {
    case .forbidden: text("refusedForbidden_" + doing)
    case .invalid: text("refusedInvalid")
    case .conflict: text("refusedConflict")
    case .unknown: text("refusedUnknown")
    case .tooMany: text("refusedTooMany")
    case .failed: text("refusedFailed")
    }
  }
}
