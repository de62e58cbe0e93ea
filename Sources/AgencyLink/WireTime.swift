import NGSI

/// Times on the wire: digits only, in Korean time (UTC+9, without summer time since 1988).
public enum WireTime {
  private static let offset: Int64 = 9 * 3_600 * 1_000_000

  /// - Parameter text: `yyyyMMddHHmmss`, 14 digits, or 17 with milliseconds.
  public static func time(_ text: String) -> DateTime? {
    let digits = text.utf8.map { Int($0) - 48 }
    guard digits.count == 14 || digits.count == 17, digits.allSatisfy({ (0...9).contains($0) }) else { return nil }
    func number(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + $1 } }
    guard number(0..<4) > 0, number(8..<10) < 24, number(12..<14) < 60,
      let local = DateTime(
        year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(8..<10), minute: number(10..<12),
        second: number(12..<14), microsecond: digits.count == 17 ? number(14..<17) * 1_000 : 0)
    else { return nil }
    return DateTime(microseconds: local.microseconds - offset)
  }

  /// `yyyyMMddHHmmss`; parts of a second are cut off.
  public static func text(_ time: DateTime) -> String { String(milliseconds(time).prefix(14)) }

  /// `yyyyMMddHHmmssSSS`.
  public static func milliseconds(_ time: DateTime) -> String {
    let (local, isOver) = time.microseconds.addingReportingOverflow(offset)
    let total = floored(isOver ? time.microseconds : local, by: 1_000)
    let days = floored(total.quotient, by: 86_400_000)
    let date = DateTime.civil(days: Int(days.quotient))
    let rest = Int(days.remainder)
    return padded(date.year, 4) + padded(date.month, 2) + padded(date.day, 2) + padded(rest / 3_600_000, 2)
      + padded(rest / 60_000 % 60, 2) + padded(rest / 1_000 % 60, 2) + padded(rest % 1_000, 3)
  }

  /// The day in Korea: `yyyyMMdd`.
  public static func day(_ time: DateTime) -> String { String(milliseconds(time).prefix(8)) }

  private static func floored(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func padded(_ value: Int, _ width: Int) -> String {
    let text = String(max(0, value))
    return String(repeating: "0", count: max(0, width - text.count)) + text.suffix(width)
  }
}

/// Gives occurrences their numbers (`ocrNbr`): the time in milliseconds, and never the same twice, nor one before the
/// last, whatever the clock does. The published module has one number for all of one millisecond.
public struct OccurrenceNumbers: Sendable, Hashable {
  /// Kept by the caller over restarts.
  public private(set) var last: DateTime?

  public init(after last: DateTime? = nil) { self.last = last }

  public mutating func next(at time: DateTime) -> String {
    let step = DateTime(microseconds: time.microseconds - time.microseconds % 1_000)
    let number = if let last, step <= last { last.adding(seconds: 0.001) } else { step }
    last = number
    return WireTime.milliseconds(number)
  }
}
