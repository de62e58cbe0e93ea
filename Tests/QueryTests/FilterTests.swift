import NGSI
import Query
import Testing
import TestSupport

// Clauses: 4.9
/// Clause 4.9: its examples, its semantics, and what the official suite's queries expect.
@Suite struct FilterTests {
  let station = """
    {"id": "urn:x:1", "type": "Station", "createdAt": "2020-05-01T00:00:00Z",
     "temperature": {"type": "Property", "value": 20, "unitCode": "CEL", "observedAt": "2018-01-01T00:00:00Z",
                     "accuracy": {"type": "Property", "value": 0.5}},
     "speed": [{"type": "Property", "value": 10}, {"type": "Property", "value": 55, "datasetId": "urn:d:1"}],
     "brandName": {"type": "Property", "value": "Mercedes"},
     "isParked": {"type": "Relationship", "object": "urn:ngsi-ld:OffStreetParking:Downtown1"},
     "route": {"type": "ListRelationship", "objectList": [{"object": "urn:a"}, {"object": "urn:b"}]},
     "color": {"type": "LanguageProperty", "languageMap": {"en": "red", "fr": ["rouge", "vin"], "de-AT": "rot"}},
     "tags": {"type": "Property", "value": ["blue", "red", 7]},
     "levels": {"type": "ListProperty", "valueList": [1, 2, 3]},
     "gender": {"type": "VocabProperty", "vocab": "Male"},
     "raw": {"type": "JsonProperty", "json": {"id": "85a6", "value": "Overstay 60 minutes", "none": null}},
     "address": {"type": "Property", "value": {"city": "Berlin", "geo": {"zip": 10115}}},
     "isOpen": {"type": "Property", "value": true},
     "opens": {"type": "Property", "value": "08:30:00Z"},
     "since": {"type": "Property", "value": "2019-02-03"},
     "seen": {"type": "Property", "value": {"@type": "DateTime", "@value": "2020-01-01T12:00:00.5Z"}}}
    """

