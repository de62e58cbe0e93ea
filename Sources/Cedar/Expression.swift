/// What stands in a condition of a rule.
public indirect enum Expression: Sendable, Hashable {
  public enum Variable: String, Sendable, Hashable {
    case principal, action, resource, context
  }

  public enum Comparison: Sendable, Hashable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, within
  }

  public enum Arithmetic: Sendable, Hashable {
    case add, subtract, multiply
  }

  case value(Value)
  case variable(Variable)
  /// All of two or more, in order, up to the first that does not hold.
  case all([Expression])
  /// One of two or more, in order, up to the first that holds.
  case any([Expression])
  case not(Expression)
  case negate(Expression)
  case choice(if: Expression, then: Expression, else: Expression)
  case compare(Comparison, Expression, Expression)
  case arithmetic(Arithmetic, Expression, Expression)
  case has(Expression, ExactText)
  case member(Expression, ExactText)
  case like(Expression, Wildcards)
  case isType(Expression, ExactText, within: Expression?)
  case set([Expression])
  case record([RecordMember])
  case function(Function, Expression)
  case method(Method, Expression, [Expression])

  /// What makes a value of a text.
  public enum Function: String, Sendable, Hashable {
    case decimal, ip, datetime, duration
  }

  public enum Method: String, Sendable, Hashable, CaseIterable {
    case contains, containsAll, containsAny, isEmpty, getTag, hasTag
    case lessThan, lessThanOrEqual, greaterThan, greaterThanOrEqual
    case isIpv4, isIpv6, isLoopback, isMulticast, isInRange
    case offset, durationSince, toDate, toTime
    case toMilliseconds, toSeconds, toMinutes, toHours, toDays

    /// Arguments that it takes.
    var count: Int {
      switch self {
      case .isEmpty, .isIpv4, .isIpv6, .isLoopback, .isMulticast, .toDate, .toTime, .toMilliseconds, .toSeconds,
        .toMinutes, .toHours, .toDays:
        0
      default: 1
      }
    }
  }
}

/// One member of a record that is written out.
public struct RecordMember: Sendable, Hashable {
  public var name: ExactText
  public var expression: Expression
}
