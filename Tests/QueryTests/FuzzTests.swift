import Foundation
import NGSI
import Query
import Testing

/// Mutated and assembled texts against every parser: an answer or a problem, quickly, never a crash.
///
/// `MADANG_FUZZ=N` tries N inputs for each parser instead of the short default; `MADANG_FUZZ_SEED` starts elsewhere.
@Suite(.serialized) struct FuzzTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let count = environment["MADANG_FUZZ"].flatMap(Int.init) ?? 20_000
  private static let seed = environment["MADANG_FUZZ_SEED"].flatMap(UInt64.init) ?? 42
  /// No single input may take longer, however slow the machine.
  private static let patience = Duration.seconds(2)

  private func fuzz(_ seeds: [String], _ tokens: [String], _ parse: (String) throws -> Void) throws {
    var random = Seeded(Self.seed)
    let clock = ContinuousClock()
    var taken = 0
    for _ in 0..<Self.count {
      let text = Mutation.text(&random, seeds, tokens)
      let time = clock.measure {
        do {
          try parse(text)
          taken += 1
        } catch let problem as Problem {
          if problem.kind == .internalError { Issue.record("\(text.debugDescription): \(problem.detail)") }
        } catch {
          Issue.record("\(text.debugDescription): \(error)")
        }
      }
      if time > Self.patience { Issue.record("\(text.debugDescription) took \(time)") }
    }
    // Inputs that are all refused at the first character would prove little.
    #expect(taken > Self.count / 200, "\(taken) of \(Self.count) were taken")
  }

  // Clauses: 4.9
  @Test func q() throws {
    let target = try entity(
      #"{"id":"urn:x:1","type":"T","a":{"type":"Property","value":"aaaaaaaaaaaaaaaaaaaaaaaa!"},"b":[1,"x"],"c":true}"#)
    let seeds = [
      "speed>50;brandName!=\"Mercedes\"", "((speed>50|rpm>3000);brandName==\"Mercedes\")", "a.b[c.d]==10..20",
      "temperature.observedAt>=2017-12-24T12:00:00Z", "sensor{Device:owner{name}}~=\"^a(b|c)*$\"", "!a;b",
      "a==\"x\",1,true,urn:x:1,2020-01-01,10:00:00Z", "color[*]!=\"red\"", "a~=^(a+)+$|b!~=[;|]", "이름==\"\\u00e9\\\"\"",
    ]
    let tokens = [
      "a", "b", "c", "==", "!=", ">", ">=", "<", "<=", "~=", "!~=", ";", "|", "(", ")", "[", "]", "{", "}", ".", "..",
      ",", "!",
      "\"x\"", "\"", "\\", "1", "-2.5e3", "true", "2020-01-01T00:00:00Z", "urn:x:1", "10:00:00Z", " ", "*", "(a+)+",
      "é", "\u{0}",
    ]
    try fuzz(seeds, tokens) { text in
      let filter = try Filter(q: text, context: context, expandValues: ["c"])
      let narrowing = filter.narrowing
      let holds: Bool
      do { holds = try filter.matches(target) } catch let problem as Problem where problem.kind == .tooComplexQuery {
        return
      }
      if holds, !narrowing.holds(for: target) { Issue.record("\(text.debugDescription) is narrowed to \(narrowing)") }
    }
  }

  // Clauses: 4.17, 4.19
  @Test func selections() throws {
    try fuzz(
      ["(Home;Vehicle)|Motorhome", "A,B|C", "*", "https://example.org/(a);b"],
      ["A", "B", ";", "|", ",", "(", ")", "*", "urn:x", " ", "é", "\""]
    ) { _ = try TypeSelection($0, context: context).matches([example + "A"]) }
    try fuzz(
      ["/Madrid/Gardens/#", "(/Madrid/+/A;/B)|C", "/#"], ["/", "+", "#", "a", ";", "|", ",", "(", ")", " ", "é"]
    ) { _ = try ScopeFilter(scopeQ: $0).matches(["/a/b", "/Madrid/x/A"]) }
  }

  // Clauses: 4.21, 4.23
  @Test func projectionsAndOrders() throws {
    try fuzz(["id,a{b,c{d}}|e", "type"], ["a", "id", "{", "}", ",", "|", " ", "é"]) {
      _ = try Projection($0, context: context).hops
    }
    let target = try entity(#"{"id":"urn:x:1","type":"T","a":{"type":"Property","value":{"b":1}}}"#)
    try fuzz(
      ["name,age;desc", "address[city];asc", "name.observedAt", "location;dist-asc"],
      ["a", ";", "asc", "desc", "dist-desc", ",", "[b]", ".", "{", "}", "id"]
    ) {
      let keys = try OrderKey.list(orderBy: $0, from: "[8,40]", context: context)
      _ = try EntityOrder(keys).sorted([target, target])
    }
  }

  // Clauses: 4.10
  @Test func geometries() throws {
    let targets = try [
      #"{"type":"Point","coordinates":[0.5,0.5]}"#,
      #"{"type":"Polygon","coordinates":[[[0,0],[2,2],[2,0],[0,2],[0,0]]]}"#,
    ].map { try JSONParser.parse($0) }
    let georels = [
      "near;maxDistance==2000", "near;minDistance==5", "within", "contains", "intersects", "equals", "disjoint",
      "overlaps",
    ]
    let geometries = ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]
    var choice = Seeded(5)
    try fuzz(
      [
        "[8,40]", "[[8,40],[9,42]]", "[[[0,0],[1,0],[1,1],[0,0]]]", "[[[[0,0],[1,0],[1,1],[0,0]]]]",
        "[[[0,0],[2,2]],[[0,2],[2,0]]]",
      ],
      ["[", "]", ",", "0", "1", "180", "-90", "0.5", "1e308", "-0", "null", "[0,0]", "[1,1]"]
    ) { text in
      let geometry = choice.pick(geometries)
      let filter = try GeoFilter(georel: choice.pick(georels), geometry: geometry, coordinates: text, context: context)
      let matcher = try GeoMatcher(filter)
      for target in targets { _ = matcher.matches(target) }
    }
    try fuzz(georels, ["near", ";", "maxDistance", "minDistance", "==", "=", "5", "-1", "1e9", "within", " "]) {
      _ = try GeoFilter(georel: $0, geometry: "Point", coordinates: "[1,2]", context: context)
    }
  }
}

enum Mutation {
  /// A seed with a few changes, or tokens one after another.
  static func text(_ random: inout Seeded, _ seeds: [String], _ tokens: [String]) -> String {
    if random.chance(40) {
      let length = 1 + random.below(random.below(500) == 0 ? 3_000 : 14)
      return (0..<length).map { _ in random.pick(tokens) }.joined()
    }
    var scalars = Array(random.pick(seeds).unicodeScalars)
    for _ in 0..<random.below(4) {
      let position = random.below(scalars.count + 1)
      switch random.below(4) {
      case 0: scalars.insert(contentsOf: random.pick(tokens).unicodeScalars, at: position)
      case 1 where position < scalars.count: scalars.remove(at: position)
      case 2 where position < scalars.count: scalars[position] = Unicode.Scalar(UInt8(random.below(128)))
      default:
        let end = min(scalars.count, position + random.below(8))
        scalars.insert(contentsOf: scalars[position..<end], at: random.below(scalars.count + 1))
      }
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }
}
