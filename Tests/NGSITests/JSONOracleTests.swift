import Foundation
import Oracles
import Testing

@testable import NGSI

@Suite("JSON and times against Python")
struct JSONOracleTests {
  /// Texts made by cutting, doubling and changing bytes of good ones, from a fixed seed.
  private func corpus() -> [[UInt8]] {
    let seeds = [
      #"{"a": [1, -0, 2.5e-3, 1E+5, true, false, null], "b": {"c": "d\n\u00e9\ud83d\ude00"}, "": ""}"#,
      #"[0.1, 123456789012345678, 1234567890123456789012, 1.7976931348623157e308, 5e-324, -0.0, 100000000000000000000.5]"#,
      #""\ud800""#, #""\ud83d\u0041""#, "\u{feff}[1]", "[1,]", "{}", " \t\r\n1 ", "1e400", "-", "--1", "01", "1.e5",
      ".5", "tru", "nulll", "[[[[]]]]", #"{"a":1 "b":2}"#, #"{"a" 1}"#, #""unterminated"#, "\"\u{7f}\u{80}한글\"",
    ].map { Array($0.utf8) }
    let broken: [[UInt8]] = [
      [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
      [0x22, 0x1F, 0x22],
    ]
    var random = SplitMix(state: 2026)
    var texts = seeds + broken
    let alphabet = Array(#"{}[]",:0123456789.eE+-tfnu\ abc"#.utf8) + [0x00, 0x0A, 0x80, 0xC3, 0xFF]
    for _ in 0..<4000 {
      var text = seeds[Int(random.next() % UInt64(seeds.count))]
      for _ in 0...Int(random.next() % 3) where !text.isEmpty {
        let place = Int(random.next() % UInt64(text.count))
        let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
        switch random.next() % 3 {
        case 0: text.remove(at: place)
        case 1: text.insert(byte, at: place)
        default: text[place] = byte
        }
      }
      texts.append(text)
    }
    return texts
  }

  // Clauses: 4.6.1
  @Test("a corpus of good and broken texts is judged and read as by Python's json")
  func json() throws {
    let texts = corpus()
    let question: JSON = ["texts": .array(texts.map { .array($0.map { .integer(Int64($0)) }) })]
    guard let answers = try Oracle.ask("json_oracle.py", question, for: "JSON against Python")?.array else { return }
    #expect(answers.count == texts.count)
    var good = 0
    for (text, answer) in zip(texts, answers) {
      let shown = String(decoding: text, as: UTF8.self)
      let value = try? JSONParser.parse(text)
      if answer["valid"] == .bool(true) {
        good += 1
        #expect(value == answer["value"], "\(shown)")
        if let value { #expect(try JSONParser.parse(JSONWriter.bytes(value)) == value, "\(shown)") }
      } else {
        #expect(value == nil, "\(shown)")
      }
    }
    #expect(good > 200 && good < texts.count - 200)
  }

  // Clauses: 4.6.3
  @Test("times are the microseconds that Python's datetime makes of them, and are written back alike")
  func times() throws {
    var random = SplitMix(state: 7)
    func number(_ range: ClosedRange<Int>, _ width: Int) -> String {
      let value = range.lowerBound + Int(random.next() % UInt64(range.count))
      return String(repeating: "0", count: max(0, width - String(value).count)) + String(value)
    }
    var texts: [String] = []
    for _ in 0..<3000 {
      var text = "\(number(1...9999, 4))-\(number(0...13, 2))-\(number(0...32, 2))T"
      text += "\(number(0...24, 2)):\(number(0...60, 2)):\(number(0...59, 2))"
      switch random.next() % 4 {
      case 0: text += "." + number(0...999, 3)
      case 1: text += "." + number(0...999_999, 6)
      default: break
      }
      text += random.next() % 4 == 0 ? "+\(number(0...23, 2)):\(number(0...59, 2))" : "Z"
      texts.append(text)
    }
    let answer = try Oracle.ask(
      "datetime_oracle.py", ["texts": .array(texts.map(JSON.string))], for: "times against Python")
    guard let expected = answer?.array else { return }
    var good = 0
    for (text, microseconds) in zip(texts, expected) {
      let time = DateTime(text)
      #expect(time?.microseconds == microseconds.integer, "\(text)")
      if let time {
        good += 1
        if text.hasSuffix("Z") { #expect(time.description == text) }
        #expect(DateTime(DateTime(microseconds: time.microseconds).description) == time)
      }
    }
    #expect(good > 500)
  }

  // Clauses: 4.6.3
  @Test(
    "times that are none are refused; odd ones end at the edges",
    arguments: [
      "", "2026-11-22", "2026-11-22T09:30Z", "2026-11-22 09:30:00Z", "2026-11-22T09:30:00", "2026-11-22T09:30:00.Z",
      "2026-02-30T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T09:30:00ZZ", "2026-11-22T09:30:00+0900",
    ])
  func refusesTimes(text: String) {
    #expect(DateTime(text) == nil)
    #expect(DateTime(secondsSince1970: 1e300).microseconds == .max)
    #expect(DateTime(microseconds: .max).adding(seconds: 1e300).microseconds == .max)
    #expect(DateTime("2026-11-22T09:30:00,5Z")?.description == "2026-11-22T09:30:00.5Z")
  }
}

/// A small seeded generator (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
