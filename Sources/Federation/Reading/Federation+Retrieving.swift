import Hub
import NGSI
import Query
import Store

/// What several sources have of one entity.
public struct FederatedEntity: Sendable {
  /// `nil` when nobody has it.
  public var entity: Entity?
  public var warnings: [SourceWarning] = []
  /// Registrations whose sources did not answer.
  public var silent: Set<String> = []
  /// Who gave a part of it: registrations, and ``EntityMap/local``.
  public var sources: [String] = []
}

extension Federation {
  /// Retrieve Entity over all sources that may have it (clause 5.7.1).
  ///
  /// - Parameters:
  ///   - attributes: expanded names of those wanted; empty wants all.
  ///   - context: what the client's names are read with.
  ///   - map: tells who may have it.
  ///   - isLocal: leaves sources out.
  ///   - source: the registration of a source that is not asked.
  /// - Throws: what the hub itself refuses; that nobody has the entity is told by `nil`, since there may be warnings.
  public func retrieve(
    _ id: String, types: TypeSelection?, attributes: Set<String>, datasetIds: [String], filter: Filter? = nil,
    context: Context, over map: EntityMap? = nil, isLocal: Bool = false, except source: String? = nil,
    _ origin: RequestOrigin
  ) async throws(Problem) -> FederatedEntity {
    try map?.requireUse(for: .entities, nil)
    var query = SourceQuery(entity: id, types: nil)
    query.selectors[0].types = types
    query.attributes = attributes
    query.datasetIds = datasetIds
    query.filter = filter
    let (matches, loops) = isLocal ? ([], false) : try sources(query, origin)
    let named = map.map { $0.entries.first { $0.id == id }?.sources ?? [] }
    let asked = matches.filter { match in
      !match.registration.operations.isDisjoint(with: Self.retrieving)
        && named?.contains(match.registration.id) ?? true && match.registration.id != source
    }
    let parts = await withTaskGroup(of: (Int, Part).self) { group in
      for (index, match) in asked.enumerated() {
        group.addTask {
          if loops { return (index, .failed(SourceWarning(.loop, at: match.registration.id))) }
          return (index, await part(of: id, match, attributes, context, origin))
        }
      }
      var parts = [Part](repeating: .nothing, count: asked.count)
      for await (index, part) in group { parts[index] = part }
      return parts
    }
    var result = FederatedEntity()
    var versions: [Entity] = []
    var additions: [Entity] = []
    do {
      versions.append(try hub.entity(id, in: origin.tenant))
      result.sources.append(EntityMap.local)
    } catch {
      guard error.kind == .resourceNotFound else { throw error }
    }
    for (match, part) in zip(asked, parts) {
      switch part {
      case .nothing: break
      case .failed(let warning):
        result.warnings.append(warning)
        result.silent.insert(match.registration.id)
      case .entity(let entity, let warning):
        if let warning { result.warnings.append(warning) }
        if match.registration.mode == .auxiliary { additions.append(entity) } else { versions.append(entity) }
        result.sources.append(match.registration.id)
      }
    }
    result.entity = EntityMerging.merged(versions, adding: additions, at: hub.time)
    if let types, let entity = result.entity, !types.matches(entity.types) { result.entity = nil }
    return result
  }

  private enum Part: Sendable {
    case nothing
    case failed(SourceWarning)
    case entity(Entity, SourceWarning?)
  }

  /// What one source has of the entity.
  private func part(
    of id: String, _ match: SourceMatch, _ attributes: Set<String>, _ context: Context, _ origin: RequestOrigin
  ) async -> Part {
    let registration = match.registration
    let wording = await wording(for: registration, context)
    let request = retrieval(of: id, match, match.wanted(attributes), wording)
    switch await call(call(for: request, to: registration, origin), registration) {
    case .failure(.refused(404, _)): return .nothing
    case .failure(let failure): return .failed(SourceWarning(failure, at: registration.id))
    case .success(let answer):
      do {
        let entities = try await entities(in: answer, request.answerContext, match)
        guard let entity = entities.first(where: { $0.id == id }) else { return .nothing }
        return .entity(entity, answer.isStale ? SourceWarning(staleAt: registration.id) : nil)
      } catch {
        return .failed(SourceWarning(.unreadable("its answer cannot be read: \(error.detail)"), at: registration.id))
      }
    }
  }

