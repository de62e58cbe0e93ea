/// A rule: who may do what to which things, or must not, and under which conditions.
public struct Policy: Sendable, Hashable {
  public enum Effect: String, Sendable, Hashable {
    case permit, forbid
  }

  /// Which principals or resources a rule is about.
  public enum Scope: Sendable, Hashable {
    case any
    case equal(EntityUID)
    case within(EntityUID)
    case isType(ExactText)
    case isTypeWithin(ExactText, EntityUID)
  }

  /// Which actions a rule is about.
  public enum ActionScope: Sendable, Hashable {
    case any
    case equal(EntityUID)
    case within([EntityUID])
  }

  public struct Condition: Sendable, Hashable {
    /// `when`; otherwise `unless`.
    public var isRequired: Bool
    public var expression: Expression
  }

  /// Name that decisions tell.
  public var id: String
  public var effect: Effect
  public var annotations: [String: String] = [:]
  public var principal: Scope
  public var action: ActionScope
  public var resource: Scope
  public var conditions: [Condition]
}

/// What is wrong with the text of rules.
public struct PolicySyntaxError: Error, Sendable, Hashable {
  /// From 1.
  public var line: Int
  /// In characters, from 1.
  public var column: Int
  public var problem: String
}
