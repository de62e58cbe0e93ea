import NGSI

@testable import Incidents

enum Samples {
  static let start = DateTime(microseconds: 1_795_000_000_000_000)
  static let kim = Party(.person, id: "kim", agency: "city", roles: ["operator"])
  static let lee = Party(.person, id: "lee", agency: "fire", roles: ["commander"])

  static func report(
    _ number: String = "1", category: String = "fire", severity: Severity = .moderate, source: String = "sensor-7",
    channel: Report.Channel = .sensor, at position: (Double, Double)? = (126.978, 37.5665), uncertainty: Double? = nil
  ) -> Report {
    Report(
      source: source, number: number, channel: channel, category: category, severity: severity,
      position: position.flatMap { Position(longitude: $0.0, latitude: $0.1, uncertainty: uncertainty) })
  }

  static func record(_ report: Report = report(), exercise: String? = nil, id: String = "urn:ngsi-ld:Incident:1")
    -> Record
  {
    Record(opening: id, exercise: exercise, report, command: "c1", by: .city, at: start)
  }

  static func procedure() throws -> Procedure {
    try Procedure(
      id: "fire", title: .init(korean: "화재", english: "Fire"), categories: ["fire"],
      steps: [
        .init(id: "look", title: .init(korean: "확인", english: "Verify"), within: 60),
        .init(
          id: "warn", title: .init(korean: "경보", english: "Warn"), roles: ["commander"], after: ["look"],
          condition: try Procedure.Condition(#"severity=="Extreme""#)),
        .init(
          id: "call", title: .init(korean: "출동", english: "Dispatch"), after: ["look"], within: 120, maySkip: false),
        .init(id: "tell", title: .init(korean: "통보", english: "Inform"), after: ["warn", "call"]),
      ])
  }
}

/// A record that is told what to do line by line.
struct Telling {
  var record: Record
  var seconds = 0.0
  private var number = 1

  init(_ record: Record = Samples.record()) { self.record = record }

  var incident: Incident { record.incident }

  mutating func give(_ command: Command, by: Party = Samples.kim, after: Double = 1) throws(CommandRefusal) {
    seconds += after
    number += 1
    try record.give(command, id: "c\(number)", by: by, at: Samples.start.adding(seconds: seconds))
  }

  mutating func refusal(_ command: Command, by: Party = Samples.kim) -> CommandRefusal? {
    let before = record
    do throws(CommandRefusal) {
      try give(command, by: by)
      return nil
    } catch {
      return record == before ? error : nil
    }
  }
}

/// The same numbers each time (SplitMix64, Steele and others 2014).
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
