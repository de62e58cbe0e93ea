import City
import Foundation
import Hub
import NGSI
import Store

/// Gives the hub what the manifest says of data models, datasets and the catalogue, at each start.
///
/// What was registered by the API under other names stays; what the manifest names is as the manifest says.
struct CityRegister {
  let hub: Hub
  let file: ManifestFile

  /// - Throws: ``Problem`` that says which entry cannot be used, and why.
  func register() async throws(Problem) {
    let manifest = file.manifest
    if let models = manifest.dataModels {
      for schema in models.schemas ?? [] {
        let json = try read(schema.file)
        try await named("dataModels.schemas \(schema.url)") { () async throws(Problem) in
          try await hub.putModelSchema(schema.url, json, in: .default)
        }
      }
      for type in models.types ?? [] {
        var document = JSONObject()
        document["type"] = .string(type.type)
        document["schema"] = try read(type.schema)
        document["@context"] = type.context.map(JSON.string)
        document["form"] = type.form.map { .string($0.rawValue) }
        let model = document
        try await named("dataModels.types \(type.type)") { () async throws(Problem) in
          _ = try await hub.putDataModel(model, in: .default)
        }
      }
      if let mode = ValidationMode(rawValue: models.mode.rawValue) {
        try await hub.setValidationMode(mode, in: .default)
      }
    }
    if let catalogue = manifest.catalogue {
      let document = catalogue.document
      try await named("catalogue") { () async throws(Problem) in try await hub.setCatalogue(document, in: .default) }
    }
    for dataset in manifest.datasets ?? [] {
      let document = dataset.document
      try await named("datasets \(dataset.id)") { () async throws(Problem) in
        _ = try await hub.putDataset(document, in: .default)
      }
    }
  }

  private func named(_ entry: String, _ body: () async throws(Problem) -> Void) async throws(Problem) {
    do { try await body() } catch { throw Problem(error.kind, "\(file.path): \(entry): \(error.detail)") }
  }

  private func read(_ path: String) throws(Problem) -> JSON {
    let resolved = file.resolve(path)
    guard let data = FileManager.default.contents(atPath: resolved) else {
      throw .notFound("\(file.path): there is no file \(resolved)")
    }
    do { return try JSONParser.parse(Array(data)) } catch { throw .badRequest("\(resolved) is not JSON: \(error)") }
  }
}

extension Manifest.Text {
  fileprivate var json: JSON { ["ko": .string(ko), "en": .string(en)] }
}

extension Manifest.Agent {
  fileprivate var json: JSON {
    var json = JSONObject()
    json["name"] = name.json
    json["homepage"] = homepage.map(JSON.string)
    json["email"] = email.map(JSON.string)
    return .object(json)
  }
}

extension Manifest.Catalogue {
  fileprivate var document: JSONObject {
    var json = JSONObject()
    json["title"] = title.json
    json["description"] = description.json
    json["publisher"] = publisher.json
    json["licence"] = licence.map(JSON.string)
    json["homepage"] = homepage.map(JSON.string)
    json["spatial"] = spatial.map(JSON.string)
    json["languages"] = languages.map { .array($0.map(JSON.string)) }
    return json
  }
}

extension Manifest.Dataset {
  fileprivate var document: JSONObject {
    var json = JSONObject()
    json["id"] = .string(id)
    json["title"] = title.json
    json["description"] = description.json
    json["publisher"] = publisher.json
    json["licence"] = .string(licence)
    json["themes"] = themes.map { .array($0.map(JSON.string)) }
    json["keywords"] = keywords.map { words in
      .object(
        JSONObject(
          uniqueMembers: words.sorted { $0.key < $1.key }.map {
            .init(key: $0.key, value: .array($0.value.map(JSON.string)))
          }))
    }
    json["spatial"] = spatial.map(JSON.string)
    json["frequency"] = frequency.map(JSON.string)
    json["accessRights"] = accessRights.map(JSON.string)
    if let lineage {
      var said = JSONObject()
      said["source"] = lineage.source.map(JSON.string)
      said["derivation"] = lineage.derivation?.json
      json["lineage"] = .object(said)
    }
    if let retention {
      // A part of a day counts as a day: rather longer than shorter.
      var said: JSON = ["days": .integer(Int64((retention.seconds + 86_399) / 86_400))]
      if removesEntities == true { said = ["days": said["days"] ?? .null, "entities": true] }
      json["retention"] = said
    }
    var entities = JSONObject()
    entities["types"] = .array(types.map(JSON.string))
    entities["scopeQ"] = scopeQ.map(JSON.string)
    json["entities"] = .object(entities)
    if let expected {
      var said = JSONObject()
      said["attributes"] = expected.attributes.map { .array($0.map(JSON.string)) }
      said["withinSeconds"] = expected.within.map { .integer(Int64($0.seconds)) }
      json["expected"] = .object(said)
    }
    json["@context"] = context.map(JSON.string)
    return json
  }
}
