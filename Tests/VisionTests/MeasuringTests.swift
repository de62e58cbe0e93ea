import Foundation
import NGSI
import TestSupport
import Testing
import Vision

@Suite struct MeasuringTests {
  @Test func detectionsAreFoundWrongOrMissed() {
    var score = DetectionScore()
    let person = Box(x: 10, y: 10, width: 20, height: 60)
    score.add(
      [person, Box(x: 11, y: 12, width: 20, height: 60), Box(x: 300, y: 0, width: 20, height: 60)],
      truth: [person, Box(x: 100, y: 10, width: 20, height: 60)])
    #expect((score.found, score.wrong, score.missed) == (1, 2, 1))
    #expect(score.precision == 1.0 / 3 && score.recall == 0.5 && score.f1 == 0.4)
    // What fits a box that is to be ignored is neither found nor wrong.
    score = DetectionScore()
    score.add(
      [person, Box(x: 300, y: 0, width: 20, height: 60)], truth: [person],
      ignored: [Box(x: 302, y: 0, width: 20, height: 60)])
    #expect((score.found, score.wrong, score.missed) == (1, 0, 0))
  }

  @Test func asManyPairsAsPossibleAreMade() {
    // Boxes at 0 and 4 and persons at 2 and -3 (widths 10): the greedy pair 0–2 would leave 4 without anybody.
    func box(_ x: Double) -> Box { Box(x: x, y: 0, width: 10, height: 10) }
    var score = DetectionScore()
    score.add([box(0), box(4)], truth: [box(2), box(-3)])
    #expect(score.found == 2)
  }

  @Test func identitiesAgreeWithMotmetrics() throws {
    let name = "MeasuringTests.identitiesAgreeWithMotmetrics"
    var random = SeededGenerator(seed: 7)
    for _ in 0..<4 {
      var score = IdentityScore()
      var pictures: [JSON] = []
      for picture in 0..<40 {
        var truth: [(id: Int, box: Box)] = []
        var tracks: [(id: Int, box: Box)] = []
        for person in 0..<4 where Double.random(in: 0...1, using: &random) < 0.9 {
          let box = Box(x: Double(80 * person + picture), y: 50, width: 30, height: 80)
          truth.append((person, box))
          guard Double.random(in: 0...1, using: &random) < 0.8 else { continue }
          let off = Double.random(in: -14...14, using: &random)
          // Numbers change now and then, and two take each other's.
          let id = (picture > 25 && person < 2 ? 1 - person : person) + (picture / 15) * (person == 3 ? 10 : 0)
          tracks.append((id, Box(x: box.x + off, y: box.y, width: 30, height: 80)))
        }
        score.add(tracks, truth: truth)
        func rows(_ list: [(id: Int, box: Box)]) -> JSON {
          .array(
            list.map {
              .array([.integer(Int64($0.id))] + [$0.box.x, $0.box.y, $0.box.width, $0.box.height].map(JSON.double))
            })
        }
        var object = JSONObject()
        object["truth"] = rows(truth)
        object["tracks"] = rows(tracks)
        pictures.append(.object(object))
      }
      var question = JSONObject()
      question["pictures"] = .array(pictures)
      guard let answer = try Oracle.ask("identity_oracle.py", .object(question), for: name) else { return }
      let expected = try #require(answer["idf1"]?.number)
      #expect(abs(score.idf1 - expected) < 1e-9)
    }
  }

  @Test func linesOfTheMOTChallengeGoThereAndBack() throws {
    let row = MOTFile.Row(frame: 3, id: 9, box: Box(x: 499, y: 158.25, width: 31.03, height: 75.17), score: 0.875)
    #expect(row.line == "3,9,499.0,158.25,31.03,75.17,0.875,-1,-1,-1")
    let rows = try MOTFile.rows(row.line + "\n\n4, 9, 1, 2, 3, 4, 0\r\n")
    #expect(rows == [3: [row], 4: [MOTFile.Row(frame: 4, id: 9, box: Box(x: 1, y: 2, width: 3, height: 4), score: 0)]])
    #expect(rows[4]?.first?.isIgnored == true)
  }

  @Test(arguments: [
    "1,2,3", "0,1,1,1,1,1,1", "1.5,1,1,1,1,1", "1,1,x,1,1,1", "1,1,1,1,nan,1", "1,1,1,1,0,5", "1e30,1,1,1,1,1",
  ])
  func otherLinesAreRefusedWithTheirNumber(line: String) {
    #expect(throws: MOTFile.Malformed(line: 2)) { try MOTFile.rows("1,1,1,1,1,1\n" + line) }
  }

  @Test func eventsAreComparedByPlaceTimeAndDirection() {
    func event(_ time: Double, x: Double = 0, zone: String = "a", direction: Zone.Direction? = nil) -> ZoneEvent {
      ZoneEvent(
        number: 1, zone: zone, rule: .lineCrossing, phase: .begin, time: time, told: time, track: 1,
        box: Box(x: x, y: 0, width: 20, height: 50), direction: direction)
    }
    func count(_ mine: [ZoneEvent], _ truth: [ZoneEvent]) -> EventScore.Count? {
      EventScore(mine, truth: truth).counts[.lineCrossing]
    }
    #expect(count([event(1)], [event(2)]) == EventScore.Count(found: 1, wrong: 0, missed: 0))
    #expect(count([event(1)], [event(2.1)]) == EventScore.Count(found: 0, wrong: 1, missed: 1))
    #expect(count([event(1, x: 60)], [event(1)])?.found == 0)
    #expect(count([event(1, zone: "b")], [event(1)])?.found == 0)
    #expect(count([event(1, direction: .leftToRight)], [event(1, direction: .rightToLeft)])?.found == 0)
    #expect(count([event(1), event(1.2)], [event(1.1)]) == EventScore.Count(found: 1, wrong: 1, missed: 0))
  }
}

/// The same numbers each time.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
