import Foundation
import NGSI

/// Times of day and year in five fields, as cron has them: minute, hour, day of the month, month, day of the week.
///
/// A field is `*`, a number, a range `a-b`, either of them in steps (`*/15`, `8-18/2`), or a list of these; months and
/// days of the week may be named by their first three letters, and Sunday is 0 or 7. Where the day of the month and the
/// day of the week are both restricted, either suffices (IEEE 1003.1 `crontab`).
///
/// When clocks change, times that say an hour are kept as a person would: one that is left out is made up for at the end
/// of the gap, one that comes twice counts the first time. Where the hour begins with `*`, the times go by the clock on
/// the wall, in both hours of a doubled one and in none that is left out.
public struct Timetable: Sendable, Hashable {
  private let minutes: Set<Int>
  private let hours: Set<Int>
  private let days: Set<Int>
  private let months: Set<Int>
  private let weekdays: Set<Int>
  /// Whether the hour field begins with `*`.
  private let isHourly: Bool
  /// Whether one of the two fields of days is enough.
  private let takesEitherDay: Bool

  /// What is wrong with a text.
  public struct Flaw: Error, Sendable, Hashable {
    public var reason: String
  }

  public init(_ text: String) throws(Flaw) {
    let fields = text.split(separator: " ", omittingEmptySubsequences: true)
    guard fields.count == 5 else {
      throw Flaw(
        reason: "it has \(fields.count) fields, expected minute, hour, day of the month, month, day of the week")
    }
    minutes = try Self.values(fields[0], "minute", 0...59)
    hours = try Self.values(fields[1], "hour", 0...23)
    days = try Self.values(fields[2], "day of the month", 1...31)
    months = try Self.values(fields[3], "month", 1...12, names: Self.monthNames)
    weekdays = Set(try Self.values(fields[4], "day of the week", 0...7, names: Self.dayNames).map { $0 % 7 })
    isHourly = fields[1].first == "*"
    takesEitherDay = fields[2].first != "*" && fields[4].first != "*"
  }

  private static let monthNames: [Substring] = [
    "", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]
  private static let dayNames: [Substring] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

  private static func values(_ field: Substring, _ name: String, _ range: ClosedRange<Int>, names: [Substring] = [])
    throws(Flaw) -> Set<Int>
  {
    func number(_ text: Substring) throws(Flaw) -> Int {
      if let named = names.firstIndex(of: Substring(text.lowercased())), !text.isEmpty { return named }
      guard text.utf8.count <= 4, text.utf8.allSatisfy({ $0 &- 48 < 10 }), let value = Int(text), range.contains(value)
      else {
        throw Flaw(reason: "the \(name) '\(field.prefix(40))' is not within \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
    var values: Set<Int> = []
    for item in field.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      let ends = parts[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
      var low = range.lowerBound
      var high = range.upperBound
      if parts[0] != "*" {
        low = try number(ends[0])
        high = ends.count > 1 ? try number(ends[1]) : low
      }
      guard low <= high else { throw Flaw(reason: "the \(name) '\(item.prefix(40))' runs backwards") }
      var step = 1
      if parts.count > 1 {
        guard parts[0] == "*" || ends.count > 1, parts[1].utf8.count <= 2, let given = Int(parts[1]), given > 0 else {
          throw Flaw(reason: "the \(name) '\(item.prefix(40))' has a step that is none")
        }
        step = given
      }
      values.formUnion(stride(from: low, through: high, by: step))
    }
    return values
  }

  /// The first time after the given one; `nil` when there is none within eight years (30 February).
  public func next(after time: DateTime, in zone: TimeZone) -> DateTime? {
    let after = Int((time.microseconds / 1_000_000))
    let offsets = Offsets(zone: zone)
    let firstDay = (after + offsets.at(after)).floorDivided(by: 86_400)
    for day in (firstDay - 1)..<(firstDay + 8 * 366 + 2) where runs(on: day) {
      if let found = instants(on: day, offsets).first(where: { $0 > after }) {
        return DateTime(microseconds: Int64(found) * 1_000_000)
      }
    }
    return nil
  }

  private func runs(on day: Int) -> Bool {
    let date = DateTime.civil(days: day)
    guard months.contains(date.month) else { return false }
    // 1970-01-01 was a Thursday.
    let fitsWeek = weekdays.contains(((day + 4) % 7 + 7) % 7)
    let fitsMonth = days.contains(date.day)
    return takesEitherDay ? fitsWeek || fitsMonth : fitsWeek && fitsMonth
  }

  /// Seconds since 1970 of the times on a local day, in order.
  private func instants(on day: Int, _ offsets: Offsets) -> [Int] {
    let start = day * 86_400
    let (before, after) = (offsets.at(start - 86_400), offsets.at(start + 2 * 86_400))
    let local = hours.flatMap { hour in minutes.map { start + hour * 3600 + $0 * 60 } }
    guard before != after else { return local.map { $0 - before }.sorted() }
    var instants: Set<Int> = []
    for time in local {
      let fitting = Set([before, after]).filter { offsets.at(time - $0) == $0 }.map { time - $0 }
      if isHourly {
        instants.formUnion(fitting)
      } else {
        instants.insert(fitting.min() ?? offsets.change(from: time - max(before, after), to: time - min(before, after)))
      }
    }
    return instants.sorted()
  }

  /// How far a zone is ahead of UTC, in seconds.
  private struct Offsets {
    let zone: TimeZone

    func at(_ seconds: Int) -> Int { zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds))) }

    /// The first second with the new offset, between two instants around the change.
    func change(from: Int, to: Int) -> Int {
      let old = at(from)
      var (low, high) = (from, to)
      while low < high {
        let middle = (low + high) / 2
        if at(middle) == old { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }
}

extension Int {
  fileprivate func floorDivided(by divisor: Int) -> Int {
    self >= 0 ? self / divisor : -((-self + divisor - 1) / divisor)
  }
}