  /// Operations by which one entity can be had, in the order in which they are preferred.
  private static let retrieving: Set<OperationName> = [.retrieveEntity, .queryEntity, .queryBatch]

  private func retrieval(of id: String, _ match: SourceMatch, _ wanted: Set<String>?, _ wording: Wording)
    -> SourceRequest
  {
    let registration = match.registration
    let names = wanted.map { $0.sorted().map(wording.name) }
    let types = Set(match.information.flatMap(\.entities).flatMap(\.types)).sorted().map(wording.name)
    var request = SourceRequest(method: .get, path: ["entities", id], context: wording.source)
    request.parameters = [("options", "sysAttrs")]
    if registration.offers(.retrieveEntity) {
      if let names { request.parameters.append(("attrs", names.joined(separator: ","))) }
    } else if registration.offers(.queryEntity) {
      request.path = ["entities"]
      if !types.isEmpty { request.parameters.append(("type", types.joined(separator: ","))) }
      request.parameters.append(("id", id))
      if let names { request.parameters.append(("attrs", names.joined(separator: ","))) }
    } else {
      request.method = .post
      request.path = ["entityOperations", "query"]
      var selector = JSONObject()
      selector["id"] = .string(id)
      if !types.isEmpty { selector["type"] = .string(types.joined(separator: ",")) }
      var body = JSONObject()
      body["type"] = "Query"
      body["entities"] = [.object(selector)]
      if let names { body["attrs"] = .array(names.map(JSON.string)) }
      request.body = .object(body)
    }
    request.namesAreIRIs = wording.usesIRIs
    return request
  }

  /// The entities of an answer, less what the registration does not speak of.
  func entities(
    in answer: SourceAnswer, _ context: Context, _ match: SourceMatch, rules: EntityReader.Rules = .systemMembers
  ) async throws(Problem) -> [Entity] {
    let json: JSON
    do { json = try JSONParser.parse(answer.body) } catch { throw .badRequest("it is not JSON: \(error)") }
    var entities: [Entity] = []
    var known: (source: JSON, context: Context)?
    for item in json.items {
      var named = context
      if let own = item["@context"] {
        if known?.source != own { known = (own, try await hub.context(own)) }
        named = known?.context ?? context
      }
      let entity = try EntityReader(context: named, rules: rules).entity(item).entity()
      if let kept = match.restricted(entity) { entities.append(kept) }
    }
    return entities
  }
}

extension SourceRequest {
  /// What the source writes the names of its answer with.
  var answerContext: Context { namesAreIRIs ? .core : context }
}

extension SourceMatch {
  /// Names to ask for: what is wanted and registered; `nil` where all are.
  func wanted(_ attributes: Set<String>) -> Set<String>? {
    guard let registered = self.attributes else { return attributes.isEmpty ? nil : attributes }
    return attributes.isEmpty ? registered : registered.intersection(attributes)
  }

  /// The entity with what is registered of it; `nil` when it is none of those registered.
  func restricted(_ entity: Entity) -> Entity? {
    guard let names = names(of: entity.id, types: entity.types) else { return nil }
    guard !names.isEmpty else { return entity }
    var entity = entity
    entity.attributes.removeAll { !names.contains($0.name) }
    return entity
  }

  /// Registered names of one entity, empty where all are; `nil` when the entity is not registered.
  func names(of id: String, types: [String]?) -> Set<String>? {
    let parts = information.filter { part in
      part.entities.isEmpty
        || part.entities.contains { info in
          let ids = (try? info.ids(of: [id])) ?? []
          return !ids.isEmpty && (types.map { !Set($0).isDisjoint(with: info.types) } ?? true)
        }
    }
    guard !parts.isEmpty else { return nil }
    if parts.contains(where: \.attributes.isEmpty) { return [] }
    return parts.reduce(into: []) { $0.formUnion($1.attributes) }
  }
}
