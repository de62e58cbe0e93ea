import Foundation
import NGSI
import Oracles
import Testing

@testable import City

/// The published schema, PyPI's jsonschema and our reader must say the same of any manifest.
@Suite("Manifest against jsonschema")
struct SchemaOracleTests {
  /// Changes of one line that only a shape decides, not a rule between keys.
  static let mutations: [(String, String)] = [
    ("madang: 1", "madang: 2"), ("madang: 1", "madang: \"1\""), ("madang: 1\n", ""), ("id: seomyeon", "id: Seo Myeon"),
    ("id: seomyeon", "id: 7"), ("mode: simulated", "mode: dreamt"), ("mode: simulated", "mode: build"),
    ("seed: 20191108", "seed: -1"), ("seed: 20191108", "seed: 1.5"), ("seed: 20191108", "seed: 9007199254740991"),
    ("seed: 20191108", "seed: 9007199254740992"), ("seed: 20191108", "seed: 2.0"), ("sampling: 0.01", "sampling: 0"),
    ("sampling: 0.01", "sampling: 1"), ("sampling: 0.01", "sampling: 1.01"), ("country: KR", "country: kr"),
    ("country: KR", "country: KOR"), ("area: 4.0", "area: big"), ("elevation: 15", "elevation: .inf"),
    ("weekend: [saturday, sunday]", "weekend: []"), ("weekend: [saturday, sunday]", "weekend: [sunday]"),
    ("weekend: [saturday, sunday]", "weekend: saturday"), ("celsius: 26.1", "celsius: 99"),
    ("month: 8", "month: 13"), ("month: 8", "moon: 8"), ("dailyRange: 7.5", "dailyRange: true"),
    ("people: 48000", "people: 48000.0"), ("visitors: 90000", "visitor: 90000"), ("cadence: 10m", "cadence: 10"),
    ("cadence: 10m", "cadence: 10min"), ("cadence: 10m", "cadence: 0m"), ("cadence: 30s", "cadence: 45s"),
    ("type: Streetlight", "type: StreetLight"),
    ("count: 240", "count: 0"), ("count: 240", "count: 20001"), ("pattern: scatter", "pattern: random"),
    ("pattern: scatter", "pattern: scatter, seedOffset: 3"), ("optional: true", "optional: yes please"),
    ("optional: true", "optional: false"), ("better: lower", "better: cheaper"), ("unit: kW", "unit: \"\""),
    ("target: 15", "target: ten"), ("formula: mean(AirQualityObserved.pm25)", "formula: drop;table"),
    ("may: [read]", "may: []"), ("may: [read]", "may: [fly]"), ("basis: contract", "basis: because"),
    ("retention: 5y", "retention: 5 years"), ("retention: 2y", "retention: 730d"), ("atLeast: 0.98", "atLeast: 98"),
    ("measure: completeness", "measure: beauty"), ("entities: 100000", "entities: 0"), ("limits:", "limit:"),
    ("entities: 100000", "entities: 99999"), ("format: gtfs", "format: zip"),
    ("services: [energy,", "services: [energie,"),
    ("services: [energy,", "services: ["), ("ko: 주민", "ko: null"), ("en: Resident", "en: 3"),
    ("en: Resident", "fr: Habitant"), ("warmest: {month: 8, celsius: 26.1}", "warmest: 26.1"),
    ("points: [[129.0575, 35.1665]", "points: [[129.0575]"),
    ("points: [[129.0575, 35.1665]", "points: [[229.0575, 35.1665]"),
    ("centre: [129.06, 35.158]", "centre: [129.06, 35.158, 3]"), ("homes: 22000", "homes: 22_000"),
  ]

  @Test("valid, invalid and canonical form, for the examples and 60 changed manifests")
  func agreement() throws {
    let demo = try Examples.text("demo")
    var texts = try Examples.paths.map { try String(contentsOfFile: $0, encoding: .utf8) }
    for (old, new) in Self.mutations {
      #expect(demo.contains(old), "the mutation of '\(old)' changes nothing")
      texts.append(demo.replacing(old, with: new, maxReplacements: 1))
    }
    let question: JSON = ["schema": Manifest.schema, "texts": .array(texts.map(JSON.string))]
    guard let answers = try Oracle.ask("manifest_oracle.py", question, for: "manifests against jsonschema")?.array
    else { return }
    var counts = (valid: 0, invalid: 0)
    for (text, answer) in zip(texts, answers) {
      let change = texts.firstIndex(of: text).map { $0 - (texts.count - Self.mutations.count) } ?? -1
      let name = change >= 0 ? "\(Self.mutations[change])" : "example"
      do {
        let file = try ManifestFile.read(text: text, path: "x")
        #expect(answer["valid"]?.bool == true, "we take, jsonschema refuses: \(name) \(answer["error"]?.string ?? "")")
        #expect(answer["canonical"]?.string == String(decoding: file.canonical, as: UTF8.self), "\(name)")
        counts.valid += 1
      } catch {
        #expect(answer["valid"]?.bool == false, "jsonschema takes, we refuse: \(name) \(error)")
        counts.invalid += 1
      }
    }
    #expect(answers.count == texts.count && counts.valid > 10 && counts.invalid > 30, "\(counts)")
  }

  @Test("numbers as ECMAScript writes them (RFC 8785 appendix B)")
  func numbers() {
    let samples: [(UInt64, String)] = [
      (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"), (0x0000_0000_0000_0001, "5e-324"),
      (0x7FEF_FFFF_FFFF_FFFF, "1.7976931348623157e+308"), (0x4340_0000_0000_0000, "9007199254740992"),
      (0x4430_0000_0000_0000, "295147905179352830000"), (0x44B5_2D02_C7E1_4AF5, "9.999999999999997e+22"),
      (0x44B5_2D02_C7E1_4AF6, "1e+23"), (0x444B_1AE4_D6E2_EF4E, "999999999999999700000"),
      (0x444B_1AE4_D6E2_EF50, "1e+21"), (0x3EB0_C6F7_A0B5_ED8C, "9.999999999999997e-7"),
      (0x3EB0_C6F7_A0B5_ED8D, "0.000001"), (0x41B3_DE43_5555_5553, "333333333.3333332"),
      (0xBECB_F647_612F_3696, "-0.0000033333333333333333"), (0x4314_3FF3_C1CB_0959, "1424953923781206.2"),
    ]
    for (bits, text) in samples { #expect(CanonicalJSON.number(Double(bitPattern: bits)) == text) }
  }
}
