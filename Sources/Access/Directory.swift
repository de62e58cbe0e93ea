import Cedar
import Hub
import NGSI
import Store

/// How people, actions and entities look to the rules.
///
/// - Principals: `Person::"kim"`, `Client::"…"`, `Device::"urn:…"`, `Adapter::"…"` with the types that it `produces`, in `Role::"…"` for each role and `Agency::"…"`; with
///   the attributes `roles` and `tenants`, and `agency` where they have one.
/// - Actions: `Action::"read"` …; `create`, `update`, `delete` are in `Action::"write"`.
/// - Resources: `Entity::"urn:…"`, in `EntityType::"…"` for each type (as an IRI, and by its short name where it is one of
///   the default vocabulary), `Scope::"/a/b"` and the scopes above it, and `Tenant::"…"`; with the attributes `types`,
///   `scopes` and `attributes`, a record of the values that are texts, whole numbers, numbers or flags. What is about no
///   entity has `Tenant::"…"` as its resource; the default tenant has no name.
/// - Context: `time`, `methods`, and `scopes` of a token, `purpose`, `source`, `reason` where the caller states them; `attribute` where one attribute is
///   asked about.
struct Directory: EntitySource {
  let principal: EntityUID
  let resource: EntityUID
  private let principalEntity: PolicyEntity
  private let resourceEntity: PolicyEntity

  /// Who asks, made once for all that he asks about.
  struct Principal: Sendable {
    let uid: EntityUID
    fileprivate let entity: PolicyEntity

    init(_ caller: Caller) {
      uid = Directory.uid(of: caller)
      entity = Directory.entity(of: caller)
    }
  }

  init(_ principal: Principal, resource: EntityUID, _ entity: PolicyEntity) {
    self.principal = principal.uid
    principalEntity = principal.entity
    self.resource = resource
    resourceEntity = entity
  }

  func entity(_ uid: EntityUID) -> PolicyEntity? {
    if uid == resource { return resourceEntity }
    if uid == principal { return principalEntity }
    if uid.type == "Action", HubAction(rawValue: uid.id.text)?.isWrite == true { return Self.writes }
    return nil
  }

  private static let writes = PolicyEntity(parents: [EntityUID("Action", "write")])

  // MARK: Principals

  static func uid(of caller: Caller) -> EntityUID { EntityUID(ExactText(caller.kind.rawValue), ExactText(caller.id)) }

  private static func entity(of caller: Caller) -> PolicyEntity {
    var attributes: [ExactText: Value] = ["roles": .set(Set(caller.roles.map { .string(ExactText($0)) }))]
    attributes["agency"] = caller.agency.map { .string(ExactText($0)) }
    attributes["tenants"] = .set(Set(caller.tenants.map { .string(ExactText($0)) }))
    if caller.kind == .adapter {
      attributes["produces"] = .set(Set(caller.produces.map { .string(ExactText(short($0))) }))
    }
    var parents = caller.roles.map { EntityUID("Role", ExactText($0)) }
    if let agency = caller.agency { parents.append(EntityUID("Agency", ExactText(agency))) }
    return PolicyEntity(attributes: attributes, parents: parents)
  }

  /// The circumstances of a caller: all but the time.
  static func context(of caller: Caller) -> [ExactText: Value] {
    var context: [ExactText: Value] = ["methods": .set(Set(caller.methods.map { .string(ExactText($0)) }))]
    context["scopes"] = caller.scopes.map { .set(Set($0.map { .string(ExactText($0)) })) }
    context["purpose"] = caller.purpose.map { .string(ExactText($0)) }
    context["source"] = caller.source.map { .string(ExactText($0)) }
    context["reason"] = caller.reason.map { .string(ExactText($0)) }
    return context
  }

  /// The same with the time.
  static func context(_ circumstances: [ExactText: Value], at time: DateTime) -> [ExactText: Value] {
    var context = circumstances
    context["time"] = .time(time.microseconds / 1000)
    return context
  }

  // MARK: Resources

  static func uid(of tenant: Tenant) -> EntityUID { EntityUID("Tenant", ExactText(tenant.name)) }

  static func uid(of entity: Entity) -> EntityUID { EntityUID("Entity", ExactText(entity.id)) }

  /// The groups that an entity with these types and scopes is in.
  static func groups(types: [String], scopes: [String], in tenant: Tenant) -> [EntityUID] {
    var groups = [uid(of: tenant)]
    for type in types {
      groups.append(EntityUID("EntityType", ExactText(type)))
      let short = short(type)
      if short != type { groups.append(EntityUID("EntityType", ExactText(short))) }
    }
    for scope in scopes {
      var path = scope[...]
      while !path.isEmpty {
        groups.append(EntityUID("Scope", ExactText(String(path))))
        path = path.lastIndex(of: "/").map { path[..<$0] } ?? ""
      }
    }
    return groups
  }

  /// What rules may look at of an entity beside its groups.
  static func attributes(of entity: Entity) -> [ExactText: Value] {
    var values: [ExactText: Value] = [:]
    for set in entity.attributes {
      guard let value = set.instances.first(where: { $0.datasetId == nil })?.value else { continue }
      values[ExactText(short(set.name))] = Self.value(value)
    }
    return [
      "types": .set(Set(entity.types.map { .string(ExactText(short($0))) })),
      "scopes": .set(Set(entity.scopes.map { .string(ExactText($0)) })), "attributes": .record(values),
    ]
  }

  /// - Returns: `nil` for what the language of rules has no value for.
  private static func value(_ json: JSON) -> Value? {
    switch json {
    case .string(let text): return .string(ExactText(text))
    case .bool(let flag): return .bool(flag)
    case .array(let items): return .set(Set(items.compactMap(value)))
    default:
      if let integer = json.integer { return .integer(integer) }
      guard let number = json.number, abs(number) < 922_337_203_685_477 else { return nil }
      return .decimal(Int64((number * 10_000).rounded()))
    }
  }

  private static let places: Set<String> = [Core.location, Core.observationSpace, Core.operationSpace]

  /// A name of the default vocabulary, or of a place that the core context names, without its vocabulary; others as they are.
  static func short(_ iri: String) -> String {
    if places.contains(iri) { return String(iri.dropFirst(Core.namespace.count)) }
    return iri.hasPrefix(Core.defaultVocabulary) ? String(iri.dropFirst(Core.defaultVocabulary.count)) : iri
  }
}
