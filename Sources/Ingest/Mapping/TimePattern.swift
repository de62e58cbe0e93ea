import Foundation
import NGSI

/// How a time is written: `iso8601`, `seconds` or `milliseconds` since 1970, or runs of y, M, d, H, m, s between other characters.
///
/// A run of one letter takes one or more digits, a longer run exactly so many.
struct TimePattern: Sendable, Hashable {
  private enum Piece: Sendable, Hashable {
    /// Which of year, month, day, hour, minute, second; and of how many digits, 0 for any.
    case field(Int, width: Int)
    case literal(UInt8)
  }

  /// Forms that say an instant by themselves.
  private enum Form: String {
    case iso8601, seconds, milliseconds
  }

  private let pieces: [Piece]
  private let form: Form?

  /// `nil` when the pattern has no year, month or day.
  init?(_ text: String) {
    form = Form(rawValue: text)
    var pieces: [Piece] = []
    var seen: Set<Int> = []
    for byte in form != nil ? [] : Array(text.utf8) {
      guard
        let field = "yMdHms".utf8.firstIndex(of: byte).map({ "yMdHms".utf8.distance(from: "yMdHms".startIndex, to: $0) }
        )
      else {
        pieces.append(.literal(byte))
        continue
      }
      if case .field(field, let width)? = pieces.last {
        pieces[pieces.count - 1] = .field(field, width: width == 0 ? 2 : width + 1)
      } else {
        guard seen.insert(field).inserted else { return nil }
        pieces.append(.field(field, width: 0))
      }
    }
    guard form != nil || seen.isSuperset(of: [0, 1, 2]) else { return nil }
    self.pieces = pieces
  }

  /// What a text says.
  enum Reading {
    /// An instant, for a text that carries its own offset.
    case instant(DateTime)
    /// Local time: days since 1970 and seconds of the day (86,400 for hour 24).
    case local(day: Int, seconds: Int)
    case invalid
  }

  private static func sinceEpoch(_ bytes: [UInt8], unit: Double) -> Reading {
    var text: [UInt8] = []
    // Up to the year 9999.
    guard let number = NumberText.append(bytes[...], to: &text), abs(number / unit) < 253_402_300_800 else {
      return .invalid
    }
    return .instant(DateTime(microseconds: Int64((number * 1_000_000 / unit).rounded())))
  }

  func read(_ bytes: [UInt8], allowsHour24: Bool) -> Reading {
    switch form {
    case .iso8601: return DateTime(String(decoding: bytes, as: UTF8.self)).map(Reading.instant) ?? .invalid
    case .seconds: return Self.sinceEpoch(bytes, unit: 1)
    case .milliseconds: return Self.sinceEpoch(bytes, unit: 1000)
    case nil: break
    }
    var values = [0, 1, 1, 0, 0, 0]
    var position = 0
    for piece in pieces {
      switch piece {
      case .literal(let byte):
        guard position < bytes.count, bytes[position] == byte else { return .invalid }
        position += 1
      case .field(let field, let width):
        var value = 0
        var digits = 0
        while position < bytes.count, digits < (width == 0 ? 9 : width), case let digit = bytes[position] &- 48,
          digit < 10
        {
          value = value * 10 + Int(digit)
          digits += 1
          position += 1
        }
        guard digits > 0, width == 0 || digits == width else { return .invalid }
        values[field] = value
      }
    }
    guard position == bytes.count, (1...9999).contains(values[0]), (1...12).contains(values[1]),
      (1...DateTime.daysInMonth(values[1], year: values[0])).contains(values[2]), values[4] < 60, values[5] < 60
    else { return .invalid }
    let isEndOfDay = values[3] == 24 && values[4] == 0 && values[5] == 0 && allowsHour24
    guard values[3] < 24 || isEndOfDay else { return .invalid }
    return .local(
      day: DateTime.days(year: values[0], month: values[1], day: values[2]),
      seconds: values[3] * 3600 + values[4] * 60 + values[5])
  }
}

/// Turns local times of a zone into instants; remembers the offset of a day, since time zone look-ups are slow.
struct ZoneTable {
  private let zone: TimeZone
  private var day = Int.min
  /// Seconds east of UTC, where it is the same all day.
  private var offset: Int?

  init(_ zone: TimeZone) { self.zone = zone }

  /// `nil` for a time that a change to summer time leaves out. Of a time that happens twice the first is meant.
  mutating func instant(day: Int, seconds: Int) -> DateTime? {
    let local = day * 86_400 + seconds
    if day != self.day {
      self.day = day
      let before = self.offset(atUTC: day * 86_400 - 86_400)
      let after = self.offset(atUTC: day * 86_400 + 2 * 86_400)
      offset = before == after ? before : nil
    }
    if let offset { return Self.instant(local - offset) }
    for candidate in [self.offset(atUTC: local - 86_400), self.offset(atUTC: local + 86_400)]
    where self.offset(atUTC: local - candidate) == candidate { return Self.instant(local - candidate) }
    return nil
  }

  private func offset(atUTC seconds: Int) -> Int {
    zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
  }

  private static func instant(_ seconds: Int) -> DateTime { DateTime(microseconds: Int64(seconds) * 1_000_000) }
}
