import Foundation
import NGSI
import Oracles
import Testing

@testable import City

@Suite("Timetables")
struct TimetableTests {
  private func next(_ text: String, _ zone: String, after: String, count: Int) throws -> [String] {
    let table = try Timetable(text)
    var time = try #require(DateTime(after))
    let place = try #require(TimeZone(identifier: zone))
    return try (0..<count).map { _ in
      time = try #require(table.next(after: time, in: place))
      return time.description
    }
  }

  @Test("an hour that is left out is made up for, one that comes twice counts once")
  func clockChanges() throws {
    // 2024-03-31 02:00 and 2024-10-27 03:00 in Berlin.
    #expect(
      try next("30 2 * * *", "Europe/Berlin", after: "2024-03-30T12:00:00Z", count: 2)
        == ["2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"])
    #expect(
      try next("30 2 * * *", "Europe/Berlin", after: "2024-10-26T12:00:00Z", count: 2)
        == ["2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"])
    #expect(
      try next("*/30 * * * *", "Europe/Berlin", after: "2024-10-27T00:15:00Z", count: 4)
        == ["2024-10-27T00:30:00Z", "2024-10-27T01:00:00Z", "2024-10-27T01:30:00Z", "2024-10-27T02:00:00Z"])
    #expect(
      try next("0 9 * * mon", "Asia/Seoul", after: "2026-11-23T00:00:00Z", count: 2)
        == ["2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"])
  }

  @Test(
    "texts that are none",
    arguments: [
      "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *",
      "*/0 * * * *", "5/2 * * * *", "a * * * *", "1,,2 * * * *", "-1 * * * *", "* * * janu *",
      "99999999999999999999 * * * *",
    ])
  func flawed(_ text: String) { #expect(throws: Timetable.Flaw.self) { try Timetable(text) } }

  @Test("a day that never comes")
  func never() throws {
    let zone = try #require(TimeZone(identifier: "UTC"))
    #expect(try Timetable("0 0 30 2 *").next(after: DateTime(microseconds: 0), in: zone) == nil)
    #expect(try next("0 0 29 2 *", "UTC", after: "2026-01-01T00:00:00Z", count: 1) == ["2028-02-29T00:00:00Z"])
  }

  @Test("600 timetables around clock changes of ten zones, against croniter and zoneinfo")
  func oracle() throws {
    let zones = [
      "UTC", "Asia/Seoul", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago",
      "Asia/Kuwait", "America/La_Paz", "Pacific/Chatham", "Africa/Casablanca",
    ]
    // Around changes of the zones' clocks and in between, 2024 to 2026.
    let starts = [
      1_711_843_200, 1_729_987_200, 1_710_028_800, 1_730_592_000, 1_712_404_800, 1_725_148_800, 1_767_225_600,
    ]
    let chance = RandomStream(seed: 7)
    var drawn: Int64 = 0
    func draw(_ range: ClosedRange<Int>) -> Int {
      drawn += 1
      return range.lowerBound + Int(chance.bits(drawn) % UInt64(range.count))
    }
    func field(_ range: ClosedRange<Int>, _ every: Int) -> String {
      switch draw(0...every) {
      case 0: return "\(draw(range))"
      case 1: return "\(draw(range)),\(draw(range))"
      case 2:
        // croniter takes a range of one for the whole circle.
        let low = draw(range.lowerBound...(range.upperBound - 1))
        return "\(low)-\(draw((low + 1)...range.upperBound))"
      case 3: return "*/\(draw(2...7))"
      default: return "*"
      }
    }
    var cases: [JSON] = []
    var found: [[Int]] = []
    for _ in 0..<600 {
      let minute = draw(0...3) == 0 ? "*/\(draw(5...20))" : "\(draw(0...59))"
      let hour = draw(0...2) == 0 ? field(0...23, 5) : "\(draw(0...4))"
      var (day, weekday) = ("*", "*")
      switch draw(0...5) {
      case 0: day = "\(draw(1...28))"
      case 1: weekday = "\(draw(0...6))"
      case 2: (day, weekday) = ("\(draw(1...28))-31", "\(draw(0...6))")
      default: break
      }
      let text = "\(minute) \(hour) \(day) \(draw(0...4) == 0 ? "\(draw(1...12))" : "*") \(weekday)"
      let zone = zones[draw(0...(zones.count - 1))]
      var time = DateTime(microseconds: Int64(starts[draw(0...(starts.count - 1))] + 60 * draw(0...1440)) * 1_000_000)
      cases.append([
        "cron": .string(text), "zone": .string(zone), "after": .integer(time.microseconds / 1_000_000), "count": 8,
      ])
      let table = try Timetable(text)
      let place = try #require(TimeZone(identifier: zone))
      found.append(
        try (0..<8).map { _ in
          time = try #require(table.next(after: time, in: place))
          return Int(time.microseconds / 1_000_000)
        })
    }
    guard let expected = try Oracle.ask("cron_oracle.py", .array(cases), for: "timetables")?.array else { return }
    #expect(expected.count == found.count)
    for (index, times) in expected.enumerated() {
      #expect(times.array?.compactMap(\.integer).map(Int.init) == found[index], "\(cases[index])")
    }
  }
}

@Suite("Topic patterns")
struct TopicPatternTests {
  @Test("named levels are taken out of topics")
  func values() throws {
    let sensor = try TopicPattern("city/{district}/sensor/{device}/temp")
    #expect(sensor.filter == "city/+/sensor/+/temp")
    #expect(sensor.values(in: "city/north/sensor/7/temp") == ["district": "north", "device": "7"])
    #expect(sensor.values(in: "city/north/sensor/7/temp/x") == nil)
    #expect(sensor.values(in: "city/north/sensor/7") == nil)
    #expect(sensor.values(in: "City/north/sensor/7/temp") == nil)
    #expect(sensor.values(in: "city//sensor/7/temp") == ["district": "", "device": "7"])
    let rest = try TopicPattern("+/{rest#}")
    #expect(rest.filter == "+/#" && rest.values(in: "a/b/c") == ["rest": "b/c"] && rest.values(in: "a") == ["rest": ""])
    let own = try TopicPattern("$SYS/#")
    #expect(rest.values(in: "$SYS/load") == nil && own.values(in: "$SYS/load") == [:])
  }

  @Test(
    "texts that are no pattern",
    arguments: [
      "", "a/#/b", "a/{x}b", "a+", "a/#b", "{x}/{x}", "{}", "{a b}", "{x#}/y", "a/\u{0}", "{a/b}", "{x", "a/\u{7f}",
    ])
  func flawed(_ text: String) { #expect(throws: TopicPattern.Flaw.self) { try TopicPattern(text) } }
}
