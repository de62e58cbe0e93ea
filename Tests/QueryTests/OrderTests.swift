import NGSI
import Query
import Testing

// Clauses: 4.23, 5.2.43
@Suite struct OrderTests {
  private func ids(_ orderBy: String, _ bodies: [String], from: String? = nil, collation: String? = nil) throws
    -> [String]
  {
    let keys = try OrderKey.list(orderBy: orderBy, from: from, context: context)
    let entities = try bodies.enumerated().map { try entity(#"{"id":"urn:\#($0.offset)","type":"T",\#($0.element)}"#) }
    return try EntityOrder(keys, collation: collation).sorted(entities).map { String($0.id.dropFirst(4)) }
  }

  /// Clause 4.23.2; null and missing stand last both ways.
  @Test func ordersKinds() throws {
    let values = [
      #""x":1"#, #""a":{"type":"Property","value":true}"#, #""a":{"type":"Property","value":[1,2]}"#,
      #""a":{"type":"Property","value":{"k":1}}"#, #""a":{"type":"Property","value":"text"}"#,
      #""a":{"type":"Property","value":-5}"#, #""a":{"type":"Property","value":3.5}"#,
      #""a":{"type":"JsonProperty","json":null}"#,
      #""a":{"type":"Property","value":{"@type":"DateTime","@value":"2020-01-01T00:00:00Z"}}"#,
      #""a":{"type":"Property","value":{"@type":"Date","@value":"2020-01-01"}}"#,
      #""a":{"type":"Property","value":{"@type":"Time","@value":"10:00:00Z"}}"#,
    ]
    #expect(try ids("a", values) == ["5", "6", "4", "3", "2", "1", "10", "9", "8", "7", "0"])
    #expect(try ids("a;desc", values) == ["8", "9", "10", "1", "2", "3", "4", "6", "5", "7", "0"])
  }

  @Test func ordersByPathsAndSeveralKeys() throws {
    let bodies = [
      #""n":"b","k":1,"address":{"type":"Property","value":{"city":"Zurich"}}"#,
      #""n":"a","k":2,"address":{"type":"Property","value":{"city":"Aarau"}}"#,
      #""n":"a","k":1,"address":{"type":"Property","value":{"city":"Bern"}}"#,
    ]
    #expect(try ids("n,k;desc", bodies) == ["1", "2", "0"])
    #expect(try ids("address[city]", bodies) == ["1", "2", "0"])
    #expect(try ids("id;desc", bodies) == ["2", "1", "0"])
    #expect(try ids("missing", bodies) == ["0", "1", "2"])
  }

  /// The orders that ICU documents; code points without a collation.
  @Test func ordersByCollation() throws {
    let words = ["A", "b", "á"].map { #""n":{"type":"Property","value":"\#($0)"}"# }
    #expect(try ids("n", words) == ["0", "1", "2"])
    #expect(try ids("n", words, collation: "und") == ["0", "2", "1"])
    let german = ["Ofen", "Öl", "Oel"].map { #""n":{"type":"Property","value":"\#($0)"}"# }
    #expect(try ids("n", german, collation: "de-u-co-phonebk") == ["2", "1", "0"])
    #expect(try ids("n", german, collation: "de") == ["2", "0", "1"])
    for bad in ["!!nope", "not a bcp47 tag!!", "", "de-"] {
      #expect(throws: Problem.self, "\(bad)") { try Collation(bad) }
    }
  }

  @Test func ordersByDistance() throws {
    func place(_ longitude: Double, _ latitude: Double) -> String {
      #""location":{"type":"GeoProperty","value":{"type":"Point","coordinates":[\#(longitude),\#(latitude)]}}"#
    }
    let bodies = [place(10, 45), place(8.01, 40.01), #""location":"none""#, place(9, 40), #""x":1"#]
    let located = Context(terms: ["location": .init(iri: Core.location)], vocabulary: example, source: .null)
    let entities = try bodies.enumerated().map { item in
      try EntityReader(context: located).entity(
        try JSONParser.parse(#"{"id":"urn:\#(item.offset)","type":"T",\#(item.element)}"#)
      ).entity()
    }
    func order(_ orderBy: String) throws -> [String] {
      let keys = try OrderKey.list(orderBy: orderBy, from: "[8,40]", context: located)
      return try EntityOrder(keys).sorted(entities).map { String($0.id.dropFirst(4)) }
    }
    #expect(try order("location;dist-asc") == ["1", "3", "0", "2", "4"])
    #expect(try order("location;dist-desc").last == "4")
    let ordering = try JSONParser.parse(
      #"{"orderBy":["location;dist-asc"],"coordinates":[[8,40],[9,42]],"geometry":"LineString","collation":"und"}"#)
    let (keys, collation) = try OrderKey.list(json: ordering, context: located)
    #expect(keys.count == 1 && collation == "und")
  }

  @Test(arguments: ["", "a,", "a;up", "a;asc;desc", ";asc", "a;dist-asc", "a b", "a{b}"])
  func refuses(_ text: String) {
    #expect(throws: Problem.self) { try OrderKey.list(orderBy: text, context: context) }
  }

  @Test(arguments: [
    #"{"orderBy":["location;dist-asc"]}"#, #"{"orderBy":["location;dist-asc"],"coordinates":"8,40"}"#,
    #"{"orderBy":["id;asc"],"geometry":5}"#, #"{"orderBy":["id;asc"],"collation":"not a bcp47 tag!!"}"#,
    #"{"orderBy":[5]}"#,
  ])
  func refusesJSON(_ text: String) throws {
    let json = try JSONParser.parse(text)
    #expect(throws: Problem.self) { try OrderKey.list(json: json, context: context) }
  }
}
