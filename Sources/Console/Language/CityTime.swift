import Foundation
import NGSI

/// Shows instants in the city's time zone.
struct CityTime: Sendable {
  let zone: TimeZone

  init(identifier: String) { zone = TimeZone(identifier: identifier) ?? TimeZone(secondsFromGMT: 0) ?? .current }

  /// `2026-11-22 18:30:00`, civil time of the city.
  func text(_ instant: DateTime) -> String {
    let date = Date(timeIntervalSince1970: instant.secondsSince1970)
    let local = instant.adding(seconds: Double(zone.secondsFromGMT(for: date)))
    return String(local.description.prefix(19)).replacing("T", with: " ")
  }

  /// `2026-11-22T18:30`, civil time of the city as forms take it.
  func field(_ instant: DateTime) -> String { String(text(instant).replacing(" ", with: "T").prefix(16)) }

  /// The instant of a civil time of the city, as forms give it; `nil` for what is none.
  func instant(field text: String) -> DateTime? {
    let parts = text.trimming().replacing(" ", with: "T")
    guard (16...19).contains(parts.utf8.count), let naive = DateTime(parts + (parts.utf8.count == 16 ? ":00Z" : "Z"))
    else { return nil }
    func back(_ guess: DateTime) -> DateTime {
      let seconds = zone.secondsFromGMT(for: Date(timeIntervalSince1970: guess.secondsSince1970))
      return naive.adding(seconds: -Double(seconds))
    }
    // The zone's offset at that moment, which is not known before it; where clocks are set the second look has it.
    return back(back(naive))
  }

  /// `UTC+09:00` at that instant.
  func offset(_ instant: DateTime) -> String {
    let seconds = zone.secondsFromGMT(for: Date(timeIntervalSince1970: instant.secondsSince1970))
    let minutes = abs(seconds) / 60
    let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
    return "UTC\(seconds < 0 ? "-" : "+")\(two(minutes / 60)):\(two(minutes % 60))"
  }
}

extension Strings {
  /// How long ago, in words: `just now`, `5 min ago`, `3 d ago`, `in 2 h`.
  func age(of instant: DateTime, at now: DateTime, _ language: Language) -> String {
    let seconds = now.secondsSince1970 - instant.secondsSince1970
    let size = abs(seconds)
    if size < 60 { return text(seconds < -5 ? "jsAgeSoon" : "jsAgeNow", language) }
    let (unit, number): (String, Double) =
      size < 3600 ? ("Minutes", size / 60) : size < 172_800 ? ("Hours", size / 3600) : ("Days", size / 86400)
    return text("\(seconds < 0 ? "jsIn" : "jsAge")\(unit)", language, ["n": "\(Int(number))"])
  }

  /// A length of time in its two largest units: `3 d 4 h`, `2 h 5 min`, `7 min 30 s`, `12 s`.
  func duration(_ seconds: Double, _ language: Language) -> String {
    guard seconds >= 60, seconds < 1e12 else {
      return text("durationSeconds", language, ["s": NumberText.short(seconds)])
    }
    let whole = Int(seconds)
    let parts = ["d": whole / 86400, "h": whole / 3600 % 24, "m": whole / 60 % 60, "s": whole % 60]
    let key = whole >= 86400 ? "durationDays" : whole >= 3600 ? "durationHours" : "durationMinutes"
    return text(key, language, parts.mapValues { "\($0)" })
  }
}

extension Strings {
  /// A length of time without units that are nought: `3 d`, `2 h`, `90 min` as `1 h 30 min`.
  func length(_ seconds: Double, _ language: Language) -> String {
    let whole = Int(min(max(seconds, 0), 1e12))
    let parts = [("Days", "d", whole / 86400), ("Hours", "h", whole / 3600 % 24), ("Minutes", "m", whole / 60 % 60)]
      .filter { $0.2 > 0 }.map { text("length\($0.0)", language, [$0.1: "\($0.2)"]) }
    return parts.isEmpty ? duration(seconds, language) : parts.joined(separator: " ")
  }
}

/// Numbers for people.
enum NumberText {
  /// At most four significant fraction digits, thousands grouped: `12,345.67`, `0.0312`.
  static func short(_ number: Double) -> String {
    guard number.isFinite else { return "–" }
    let size = abs(number)
    if size >= 1e15 { return String(format: "%.4g", number) }
    let digits = size >= 1000 || number == number.rounded() ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 4
    var text = String(format: "%.\(digits)f", number)
    if text.contains(".") {
      while text.hasSuffix("0") { text.removeLast() }
      if text.hasSuffix(".") { text.removeLast() }
    }
    return grouped(text)
  }

  private static func grouped(_ text: String) -> String {
    let sign = text.hasPrefix("-") ? "-" : ""
    let body = text.dropFirst(sign.count).split(separator: ".", omittingEmptySubsequences: false)
    var whole = ""
    for (offset, digit) in body[0].reversed().enumerated() {
      if offset > 0, offset % 3 == 0 { whole.append(",") }
      whole.append(digit)
    }
    return sign + String(whole.reversed()) + (body.count > 1 ? "." + body[1] : "")
  }
}
