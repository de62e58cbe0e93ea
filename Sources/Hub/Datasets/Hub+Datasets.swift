import NGSI
import Query
import Store

extension Hub {
  static let datasetCollection = "datasets"
  static let catalogueCollection = "catalogue"

  /// The datasets of a tenant in the order they were made.
  public func datasets(in tenant: Tenant) async throws(Problem) -> [Dataset] {
    try permit(.read, in: tenant)
    let stored = try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.documents(Self.datasetCollection, in: tenant, page: Page(limit: self.limits.datasets))
    }
    var datasets: [Dataset] = []
    for document in stored { datasets.append(try await dataset(document)) }
    return datasets
  }

  /// - Throws: `ResourceNotFound`.
  public func dataset(_ id: String, in tenant: Tenant) async throws(Problem) -> Dataset {
    try permit(.read, in: tenant)
    let stored = try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.document(id, collection: Self.datasetCollection, in: tenant)
    }
    guard let stored else { throw .notFound("there is no dataset \(id.prefix(100))") }
    return try await dataset(stored)
  }

  private func dataset(_ stored: StoredDocument) async throws(Problem) -> Dataset {
    let document = stored.body["document"]?.object ?? JSONObject()
    func time(_ name: String) -> DateTime { stored.body[name]?.string.flatMap { DateTime($0) } ?? startedAt }
    return try Dataset(
      document, context: try await context(document["@context"] ?? .null), createdAt: time("createdAt"),
      modifiedAt: time("modifiedAt"))
  }

  /// Makes or replaces a dataset; true when it is new.
  ///
  /// - Throws: `BadRequestData` that names the member, `TooManyResults` beyond ``Limits/datasets``.
  public func putDataset(_ document: JSONObject, in tenant: Tenant) async throws(Problem) -> Bool {
    try permit(.configure, in: tenant)
    let at = now()
    let context = try await context(document["@context"] ?? .null)
    let dataset = try Dataset(document, context: context, createdAt: at, modifiedAt: at)
    let bound = limits.datasets
    return try await write { writer in
      try self.requireRoom(for: tenant, writer)
      let known = try writer.document(dataset.id, collection: Self.datasetCollection, in: tenant)
      if known == nil, try writer.documentCount(Self.datasetCollection, in: tenant) >= bound {
        throw Problem(.tooManyResults, "a tenant may have at most \(bound) datasets")
      }
      let isSame = known?.body["document"] == .object(document)
      guard !isSame else { return false }
      let body: JSON = [
        "document": .object(document), "createdAt": known?.body["createdAt"] ?? .string(at.description),
        "modifiedAt": .string(at.description),
      ]
      try writer.put(StoredDocument(id: dataset.id, body: body), collection: Self.datasetCollection, in: tenant)
      return known == nil
    }
  }

  /// - Throws: `ResourceNotFound`.
  public func deleteDataset(_ id: String, in tenant: Tenant) async throws(Problem) {
    try permit(.configure, in: tenant)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard try writer.deleteDocument(id, collection: Self.datasetCollection, in: tenant) else {
        throw Problem.notFound("there is no dataset \(id.prefix(100))")
      }
    }
  }

  // MARK: - The catalogue itself

  /// What was said of the catalogue, or what stands for it.
  public func catalogue(in tenant: Tenant) throws(Problem) -> JSONObject {
    try permitKnowing(in: tenant)
    let stored = try read { reader in
      try self.requireTenant(tenant, reader)
      return try reader.document("catalogue", collection: Self.catalogueCollection, in: tenant)
    }
    if let object = stored?.body.object { return object }
    let standing: JSON = [
      "title": ["en": "Datasets of this city", "ko": "이 도시의 데이터셋"],
      "description": [
        "en": "What this city gives out through its NGSI-LD hub.", "ko": "이 도시가 NGSI-LD 허브로 내어 주는 것.",
      ], "publisher": ["name": "Madang"],
    ]
    return standing.object ?? JSONObject()
  }

  public func setCatalogue(_ document: JSONObject, in tenant: Tenant) async throws(Problem) {
    try permit(.configure, in: tenant)
    try Dataset.check(.object(document), by: Dataset.catalogueReader, "the catalogue")
    try await write { writer in
      try self.requireRoom(for: tenant, writer)
      try writer.put(
        StoredDocument(id: "catalogue", body: .object(document)), collection: Self.catalogueCollection, in: tenant)
    }
  }

  // MARK: - Quality

  /// Entities of a dataset that are looked at for its quality.
  static let mostJudged = 20_000

  /// How good a dataset is, by what the hub holds now. Reads up to ``mostJudged`` entities: not for an event loop.
  public func quality(of dataset: Dataset, in tenant: Tenant) throws(Problem) -> DatasetQuality {
    let at = now()
    var quality = DatasetQuality(at: at)
    var (values, timely) = (0, 0)
    let asks = !dataset.expectedAttributes.isEmpty || dataset.expectedWithin != nil
    for type in dataset.types where asks {
      var query = EntityQuery()
      query.types = .type(type)
      query.scope = dataset.scope
      query = try seen(query, in: tenant)
      var page = Page(limit: 500)
      while quality.entities < Self.mostJudged {
        let asked = (query, page)
        let found = try read { try $0.entities(asked.0, in: tenant, page: asked.1, countsTotal: false) }
        for entity in found.entities {
          quality.entities += 1
          values += dataset.expectedAttributes.count { entity[attribute: $0] != nil }
          if let within = dataset.expectedWithin, let latest = entity.latestObservation,
            at.secondsSince1970 - latest.secondsSince1970 <= within
          {
            timely += 1
          }
        }
        guard found.hasMore else { break }
        page.offset += page.limit
        quality.isCut = quality.entities >= Self.mostJudged
      }
    }
    if quality.entities > 0 {
      let expected = dataset.expectedAttributes.count * quality.entities
      if expected > 0 { quality.completeness = Double(values) / Double(expected) }
      if dataset.expectedWithin != nil { quality.timeliness = Double(timely) / Double(quality.entities) }
    }
    let counts = dataset.types.compactMap { models.model($0, in: tenant)?.counts }
    let judged = counts.reduce(0) { $0 + $1.judged }
    if judged > 0 { quality.validity = 1 - Double(counts.reduce(0) { $0 + $1.failed }) / Double(judged) }
    return quality
  }
}

extension Entity {
  /// The latest time that any of its attributes was observed.
  fileprivate var latestObservation: DateTime? {
    attributes.flatMap(\.instances).compactMap(\.observedAt).max()
  }
}
