import NGSI

/// Aggregation of the instances of an attribute over periods (ETSI GS CIM 009 clause 4.5.19).
public struct Aggregation: Sendable, Hashable {
  public enum Method: String, Sendable, Hashable, CaseIterable {
    case totalCount
    case distinctCount
    case sum
    case avg
    case min
    case max
    case stddev
    case sumsq
  }

  public var methods: [Method]
  public var period: Period

  /// - Parameters:
  ///   - methods: names of `aggrMethods`.
  ///   - period: ISO 8601 duration of `aggrPeriodDuration`; nothing or a zero duration is one period over all.
  public init(methods: [String], period: String?) throws(Problem) {
    var parsed: [Method] = []
    for name in methods {
      guard let method = Method(rawValue: name) else {
        throw .badRequest(
          "'aggrMethods' has '\(name)'; known are \(Method.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      if !parsed.contains(method) { parsed.append(method) }
    }
    guard !parsed.isEmpty else { throw .badRequest("'aggrMethods' names no method") }
    self.methods = parsed
    self.period = try Period(period ?? "PT0S")
  }

  /// A span of the calendar or of time.
  public struct Period: Sendable, Hashable {
    public var months: Int
    public var microseconds: Int64

    /// Reads an ISO 8601 duration: `P[n]Y[n]M[n]W[n]DT[n]H[n]M[n]S`.
    public init(_ text: String) throws(Problem) {
      months = 0
      microseconds = 0
      let failure = Problem.badRequest("'\(text.prefix(40))' is no ISO 8601 duration such as PT1H or P1M")
      var rest = text[...]
      guard rest.popFirst() == "P", !rest.isEmpty, text.utf8.count <= 40 else { throw failure }
      var inTime = false
      var parts = 0
      while let first = rest.first {
        if first == "T" {
          guard !inTime else { throw failure }
          inTime = true
          rest = rest.dropFirst()
          guard !rest.isEmpty else { throw failure }
          continue
        }
        let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        rest = rest.dropFirst(digits.count)
        guard let unit = rest.popFirst(), let amount = Double(digits), amount <= 1e9 else { throw failure }
        parts += 1
        switch (unit, inTime) {
        case ("Y", false): months += Int(amount) * 12
        case ("M", false): months += Int(amount)
        case ("W", false): microseconds += Int64(amount * 604_800_000_000)
        case ("D", false): microseconds += Int64(amount * 86_400_000_000)
        case ("H", true): microseconds += Int64(amount * 3_600_000_000)
        case ("M", true): microseconds += Int64(amount * 60_000_000)
        case ("S", true): microseconds += Int64(amount * 1_000_000)
        default: throw failure
        }
      }
      guard parts > 0 else { throw failure }
    }

    public var isZero: Bool { months == 0 && microseconds == 0 }

    /// The end of the period that starts then; whole months keep the day where the month has it.
    public func end(from start: DateTime) -> DateTime {
      guard months > 0 else { return DateTime(microseconds: start.microseconds &+ microseconds) }
      let day = Int64(86_400_000_000)
      let days = Int((start.microseconds - ((start.microseconds % day) + day) % day) / day)
      let rest = start.microseconds - Int64(days) * day
      let civil = DateTime.civil(days: days)
      let month = civil.year * 12 + civil.month - 1 + months
      let (year, monthOfYear) = (month / 12, month % 12 + 1)
      let dayOfMonth = Swift.min(civil.day, DateTime.daysInMonth(monthOfYear, year: year))
      let moved = DateTime.days(year: year, month: monthOfYear, day: dayOfMonth)
      return DateTime(microseconds: Int64(moved) * day + rest + microseconds)
    }
  }
}

/// The result of one method over one period.
public struct AggregatedValue: Sendable, Hashable {
  public var value: JSON
  public var from: DateTime
  public var to: DateTime
}

extension Aggregation {
  /// Most periods that one attribute may be cut into.
  public static let maxPeriods = 100_000

  /// Aggregates instances with their times.
  ///
  /// - Parameters:
  ///   - instances: times and values, any order.
  ///   - from: start of the first period; the earliest time when the query names none.
  ///   - to: end of the last period; the latest time when the query names none.
  /// - Returns: for each method the periods that hold at least one value it can take.
  public func aggregate(_ instances: [(time: DateTime, value: JSON)], from: DateTime?, to: DateTime?) throws(Problem)
    -> [(method: Method, values: [AggregatedValue])]
  {
    let sorted = instances.sorted { $0.time < $1.time }
    guard let first = sorted.first, let last = sorted.last else { return methods.map { ($0, []) } }
    let start = from ?? first.time
    let end = to ?? last.time
    var columns = methods.map { ($0, [AggregatedValue]()) }
    var position = sorted.firstIndex { $0.time >= start } ?? sorted.count
    var periodStart = start
    var index = 0
    while position < sorted.count {
      let periodEnd = period.isZero ? end : try nth(index + 1, from: start)
      guard period.isZero || sorted[position].time < periodEnd else {
        index += 1
        guard index <= Self.maxPeriods else {
          throw Problem(.tooComplexQuery, "the period cuts the range into more than \(Self.maxPeriods) pieces")
        }
        periodStart = periodEnd
        continue
      }
      var stop = position
      while stop < sorted.count, period.isZero || sorted[stop].time < periodEnd { stop += 1 }
      let values = sorted[position..<stop].map(\.value)
      for column in columns.indices {
        guard let value = columns[column].0.result(over: values) else { continue }
        columns[column].1.append(AggregatedValue(value: value, from: periodStart, to: periodEnd))
      }
      position = stop
    }
    return columns.map { ($0.0, $0.1) }
  }

  private func nth(_ count: Int, from start: DateTime) throws(Problem) -> DateTime {
    if period.months == 0 { return DateTime(microseconds: start.microseconds &+ Int64(count) &* period.microseconds) }
    var scaled = period
    scaled.months *= count
    scaled.microseconds *= Int64(count)
    return scaled.end(from: start)
  }
}

extension Aggregation.Method {
  /// The method's result over the values it applies to (table 4.5.19.1-1); `nil` when it applies to none.
  ///
  /// Numbers count as they are, booleans as 0 and 1, arrays by their length; texts have a count, a minimum and a
  /// maximum.
  func result(over values: [JSON]) -> JSON? {
    switch self {
    case .totalCount: return .integer(Int64(values.count))
    case .distinctCount: return .integer(Int64(Set(values).count))
    default: break
    }
    let numbers = values.compactMap(\.magnitude)
    guard !numbers.isEmpty else {
      let texts = values.compactMap(\.string)
      switch self {
      case .min: return texts.min().map { .string($0) }
      case .max: return texts.max().map { .string($0) }
      default: return nil
      }
    }
    let count = Double(numbers.count)
    switch self {
    case .sum: return .exact(numbers.reduce(0, +))
    case .avg: return .exact(numbers.reduce(0, +) / count)
    case .min: return numbers.min().map { .exact($0) }
    case .max: return numbers.max().map { .exact($0) }
    case .sumsq: return .exact(numbers.reduce(0) { $0 + $1 * $1 })
    case .stddev:
      // Population standard deviation in two passes, so that large means lose no digits.
      let mean = numbers.reduce(0, +) / count
      return .exact((numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot())
    case .totalCount, .distinctCount: return nil
    }
  }
}

extension JSON {
  fileprivate var magnitude: Double? {
    switch self {
    case .bool(let flag): flag ? 1 : 0
    case .array(let items): Double(items.count)
    default: number
    }
  }

  fileprivate static func exact(_ number: Double) -> JSON {
    number == number.rounded() && abs(number) < 1e15 ? .integer(Int64(number)) : .double(number)
  }
}
