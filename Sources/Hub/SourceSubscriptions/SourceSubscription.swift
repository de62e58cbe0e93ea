import NGSI
import Store

/// A subscription that this hub holds at a context source for one of its own (ETSI GS CIM 009 clause 5.8.1.4).
///
/// It is kept before the source is asked for the first time, under an id that this hub chose: whatever happens between
/// the question and the answer, asking again makes no second one. It ends at the source by itself after a while unless
/// it is renewed, so that a hub that is gone for good leaves none behind.
public struct SourceSubscription: Sendable {
  /// What it is for. A registration whose parts name different attributes needs one for each.
  public struct Key: Hashable, Sendable {
    public var tenant: Tenant
    /// The hub's own subscription.
    public var subscription: String
    public var registration: String
    public var part: Int

    public init(tenant: Tenant, subscription: String, registration: String, part: Int) {
      self.tenant = tenant
      self.subscription = subscription
      self.registration = registration
      self.part = part
    }
  }

  /// What a source is to hold.
  public struct Copy: Sendable {
    /// Without `id`, `expiresAt` and the endpoint; names are written with ``context``.
    public var document: JSONObject
    public var context: Context
    /// Whether names are full IRIs, because ``context`` has no URL that the source could fetch.
    public var namesAreIRIs: Bool
    /// Whether the source is told no filters, so that they are put to what it notifies.
    public var filtersHere: Bool

    public init(document: JSONObject, context: Context, namesAreIRIs: Bool, filtersHere: Bool) {
      self.document = document
      self.context = context
      self.namesAreIRIs = namesAreIRIs
      self.filtersHere = filtersHere
    }
  }

  public let key: Key
  /// Its id.
  public let id: String
  /// What the source calls it, where that is another name.
  public var idAtSource: String
  /// Last segment of the address that the source notifies: 256 random bits, known to the source only.
  public let token: String
  /// How the source is called; after its registration is gone, as it was called last.
  public var registration: Registration
  /// What the source was told and took; `nil` before.
  public var told: JSON?
  /// What it is to hold, as far as this run knows.
  public var wanted: Copy?
  /// What the source is told so that it holds that; `nil` where this run does not know yet.
  public var target: JSON?
  /// Whether the source holds what it is to hold.
  public private(set) var isSettled = false
  /// Filters of what is at the source now are applied here.
  public var filtersHere = false
  /// When it ends at the source by itself.
  public var leaseEnds: DateTime
  /// When the hub's own subscription ends.
  public var ownEnds: DateTime?
  /// It is to be taken away at the source, and notifications are refused.
  public var isEnding = false
  /// Attempts that failed since the last success.
  public var failures = 0
  public var lastFailure: DateTime?
  public var reason: String?
  /// No attempt before.
  public var restsUntil: DateTime?

  public init(_ key: Key, at registration: Registration, wanted: Copy, leaseEnds: DateTime, ownEnds: DateTime?) {
    self.key = key
    self.registration = registration
    self.wanted = wanted
    self.leaseEnds = leaseEnds
    self.ownEnds = ownEnds
    id = "urn:ngsi-ld:Subscription:" + Identifier.random()
    idAtSource = id
    token = Identifier.secret()
  }
}

extension SourceSubscription {
  /// Looks whether there is something to do. To compare documents takes long: it is done when one of them changes.
  mutating func compare() { isSettled = !isEnding && (target == nil || told == target) }

  /// Has it taken away at the source, at once.
  public mutating func end() {
    isEnding = true
    restsUntil = nil
    failures = 0
  }

  static let collection = "source-subscriptions"

  /// What a subscriber sees of it.
  var shown: JSON {
    var object = JSONObject()
    object["registrationId"] = .string(key.registration)
    object["status"] = failures > 0 ? "failed" : told == nil ? "pending" : "ok"
    if failures > 0 {
      object["lastFailure"] = lastFailure.map { .string($0.description) }
      object["reason"] = reason.map { .string($0) }
    }
    return .object(object)
  }

  /// What the store keeps.
  var stored: StoredDocument {
    var object = JSONObject()
    object["subscription"] = .string(key.subscription)
    object["registration"] = .string(key.registration)
    object["part"] = .integer(Int64(key.part))
    object["token"] = .string(token)
    object["idAtSource"] = idAtSource == id ? nil : .string(idAtSource)
    object["told"] = told
    object["filtersHere"] = .bool(filtersHere)
    object["leaseEnds"] = .string(leaseEnds.description)
    object["isEnding"] = .bool(isEnding)
    object["source"] = registration.way
    return StoredDocument(id: id, body: .object(object))
  }

  init?(_ stored: StoredDocument, in tenant: Tenant) {
    let body = stored.body
    guard let subscription = body["subscription"]?.string, let registration = body["registration"]?.string,
      let token = body["token"]?.string, let leaseEnds = body["leaseEnds"]?.string.flatMap({ DateTime($0) }),
      let way = body["source"]
    else { return nil }
    key = Key(
      tenant: tenant, subscription: subscription, registration: registration,
      part: Int(body["part"]?.integer ?? 0))
    id = stored.id
    idAtSource = body["idAtSource"]?.string ?? stored.id
    self.token = token
    self.registration = Registration(id: registration, tenant: tenant, way: way)
    told = body["told"]
    filtersHere = body["filtersHere"]?.bool ?? false
    self.leaseEnds = leaseEnds
    isEnding = body["isEnding"]?.bool ?? false
  }
}

extension Registration {
  /// What is needed to call the source when its registration is gone.
  fileprivate var way: JSON {
    var object = JSONObject()
    object["endpoint"] = .string(endpoint)
    object["tenant"] = sourceTenant == .default ? nil : .string(sourceTenant.name)
    object["operations"] = .array(operations.map { .string($0.rawValue) }.sorted { $0.string ?? "" < $1.string ?? "" })
    object["info"] = .array(sourceInfo.map { ["key": .string($0.key), "value": .string($0.value)] })
    object["timeout"] = management.timeout.map { .double($0) }
    return .object(object)
  }

  fileprivate init(id: String, tenant: Tenant, way: JSON) {
    let epoch = DateTime(microseconds: 0)
    self.init(
      id: id, tenant: tenant, document: JSONObject(), context: .core, createdAt: epoch, modifiedAt: epoch,
      source: Entity(id: id, types: []))
    endpoint = way["endpoint"]?.string ?? ""
    if let name = way["tenant"]?.string { sourceTenant = Tenant(name) }
    operations = Set((way["operations"]?.items ?? []).compactMap { $0.string.flatMap(OperationName.init(rawValue:)) })
    sourceInfo = (way["info"]?.items ?? []).compactMap { pair in
      guard let key = pair["key"]?.string, let value = pair["value"]?.string else { return nil }
      return (key, value)
    }
    management.timeout = way["timeout"]?.number
  }

  /// Whether both are the same tenant of the same source.
  public func isAtSamePlace(as other: Registration) -> Bool {
    endpoint == other.endpoint && sourceTenant == other.sourceTenant
  }
}
