import NGSI
import Query
import Store

/// Reads a registration document (clause 5.2.9).
struct RegistrationParser {
  let context: Context
  let limits: Limits
  let now: DateTime

  /// Members that the hub itself generates; what clients send for them is ignored.
  static let readOnly: Set<String> = [
    "status", "timesSent", "timesFailed", "lastSuccess", "lastFailure", "createdAt", "modifiedAt",
  ]
  private static let known: Set<String> = [
    "id", "type", "@context", "endpoint", "contextSourceInfo", "information", "contextSourceAlias", "description",
    "datasetId", "expiresAt", "location", "management", "managementInterval", "mode", "observationInterval",
    "observationSpace", "operations", "operationSpace", "refreshRate", "registrationName", "scope", "tenant",
    "localOnly",
  ]

  /// Whether clause 5.2.9 gives the member a meaning.
  static func isKnown(_ member: String) -> Bool { known.contains(member) || readOnly.contains(member) }

  /// Members that hold a text and that context source filters may ask for.
  private static let texts = ["endpoint", "contextSourceAlias", "description", "mode", "registrationName", "tenant"]

  /// - Throws: `BadRequestData` that names the member.
  func registration(_ document: JSONObject, id: String, createdAt: DateTime, in tenant: Tenant)
    throws(Problem) -> Registration
  {
    guard document["type"]?.string == "ContextSourceRegistration" else {
      throw .badRequest("'type' must be \"ContextSourceRegistration\"")
    }
    let members = DocumentMembers(limits: limits)
    var registration = Registration(
      id: id, tenant: tenant, document: document, context: context, createdAt: createdAt, modifiedAt: now,
      source: try source(document, id: id))
    registration.endpoint = try endpoint(document)
    if let name = try members.text(document["mode"], "mode") {
      guard let mode = Registration.Mode(rawValue: name) else {
        throw .badRequest("'mode' must be inclusive, exclusive, redirect or auxiliary, found '\(name.prefix(40))'")
      }
      registration.mode = mode
    }
    registration.operations = try operations(document, registration.mode)
    registration.information = try information(document["information"])
    registration.alias = try members.text(document["contextSourceAlias"], "contextSourceAlias")
    for member in ["description", "registrationName"] { _ = try members.text(document[member], member) }
    registration.datasetIds = try members.texts(document["datasetId"], "datasetId") ?? []
    for id in registration.datasetIds where id != "@none" && !IRI.isAbsolute(id) {
      throw .badRequest("'datasetId' must hold URIs or \"@none\"")
    }
    registration.expiresAt = try members.time(document["expiresAt"], "expiresAt")
    if let expires = registration.expiresAt, expires <= now { throw .badRequest("'expiresAt' lies in the past") }
    if let name = try members.text(document["tenant"], "tenant") { registration.sourceTenant = Tenant(name) }
    registration.sourceInfo = try sourceInfo(document["contextSourceInfo"], members)
    registration.management = try management(document, members)
    registration.observationInterval = try interval(document["observationInterval"], "observationInterval", members)
    registration.managementInterval = try interval(document["managementInterval"], "managementInterval", members)
    _ = try members.duration(document["refreshRate"], "refreshRate")
    if registration.mode == .exclusive {
      let names = registration.information.allSatisfy { information in
        !information.entities.isEmpty && information.entities.allSatisfy { $0.id != nil }
          && !information.attributes.isEmpty
      }
      guard names else {
        throw .badRequest("an exclusive registration names entities by their id, and attributes (clause 4.3.6.3)")
      }
    }
    return registration
  }

  private func endpoint(_ document: JSONObject) throws(Problem) -> String {
    guard let text = document["endpoint"]?.string, IRI.isAbsolute(text), text.utf8.count <= 2_000,
      let scheme = text.split(separator: ":").first?.lowercased(), scheme == "http" || scheme == "https",
      !text.contains("?"), !text.contains("#")
    else { throw .badRequest("'endpoint' must be an http or https URL without a query") }
    return String(text.reversed().drop { $0 == "/" }.reversed())
  }

