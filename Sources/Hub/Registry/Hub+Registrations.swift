import NGSI
import Query
import Store

extension Hub {
  static let registrationCollection = "registrations"

  /// Register Context Source (clause 5.9.2).
  ///
  /// - Returns: its id, generated where the document has none.
  /// - Throws: `Conflict` when what it would hold alone is held by the hub or by another source.
  public func register(_ object: JSONObject, context: Context, in tenant: Tenant) async throws(Problem) -> String {
    try permit(.register, in: tenant)
    var document = object
    let id: String
    switch object["id"] {
    case nil: id = "urn:ngsi-ld:ContextSourceRegistration:" + Identifier.random()
    case .string(let text)? where IRI.isAbsolute(text): id = text
    default: throw .badRequest("the registration's 'id' must be a URI")
    }
    document["id"] = .string(id)
    let registration = try registration(document, id: id, context: context, createdAt: now(), in: tenant)
    let limits = limits
    try await write { writer in
      try self.requireRoom(for: tenant, writer)
      guard try writer.document(id, collection: Self.registrationCollection, in: tenant) == nil else {
        throw Problem(.alreadyExists, "there is a registration \(id) already")
      }
      guard try writer.documentCount(Self.registrationCollection, in: tenant) < limits.registrations else {
        throw Problem(.tooManyResults, "a tenant may have at most \(limits.registrations) registrations")
      }
      try self.requireNoConflict(registration, writer)
      try self.store(registration, before: nil, writer)
    }
    return id
  }

  /// Update Context Source Registration (clause 5.9.3): members are replaced as wholes, NGSI-LD Null removes one.
  ///
  /// - Parameter context: what the client reads names with; `nil` where it names none: then they are read as before.
  public func updateRegistration(_ id: String, with patch: JSONObject, context: Context?, in tenant: Tenant)
    async throws(Problem)
  {
    try permit(.register, in: tenant)
    if let other = patch["id"], other != .string(id) { throw .badRequest("the id of a registration cannot change") }
    // Someone else may change it while this one is read; then it is done again on the new state.
    for _ in 0..<5 where try await tryUpdate(registration: id, patch, context: context, in: tenant) { return }
    throw Problem(.conflict, "the registration \(id) is being changed by others")
  }

  private func tryUpdate(registration id: String, _ patch: JSONObject, context: Context?, in tenant: Tenant)
    async throws(Problem) -> Bool
  {
    let known = try existingRegistration(id, in: tenant)
    var document = known.document
    for member in patch.members where !RegistrationParser.readOnly.contains(member.key) && member.key != "@context" {
      // JSON null takes a member away too, where it may be missing.
      let isRemoved = member.value == .null || member.value == .string(Core.null)
      document[member.key] = isRemoved ? nil : member.value
    }
    // Names that stay are read with the context they came with, unless the patch brings one of its own.
    let context = context ?? known.context
    let changed = try registration(document, id: id, context: context, createdAt: known.createdAt, in: tenant)
    let before = known.stored
    return try await write { writer in
      guard let current = try writer.document(id, collection: Self.registrationCollection, in: tenant) else {
        throw Problem.notFound("there is no registration \(id)")
      }
      guard current.body == before else { return false }
      try self.requireNoConflict(changed, writer)
      try self.store(changed, before: known, writer)
      return true
    }
  }

  /// Delete Context Source Registration (clause 5.9.4).
  public func deleteRegistration(_ id: String, in tenant: Tenant) async throws(Problem) {
    try permit(.register, in: tenant)
    try await write { writer in
      try self.requireTenant(tenant, writer)
      guard let known = self.registry.registration(id, in: tenant),
        try writer.deleteDocument(id, collection: Self.registrationCollection, in: tenant)
      else { throw Problem.notFound("there is no registration \(id)") }
      try self.removed(known, writer)
    }
  }

  /// Takes up the stored registrations.
  func resumeRegistrations() async throws(Problem) {
    for tenant in try read({ try $0.tenants() }) {
      var page = Page(limit: 1000)
      while true {
        let asked = page
        let documents = try read { try $0.documents(Self.registrationCollection, in: tenant, page: asked) }
        for document in documents { await resume(document, in: tenant) }
        guard documents.count == page.limit else { break }
        page.offset += page.limit
      }
    }
  }

