import NGSI
import Query
import Store

// What is in the spaces of snapshots: how it gets there, and how it goes.

/// Entities as they were at one moment, in the form in which they take least memory.
public struct FrozenEntities: Sendable {
  public fileprivate(set) var bytes: [[UInt8]] = []

  /// The entities of a part of them.
  public func entities(_ part: Range<Int>) throws(Problem) -> [Entity] {
    var entities: [Entity] = []
    for one in bytes[part] {
      let read = one.withUnsafeBufferPointer { bytes in
        Swift.Result { () throws(Problem) in try EntityWriter.stored(bytes) }
      }
      entities.append(try read.get())
    }
    return entities
  }
}

extension Hub {
  // MARK: Reading what is to be kept

  /// What queries select here, all at the same moment.
  ///
  /// - Returns: for each query what it selects, or why it is not kept: it cannot be answered, or there is too much.
  public func frozen(_ queries: [EntityQuery], in tenant: Tenant) throws(Problem) -> [Swift.Result<
    FrozenEntities, Problem
  >] {
    try read { reader in
      var room = (entities: self.limits.snapshotEntities, bytes: self.limits.snapshotBytes)
      return queries.map { query in
        do { return .success(try self.frozen(query, in: tenant, &room, reader)) } catch {
          return .failure(Problem(storeFailure: error))
        }
      }
    }
  }

  private func frozen(
    _ query: EntityQuery, in tenant: Tenant, _ room: inout (entities: Int, bytes: Int), _ reader: any StoreReader
  ) throws -> FrozenEntities {
    var found = FrozenEntities()
    var page = Page(limit: 5_000)
    while true {
      let part = try reader.entities(query, in: tenant, page: page, countsTotal: false)
      for entity in part.entities {
        let bytes = EntityWriter.storedBytes(entity)
        room.entities -= 1
        room.bytes -= bytes.count
        guard room.entities >= 0, room.bytes >= 0 else { throw tooMuchForSnapshot }
        found.bytes.append(bytes)
      }
      guard part.hasMore else { return found }
      page.offset += page.limit
    }
  }

  /// What a client hears whose snapshot would hold more than one may.
  public var tooMuchForSnapshot: Problem {
    Problem(
      .tooManyResults,
      "a snapshot may have at most \(limits.snapshotEntities) entities (\(limits.snapshotBytes) bytes) and "
        + "\(limits.snapshotInstances) instances of histories")
  }

  // MARK: Filling

  /// Snapshots that are to be filled, those made first before the others.
  public var waitingSnapshots: [Snapshot] {
    snapshots.all().filter { $0.status == .preparing }.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
  }

  /// Empties the space of a snapshot before it is filled: an earlier run may have filled a part.
  public func prepareSpace(of snapshot: Snapshot) async throws(Problem) {
    while try await !clear(snapshot.space) {}
    snapshots.change(snapshot) { ($0.entities, $0.instances) = (0, 0) }
  }

  /// Adds entities to a snapshot; what several queries select of one is put together.
  public func add(_ entities: [Entity], to snapshot: Snapshot) async throws(Problem) {
    let added = try await write { writer in
      try self.requireSpace(of: snapshot)
      var added = 0
      for entity in entities {
        guard let known = try writer.entity(entity.id, in: snapshot.space) else {
          try writer.put(entity, replacing: nil, in: snapshot.space)
          added += 1
          continue
        }
        var whole = known
        for set in entity.attributes { whole[attribute: set.name] = set }
        if whole != known { try writer.put(whole, replacing: known, in: snapshot.space) }
      }
      return added
    }
    snapshots.change(snapshot) { $0.entities += added }
  }

  /// Adds instances of histories to a snapshot.
  public func add(_ history: [HistoryEntry], types: [String: [String]], to snapshot: Snapshot) async throws(Problem) {
    try await write { writer in
      try self.requireSpace(of: snapshot)
      try writer.append(history, types: types, in: snapshot.space)
    }
    snapshots.change(snapshot) { $0.instances += history.count }
  }

  /// Ends the filling of a snapshot (clause 5.16.1.4).
  public func finish(
    _ snapshot: Snapshot, _ results: [Snapshot.Result], _ historyResults: [Snapshot.Result]
  ) async throws(Problem) {
    let (book, wakes, at) = (snapshots, snapshotWork, now())
    try await write { writer in
      try self.requireSpace(of: snapshot)
      guard var known = book.snapshot(snapshot.id, in: snapshot.tenant) else { return }
      (known.results, known.historyResults, known.modifiedAt) = (results, historyResults, at)
      known.status = Snapshot.status(results + historyResults)
      try self.store(known, tells: true, writer)
      let done = known
      writer.afterCommit {
        book.change(done) {
          ($0.results, $0.historyResults, $0.status) = (done.results, done.historyResults, done.status)
          $0.modifiedAt = done.modifiedAt
        }
        wakes.wake()
      }
    }
  }

  /// - Throws: `ResourceNotFound` when the snapshot has ended.
  private func requireSpace(of snapshot: Snapshot) throws {
    guard snapshots.snapshot(of: snapshot.space)?.id == snapshot.id else {
      throw Problem.notFound("the snapshot \(snapshot.id) is gone")
    }
  }

  // MARK: Emptying

  /// Entities, histories and documents that one write takes away: a few milliseconds of the writer's time.
  private static let emptyingStep = 100

  private func clear(_ space: Tenant) async throws(Problem) -> Bool {
    try await write { try $0.clear(space, atMost: Self.emptyingStep) }
  }

  /// Takes away what ended snapshots left.
  func emptySpaces() async throws(Problem) {
    for space in snapshots.leftovers {
      for subject in SubscriptionSubject.allCases {
        while let stored = try read({ try $0.documents(subject.collection, in: space, page: Page(limit: 1)) }).first {
          _ = try await write { try self.removeSubscription(stored.id, about: subject, in: space, $0) }
        }
      }
      while try await !clear(space), !Task.isCancelled {}
      if !Task.isCancelled { snapshots.isEmptied(space, at: now()) }
    }
  }

  // MARK: Start

  /// Takes up the stored snapshots.
  func resumeSnapshots() throws(Problem) {
    let tenants = try read { try $0.tenants() }
    for tenant in tenants where !tenant.isSpace {
      let stored = try read {
        try $0.documents(Self.snapshotCollection, in: tenant, page: Page(limit: self.limits.snapshots * 2))
      }
      for document in stored {
        guard let snapshot = Snapshot(document, in: tenant) else {
          log.error("a snapshot cannot be taken up", metadata: ["id": "\(document.id)"])
          continue
        }
        snapshots.put(snapshot)
      }
      try resumeNotices(in: tenant)
    }
    for space in tenants where space.isSpace { snapshots.putLeftovers(space) }
  }
}

extension Snapshot {
  /// What its queries came to together (clause 5.16.1.4).
  static func status(_ results: [Result]) -> Status {
    if results.allSatisfy({ $0.status == .success && $0.problem == nil }) { return .success }
    if results.contains(where: { $0.status == .success }) { return .partial }
    return results.contains { $0.status == .empty } ? .empty : .failure
  }
}
