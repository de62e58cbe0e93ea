import Foundation
import Testing
import TestSupport

@testable import NGSI

/// Entities and fragments from JSON text, with the core context.
enum Sample {
  static let then = DateTime(microseconds: 1_000_000)
  static let now = DateTime(microseconds: 2_000_000)

  static func fragment(_ text: String, _ rules: EntityReader.Rules = []) throws -> EntityFragment {
    try EntityReader(context: .core, rules: rules).entity(JSONParser.parse(text))
  }

  static func attribute(_ text: String, _ rules: EntityReader.Rules = .null) throws -> AttributeFragment {
    try #require(EntityReader(context: .core, rules: rules).attribute(JSONParser.parse(text), name: "x").first)
  }

  /// An entity `urn:e` of type `T` with these members, created at ``then``.
  static func entity(_ members: String) throws -> Entity {
    try fragment(#"{"id": "urn:e:1", "type": "T"\#(members.isEmpty ? "" : ", " + members)}"#).creation(at: then).entity
  }

  static func json(_ entity: Entity, _ representation: Representation = Representation()) throws -> JSON {
    var writer = JSONWriter()
    EntityWriter(context: .core, representation: representation).write(entity, to: &writer)
    return try JSONParser.parse(writer.bytes)
  }

  static func iri(_ name: String) -> String { Context.core.expand(name) }
}

// Clauses: 5.4, 5.5.8
@Suite("Write operations")
struct OperationTests {
  static let temperature =
    #""temperature": {"type": "Property", "value": 25, "unitCode": "CEL", "observedAt": "2022-03-14T01:59:26.535Z"}"#
  static let newTemperature = #"{"type": "Property", "value": 100, "observedAt": "2022-03-14T13:00:00.000Z"}"#

  // The six examples of clauses 5.5.8 and 5.5.12.

  @Test("5.5.8 example 1: a partial update leaves the members that it does not name")
  func partialUpdate() throws {
    let entity = try Sample.entity(Self.temperature)
    let update = try entity.partiallyUpdatingAttribute(
      Sample.iri("temperature"), Sample.attribute(Self.newTemperature), at: Sample.now)
    let temperature = try Sample.json(update.entity)["temperature"]
    #expect(
      temperature == [
        "type": "Property", "value": 100, "unitCode": "CEL", "observedAt": "2022-03-14T13:00:00.000Z",
      ])
    let new = try #require(update.changes.first?.new)
    #expect(new.createdAt == Sample.then && new.modifiedAt == Sample.now)
    #expect(update.changes.map(\.kind) == [.updated])
    #expect(update.changes.first?.old?.value == 25)
    #expect(update.entity.modifiedAt == Sample.now && update.entity.createdAt == Sample.then)
  }