  private func resume(_ stored: StoredDocument, in tenant: Tenant) async {
    do {
      guard case .object(let document)? = stored.body["document"] else {
        throw Problem(.internalError, "it has no document")
      }
      let context = try await context(stored.body["context"] ?? .null)
      func time(_ member: String) -> DateTime? { stored.body[member]?.string.flatMap { DateTime($0) } }
      var readable = document
      readable["expiresAt"] = nil
      var registration = try registration(
        readable, id: stored.id, context: context, createdAt: time("createdAt") ?? now(), in: tenant)
      registration.document = document
      registration.expiresAt = document["expiresAt"]?.string.flatMap { DateTime($0) }
      registration.modifiedAt = time("modifiedAt") ?? registration.createdAt
      registry.put(registration)
      if let kept = try read({ try $0.document(stored.id, collection: SourceRecords.collection, in: tenant) }) {
        sourceRecords.put(SourceRecord(json: kept.body), of: stored.id, in: tenant)
      }
    } catch {
      let reason = (error as? Problem)?.detail ?? "\(error)"
      log.error("a registration cannot be taken up", metadata: ["id": "\(stored.id)", "error": "\(reason)"])
    }
  }

  /// Deletes registrations whose time has come (clause 5.9.2.4).
  func removeExpiredRegistrations() async throws(Problem) {
    for expired in registry.expired(at: now()) {
      try await write { writer in
        guard try writer.deleteDocument(expired.id, collection: Self.registrationCollection, in: expired.tenant) else {
          return
        }
        try self.removed(expired, writer)
      }
    }
  }

  private func registration(
    _ document: JSONObject, id: String, context: Context, createdAt: DateTime, in tenant: Tenant
  ) throws(Problem) -> Registration {
    var document = document
    document["@context"] = nil
    for member in RegistrationParser.readOnly { document[member] = nil }
    return try RegistrationParser(context: context, limits: limits, now: now()).registration(
      document, id: id, createdAt: createdAt, in: tenant)
  }

  private func store(_ registration: Registration, before: Registration?, _ writer: any StoreWriter) throws {
    let document = StoredDocument(id: registration.id, body: registration.stored)
    try writer.put(document, collection: Self.registrationCollection, in: registration.tenant)
    try tellSubscribers(of: registration, before: before, writer)
    let (registry, atSources) = (registry, sourceSubscriptions)
    writer.afterCommit {
      registry.put(registration)
      atSources.note(.registration(registration.id, registration.tenant))
    }
  }

  private func removed(_ known: Registration, _ writer: any StoreWriter) throws {
    try tellSubscribers(of: nil, before: known, writer)
    _ = try writer.deleteDocument(known.id, collection: SourceRecords.collection, in: known.tenant)
    let (registry, records, atSources) = (registry, sourceRecords, sourceSubscriptions)
    writer.afterCommit {
      registry.remove(known.id, in: known.tenant)
      records.forget(known.id, in: known.tenant)
      atSources.note(.registration(known.id, known.tenant))
    }
  }
}

// MARK: - Reading

extension Hub {
  /// The registration with this id (clause 5.10.1).
  public func registration(_ id: String, in tenant: Tenant) throws(Problem) -> Registration {
    try permit(.register, in: tenant)
    return try existingRegistration(id, in: tenant)
  }

  /// Query Context Source Registrations (clause 5.10.2): all that match, those of the most general matches included.
  public func registrations(_ query: SourceQuery, in tenant: Tenant) throws(Problem) -> [SourceMatch] {
    try permit(.register, in: tenant)
    try read { try self.requireTenant(tenant, $0) }
    return try matches(query, in: tenant)
  }

  /// All of a tenant, in the order they were made.
  package func allRegistrations(in tenant: Tenant) -> [Registration] { registry.all(in: tenant) }

  /// Whether there is such a registration.
  package func isRegistered(_ id: String, in tenant: Tenant) -> Bool { registry.registration(id, in: tenant) != nil }

  /// Whether anything of the tenant may be held elsewhere, for this caller.
  package func hasRegistrations(in tenant: Tenant) -> Bool { !registry.isEmpty(in: tenant) && mayFederate(in: tenant) }

  /// Registrations in force that match, none where the caller may not have what other hubs have.
  package func sources(_ query: SourceQuery, in tenant: Tenant) throws(Problem) -> [SourceMatch] {
    mayFederate(in: tenant) ? try matches(query, in: tenant) : []
  }