  @Test(arguments: [
    // Existence
    ("temperature", true), ("humidity", false), ("temperature.accuracy", true), ("temperature.unitCode", true),
    ("!humidity", true), ("!temperature", false), ("!humidity;speed>50", true), ("address[city]", true),
    ("address[street]", false), ("raw[none]", true), ("color[en]", true), ("color[ko]", false),
    // Numbers
    ("temperature==20", true), ("temperature==20.0", true), ("temperature==2e1", true), ("temperature!=20", false),
    ("temperature>19.9", true), ("temperature>=20", true), ("temperature<20", false), ("temperature<=20", true),
    ("temperature==\"20\"", false), ("temperature!=\"20\"", true), ("temperature>\"1\"", false), ("speed<-1", false),
    // Several instances: any
    ("speed==10", true), ("speed==55", true), ("speed>50", true), ("speed!=10", true), ("speed>60", false),
    // Ranges and lists
    ("temperature==10..20", true), ("temperature==20..30", true), ("temperature==21..30", false),
    ("temperature!=10..20", false), ("temperature!=21..30", true), ("brandName!=1..2", true),
    ("brandName==\"A\"..\"N\"", true), ("brandName==\"Audi\",\"Mercedes\"", true),
    ("brandName!=\"Audi\",\"BMW\"", true),
    ("brandName!=\"Audi\",\"Mercedes\"", false), ("temperature==1,20,\"x\"", true),
    // Texts and patterns
    ("brandName==\"Mercedes\"", true), ("brandName!=\"Mercedes\"", false), ("brandName==\"mercedes\"", false),
    ("brandName>\"Maserati\"", true), ("brandName==Mercedes", true), ("brandName~=^Merc", true),
    ("brandName~=\"ced\"", true), ("brandName~=\"^ced\"", false), ("brandName!~=\"^Audi\"", true),
    ("brandName!~=^Merc", false), ("temperature~=2", false), ("temperature!~=2", false), ("humidity!~=x", false),
    ("brandName~=(Audi|Mercedes)$", true), ("brandName~=\"Audi|Merc\"", true), ("brandName~=[;|)]", false),
    ("raw[value]~=\"\\d+ min\"", true),
    // Arrays: any for equality, none for its opposite, no order
    ("tags==\"red\"", true), ("tags==7", true), ("tags==\"green\"", false), ("tags!=\"red\"", false),
    ("tags!=\"green\"", true), ("tags==\"green\",\"red\"", true), ("tags!=\"green\",\"red\"", false), ("tags>1", false),
    ("tags~=\"red\"", false), ("levels==2", true), ("levels!=4", true), ("levels==1..2", false),
    // Languages
    ("color==\"rouge\"", true), ("color[en]==\"red\"", true), ("color[en]==\"rouge\"", false),
    ("color[*]==\"rot\"", true), ("color[*]!=\"red\"", false), ("color[fr]==\"vin\"", true),
    ("color[fr]!=\"vin\"", false),
    ("color[en]!=\"blue\"", true), ("color[DE-at]==\"rot\"", true), ("color~=\"^ro\"", true),
    ("color!~=\"^ro\"", false),
    // Relationships, vocabularies
    ("isParked==\"urn:ngsi-ld:OffStreetParking:Downtown1\"", true),
    ("isParked==urn:ngsi-ld:OffStreetParking:Downtown1", true), ("isParked!=urn:other:1", true),
    ("isParked>\"urn:a\"", false), ("isParked~=urn", false), ("route==urn:b", true), ("route!=urn:b", false),
    ("route==urn:c,urn:b", true), ("gender==http://example.org/Male", true), ("gender==\"Male\"", false),
    // Values within values
    ("address[city]==\"Berlin\"", true), ("address[geo.zip]==10115", true), ("address[city]!=\"Bonn\"", true),
    ("address[street]!=\"x\"", false), ("address==\"Berlin\"", false), ("raw[value]==\"Overstay 60 minutes\"", true),
    // Sub-attributes and plain members
    ("temperature.accuracy<1", true), ("temperature.observedAt>=2017-12-24T12:00:00Z", true),
    ("temperature.observedAt<2017-12-24T12:00:00Z", false), ("temperature.observedAt>\"2017-12-24T12:00:00Z\"", true),
    ("temperature.observedAt==2017-01-01T00:00:00Z..2018-01-01T00:00:00Z", true),
    ("temperature.unitCode==\"CEL\"", true),
    ("temperature.unitCode!=\"CEL\"", false), ("speed.datasetId==urn:d:1", true), ("brandName.observedAt", false),
    ("createdAt>2020-04-30T00:00:00Z", true), ("modifiedAt>2020-04-30T00:00:00Z", false),
    // Kinds of value
    ("isOpen==true", true), ("isOpen!=true", false), ("isOpen==1", false), ("isOpen==\"true\"", false),
    ("opens<09:00:00Z", true), ("opens==08:30:00.0Z", true), ("since>=2019-02-03", true), ("since<2019-02-03", false),
    ("since==2019-01-01..2019-12-31", true), ("seen>2020-01-01T12:00:00Z", true),
    ("seen==2020-01-01T12:00:00.500Z", true),
    ("brandName>2019-01-01", false), ("brandName!=2019-01-01", true),
    // And before or; parentheses
    ("speed>50|nothing==1;nothing==2", true), ("(speed>50|nothing==1);nothing==2", false),
    ("((speed>50|rpm>3000);brandName==\"Mercedes\")", true), ("(temperature>=20;temperature<=25)|capacity<=10", true),
  ])
  func evaluates(_ q: String, _ expected: Bool) throws {
    #expect(try matches(q, try entity(station)) == expected, "\(q)")
  }

  @Test func expandsValuesWhereAsked() throws {
    let person = try entity(station)
    #expect(try matches("gender==Male", person, expandValues: ["gender"]))
    #expect(try matches("gender==\"Male\"", person, expandValues: ["gender"]))
    #expect(try matches("gender!=Female,Male", person, expandValues: ["gender"]) == false)
    #expect(try !matches("gender==Male", person))
  }