  @Test("5.5.8 example 2: an update of attributes replaces the whole attribute")
  func update() throws {
    let update = try Sample.entity(Self.temperature + #", "other": 1"#)
      .updatingAttributes(Sample.fragment(#"{"temperature": \#(Self.newTemperature)}"#, .null), at: Sample.now)
    let json = try Sample.json(update.entity)
    #expect(json["temperature"] == ["type": "Property", "value": 100, "observedAt": "2022-03-14T13:00:00.000Z"])
    #expect(json["other"]?["value"] == 1)
    #expect(update.updated == [Sample.iri("temperature")])
    let other = try #require(update.entity[attribute: Sample.iri("other")]?.instances.first)
    #expect(other.modifiedAt == Sample.then)
  }

  @Test("5.5.8 example 3: NGSI-LD Null deletes the whole attribute")
  func deletionByNull() throws {
    let update = try Sample.entity(Self.temperature + #", "other": 1"#).updatingAttributes(
      Sample.fragment(#"{"temperature": {"type": "Property", "value": "urn:ngsi-ld:null"}}"#, .null), at: Sample.now)
    #expect(update.changes.map(\.kind) == [.deleted])
    #expect(try Sample.json(update.entity)["temperature"] == nil)
    #expect(update.entity.attributes.count == 1)
  }

  // Clauses: 5.5.12
  @Test("5.5.12 example 1: a merge leaves the members that it does not name")
  func merge() throws {
    let update = try Sample.entity(Self.temperature).merging(
      Sample.fragment(#"{"temperature": \#(Self.newTemperature)}"#, [.null, .nestedNull]), at: Sample.now)
    #expect(try Sample.json(update.entity)["temperature"]?["unitCode"] == "CEL")
    #expect(try Sample.json(update.entity)["temperature"]?["value"] == 100)
  }

  // Clauses: 5.5.12
  @Test("5.5.12 example 2: a merge goes into the value; NGSI-LD Null takes a member of it away")
  func mergeValue() throws {
    let address = #"{"street": "Straße des 17. Juni", "city": "Berlin", "country": "Germany"}"#
    let patch = #"{"street": "Pariser Platz", "country": "urn:ngsi-ld:null"}"#
    for wrapped in [#"{"type": "Property", "value": \#(patch)}"#, #"{"value": \#(patch)}"#] {
      let update = try Sample.entity(#""address": {"type": "Property", "value": \#(address)}"#).merging(
        Sample.fragment(#"{"address": \#(wrapped)}"#, [.null, .nestedNull]), at: Sample.now)
      #expect(
        try Sample.json(update.entity)["address"]?["value"] == ["street": "Pariser Platz", "city": "Berlin"])
    }
  }

  // What each operation does beside the examples.

  @Test("an update adds what is new, reports a Null for what is not there, and unites types")
  func updateBesides() throws {
    let fragment = try Sample.fragment(
      #"{"type": ["T", "U"], "a": 2, "b": {"value": 3, "datasetId": "urn:d:1"}, "gone": "urn:ngsi-ld:null", "scope": "x"}"#,
      .null)
    let update = try Sample.entity(#""b": 1"#).updatingAttributes(fragment, at: Sample.now)
    #expect(update.entity.types == [Sample.iri("T"), Sample.iri("U")])
    #expect(update.addedTypes == [Sample.iri("U")])
    #expect(update.changes.map(\.kind) == [.created, .created])
    #expect(update.entity[attribute: Sample.iri("b")]?.instances.count == 2)
    #expect(update.notUpdated.map(\.name) == [Sample.iri("gone"), Core.scope])
    #expect(update.entity.scopes.isEmpty && !update.updated.contains(Core.scope))
    let added = try Sample.entity(#""b": 1"#).updatingAttributes(
      Sample.fragment(#"{"scope": "x"}"#), addsScopes: true, at: Sample.now)
    #expect(added.entity.scopes == ["/x"] && added.notUpdated.isEmpty)
    #expect(update.isPartial && !update.isUnchanged)
  }

  @Test("appending without overwriting leaves what is there, times included")
  func appendWithoutOverwriting() throws {
    let entity = try Sample.entity(#""a": 1, "scope": "/x""#)
    let none = try entity.appendingAttributes(Sample.fragment(#"{"a": 2}"#), overwrite: false, at: Sample.now)
    #expect(none.isUnchanged && none.entity == entity && none.notUpdated.count == 1)
    let some = try entity.appendingAttributes(
      Sample.fragment(#"{"a": 2, "b": 3, "scope": ["/x", "/y"]}"#), overwrite: false, at: Sample.now)
    #expect(some.changes.map(\.name) == [Sample.iri("b")])
    #expect(some.entity.scopes == ["/x", "/y"])
    let over = try entity.appendingAttributes(Sample.fragment(#"{"a": 2, "scope": "/z"}"#), at: Sample.now)
    #expect(over.changes.map(\.kind) == [.updated] && over.entity.scopes == ["/z"])
  }

  @Test("a partial update of what is not there, of another kind, or of nothing is refused")
  func partialRefusals() throws {
    let entity = try Sample.entity(#""a": 1, "r": {"object": "urn:x:1"}"#)
    func problem(_ name: String, _ text: String) throws -> Problem? {
      let fragment = try Sample.attribute(text)
      return #expect(throws: Problem.self) {
        try entity.partiallyUpdatingAttribute(Sample.iri(name), fragment, at: Sample.now)
      }
    }
    #expect(try problem("b", #"{"value": 1}"#)?.kind == .resourceNotFound)
    #expect(try problem("a", #"{"value": 1, "datasetId": "urn:d:1"}"#)?.kind == .resourceNotFound)
    #expect(try problem("a", #"{"object": "urn:x:2"}"#)?.kind == .badRequestData)
    #expect(try problem("a", #"{"type": "Relationship", "object": "urn:x:2"}"#)?.kind == .badRequestData)
    #expect(try problem("a", "{}")?.kind == .badRequestData)
    #expect(throws: Problem.self) { try Sample.attribute(#"{"datasetId": "urn:ngsi-ld:null"}"#) }
    let ofScope = #expect(throws: Problem.self) {
      try entity.partiallyUpdatingAttribute(Core.scope, Sample.attribute("1"), at: Sample.now)
    }
    #expect(ofScope?.kind == .badRequestData)
  }

  @Test("sub-attributes: a partial update replaces them one by one, a merge merges them")
  func subAttributes() throws {
    let entity = try Sample.entity(
      #""a": {"value": 1, "q": {"value": 1, "unitCode": "P1"}, "s": {"value": "x"}, "t": {"value": 9}}"#)
    let patch = #"{"q": {"value": 2}, "s": "urn:ngsi-ld:null"}"#
    let partial = try entity.partiallyUpdatingAttribute(
      Sample.iri("a"), Sample.attribute(patch), at: Sample.now)
    let merged = try entity.merging(
      Sample.fragment(#"{"a": \#(patch)}"#, [.null, .nestedNull]), at: Sample.now)
    #expect(
      try Sample.json(partial.entity)["a"] == [
        "type": "Property", "value": 1, "q": ["type": "Property", "value": 2], "t": ["type": "Property", "value": 9],
      ])
    #expect(try Sample.json(merged.entity)["a"]?["q"] == ["type": "Property", "value": 2, "unitCode": "P1"])
    #expect(try Sample.json(merged.entity)["a"]?["s"] == nil)
    let sub = try #require(merged.changes.first?.new)
    #expect(sub[subAttribute: Sample.iri("t")]?.instances.first?.modifiedAt == Sample.then)
    #expect(sub[subAttribute: Sample.iri("q")]?.instances.first?.modifiedAt == Sample.now)
    #expect(sub[subAttribute: Sample.iri("q")]?.instances.first?.createdAt == Sample.then)
  }

  // Clauses: 4.5.5, 5.6.5
  @Test("deletions: default instance, dataset, all, scope, and what is not there")
  func deletion() throws {
    let entity = try Sample.entity(
      #""a": [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}, {"value": 3, "datasetId": "urn:d:2"}], "scope": "/x""#
    )
    let name = Sample.iri("a")
    func left(_ update: EntityUpdate) -> [JSON] { update.entity[attribute: name]?.instances.map(\.value) ?? [] }
    #expect(try left(entity.deletingAttribute(name, at: Sample.now)) == [2, 3])
    #expect(try left(entity.deletingAttribute(name, .dataset("urn:d:1"), at: Sample.now)) == [1, 3])
    let all = try entity.deletingAttribute(name, .all, at: Sample.now)
    #expect(left(all) == [] && all.changes.count == 3 && all.entity.attributes.isEmpty)
    #expect(try entity.deletingAttribute(Core.scope, at: Sample.now).entity.scopes == [])
    for selection in [Entity.InstanceSelection.dataset("urn:d:9"), .all] {
      let missing = selection == .all ? Sample.iri("b") : name
      let problem = #expect(throws: Problem.self) {
        try entity.deletingAttribute(missing, selection, at: Sample.now)
      }
      #expect(problem?.kind == .resourceNotFound)
    }
  }

  @Test("replacing an entity keeps its createdAt and deletes what the new content lacks")
  func replacement() throws {
    let update = try Sample.entity(#""a": 1, "b": 2"#).replaced(
      by: Sample.fragment(#"{"type": "U", "b": 3, "c": 4}"#), at: Sample.now)
    #expect(update.entity.types == [Sample.iri("U")])
    #expect(update.addedTypes == [Sample.iri("U")] && update.removedTypes == [Sample.iri("T")])
    #expect(update.entity.createdAt == Sample.then && update.entity.modifiedAt == Sample.now)
    let kinds = Dictionary(uniqueKeysWithValues: update.changes.map { ($0.name, $0.kind) })
    #expect(kinds == [Sample.iri("a"): .deleted, Sample.iri("b"): .updated, Sample.iri("c"): .created])
    #expect(update.entity.attributes.map(\.name) == [Sample.iri("b"), Sample.iri("c")])
    #expect(throws: Problem.self) {
      try Sample.entity("").replaced(by: Sample.fragment(#"{"id": "urn:e:2", "type": "T"}"#), at: Sample.now)
    }
  }

  @Test("replacing an attribute replaces all its members, and needs it to be there")
  func attributeReplacement() throws {
    let entity = try Sample.entity(Self.temperature)
    let name = Sample.iri("temperature")
    let update = try entity.replacingAttribute(name, Sample.attribute(#"{"value": 7}"#), at: Sample.now)
    #expect(try Sample.json(update.entity)["temperature"] == ["type": "Property", "value": 7])
    #expect(update.changes.first?.new?.createdAt == Sample.then)
    let problem = #expect(throws: Problem.self) {
      try entity.replacingAttribute(Sample.iri("b"), Sample.attribute(#"{"value": 7}"#), at: Sample.now)
    }
    #expect(problem?.kind == .resourceNotFound)
  }

  @Test("a merge of simplified values keeps each attribute's kind")
  func simplifiedMerge() throws {
    let entity = try Sample.entity(
      #"""
      "p": {"value": {"x": 1}}, "r": {"object": "urn:x:1"}, "l": {"languageMap": {"en": "hi", "fr": "salut"}},
      "v": {"vocab": "a"}, "j": {"json": {"k": 1}}, "vl": {"valueList": [1]}, "ol": {"objectList": ["urn:x:1"]}
      """#)
    let fragment = try Sample.fragment(
      #"""
      {"p": {"y": 2}, "r": "urn:x:2", "l": "bonjour", "v": {"vocab": "b"}, "j": {"json": {"k2": 2}}, "vl": [2],
       "ol": ["urn:x:3"], "new": 5}
      """#, [.null, .nestedNull, .simplified])
    let update = try entity.merging(fragment, MergeOptions(language: "fr"), at: Sample.now)
    #expect(
      try Sample.json(update.entity, Representation(.simplified)) == [
        "id": "urn:e:1", "type": "T", "p": ["x": 1, "y": 2], "r": "urn:x:2",
        "l": ["languageMap": ["en": "hi", "fr": "bonjour"]], "v": ["vocab": "b"], "j": ["json": ["k": 1, "k2": 2]],
        "vl": [2], "ol": ["urn:x:3"], "new": 5,
      ])
    let refused = try entity.merging(
      Sample.fragment(#"{"r": "no uri", "l": "hi"}"#, [.null, .nestedNull, .simplified]), at: Sample.now)
    #expect(refused.isUnchanged && refused.notUpdated.count == 2)
  }

  // Clauses: 5.5.12
  @Test("a merge sets the common observedAt only where there was one and none is given")
  func commonObservedAt() throws {
    let old = #""observedAt": "2020-01-01T00:00:00Z""#
    let entity = try Sample.entity(#""a": {"value": 1, \#(old)}, "b": {"value": 1}, "c": {"value": 1, \#(old)}"#)
    let common = try #require(DateTime("2021-01-01T00:00:00Z"))
    let update = try entity.merging(
      Sample.fragment(
        #"{"a": {"value": 2}, "b": {"value": 2}, "c": {"value": 2, "observedAt": "2022-01-01T00:00:00Z"}}"#, .null),
      MergeOptions(observedAt: common), at: Sample.now)
    func observedAt(_ name: String) -> DateTime? {
      update.entity[attribute: Sample.iri(name)]?.instances.first?.observedAt
    }
    #expect(observedAt("a") == common)
    #expect(observedAt("b") == nil)
    #expect(observedAt("c") == DateTime("2022-01-01T00:00:00Z"))
  }

  // Clauses: 5.5.12
  @Test("a merge can change the kind when it says so, and a Null in a language map takes one language away")
  func mergeKinds() throws {
    let entity = try Sample.entity(
      #""a": {"value": 1, "unitCode": "CEL"}, "l": {"languageMap": {"en": "hi", "fr": "salut"}}"#)
    let update = try entity.merging(
      Sample.fragment(
        #"{"a": {"type": "Relationship", "object": "urn:x:1"}, "l": {"languageMap": {"fr": "urn:ngsi-ld:null"}}}"#,
        [.null, .nestedNull]), at: Sample.now)
    #expect(try Sample.json(update.entity)["a"] == ["type": "Relationship", "object": "urn:x:1"])
    #expect(try Sample.json(update.entity)["l"]?["languageMap"] == ["en": "hi"])
    let emptied = try entity.merging(
      Sample.fragment(
        #"{"l": {"languageMap": {"fr": "urn:ngsi-ld:null", "en": "urn:ngsi-ld:null"}}}"#, [.null, .nestedNull]),
      at: Sample.now)
    #expect(emptied.changes.map(\.kind) == [.deleted])
  }

  // Clauses: 5.5.12
  @Test("a Null merged into nothing leaves nothing")
  func mergeNullIntoNothing() throws {
    let entity = try Sample.entity(#""a": 1"#)
    let update = try entity.merging(
      Sample.fragment(
        #"{"b": "urn:ngsi-ld:null", "c": {"value": {"x": 1, "y": "urn:ngsi-ld:null"}}}"#, [.null, .nestedNull]),
      at: Sample.now)
    #expect(update.notUpdated.isEmpty)
    #expect(try Sample.json(update.entity)["c"]?["value"] == ["x": 1])
    #expect(update.entity[attribute: Sample.iri("b")] == nil)
  }

  // Clauses: 5.5.12
  @Test(
    "JSON Merge Patch gives the results of RFC 7396, appendix A",
    arguments: [
      (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
      (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
      (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
      (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
      (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
      (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#), (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
      (#"[1,2]"#, #"{"a":"b","c":null}"#, #"{"a":"b"}"#), ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
  func mergePatch(target: String, patch: String, result: String) throws {
    let null = "\"\(Core.null)\""
    let merged = try JSONParser.parse(target).merging(
      patch: JSONParser.parse(patch.replacingOccurrences(of: "null", with: null)))
    #expect(try merged == JSONParser.parse(result))
  }

  @Test("creation and deletion name every instance")
  func creationAndDeletion() throws {
    let created = try Sample.fragment(
      #"{"id": "urn:e:1", "type": "T", "a": [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}], "scope": "x"}"#
    ).creation(at: Sample.now)
    #expect(created.changes.map(\.kind) == [.created, .created] && created.before == nil && created.scopesChanged)
    #expect(created.entity.createdAt == Sample.now)
    let deleted = created.entity.deletion(at: Sample.now)
    #expect(deleted.changes.map(\.kind) == [.deleted, .deleted] && deleted.entity.deletedAt == Sample.now)
  }

  @Test("updating and emptying an entity of 10,000 attributes takes well under a second")
  func large() throws {
    let members = (0..<10_000).map { "\"a\($0)\": 1" }.joined(separator: ", ")
    let nulls = (0..<10_000).map { "\"a\($0)\": \"urn:ngsi-ld:null\"" }.joined(separator: ", ")
    let entity = try Sample.entity(members)
    let patch = try Sample.fragment("{\(members)}", .null)
    let removal = try Sample.fragment("{\(nulls)}", .null)
    let object = try Sample.entity(#""o": {"value": {\#(members)}}"#)
    let nested = try Sample.fragment(#"{"o": {"value": {\#(nulls)}}}"#, [.null, .nestedNull])
    let taken = try processorTime {
      let updated = try entity.updatingAttributes(patch, at: Sample.now)
      let emptied = try entity.merging(removal, at: Sample.now)
      let merged = try object.merging(nested, at: Sample.now)
      #expect(updated.changes.count == 10_000)
      #expect(emptied.entity.attributes.isEmpty)
      #expect(merged.changes.first?.new?.value == [:])
    }
    // Quadratic work would take minutes; the bound leaves room for a debug build.
    #expect(taken < .seconds(5))
  }
}
