import Fuzzing
import Testing

@testable import City

/// Nearly right manifests and formulas against their readers (see `Fuzz`).
@Suite(.serialized) struct FuzzTests {
  private struct Broken: Error {
    let what: String
  }

  private static let manifest = """
    madang: 1
    id: fuzz
    kind: downtown-redevelopment
    mode: simulated
    seed: 7
    sampling: 0.5
    site:
      name: {ko: "시험", en: "Test"}
      country: KR
      timeZone: Asia/Seoul
      centre: [129.06, 35.158]
      boundary: [[129.0, 35.1], [129.1, 35.1], [129.1, 35.2], [129.0, 35.2]]
      area: 101 # km²
      climate:
        warmest: {month: 8, celsius: 26.1}
        coldest: {month: 1, celsius: 3.6}
        dailyRange: 7.5
        relativeHumidity: 65
        annualRain: 1577
        windSpeed: 3.4
    population: {people: 48000, homes: 22000}
    services: [eco, data]
    fleets:
      - id: air
        type: AirQualityObserved
        count: 9
        cadence: 10m
        placement: {pattern: grid}
      - id: lights
        type: Streetlight
        count: 24
        cadence: 15m
        placement: {pattern: street}
    kpis:
      - id: pm
        name: {ko: "먼지", en: "Dust"}
        formula: "mean(AirQualityObserved.pm25) / 2"
        unit: GQ
        target: 15
        better: lower
    """

  @Test func manifests() {
    let tokens = [
      ":", "- ", "  ", "\t", "[", "]", "{", "}", ",", "&a", "*a", "*lights", "<<: *lights", "!!binary x", "|", ">", "#",
      "\"", "'", "---", "...", "%YAML 1.2", "? x", "null", "~", "1e999", "-1", "0x7f", "1_000", "yes", "10m",
      "99999999d",
      "id: air", "kind: global-hub", "é", "\u{0}", "\u{FEFF}", "a: &a [*a, *a]", "fleets:", "count: 1000000000000",
    ]
    let seeds = [Self.manifest]
    let outcome = Fuzz(share: 0.05).run {
      $0.chance(70) ? Mutation.lines(&$0, seeds, tokens) : Mutation.text(&$0, seeds, tokens)
    } isRefusal: {
      ($0 as? FileProblems)?.problems.isEmpty == false
    } parse: { (text: String) in
      let file = try ManifestFile.read(text: text, path: "fuzz.city.yaml")
      // The canonical form says the same.
      let again = try ManifestFile.read(text: String(decoding: file.canonical, as: UTF8.self), path: "again.city.yaml")
      guard again.hash == file.hash else { throw Broken(what: "the canonical form has another hash") }
    }
    #expect(outcome.findings == [])
    #expect(outcome.isTelling, "\(outcome.taken) of \(outcome.tried) were taken")
  }

  @Test func formulas() {
    let seeds = [
      "mean(AirQualityObserved.pm25) / 2", "percentile(AirQualityObserved.pm25,95)", "-(1 + homes) / 2e3 * people",
      "count(Streetlight, powerState == \"on\") / count(Streetlight)",
    ]
    let tokens = [
      "mean", "sum", "count", "(", ")", "+", "-", "*", "/", ".", ",", "1", "1e308", "homes", "A.b", "==", "\"", " ",
      "é",
      "\u{0}", "((((((((((((((((",
    ]
    let outcome = Fuzz().run {
      Mutation.text(&$0, seeds, tokens)
    } isRefusal: {
      $0 is FormulaProblem
    } parse: {
      _ = try Formula($0)
    }
    #expect(outcome.findings == [])
    #expect(outcome.isTelling, "\(outcome.taken) of \(outcome.tried) were taken")
  }
}
