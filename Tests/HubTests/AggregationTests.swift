import Foundation
import NGSI
import Oracles
import Testing

@testable import Hub

// Clauses: 4.5.19
@Suite struct AggregationTests {
  private func time(_ text: String) throws -> DateTime { try #require(DateTime(text)) }

  @Test(arguments: [
    "", "P", "PT", "1H", "PT1", "P1H", "PTH", "P-1D", "P1DT", "PT1H1", "P" + String(repeating: "9", count: 60) + "D",
  ])
  func brokenDurationsAreRefused(_ text: String) {
    #expect(throws: Problem.self) { try Aggregation.Period(text) }
  }

  @Test func monthsFollowTheCalendar() throws {
    let start = try time("2024-01-31T10:00:00Z")
    let aggregation = try Aggregation(methods: ["totalCount"], period: "P1M")
    let instances = try [
      "2024-01-31T10:00:00Z", "2024-02-28T23:00:00Z", "2024-02-29T10:00:00Z", "2024-03-31T09:00:00Z",
    ]
    .map { (time: try time($0), value: JSON.integer(1)) }
    let columns = try aggregation.aggregate(instances, from: start, to: nil)
    #expect(columns[0].values.map(\.value) == [2, 2])
    #expect(columns[0].values[0].to == (try time("2024-02-29T10:00:00Z")))
  }

  @Test func whatIsNoNumberHasItsOwnResults() throws {
    let at = try time("2024-01-01T00:00:00Z")
    let aggregation = try Aggregation(
      methods: ["totalCount", "distinctCount", "min", "max", "sum", "avg"], period: nil)
    func results(_ values: [JSON]) throws -> [JSON?] {
      try aggregation.aggregate(values.map { (at, $0) }, from: nil, to: nil).map { $0.values.first?.value }
    }
    #expect(try results(["b", "a", "b"]) == [3, 2, "a", "b", nil, nil])
    #expect(try results([true, false]) == [2, 2, 0, 1, 1, 0.5])
    #expect(try results([[1, 2], [1, 2, 3, 4]]) == [2, 2, 2, 4, 6, 3])
  }

  @Test func tooManyPiecesAreRefused() throws {
    let aggregation = try Aggregation(methods: ["sum"], period: "PT0.000001S")
    let instances = [
      (time: try time("2024-01-01T00:00:00Z"), value: JSON.integer(1)),
      (time: try time("2025-01-01T00:00:00Z"), value: JSON.integer(1)),
    ]
    #expect(throws: Problem.self) { try aggregation.aggregate(instances, from: nil, to: nil) }
  }

  /// Against numpy, on random values in random periods.
  @Test func numbersAgreeWithNumpy() throws {
    var generator = SplitMix(seed: 7)
    let start = try time("2024-01-01T00:00:00Z")
    let instances = (0..<500).map { _ -> (time: DateTime, value: JSON) in
      let offset = Int64.random(in: 0..<86_400_000_000, using: &generator)
      let value = JSON.double(Double.random(in: -1e6...1e6, using: &generator))
      return (DateTime(microseconds: start.microseconds + offset), value)
    }
    let methods = ["totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq"]
    let input: JSON = [
      "period": 3_600_000_000, "start": .integer(start.microseconds),
      "values": .array(instances.map { [.integer($0.time.microseconds), $0.value] }),
    ]
    guard let expected = try Oracle.ask("aggregation_oracle.py", input, for: "numbersAgreeWithNumpy") else { return }
    let columns = try Aggregation(methods: methods, period: "PT1H").aggregate(instances, from: start, to: nil)
    for (method, values) in columns {
      let column = try #require(expected[method.rawValue]?.array)
      #expect(column.count == values.count)
      for (ours, theirs) in zip(values, column) {
        let number = try #require(theirs.number)
        let ours = try #require(ours.value.number)
        #expect(abs(ours - number) <= 1e-9 * max(1, abs(number)), "\(method)")
      }
    }
  }
}

/// The same numbers each time.
struct SplitMix: RandomNumberGenerator {
  var seed: UInt64

  mutating func next() -> UInt64 {
    seed &+= 0x9E37_79B9_7F4A_7C15
    var mixed = seed
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
