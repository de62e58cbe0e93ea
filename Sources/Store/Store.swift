import NGSI
import Query

/// Where a city keeps what it knows.
///
/// The contract, proven for each engine by the same suite:
/// - **One transaction.** What ``Store/write(_:)`` does is committed whole or not at all; when it returns, it survives
///   kill -9 and power loss. Writes that arrive together share one fsync, but each stands alone: one that throws
///   leaves no trace and does not harm its neighbours.
/// - **SQL narrows, the evaluator decides.** An index may over-select, never under-select.
/// - **Reads see one moment.** All that happens inside one ``Store/read(_:)`` sees the same committed state, every
///   acknowledged write included.
public protocol Store: Sendable {
  /// Runs a read on a snapshot, on the calling thread, without a thread hop.
  ///
  /// Fit for point reads and small pages on an event loop; put long scans on a thread that may wait.
  func read<Value>(_ body: (any StoreReader) throws -> Value) throws -> Value

  /// One entity as it is now, or `nil`: the same as ``read(_:)`` of nothing else, and cheaper.
  func entity(_ id: String, in tenant: Tenant) throws -> Entity?

  /// Writes one entity as it is now; false, and nothing is written, when there is none: the same as writing what
  /// ``entity(_:in:)`` gives, and cheaper where the form is taken in parts.
  ///
  /// - Parameters:
  ///   - time: an entity whose `expiresAt` is not after it does not count.
  ///   - visibility: what of it may be seen; an entity that may not be seen does not count.
  ///   - embeddedContext: what to write as `@context`.
  func write(
    _ id: String, in tenant: Tenant, at time: DateTime, as form: EntityWriter, under visibility: EntityVisibility?,
    embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws -> Bool

  /// Runs a read-modify-write in order with all others; returns when it is durable.
  ///
  /// The body runs on the writer's thread, may run more than once, and must not wait for anything.
  /// - Throws: what the body throws, or ``StoreError``.
  func write<Value: Sendable>(_ body: @escaping @Sendable (any StoreWriter) throws -> Value) async throws -> Value

  /// Figures for the health page.
  var statistics: StoreStatistics { get }

  /// Finishes what was accepted, then closes. Later calls throw ``StoreError/closed``.
  func close() async
}

extension Store {
  public func entity(_ id: String, in tenant: Tenant) throws -> Entity? { try read { try $0.entity(id, in: tenant) } }

  public func write(
    _ id: String, in tenant: Tenant, at time: DateTime, as form: EntityWriter, under visibility: EntityVisibility?,
    embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws -> Bool {
    guard let stored = try entity(id, in: tenant), stored.expiresAt.map({ $0 > time }) ?? true else { return false }
    guard let entity = visibility?.given(stored) ?? (visibility == nil ? stored : nil) else { return false }
    form.write(entity, embeddedContext: embeddedContext, to: &writer)
    return true
  }
}

public enum StoreError: Error, Sendable, Equatable {
  /// The write queue is at its bound; try again.
  case busy
  case closed
  /// No space is left; nothing of the write was kept.
  case full
  /// The engine reported a failure.
  case failed(String)
  /// A query touched more than its bound allows.
  case tooComplex(String)

  /// What happened, for a sentence.
  public var reason: String {
    switch self {
    case .busy: "too many writes wait"
    case .closed: "the store is closed"
    case .full: "no space is left"
    case .failed(let why), .tooComplex(let why): why
    }
  }
}

public struct StoreStatistics: Sendable {
  public var commits: Int = 0
  public var writes: Int = 0
  public var queuedWrites: Int = 0
  public var queueBound: Int = 0
  public var fileBytes: Int = 0
  public var walBytes: Int = 0

  public init() {}
}

/// One of several separate sets of entities in one hub; the default tenant has an empty name.
public struct Tenant: Sendable, Hashable {
  public var name: String

  public init(_ name: String) { self.name = name }

  public static let `default` = Tenant("")
}

/// A window on a list.
public struct Page: Sendable, Hashable {
  public var limit: Int
  public var offset: Int

  public init(limit: Int, offset: Int = 0) {
    self.limit = limit
    self.offset = offset
  }
}

public struct EntityPage: Sendable {
  public var entities: [Entity]
  /// Number of all matching entities, where it was asked for.
  public var total: Int?
  /// Whether there are more after this page.
  public var hasMore: Bool