  @Test func followsRelationships() throws {
    let station = try entity(
      #"{"id":"urn:w:1","type":"WeatherStation","sensor":{"type":"Relationship","object":["urn:d:0","urn:d:1"]}}"#)
    let device = try entity(
      #"{"id":"urn:d:1","type":"Device","humidity":{"type":"Property","value":40},"owner":{"type":"Relationship","object":"urn:p:1"}}"#
    )
    let person = try entity(#"{"id":"urn:p:1","type":"Person","name":{"type":"Property","value":"Kim"}}"#)
    for (q, expected) in [
      ("sensor{humidity}==40", true), ("sensor{Device:humidity}==40", true), ("sensor{Vehicle:humidity}==40", false),
      ("sensor{Vehicle,Device:humidity}==40", true), ("sensor{owner{name}}==\"Kim\"", true),
      ("sensor{humidity}>40", false),
      ("sensor{Device:owner{Person:name}}", true), ("sensor{humidity.unitCode}", false), ("!sensor{noise}", true),
    ] {
      #expect(try matches(q, station, linked: [device, person]) == expected, "\(q)")
      // Without the linked entities nothing can be known of them.
      if !q.hasPrefix("!") { #expect(try !matches(q, station)) }
    }
  }

  @Test(arguments: [
    ("", 0), (" ", 0), (";", 1), ("a;", 3), ("a|", 3), ("a==", 4), ("a=1", 2), ("a>4..5", 4), ("a>1,2", 4),
    ("a>true", 3),
    ("a>urn:x:1", 3), ("a>word", 3), ("(a", 3), ("a)", 2), ("a==\"x", 4), ("a==\"\\q\"", 4), ("a..b", 3), ("a[", 3),
    ("a[b", 4), ("a[]", 3), ("a{b", 4), ("a{B,C}", 6), ("a{}", 3), ("1a", 1), ("a==1..\"x\"", 7), ("a==01", 4),
    ("a==1..", 7), ("a~=", 4), ("a~=(", 4), ("a~=\"[\"", 4), ("a~=\"x", 4), ("a==2020-13-01", 4), ("a==25:00:00Z", 4),
    ("!a==1", 1), ("a==1e999", 4), ("a b", 3), ("a==1 2", 6), ("a==,1", 4), ("a==NaN2!", 4), ("a&b", 2), ("a<>1", 3),
    ("a==\u{1F600}", 4),
  ])
  func refusesWithPosition(_ q: String, _ position: Int) {
    do {
      let filter = try Filter(q: q, context: context)
      Issue.record("\(q) was taken as \(filter)")
    } catch {
      #expect(error.kind == .badRequestData)
      if position > 0 { #expect(error.detail.contains("position \(position) "), "\(q): \(error.detail)") }
    }
  }

  @Test func boundsWhatAQueryMayCost() {
    let deep = String(repeating: "(", count: 5_000) + "a" + String(repeating: ")", count: 5_000)
    let many = Array(repeating: "a", count: 1_001).joined(separator: ";")
    let long = "a==\"" + String(repeating: "x", count: 20_000) + "\""
    let list = "a==" + Array(repeating: "1", count: 2_000).joined(separator: ",")
    let linked = String(repeating: "a{", count: 9) + "b" + String(repeating: "}", count: 9)
    for q in [deep, many, long, list, linked] {
      #expect(throws: Problem.self) { try Filter(q: q, context: context) }
      do { _ = try Filter(q: q, context: context) } catch { #expect(error.kind == .tooComplexQuery) }
    }
    let fits = Array(repeating: "a", count: 1_000).joined(separator: ";")
    #expect(throws: Never.self) { try Filter(q: fits, context: context) }
  }

  @Test func comparesTextsByTheirBytes() throws {
    let composed = try entity(#"{"id":"urn:x:1","type":"T","name":{"type":"Property","value":"\u00e9"}}"#)
    #expect(try matches("name==\"\u{e9}\"", composed))
    #expect(try !matches("name==\"e\u{301}\"", composed))
    #expect(try matches("이름", try entity(#"{"id":"urn:x:1","type":"T","이름":{"type":"Property","value":1}}"#)))
  }

  @Test func namesMayBeIRIs() throws {
    let filter = try Filter(q: "https://example.org/speed==5;ex:name", context: context)
    let path = AttributePath(attribute: "https://example.org/speed")
    #expect(
      filter == .all([.test(path, .compare(.equal, .number(5))), .test(AttributePath(attribute: "ex:name"), .exists)]))
  }

  @Test func aPatternThatExplodesIsAProblemNotAHang() throws {
    let text = String(repeating: "a", count: 60) + "!"
    let target = try entity(#"{"id":"urn:x:1","type":"T","name":{"type":"Property","value":"\#(text)"}}"#)
    let time = processorTime {
      for pattern in ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"] {
        #expect(throws: Problem.self, "\(pattern)") { try matches("name~=\"\(pattern)\"", target) }
      }
    }
    #expect(time < .seconds(5))
  }

  @Test func aPatternMayNotGrowWithoutBound() {
    for pattern in [
      "(((a{1,200}){1,200}){1,200})", "(*LIMIT_MATCH=1000000000)a", String(repeating: "(", count: 600), "\\C",
    ] {
      #expect(throws: Problem.self, "\(pattern)") { try Filter(q: "a~=\"\(pattern)\"", context: context) }
    }
  }
}
