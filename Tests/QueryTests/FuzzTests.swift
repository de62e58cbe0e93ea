import Fuzzing
import NGSI
import Query
import Testing

/// Mutated and assembled texts against every parser of queries (see `Fuzz`).
@Suite(.serialized) struct FuzzTests {
  private func fuzz(_ seeds: [String], _ tokens: [String], _ parse: (String) throws -> Void) throws {
    let outcome = Fuzz().run {
      Mutation.text(&$0, seeds, tokens)
    } parse: {
      try parse($0)
    }
    #expect(outcome.findings == [])
    #expect(outcome.isTelling, "\(outcome.taken) of \(outcome.tried) were taken")
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

  @Test func temporal() throws {
    let times = ["2017-12-24T12:00:00Z", "2017-12-24T12:00:00.123456Z", "2017-02-29", "", "24:00:00Z"]
    var choice = Seeded(7)
    try fuzz(
      ["before", "after", "between"], ["be", "fore", "after", "tween", " ", "é", "\u{0}"]
    ) { relation in
      _ = try TemporalFilter(
        timerel: relation, timeAt: choice.pick(times), endTimeAt: choice.chance(50) ? choice.pick(times) : nil,
        timeproperty: choice.chance(50) ? choice.pick(["observedAt", "createdAt", "x"]) : nil)
    }
  }
}
