import NGSI
import Query
import Store

/// Where a request for a subscription came from, as far as context sources are told (clauses 4.3.6.4 and 4.3.6.5).
public struct SubscriptionOrigin: Sendable {
  /// The `Via` header as it came.
  public var via: String?
  /// Headers that registrations ask to be sent on.
  public var headers: [(key: String, value: String)]

  public init(via: String? = nil, headers: [(key: String, value: String)] = []) {
    self.via = via
    self.headers = headers
  }
}

extension EntityQuery {
  /// The query without what looks at the content of entities.
  var withoutFilters: EntityQuery {
    var query = self
    (query.filter, query.geo, query.scope) = (nil, nil, nil)
    return query
  }
}

extension SubscriptionOrigin {
  /// With the headers of a later request in place of those of the same name.
  func updated(by later: SubscriptionOrigin) -> SubscriptionOrigin {
    var origin = self
    for header in later.headers {
      origin.headers.removeAll { $0.key.lowercased() == header.key.lowercased() }
      origin.headers.append(header)
    }
    return origin
  }

  /// What the store keeps; `nil` for a request like most.
  var stored: JSON? {
    guard via != nil || !headers.isEmpty else { return nil }
    var object = JSONObject()
    object["via"] = via.map { .string($0) }
    object["headers"] = .array(headers.map { ["key": .string($0.key), "value": .string($0.value)] })
    return .object(object)
  }

  init(stored: JSON?) {
    let headers = (stored?["headers"]?.items ?? []).compactMap { pair -> (key: String, value: String)? in
      guard let key = pair["key"]?.string, let value = pair["value"]?.string else { return nil }
      return (key, value)
    }
    self.init(via: stored?["via"]?.string, headers: headers)
  }
}

/// A subscription as far as it concerns context sources.
public struct DistributedSubscription: Sendable {
  public var id: String
  public var tenant: Tenant
  public var document: JSONObject
  /// What the names of the document are read with.
  public var context: Context
  public var query: EntityQuery
  /// Expanded names; empty watches all.
  public var watched: Set<String>
  /// Expanded names of the attributes that notifications are to have; empty gives all.
  public var told: Set<String>
  public var datasetIds: [String]
  /// Condition on sources.
  public var sourceFilter: Filter?
  public var isPeriodic: Bool
  public var isActive: Bool
  /// `splitEntities`; `nil` where the subscriber does not say.
  public var splits: Bool?
  public var expiresAt: DateTime?
  public var origin: SubscriptionOrigin

  /// What registrations are matched against (clause 5.12).
  public var sourceQuery: SourceQuery {
    var query = SourceQuery(query)
    if self.query.selectors.isEmpty { query.selectors = [] }
    query.attributes = watched.isEmpty || told.isEmpty ? [] : watched.union(told)
    query.datasetIds = datasetIds
    query.filter = sourceFilter
    return query
  }

  /// Whether entities are selected by their content.
  public var hasFilters: Bool { query.filter != nil || query.geo != nil || query.scope != nil }
}

extension DistributedSubscription {
  /// `nil` for one that concerns what is stored here only, or that has ended.
  init?(_ subscription: Subscription, at now: DateTime) {
    let rule = subscription.rule
    guard subscription.subject == .entities, subscription.snapshot == nil, !rule.localOnly,
      // All types are asked of the hub alone (clause 5.2.33).
      !rule.query.selectors.contains(where: { $0.types == .anything }), subscription.status(at: now) != "expired"
    else { return nil }
    id = subscription.id
    tenant = subscription.tenant
    document = subscription.document
    context = subscription.context
    query = rule.query
    watched = rule.watched
    told = rule.notification.attributes
    datasetIds = rule.datasetIds
    sourceFilter = rule.sourceFilter
    isPeriodic = rule.timeInterval != nil
    isActive = rule.isActive
    splits = rule.splitsEntities
    expiresAt = rule.expiresAt
    origin = subscription.origin
  }
}
