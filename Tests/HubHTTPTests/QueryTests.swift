import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

@Suite struct QueryTests {
  // Clauses: 4.12, 4.13, 5.5.9, 5.7.2, 6.3.10, 6.3.13
  @Test func pagesCountAndLink() async throws {
    try await withHub { hub in
      let rooms = (1...7).map { room($0) }.joined(separator: ",")
      #expect(await hub.post("entityOperations/create", "[\(rooms)]").status == 201)
      let first = await hub.get("entities?type=Room&limit=3&count=true&q=temperature%3E%3D20")
      #expect(first.ids.count == 3 && first.header("NGSILD-Results-Count") == "7")
      let next = first.links().first { $0.contains("rel=\"next\"") }
      #expect(next?.contains("limit=3&offset=3") == true && next?.contains("q=temperature%3E%3D20") == true)
      #expect(next?.hasSuffix("type=\"application/json\"") == true)
      #expect(!first.links().contains { $0.contains("rel=\"prev\"") })
      let last = await hub.get("entities?type=Room&limit=3&offset=6")
      #expect(last.ids.count == 1 && last.links().contains { $0.contains("rel=\"prev\"") })
      #expect(!last.links().contains { $0.contains("rel=\"next\"") })
      let none = await hub.get("entities?type=Room&limit=0&count=true")
      #expect(none.json == [] && none.header("NGSILD-Results-Count") == "7")
    }
  }

  // Clauses: 4.12, 5.7.2
  /// A query begins where it was asked; what looks at more than a hundred entities goes on elsewhere.
  @Test func queriesThatLookAtManyEntitiesAreAnsweredToo() async throws {
    try await withHub { hub in
      let rooms = (1...250).map { number in
        room(number, #""odd": {"type": "Property", "value": \#(number % 2 == 1)}"#)
      }
      #expect(await hub.post("entityOperations/create", "[\(rooms.joined(separator: ","))]").status == 201)
      let all = (1...250).map { "urn:ngsi-ld:Room:\($0)" }
      for (q, expected) in [
        ("odd", all), ("odd!=false", all.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)),
      ] {
        for offset in [0, 40, 110] {
          let found = await hub.get(
            "entities?type=Room&limit=10&count=true&offset=\(offset)&q=" + PercentCoding.encode(q))
          #expect(found.ids == Array(expected.dropFirst(offset).prefix(10)))
          #expect(found.header("NGSILD-Results-Count") == "\(expected.count)")
        }
      }
    }
  }

