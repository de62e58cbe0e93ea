/// How a KPI is computed: figures over the readings of a type, numbers and facts of the plan, joined by + - * / and ().
///
/// ```
/// formula    = term { ("+" | "-") term }
/// term       = factor { ("*" | "/") factor }
/// factor     = "-" factor | "(" formula ")" | number | fact | figure
/// figure     = ("mean" | "sum" | "min" | "max" | "median") "(" reading ")"
///            | "percentile" "(" reading "," number ")"
///            | ("count" | "share") "(" ( type | reading [ comparison ] ) ")"
/// reading    = type "." attribute
/// comparison = ("<" | "<=" | ">" | ">=" | "=") ( number | word )
/// ```
public indirect enum Formula: Sendable, Hashable {
  /// What is made of one value for each entity of a type.
  public enum Function: String, Sendable, Hashable, CaseIterable {
    case mean, sum, min, max, median
    /// The value below which a percentage (0 to 100) of the values lies.
    case percentile
    /// How many entities there are, or for how many the comparison holds.
    case count
    /// For what share of the entities (0 to 1) the comparison holds.
    case share
  }

  /// An attribute of the entities of a type; without one, the entities themselves.
  public struct Reading: Sendable, Hashable {
    public var type: String
    public var attribute: String?
  }

  public enum Sign: String, Sendable, Hashable, CaseIterable {
    case less = "<"
    case atMost = "<="
    case more = ">"
    case atLeast = ">="
    case equal = "="
  }

  public enum Value: Sendable, Hashable {
    case number(Double)
    case word(String)
  }

  public struct Comparison: Sendable, Hashable {
    public var sign: Sign
    public var value: Value
  }

  public enum Operation: String, Sendable, Hashable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
  }

  /// A number that the manifest states.
  public enum Fact: String, Sendable, Hashable, CaseIterable {
    case people, homes, visitors
    /// Of the site, km².
    case area
  }

  case number(Double)
  case fact(Fact)
  case figure(Function, Reading, Comparison?, percentage: Double?)
  case negative(Formula)
  case joined(Formula, Operation, Formula)

  /// All figures in it, in their order.
  public var figures: [(function: Function, reading: Reading, comparison: Comparison?)] {
    switch self {
    case .number, .fact: []
    case .figure(let function, let reading, let comparison, _): [(function, reading, comparison)]
    case .negative(let formula): formula.figures
    case .joined(let left, _, let right): left.figures + right.figures
    }
  }

  /// All facts in it, in their order.
  public var facts: [Fact] {
    switch self {
    case .fact(let fact): [fact]
    case .number, .figure: []
    case .negative(let formula): formula.facts
    case .joined(let left, _, let right): left.facts + right.facts
    }
  }
}

/// Why a text is no formula.
public struct FormulaProblem: Error, Sendable, Hashable {
  /// Character at which it stands, from 1.
  public var column: Int
  public var found: String
  public var expected: String
}
