import NGSI
import Query
import Store

/// What subscribers want to hear of: entities (clause 5.8) or registrations of context sources (clause 5.11).
public enum SubscriptionSubject: Sendable, CaseIterable {
  case entities
  case registrations

  /// Where their documents are kept.
  var collection: String { self == .entities ? "subscriptions" : "registration-subscriptions" }

  /// What one must be permitted to keep one: who hears of registrations sees all of them.
  var action: HubAction { self == .entities ? .subscribe : .register }

  private static let mark = "registrations "

  /// The name under which a subscription is known to the outbox; an id may stand in both collections.
  func key(_ id: String) -> String { self == .entities ? id : Self.mark + id }

  /// What the key of ``key(_:)`` stands for.
  static func parts(ofKey key: String) -> (subject: SubscriptionSubject, id: String) {
    guard key.hasPrefix(mark) else { return (.entities, key) }
    return (.registrations, String(key.dropFirst(mark.count)))
  }
}

/// A subscription, ready to be matched against changes.
struct Subscription: Sendable {
  var subject = SubscriptionSubject.entities
  var id: String
  var tenant: Tenant
  /// The snapshot whose changes it is about; `nil` for those of the tenant itself.
  var snapshot: String?
  /// The document as the client sent it, less what the hub generates.
  var document: JSONObject
  /// What the names of the document are read with.
  var context: Context
  /// What the names in notifications are written with (`jsonldContext`).
  var notificationContext: Context
  /// What ``notificationContext`` said when its address ended.
  var notificationSource: JSON?
  /// Where it came from, for what is told to context sources.
  var origin = SubscriptionOrigin()
  /// Who made it: what it tells is what he may see. `nil` where nobody is asked.
  var owner: Caller?
  /// The owner as he stands now; ``Caller/nobody`` when he is no more. `nil` where nobody is asked.
  var reader: (@Sendable () -> Caller)?
  /// What the owner may see now: of entities, or nothing of registrations.
  var sight: (@Sendable () -> EntityVisibility?)?
  /// Whether the owner may have what other hubs have; `nil` where nobody is asked.
  var federates: (@Sendable () -> Bool)?
  var createdAt: DateTime
  var modifiedAt: DateTime
  /// Last number of the outbox before it was made.
  var since: Int64 = 0
  var rule: Rule

  /// Whether the owner may have what other hubs have, now.
  var mayFederate: Bool { federates?() ?? true }

  /// What of entities it may tell; `nil` for everything.
  var visibility: EntityVisibility? { sight?() }

  /// What of an entity it may tell.
  func seen(_ entity: Entity) -> Entity? {
    guard let visibility else { return entity }
    return visibility.visible(entity)
  }

  /// Events that may cause a notification (clause 5.2.12, `notificationTrigger`).
  struct Triggers: OptionSet, Sendable {
    let rawValue: Int
    static let entityCreated = Triggers(rawValue: 1)
    static let entityDeleted = Triggers(rawValue: 2)
    static let attributeCreated = Triggers(rawValue: 4)
    static let attributeUpdated = Triggers(rawValue: 8)
    static let attributeDeleted = Triggers(rawValue: 16)

    init(rawValue: Int) { self.rawValue = rawValue }

    init?(name: String) {
      switch name {
      case "entityCreated": self = .entityCreated
      case "entityDeleted": self = .entityDeleted
      case "entityUpdated": self = [.attributeCreated, .attributeUpdated, .attributeDeleted]
      case "attributeCreated": self = .attributeCreated
      case "attributeUpdated": self = .attributeUpdated
      case "attributeDeleted": self = .attributeDeleted
      default: return nil
      }
    }
  }

  enum Accept: Sendable {
    case json
    case jsonLD
    case geoJSON
  }

  struct Parameters: Sendable {
    var uri: String
    var accept: Accept = .json
    var form: Representation.Form = .normalized
    var systemAttributes = false
    var showChanges = false
    /// Expanded names; empty gives all.
    var attributes: Set<String> = []
    var projecting = Projecting()
    var join: JoinForm?
    var joinLevel = 1
    /// `receiverInfo`.
    var headers: [(String, String)] = []
    /// `notifierInfo`.
    var settings: [(String, String)] = []
    /// Seconds.
    var timeout: Double?
    /// Seconds.
    var cooldown: Double?

