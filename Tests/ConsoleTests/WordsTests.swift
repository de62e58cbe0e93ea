import HTTPTypes
import NGSI
import Testing

@testable import Console

@Suite("Values as people read them")
struct WordsTests {
  @Test("words of data models are told in the reader's language, other texts as they came")
  func words() throws {
    let names = try Names(try Resources(folder: nil))
    #expect(names.word("defectiveLamp", of: "status", .ko) == "램프 고장")
    #expect(names.word("defectiveLamp", of: "status", .en) == "lamp defective")
    #expect(names.word("true", of: "congested", .ko) == "정체")
    #expect(names.word("true", of: "anything", .ko) == "예")
    #expect(names.word("Seoul", of: "status", .ko) == "Seoul")
  }

  @Test("pages show them", arguments: [("ko", "자리 있음", "합성"), ("en", "has space", "synthetic")])
  func page(language: String, space: String, mark: String) async throws {
    let city = FixtureCity()
    var entity = FixtureCity.station(1, pm25: 8, name: "P")
    entity.id = "urn:x:parking"
    entity.attributes += [
      AttributeSet(
        name: Core.defaultVocabulary + "status",
        instances: [Attribute(kind: .property, value: ["open", "hasSpace"])]),
      AttributeSet(
        name: Core.defaultVocabulary + "source",
        instances: [Attribute(kind: .property, value: "synthetic: madang simulator")]),
      AttributeSet(
        name: Core.defaultVocabulary + "dateLastEmptying",
        instances: [Attribute(kind: .property, value: "2026-01-01T00:00:00Z")]),
    ]
    await city.store.put(entity)
    let client = TestClient(try Console(source: city, assets: nil))
    let text = try await client.get("/entities/urn%3Ax%3Aparking", [.acceptLanguage: language]).body
    let table = text.split(separator: "<pre").first ?? ""
    #expect(table.contains(space) && table.contains(mark))
    #expect(!table.contains("hasSpace") && !table.contains("2026-01-01T00:00:00Z"))
  }

  @Test("a word that its rule explains by the same word stands once; fractions are drawn in percent")
  func once() async throws {
    let city = FixtureCity()
    let light = entity("Streetlight", "status", "defectiveLamp")
    let bin = entity("WasteContainer", "fillingLevel", 0.95)
    for entity in [light, bin] { await city.store.put(entity) }
    let client = TestClient(try Console(source: city, assets: nil))
    let lamp = try await client.get("/entities/" + Percent.encode(light.id), [.acceptLanguage: "ko"]).body
    #expect(lamp.split(separator: "<pre").first?.split(separator: "램프 고장").count == 3, "state line and table")
    #expect(lamp.contains("마당 자체 기준"))
    let full = try await client.get("/entities/" + Percent.encode(bin.id), [.acceptLanguage: "en"]).body
    #expect(full.contains(#"data-unit="%" data-scale="100" data-attention="90""#))
    #expect(full.contains("95 %"))
  }

  private func entity(_ type: String, _ attribute: String, _ value: JSON) -> Entity {
    var entity = Entity(id: "urn:x:" + type, types: [Core.defaultVocabulary + type])
    entity.attributes = [
      AttributeSet(
        name: Core.defaultVocabulary + attribute,
        instances: [Attribute(kind: .property, value: value, observedAt: FixtureCity.noon)])
    ]
    return entity
  }

  @Test(
    "gzip is sent to those who take it",
    arguments: [
      ("gzip", true), ("br, gzip;q=0.5", true), ("GZIP", true), ("gzip;q=0", false), ("br", false), ("", false),
      ("gzipped", false),
    ])
  func acceptance(header: String, takes: Bool) { #expect(Gzip.isAccepted(header) == takes) }

  @Test("packing shrinks, and gives RFC 1952's first bytes")
  func packing() throws {
    let bytes = Array(String(repeating: #"["urn:ngsi-ld:Streetlight:1",0,127.1,36.5,3,0],"#, count: 1000).utf8)
    let packed = try #require(Gzip.pack(bytes))
    #expect(packed.count * 10 < bytes.count && packed.starts(with: [0x1F, 0x8B, 8]))
    #expect(Gzip.pack([])?.isEmpty == false)
  }
}
