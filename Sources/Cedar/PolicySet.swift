/// What was decided, and by which rules.
public struct AccessDecision: Sendable, Hashable {
  public var isAllowed: Bool
  /// Names of the rules that decided: those that forbid, or else those that permit. None where nothing permits.
  public var reasons: [String]
  /// Rules that did not count, and why.
  public var errors: [PolicyFailure]
}

public struct PolicyFailure: Sendable, Hashable {
  public var policy: String
  public var error: EvaluationError
}

/// Rules together (Cedar's semantics): what no rule permits is denied, and a rule that forbids outweighs all that permit.
public struct PolicySet: Sendable {
  /// In the order of their text.
  public let policies: [Policy]
  /// Positions of the rules for an action that they name; the others are for every action.
  private let byAction: [EntityUID: [Int]]
  private let others: [Int]

  public init(_ policies: [Policy]) {
    self.policies = policies
    var byAction: [EntityUID: [Int]] = [:]
    var others: [Int] = []
    for (position, policy) in policies.enumerated() {
      if case .equal(let action) = policy.action {
        byAction[action, default: []].append(position)
      } else {
        others.append(position)
      }
    }
    self.byAction = byAction
    self.others = others
  }

  /// Reads rules; each is named by its annotation `@id`, or `policy0`, `policy1` … in order.
  public init(parsing text: String) throws(PolicySyntaxError) {
    var parser = try Parser(text)
    var policies = try parser.policies { "policy\($0)" }
    for position in policies.indices {
      policies[position].id = policies[position].annotations["id"] ?? policies[position].id
    }
    self.init(policies)
  }

  public func decide(_ request: AccessRequest, _ entities: any EntitySource) -> AccessDecision {
    var evaluator = Evaluator(request, entities)
    var permits: [String] = []
    var forbids: [String] = []
    var errors: [PolicyFailure] = []
    for position in Self.merged(byAction[request.action] ?? [], others) {
      let policy = policies[position]
      do throws(EvaluationError) {
        guard try evaluator.applies(policy) else { continue }
        if policy.effect == .permit { permits.append(policy.id) } else { forbids.append(policy.id) }
      } catch {
        errors.append(PolicyFailure(policy: policy.id, error: error))
      }
    }
    let isAllowed = forbids.isEmpty && !permits.isEmpty
    return AccessDecision(isAllowed: isAllowed, reasons: forbids.isEmpty ? permits : forbids, errors: errors)
  }

  /// Two ascending lists as one.
  private static func merged(_ left: [Int], _ right: [Int]) -> [Int] {
    if left.isEmpty { return right }
    if right.isEmpty { return left }
    return (left + right).sorted()
  }
}

extension Evaluator {
  /// Whether a rule is about the request and its conditions hold.
  mutating func applies(_ policy: Policy) throws(EvaluationError) -> Bool {
    guard isAbout(policy.principal, request.principal), isAbout(policy.action),
      isAbout(policy.resource, request.resource)
    else { return false }
    for condition in policy.conditions where try bool(condition.expression) != condition.isRequired { return false }
    return true
  }

  /// Whether a rule is about who asks and for what.
  mutating func concernsRequester(_ policy: Policy) -> Bool {
    isAbout(policy.principal, request.principal) && isAbout(policy.action)
  }

  /// Whether a rule is about what is asked for.
  mutating func concernsResource(_ policy: Policy) -> Bool { isAbout(policy.resource, request.resource) }

  private mutating func isAbout(_ scope: Policy.Scope, _ uid: EntityUID) -> Bool {
    switch scope {
    case .any: true
    case .equal(let other): uid == other
    case .within(let group): isWithin(uid, group)
    case .isType(let type): uid.type == type
    case .isTypeWithin(let type, let group): uid.type == type && isWithin(uid, group)
    }
  }

  private mutating func isAbout(_ scope: Policy.ActionScope) -> Bool {
    switch scope {
    case .any: return true
    case .equal(let action): return request.action == action
    case .within(let groups):
      for group in groups where isWithin(request.action, group) { return true }
      return false
    }
  }
}
