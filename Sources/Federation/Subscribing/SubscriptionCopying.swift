import Hub
import NGSI
import Query

/// Makes of a subscription what one source is told (ETSI GS CIM 009 clause 5.8.1.4): what is both subscribed to and
/// registered, no more.
struct SubscriptionCopying {
  let subscription: DistributedSubscription
  /// Whether entities may lie in parts at several sources, so that filters can be put to none of the parts.
  let splits: Bool
  let wording: Wording

  /// Members that are sent on as they came.
  private static let kept = [
    "description", "subscriptionName", "notificationTrigger", "throttling", "timeInterval", "isActive",
  ]
  /// Members that select entities by their content, and what belongs to them.
  private static let filters = ["q", "geoQ", "scopeQ", "expandValues", "jsonKeys"]

  /// One for each set of attributes that the registration names.
  func copies(_ match: SourceMatch) throws(Problem) -> [SourceSubscription.Copy] {
    var query = EntityQuery()
    query.selectors = subscription.query.selectors
    var groups: [(attributes: Set<String>?, asks: [SourceAsk])] = []
    for ask in try SourceAsk.all(match, query) {
      if let place = groups.firstIndex(where: { $0.attributes == ask.attributes }) {
        groups[place].asks.append(ask)
      } else {
        groups.append((ask.attributes, [ask]))
      }
    }
    return groups.compactMap { copy(match.registration, $0.attributes, $0.asks) }
  }

  /// `nil` where nothing is registered of what is watched.
  private func copy(_ registration: Registration, _ registered: Set<String>?, _ asks: [SourceAsk])
    -> SourceSubscription.Copy?
  {
    let sendsFilters = !splits && wording.keepsTexts
    let filtersHere = !splits && !sendsFilters && subscription.hasFilters
    var document = JSONObject()
    document["type"] = "Subscription"
    let selectors = asks.filter { $0.types != nil || !$0.ids.isEmpty || $0.idPattern != nil }
    if !selectors.isEmpty { document["entities"] = .array(selectors.map { $0.selector(wording) }) }
    if !subscription.isPeriodic {
      let watched = subscription.watched
      let both = registered.map { watched.isEmpty ? $0 : $0.intersection(watched) } ?? watched
      guard !both.isEmpty || watched.isEmpty else { return nil }
      if !both.isEmpty { document["watchedAttributes"] = names(both) }
    }
    guard document["entities"] != nil || document["watchedAttributes"] != nil else { return nil }
    for member in Self.kept { document[member] = subscription.document[member] }
    if sendsFilters { for member in Self.filters { document[member] = subscription.document[member] } }
    let datasets = subscription.datasetIds.isEmpty ? registration.datasetIds : subscription.datasetIds
    if !datasets.isEmpty {
      let shared = registration.datasetIds.isEmpty ? datasets : datasets.filter(registration.datasetIds.contains)
      document["datasetId"] = .array(shared.map(JSON.string))
    }
    if splits || subscription.splits != nil { document["splitEntities"] = .bool(splits) }
    if registration.management.localOnly { document["localOnly"] = true }
    document["notification"] = .object(notification(registered, isWhole: splits || filtersHere))
    return SourceSubscription.Copy(
      document: document, context: wording.source, namesAreIRIs: wording.usesIRIs, filtersHere: filtersHere)
  }

  /// The source tells all that is needed to write the notification anew; how it looks is the hub's affair.
  private func notification(_ registered: Set<String>?, isWhole: Bool) -> JSONObject {
    var object = JSONObject()
    let told = isWhole ? [] : subscription.told
    let wanted = registered.map { told.isEmpty || $0.isDisjoint(with: told) ? $0 : $0.intersection(told) } ?? told
    if !wanted.isEmpty { object["attributes"] = names(wanted) }
    object["format"] = "normalized"
    object["sysAttrs"] = true
    if subscription.document["notification"]?["showChanges"] == .bool(true) { object["showChanges"] = true }
    return object
  }

  private func names(_ names: Set<String>) -> JSON { .array(names.sorted().map { .string(wording.name($0)) }) }
}

extension SourceSubscription.Copy {
  /// The document with the address that is to be notified: what is compared to know whether the source is to be told.
  func told(notifying address: String) -> JSON {
    var document = document
    if case .object(var notification)? = document["notification"] {
      notification["endpoint"] = ["uri": .string(address), "accept": "application/json"]
      document["notification"] = .object(notification)
    }
    return ["document": .object(document), "context": namesAreIRIs ? .null : context.source]
  }
}
