import NGSI
import Patterns

/// A condition with its patterns compiled and its times read, applied to values (clause 4.9).
struct PreparedCondition: Sendable {
  private enum Check: Sendable {
    case exists
    case absent
    case compare(Comparison, PreparedOperand)
    case anyOf([PreparedOperand])
    case within(PreparedOperand, PreparedOperand)
    case pattern(Pattern)
  }

  private let check: Check
  /// Whether the condition says that the value is *not* so.
  private let negated: Bool

  init(_ condition: Condition) throws(Problem) {
    switch condition {
    case .exists: (check, negated) = (.exists, false)
    case .absent: (check, negated) = (.absent, true)
    case .compare(.unequal, let operand): (check, negated) = (.compare(.equal, PreparedOperand(operand)), true)
    case .compare(let comparison, let operand):
      (check, negated) = (.compare(comparison, PreparedOperand(operand)), false)
    case .anyOf(let operands, let negated):
      (check, self.negated) = (.anyOf(operands.map(PreparedOperand.init)), negated)
    case .within(let low, let high, let negated):
      (check, self.negated) = (.within(PreparedOperand(low), PreparedOperand(high)), negated)
    case .pattern(let text, let negated): (check, self.negated) = (.pattern(try Pattern.cached(text)), negated)
    }
  }

  private init(_ check: Check) { (self.check, negated) = (check, false) }

  static let existence = PreparedCondition(Check.exists)

  var isAbsence: Bool { if case .absent = check { true } else { false } }

  /// Relationships know equality and existence only (clause 4.9).
  var fitsRelationship: Bool {
    switch check {
    case .exists, .anyOf, .within, .compare(.equal, _): true
    case .absent, .compare, .pattern: false
    }
  }

  /// Whether a target value meets the condition. The members of an array are looked at for equality only.
  func holds(for json: JSON) throws(Problem) -> Bool {
    if case .exists = check { return true }
    guard case .array(let items) = json else { return try holds(forScalar: json) }
    switch check {
    case .compare(.equal, _), .anyOf:
      for item in items where try positive(item.plainValue) { return !negated }
      return negated
    // An array is no value of the kind of the bounds: unequal.
    case .within: return negated
    default: return false
    }
  }

  /// Whether the texts of a language map meet the condition: any of them, or, where it is negated, none.
  func holds(forAnyOf texts: [JSON]) throws(Problem) -> Bool {
    guard !texts.isEmpty else { return false }
    if case .exists = check { return true }
    for text in texts where try positive(text) { return !negated }
    return negated
  }

  func holds(for time: DateTime) -> Bool {
    switch check {
    case .exists: true
    case .absent, .pattern: false
    case .compare(let comparison, let operand): operand.order(of: time).map(comparison.accepts) ?? false != negated
    case .anyOf(let operands): operands.contains { $0.order(of: time) == 0 } != negated
    case .within(let low, let high):
      ((low.order(of: time) ?? -1) >= 0 && (high.order(of: time) ?? 1) <= 0) != negated
    }
  }

  private func holds(forScalar json: JSON) throws(Problem) -> Bool {
    if case .pattern = check, json.string == nil { return false }
    return try positive(json) != negated
  }

  private func positive(_ json: JSON) throws(Problem) -> Bool {
    switch check {
    case .exists: return true
    case .absent: return false
    case .compare(.equal, let operand): return operand.equals(json)
    case .compare(let comparison, let operand): return operand.order(of: json).map(comparison.accepts) ?? false
    case .anyOf(let operands): return operands.contains { $0.equals(json) }
    case .within(let low, let high):
      guard let atLow = low.order(of: json), let atHigh = high.order(of: json) else { return false }
      return atLow >= 0 && atHigh <= 0
    case .pattern(let pattern):
      guard case .string(let text) = json else { return false }
      return try pattern.matches(text)
    }
  }
}

extension Comparison {
  /// Whether it accepts a value that stands in this order to the operand (below zero: less).
  func accepts(_ order: Int) -> Bool {
    switch self {
    case .equal: order == 0
    case .unequal: order != 0
    case .greater: order > 0
    case .greaterOrEqual: order >= 0
    case .less: order < 0
    case .lessOrEqual: order <= 0
    }
  }
}

/// The right-hand side, with texts read as the times they may be.
struct PreparedOperand: Sendable {
  private enum Value: Sendable {
    case number(Double)
    case text(String)
    case bool(Bool)
    case dateTime
    case date(String)
    /// Microseconds since midnight.
    case time(Int64)
    case uri(String)
  }

  private let value: Value
  /// What it is beside a temporal member such as `observedAt`; a quoted time counts there.
  private let instant: DateTime?

  init(_ operand: Operand) {
    switch operand {
    case .number(let number): (value, instant) = (.number(number), nil)
    case .text(let text): (value, instant) = (.text(text), DateTime(text))
    case .bool(let flag): (value, instant) = (.bool(flag), nil)
    case .dateTime(let time): (value, instant) = (.dateTime, time)
    case .date(let text): (value, instant) = (.date(text), nil)
    case .time(let text): (value, instant) = (.time(Clock.microseconds(text) ?? 0), nil)
    case .uri(let text): (value, instant) = (.uri(text), nil)
    }
  }

  func equals(_ json: JSON) -> Bool {
    switch (value, json) {
    case (.bool(let flag), .bool(let found)): flag == found
    case (.uri(let uri), .string(let found)): TextOrder.equal(uri, found)
    case (.text(let text), .string(let found)): TextOrder.equal(text, found)
    default: order(of: json) == 0
    }
  }

  /// How a value stands to the operand: below zero when it is less; `nil` when they are of different kinds.
  func order(of json: JSON) -> Int? {
    switch value {
    case .number(let number):
      guard let found = json.number else { return nil }
      return found < number ? -1 : found > number ? 1 : found == number ? 0 : nil
    case .text(let text):
      guard case .string(let found) = json else { return nil }
      return TextOrder.compare(found, text)
    case .bool, .uri: return nil
    case .dateTime:
      guard case .string(let found) = json, let time = DateTime(found) else { return nil }
      return order(of: time)
    case .date(let date):
      guard case .string(let found) = json, Clock.isDate(found) else { return nil }
      return TextOrder.compare(found, date)
    case .time(let microseconds):
      guard case .string(let text) = json, let found = Clock.microseconds(text) else { return nil }
      return found < microseconds ? -1 : found > microseconds ? 1 : 0
    }
  }

  func order(of time: DateTime) -> Int? {
    guard let instant else { return nil }
    return time < instant ? -1 : time == instant ? 0 : 1
  }
}