  private func matches(_ query: SourceQuery, in tenant: Tenant) throws(Problem) -> [SourceMatch] {
    let time = now()
    var matches: [SourceMatch] = []
    for registration in registry.all(in: tenant) where registration.expiresAt.map({ $0 > time }) ?? true {
      if let match = try registration.match(query) { matches.append(match) }
    }
    return matches
  }

  private func existingRegistration(_ id: String, in tenant: Tenant) throws(Problem) -> Registration {
    try read { try self.requireTenant(tenant, $0) }
    guard let known = registry.registration(id, in: tenant) else { throw .notFound("there is no registration \(id)") }
    return known
  }
}

// MARK: - What a source holds alone

extension Hub {
  /// - Throws: `Conflict` (clause 5.9.2.4).
  private func requireNoConflict(_ registration: Registration, _ writer: any StoreWriter) throws {
    guard registration.mode.isProxied else { return }
    for information in registration.information {
      var query = EntityQuery()
      query.selectors = information.entities.map { info in
        var selector = EntitySelector()
        selector.ids = info.id.map { [$0] } ?? []
        selector.idPattern = info.idPattern
        selector.types = .any(info.types.map(TypeSelection.type))
        return selector
      }
      query.attributes = information.attributes.sorted()
      if registration.mode == .exclusive {
        // An exclusive source has the attributes whatever the type.
        for index in query.selectors.indices { query.selectors[index].types = nil }
        try requireNoOther(registration, information)
      }
      let held = try writer.entities(query, in: registration.tenant, page: Page(limit: 1), countsTotal: false)
      if let entity = held.entities.first {
        throw Problem(.conflict, "the hub itself holds what is registered of \(entity.id.prefix(200))")
      }
    }
  }

  private func requireNoOther(_ registration: Registration, _ information: Registration.Information) throws {
    var query = SourceQuery()
    query.attributes = information.attributes
    query.selectors = information.entities.map { info in
      var selector = EntitySelector()
      selector.ids = info.id.map { [$0] } ?? []
      return selector
    }
    for other in registry.all(in: registration.tenant) where other.id != registration.id && other.mode.isProxied {
      guard try other.match(query) != nil else { continue }
      throw Problem(.conflict, "the registration \(other.id.prefix(200)) holds the same attributes of this entity")
    }
  }
}

extension Registration {
  /// What the store keeps.
  var stored: JSON {
    [
      "document": .object(document), "context": context.source, "createdAt": .string(createdAt.description),
      "modifiedAt": .string(modifiedAt.description),
    ]
  }

  /// The document with its names written with another context.
  ///
  /// - Parameters:
  ///   - parts: show only these parts of `information`.
  ///   - listsTypes: write each `type` as an array.
  public func shown(
    _ context: Context, showsTimes: Bool = false, parts: [Information]? = nil, listsTypes: Bool = false
  ) -> JSONObject {
    func rename(_ name: String) -> String { context.compact(self.context.expand(name)) }
    func names(_ json: JSON) -> JSON { .array(json.items.map { $0.string.map { .string(rename($0)) } ?? $0 }) }
    var object = JSONObject()
    for member in document.members {
      guard member.key == "information" else {
        // Names of the client's own are terms like those of attributes.
        object[isOwn(member.key) ? rename(member.key) : member.key] = member.value
        continue
      }
      var items: [JSON] = []
      for (index, item) in member.value.items.enumerated() {
        guard case .object(var part) = item else { continue }
        if let parts, information.indices.contains(index), !parts.contains(information[index]) { continue }
        for list in ["propertyNames", "relationshipNames"] { if let known = part[list] { part[list] = names(known) } }
        if let entities = part["entities"] {
          part["entities"] = .array(
            entities.items.map { entity in
              guard case .object(var info) = entity, let type = info["type"] else { return entity }
              info["type"] = listsTypes ? names(type) : type.string.map { .string(rename($0)) } ?? names(type)
              return .object(info)
            })
        }
        items.append(.object(part))
      }
      object["information"] = .array(items)
    }
    if showsTimes {
      object["createdAt"] = .string(createdAt.description)
      object["modifiedAt"] = .string(modifiedAt.description)
    }
    return object
  }

  private func isOwn(_ member: String) -> Bool { !RegistrationParser.isKnown(member) }
}
