import Foundation
import Testing

@testable import City

@Suite("KPI formulas")
struct FormulaTests {
  @Test("operators bind as in arithmetic, from the left")
  func precedence() throws {
    #expect(
      try Formula("1 - 2 - 3 * 4")
        == .joined(
          .joined(.number(1), .subtract, .number(2)), .subtract, .joined(.number(3), .multiply, .number(4))))
    #expect(
      try Formula("-(1 + homes) / 2e3")
        == .joined(.negative(.joined(.number(1), .add, .fact(.homes))), .divide, .number(2000)))
    let pm = Formula.Reading(type: "AirQualityObserved", attribute: "pm25")
    #expect(try Formula(" mean( AirQualityObserved . pm25 ) ") == .figure(.mean, pm, nil, percentage: nil))
    #expect(try Formula("percentile(AirQualityObserved.pm25,95)") == .figure(.percentile, pm, nil, percentage: 95))
    #expect(
      try Formula("share(AirQualityObserved.pm25<=-35.5)")
        == .figure(.share, pm, .init(sign: .atMost, value: .number(-35.5)), percentage: nil))
    #expect(try Formula("count(Streetlight)").figures.count == 1)
  }

  @Test(
    "what is no formula is told by place, found and expected",
    arguments: [
      ("", 1, "the end", "a number"), ("mean(AirQualityObserved.pm25", 29, "the end", "')'"),
      ("mean()", 6, "')'", "an entity type"), ("mean(AirQualityObserved)", 24, "')'", "'.'"),
      ("mean(airQuality.pm25)", 6, "'airQuality'", "an entity type"), ("avg(A.b)", 1, "'avg'", "mean(…)"),
      ("1 +", 4, "the end", "a number"), ("1 1", 3, "'1'", "an operator"), ("((1)", 5, "the end", "')'"),
      ("homes / 0", 9, "'0'", "other than 0"), ("share(A.b)", 10, "')'", "one of <"),
      ("share(A.b < low)", 13, "'low'", "a number"), ("percentile(A.b, 101)", 17, "'101'", "0 to 100"),
      ("1 ; 2", 3, "';'", "an operator"), ("1e999", 1, "'1e999'", "can be held"), (".5", 1, "'.'", "a number"),
      ("mean(A.b.c)", 9, "'.'", "')'"),
    ])
  func problems(text: String, column: Int, found: String, expected: String) {
    let problem = #expect(throws: FormulaProblem.self) { try Formula(text) }
    #expect(problem?.column == column && problem?.found == found, "\(text): \(String(describing: problem))")
    #expect(problem?.expected.contains(expected) == true, "\(text): \(String(describing: problem))")
  }

  @Test("depth is bounded; any text ends in a formula or a problem")
  func hostile() {
    #expect(throws: FormulaProblem.self) { try Formula(String(repeating: "(", count: 100_000)) }
    #expect(throws: FormulaProblem.self) { try Formula(String(repeating: "-", count: 100_000) + "1") }
    #expect(throws: Never.self) { try Formula(String(repeating: "1+", count: 10_000) + "1") }
    var generator = SystemRandomNumberGenerator()
    let pieces = [
      "mean", "share", "(", ")", "A", ".", "b", "<", "=", "1", "-", "*", "/", " ", ",", "0.5", "homes", "é",
    ]
    var formulas = 0
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 1...9, using: &generator)).map { _ in
        pieces.randomElement(using: &generator) ?? ""
      }.joined()
      if (try? Formula(text)) != nil { formulas += 1 }
    }
    #expect(formulas > 100 && formulas < 20_000)
  }

  private func problems(_ formula: String) throws -> [FileProblem] {
    let text = try Examples.text("demo").replacing("mean(TrafficFlowObserved.averageVehicleSpeed)", with: formula)
    do {
      _ = try ManifestFile.read(text: text, path: Examples.folder.appending(path: "demo.city.yaml").path)
      return []
    } catch { return error.problems }
  }

  @Test(
    "a KPI that the city can compute",
    arguments: [
      "sum(OffStreetParking.availableSpotNumber) / sum(OffStreetParking.totalSpotNumber)",
      "share(Streetlight.status = ok)", "count(Streetlight.lampPower > 70) / count(Streetlight)",
      "sum(ACMeasurement.activePower) / homes * 1000", "count(PointOfInterest) / area", "visitors / people",
      "count(GtfsStop)", "median(PointOfInterest.height)", "mean(TrafficFlowObserved.speedLimit)",
    ])
  func computable(formula: String) throws { #expect(try problems(formula) == []) }

  @Test(
    "a KPI that it cannot compute names file, line, key, found and expected",
    arguments: [
      ("mean(AirQualityObserved.pm2)", "'AirQualityObserved.pm2', which no fleet or connector gives", "'pm25'"),
      ("mean(Tram.speed)", "the type 'Tram', which no fleet or connector gives", "one of "),
      ("mean(Streetlight.status)", "'Streetlight.status', which is no number", "one of "),
      ("share(AirQualityObserved.pm25 = low)", "a word to compare", "a number"),
      ("mean(GtfsStop.name)", "'GtfsStop.name', which is no number", "one of locationType"),
      ("mean(AirQualityObserved.pm25", "the end at character 29", "')'"),
    ])
  func notComputable(formula: String, found: String, expected: String) throws {
    let told = try problems(formula)
    let lines = try Examples.text("demo").split(separator: "\n", omittingEmptySubsequences: false)
    let line = 1 + (lines.firstIndex { $0.contains("averageVehicleSpeed)") } ?? 0)
    #expect(told.map(\.key) == ["kpis[1].formula"] && told.map(\.line) == [line])
    #expect(told.first?.found.hasPrefix(found) == true, "\(told)")
    #expect(told.first?.expected.contains(expected) == true, "\(told)")
    #expect(told.first?.description.contains("demo.city.yaml:\(line): kpis[1].formula: found ") == true)
  }

  @Test("an attribute that a fleet keeps to itself is not there")
  func unpublished() throws {
    let text = try Examples.text("demo").replacing(
      "type: TrafficFlowObserved\n", with: "type: TrafficFlowObserved\n    attributes: [intensity]\n")
    let path = Examples.folder.appending(path: "demo.city.yaml").path
    let told = #expect(throws: FileProblems.self) { try ManifestFile.read(text: text, path: path) }
    #expect(told?.problems.map(\.key) == ["kpis[1].formula"])
  }
}
