import Foundation
import NGSI
import NIOCore
import NIOHTTP1
import Store
import Oracles
import Testing

@testable import Hub
@testable import HubHTTP

// Clauses: none: datasets are beside the standard
@Suite("Datasets and their catalogue")
struct CatalogueTests {
  static let air = """
    {"id": "air", "title": {"en": "Air quality \\"north\\"", "ko": "대기질"},
     "description": {"en": "Readings of the stations.\\nEach ten minutes.", "ko": "측정소 값"},
     "publisher": {"name": {"en": "City of Madang", "ko": "마당시"}, "email": "air@example.org",
       "type": "http://purl.org/adms/publishertype/LocalAuthority"},
     "licence": "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0",
     "themes": ["http://publications.europa.eu/resource/authority/data-theme/ENVI"],
     "keywords": {"en": ["air", "PM2.5"], "ko": ["대기"]},
     "spatial": "http://publications.europa.eu/resource/authority/country/KOR",
     "frequency": "http://publications.europa.eu/resource/authority/frequency/CONT",
     "accessRights": "http://publications.europa.eu/resource/authority/access-right/PUBLIC",
     "lineage": {"source": "https://example.org/stations", "derivation": {"en": "Calibrated by the operator."}},
     "retention": {"days": 730}, "entities": {"types": ["Air"], "scopeQ": "/north/#"},
     "expected": {"attributes": ["no2", "pm25"], "withinSeconds": 3600}}
    """
  static let about = """
    {"title": {"en": "Madang", "ko": "마당"}, "description": {"en": "All data", "ko": "모든 데이터"},
     "publisher": {"name": "City of Madang", "homepage": "https://example.org/"},
     "licence": "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0",
     "spatial": "http://publications.europa.eu/resource/authority/country/KOR",
     "languages": ["http://publications.europa.eu/resource/authority/language/KOR"]}
    """

  private func fill(_ hub: TestHub) async {
    #expect(await hub.city(.POST, "models", #"{"type": "Air", "schema": {"required": ["no2"]}}"#).status == 201)
    for number in 1...4 {
      let observed = number == 1 ? "2026-03-01T09:00:00Z" : "2026-03-01T11:30:00Z"
      let pm = number > 2 ? #", "pm25": {"value": 5}"# : ""
      let no2 = number < 4 ? #", "no2": {"value": 4, "observedAt": "\#(observed)"}"# : ""
      let entity = #"{"id": "urn:a:\#(number)", "type": "Air", "scope": "/north/a"\#(pm)\#(no2)}"#
      #expect(await hub.post("entities", entity).status == 201)
    }
    #expect(await hub.post("entities", #"{"id": "urn:a:9", "type": "Air", "scope": "/south"}"#).status == 201)
  }

  private func graph(_ hub: TestHub, _ target: String, as type: String, tenant: String? = nil) async -> Answer {
    var headers = HTTPHeaders([("Accept", type), ("Host", "hub.example:8080")])
    if let tenant { headers.add(name: "NGSILD-Tenant", value: tenant) }
    return Answer(
      await CityAPI(hub: hub.hub).respond(to: APIRequest(method: .GET, path: Substring(target), headers: headers)))
  }

  @Test("quality is computed of what the hub holds")
  func quality() async throws {
    try await withHub { hub in
      await fill(hub)
      #expect(await hub.city(.POST, "datasets", Self.air).status == 201)
      #expect(await hub.city(.POST, "datasets", Self.air).status == 409)
      let quality = await hub.city(.GET, "datasets/air").json["quality"]
      // 4 entities in the scope: 3 with no2, 2 with pm25; 2 observed within the hour; 2 of 5 without no2.
      #expect(quality?["entities"] == 4 && quality?["isCut"] == false)
      #expect(quality?["completeness"] == 0.625)
      #expect(quality?["timeliness"] == 0.5)
      #expect(quality?["validity"] == 0.6)
      #expect(await hub.city(.GET, "datasets/air").json["retention"]?["applied"] == true)
    }
  }

