import NGSI
import Query

/// Reads a subscription document (ETSI GS CIM 009 clause 5.2.12).
struct SubscriptionParser {
  let context: Context
  let limits: Limits
  let now: DateTime
  /// Says whether something can be sent to an endpoint.
  let sender: any NotificationSending
  private var members: DocumentMembers { DocumentMembers(limits: limits) }

  /// Members that the hub itself generates; what clients send for them is ignored.
  static let readOnly: Set<String> = ["status", "createdAt", "modifiedAt", "sources"]
  static let readOnlyNotification: Set<String> = [
    "status", "timesSent", "timesFailed", "lastNotification", "lastSuccess", "lastFailure",
  ]

  func subscription(_ object: JSONObject) throws(Problem) -> Subscription.Rule {
    guard object["type"]?.string == "Subscription" else { throw .badRequest("'type' must be \"Subscription\"") }
    var rule = Subscription.Rule()
    rule.query.selectors = try selectors(object["entities"])
    rule.watched = try names(object["watchedAttributes"], "watchedAttributes")
    if let triggers = try members.texts(object["notificationTrigger"], "notificationTrigger") {
      rule.triggers = []
      for name in triggers {
        guard let trigger = Subscription.Triggers(name: name) else {
          throw .badRequest("'notificationTrigger' has '\(name)', which is no trigger")
        }
        rule.triggers.insert(trigger)
      }
    }
    if let q = try members.text(object["q"], "q") { rule.query.filter = try Filter(q: q, context: context) }
    if let scopeQ = try members.text(object["scopeQ"], "scopeQ") { rule.query.scope = try ScopeFilter(scopeQ: scopeQ) }
    if let geoQ = object["geoQ"] { rule.query.geo = try GeoFilter(json: geoQ, context: context) }
    if let csf = try members.text(object["csf"], "csf") { rule.sourceFilter = try Filter(q: csf, context: context) }
    if let temporalQ = object["temporalQ"] { rule.time = try TemporalFilter(json: temporalQ) }
    rule.languages = try members.text(object["lang"], "lang").map { [$0] } ?? []
    rule.datasetIds = try members.texts(object["datasetId"], "datasetId") ?? []
    for id in rule.datasetIds where id != "@none" && !IRI.isAbsolute(id) {
      throw .badRequest("'datasetId' must hold URIs or \"@none\"")
    }
    if let time = try members.time(object["expiresAt"], "expiresAt") {
      guard time > now else { throw .badRequest("'expiresAt' lies in the past") }
      rule.expiresAt = time
    }
    if let text = try members.text(object["ngsildConformance"], "ngsildConformance") {
      guard let version = SpecificationVersion(text) else {
        throw .badRequest("'ngsildConformance' must be a version such as 1.5, found '\(text.prefix(40))'")
      }
      rule.version = version
    }
    rule.isActive = try members.flag(object["isActive"], "isActive") ?? true
    rule.throttling = try members.positive(object["throttling"], "throttling")
    rule.timeInterval = try members.positive(object["timeInterval"], "timeInterval")
    rule.localOnly = try members.flag(object["localOnly"], "localOnly") ?? false
    rule.splitsEntities = try members.flag(object["splitEntities"], "splitEntities")
    if rule.timeInterval != nil {
      guard rule.watched.isEmpty else { throw .badRequest("'timeInterval' and 'watchedAttributes' exclude each other") }
      guard rule.throttling == nil else { throw .badRequest("'timeInterval' and 'throttling' exclude each other") }
      guard !rule.query.selectors.isEmpty || rule.localOnly else {
        throw .badRequest("'timeInterval' needs 'entities'")
      }
    }
    guard !rule.query.selectors.isEmpty || !rule.watched.isEmpty || rule.localOnly else {
      throw .badRequest("a subscription needs 'entities' or 'watchedAttributes'")
    }
    for member in ["description", "subscriptionName", "jsonldContext", "expandValues", "jsonKeys"] {
      _ = try members.text(object[member], member)
    }
    guard case .object(let notification)? = object["notification"] else {
      throw .badRequest("a subscription needs 'notification' with an 'endpoint'")
    }
    rule.notification = try parameters(notification)
    return rule
  }