  public init(entities: [Entity], total: Int?, hasMore: Bool) {
    self.entities = entities
    self.total = total
    self.hasMore = hasMore
  }
}

/// What an answer says about a page beside its entities.
public struct PageExtent: Sendable, Hashable {
  /// Number of all matching entities, where it was asked for.
  public var total: Int?
  /// Whether there are more after this page.
  public var hasMore: Bool

  public init(total: Int?, hasMore: Bool) {
    self.total = total
    self.hasMore = hasMore
  }
}

/// One instance of an attribute in the history of an entity. The entity's scopes are an attribute here, `Core.scope`,
/// whose value is a scope, an array of them, or NGSI-LD Null where they were taken away (clause 4.5.6).
public struct HistoryEntry: Sendable, Hashable {
  public var entityId: String
  /// Expanded attribute IRI.
  public var attribute: String
  /// The instance with its `instanceId`, `createdAt`, `modifiedAt` and, for a deletion, `deletedAt`.
  public var instance: Attribute

  public init(entityId: String, attribute: String, instance: Attribute) {
    self.entityId = entityId
    self.attribute = attribute
    self.instance = instance
  }
}

/// What to read of the history.
public struct EvolutionQuery: Sendable {
  /// Which entities: those whose history has at least one instance that satisfies all of it. A condition on scopes
  /// takes instances of the time while it held (clause C.5.16). Only `id` can be ordered by; without order, entities
  /// come as their histories were made.
  public var entities: EntityQuery
  public var time: TemporalFilter?
  /// Expanded names to read; empty reads all.
  public var attributes: [String] = []
  /// `datasetId`s to read, `@none` for the default instance; empty reads all.
  public var datasetIds: [String] = []
  /// At most this many of the latest instances of each attribute.
  public var lastN: Int?
  /// At most this many instances of each attribute and entity in one answer (the page of clause 6.3.10).
  public var instanceLimit: Int
  /// Read from the newest back, so that a cut keeps the latest.
  public var newestFirst = false
  /// Whether instances carry their `instanceId`; without, long evolutions are read in half the time.
  public var showsInstanceIds = true
  public var page: Page
  public var countsTotal = false

  public init(entities: EntityQuery, page: Page, instanceLimit: Int) {
    self.entities = entities
    self.page = page
    self.instanceLimit = instanceLimit
  }
}

public struct EvolutionPage: Sendable {
  /// Entities whose attribute sets hold many instances each, oldest first (newest first where that was asked).
  public var entities: [Entity]
  public var total: Int?
  public var hasMore: Bool
  /// The span that the answer covers when `instanceLimit` cut it short, for `Content-Range`; `nil` when it is whole.
  public var cut: (from: DateTime, to: DateTime)?
  /// By entity id and attribute name, the kind of attributes that only have instances outside that span; they stand
  /// in `entities` without any.
  public var beyondCut: [String: [String: AttributeKind]] = [:]

  public init(entities: [Entity], total: Int?, hasMore: Bool, cut: (from: DateTime, to: DateTime)?) {
    self.entities = entities
    self.total = total
    self.hasMore = hasMore
    self.cut = cut
  }
}

/// Histories that hold something older than a time, and how to go on from there.
public struct OldHistories: Sendable {
  /// Entity ids and expanded types, in the order the histories were made.
  public var histories: [(id: String, types: [String])]
  /// Where to go on; `nil` when all have been looked at.
  public var next: Int64?

  public init(histories: [(id: String, types: [String])], next: Int64?) {
    self.histories = histories
    self.next = next
  }
}

/// What a removal of old instances came to.
public struct TrimmedHistory: Sendable, Hashable {
  public var removed = 0
  /// Whether nothing so old is left that may go.
  public var isWhole = true
  /// Whether nothing at all is left.
  public var isEmpty = false

  public init() {}
}

/// How many entities have a type or an attribute (clauses 4.5.10 to 4.5.15).
public struct TypeSummary: Sendable, Hashable {
  /// Expanded type IRI.
  public var type: String
  public var entityCount: Int
  /// Attribute IRIs of its entities with the kinds seen.
  public var attributes: [AttributeSummary]

