import NGSI
import Query
import Testing

@Suite struct SelectionTests {
  // Clauses: 4.16, 4.17
  @Test(arguments: [
    ("Building|House", ["House"], true), ("Building,House", ["Shop"], false),
    ("(Home;Vehicle)", ["Home", "Vehicle"], true),
    ("(Home;Vehicle)", ["Home"], false), ("(Home;Vehicle)|Motorhome", ["Motorhome"], true),
    ("(Home;Vehicle),Motorhome", ["Vehicle", "Home", "X"], true), ("Home;Vehicle", ["Home"], false), ("*", ["X"], true),
    ("((A|B);C)", ["B", "C"], true), ("https://example.org/House", ["House"], true),
  ])
  func selectsTypes(_ text: String, _ types: [String], _ expected: Bool) throws {
    let selection = try TypeSelection(text, context: context)
    #expect(selection.matches(types.map { example + $0 }) == expected)
  }

  // Clauses: 4.17
  @Test(arguments: ["", "A||B", "A;", "(A", "A)", "A B", "*,A", "9", "A\"B", "A<b>"])
  func refusesTypes(_ text: String) {
    #expect(throws: Problem.self) { try TypeSelection(text, context: context) }
  }

  // Clauses: 4.19
  @Test(arguments: [
    ("/Madrid", ["/Madrid"], true), ("/Madrid", ["/Madrid/Gardens"], false),
    ("/Madrid/Gardens/#", ["/Madrid/Gardens"], true), ("/Madrid/Gardens/#", ["/Madrid/Gardens/ParqueNorte/P1"], true),
    ("/Madrid/Gardens/#", ["/Madrid/GardensOfOld"], false),
    ("/Madrid/+/ParqueNorte", ["/Madrid/Sights/ParqueNorte"], true),
    ("/Madrid/+/ParqueNorte", ["/Madrid/ParqueNorte"], false),
    ("/Madrid/+/ParqueNorte", ["/Madrid/A/ParqueNorte/B"], false),
    ("(/Madrid/Districts;/CompanyA)", ["/CompanyA", "/Madrid/Districts"], true),
    ("(/Madrid/Districts;/CompanyA)", ["/CompanyA"], false),
    ("(/Madrid/Districts;/CompanyA)|CompanyB", ["/CompanyB"], true),
    ("(/Madrid/Districts;/CompanyA),CompanyB", ["/CompanyC"], false), ("/#", [], false), ("/#", ["/x"], true),
    ("/+/#", ["/a"], true), ("/+/#", ["/a/b/c"], true), ("/+", ["/a/b"], false), ("/서울/+", ["/서울/마포"], true),
  ])
  func selectsScopes(_ text: String, _ scopes: [String], _ expected: Bool) throws {
    #expect(try ScopeFilter(scopeQ: text).matches(scopes) == expected)
  }

  // Clauses: 4.19
  @Test(arguments: ["", "/", "//a", "/a/", "/#/a", "(/a", "/a;;/b", "/a b", "/a/1b", "#a"])
  func refusesScopes(_ text: String) {
    #expect(throws: Problem.self) { try ScopeFilter(scopeQ: text) }
  }

  // Clauses: 5.2.33
  @Test func readsSelectors() throws {
    let json = try JSONParser.parse(
      #"[{"type":"Room","idPattern":"^urn:r:"},{"type":"A|B","id":["urn:x:1","urn:x:2"]},{"type":"*"}]"#)
    let selectors = try EntitySelector.list(json: json, context: context)
    #expect(selectors.count == 3)
    #expect(selectors[1].ids == ["urn:x:1", "urn:x:2"])
    var query = EntityQuery()
    query.selectors = Array(selectors.prefix(2))
    #expect(try query.matches(Entity(id: "urn:r:7", types: [example + "Room"])))
    #expect(try !query.matches(Entity(id: "urn:q:7", types: [example + "Room"])))
    #expect(try query.matches(Entity(id: "urn:x:2", types: [example + "B"])))
    #expect(try !query.matches(Entity(id: "urn:x:3", types: [example + "B"])))
    for bad in ["[]", "{}", "[1]", #"[{"id":"no uri"}]"#, #"[{"idPattern":"("}]"#, #"[{"type":5}]"#] {
      let json = try JSONParser.parse(bad)
      #expect(throws: Problem.self, "\(bad)") { try EntitySelector.list(json: json, context: context) }
    }
  }

  // Clauses: 4.11, 5.2.21
  @Test func readsTimes() throws {
    let between = try TemporalFilter(
      timerel: "between", timeAt: "2017-12-13T14:20:00Z", endTimeAt: "2017-12-13T14:40:00Z", timeproperty: "modifiedAt")
    #expect(between.property == .modifiedAt)
    let start = try #require(DateTime("2017-12-13T14:20:00Z"))
    let end = try #require(DateTime("2017-12-13T14:40:00Z"))
    #expect(between.contains(start) && !between.contains(end))
    #expect(try TemporalFilter(timerel: "after", timeAt: "2017-12-13T14:20:00Z").contains(start))
    #expect(try !TemporalFilter(timerel: "before", timeAt: "2017-12-13T14:20:00Z").contains(start))
    let json = try JSONParser.parse(#"{"timerel":"before","timeAt":"2017-12-13T14:20:00Z"}"#)
    #expect(try TemporalFilter(json: json).property == .observedAt)
    for (relation, at, endAt, property) in [
      ("before", nil, nil, nil), ("between", "2017-12-13T14:20:00Z", nil, nil),
      ("during", "2017-12-13T14:20:00Z", nil, nil),
      ("after", "yesterday", nil, nil), ("after", "2017-12-13T14:20:00Z", nil, "expiresAt"),
    ] as [(String, String?, String?, String?)] {
      #expect(throws: Problem.self) {
        try TemporalFilter(timerel: relation, timeAt: at, endTimeAt: endAt, timeproperty: property)
      }
    }
  }

  // Clauses: 4.21
  @Test func readsProjections() throws {
    let projection = try Projection("id,locatedAt{id|name,isIn{description}}|name", context: context)
    #expect(projection.hops == 2)
    #expect(projection.contains(.id) && !projection.contains(.type))
    #expect(projection.attributes == [example + "locatedAt", example + "name"])
    let linked = try #require(projection.linked(through: example + "locatedAt"))
    #expect(linked.attributes == [example + "name", example + "isIn"])
    #expect(try Projection("name|a", context: context) == Projection("name,a", context: context))
    let json: JSON = ["id", "a{b}"]
    #expect(try Projection(json: json, context: context).terms.count == 2)
    #expect(try Projection.attributeNames("a,b", context: context) == [example + "a", example + "b"])
    for bad in ["", "a||b", "a,", "a{", "a{}", "a{b", "a}b", "id{a}", "a b", ",a"] {
      #expect(throws: Problem.self, "\(bad)") { try Projection(bad, context: context) }
    }
    let deep = String(repeating: "a{", count: 1_000) + "b" + String(repeating: "}", count: 1_000)
    #expect(throws: Problem.self) { try Projection(deep, context: context) }
  }
}
