/// An instant, in microseconds since 1970-01-01T00:00:00Z (proleptic Gregorian calendar, no leap seconds).
///
/// Text form: ISO 8601 as ETSI GS CIM 009 clause 4.6.3 profiles it, UTC with a trailing `Z`. A numeric offset or a
/// comma before the fraction is read, and written back as UTC with a point. Fraction digits beyond the sixth are cut; up
/// to there a text keeps as many as it came with (`…:00.000Z` stays so).
public struct DateTime: Sendable, Hashable, Comparable {
  public var microseconds: Int64
  /// Fraction digits that the text had; no part of equality.
  private var fractionDigits: UInt8 = 0

  public init(microseconds: Int64) { self.microseconds = microseconds }

  /// Out-of-range seconds become the nearest instant there is.
  public init(secondsSince1970 seconds: Double) { microseconds = Self.microseconds(seconds) }

  private static func microseconds(_ seconds: Double) -> Int64 {
    let scaled = (seconds * 1_000_000).rounded()
    if let exact = Int64(exactly: scaled) { return exact }
    return scaled < 0 ? .min : .max
  }

  public static func == (left: DateTime, right: DateTime) -> Bool { left.microseconds == right.microseconds }

  public func hash(into hasher: inout Hasher) { hasher.combine(microseconds) }

  public var secondsSince1970: Double { Double(microseconds) / 1_000_000 }

  public static func < (left: DateTime, right: DateTime) -> Bool { left.microseconds < right.microseconds }

  public func adding(seconds: Double) -> DateTime {
    let (sum, overflow) = microseconds.addingReportingOverflow(Self.microseconds(seconds))
    return DateTime(microseconds: overflow ? (seconds < 0 ? .min : .max) : sum)
  }
}

// MARK: - Calendar

extension DateTime {
  /// Days from 1970-01-01 of a civil date (Howard Hinnant, "chrono-compatible low-level date algorithms").
  public static func days(year: Int, month: Int, day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The civil date of a day number; the inverse of ``days(year:month:day:)``.
  public static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  public static func daysInMonth(_ month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// `nil` when a field is out of its range (hour 24 included).
  public init?(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0) {
    guard (1...12).contains(month), (1...Self.daysInMonth(month, year: year)).contains(day),
      (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second),
      (0...999_999).contains(microsecond)
    else { return nil }
    let seconds = Self.days(year: year, month: month, day: day) * 86400 + hour * 3600 + minute * 60 + second
    microseconds = Int64(seconds) * 1_000_000 + Int64(microsecond)
  }
}

// MARK: - Text

extension DateTime {
  /// Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`; `nil` for anything else.
  public init?(_ text: String) {
    var text = text
    let parsed: DateTime? = text.withUTF8 { DateTime(utf8: $0) }
    guard let parsed else { return nil }
    self = parsed
  }

  init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
    guard bytes.count >= 20, bytes.count <= 40 else { return nil }
    func number(_ from: Int, _ count: Int) -> Int? {
      var value = 0
      for offset in from..<from + count {
        let digit = bytes[offset] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        value = value * 10 + Int(digit)
      }
      return value
    }
    guard bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"),
      bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
      let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
      let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2)
    else { return nil }
    var position = 19
    var fraction = 0
    var shownDigits = 0
    if bytes[position] == UInt8(ascii: ".") || bytes[position] == UInt8(ascii: ",") {
      position += 1
      var digits = 0
      while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10 {
        if digits < 6 { fraction = fraction * 10 + Int(digit) }
        digits += 1
        position += 1
      }
      guard digits > 0 else { return nil }
      shownDigits = min(digits, 6)
      for _ in shownDigits..<6 { fraction *= 10 }
    }
    guard position < bytes.count,
      let civil = DateTime(
        year: year, month: month, day: day, hour: hour, minute: minute, second: second, microsecond: fraction)
    else { return nil }
    switch bytes[position] {
    case UInt8(ascii: "Z"):
      guard position + 1 == bytes.count else { return nil }
      self = civil
    case UInt8(ascii: "+"), UInt8(ascii: "-"):
      guard position + 6 == bytes.count, bytes[position + 3] == UInt8(ascii: ":"),
        let offsetHours = number(position + 1, 2), let offsetMinutes = number(position + 4, 2),
        offsetHours <= 23, offsetMinutes <= 59
      else { return nil }
      let offset = Int64(offsetHours * 3600 + offsetMinutes * 60) * 1_000_000
      microseconds =
        bytes[position] == UInt8(ascii: "+") ? civil.microseconds - offset : civil.microseconds + offset
    default: return nil
    }
    fractionDigits = UInt8(shownDigits)
  }
}

