import NGSI
import Store

/// A data model with what became of the entities that it judged.
public struct ModelEntry: Sendable {
  public var type: String
  public var document: JSONObject
  public var modifiedAt: DateTime?
  /// Entities judged since the hub started, and those that did not meet the model.
  public var judged = 0
  public var failed = 0
  /// Why the model is not in force: its context cannot be had. It is tried again.
  public var waitsFor: String?
}

extension Hub {
  static let modelCollection = "dataModels"
  static let schemaCollection = "dataModelSchemas"
  static let validationCollection = "dataModelMode"

  // MARK: - Mode

  public func validationMode(in tenant: Tenant) throws(Problem) -> ValidationMode {
    try permitKnowing(in: tenant)
    return models.mode(in: tenant)
  }

  /// Says what happens from now on to entities that do not meet their model. Without it a tenant warns.
  public func setValidationMode(_ mode: ValidationMode, in tenant: Tenant) async throws(Problem) {
    try permit(.configure, in: tenant)
    let models = models
    try await write { writer in
      try self.requireRoom(for: tenant, writer)
      let document = StoredDocument(id: "mode", body: ["mode": .string(mode.rawValue)])
      try writer.put(document, collection: Self.validationCollection, in: tenant)
      writer.afterCommit { models.set(mode, in: tenant) }
    }
  }

  // MARK: - Models

  /// The data models of a tenant, by type.
  public func dataModels(in tenant: Tenant) throws(Problem) -> [ModelEntry] {
    try permitKnowing(in: tenant)
    var entries = models.models(in: tenant).map { model, counts in
      ModelEntry(
        type: model.type, document: model.document, modifiedAt: model.modifiedAt, judged: counts.judged,
        failed: counts.failed)
    }
    for (type, reason) in models.aside(in: tenant).sorted(by: { $0.key < $1.key }) {
      entries.append(ModelEntry(type: type, document: JSONObject(), waitsFor: reason))
    }
    return entries
  }

  /// Makes or replaces the data model of a type.
  ///
  /// - Parameter document: `{"type", "schema"}` and, as wanted, `"@context"` (that `type` and the schema's names are
  ///   read with), `"form"` (`keyValues` or `normalized`), `"title"`, `"source"`, `"version"`.
  /// - Returns: the expanded type, and whether the model is new.
  /// - Throws: `BadRequestData` when the schema cannot be used, `TooManyResults` beyond ``Limits/dataModels``.
  public func putDataModel(_ document: JSONObject, in tenant: Tenant) async throws(Problem) -> (
    type: String, isNew: Bool
  ) {
    try permit(.configure, in: tenant)
    let known: Set<String> = ["type", "schema", "@context", "form", "title", "source", "version"]
    if let other = document.keys.first(where: { !known.contains($0) }) {
      throw .badRequest("a data model has no member '\(other.prefix(60))'")
    }
    guard let name = document["type"]?.string, !name.isEmpty else { throw .badRequest("'type' is to name a type") }
    try requireSize(of: .object(document))
    let context = try await context(document["@context"] ?? .null)
    let type = try EntityReader(context: context).name(ofAttribute: name)
    let at = now()
    let (models, limits) = (models, limits)
    let isNew = try await write { writer in
      try self.requireRoom(for: tenant, writer)
      let isNew = try writer.document(type, collection: Self.modelCollection, in: tenant) == nil
      if isNew, try writer.documentCount(Self.modelCollection, in: tenant) >= limits.dataModels {
        throw Problem(.tooManyResults, "a tenant may have at most \(limits.dataModels) data models")
      }
      let schemas = try self.schemaDocuments(in: tenant, writer)
      let model = try DataModel(document, type: type, context: context, schemas: schemas, at: at)
      let body: JSON = ["document": .object(document), "modifiedAt": .string(at.description)]
      try writer.put(StoredDocument(id: type, body: body), collection: Self.modelCollection, in: tenant)
      writer.afterCommit { models.put(model, in: tenant) }
      return isNew
    }
    return (type, isNew)
  }

