import NGSI
import Query
import Store

extension Hub {
  static let snapshotCollection = "snapshots"

  private var snapshotParser: SnapshotParser {
    SnapshotParser(limits: limits) { [sender] url, settings in
      sender.refusal(of: url, mediaType: "application/json", settings: settings)
    }
  }

  // MARK: - Make

  /// Create Snapshot (clause 5.16.1). It is filled in the background.
  ///
  /// - Parameter check: looks at its queries before anything is stored.
  /// - Returns: its id.
  public func createSnapshot(
    _ object: JSONObject, context: Context, in tenant: Tenant, check: (JSONObject) throws(Problem) -> Void
  ) async throws(Problem) -> String {
    try permit(.configure, in: tenant)
    try requireSight(in: tenant)
    let document = try snapshotParser.document(object, takesQueries: true)
    try check(document)
    return try await makeSnapshot(object["id"], document, context.source, origin: nil, in: tenant)
  }

  /// Clone Snapshot (clause 5.16.2).
  public func cloneSnapshot(_ id: String, as object: JSONObject, in tenant: Tenant) async throws(Problem) -> String {
    try permit(.configure, in: tenant)
    var document = try snapshotParser.document(object, takesQueries: false)
    let original = try snapshot(id, in: tenant)
    guard original.status != .preparing else {
      throw Problem(.conflict, "the snapshot \(id) is being prepared still")
    }
    for member in SnapshotParser.queries { document[member] = original.document[member] }
    return try await makeSnapshot(object["id"], document, original.context, origin: original, in: tenant)
  }

  /// A snapshot may hold parts of entities, by which rules cannot judge, and what other hubs have: it is for those who may
  /// have all of both.
  private func requireSight(in tenant: Tenant) throws(Problem) {
    guard try showsEverything(in: tenant), registry.isEmpty(in: tenant) || mayFederate(in: tenant) else {
      throw Problem(.forbidden, "a snapshot is for who may read everything, and what it may hold of other hubs")
    }
  }

  private func makeSnapshot(
    _ wanted: JSON?, _ document: JSONObject, _ context: JSON, origin: Snapshot?, in tenant: Tenant
  ) async throws(Problem) -> String {
    let id: String
    switch wanted {
    case nil: id = "urn:ngsi-ld:Snapshot:" + Identifier.random()
    case .string(let text)? where IRI.isAbsolute(text): id = text
    default: throw .badRequest("the snapshot's 'id' must be a URI")
    }
    let at = now()
    let (book, wakes) = (snapshots, snapshotWork)
    let made = Snapshot(
      id: id, tenant: tenant, space: book.reserveSpace(of: tenant, at: at), origin: origin?.id, document: document,
      context: context, createdAt: at, modifiedAt: at, expiresAt: at.adding(seconds: lifetime(of: document)),
      lastUsedAt: at)
    do throws(Problem) {
      try await write { writer in
        try self.requireRoom(for: tenant, writer)
        guard try writer.document(id, collection: Self.snapshotCollection, in: tenant) == nil else {
          throw Problem(.alreadyExists, "there is a snapshot \(id) already")
        }
        try self.makeRoom(for: made, keeping: origin, writer)
        try writer.makeTenant(made.space)
        try writer.put(StoredDocument(id: id, body: made.stored), collection: Self.snapshotCollection, in: tenant)
        writer.afterCommit {
          book.put(made)
          wakes.wake()
        }
      }
    } catch {
      book.release(made.space)
      throw error
    }
    return id
  }

  private func lifetime(of document: JSONObject) -> Double {
    let wanted = document["snapshotLifetime"]?.string.flatMap(ISODuration.seconds)
    return min(wanted ?? limits.snapshotSeconds, limits.longestSnapshotSeconds)
  }

  /// Where the bound is met, a snapshot of the same tenant with a lower priority gives way (clause 5.5.15).
  private func makeRoom(for new: Snapshot, keeping origin: Snapshot?, _ writer: any StoreWriter) throws {
    let all = snapshots.all()
    let own = all.filter { $0.tenant == new.tenant }
    let stored = try writer.documentCount(Self.snapshotCollection, in: new.tenant)
    guard stored >= limits.snapshotsOfTenant || all.count >= limits.snapshots else { return }
    let lesser = own.filter { $0.priority < new.priority && $0.id != origin?.id }
      .min { ($0.priority, $0.lastUsedAt) < ($1.priority, $1.lastUsedAt) }
    guard let lesser else {
      throw Problem(
        .tooManyResults,
        "a tenant may have at most \(limits.snapshotsOfTenant) snapshots, and this hub \(limits.snapshots); none of a "
          + "lower priority can give way")
    }
    try end(lesser, writer)
  }

  // MARK: - Look, change, end

