/// The hub's bounds; each is shown on the health page.
public struct Limits: Sendable {
  /// Largest request body in bytes.
  public var bodyBytes = 32 << 20
  /// Most entities in one batch operation.
  public var batchEntities = 10_000
  /// Entities in a page when the client names no `limit`.
  public var defaultPage = 20
  /// Largest `limit` that a client may ask for.
  public var maxPage = 1000
  /// Largest `offset`.
  public var maxOffset = 10_000_000
  /// Instances of each attribute in one temporal answer.
  public var temporalInstances = 100_000
  /// Subscriptions in one tenant.
  public var subscriptions = 100_000
  /// Registrations of context sources in one tenant.
  public var registrations = 10_000
  /// Subscriptions that this hub holds at context sources.
  public var sourceSubscriptions = 200_000
  /// Entries of `entities`, `watchedAttributes` and the like in one subscription.
  public var subscriptionItems = 10_000
  /// Tenants in one hub.
  public var tenants = 1000
  /// Depth of linked entities (`joinLevel`).
  public var joinLevel = 8
  /// Entities that one answer may embed or append by `join`.
  public var joinedEntities = 2000
  /// Changes that a listener of the change stream may lag behind before it has to start afresh.
  public var streamBuffer = 4096
  /// Listeners of the change stream.
  public var streamListeners = 1000
  /// Notifications held in memory for one endpoint; more wait in the outbox.
  public var endpointQueue = 256
  /// Bytes of them.
  public var endpointQueueBytes = 1 << 20
  /// Notifications read at once from the outbox for one endpoint.
  public var endpointRefill = 64
  /// Requests to subscribers under way at once; one endpoint may have an eighth of them.
  public var notificationsInFlight = 256
  /// Notifications that wait in the outbox; beyond it writes that would add more are refused.
  public var outboxItems = 5_000_000
  /// Attempts before a notification is put on the dead-letter list: a receiver that starts again has half a minute.
  public var deliveryAttempts = 7
  /// Dead letters kept for one tenant; the oldest go first.
  public var deadLetters = 10_000
  /// Contexts that clients have the hub serve, and contexts that it made itself for arrays and objects of theirs.
  public var hostedContexts = 10_000
  public var implicitContexts = 10_000
  /// Bytes of them together, and of one.
  public var servedContextBytes = 64 << 20
  public var contextBytes = 2 << 20
  /// Fetched contexts that are kept in the store, and their bytes; those fetched longest ago go first.
  public var cachedContexts = 500
  public var cachedContextBytes = 64 << 20
  /// Data models in one tenant.
  public var dataModels = 500
  /// Schemas in one tenant that its data models may refer to.
  public var dataModelSchemas = 500
  /// Bytes of a data model, and of a schema.
  public var schemaBytes = 1 << 20
  /// Datasets in one tenant.
  public var datasets = 500
  /// Grants of a tenant that are kept, those that are over included.
  public var grants = 10_000
  /// Grants that one may have asked for and that are not over, so that nobody takes the room of others.
  public var grantsOfRequester = 100
  /// EntityMaps in memory, entities in all of them, and in one. The maps that were not used for longest go first.
  public var entityMaps = 1_000
  public var entityMapEntries = 500_000
  public var entityMapEntities = 10_000
  /// Seconds that an EntityMap lives, where the client does not say, and at most.
  public var entityMapSeconds = 600.0
  public var longestEntityMapSeconds = 86_400.0
  /// Snapshots in this hub, and in one tenant.
  public var snapshots = 100
  public var snapshotsOfTenant = 20
  /// Queries that a snapshot is made of.
  public var snapshotQueries = 20
  /// Entities that a query may put into a snapshot, the bytes that they may take in memory on their way, and instances of
  /// histories in a snapshot.
  public var snapshotEntities = 50_000
  public var snapshotBytes = 64 << 20
  public var snapshotInstances = 1_000_000
  /// Seconds that a snapshot lives, where the client does not say, and at most.
  public var snapshotSeconds = 86_400.0
  public var longestSnapshotSeconds = 30 * 86_400.0
  /// Pieces, of some hundred instances, that one write may take off a history for their age.
  public var retentionPieces = 4
  /// Lines of the history of refused input, of all tenants.
  public var refusals = 5_000
  /// Lines that one source may have in it.
  public var refusalsOfSource = 50

  public init() {}
}
