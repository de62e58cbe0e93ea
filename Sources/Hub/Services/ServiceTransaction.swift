import NGSI
import Store

/// One transaction of a service, on the writer's thread: it reads what there is, writes the entities of types that it owns,
/// keeps documents of its own, and states what was done in the evidence log. All of it is committed, or nothing.
public struct ServiceTransaction {
  let hub: Hub
  let service: String
  public let tenant: Tenant
  let writing: Writing
  let caller: Caller
  let notes: WriteNotes?
  let writer: any StoreWriter
  /// The time of all that is written.
  public let time: DateTime
  private var updates: [EntityUpdate] = []
  /// What the city itself writes, whoever asked.
  private var cityUpdates: [EntityUpdate] = []
  private var disclosures: [Disclosure] = []

  init(
    hub: Hub, service: String, tenant: Tenant, writing: Writing, caller: Caller, notes: WriteNotes?, time: DateTime,
    writer: any StoreWriter
  ) {
    self.hub = hub
    self.service = service
    self.tenant = tenant
    self.writing = writing
    self.caller = caller
    self.notes = notes
    self.time = time
    self.writer = writer
  }

  public func entity(_ id: String) throws -> Entity? { try writer.entity(id, in: tenant) }

  public func document(_ id: String, in collection: String) throws -> JSON? {
    try writer.document(id, collection: named(collection), in: tenant)?.body
  }

  /// In the order in which they were kept first.
  public func documents(in collection: String, from offset: Int = 0, limit: Int) throws -> [(id: String, body: JSON)] {
    try writer.documents(named(collection), in: tenant, page: Page(limit: limit, offset: offset)).map {
      ($0.id, $0.body)
    }
  }

  /// Keeps a document beside the entities; no other door reaches it.
  public func keep(_ body: JSON, as id: String, in collection: String) throws {
    try writer.put(StoredDocument(id: id, body: body), collection: named(collection), in: tenant)
  }

  /// Lets go of a document; nothing happens when there is none.
  public func drop(_ id: String, in collection: String) throws {
    _ = try writer.deleteDocument(id, collection: named(collection), in: tenant)
  }

  /// Makes an entity what it is now, or brings a new one. What has not changed keeps its times.
  ///
  /// - Throws: `Forbidden`, `Unauthorized` for who may not; `BadRequestData` for what does not meet its data model.
  public mutating func put(_ entity: Entity) throws { try put(entity, by: writing, into: \.updates) }

  /// The same on behalf of the city: what follows from a fact that the caller was permitted to bring.
  public mutating func putAsCity(_ entity: Entity) throws {
    var city = Writing.city
    city.service = service
    try put(entity, by: city, into: \.cityUpdates)
  }

  /// Asks whether the caller may bring such an entity; nothing is written.
  ///
  /// - Throws: `Forbidden`, `Unauthorized`.
  public func permitCreating(_ entity: Entity) throws(Problem) {
    try hub.permit(EntityUpdate(creating: entity, at: time), by: writing)
  }

  private mutating func put(
    _ entity: Entity, by writing: Writing, into list: WritableKeyPath<ServiceTransaction, [EntityUpdate]>
  ) throws {
    let known = (updates + cityUpdates).last { $0.entity.id == entity.id }?.entity
    let before = try known ?? writer.entity(entity.id, in: tenant)
    let update = before?.becoming(entity, at: time) ?? EntityUpdate(creating: entity, at: time)
    try hub.judge(update, in: tenant, by: writing, notes)
    guard !update.isUnchanged else { return }
    self[keyPath: list].append(update)
  }

  /// States in the evidence log what was done, where the city keeps one.
  ///
  /// - Parameters:
  ///   - kind: of the statement, such as `incident-step`.
  ///   - document: what the statement vouches for by its hash.
  ///   - party: who did it, where the city writes it down; the caller where nobody is named.
  public mutating func state(
    _ kind: String, _ step: String, of entityId: String, _ document: JSON, purpose: String? = nil,
    reason: String? = nil, by party: Caller? = nil
  ) {
    disclosures.append(
      Disclosure(
        caller: party ?? caller, action: party == nil ? .update : .read, tenant: tenant.owner, entityId: entityId,
        document: document, kind: kind, step: step, purpose: purpose, reason: reason))
  }

  /// Runs once all of it is durable, on the writer's thread; it must be quick.
  public func afterCommit(_ body: @escaping @Sendable () -> Void) { writer.afterCommit(body) }

  func commit() throws {
    if !updates.isEmpty { try hub.commit(updates, in: tenant, at: time, by: writing, writer) }
    if !cityUpdates.isEmpty { try hub.commit(cityUpdates, in: tenant, at: time, by: .city, writer) }
    if let rules = hub.rules, !disclosures.isEmpty { _ = try rules.record(disclosures, writer) }
  }

  private func named(_ collection: String) -> String { "service/\(service)/\(collection)" }
}

extension Hub {
  /// Runs one transaction of a service on behalf of the caller, who may do with the service's entities what the rules let him.
  ///
  /// - Throws: what the body throws as a ``Problem``; `Unauthorized`, `Forbidden` for who may write nothing at all.
  public func transact<Value: Sendable>(
    as service: String, in tenant: Tenant, _ body: @escaping @Sendable (inout ServiceTransaction) throws -> Value
  ) async throws(Problem) -> Value {
    var writing = try writing(in: tenant)
    writing.service = service
    let (caller, notes, at, who) = (Caller.current, WriteNotes.current, now(), writing)
    return try await write { writer in
      var transaction = ServiceTransaction(
        hub: self, service: service, tenant: tenant, writing: who, caller: caller, notes: notes, time: at,
        writer: writer)
      try self.requireRoom(for: tenant, writer)
      let value = try body(&transaction)
      try transaction.commit()
      return value
    }
  }

  /// Documents of a service, in the order in which they were kept first.
  public func documents(of service: String, in collection: String, from offset: Int = 0, limit: Int, of tenant: Tenant)
    throws(Problem) -> [(id: String, body: JSON)]
  {
    try read { reader in
      try reader.documents("service/\(service)/\(collection)", in: tenant, page: Page(limit: limit, offset: offset)).map
      {
        ($0.id, $0.body)
      }
    }
  }
}

extension Hub {
  /// One document of a service.
  public func document(of service: String, _ id: String, in collection: String, of tenant: Tenant) throws(Problem)
    -> JSON?
  {
    try read { try $0.document(id, collection: "service/\(service)/\(collection)", in: tenant)?.body }
  }

  /// Says of an entity whether the caller may see all of it.
  ///
  /// - Throws: `Unauthorized`, `Forbidden` for who may read nothing.
  public func sight(in tenant: Tenant) throws(Problem) -> @Sendable (Entity) -> Bool {
    guard let visibility = try visibility(in: tenant) else { return { _ in true } }
    return { visibility.visible($0).map(\.attributes.count) == $0.attributes.count }
  }
}