  /// - Throws: `ResourceNotFound`.
  public func snapshot(_ id: String, in tenant: Tenant) throws(Problem) -> Snapshot {
    try permit(.configure, in: tenant)
    try read { try self.requireTenant(tenant, $0) }
    guard let known = snapshots.snapshot(id, in: tenant), known.expiresAt > now() else {
      throw .notFound("there is no snapshot \(id)")
    }
    return known
  }

  /// The space that an operation on a snapshot is about (clauses 5.5.15 and 6.3.22). Counts as a use of it.
  ///
  /// - Throws: `ResourceNotFound`, or `Conflict` as long as it is being prepared.
  public func space(ofSnapshot id: String, in tenant: Tenant) throws(Problem) -> Tenant {
    try requireSight(in: tenant)
    let known = try snapshot(id, in: tenant)
    guard known.status != .preparing else { throw Problem(.conflict, "the snapshot \(id) is being prepared still") }
    snapshots.touch(known, at: now())
    return known.space
  }

  /// Update Snapshot Status (clause 5.16.4).
  public func updateSnapshot(_ id: String, with patch: JSONObject, in tenant: Tenant) async throws(Problem) -> Snapshot
  {
    try permit(.configure, in: tenant)
    if let other = patch["id"], other != .string(id) { throw .badRequest("the id of a snapshot cannot change") }
    if let type = patch["type"], type != "Snapshot" { throw .badRequest("'type' must be \"Snapshot\"") }
    let changes = try snapshotParser.changes(patch)
    _ = try snapshot(id, in: tenant)
    let (at, book, wakes) = (now(), snapshots, snapshotWork)
    return try await write { writer in
      guard var known = book.snapshot(id, in: tenant) else { throw Problem.notFound("there is no snapshot \(id)") }
      for member in changes.members {
        known.document[member.key] = member.value == .string(Core.null) ? nil : member.value
      }
      if changes["snapshotLifetime"] != nil { known.expiresAt = at.adding(seconds: self.lifetime(of: known.document)) }
      known.modifiedAt = at
      try self.store(known, tells: true, writer)
      let changed = known
      writer.afterCommit {
        book.change(changed) {
          ($0.document, $0.expiresAt, $0.modifiedAt) = (changed.document, changed.expiresAt, changed.modifiedAt)
        }
        wakes.wake()
      }
      return changed
    }
  }

  /// Stores a snapshot that is there already.
  func store(_ snapshot: Snapshot, tells: Bool, _ writer: any StoreWriter) throws {
    let document = StoredDocument(id: snapshot.id, body: snapshot.stored)
    try writer.put(document, collection: Self.snapshotCollection, in: snapshot.tenant)
    if tells { try enqueueNotice(of: snapshot, writer) }
  }

  /// Delete Snapshot (clause 5.16.5).
  public func deleteSnapshot(_ id: String, in tenant: Tenant) async throws(Problem) {
    try permit(.configure, in: tenant)
    let known = try snapshot(id, in: tenant)
    try await write { try self.end(known, $0) }
  }

  /// Purge Snapshots (clause 5.16.7).
  ///
  /// - Throws: `BadRequestData` for a query that names what is no member of snapshots, `ResourceNotFound` when it selects
  ///   none.
  public func purgeSnapshots(q: String, in tenant: Tenant) async throws(Problem) {
    try permit(.configure, in: tenant)
    let filter = try Filter(q: q, context: .identity)
    for name in filter.attributes.sorted() where !SnapshotParser.members.contains(name) {
      throw .badRequest("a snapshot has no member '\(name.prefix(60))'")
    }
    try read { try self.requireTenant(tenant, $0) }
    var query = EntityQuery()
    query.filter = filter
    let matcher = try EntityMatcher(query)
    var found: [Snapshot] = []
    for known in snapshots.all(in: tenant) where try matcher.matches(known.queried) { found.append(known) }
    guard !found.isEmpty else { throw .notFound("the query selects no snapshot") }
    for known in found { try await write { try self.end(known, $0) } }
  }

  /// Deletes a snapshot; its data goes in the background.
  func end(_ snapshot: Snapshot, _ writer: any StoreWriter) throws {
    guard try writer.deleteDocument(snapshot.id, collection: Self.snapshotCollection, in: snapshot.tenant) else {
      return
    }
    var last = snapshot
    last.expiresAt = min(snapshot.expiresAt, now().adding(seconds: -0.001))
    try enqueueNotice(of: last, writer)
    let (book, maps, wakes) = (snapshots, entityMaps, snapshotWork)
    writer.afterCommit {
      book.remove(snapshot)
      maps.removeAll(in: snapshot.space)
      wakes.wake()
    }
  }

  /// Deletes snapshots whose time has come.
  func removeExpiredSnapshots() async throws(Problem) {
    let at = now()
    for known in snapshots.all() where known.expiresAt <= at { try await write { try self.end(known, $0) } }
  }
}