  private func names(_ json: JSON?, _ member: String) throws(Problem) -> Set<String> {
    Set((try members.texts(json, member) ?? []).map { context.expand($0) })
  }

  private func selectors(_ json: JSON?) throws(Problem) -> [EntitySelector] {
    guard let json else { return [] }
    let selectors = try EntitySelector.list(json: json, context: context)
    for selector in selectors where selector.types == nil {
      throw .badRequest("each member of 'entities' needs a 'type'")
    }
    return selectors
  }

  private func parameters(_ object: JSONObject) throws(Problem) -> Subscription.Parameters {
    guard case .object(let endpoint)? = object["endpoint"] else {
      throw .badRequest("'notification' needs an 'endpoint'")
    }
    guard let uri = endpoint["uri"]?.string, IRI.isAbsolute(uri) else {
      throw .badRequest("'notification.endpoint.uri' must be a URL")
    }
    var parameters = Subscription.Parameters(uri: uri)
    switch try members.text(endpoint["accept"], "notification.endpoint.accept") ?? "application/json" {
    case "application/json": parameters.accept = .json
    case "application/ld+json": parameters.accept = .jsonLD
    case "application/geo+json": parameters.accept = .geoJSON
    case let other: throw .badRequest("'notification.endpoint.accept' cannot be '\(other.prefix(60))'")
    }
    parameters.timeout = try members.positive(endpoint["timeout"], "notification.endpoint.timeout").map { $0 / 1000 }
    parameters.cooldown = try members.positive(endpoint["cooldown"], "notification.endpoint.cooldown").map { $0 / 1000 }
    parameters.headers = try members.pairs(endpoint["receiverInfo"], "receiverInfo").map { ($0.key, $0.value) }
    parameters.settings = try members.pairs(endpoint["notifierInfo"], "notifierInfo").map { ($0.key, $0.value) }
    let refusal = sender.refusal(of: uri, mediaType: parameters.accept.mediaType, settings: parameters.settings)
    if let refusal { throw .badRequest("nothing can be sent to 'notification.endpoint': \(refusal)") }
    switch try members.text(object["format"], "notification.format") ?? "normalized" {
    case "normalized": parameters.form = .normalized
    case "concise": parameters.form = .concise
    case "simplified", "keyValues": parameters.form = .simplified
    case let other: throw .badRequest("'notification.format' cannot be '\(other.prefix(40))'")
    }
    parameters.systemAttributes = try members.flag(object["sysAttrs"], "notification.sysAttrs") ?? false
    parameters.showChanges = try members.flag(object["showChanges"], "notification.showChanges") ?? false
    guard !(parameters.showChanges && parameters.form == .simplified) else {
      throw .badRequest("'showChanges' cannot be combined with the simplified format")
    }
    parameters.attributes = try names(object["attributes"], "notification.attributes")
    if let pick = object["pick"] {
      parameters.projecting.pick = try Projection(json: pick, subject: "notification.pick", context: context)
    }
    if let omit = object["omit"] {
      parameters.projecting.omit = try Projection(json: omit, subject: "notification.omit", context: context)
    }
    try parameters.projecting.check()
    guard parameters.attributes.isEmpty || parameters.projecting == Projecting() else {
      throw .badRequest("'notification.attributes' cannot be combined with 'pick' or 'omit'")
    }
    switch try members.text(object["join"], "notification.join") ?? "@none" {
    case "@none": parameters.join = nil
    case "flat": parameters.join = .flat
    case "inline": parameters.join = .inline
    case let other: throw .badRequest("'notification.join' cannot be '\(other.prefix(40))'")
    }
    if let level = try members.positive(object["joinLevel"], "notification.joinLevel") {
      guard level <= Double(limits.joinLevel) else {
        throw .badRequest("'joinLevel' may be at most \(limits.joinLevel)")
      }
      parameters.joinLevel = Int(level)
    }
    guard parameters.projecting.hops <= (parameters.join == nil ? 0 : parameters.joinLevel) else {
      throw .badRequest("'pick' or 'omit' follows more relationships than 'join' and 'joinLevel' allow")
    }
    return parameters
  }
}
