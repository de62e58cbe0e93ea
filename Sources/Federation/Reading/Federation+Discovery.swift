import Hub
import NGSI
import Query
import Store

/// What of types, or of attributes, is wanted (ETSI GS CIM 009 clauses 5.7.5 to 5.7.10).
public enum DiscoveryScope: Sendable, Hashable {
  /// Their names.
  case names
  /// Of types the names of their attributes, of attributes those of their types.
  case details
  /// All of one, by its expanded name.
  case one(String)
}

/// What the hub and its sources know of types or attributes.
public struct FederatedSummaries<Summary: Sendable>: Sendable {
  public var summaries: [Summary]
  public var warnings: [SourceWarning] = []

  public init(summaries: [Summary]) { self.summaries = summaries }
}

/// Clause 5.7.11: sources that offer to tell their types and attributes are asked, and of the others what they are
/// registered for is taken for possible. Numbers are sums of what each says: an entity that lies in parts counts in each.
extension Federation {
  /// Types of entities that the hub and its sources have, or may have.
  public func types(_ scope: DiscoveryScope, context: Context, _ origin: RequestOrigin) async throws(Problem)
    -> FederatedSummaries<TypeSummary>
  {
    let operation: OperationName =
      switch scope {
      case .names: .retrieveEntityTypes
      case .details: .retrieveEntityTypeDetails
      case .one: .retrieveEntityTypeInfo
      }
    var query = SourceQuery()
    if case .one(let type) = scope {
      var selector = EntitySelector()
      selector.types = .type(type)
      query.selectors = [selector]
    }
    let own = try await local(origin.tenant) { hub, tenant throws(Problem) in try hub.types(in: tenant) }
    var found = FederatedSummaries(summaries: own)
    for part in try await tell("types", scope, operation, query, context, origin) {
      if let warning = part.warning { found.warnings.append(warning) }
      let types = part.told?.typeSummaries(scope).prefix(limits.entities) ?? part.match.possibleTypes[...]
      found.summaries.merge(types.compactMap(part.match.restricted))
    }
    return found
  }

  /// Attributes of entities that the hub and its sources have, or may have.
  public func attributes(_ scope: DiscoveryScope, context: Context, _ origin: RequestOrigin) async throws(Problem)
    -> FederatedSummaries<AttributeSummary>
  {
    let operation: OperationName =
      switch scope {
      case .names: .retrieveAttrTypes
      case .details: .retrieveAttrTypeDetails
      case .one: .retrieveAttrTypeInfo
      }
    var query = SourceQuery()
    if case .one(let name) = scope { query.attributes = [name] }
    let own = try await local(origin.tenant) { hub, tenant throws(Problem) in try hub.attributes(in: tenant) }
    var found = FederatedSummaries(summaries: own)
    for part in try await tell("attributes", scope, operation, query, context, origin) {
      if let warning = part.warning { found.warnings.append(warning) }
      let told = part.told?.attributeSummaries(scope).prefix(limits.entities)
      found.summaries.merge((told ?? part.match.possibleAttributes[...]).compactMap(part.match.restricted))
    }
    return found
  }

  /// What the hub itself knows; nothing in a tenant that has registrations only.
  private func local<Summary: Sendable>(
    _ tenant: Tenant, _ read: @escaping @Sendable (Hub, Tenant) throws(Problem) -> [Summary]
  ) async throws(Problem) -> [Summary] {
    let hub = hub
    return try await OffLoop.run { () throws(Problem) in
      do throws(Problem) { return try read(hub, tenant) } catch {
        guard error.kind == .nonexistentTenant, hub.hasRegistrations(in: tenant) else { throw error }
        return []
      }
    }
  }

  /// What each source says.
  private func tell(
    _ collection: String, _ scope: DiscoveryScope, _ operation: OperationName, _ query: SourceQuery,
    _ context: Context, _ origin: RequestOrigin
  ) async throws(Problem) -> [Telling] {
    let (matches, loops) = try sources(query, origin)
    return await withTaskGroup(of: (Int, Telling).self) { group in
      for (index, match) in matches.enumerated() {
        group.addTask {
          if loops { return (index, Telling(match, warning: SourceWarning(.loop, at: match.registration.id))) }
          return (index, await tell(collection, scope, operation, match, context, origin))
        }
      }
      var parts = matches.map { Telling($0) }
      for await (index, part) in group { parts[index] = part }
      return parts
    }
  }

  private func tell(
    _ collection: String, _ scope: DiscoveryScope, _ operation: OperationName, _ match: SourceMatch,
    _ context: Context, _ origin: RequestOrigin
  ) async -> Telling {
    let registration = match.registration
    guard registration.offers(operation) else { return Telling(match) }
    let wording = await wording(for: registration, context)
    var request = SourceRequest(method: .get, path: [collection], context: wording.source)
    request.namesAreIRIs = wording.usesIRIs
    switch scope {
    case .names: break
    case .details: request.parameters = [("details", "true")]
    case .one(let name): request.path.append(wording.name(name))
    }
    switch await call(call(for: request, to: registration, origin), registration) {
    case .failure(.refused(404, _)): return Telling(match, told: ToldSummaries(json: [], context: .core))
    case .failure(let failure): return Telling(match, warning: SourceWarning(failure, at: registration.id))
    case .success(let answer):
      guard let json = try? JSONParser.parse(answer.body) else {
        return Telling(match, warning: SourceWarning(.unreadable("its answer is not JSON"), at: registration.id))
      }
      return Telling(
        match, told: ToldSummaries(json: json, context: request.answerContext),
        warning: answer.isStale ? SourceWarning(staleAt: registration.id) : nil)
    }
  }
}