  private func operations(_ document: JSONObject, _ mode: Registration.Mode) throws(Problem) -> Set<OperationName> {
    guard let names = try DocumentMembers(limits: limits).texts(document["operations"], "operations") else {
      // What an auxiliary source can do is less than the default, so it must be said (clause 5.9.2.4); a source that
      // says nothing is taken for one that can be read.
      return mode == .auxiliary ? [.retrieveEntity, .queryEntity, .queryBatch] : OperationName.byDefault
    }
    var operations: Set<OperationName> = []
    for name in names {
      guard let more = OperationName.named(name) else {
        throw .badRequest("'operations' has '\(name.prefix(60))', which is no operation of clause 4.20")
      }
      operations.formUnion(more)
    }
    guard mode != .auxiliary || operations.isSubset(of: Self.auxiliaryOperations) else {
      throw .badRequest(
        "an auxiliary registration may offer retrieveOps, retrieveEntity, queryEntity, retrieveTemporal and "
          + "queryTemporal only")
    }
    return operations
  }

  /// Clause 5.9.2.4 names those of the present; clauses 5.7.3.4 and 5.7.4.4 say what auxiliary sources of histories do.
  private static let auxiliaryOperations: Set<OperationName> = [
    .retrieveEntity, .queryEntity, .queryBatch, .retrieveTemporal, .queryTemporal,
  ]

  private func information(_ json: JSON?) throws(Problem) -> [Registration.Information] {
    guard case .array(let items)? = json, !items.isEmpty, items.count <= limits.subscriptionItems else {
      throw .badRequest("'information' must be an array with 1 to \(limits.subscriptionItems) members")
    }
    let members = DocumentMembers(limits: limits)
    let reader = EntityReader(context: context)
    var list: [Registration.Information] = []
    for item in items {
      guard case .object(let object) = item else { throw .badRequest("'information' must hold JSON objects") }
      var information = Registration.Information()
      if let entities = object["entities"] { information.entities = try entityInfo(entities) }
      for member in ["propertyNames", "relationshipNames"] {
        for name in try members.texts(object[member], member) ?? [] {
          information.attributes.insert(try reader.name(ofAttribute: name))
        }
      }
      guard !information.entities.isEmpty || !information.attributes.isEmpty else {
        throw .badRequest("each member of 'information' needs 'entities', 'propertyNames' or 'relationshipNames'")
      }
      list.append(information)
    }
    return list
  }

  private func entityInfo(_ json: JSON) throws(Problem) -> [Registration.EntityInfo] {
    guard case .array(let items) = json, !items.isEmpty, items.count <= limits.subscriptionItems else {
      throw .badRequest("'entities' must be an array with 1 to \(limits.subscriptionItems) members")
    }
    var list: [Registration.EntityInfo] = []
    for item in items {
      let types = (item["type"]?.items ?? []).compactMap(\.string)
      guard !types.isEmpty, types.count == item["type"]?.items.count, !types.contains("") else {
        throw .badRequest("each member of 'entities' needs a 'type'")
      }
      var info = Registration.EntityInfo(types: types.map { context.expand($0) })
      if let id = item["id"] {
        guard let text = id.string, IRI.isAbsolute(text) else { throw .badRequest("'id' of an entity must be a URI") }
        info.id = text
      }
      if let pattern = item["idPattern"] {
        guard let text = pattern.string else { throw .badRequest("'idPattern' must be a text") }
        info.idPattern = try EntitySelector.checkedPattern(text)
      }
      list.append(info)
    }
    return list
  }

