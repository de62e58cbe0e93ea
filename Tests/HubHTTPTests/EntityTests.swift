import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

@Suite struct EntityTests {
  // Clauses: 5.6.1, 5.7.1, 5.2.4, 5.2.5, 6.4, 6.5
  @Test func createdEntityIsReadBackAsItCame() async throws {
    try await withHub { hub in
      let created = await hub.post("entities", room(1))
      #expect(created.status == 201)
      #expect(created.header("Location") == "/ngsi-ld/v1/entities/urn:ngsi-ld:Room:1")
      let read = await hub.get("entities/urn:ngsi-ld:Room:1")
      #expect(read.status == 200)
      #expect(read.header("Content-Type") == "application/json")
      #expect(read.links().contains { $0.contains("json-ld#context") })
      let sent = try JSONParser.parse(Array(room(1).utf8))
      #expect(read.json == sent)
      #expect(read.json["@context"] == nil)
    }
  }

  // Clauses: 6.3.5, 6.3.6, 5.2.3
  @Test func jsonLDCarriesItsContextAndNoLink() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", room(1))
      let read = await hub.get("entities/urn:ngsi-ld:Room:1", headers: ["Accept": "application/ld+json"])
      #expect(read.header("Content-Type") == "application/ld+json")
      #expect(read.links().isEmpty)
      #expect(read.json["@context"] == .string(CoreContext.url))
    }
  }

  // Clauses: 4.4, 5.5.7, 5.7.2
  @Test func namesFollowTheContextOfTheRequest() async throws {
    try await withHub { hub in
      let link = "<\(TestContexts.city)>; rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\""
      let body = #"{"id": "urn:x:1", "type": "Station", "pm10": {"type": "Property", "value": 3}}"#
      #expect(await hub.post("entities", body, headers: ["Link": link]).status == 201)
      #expect(await hub.get("entities?type=Station").ids.isEmpty)
      #expect(await hub.get("entities?type=Station", headers: ["Link": link]).ids == ["urn:x:1"])
      let plain = await hub.get("entities/urn:x:1").json
      #expect(plain["type"]?.string == "https://example.org/Station")
      #expect(plain["https://example.org/pm10"] != nil)
    }
  }

  // Clauses: 5.5.2, 5.5.3, 5.5.4, 5.5.6, 6.3.2, 6.3.3, 6.3.4, 6.3.20
  @Test func problemsHaveTheirTypeAndStatus() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", room(1))
      let cases: [(Answer, Int, String)] = [
        (await hub.post("entities", room(1)), 409, "AlreadyExists"),
        (await hub.post("entities", "{"), 400, "InvalidRequest"),
        (await hub.post("entities", ""), 400, "InvalidRequest"),
        (await hub.post("entities", "[]"), 400, "BadRequestData"),
        (await hub.post("entities", #"{"id": "no uri", "type": "T"}"#), 400, "BadRequestData"),
        (await hub.post("entities", #"{"id": "urn:x:2", "type": "type"}"#), 400, "BadRequestData"),
        (await hub.post("entities", #"{"id": "urn:x:2", "type": "T", "a": null}"#), 400, "BadRequestData"),
        (await hub.post("entities?what=1", room(2)), 400, "InvalidRequest"),
        (await hub.get("entities/urn:x:9"), 404, "ResourceNotFound"),
        (await hub.get("entities/nouri"), 400, "BadRequestData"),
        (await hub.get("entities"), 400, "BadRequestData"),
        (await hub.get("entities?type=Room&limit=100000"), 403, "TooManyResults"),
        (await hub.get("entities?type=Room&limit=-1"), 400, "BadRequestData"),
        (await hub.get("entities?type=Room&limit=0"), 400, "BadRequestData"),
        (await hub.get("entities?type=Room&options=other"), 400, "InvalidRequest"),
        (await hub.get("entities?type=Room&format=other"), 400, "InvalidRequest"),
        (await hub.get("entities?attrs=id,type"), 400, "BadRequestData"),
        (await hub.get("entities?type=Room&q=a%3D%3D"), 400, "BadRequestData"),
        (await hub.get("entities?type=Room", headers: ["NGSILD-Tenant": "none"]), 404, "NonexistentTenant"),
        (await hub.get("entities?type=Room", headers: ["NGSILD-Tenant": "a b"]), 400, "BadRequestData"),
        (await hub.get("entities?type=Room", headers: ["Accept": "text/html"]), 406, "NotAcceptable"),
        (await hub.post("entities", room(3), headers: ["Content-Type": "text/plain"]), 415, "UnsupportedMediaType"),
        (await hub.get("nothing"), 404, "ResourceNotFound"),
        (await hub.delete("entities/urn:ngsi-ld:Room:1/attrs/none"), 404, "ResourceNotFound"),
        (await hub.delete("entities/urn:ngsi-ld:Room:1/attrs/a(b"), 400, "BadRequestData"),
        (await hub.patch("entities//attrs", room(1)), 400, "BadRequestData"),
        (await hub.patch("entities/", room(1)), 400, "BadRequestData"),
        (await hub.delete("subscriptions/"), 405, "MethodNotAllowed"),
        (await hub.delete("entities/urn:ngsi-ld:Room:1/attrs/"), 405, "MethodNotAllowed"),
      ]
      for (answer, status, type) in cases {
        #expect(answer.status == status, "\(answer.text)")
        #expect(answer.problem == type, "\(answer.text)")
        #expect(answer.header("Content-Type") == "application/json")
        #expect(answer.json["title"]?.string?.isEmpty == false && answer.json["detail"]?.string?.isEmpty == false)
      }
    }
  }

  // Clauses: 6.2, 6.3.2
  @Test func methodsThatDoNotApplyNameThoseThatDo() async throws {
    try await withHub { hub in
      let put = await hub.send(.PUT, "entities", room(1))
      #expect(put.status == 405 && put.header("Allow") == "GET, HEAD, POST, DELETE, OPTIONS")
      let get = await hub.get("entityOperations/create")
      #expect(get.status == 405 && get.header("Allow") == "POST, OPTIONS")
      #expect(await hub.get("entities/urn:x:1/attrs").header("Allow") == "POST, PATCH, OPTIONS")
      let options = await hub.send(.OPTIONS, "subscriptions")
      #expect(options.status == 204 && options.header("Allow") == "GET, HEAD, POST, OPTIONS")
      #expect(await hub.send(.OPTIONS, "nothing").status == 404)
      _ = await hub.post("entities", room(1))
      let whole = await hub.get("entities/urn:ngsi-ld:Room:1")
      let head = await hub.send(.HEAD, "entities/urn:ngsi-ld:Room:1")
      #expect(head.status == 200 && head.bytes.isEmpty)
      #expect(head.header("Content-Length") == "\(whole.bytes.count)")
    }
  }

  // Clauses: 5.6.2, 5.6.3, 5.6.4, 5.6.5, 5.6.6, 5.6.17, 5.6.18, 5.6.19, 5.2.18, 5.2.19, 6.3.7, 6.5, 6.6, 6.7
  @Test func updatesOfEveryKind() async throws {
    try await withHub { hub in
      let path = "entities/urn:ngsi-ld:Room:1"
      _ = await hub.post("entities", room(1))
      #expect(await hub.post(path + "/attrs", #"{"humidity": {"type": "Property", "value": 50}}"#).status == 204)
      let kept = await hub.post(
        path + "/attrs?options=noOverwrite",
        #"{"humidity": {"type": "Property", "value": 1}, "lux": {"type": "Property", "value": 9}}"#)
      #expect(kept.status == 207 && kept.links().isEmpty)
      #expect(kept.json["updated"] == [.string(Core.defaultVocabulary + "lux")])
      #expect(kept.json["notUpdated"]?.array?.first?["attributeName"]?.string == Core.defaultVocabulary + "humidity")
      #expect(await hub.patch(path + "/attrs", #"{"temperature": {"type": "Property", "value": 22}}"#).status == 204)
      #expect(await hub.patch(path + "/attrs/temperature", #"{"unitCode": "CEL"}"#).status == 204)
      #expect(await hub.send(.PUT, path + "/attrs/lux", #"{"type": "Property", "value": 10}"#).status == 204)
      #expect(
        await hub.patch(
          path, #"{"humidity": "urn:ngsi-ld:null", "name": {"type": "Property", "value": "a"}}"#,
          headers: ["Content-Type": "application/merge-patch+json"]
        ).status == 204)
      let concise = await hub.get(path + "?format=concise").json
      #expect(concise["temperature"] == ["value": 22, "unitCode": "CEL"])
      #expect(concise["lux"] == 10 && concise["humidity"] == nil && concise["name"] == "a")
      #expect(await hub.delete(path + "/attrs/lux").status == 204)
      #expect(await hub.send(.PUT, path, room(1, #""only": {"type": "Property", "value": 1}"#)).status == 204)
      #expect(
        await hub.get(path + "?options=keyValues").json
          == ["id": "urn:ngsi-ld:Room:1", "type": "Room", "only": 1])
      #expect(await hub.delete(path + "?type=Other").status == 404)
      #expect(await hub.delete(path).status == 204)
      #expect(await hub.get(path).status == 404)
    }
  }

  // Clauses: 5.6.2, 5.2.18, 5.2.19, 6.6, 5.6.9
  /// A scope is replaced, never added: who sends one for an entity without is told.
  @Test func aScopeThatIsLeftOutIsTold() async throws {
    try await withHub { hub in
      let path = "entities/urn:ngsi-ld:Room:1"
      _ = await hub.post("entities", room(1))
      let both = await hub.patch(path + "/attrs", #"{"scope": "/a", "temperature": {"type": "Property", "value": 3}}"#)
      #expect(both.status == 207 && both.json["updated"] == [.string(Core.defaultVocabulary + "temperature")])
      let left = both.json["notUpdated"]?.array ?? []
      #expect(left.count == 1 && left[0]["attributeName"]?.string == Core.scope && left[0]["reason"] != nil)
      let alone = await hub.patch(path + "/attrs", #"{"scope": "/a"}"#)
      #expect(alone.status == 207 && alone.json["updated"] == [])
      let shown = await hub.get(path + "?options=keyValues").json
      #expect(shown["scope"] == nil && shown["temperature"] == 3)
      // A batch update appends (clause 5.6.9.4).
      let batch = "entityOperations/update"
      let item = #"[{"id": "urn:ngsi-ld:Room:1", "type": "Room", "scope": "/a"}]"#
      #expect(await hub.post(batch, item).status == 204)
      #expect(await hub.get(path).json["scope"] == "/a")
      #expect(await hub.patch(path + "/attrs", #"{"scope": "/b"}"#).status == 204)
      #expect(await hub.get(path).json["scope"] == "/b")
    }
  }

  // Clauses: 5.5.12, 5.6.17
  @Test func whatCannotBeMergedIsRefusedWhole() async throws {
    try await withHub { hub in
      let path = "entities/urn:ngsi-ld:Room:1"
      let place = #""place": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}}"#
      _ = await hub.post("entities", room(1, place))
      let before = await hub.get(path).json
      let partOfAGeometry = #"{"temperature": {"value": 99}, "place": {"value": {"coordinates": [3, 4]}}}"#
      let answer = await hub.patch(path, partOfAGeometry, headers: ["Content-Type": "application/merge-patch+json"])
      #expect(answer.status == 400)
      #expect(answer.json["detail"]?.string?.contains("place") == true)
      #expect(await hub.get(path).json == before)
    }
  }

  // Clauses: 4.6.4
  @Test func strangeContentComesBackAsItCame() async throws {
    try await withHub { hub in
      let body = room(1, #""note": {"type": "Property", "value": "<script>\"a'=;()</script> 마당 \u0000 \\"}"#)
      #expect(await hub.post("entities", body).status == 201)
      let sent = try JSONParser.parse(Array(body.utf8))
      #expect(await hub.get("entities/urn:ngsi-ld:Room:1").json == sent)
    }
  }

  // Clauses: 4.6.1, 5.5.4
  @Test func badInputIsRefusedClearly() async throws {
    try await withHub { hub in
      let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
      let bodies = [
        room(1, #""a": {"type": "Property", "value": NaN}"#),
        room(1, #""a": {"type": "Property", "value": \#(deep)}"#),
        room(1, #""location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [200, "x"]}}"#),
        "\u{FEFF}" + room(1), room(1) + "x", "{\"id\": \"urn:x:1\", \"type\": \"T\", \"a\": tru}",
      ]
      for body in bodies {
        let answer = await hub.post("entities", body)
        #expect(
          answer.status == 400 || (answer.status == 201 && body.hasPrefix("\u{FEFF}")), "\(answer.text.prefix(200))")
      }
      // 1e999 is a JSON number that no Double holds: kept as it came, or refused.
      let huge = await hub.post("entities", room(2, #""a": {"type": "Property", "value": 1e999}"#))
      if huge.status == 201 {
        #expect(await hub.get("entities/urn:ngsi-ld:Room:2").text.contains("1e999"))
      } else {
        #expect(huge.status == 400)
      }
      let unknown = await hub.post(
        "entities", String(room(3).dropLast()) + #", "@context": "https://example.org/none.jsonld"}"#,
        headers: ["Content-Type": "application/ld+json"])
      #expect(unknown.status == 504 && unknown.problem == "LdContextNotAvailable")
      let loop = await hub.post(
        "entities", String(room(3).dropLast()) + #", "@context": "https://example.org/loop.jsonld"}"#,
        headers: ["Content-Type": "application/ld+json"])
      #expect(loop.status == 400 || loop.status == 504)
      let bytes: [[UInt8]] = [
        [0xFF, 0xFE] + Array(room(4).utf8).flatMap { [$0, 0] }, Array(room(4).utf8).flatMap { [0, $0] },
        Array("{\"id\": \"urn:x:5\", \"type\": \"".utf8) + [0xC3, 0x28] + Array("\"}".utf8),
      ]
      for body in bytes {
        let answer = await hub.api.respond(
          to: APIRequest(
            method: .POST, path: "entities", headers: ["Content-Type": "application/json"], body: .init(bytes: body)))
        #expect(answer.status == 400)
      }
      #expect(await hub.get("entities?local=true&count=true&limit=0").header("NGSILD-Results-Count") != nil)
    }
  }
}