/// What one source says, or what is left to suppose.
private struct Telling: Sendable {
  let match: SourceMatch
  /// `nil` where it does not tell: then it may have all that it is registered for.
  var told: ToldSummaries?
  var warning: SourceWarning?

  init(_ match: SourceMatch, told: ToldSummaries? = nil, warning: SourceWarning? = nil) {
    self.match = match
    self.told = told
    self.warning = warning
  }
}

/// An answer of clauses 5.2.24 to 5.2.28; what in it is none of them is passed over.
private struct ToldSummaries: Sendable {
  let json: JSON
  let context: Context

  func typeSummaries(_ scope: DiscoveryScope) -> [TypeSummary] {
    switch scope {
    case .names:
      names(json["typeList"]).map { TypeSummary(type: $0, entityCount: 0, attributes: []) }
    case .details, .one:
      items.compactMap { item in
        guard let type = name(item, "typeName") else { return nil }
        let names = names(item["attributeNames"]).map { AttributeSummary($0, of: [type]) }
        let details = (item["attributeDetails"]?.items ?? []).compactMap { attributeSummary($0, of: [type]) }
        return TypeSummary(type: type, entityCount: count(item["entityCount"]), attributes: names + details)
      }
    }
  }

  func attributeSummaries(_ scope: DiscoveryScope) -> [AttributeSummary] {
    switch scope {
    case .names: names(json["attributeList"]).map { AttributeSummary($0, of: []) }
    case .details, .one: items.compactMap { attributeSummary($0, of: names($0["typeNames"])) }
    }
  }

  private var items: [JSON] { json.items.filter { $0.object != nil } }

  private func attributeSummary(_ item: JSON, of types: [String]) -> AttributeSummary? {
    guard let name = name(item, "attributeName") else { return nil }
    var summary = AttributeSummary(name, of: types)
    summary.kinds = (item["attributeTypes"]?.items ?? []).compactMap {
      $0.string.flatMap(AttributeKind.init(rawValue:))
    }
    summary.entityCount = count(item["attributeCount"])
    return summary
  }

  /// The expanded name: `id` is one already (table 5.2.25-1).
  private func name(_ item: JSON, _ member: String) -> String? {
    if let id = item["id"]?.string, IRI.isAbsolute(id) { return id }
    return item[member]?.string.map { context.expand($0) }
  }

  private func names(_ json: JSON?) -> [String] { (json?.items ?? []).compactMap(\.string).map { context.expand($0) } }

  private func count(_ json: JSON?) -> Int {
    guard let number = json?.integer, (0...1_000_000_000_000).contains(number) else { return 0 }
    return Int(number)
  }
}

/// Something of which several may say something.
private protocol Mergeable {
  var name: String { get }
  mutating func merge(_ other: Self)
}

extension AttributeSummary: Mergeable {
  fileprivate var name: String { attribute }

  fileprivate init(_ name: String, of types: [String]) {
    self.init(attribute: name, kinds: [], entityCount: 0, types: types)
  }

  fileprivate mutating func merge(_ other: AttributeSummary) {
    for kind in other.kinds where !kinds.contains(kind) { kinds.append(kind) }
    let known = Set(types)
    types += other.types.filter { !known.contains($0) }
    entityCount += other.entityCount
  }
}

extension TypeSummary: Mergeable {
  fileprivate var name: String { type }

  fileprivate mutating func merge(_ other: TypeSummary) {
    entityCount += other.entityCount
    attributes.merge(other.attributes)
  }
}

extension Array where Element: Mergeable {
  fileprivate mutating func merge(_ others: [Element]) {
    var places = Dictionary(enumerated().map { ($1.name, $0) }) { first, _ in first }
    for other in others {
      if let place = places[other.name] {
        self[place].merge(other)
      } else {
        places[other.name] = count
        append(other)
      }
    }
  }
}

extension SourceMatch {
  /// Types that are registered, with their attributes.
  fileprivate var possibleTypes: [TypeSummary] {
    var types: [TypeSummary] = []
    for part in information {
      for type in part.entities.flatMap(\.types) {
        let attributes = part.attributes.sorted().map { AttributeSummary($0, of: [type]) }
        types.merge([TypeSummary(type: type, entityCount: 0, attributes: attributes)])
      }
    }
    return types
  }

  fileprivate var possibleAttributes: [AttributeSummary] {
    var attributes: [AttributeSummary] = []
    for part in information {
      let types = part.entities.flatMap(\.types)
      attributes.merge(part.attributes.sorted().map { AttributeSummary($0, of: types) })
    }
    return attributes
  }

  /// What is registered of a type; `nil` where it is not registered.
  fileprivate func restricted(_ summary: TypeSummary) -> TypeSummary? {
    let parts = information.filter { $0.entities.isEmpty || $0.entities.contains { $0.types.contains(summary.type) } }
    guard !parts.isEmpty else { return nil }
    guard parts.allSatisfy({ !$0.attributes.isEmpty }) else { return summary }
    var summary = summary
    summary.attributes.removeAll { attribute in !parts.contains { $0.attributes.contains(attribute.attribute) } }
    return summary
  }

  fileprivate func restricted(_ told: AttributeSummary) -> AttributeSummary? {
    let parts = information.filter { $0.attributes.isEmpty || $0.attributes.contains(told.attribute) }
    guard !parts.isEmpty else { return nil }
    guard parts.allSatisfy({ !$0.entities.isEmpty }) else { return told }
    var summary = told
    summary.types.removeAll { type in !parts.contains { $0.entities.contains { $0.types.contains(type) } } }
    // An attribute of types that are not registered.
    if summary.types.isEmpty, !told.types.isEmpty { return nil }
    return summary
  }
}