  private func sourceInfo(_ json: JSON?, _ members: DocumentMembers) throws(Problem) -> [(key: String, value: String)] {
    let pairs = try members.pairs(json, "contextSourceInfo")
    for (key, value) in pairs {
      switch key {
      case "accept", "contentType":
        guard value == "application/json" || value == "application/ld+json" else {
          throw .badRequest("'\(key)' in contextSourceInfo must be application/json or application/ld+json")
        }
      case "jsonldContext":
        guard IRI.isAbsolute(value) else { throw .badRequest("'jsonldContext' in contextSourceInfo must be a URL") }
      case "ngsildConformance":
        guard Self.isVersion(value) else {
          throw .badRequest("'ngsildConformance' in contextSourceInfo must be major.minor, as in 1.6")
        }
      default:
        guard Self.isToken(key) else { throw .badRequest("'\(key.prefix(60))' can be no HTTP header") }
      }
    }
    return pairs
  }

  /// RFC 9110 section 5.6.2.
  static func isToken(_ text: String) -> Bool {
    let marks = Set("!#$%&'*+-.^_`|~".utf8)
    return !text.isEmpty
      && text.utf8.allSatisfy { byte in
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || marks.contains(byte)
      }
  }

  private static func isVersion(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { (1...3).contains($0.utf8.count) && $0.allSatisfy(\.isNumber) }
  }

  private func management(_ document: JSONObject, _ members: DocumentMembers) throws(Problem)
    -> Registration.Management
  {
    var management = Registration.Management()
    // Clause 5.2.34 has it in `management`; beside it is how it is often sent.
    management.localOnly = try members.flag(document["localOnly"], "localOnly") ?? false
    guard let json = document["management"] else { return management }
    guard case .object(let object) = json else { throw .badRequest("'management' must be a JSON object") }
    management.timeout = try members.positive(object["timeout"], "management.timeout").map { $0 / 1000 }
    management.cooldown = try members.positive(object["cooldown"], "management.cooldown").map { $0 / 1000 }
    management.cacheDuration = try members.duration(object["cacheDuration"], "management.cacheDuration")
    if let flag = try members.flag(object["localOnly"], "management.localOnly") { management.localOnly = flag }
    return management
  }

  private func interval(_ json: JSON?, _ name: String, _ members: DocumentMembers) throws(Problem)
    -> Registration.Interval?
  {
    guard let json else { return nil }
    guard let start = try members.time(json["startAt"], "\(name).startAt") else {
      throw .badRequest("'\(name)' needs a 'startAt'")
    }
    let end = try members.time(json["endAt"], "\(name).endAt")
    guard end.map({ $0 >= start }) ?? true else { throw .badRequest("'\(name)' ends before it begins") }
    return Registration.Interval(start: start, end: end)
  }

  /// The registration as an entity: its own members as properties, and those that the client added.
  private func source(_ document: JSONObject, id: String) throws(Problem) -> Entity {
    let reader = EntityReader(context: context)
    var source = Entity(id: id, types: [Core.namespace + "ContextSourceRegistration"])
    for name in Self.texts {
      guard let text = document[name]?.string else { continue }
      let attribute = Attribute(kind: .property, value: .string(text))
      source.attributes.append(AttributeSet(name: context.expand(name), instances: [attribute]))
    }
    for name in ["location", "observationSpace", "operationSpace"] {
      guard let json = document[name] else { continue }
      // Plain GeoJSON by clause 5.2.9; a GeoProperty is what many clients send.
      let geometry = json["type"]?.string == "GeoProperty" ? json["value"] ?? .null : json
      if let failure = Geometry.failure(of: geometry) { throw .badRequest("'\(name)' is no geometry: \(failure)") }
      source.attributes.append(
        AttributeSet(name: context.expand(name), instances: [Attribute(kind: .geoProperty, value: geometry)]))
    }
    if let scope = document["scope"] {
      source.scopes = scope.items.compactMap(\.string).map { $0.hasPrefix("/") ? $0 : "/" + $0 }
      guard source.scopes.count == scope.items.count else { throw .badRequest("'scope' must hold scopes") }
    }
    for member in document.members where !Self.isKnown(member.key) {
      let name = try reader.name(ofAttribute: member.key)
      var set = AttributeSet(name: name, instances: [])
      for instance in try reader.attribute(member.value, name: member.key) {
        set.instances.append(try instance.attribute(named: name))
      }
      source.attributes.append(set)
    }
    return source
  }
}