  // Clauses: 5.2.23, 5.7.2, 6.23
  @Test func queriesByPostAnswerLikeQueriesByGet() async throws {
    try await withHub { hub in
      for number in 1...4 {
        _ = await hub.post("entities", room(number, #""temperature": {"type": "Property", "value": \#(number)}"#))
      }
      let body = #"{"type": "Query", "entities": [{"type": "Room"}], "q": "temperature>2", "pick": ["id"]}"#
      let found = await hub.post("entityOperations/query?count=true", body)
      #expect(found.json == [["id": "urn:ngsi-ld:Room:3"], ["id": "urn:ngsi-ld:Room:4"]])
      #expect(found.header("NGSILD-Results-Count") == "2")
      #expect(await hub.post("entityOperations/query", #"{"type": "Query"}"#).problem == "BadRequestData")
    }
  }

  // Clauses: 4.21, 5.7.1
  @Test func pickOmitAndAttrs() async throws {
    try await withHub { hub in
      let more = #""a": {"type": "Property", "value": 1}, "b": {"type": "Property", "value": 2}"#
      _ = await hub.post("entities", room(1, more))
      let path = "entities/urn:ngsi-ld:Room:1"
      #expect(await hub.get(path + "?pick=id,a&format=simplified").json == ["id": "urn:ngsi-ld:Room:1", "a": 1])
      #expect(await hub.get(path + "?omit=id,type,a&format=simplified").json == ["b": 2])
      #expect(await hub.get(path + "?attrs=b&format=simplified").json["a"] == nil)
      #expect(await hub.get(path + "?attrs=c").status == 404)
      #expect(await hub.get(path + "?pick=c").status == 404)
      #expect(await hub.get(path + "?pick=a&omit=a").problem == "BadRequestData")
      #expect(await hub.get(path + "?pick=a&attrs=a").problem == "BadRequestData")
      #expect(await hub.get(path + "?pick=a%7Bb%7D").problem == "BadRequestData")
      #expect(await hub.get("entities?type=Room&pick=c").json == [])
    }
  }

  // Clauses: 4.5.23
  /// A circle of three: joining must end, and give each entity once.
  @Test func joinsEndInCircles() async throws {
    try await withHub { hub in
      for number in 1...3 {
        let target = number % 3 + 1
        let more =
          #""next": {"type": "Relationship", "object": "urn:ngsi-ld:Room:\#(target)"}, "n": {"type": "Property", "value": \#(number)}"#
        _ = await hub.post("entities", room(number, more))
      }
      let path = "entities/urn:ngsi-ld:Room:1"
      let flat = await hub.get(path + "?join=flat&joinLevel=8")
      #expect(flat.ids == ["urn:ngsi-ld:Room:1", "urn:ngsi-ld:Room:2", "urn:ngsi-ld:Room:3"])
      let inline = await hub.get(path + "?join=inline&joinLevel=8").json
      let second = inline["next"]?["entity"]
      let third = second?["next"]?["entity"]
      #expect(second?["id"] == "urn:ngsi-ld:Room:2" && third?["id"] == "urn:ngsi-ld:Room:3")
      #expect(third?["next"]?["entity"] == nil)
      let picked = await hub.get(path + "?join=inline&pick=id,next%7Bn%7D&format=simplified").json
      #expect(picked == ["id": "urn:ngsi-ld:Room:1", "next": ["n": 2]])
      #expect(await hub.get(path + "?join=flat&pick=id,n").ids == ["urn:ngsi-ld:Room:1"])
    }
  }

  // Clauses: 4.5.16, 4.10, 5.2.29, 5.2.30, 6.3.15
  @Test func geoJSONWithAndWithoutContext() async throws {
    try await withHub { hub in
      let point = #""location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [126.8, 37.4]}}"#
      _ = await hub.post("entities", room(1, point))
      let feature = await hub.get("entities/urn:ngsi-ld:Room:1", headers: ["Accept": "application/geo+json"])
      #expect(feature.header("Content-Type") == "application/geo+json" && feature.links().isEmpty)
      #expect(feature.json["type"] == "Feature" && feature.json["@context"] != nil)
      #expect(feature.json["geometry"] == ["type": "Point", "coordinates": [126.8, 37.4]])
      let plain = await hub.get(
        "entities?type=Room", headers: ["Accept": "application/geo+json", "Prefer": "body=json"])
      #expect(plain.json["type"] == "FeatureCollection" && plain.json["@context"] == nil && !plain.links().isEmpty)
      #expect(await hub.get("entities?type=Room&geometryProperty=location").problem == "BadRequestData")
      let near = "entities?georel=near%3BmaxDistance%3D%3D1000&geometry=Point&coordinates=%5B126.8,37.4%5D"
      #expect(await hub.get(near).ids == ["urn:ngsi-ld:Room:1"])
      let bowTie = "%5B%5B%5B0,0%5D,%5B2,2%5D,%5B2,0%5D,%5B0,2%5D,%5B0,0%5D%5D%5D"
      let crossed = await hub.get("entities?georel=within&geometry=Polygon&coordinates=\(bowTie)")
      #expect(crossed.problem == "BadRequestData")
      #expect(await hub.get("entities?georel=within&geometry=Polygon&coordinates=%5B%5D").problem == "BadRequestData")
    }
  }

  // Clauses: 4.14, 5.5.10, 6.3.14
  @Test func tenantsSeeOnlyTheirOwn() async throws {
    try await withHub { hub in
      let one = ["NGSILD-Tenant": "one"]
      let created = await hub.post("entities", room(1), headers: one)
      #expect(created.status == 201 && created.header("NGSILD-Tenant") == "one")
      #expect(await hub.get("entities?type=Room").ids.isEmpty)
      #expect(await hub.get("entities?type=Room", headers: one).ids.count == 1)
      #expect(await hub.get("entities/urn:ngsi-ld:Room:1").status == 404)
    }
  }

  // Clauses: 4.14
  @Test func tenantsAreBounded() async throws {
    var limits = Limits()
    limits.tenants = 3
    try await withHub(limits: limits) { hub in
      for name in ["a", "b"] {
        #expect(await hub.post("entities", room(1), headers: ["NGSILD-Tenant": name]).status == 201)
      }
      #expect(await hub.post("entities", room(1), headers: ["NGSILD-Tenant": "c"]).problem == "TooManyResults")
    }
  }

  // Clauses: 4.5.10-4.5.15, 5.2.24-5.2.28, 5.7.5-5.7.10, 6.25-6.28
  @Test func typesAndAttributesAreFound() async throws {
    try await withHub { hub in
      _ = await hub.post("entities", room(1))
      _ = await hub.post(
        "entities", #"{"id": "urn:x:2", "type": "Hall", "temperature": {"type": "Property", "value": 1}}"#)
      #expect(Set((await hub.get("types").json["typeList"]?.array ?? []).compactMap(\.string)) == ["Room", "Hall"])
      let details = await hub.get("types?details=true").json.array ?? []
      #expect(details.count == 2 && details.allSatisfy { $0["attributeNames"] == ["temperature"] })
      let type = await hub.get("types/Room").json
      #expect(type["entityCount"] == 1 && type["attributeDetails"]?.array?.first?["attributeTypes"] == ["Property"])
      #expect(await hub.get("attributes").json["attributeList"] == ["temperature"])
      let attribute = await hub.get("attributes/temperature").json
      #expect(attribute["attributeCount"] == 2)
      #expect(await hub.get("types/None").status == 404)
      #expect(await hub.get("attributes/none").status == 404)
      #expect(await hub.get("types?what=1").problem == "InvalidRequest")
    }
  }
}
