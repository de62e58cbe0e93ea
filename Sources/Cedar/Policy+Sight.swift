/// What a rule looks at of a resource, beside what its request says.
public enum ResourceSight: Int, Sendable, Hashable, Comparable {
  /// Nothing: it says the same of every resource.
  case nothing
  /// Its type and the groups that it is in.
  case groups
  /// Its name, attributes or tags.
  case content

  public static func < (left: ResourceSight, right: ResourceSight) -> Bool { left.rawValue < right.rawValue }
}

extension Policy {
  /// What the rule looks at of a resource.
  public var sight: ResourceSight {
    let scope: ResourceSight =
      switch resource {
      case .any: .nothing
      case .within, .isType, .isTypeWithin: .groups
      case .equal: .content
      }
    return conditions.reduce(scope) { max($0, $1.expression.sight) }
  }

  /// Whether a condition looks at a member of the context.
  public func asksContext(for name: ExactText) -> Bool { conditions.contains { $0.expression.asksContext(for: name) } }
}

extension Policy {
  /// Whether it names a thing or a group of this type.
  public func names(type: ExactText) -> Bool {
    let scoped: Bool =
      switch resource {
      case .any: false
      case .equal(let uid), .within(let uid): uid.type == type
      case .isType(let one): one == type
      case .isTypeWithin(let one, let uid): one == type || uid.type == type
      }
    return scoped || conditions.contains { $0.expression.names(type) }
  }
}

extension Expression {
  fileprivate func names(_ type: ExactText) -> Bool {
    switch self {
    case .value(let value): value.names(type)
    case .isType(let part, let one, let group): one == type || part.names(type) || group?.names(type) ?? false
    default: parts.contains { $0.names(type) }
    }
  }

  /// The expressions that it is made of.
  fileprivate var parts: [Expression] {
    switch self {
    case .value, .variable: []
    case .all(let parts), .any(let parts), .set(let parts): parts
    case .not(let part), .negate(let part), .member(let part, _), .has(let part, _), .like(let part, _),
      .function(_, let part):
      [part]
    case .choice(let condition, let yes, let no): [condition, yes, no]
    case .compare(_, let left, let right), .arithmetic(_, let left, let right): [left, right]
    case .isType(let part, _, let group): [part] + (group.map { [$0] } ?? [])
    case .record(let members): members.map(\.expression)
    case .method(_, let holder, let arguments): [holder] + arguments
    }
  }

  fileprivate var sight: ResourceSight {
    switch self {
    case .variable(.resource): return .content
    case .isType(.variable(.resource), _, let group): return max(.groups, group?.sight ?? .nothing)
    case .compare(.within, .variable(.resource), let group): return max(.groups, group.sight)
    default: return parts.reduce(.nothing) { max($0, $1.sight) }
    }
  }

  fileprivate func asksContext(for name: ExactText) -> Bool {
    switch self {
    case .member(.variable(.context), let member), .has(.variable(.context), let member): member == name
    case .variable(.context): true
    default: parts.contains { $0.asksContext(for: name) }
    }
  }
}

extension Value {
  fileprivate func names(_ type: ExactText) -> Bool {
    switch self {
    case .entity(let uid): uid.type == type
    case .set(let values): values.contains { $0.names(type) }
    case .record(let members): members.values.contains { $0.names(type) }
    default: false
    }
  }
}

extension PolicySet {
  /// The rules that may say something of a request by this principal for this action, whatever its resource.
  public func narrowed(to principal: EntityUID, _ action: EntityUID, _ entities: any EntitySource) -> PolicySet {
    var evaluator = Evaluator(
      AccessRequest(principal: principal, action: action, resource: EntityUID("", "")), entities)
    return PolicySet(policies.filter { evaluator.concernsRequester($0) })
  }

  /// The names of the rules with an annotation, by what it says.
  public func annotated(_ name: String) -> [String: String] {
    Dictionary(policies.compactMap { policy in policy.annotations[name].map { (policy.id, $0) } }) { first, _ in first }
  }
}