  public init(type: String, entityCount: Int, attributes: [AttributeSummary]) {
    self.type = type
    self.entityCount = entityCount
    self.attributes = attributes
  }
}

public struct AttributeSummary: Sendable, Hashable {
  public var attribute: String
  public var kinds: [AttributeKind]
  /// Entities that have it.
  public var entityCount: Int
  /// Types of the entities that have it.
  public var types: [String]

  public init(attribute: String, kinds: [AttributeKind], entityCount: Int, types: [String]) {
    self.attribute = attribute
    self.kinds = kinds
    self.entityCount = entityCount
    self.types = types
  }
}

/// A document of the hub's own beside the entities: a subscription, an imported file's position, a refused row …
public struct StoredDocument: Sendable, Hashable {
  public var id: String
  public var body: JSON

  public init(id: String, body: JSON) {
    self.id = id
    self.body = body
  }
}

/// A notification that is due and not settled yet.
public struct OutboxItem: Sendable, Hashable {
  /// Given by the store, ascending.
  public var sequence: Int64
  public var tenant: Tenant
  public var subscriptionId: String
  /// What the hub needs to build the notification, opaque to the store.
  public var payload: [UInt8]
  public var dueAt: DateTime
  public var attempts: Int

  public init(
    sequence: Int64 = 0, tenant: Tenant, subscriptionId: String, payload: [UInt8], dueAt: DateTime, attempts: Int = 0
  ) {
    self.sequence = sequence
    self.tenant = tenant
    self.subscriptionId = subscriptionId
    self.payload = payload
    self.dueAt = dueAt
    self.attempts = attempts
  }
}

/// Reads on one snapshot.
public protocol StoreReader {
  /// Tenants that have been made, the default one included.
  func tenants() throws -> [Tenant]
  func entity(_ id: String, in tenant: Tenant) throws -> Entity?
  /// - Throws: ``StoreError/tooComplex(_:)`` when the query would look at more entities than the engine's bound.
  func entities(_ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool) throws -> EntityPage
  /// Writes the entities of a page one after the other, as items of an array: the same as writing what
  /// ``entities(_:in:page:countsTotal:)`` gives, and cheaper where the form is taken in parts.
  ///
  /// - Parameter embeddedContext: what to write as `@context` of each.
  func write(
    _ query: EntityQuery, in tenant: Tenant, page: Page, countsTotal: Bool, as form: EntityWriter,
    embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws -> PageExtent
  func evolutions(_ query: EvolutionQuery, in tenant: Tenant) throws -> EvolutionPage
  /// Gives the history of one entity value by value, oldest first: what ``evolutions(_:in:)`` gives for this one id, and
  /// much cheaper where the history is long.
  ///
  /// - Parameters:
  ///   - query: what of its time and attributes; its `entities` and `page` do not count.
  ///   - entity: gets its id and types, first.
  ///   - attribute: gets name and kind of an attribute, whose values follow.
  /// - Returns: false when some of it cannot be given so, because it has other than plain numbers and texts or is more
  ///   than one answer holds; what was given until then does not count.
  func forEachValue(
    of id: String, _ query: EvolutionQuery, in tenant: Tenant, entity: (Entity) -> Void,
    attribute: (String, AttributeKind) -> Void, value: (DateTime, JSON) -> Void
  ) throws -> Bool
  func types(in tenant: Tenant) throws -> [TypeSummary]
  func attributes(in tenant: Tenant) throws -> [AttributeSummary]
  func entityCount(in tenant: Tenant) throws -> Int
  /// Which of the next histories of a type hold an instance of before a time (`observedAt`, or else the latest time that
  /// the instance has); scopes do not count.
  ///
  /// - Parameters:
  ///   - cursor: ``OldHistories/next`` of the call before; 0 to begin.
  ///   - limit: histories that are looked at.
  func histories(ofType type: String, before time: DateTime, after cursor: Int64, limit: Int, in tenant: Tenant) throws
    -> OldHistories
  /// Ids of entities whose `expiresAt` is not after the time, at most `limit`.
  func expired(at time: DateTime, limit: Int) throws -> [(tenant: Tenant, id: String)]
  /// One of them, which the other reads do not show any more; `nil` when it is gone or has got more time.
  func expiredEntity(_ id: String, at time: DateTime, in tenant: Tenant) throws -> Entity?

  func document(_ id: String, collection: String, in tenant: Tenant) throws -> StoredDocument?
  /// In the order they were made.
  func documents(_ collection: String, in tenant: Tenant, page: Page) throws -> [StoredDocument]
  func documentCount(_ collection: String, in tenant: Tenant) throws -> Int

  /// Items after the sequence, in order.
  func outbox(after sequence: Int64, limit: Int) throws -> [OutboxItem]
  /// The same for the items of one subscription.
  func outbox(of subscriptionId: String, in tenant: Tenant, after sequence: Int64, limit: Int) throws -> [OutboxItem]
  func outboxCount() throws -> Int
  /// Number of items by tenant and subscription.
  func outboxCounts() throws -> [(tenant: Tenant, subscriptionId: String, count: Int)]

  /// Number of entries in the evidence log.
  func evidenceCount() throws -> UInt64
  /// Entries in order, from position 0; what lies beyond the last is left out.
  func evidence(_ positions: Range<UInt64>) throws -> [EvidenceRecord]
  /// Positions of the entries of a subject, in order.
  func evidence(of subject: [UInt8], after position: UInt64?, limit: Int) throws -> [UInt64]
  /// Hashes of a full tile of the log's tree, where they are kept.
  func evidenceTile(level: Int, index: UInt64) throws -> [UInt8]?
}

/// Reads and writes inside the writer's transaction.
public protocol StoreWriter: StoreReader {
  /// Makes a tenant known; nothing happens when it is.
  func makeTenant(_ tenant: Tenant) throws
  /// Stores the entity in place of `old`, which the caller read in this same transaction (`nil` for a new one).
  func put(_ entity: Entity, replacing old: Entity?, in tenant: Tenant) throws
  /// Deletes the entity that the caller read in this same transaction. Its history stays.
  func delete(_ entity: Entity, in tenant: Tenant) throws