  @Test("the catalogue meets DCAT-AP 3.0 in both forms, by rdflib and pyshacl")
  func shapes() async throws {
    try await withHub { hub in
      await fill(hub)
      #expect(await hub.city(.POST, "datasets", Self.air).status == 201)
      #expect(await hub.city(.PUT, "catalogue", Self.about).status == 204)
      let turtle = await graph(hub, "catalogue", as: "text/turtle")
      let linked = await graph(hub, "catalogue", as: "application/ld+json")
      #expect(turtle.status == 200 && turtle.header("Content-Type") == "text/turtle; charset=utf-8")
      #expect(linked.header("Content-Type") == "application/ld+json")
      if let folder = ProcessInfo.processInfo.environment["MADANG_CATALOGUE_OUT"] {
        try Data(turtle.bytes).write(to: URL(filePath: folder).appending(path: "catalogue.ttl"))
      }
      let question: JSON = ["turtle": .string(turtle.text), "jsonld": .string(linked.text)]
      guard let answer = try Oracle.ask("catalogue_oracle.py", question, for: "catalogue against pyshacl") else {
        return
      }
      #expect(answer["isomorphic"] == true)
      #expect(answer["violations"] == [], "\(turtle.text)")
      #expect(answer["warnings"] == [])
      #expect((answer["triples"]?.integer ?? 0) > 90)

      // What stands where nothing was said is complete, too, as far as it must be; and the shapes can fail.
      let bare = await graph(hub, "catalogue", as: "text/turtle", tenant: "")
      let broken = bare.text.replacing("dcat:accessURL", with: "dct:relation").replacing(
        "foaf:name", with: "rdfs:label")
      let again = try Oracle.ask(
        "catalogue_oracle.py", ["turtle": .string(broken), "jsonld": .string(linked.text)], for: "catalogue")
      #expect((again?["violations"]?.array?.count ?? 0) >= 4 && again?["isomorphic"] == false)
    }
  }

  @Test("a dataset that cannot be used is refused with its member")
  func refused() async throws {
    try await withHub { hub in
      for (old, new) in [
        (#""licence": "http"#, #""licence": " http"#), (#""days": 730"#, #""days": 0"#),
        (#""id": "air""#, #""id": "Air!""#),
        (#""types": ["Air"]"#, #""types": []"#), (#""title""#, #""titel""#), ("/north/#", "north#x"),
        (#""withinSeconds": 3600"#, #""withinSeconds": -1"#), (#""ko": "대기질""#, #""Korean": "대기질""#),
      ] {
        let answer = await hub.city(.POST, "datasets", Self.air.replacing(old, with: new, maxReplacements: 1))
        #expect(answer.status == 400, "\(new): \(answer.text)")
      }
      #expect(await hub.city(.PUT, "catalogue", #"{"title": "x"}"#).status == 400)
      #expect(await hub.city(.GET, "datasets/none").status == 404)
      #expect(await graph(hub, "catalogue", as: "image/png").status == 406)
      #expect(await graph(hub, "catalogue", as: "text/turtle;q=0.2, application/ld+json").text.hasPrefix("{"))
      #expect(await hub.city(.POST, "datasets", Self.air).status == 201)
      #expect(await hub.city(.PUT, "datasets/air", Self.air).status == 204)
      #expect(await hub.city(.PUT, "datasets/other", Self.air).status == 400)
      #expect(await hub.city(.DELETE, "datasets/air").status == 204)
      #expect(await hub.city(.GET, "datasets").json == [])
    }
  }

  @Test("texts and names are escaped as Turtle wants it")
  func escapes() {
    var graph = RDFGraph(prefixes: [("ex", "urn:ex:")])
    graph.add(.iri("urn:ex:a b<c>"), "ex:says", .text("\"\\\n\t\u{1}é", language: "en"), .iri("urn:ex:word"))
    #expect(
      graph.turtle
        == "@prefix ex: <urn:ex:> .\n\n<urn:ex:a\\u0020b\\u003Cc\\u003E> ex:says \"\\\"\\\\\\n\\t\\u0001é\"@en, ex:word .\n"
    )
  }
}
