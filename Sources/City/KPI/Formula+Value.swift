/// Why a formula has no value.
public enum FormulaGap: Hashable, Sendable {
  /// No entity of the type has a value for it that the formula can use.
  case noValue(Formula.Reading)
  /// The manifest does not state it.
  case noFact(Formula.Fact)
  case divisionByZero
  /// The result is too large to be held.
  case overflow
}

/// Everything that a formula lacks, each once, in the order of the formula.
public struct FormulaGaps: Error, Hashable, Sendable {
  public var gaps: [FormulaGap]
}

extension Formula {
  /// Computes the formula.
  ///
  /// - `mean`, `sum`, `min`, `max`, `median`, `percentile` and `share` of no value are a gap, and so is a `count` with a
  ///   comparison when there is nothing to compare; a plain `count` of nothing is 0.
  /// - `percentile` interpolates between the two nearest values (Hyndman and Fan 1996, definition 7, as numpy and
  ///   spreadsheets do); `median` is the 50th.
  /// - Values of another kind than the formula reads (a word where numbers are averaged) count as none.
  ///
  /// - Throws: ``FormulaGaps``.
  public func value(of data: FormulaData) throws(FormulaGaps) -> Double { try outcome(data).get() }

  private typealias Outcome = Result<Double, FormulaGaps>

  private func outcome(_ data: FormulaData) -> Outcome {
    switch self {
    case .number(let number): return .success(number)
    case .fact(let fact): return data.facts[fact].map { .success($0) } ?? .gap(.noFact(fact))
    case .negative(let formula): return formula.outcome(data).map { -$0 }
    case .figure(let function, let reading, let comparison, let percentage):
      let figure = Figure(function: function, reading: reading, comparison: comparison, percentage: percentage)
      return figure.value(of: data).map { .finite($0) } ?? .gap(.noValue(reading))
    case .joined:
      // A long sum leans to the left: walked down in a loop, as deep as it is long.
      var rest: [(Operation, Formula)] = []
      var first = self
      while case .joined(let left, let operation, let right) = first {
        rest.append((operation, right))
        first = left
      }
      return rest.reversed().reduce(first.outcome(data)) { left, next in
        Self.join(left, next.0, next.1.outcome(data))
      }
    }
  }

  private static func join(_ left: Outcome, _ operation: Operation, _ right: Outcome) -> Outcome {
    switch (left, right) {
    case (.success(let left), .success(let right)):
      switch operation {
      case .add: return .finite(left + right)
      case .subtract: return .finite(left - right)
      case .multiply: return .finite(left * right)
      case .divide: return right == 0 ? .gap(.divisionByZero) : .finite(left / right)
      }
    case (.failure(let one), .failure(let other)):
      return .failure(FormulaGaps(gaps: one.gaps + other.gaps.filter { !one.gaps.contains($0) }))
    case (.failure(let gaps), _), (_, .failure(let gaps)): return .failure(gaps)
    }
  }
}

extension Result<Double, FormulaGaps> {
  fileprivate static func gap(_ gap: FormulaGap) -> Self { .failure(FormulaGaps(gaps: [gap])) }

  fileprivate static func finite(_ number: Double) -> Self { number.isFinite ? .success(number) : .gap(.overflow) }
}

/// One figure over the values of a reading.
private struct Figure {
  let function: Formula.Function
  let reading: Formula.Reading
  let comparison: Formula.Comparison?
  let percentage: Double?

  /// `nil` when there is no value to compute it from.
  func value(of data: FormulaData) -> Double? {
    if function == .count, comparison == nil {
      return Double(reading.attribute == nil ? data.counts[reading.type] ?? 0 : data.values[reading]?.count ?? 0)
    }
    let values = data.values[reading] ?? []
    if let comparison {
      let judged = values.compactMap(comparison.holds)
      guard !judged.isEmpty else { return nil }
      let count = Double(judged.count { $0 })
      return function == .share ? count / Double(judged.count) : count
    }
    let numbers = values.compactMap(\.number)
    guard !numbers.isEmpty else { return nil }
    switch function {
    case .mean: return numbers.total / Double(numbers.count)
    case .sum: return numbers.total
    case .min: return numbers.min()
    case .max: return numbers.max()
    case .median: return numbers.sorted().percentile(50)
    case .percentile: return percentage.map(numbers.sorted().percentile)
    case .count, .share: return nil
    }
  }
}

extension Formula.Value {
  fileprivate var number: Double? {
    guard case .number(let number) = self else { return nil }
    return number
  }
}

extension Formula.Comparison {
  /// `nil` for a value of another kind.
  fileprivate func holds(_ other: Formula.Value) -> Bool? {
    switch (other, value) {
    case (.word(let one), .word(let other)): return one == other
    case (.number(let one), .number(let other)):
      switch sign {
      case .less: return one < other
      case .atMost: return one <= other
      case .more: return one > other
      case .atLeast: return one >= other
      case .equal: return one == other
      }
    default: return nil
    }
  }
}

extension [Double] {
  /// The sum with what its steps round away added again at the end (Neumaier 1974).
  fileprivate var total: Double {
    var sum = 0.0
    var lost = 0.0
    for number in self {
      let next = sum + number
      lost += abs(sum) >= abs(number) ? (sum - next) + number : (number - next) + sum
      sum = next
    }
    return sum.isFinite ? sum + lost : sum
  }

  /// Of sorted numbers, at least one.
  fileprivate func percentile(_ percentage: Double) -> Double {
    let place = Double(count - 1) * percentage / 100
    let below = Int(place)
    guard below + 1 < count else { return self[count - 1] }
    return self[below] + (place - Double(below)) * (self[below + 1] - self[below])
  }
}