    init(uri: String) { self.uri = uri }

    /// Whether GeoJSON goes without `@context` in its body (clause 5.3.1).
    var plainGeoJSON: Bool { headers.contains { $0.0.lowercased() == "prefer" && $0.1.contains("body=json") } }
  }

  var key: String { subject.key(id) }

  struct Rule: Sendable {
    /// Expanded names; empty watches all.
    var watched: Set<String> = []
    var triggers: Triggers = [.attributeCreated, .attributeUpdated]
    /// `entities`, `q`, `geoQ` and `scopeQ`.
    var query = EntityQuery()
    var matcher: EntityMatcher?
    /// The same without `q`, `geoQ` and `scopeQ`: what a part of an entity can be judged by.
    var partMatcher: EntityMatcher?
    /// Sources are not told of it.
    var localOnly = false
    /// `splitEntities`; `nil` where the client does not say.
    var splitsEntities: Bool?
    var languages: [String] = []
    var datasetIds: [String] = []
    /// `temporalQ` and `csf` of a subscription to registrations.
    var time: TemporalFilter?
    var sourceFilter: Filter?
    var expiresAt: DateTime?
    /// `ngsildConformance`: the version that notifications are to conform to.
    var version: SpecificationVersion?
    var isActive = true
    /// Seconds.
    var throttling: Double?
    /// Seconds.
    var timeInterval: Double?
    var notification = Parameters(uri: "")
  }

  func status(at now: DateTime) -> String {
    if let expiresAt = rule.expiresAt, expiresAt <= now { return "expired" }
    return rule.isActive ? "active" : "paused"
  }

  /// Whether the change is one that this subscription is to be told of.
  ///
  /// - Parameter asPart: the entity is a part of one, which is judged by its content when it is whole.
  func isTriggered(by change: EntityChange, asPart: Bool = false, linked: (String) -> Entity?) -> Bool {
    guard let subject = change.new ?? change.old else { return false }
    guard isEventWanted(change) else { return false }
    let matcher = asPart ? rule.partMatcher : rule.matcher
    // A pattern that gives up on this entity does not match it.
    return (try? matcher?.matches(subject, linked: linked)) ?? (matcher == nil)
  }

  private func isEventWanted(_ change: EntityChange) -> Bool {
    if change.old == nil {
      let touches = rule.watched.isEmpty || change.attributes.contains { rule.watched.contains($0.name) }
      if rule.triggers.contains(.entityCreated), touches { return true }
      // A new entity without attributes changes none; any other creates those it has.
    }
    if change.new == nil {
      let had = rule.watched.isEmpty || change.old?.attributes.contains { rule.watched.contains($0.name) } ?? false
      return had && !rule.triggers.isDisjoint(with: [.entityDeleted, .attributeDeleted])
    }
    return change.attributes.contains { attribute in
      guard rule.watched.isEmpty || rule.watched.contains(attribute.name) else { return false }
      switch (attribute.old, attribute.new) {
      case (nil, _?): return rule.triggers.contains(.attributeCreated)
      case (_?, nil): return rule.triggers.contains(.attributeDeleted)
      case (let old?, let new?):
        return rule.triggers.contains(.attributeUpdated) && !old.hasSameContent(as: new)
      case (nil, nil): return false
      }
    }
  }
}

extension Attribute {
  /// Equality that leaves out what the hub generates.
  func hasSameContent(as other: Attribute) -> Bool { withoutSystemMembers == other.withoutSystemMembers }

  private var withoutSystemMembers: Attribute {
    var copy = self
    copy.createdAt = nil
    copy.modifiedAt = nil
    copy.instanceId = nil
    copy.previousValue = nil
    copy.subAttributes = subAttributes.map { set in
      AttributeSet(name: set.name, instances: set.instances.map(\.withoutSystemMembers))
    }
    return copy
  }
}