  /// Takes away entities (expired ones too), histories and documents of a tenant, at most this many; the tenant stays, and
  /// so does its part of the outbox.
  ///
  /// - Returns: whether nothing is left of them.
  func clear(_ tenant: Tenant, atMost limit: Int) throws -> Bool

  /// Adds instances to histories, in order. Makes the history of an entity that has none.
  /// - Parameter types: expanded types by entity id, where they are new or have changed.
  func append(_ history: [HistoryEntry], types: [String: [String]], in tenant: Tenant) throws
  /// Deletes the whole history of an entity; false when there is none.
  func deleteHistory(of id: String, in tenant: Tenant) throws -> Bool
  /// Removes the instances of before a time from the history of an entity; the last of the scopes, which hold on, stays.
  /// - Parameter pieces: most pieces of storage that are changed; what is left is for the next call.
  func trimHistory(of id: String, before time: DateTime, pieces: Int, in tenant: Tenant) throws -> TrimmedHistory
  /// Deletes the history of one attribute (of one `datasetId`, `nil` for the default instance, unless `allDatasets`).
  func deleteHistory(of id: String, attribute: String, datasetId: String?, allDatasets: Bool, in tenant: Tenant) throws
    -> Bool
  /// Deletes one instance.
  func deleteHistory(of id: String, attribute: String, instanceId: String, in tenant: Tenant) throws -> Bool
  /// Replaces one instance; false when it is not there.
  func replaceHistory(_ entry: HistoryEntry, instanceId: String, in tenant: Tenant) throws -> Bool

  func put(_ document: StoredDocument, collection: String, in tenant: Tenant) throws
  func deleteDocument(_ id: String, collection: String, in tenant: Tenant) throws -> Bool

  /// Adds items to the outbox; gives their sequence numbers, which ascend, and come never again.
  func enqueue(_ items: [OutboxItem]) throws -> [Int64]
  /// Takes settled items out.
  func removeFromOutbox(_ sequences: [Int64]) throws
  /// Adds entries to the evidence log; gives the position of the first. They stay as they are.
  func appendEvidence(_ records: [EvidenceRecord]) throws -> UInt64
  /// Keeps the hashes of a full tile of the log's tree; nothing happens when they are kept already.
  func putEvidenceTile(_ hashes: [UInt8], level: Int, index: UInt64) throws

  /// Notes a failed attempt and when to try again.
  func postpone(_ sequence: Int64, attempts: Int, until time: DateTime) throws

  /// Runs the body on the writer's thread once this write is durable, in commit order and before the caller of
  /// ``Store/write(_:)`` resumes; not at all when the write fails. It must be quick.
  func afterCommit(_ body: @escaping @Sendable () -> Void)
}
