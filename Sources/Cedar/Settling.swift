// Rules are settled step by step, as more is known of a request, so that what many requests share is decided once.

/// What is known of a request before all of it is.
public struct KnownPart: Sendable {
  /// Who asks for what. What the resource is, the request says only by its type.
  public var request: AccessRequest
  /// What is known of the resource: `nothing` but its type, or its `groups`.
  public var resource: ResourceSight
  /// Members of the context that are not known yet.
  public var open: Set<ExactText>

  public init(_ request: AccessRequest, resource: ResourceSight, open: Set<ExactText>) {
    self.request = request
    self.resource = resource
    self.open = open
  }
}

extension PolicySet {
  /// The rules that may still say something, with no more of their scopes and conditions than what is still to be looked at.
  ///
  /// They permit and forbid each request that has this part as all of them do, with the same reasons; what would have
  /// failed without effect is not told of any more.
  ///
  /// - Parameter entities: tell the groups of the resource, where they are known, under the name that the request has for it;
  ///   no attribute of anything that they know names an entity of the resource's type.
  public func settled(by known: KnownPart, _ entities: any EntitySource) -> PolicySet {
    var evaluator = Evaluator(known.request, entities)
    return PolicySet(policies.compactMap { evaluator.settled($0, known) })
  }
}

extension Policy {
  /// Whether it applies whatever the request.
  public var isUnconditional: Bool {
    principal == .any && action == .any && resource == .any && conditions.isEmpty
  }
}

extension Evaluator {
  /// - Returns: `nil` for a rule that does not apply.
  fileprivate mutating func settled(_ policy: Policy, _ known: KnownPart) -> Policy? {
    guard concernsRequester(policy) else { return nil }
    var settled = policy
    (settled.principal, settled.action) = (.any, .any)
    let type = known.request.resource.type
    var scope = policy
    scope.conditions = []
    if scope.sight(of: type) <= known.resource {
      guard concernsResource(policy) else { return nil }
      settled.resource = .any
    }
    settled.conditions = []
    for condition in policy.conditions.flatMap(\.parts) {
      guard isKnown(condition.expression, known) else {
        settled.conditions.append(condition)
        continue
      }
      guard let holds = try? bool(condition.expression), holds == condition.isRequired else { return nil }
    }
    return settled
  }

  private func isKnown(_ expression: Expression, _ known: KnownPart) -> Bool {
    expression.sight(of: known.request.resource.type) <= known.resource
      && !known.open.contains { expression.asksContext(for: $0) }
  }
}

extension Policy.Condition {
  /// The conditions that all have to hold for it to hold: where one does not, or fails, the rule does not apply.
  fileprivate var parts: [Policy.Condition] {
    switch (isRequired, expression) {
    case (true, .all(let parts)), (false, .any(let parts)):
      parts.flatMap { Policy.Condition(isRequired: isRequired, expression: $0).parts }
    default: [self]
    }
  }
}
