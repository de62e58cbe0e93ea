import NGSI
import NIOCore
import NIOHTTP1
import Store
import Testing

@testable import Hub
@testable import HubHTTP

extension TestHub {
  /// Asks below `/city/v1`.
  func city(_ method: HTTPMethod, _ target: String, _ body: String? = nil, tenant: String? = nil) async -> Answer {
    var headers = HTTPHeaders()
    if body != nil { headers.add(name: "Content-Type", value: "application/json") }
    if let tenant { headers.add(name: "NGSILD-Tenant", value: tenant) }
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let request = APIRequest(
      method: method, path: parts[0], query: parts.count > 1 ? parts[1] : "", headers: headers,
      body: body.map { ByteBuffer(string: $0) } ?? ByteBuffer())
    return Answer(await CityAPI(hub: hub).respond(to: request))
  }
}

@Suite("Data models")
struct DataModelTests {
  static let type = "https://uri.etsi.org/ngsi-ld/default-context/AirQuality"
  static let path = "models/https%3A%2F%2Furi.etsi.org%2Fngsi-ld%2Fdefault-context%2FAirQuality"
  static let common = "https://example.org/common-schema.json"
  static let model = """
    {"type": "AirQuality", "title": "Air", "schema": {
      "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["id", "type", "no2"],
      "allOf": [{"$ref": "\(common)#/definitions/Place"}],
      "properties": {"type": {"enum": ["AirQuality"]}, "no2": {"type": "number", "minimum": 0},
        "dateObserved": {"type": "string", "format": "date-time"}}}}
    """
  static let place = #"{"definitions": {"Place": {"properties": {"location": {"required": ["coordinates"]}}}}}"#

  private func prepare(_ hub: TestHub, mode: String, tenant: String? = nil) async {
    let schema = await hub.city(
      .PUT, "schemas/" + PercentCoding.encode(Self.common).replacing("/", with: "%2F"), Self.place, tenant: tenant)
    #expect(schema.status == 204, "\(schema.text)")
    let made = await hub.city(.POST, "models", Self.model, tenant: tenant)
    #expect(made.status == 201 && made.header("Location") == "/city/v1/models/" + PercentCoding.encode(Self.type))
    #expect(await hub.city(.PUT, "validation", #"{"mode": "\#(mode)"}"#, tenant: tenant).status == 204)
  }

  private func air(_ number: Int, _ no2: String, _ more: String = "") -> String {
    #"{"id": "urn:ngsi-ld:AirQuality:\#(number)", "type": "AirQuality", "no2": \#(no2)\#(more)}"#
  }