  /// - Throws: `ResourceNotFound`.
  public func deleteDataModel(_ type: String, in tenant: Tenant) async throws(Problem) {
    try permit(.configure, in: tenant)
    let models = models
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard try writer.deleteDocument(type, collection: Self.modelCollection, in: tenant) else {
        throw Problem.notFound("there is no data model of \(type.prefix(200))")
      }
      writer.afterCommit { models.remove(type, in: tenant) }
    }
  }

  // MARK: - Schemas that models refer to

  /// URLs of the schemas that the models of a tenant may refer to.
  public func modelSchemas(in tenant: Tenant) throws(Problem) -> [StoredDocument] {
    try permitKnowing(in: tenant)
    return try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.documents(Self.schemaCollection, in: tenant, page: Page(limit: self.limits.dataModelSchemas))
    }
  }

  /// Gives a schema that `$ref` may name by its URL. Models that refer to it are made anew with it, or it is refused.
  public func putModelSchema(_ url: String, _ schema: JSON, in tenant: Tenant) async throws(Problem) {
    try permit(.configure, in: tenant)
    guard IRI.isAbsolute(url), !url.contains("#") else {
      throw .badRequest("a schema is named by an absolute URL without a fragment")
    }
    guard schema.object != nil || schema.bool != nil else { throw .badRequest("a schema is an object") }
    try requireSize(of: schema)
    try await changeSchemas(in: tenant) { writer in
      let isNew = try writer.document(url, collection: Self.schemaCollection, in: tenant) == nil
      let count = try writer.documentCount(Self.schemaCollection, in: tenant)
      if isNew, count >= self.limits.dataModelSchemas {
        throw Problem(.tooManyResults, "a tenant may have at most \(self.limits.dataModelSchemas) schemas")
      }
      try writer.put(StoredDocument(id: url, body: schema), collection: Self.schemaCollection, in: tenant)
    }
  }

  /// - Throws: `Conflict` while a model refers to it, `ResourceNotFound`.
  public func deleteModelSchema(_ url: String, in tenant: Tenant) async throws(Problem) {
    try permit(.configure, in: tenant)
    try await changeSchemas(in: tenant) { writer in
      guard try writer.deleteDocument(url, collection: Self.schemaCollection, in: tenant) else {
        throw Problem.notFound("there is no schema \(url.prefix(200))")
      }
    }
  }

  /// Changes the schemas, and makes all models of the tenant with them, in one transaction.
  private func changeSchemas(in tenant: Tenant, _ body: @escaping @Sendable (any StoreWriter) throws -> Void)
    async throws(Problem)
  {
    let models = models
    try await write { writer in
      try self.requireRoom(for: tenant, writer)
      try body(writer)
      let schemas = try self.schemaDocuments(in: tenant, writer)
      var made: [DataModel] = []
      for (model, _) in models.models(in: tenant) {
        do throws(Problem) {
          made.append(
            try DataModel(
              model.document, type: model.type, context: model.writer.context, schemas: schemas, at: model.modifiedAt))
        } catch {
          throw Problem(.conflict, "the data model of \(model.type) would not work any more: \(error.detail)")
        }
      }
      let remade = made
      writer.afterCommit { for model in remade { models.put(model, in: tenant) } }
    }
  }

  private func schemaDocuments(in tenant: Tenant, _ reader: any StoreReader) throws -> [String: JSON] {
    let stored = try reader.documents(Self.schemaCollection, in: tenant, page: Page(limit: limits.dataModelSchemas))
    return Dictionary(stored.map { ($0.id, $0.body) }, uniquingKeysWith: { first, _ in first })
  }

  private func requireSize(of schema: JSON) throws(Problem) {
    guard JSONWriter.bytes(schema).count <= limits.schemaBytes else {
      throw Problem(.payloadTooLarge, "a schema may have at most \(limits.schemaBytes) bytes")
    }
  }

  // MARK: - Start

  /// Takes up the stored models; those whose context cannot be had wait.
  func resumeModels() async throws(Problem) {
    for tenant in try read({ try $0.tenants() }) {
      let mode = try read { try $0.document("mode", collection: Self.validationCollection, in: tenant) }
      if let mode = mode?.body["mode"]?.string.flatMap(ValidationMode.init(rawValue:)) { models.set(mode, in: tenant) }
      try await takeUpModels(in: tenant, only: nil)
    }
  }

  private func takeUpModels(in tenant: Tenant, only types: Set<String>?) async throws(Problem) {
    let (stored, schemas) = try read { reader in
      (
        try reader.documents(Self.modelCollection, in: tenant, page: Page(limit: self.limits.dataModels)),
        try self.schemaDocuments(in: tenant, reader)
      )
    }
    for document in stored where types?.contains(document.id) ?? true {
      guard let body = document.body["document"]?.object else { continue }
      do throws(Problem) {
        let context = try await context(body["@context"] ?? .null)
        let at = document.body["modifiedAt"]?.string.flatMap { DateTime($0) } ?? now()
        models.put(
          try DataModel(body, type: document.id, context: context, schemas: schemas, at: at), in: tenant)
      } catch {
        log.error("a data model waits", metadata: ["type": "\(document.id)", "error": "\(error.detail)"])
        models.putAside(document.id, because: error.detail, in: tenant)
      }
    }
  }

  /// Tries again to take up models whose contexts could not be had.
  func takeUpModelsLater() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(10))
      for tenant in models.tenantsWithAside {
        try? await takeUpModels(in: tenant, only: Set(models.aside(in: tenant).keys))
      }
    }
  }
}
