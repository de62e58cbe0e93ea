import Testing

@testable import NGSI

@Suite("Representations")
struct RepresentationTests {
  /// One attribute of every kind, with everything that it may have.
  static let everything = #"""
    "p": {"type": "Property", "value": {"deep": [1, 2.5, null, "<>\"'=;()"]}, "unitCode": "CEL",
      "observedAt": "2022-03-14T01:59:26.535Z", "valueType": "https://t.example/T",
      "accuracy": {"type": "Property", "value": 0.5}, "by": {"type": "Relationship", "object": "urn:x:1"}},
    "multi": [{"type": "Property", "value": 1}, {"type": "Property", "value": {"a": 1}, "datasetId": "urn:d:1"}],
    "g": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [127.0, 37.5]}},
    "r": {"type": "Relationship", "object": "urn:x:1", "objectType": "Room"},
    "rs": {"type": "Relationship", "object": ["urn:x:1", "urn:x:2"]},
    "l": {"type": "LanguageProperty", "languageMap": {"en": "hi", "ko": ["안녕", "하세요"]}},
    "v": {"type": "VocabProperty", "vocab": ["non-commercial", "https://v.example/x"]},
    "j": {"type": "JsonProperty", "json": {"id": "no uri", "value": null}},
    "vl": {"type": "ListProperty", "valueList": [300, 300, "x", {"y": 1}]},
    "ol": {"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}, {"object": "urn:x:2"}]},
    "shape": {"type": "Property", "value": {"type": "Point", "coordinates": [1, 2]}},
    "typed": {"type": "Property", "value": {"type": "Anything", "value": 1}},
    "empty": {"type": "Property", "value": []},
    "instances": {"type": "Property", "value": [{"value": 1}]},
    "ngsildproof": {"type": "Property", "value": {"proof": 1}, "entityIdSealed": "urn:e:1", "entityTypeSealed": ["T", "U"]},
    "scope": ["/Seoul/Mapo", "/a_1"], "expiresAt": "2030-01-01T00:00:00Z"
    """#

  // Clauses: 4.5.1, 4.5.2, 4.5.3, 4.5.5, 4.5.18, 4.5.20, 4.5.21, 4.5.22, 4.5.24, 5.2.5-5.2.7, 5.2.32, 5.2.35-5.2.38
  @Test(
    "normalized and concise forms are read back as what was written",
    arguments: [
      Representation(.normalized), Representation(.concise), Representation(.concise, systemAttributes: true),
      Representation(.normalized, systemAttributes: true),
    ])
  func roundTrip(representation: Representation) throws {
    var entity = try Sample.entity(Self.everything)
    let json = try Sample.json(entity, representation)
    var read = try EntityReader(context: .core, rules: representation.systemAttributes ? .systemMembers : [])
      .entity(json).entity()
    if !representation.systemAttributes {
      entity = entity.withoutSystemMembers()
      read = read.withoutSystemMembers()
    }
    for (left, right) in zip(entity.attributes, read.attributes) { #expect(left == right) }
    #expect(entity == read)
  }

  // Clauses: 4.5.1
  @Test("the stored form is read back whole")
  func stored() throws {
    var entity = try Sample.entity(Self.everything)
    entity.deletedAt = Sample.now
    entity.attributes[0].instances[0].instanceId = "urn:i:1"
    entity.attributes[0].instances[0].previousValue = 7
    let bytes = EntityWriter.storedBytes(entity)
    let read = try bytes.withUnsafeBufferPointer { buffer in
      Result { () throws(Problem) in try EntityWriter.stored(buffer) }
    }.get()
    #expect(read == entity)
  }

  // Clauses: 4.5.1
  @Test("the normalized form equals what was sent")
  func normalized() throws {
    let sent = try JSONParser.parse(#"{"id": "urn:e:1", "type": "T", \#(Self.everything)}"#)
    var expected = try #require(sent.object)
    expected["expiresAt"] = nil
    #expect(try Sample.json(Sample.entity(Self.everything)) == .object(expected))
  }

  // Clauses: 4.5.4
  @Test("the simplified form of clause 4.5.4")
  func simplified() throws {
    let json = try Sample.json(Sample.entity(Self.everything), Representation(.simplified))
    let expected: JSON = [
      "id": "urn:e:1", "type": "T", "scope": ["/Seoul/Mapo", "/a_1"],
      "p": ["deep": [1, 2.5, .null, "<>\"'=;()"]], "multi": ["dataset": ["@none": 1, "urn:d:1": ["a": 1]]],
      "g": ["type": "Point", "coordinates": [127, 37.5]], "r": "urn:x:1", "rs": ["urn:x:1", "urn:x:2"],
      "l": ["languageMap": ["en": "hi", "ko": ["안녕", "하세요"]]],
      "v": ["vocab": ["non-commercial", "https://v.example/x"]], "j": ["json": ["id": "no uri", "value": .null]],
      "vl": [300, 300, "x", ["y": 1]], "ol": ["urn:x:1", "urn:x:2"],
      "shape": ["type": "Point", "coordinates": [1, 2]],
      "typed": ["type": "Anything", "value": 1], "empty": [], "instances": [["value": 1]], "ngsildproof": ["proof": 1],
    ]
    #expect(json == expected)
  }

  // Clauses: 4.15
  @Test(
    "a language filter turns a LanguageProperty into a Property that names its language",
    arguments: [
      (["ko"], JSON.array(["안녕", "하세요"]), "ko"), (["en-GB", "ko"], "hi", "en"), (["*"], "hi", "en"),
      (["de"], "hi", "en"), (["KO"], JSON.array(["안녕", "하세요"]), "ko"),
    ])
  func languages(ranges: [String], value: JSON, language: String) throws {
    let entity = try Sample.entity(Self.everything)
    let json = try Sample.json(entity, Representation(.normalized, languages: ranges))
    #expect(json["l"] == ["type": "Property", "value": value, "lang": .string(language)])
    #expect(try Sample.json(entity, Representation(.simplified, languages: ranges))["l"] == value)
  }

  // Clauses: 4.8, 6.3.11
  @Test("times of the hub are shown only when asked for")
  func systemAttributes() throws {
    let entity = try Sample.entity(Self.everything)
    let plain = try Sample.json(entity)
    let full = try Sample.json(entity, Representation(.normalized, systemAttributes: true))
    #expect(plain["createdAt"] == nil && plain["expiresAt"] == nil && plain["p"]?["createdAt"] == nil)
    #expect(full["createdAt"] == "1970-01-01T00:00:01Z" && full["expiresAt"] == "2030-01-01T00:00:00Z")
    #expect(full["p"]?["modifiedAt"] == "1970-01-01T00:00:01Z")
    #expect(full["p"]?["accuracy"]?["createdAt"] == "1970-01-01T00:00:01Z")
  }

  // Clauses: 4.5.16, 4.5.17, 5.2.29, 5.2.30, 5.2.31
  @Test("GeoJSON: the selected geometry, null where there is none, and the context once")
  func geoJSON() throws {
    let entity = try Sample.entity(
      #""location": {"type": "Point", "coordinates": [1, 2]}, "other": {"type": "Polygon", "coordinates": [[[0,0],[1,0],[1,1],[0,0]]]}, "t": 1"#
    )
    let writer = EntityWriter(context: .core, representation: Representation(.simplified))
    func feature(_ selection: EntityWriter.GeometrySelection) throws -> JSON {
      var output = JSONWriter()
      writer.writeFeature(entity, geometry: selection, to: &output)
      return try JSONParser.parse(output.bytes)
    }
    let json = try feature(.init())
    #expect(json["type"] == "Feature" && json["id"] == "urn:e:1")
    #expect(json["geometry"] == ["type": "Point", "coordinates": [1, 2]])
    #expect(json["properties"]?["type"] == "T" && json["properties"]?["t"] == 1)
    #expect(json["properties"]?["location"] == ["type": "Point", "coordinates": [1, 2]])
    #expect(try feature(.init(property: Sample.iri("other")))["geometry"]?["type"] == "Polygon")
    #expect(try feature(.init(property: Sample.iri("t")))["geometry"] == .null)
    #expect(try feature(.init(datasetId: "urn:d:1"))["geometry"] == .null)
    var output = JSONWriter()
    writer.writeFeatureCollection(
      [EntityView(entity), EntityView(entity)], embeddedContext: "https://c.example/c", to: &output)
    let collection = try JSONParser.parse(output.bytes)
    #expect(collection["type"] == "FeatureCollection" && collection["features"]?.array?.count == 2)
    #expect(collection["@context"] == "https://c.example/c" && collection["features"]?.array?[0]["@context"] == nil)
    var none = JSONWriter()
    writer.writeFeatureCollection([EntityView](), to: &none)
    #expect(try JSONParser.parse(none.bytes) == ["type": "FeatureCollection", "features": []])
  }
}

extension Entity {
  fileprivate func withoutSystemMembers() -> Entity {
    var entity = self
    entity.createdAt = nil
    entity.modifiedAt = nil
    entity.expiresAt = nil
    entity.attributes = entity.attributes.map { $0.withoutSystemMembers() }
    return entity
  }
}

extension AttributeSet {
  fileprivate func withoutSystemMembers() -> AttributeSet {
    var set = self
    for place in set.instances.indices {
      set.instances[place].createdAt = nil
      set.instances[place].modifiedAt = nil
      set.instances[place].subAttributes = set.instances[place].subAttributes.map { $0.withoutSystemMembers() }
    }
    return set
  }
}