  @Test("strict: every write door holds the resulting entity against the model")
  func strict() async throws {
    try await withHub { hub in
      await prepare(hub, mode: "strict")
      let refused = await hub.post("entities", air(1, #"{"type": "Property", "value": "41"}"#))
      #expect(refused.status == 400 && refused.problem == "BadRequestData")
      #expect(
        refused.json["detail"]?.string
          == #"the entity does not meet the data model of AirQuality: '/no2': expected number, found "41""#)
      let good = #"{"type": "Property", "value": 41}"#
      #expect(await hub.post("entities", air(1, good)).status == 201)

      let entity = "entities/urn:ngsi-ld:AirQuality:1"
      #expect(await hub.patch("\(entity)/attrs", #"{"no2": {"value": -1}}"#).status == 400)
      #expect(await hub.patch("\(entity)/attrs/no2", #"{"value": -1}"#).status == 400)
      #expect(await hub.send(.PUT, "\(entity)/attrs/no2", #"{"value": "x"}"#).status == 400)
      #expect(await hub.post("\(entity)/attrs", #"{"dateObserved": {"value": "yesterday"}}"#).status == 400)
      #expect(await hub.patch(entity, #"{"no2": "urn:ngsi-ld:null"}"#).status == 400)
      #expect(await hub.delete("\(entity)/attrs/no2").status == 400)
      #expect(await hub.send(.PUT, entity, #"{"type": "AirQuality", "pm10": {"value": 3}}"#).status == 400)
      #expect(await hub.delete("entities?type=AirQuality&drop=no2").status == 207)
      #expect(await hub.get(entity + "?options=keyValues").json["no2"] == 41)

      let batch = await hub.post(
        "entityOperations/upsert", "[\(air(2, good)), \(air(3, #"{"value": -5}"#)), \(air(1, #"{"value": 7}"#))]")
      #expect(batch.status == 207)
      #expect(batch.json["errors"]?.array?.compactMap { $0["entityId"]?.string } == ["urn:ngsi-ld:AirQuality:3"])
      #expect(batch.json["success"]?.array?.count == 2)
      // Each instance counts, and another type is not looked at.
      let second = #"{"no2": {"type": "Property", "value": "high", "datasetId": "urn:b"}}"#
      #expect(await hub.post("\(entity)/attrs", second).status == 400)
      #expect(await hub.post("entities", room(1)).status == 201)
      #expect(await hub.delete(entity).status == 204)
    }
  }

  @Test("warn: what does not meet the model is stored, counted and told")
  func warn() async throws {
    try await withHub { hub in
      await prepare(hub, mode: "warn")
      let stored = await hub.post("entities", air(1, #"{"value": "4\"1é"}"#))
      #expect(stored.status == 201)
      #expect(
        stored.header("NGSILD-Warning")?.hasPrefix(
          "299 madang \"urn:ngsi-ld:AirQuality:1: the entity does not meet the data model of AirQuality: '/no2'")
          == true)
      #expect(stored.header("NGSILD-Warning")?.utf8.allSatisfy { (0x20..<0x7F).contains($0) } == true)
      #expect(await hub.post("entities", air(2, #"{"value": 1}"#)).header("NGSILD-Warning") == nil)
      let model = await hub.city(.GET, Self.path)
      #expect(model.json["judged"] == 2 && model.json["failed"] == 1 && model.json["schema"] != nil)
      #expect(await hub.city(.PUT, "validation", #"{"mode": "open"}"#).status == 204)
      #expect(await hub.post("entities", air(3, #"{"value": "x"}"#)).header("NGSILD-Warning") == nil)
    }
  }

  @Test("models belong to a tenant and outlive a restart")
  func restart() async throws {
    let first = try await TestHub()
    await prepare(first, mode: "strict", tenant: "north")
    await first.stop()
    let again = try await TestHub(folder: first.folder)
    let bad = air(1, #"{"value": "41"}"#)
    #expect(await again.post("entities", bad, headers: ["NGSILD-Tenant": "north"]).status == 400)
    #expect(await again.post("entities", bad).status == 201)
    #expect(await again.city(.GET, "validation", tenant: "north").json["mode"] == "strict")
    #expect(await again.city(.GET, "models", tenant: "north").json.array?.count == 1)
    await again.remove()
  }

  @Test("what cannot be used is refused with its place")
  func unusable() async throws {
    try await withHub { hub in
      let missing = await hub.city(.POST, "models", Self.model)
      #expect(missing.status == 400)
      #expect(missing.json["detail"]?.string?.contains("not among the schemas given") == true)
      await prepare(hub, mode: "strict")
      let schema = "schemas/" + PercentCoding.encode(Self.common).replacing("/", with: "%2F")
      #expect(await hub.city(.DELETE, schema).status == 409)
      #expect(await hub.city(.PUT, schema, #"{"definitions": {}}"#).status == 409)
      #expect(await hub.city(.DELETE, Self.path).status == 204)
      #expect(await hub.city(.DELETE, schema).status == 204)
      #expect(await hub.city(.DELETE, schema).status == 404)
      #expect(await hub.city(.GET, Self.path).status == 404)
      for body in [
        #"{"type": "A"}"#, #"{"type": "A", "schema": 1}"#, #"{"schema": {}}"#, #"{"type": "A", "schema": {}, "x": 1}"#,
        #"{"type": "A", "schema": {}, "form": "wide"}"#, "[]", #"{"type": "A", "schema": {"type": "text"}}"#,
      ] { #expect(await hub.city(.POST, "models", body).status == 400, "\(body)") }
      #expect(await hub.city(.PUT, "validation", #"{"mode": "loose"}"#).status == 400)
      #expect(await hub.city(.PATCH, "models").status == 405)
      #expect(await hub.city(.GET, "towers").status == 404)
    }
  }

  @Test("synthetic examples in the form of Smart Data Models: both forms judge alike")
  func forms() async throws {
    try await withHub { hub in
      let normalized = """
        {"type": "Lamp", "form": "normalized", "schema": {"properties": {"powerState": {"properties":
          {"value": {"enum": ["on", "off"]}, "observedAt": {"format": "date-time"}}, "required": ["value"]}}}}
        """
      let keyValues = """
        {"type": "Lamp", "schema": {"properties": {"powerState": {"enum": ["on", "off"]},
          "refDevice": {"type": "string", "format": "uri"}, "location": {"required": ["type", "coordinates"]}}}}
        """
      func lamp(_ state: String) -> String {
        """
        {"id": "urn:ngsi-ld:Lamp:1", "type": "Lamp",
         "powerState": {"type": "Property", "value": "\(state)", "observedAt": "2026-03-01T10:00:00Z"},
         "refDevice": {"type": "Relationship", "object": "urn:ngsi-ld:Device:7"},
         "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [129.06, 35.16]}}}
        """
      }
      #expect(await hub.city(.PUT, "validation", #"{"mode": "strict"}"#).status == 204)
      for (index, model) in [normalized, keyValues].enumerated() {
        #expect(await hub.city(.POST, "models", model).status == (index == 0 ? 201 : 204))
        #expect(await hub.post("entityOperations/upsert", "[\(lamp("on"))]").status < 300)
        #expect(await hub.post("entityOperations/upsert", "[\(lamp("dim"))]").status == 207)
      }
    }
  }
}
