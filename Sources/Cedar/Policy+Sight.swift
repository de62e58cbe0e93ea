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
  /// What the rule looks at of a resource of a type.
  public func sight(of type: ExactText) -> ResourceSight {
    let scope: ResourceSight =
      switch resource {
      case .any: .nothing
      case .isType: .groups
      case .within(let group), .isTypeWithin(_, let group): group.type == type ? .content : .groups
      case .equal: .content
      }
    return conditions.reduce(scope) { max($0, $1.expression.sight(of: type)) }
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
  func names(_ type: ExactText) -> Bool {
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

  /// What it looks at of a resource of a type. Who is named might be the resource, and a group that is found out might be
  /// it as well.
  func sight(of type: ExactText) -> ResourceSight {
    switch self {
    case .value(let value): value.names(type) ? .content : .nothing
    case .variable(.resource): .content
    case .isType(.variable(.resource), _, let group): max(.groups, group?.sightAsGroup(of: type) ?? .nothing)
    case .compare(.within, .variable(.resource), let group): max(.groups, group.sightAsGroup(of: type))
    default: parts.reduce(.nothing) { max($0, $1.sight(of: type)) }
    }
  }

  private func sightAsGroup(of type: ExactText) -> ResourceSight {
    switch self {
    case .value: sight(of: type)
    case .set(let members): members.reduce(.nothing) { max($0, $1.sightAsGroup(of: type)) }
    default: .content
    }
  }

  func asksContext(for name: ExactText) -> Bool {
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
  /// The names of the rules with an annotation, by what it says.
  public func annotated(_ name: String) -> [String: String] {
    Dictionary(policies.compactMap { policy in policy.annotations[name].map { (policy.id, $0) } }) { first, _ in first }
  }
}