extension DateTime: CustomStringConvertible {
  /// `2026-11-22T09:30:00Z`, with three or six fraction digits where they are not zero, or as many as were read.
  public var description: String {
    String(unsafeUninitializedCapacity: Self.textCapacity) { buffer in write(to: buffer) }
  }

  /// Whether the texts are equal, and not only the instants.
  func hasSameText(as other: DateTime) -> Bool {
    microseconds == other.microseconds && fractionDigits == other.fractionDigits
  }

  /// Bytes that every text fits into.
  static let textCapacity = 32

  /// Bytes of a text before the hour.
  static let dateLength = 11
  private static let perDay: Int64 = 86_400_000_000

  /// Days since 1970, and microseconds of that day.
  private var parts: (day: Int, rest: Int) {
    var day = microseconds / Self.perDay
    var rest = microseconds - day * Self.perDay
    if rest < 0 {
      rest += Self.perDay
      day -= 1
    }
    return (Int(day), Int(rest))
  }

  func isOfSameDay(as other: DateTime) -> Bool {
    let begin = microseconds - Int64(parts.rest)
    return begin <= other.microseconds && other.microseconds < begin + Self.perDay
  }

  /// Writes the text as ASCII and says how long it is.
  func write(to buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    let date = Self.civil(days: parts.day)
    let year = max(0, min(9999, date.year))
    Self.putTwo(year / 100, to: buffer, at: 0)
    Self.putTwo(year % 100, to: buffer, at: 2)
    buffer[4] = UInt8(ascii: "-")
    Self.putTwo(date.month, to: buffer, at: 5)
    buffer[7] = UInt8(ascii: "-")
    Self.putTwo(date.day, to: buffer, at: 8)
    buffer[10] = UInt8(ascii: "T")
    return writeClock(to: buffer, at: Self.dateLength)
  }

  /// Writes what stands behind the date and says how long the whole text is.
  func writeClock(to buffer: UnsafeMutableBufferPointer<UInt8>, at begin: Int) -> Int {
    let rest = parts.rest
    let seconds = rest / 1_000_000
    let fraction = rest % 1_000_000
    Self.putTwo(seconds / 3600, to: buffer, at: begin)
    buffer[begin + 2] = UInt8(ascii: ":")
    Self.putTwo(seconds / 60 % 60, to: buffer, at: begin + 3)
    buffer[begin + 5] = UInt8(ascii: ":")
    Self.putTwo(seconds % 60, to: buffer, at: begin + 6)
    var end = begin + 8
    var digits = Int(fractionDigits)
    if digits == 0, fraction != 0 { digits = fraction % 1000 == 0 ? 3 : 6 }
    if digits > 0 {
      buffer[end] = UInt8(ascii: ".")
      end += 1
      var scale = 100_000
      for _ in 0..<digits {
        buffer[end] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: fraction / scale % 10)
        end += 1
        scale /= 10
      }
    }
    buffer[end] = UInt8(ascii: "Z")
    return end + 1
  }

  @inline(__always)
  private static func putTwo(_ value: Int, to buffer: UnsafeMutableBufferPointer<UInt8>, at position: Int) {
    buffer[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10)
    buffer[position + 1] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10)
  }
}
