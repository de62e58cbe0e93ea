import NGSI
import Query

/// Reads a subscription document (ETSI GS CIM 009 clause 5.2.12).
struct SubscriptionParser {
  let context: Context
  let limits: Limits
  let now: DateTime
  /// Says whether something can be sent to an endpoint.
  let sender: any NotificationSending

  /// Members that the hub itself generates; what clients send for them is ignored.
  static let readOnly: Set<String> = ["status", "createdAt", "modifiedAt"]
  static let readOnlyNotification: Set<String> = [
    "status", "timesSent", "timesFailed", "lastNotification", "lastSuccess", "lastFailure",
  ]

  func subscription(_ object: JSONObject) throws(Problem) -> Subscription.Rule {
    guard object["type"]?.string == "Subscription" else { throw .badRequest("'type' must be \"Subscription\"") }
    var rule = Subscription.Rule()
    rule.query.selectors = try selectors(object["entities"])
    rule.watched = try names(object["watchedAttributes"], "watchedAttributes")
    if let triggers = try strings(object["notificationTrigger"], "notificationTrigger") {
      rule.triggers = []
      for name in triggers {
        guard let trigger = Subscription.Triggers(name: name) else {
          throw .badRequest("'notificationTrigger' has '\(name)', which is no trigger")
        }
        rule.triggers.insert(trigger)
      }
    }
    if let q = try string(object["q"], "q") { rule.query.filter = try Filter(q: q, context: context) }
    if let scopeQ = try string(object["scopeQ"], "scopeQ") { rule.query.scope = try ScopeFilter(scopeQ: scopeQ) }
    if let geoQ = object["geoQ"] { rule.query.geo = try GeoFilter(json: geoQ, context: context) }
    if let csf = try string(object["csf"], "csf") { rule.sourceFilter = try Filter(q: csf, context: context) }
    if let temporalQ = object["temporalQ"] { rule.time = try TemporalFilter(json: temporalQ) }
    rule.languages = try string(object["lang"], "lang").map { [$0] } ?? []
    rule.datasetIds = try strings(object["datasetId"], "datasetId") ?? []
    for id in rule.datasetIds where id != "@none" && !IRI.isAbsolute(id) {
      throw .badRequest("'datasetId' must hold URIs or \"@none\"")
    }
    if let expires = object["expiresAt"] {
      guard let time = expires.string.flatMap({ DateTime($0) }) else {
        throw .badRequest("'expiresAt' must be a UTC time")
      }
      guard time > now else { throw .badRequest("'expiresAt' lies in the past") }
      rule.expiresAt = time
    }
    if let text = try string(object["ngsildConformance"], "ngsildConformance") {
      guard let version = SpecificationVersion(text) else {
        throw .badRequest("'ngsildConformance' must be a version such as 1.5, found '\(text.prefix(40))'")
      }
      rule.version = version
    }
    rule.isActive = try bool(object["isActive"], "isActive") ?? true
    rule.throttling = try positive(object["throttling"], "throttling")
    rule.timeInterval = try positive(object["timeInterval"], "timeInterval")
    let localOnly = try bool(object["localOnly"], "localOnly") ?? false
    if rule.timeInterval != nil {
      guard rule.watched.isEmpty else { throw .badRequest("'timeInterval' and 'watchedAttributes' exclude each other") }
      guard rule.throttling == nil else { throw .badRequest("'timeInterval' and 'throttling' exclude each other") }
      guard !rule.query.selectors.isEmpty || localOnly else { throw .badRequest("'timeInterval' needs 'entities'") }
    }
    guard !rule.query.selectors.isEmpty || !rule.watched.isEmpty || localOnly else {
      throw .badRequest("a subscription needs 'entities' or 'watchedAttributes'")
    }
    for member in ["description", "subscriptionName", "jsonldContext", "expandValues", "jsonKeys"] {
      _ = try string(object[member], member)
    }
    guard case .object(let notification)? = object["notification"] else {
      throw .badRequest("a subscription needs 'notification' with an 'endpoint'")
    }
    rule.notification = try parameters(notification)
    return rule
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
    switch try string(endpoint["accept"], "notification.endpoint.accept") ?? "application/json" {
    case "application/json": parameters.accept = .json
    case "application/ld+json": parameters.accept = .jsonLD
    case "application/geo+json": parameters.accept = .geoJSON
    case let other: throw .badRequest("'notification.endpoint.accept' cannot be '\(other.prefix(60))'")
    }
    parameters.timeout = try positive(endpoint["timeout"], "notification.endpoint.timeout").map { $0 / 1000 }
    parameters.cooldown = try positive(endpoint["cooldown"], "notification.endpoint.cooldown").map { $0 / 1000 }
    parameters.headers = try pairs(endpoint["receiverInfo"], "receiverInfo")
    parameters.settings = try pairs(endpoint["notifierInfo"], "notifierInfo")
    let refusal = sender.refusal(of: uri, mediaType: parameters.accept.mediaType, settings: parameters.settings)
    if let refusal { throw .badRequest("nothing can be sent to 'notification.endpoint': \(refusal)") }
    switch try string(object["format"], "notification.format") ?? "normalized" {
    case "normalized": parameters.form = .normalized
    case "concise": parameters.form = .concise
    case "simplified", "keyValues": parameters.form = .simplified
    case let other: throw .badRequest("'notification.format' cannot be '\(other.prefix(40))'")
    }
    parameters.systemAttributes = try bool(object["sysAttrs"], "notification.sysAttrs") ?? false
    parameters.showChanges = try bool(object["showChanges"], "notification.showChanges") ?? false
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
    switch try string(object["join"], "notification.join") ?? "@none" {
    case "@none": parameters.join = nil
    case "flat": parameters.join = .flat
    case "inline": parameters.join = .inline
    case let other: throw .badRequest("'notification.join' cannot be '\(other.prefix(40))'")
    }
    if let level = try positive(object["joinLevel"], "notification.joinLevel") {
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

// MARK: - Members by type

extension SubscriptionParser {
  private func string(_ json: JSON?, _ member: String) throws(Problem) -> String? {
    guard let json else { return nil }
    guard case .string(let text) = json, !text.isEmpty else { throw .badRequest("'\(member)' must be a text") }
    return text
  }

  private func strings(_ json: JSON?, _ member: String) throws(Problem) -> [String]? {
    guard let json else { return nil }
    guard case .array(let items) = json, !items.isEmpty else {
      throw .badRequest("'\(member)' must be an array with at least one text")
    }
    guard items.count <= limits.subscriptionItems else {
      throw .badRequest("'\(member)' may have at most \(limits.subscriptionItems) members")
    }
    var texts: [String] = []
    for item in items {
      guard case .string(let text) = item, !text.isEmpty else {
        throw .badRequest("'\(member)' must be an array of texts")
      }
      texts.append(text)
    }
    return texts
  }

  private func names(_ json: JSON?, _ member: String) throws(Problem) -> Set<String> {
    Set((try strings(json, member) ?? []).map { context.expand($0) })
  }

  private func bool(_ json: JSON?, _ member: String) throws(Problem) -> Bool? {
    guard let json else { return nil }
    guard case .bool(let flag) = json else { throw .badRequest("'\(member)' must be true or false") }
    return flag
  }

  private func positive(_ json: JSON?, _ member: String) throws(Problem) -> Double? {
    guard let json else { return nil }
    guard let number = json.number, number > 0, number < 1e10 else {
      throw .badRequest("'\(member)' must be greater than 0")
    }
    return number
  }

  private func pairs(_ json: JSON?, _ member: String) throws(Problem) -> [(String, String)] {
    guard let json else { return [] }
    guard case .array(let items) = json, items.count <= 50 else {
      throw .badRequest("'\(member)' must be an array of at most 50 {key, value}")
    }
    var pairs: [(String, String)] = []
    for item in items {
      // Clients write a number such as the quality of service as a number too.
      guard let key = item["key"]?.string, let value = item["value"]?.string ?? item["value"]?.integer.map({ "\($0)" })
      else { throw .badRequest("'\(member)' must be an array of {key, value}") }
      let clean = (key + value).utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
      guard clean, !key.isEmpty else { throw .badRequest("'\(member)' has a control character") }
      pairs.append((key, value))
    }
    return pairs
  }
}
