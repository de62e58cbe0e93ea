import City
import Foundation
import NGSI
import Oracles
import Testing

@testable import Ingest

@Suite("Mapping")
struct MappingTests {
  static let text = """
    mapping: 1
    format: csv
    entity: {id: "urn:ngsi-ld:AirQualityObserved:{station}", type: AirQualityObserved}
    missing: ["", NA]
    observedAt: {from: "{time}", pattern: iso8601, timeZone: Asia/Seoul}
    location: {longitude: lon, latitude: lat}
    attributes:
      pm25: {column: PM, unitCode: GQ, range: [0, 1000]}
      wind: {column: wd, as: text}
      wet: {column: rain, as: flag}
      name: {constant: "<b>A & 'B'</b>"}
    """

  func outcomes(_ csv: String, mapping: String = text) throws -> [Record.Outcome] {
    let mapping = try Mapping.read(text: mapping, path: "m.yaml")
    let path = FileManager.default.temporaryDirectory.appending(path: "madang-\(UUID().uuidString).csv").path
    try csv.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    var records = try Sources.series([path], mapping)
    var outcomes: [Record.Outcome] = []
    while let record = try records.next() {
      #expect(record.row == outcomes.count + 1)
      outcomes.append(record.outcome)
    }
    return outcomes
  }

  func reasons(_ outcomes: [Record.Outcome]) -> [String] {
    outcomes.map { if case .refused(let reason) = $0 { reason } else { "" } }
  }

  @Test("a row becomes an entity, one by one told why not")
  func rows() throws {
    let found = try outcomes(
      """
      time,station,PM,wd,rain,lon,lat
      2024-01-01T00:00:00Z,A 1,17.50,NNW,0,127.0,37.5
      2024-01-01T01:00:00Z,A 1,NA,N,1,127.0,37.5
      2024-01-01T01:00:00Z,A 1,18,N,1,127.0,37.5
      2024-01-01T02:00:00Z,A 1,1800,N,1,127.0,37.5
      2024-01-01T03:00:00Z,A 1,lots,N,1,127.0,37.5
      2024-01-01T04:00:00Z,A 1,NA,NA,,127.0,37.5
      2024-01-01T05:00:00Z,A 1,17
      yesterday,A 1,17,N,1,127.0,37.5
      2024-01-01T06:00:00Z,,17,N,1,127.0,37.5
      2024-01-01T07:00:00Z,B,17,N,maybe,127.0,37.5
      2024-01-01T07:00:00Z,B,17,N,no,227.0,37.5
      2024-01-01T00:30:00Z,A 1,9,N,1,127.0,37.5
      """)
    let told = reasons(found)
    let starts = [
      "", "", "a second row of urn:ngsi-ld:AirQualityObserved:A%201 for 2024-01-01T01:00:00Z, which row 2 gave already",
      "pm25: 1800 in 'PM' is outside 0.0 to 1000.0", "pm25: 'lots' in 'PM' is no number",
      "no value in any of the mapped columns", "3 fields, expected the 7 of the heading",
      "the time 'yesterday' cannot be read", "no value in 'station', which the id or type needs",
      "wet: 'maybe' in 'rain' is neither true nor false", "location: no longitude and latitude in degrees", "",
    ]
    #expect(told == starts)
    guard case .entity(let first) = found[0], case .entity(let second) = found[1] else {
      Issue.record("the first two rows are refused")
      return
    }
    #expect(
      String(decoding: first.json, as: UTF8.self)
        == #"{"id":"urn:ngsi-ld:AirQualityObserved:A%201","type":"AirQualityObserved","#
        + #""pm25":{"type":"Property","value":17.50,"unitCode":"GQ","observedAt":"2024-01-01T00:00:00Z"},"#
        + #""wind":{"type":"Property","value":"NNW","observedAt":"2024-01-01T00:00:00Z"},"#
        + #""wet":{"type":"Property","value":false,"observedAt":"2024-01-01T00:00:00Z"},"#
        + #""location":{"type":"GeoProperty","value":{"type":"Point","coordinates":[127.0,37.5]}},"#
        + #""name":{"type":"Property","value":"<b>A & 'B'</b>"}}"#)
    // What does not change is sent once.
    #expect(!String(decoding: second.json, as: UTF8.self).contains("location"))
    #expect(!String(decoding: second.json, as: UTF8.self).contains("pm25"))
    #expect(second.valueCount == 2)
    for case .entity(let entity) in found {
      _ = try EntityReader(context: .core).entity(JSONParser.parse(entity.json)).entity()
    }
  }

  @Test("errors of a mapping name line and key, all at once")
  func errors() throws {
    let broken = Self.text.replacing("as: text", with: "as: words").replacing("Asia/Seoul", with: "Asia/Soul")
      .replacing("range: [0, 1000]", with: "range: [0]").replacing("unitCode", with: "unitcode")
    do {
      _ = try Mapping.read(text: broken, path: "m.yaml")
      Issue.record("a broken mapping is taken")
    } catch {
      #expect(error.problems.map(\.key) == ["attributes.pm25.unitcode", "attributes.pm25.range", "attributes.wind.as"])
      #expect(error.problems[0].expected.contains("unitCode"))
      #expect(error.problems[0].line == 8)
    }
    let later = Self.text.replacing("Asia/Seoul", with: "Asia/Soul").replacing("latitude: lat", with: "column: lat")
      .replacing("{column: wd, as: text}", with: "{column: wd, constant: 3}").replacing(
        "urn:ngsi-ld:AirQualityObserved:{station}", with: "{station}")
    do {
      _ = try Mapping.read(text: later, path: "m.yaml")
      Issue.record("a broken mapping is taken")
    } catch {
      #expect(error.problems.map(\.key) == ["entity.id", "observedAt.timeZone", "location", "attributes.wind"])
    }
    #expect(throws: IngestError.self) { try outcomes("time,station\n1,2\n") }
  }

  @Test("the example mappings are valid")
  func examples() throws {
    let folder = Oracle.root.appending(path: "Examples/mappings")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(names.count == 3)
    for name in names { _ = try Mapping.read(path: folder.appending(path: name).path) }
  }
}
