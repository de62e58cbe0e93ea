import NGSI
import Testing

@testable import Console

@Suite("Texts")
struct StringsTests {
  let resources: Resources
  let strings: Strings

  init() throws {
    resources = try Resources(folder: nil)
    strings = try Strings(resources)
  }

  @Test("both languages have the same keys, none empty, with the same places to fill")
  func sameKeys() {
    let (ko, en) = (strings.table(.ko), strings.table(.en))
    #expect(Set(ko.keys) == Set(en.keys))
    #expect(ko.count > 100)
    for (key, text) in ko {
      #expect(!text.isEmpty && en[key]?.isEmpty == false, "\(key)")
      #expect(places(text) == places(en[key] ?? ""), "\(key)")
    }
  }

  private func places(_ text: String) -> [String] {
    text.matches(of: /\{[a-z]+\}/).map { String($0.output) }.sorted()
  }

  @Test("every key that templates and modules use exists")
  func usedKeys() throws {
    let known = strings.table(.en)
    for (path, bytes) in resources.files {
      let text = String(decoding: bytes, as: UTF8.self)
      if path.hasPrefix("templates/") {
        for match in text.matches(of: /\{\{t\.([A-Za-z]+)\}\}/) {
          #expect(known[String(match.1)] != nil, "\(path) \(match.1)")
        }
      }
      if path.hasPrefix("js/") {
        for match in text.matches(of: /text\("((?:js|proof)[A-Za-z0-9]+)"/) {
          #expect(known[String(match.1)] != nil, "\(path) \(match.1)")
        }
        for match in text.matches(of: /Refusal\("([A-Za-z]+)"|decode\([^"]*, "([A-Za-z]+)"/)
        where path != "js/verify.js" {
          let why = match.1 ?? match.2 ?? ""
          #expect(known["proofRefusal\(why)"] != nil, "\(path) \(why)")
        }
      }
    }
  }

  @Test(
    "the language is the address's, the cookie's, the browser's, English",
    arguments: [
      ("ko", "en", "en", Language.ko), (nil, "ko", "en", .ko), (nil, nil, "ko-KR,ko;q=0.9,en;q=0.8", .ko),
      (nil, nil, "en;q=0.4, ko;q=0.7", .ko), (nil, nil, "de, fr;q=0.5", .en), (nil, nil, nil, .en),
      ("xx", "yy", "ko;q=0", .en),
    ] as [(String?, String?, String?, Language)])
  func language(query: String?, cookie: String?, accept: String?, expected: Language) {
    #expect(Language.chosen(query: query, cookie: cookie, acceptLanguage: accept) == expected)
  }

  @Test("units, names, numbers and ages are for people")
  func texts() throws {
    let names = try Names(resources)
    #expect(names.unit("CEL") == "°C")
    #expect(names.unit("GQ") == "µg/m³")
    #expect(names.unit("ZZZ") == "ZZZ")
    #expect(Names.short("https://smartdatamodels.org/dataModel.Environment/AirQualityObserved") == "AirQualityObserved")
    #expect(NumberText.short(1_234_567.8) == "1,234,568")
    #expect(NumberText.short(0.031) == "0.031")
    #expect(NumberText.short(-12.5) == "-12.5")
    #expect(strings.duration(59, .en) == "59 s")
    #expect(strings.duration(3_599, .en) == "59 min 59 s")
    #expect(strings.duration(7_260, .ko) == "2시간 1분")
    #expect(strings.duration(86_400 * 3 + 7_200, .en) == "3 d 2 h")
    let now = FixtureCity.noon
    #expect(strings.age(of: now.adding(seconds: -7200), at: now, .en) == "2 h ago")
    #expect(strings.age(of: now.adding(seconds: 300), at: now, .ko) == "5분 뒤")
    #expect(CityTime(identifier: "America/La_Paz").text(now) == "2026-05-31 23:00:00")
    #expect(CityTime(identifier: "Asia/Kolkata").offset(now) == "UTC+05:30")
  }

  @Test("percent encoding is undone, and odd input is kept")
  func percent() {
    #expect(Percent.decode(Percent.encode("urn:x:<한글>/?&=%")) == "urn:x:<한글>/?&=%")
    #expect(Percent.decode("100%") == "100%")
    #expect(Query("q=a+b%26c&q=second&lang=ko").with(["lang": "en"]) == "q=a%20b%26c&lang=en")
  }
}
