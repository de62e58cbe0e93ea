import Federation
import Hub
import NIOHTTP1
import NGSI
import Query
import Store

/// `/entities` (clauses 6.4 to 6.7).
extension API {
  func entities(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    switch (exchange.request.method, path.count) {
    case (.GET, 0): return try await queryEntities(exchange)
    case (.POST, 0): return try await createEntity(exchange)
    case (.DELETE, 0): return try await purgeEntities(exchange)
    case (.GET, 1):
      let context = try await exchange.context()
      let wish = try exchange.entityMapWish()
      if wish.isUsed { return try await retrieve(exchange, try target(path[0]), context, over: wish) }
      guard try asksSources(exchange) else { return try retrieveEntity(exchange, path[0], context) }
      return try await retrieveFromSources(exchange, try target(path[0]), context)
    case (.PUT, 1): return try await replaceEntity(exchange, path[0])
    case (.PATCH, 1): return try await mergeEntity(exchange, path[0])
    case (.DELETE, 1): return try await deleteEntity(exchange, path[0])
    default: break
    }
    guard path.count >= 2, path[1] == "attrs", path.count <= 3 else {
      throw path.count <= 1 ? Self.notAllowed(exchange) : Self.unknown(exchange.request.path)
    }
    switch (exchange.request.method, path.count) {
    case (.POST, 2): return try await appendAttributes(exchange, path[0])
    case (.PATCH, 2): return try await updateAttributes(exchange, path[0])
    case (.PATCH, 3): return try await updateAttribute(exchange, path[0], path[2])
    case (.PUT, 3): return try await replaceAttribute(exchange, path[0], path[2])
    case (.DELETE, 3): return try await deleteAttribute(exchange, path[0], path[2])
    default: throw Self.notAllowed(exchange)
    }
  }

  func target(_ id: String) throws(Problem) -> String {
    guard IRI.isAbsolute(id) else { throw .badRequest("the entity id must be a URI, found '\(id.prefix(100))'") }
    return id
  }

  /// The `type` parameter as a selection.
  func typeSelection(_ exchange: Exchange, _ context: Context) throws(Problem) -> TypeSelection? {
    guard let text = exchange.items["type"] else { return nil }
    return try TypeSelection(text, context: context)
  }

  // MARK: Read

  func retrieveEntity(_ exchange: Exchange, _ id: String, _ context: Context) throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.retrieve)
    let presenter = try Presenter(exchange, context: context)
    let id = try target(id)
    let types = try typeSelection(exchange, context)
    if types == nil, presenter.showsWhole { return try presenter.answerWhole(id, exchange) }
    return try presenter.answer(try hub.entity(id, types: types, in: exchange.tenant), exchange)
  }

  private func queryEntities(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.query)
    let context = try await exchange.context()
    let presenter = try Presenter(exchange, context: context)
    let (query, isLocal) = try federatedQuery(exchange, presenter, context)
    let wish = try exchange.entityMapWish()
    if wish.isUsed { return try await answer(query, over: wish, presenter, exchange, isLocal: isLocal) }
    if isLocal { return try await answer(query.entities, presenter, exchange) }
    return try await answerFromSources(query, presenter, exchange)
  }

  /// What the parameters of a query ask for, and whether they ask it of the hub alone.
  func federatedQuery(_ exchange: Exchange, _ presenter: Presenter, _ context: Context) throws(Problem) -> (
    query: FederatedQuery, isLocal: Bool
  ) {
    let entities = try exchange.entityQuery(context)
    let isNarrowed =
      entities.types != nil || !entities.attributes.isEmpty || entities.filter != nil || entities.geo != nil
      || entities.scope != nil
    let keepsHere = try exchange.items.flag("local")
    guard isNarrowed || keepsHere else {
      throw .badRequest("a query needs at least one of type, attrs, q, georel, scopeQ or local=true")
    }
    var query = FederatedQuery(entities, .parameters(exchange.items.items), context: context)
    guard try asksSources(exchange), entities.types != .anything else { return (query, true) }
    try Self.refuseOrder(entities)
    query.datasetIds = presenter.datasetIds
    query.sourceFilter = try exchange.sourceFilter(context)
    if exchange.items["splitEntities"] != nil { query.splits = try exchange.items.flag("splitEntities") }
    return (query, false)
  }

  static func refuseOrder(_ query: EntityQuery) throws(Problem) {
    guard query.order.isEmpty else {
      throw .badRequest("'orderBy' goes with local=true only: what sources have comes in their order")
    }
  }

  /// A page that ends before this many entities of a type costs less than to wake another thread for it.
  private static let briefPage = 2_000
  private static let briefLimit = 50
  /// So does a query that looks at no more entities than these.
  private static let briefPatience = 100

  /// Runs a query off the event loop where it may take long, and answers with its page.
  func answer(_ query: EntityQuery, _ presenter: Presenter, _ exchange: Exchange) async throws(Problem) -> APIResponse {
    let (page, counts) = try exchange.page()
    @Sendable func answerPage(_ query: EntityQuery) throws(Problem) -> (APIResponse, PageExtent) {
      if presenter.showsWhole {
        return try presenter.answerWhole(query, page: page, countsTotal: counts, exchange)
      }
      let found = try hub.entities(query, in: exchange.tenant, page: page, countsTotal: counts)
      return (
        try presenter.answer(found.entities, exchange), PageExtent(total: found.total, hasMore: found.hasMore)
      )
    }
    @Sendable func run(_ query: EntityQuery) throws(Problem) -> APIResponse {
      var (response, extent) = try answerPage(query)
      exchange.addPaging(&response, page: page, total: extent.total, hasMore: extent.hasMore, path: "/entities")
      return response
    }
    if page.limit <= Self.briefLimit, page.offset + page.limit <= Self.briefPage, query.order.isEmpty {
      if query.asksTypesOnly, try hub.showsEverything(in: exchange.tenant) { return try run(query) }
      if query.isSimple {
        var brief = query
        brief.patience = Self.briefPatience
        do { return try run(brief) } catch  where error.kind == .tooComplexQuery {
          // It takes long, then, and another thread.
        }
      }
    }
    return try await hub.offLoop { _ throws(Problem) in try run(query) }
  }

  // MARK: Write

  private func createEntity(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    let (json, context) = try await exchange.body()
    let fragment = try EntityReader(context: context).entity(json)
    func created() -> APIResponse {
      var response = APIResponse(status: 201)
      response.headers[first: HeaderName.location] = "/ngsi-ld/v1/entities/" + PercentCoding.encode(fragment.id ?? "")
      exchange.echoTenant(&response)
      return response
    }
    guard try asksSources(exchange), let id = fragment.id else {
      try await hub.create(fragment, in: exchange.tenant)
      return created()
    }
    let write = SourceWrite(
      .createEntity, id: id, types: fragment.types, attributes: fragment.names, method: .post, path: ["entities"],
      body: json.withoutContext, context: context)
    let outcome = try await federation.write(write, exchange.origin) { [hub] names throws(Problem) in
      try await hub.create(fragment.keeping(names), in: exchange.tenant)
    }
    return try answer(outcome, id, exchange, success: created())
  }

  private func replaceEntity(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    let id = try target(id)
    try exchange.takes(Parameters.type)
    let (json, context) = try await exchange.body()
    var fragment = try EntityReader(context: context).entity(json)
    try Self.check(&fragment, id: id)
    let (read, types) = (fragment, try typeSelection(exchange, context))
    @Sendable func replace(_ fragment: EntityFragment) async throws(Problem) {
      try await hub.replace(id, with: fragment, types: types, in: exchange.tenant)
    }
    guard try asksSources(exchange) else {
      try await replace(read)
      return .noContent
    }
    return try await distribute(
      SourceWrite(
        .replaceEntity, id: id, types: read.types, attributes: read.names, method: .put, path: ["entities", id],
        parameters: exchange.sentOn, body: json.withoutContext, context: context), exchange
    ) { names throws(Problem) in try await replace(read.keeping(names)) }
  }

  private func mergeEntity(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    let id = try target(id)
    try exchange.takes(Parameters.merge)
    let forms: Set<String> = ["normalized", "concise", "simplified", "keyValues"]
    let option = try exchange.options(forms).last
    let format = try exchange.format(forms) ?? option
    let (json, context) = try await exchange.body(mergePatch: true)
    var rules: EntityReader.Rules = [.null, .nestedNull]
    if format == "simplified" || format == "keyValues" { rules.insert(.simplified) }
    var fragment = try EntityReader(context: context, rules: rules).entity(json)
    try Self.check(&fragment, id: id)
    var observedAt: DateTime?
    if let text = exchange.items["observedAt"] {
      guard let time = DateTime(text) else { throw .badRequest("'observedAt' must be a UTC time") }
      observedAt = time
    }
    let (read, types) = (fragment, try typeSelection(exchange, context))
    let options = MergeOptions(observedAt: observedAt, language: exchange.items["lang"])
    @Sendable func merge(_ fragment: EntityFragment) async throws(Problem) {
      try await hub.merge(id, with: fragment, options: options, types: types, in: exchange.tenant)
    }
    guard try asksSources(exchange) else {
      try await merge(read)
      return .noContent
    }
    return try await distribute(
      SourceWrite(
        .mergeEntity, id: id, types: read.types, attributes: read.names, method: .patch, path: ["entities", id],
        parameters: exchange.sentOn, body: json.withoutContext, context: context), exchange
    ) { names throws(Problem) in try await merge(read.keeping(names)) }
  }

  private func deleteEntity(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    let id = try target(id)
    try exchange.takes(Parameters.type)
    let context = try await exchange.context()
    let types = try typeSelection(exchange, context)
    guard try asksSources(exchange) else {
      try await hub.delete(id, types: types, in: exchange.tenant)
      return .noContent
    }
    return try await distribute(
      SourceWrite(
        .deleteEntity, id: id, types: nil, attributes: nil, method: .delete, path: ["entities", id],
        parameters: exchange.sentOn, context: context), exchange
    ) { [hub] _ throws(Problem) in try await hub.delete(id, types: types, in: exchange.tenant) }
  }

  // MARK: Attributes

  private func appendAttributes(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    let id = try target(id)
    try exchange.takes(Parameters.append)
    let keeps = try exchange.options(["noOverwrite"]).contains("noOverwrite")
    let (json, context) = try await exchange.body()
    var fragment = try EntityReader(context: context).entity(json)
    // What the path names is meant, whatever the fragment calls itself.
    fragment.id = id
    let (read, types) = (fragment, try typeSelection(exchange, context))
    guard try asksSources(exchange) else {
      let result = try await hub.append(id, read, overwrites: !keeps, types: types, in: exchange.tenant)
      return updateAnswer(result, exchange)
    }
    return try await distribute(
      SourceWrite(
        .appendAttrs, id: id, types: read.types, attributes: read.names, method: .post,
        path: ["entities", id, "attrs"], parameters: exchange.sentOn, body: json.withoutContext, context: context),
      exchange
    ) { [hub] names throws(Problem) in
      let part = read.keeping(names)
      try (await hub.append(id, part, overwrites: !keeps, types: types, in: exchange.tenant)).throwRefusal()
    }
  }

  private func updateAttributes(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    let id = try target(id)
    try exchange.takes(Parameters.type)
    let (json, context) = try await exchange.body(mergePatch: true)
    var fragment = try EntityReader(context: context, rules: .null).entity(json)
    // What the path names is meant, whatever the fragment calls itself.
    fragment.id = id
    let (read, types) = (fragment, try typeSelection(exchange, context))
    guard try asksSources(exchange) else {
      return updateAnswer(try await hub.update(id, read, types: types, in: exchange.tenant), exchange)
    }
    return try await distribute(
      SourceWrite(
        .updateEntity, id: id, types: read.types, attributes: read.names, method: .patch,
        path: ["entities", id, "attrs"], parameters: exchange.sentOn, body: json.withoutContext, context: context),
      exchange
    ) { [hub] names throws(Problem) in
      try (await hub.update(id, read.keeping(names), types: types, in: exchange.tenant)).throwRefusal()
    }
  }

  private func updateAttribute(_ exchange: Exchange, _ id: String, _ name: String) async throws(Problem) -> APIResponse
  {
    let id = try target(id)
    try exchange.takes(Parameters.type)
    let (json, context) = try await exchange.body(mergePatch: true)
    let attribute = try exchange.attributeName(name, context)
    let fragments = try EntityReader(context: context, rules: .null).attribute(json.withoutContext, name: name)
    guard fragments.count == 1 else { throw .badRequest("one attribute instance is expected") }
    let (fragment, types) = (fragments[0], try typeSelection(exchange, context))
    @Sendable func update() async throws(Problem) {
      try await hub.updateAttribute(id, attribute, fragment, types: types, in: exchange.tenant)
    }
    guard try asksSources(exchange) else {
      try await update()
      return .noContent
    }
    return try await distribute(
      SourceWrite(
        .updateAttrs, id: id, types: nil, attributes: [attribute], method: .patch,
        path: ["entities", id, "attrs", name], attributeInPath: attribute, parameters: exchange.sentOn,
        body: json.withoutContext, context: context), exchange
    ) { _ throws(Problem) in try await update() }
  }

  private func replaceAttribute(_ exchange: Exchange, _ id: String, _ name: String) async throws(Problem) -> APIResponse
  {
    let id = try target(id)
    try exchange.takes(Parameters.type)
    let (json, context) = try await exchange.body()
    let attribute = try exchange.attributeName(name, context)
    let fragments = try EntityReader(context: context).attribute(json.withoutContext, name: name)
    guard fragments.count == 1 else { throw .badRequest("one attribute instance is expected") }
    let (fragment, types) = (fragments[0], try typeSelection(exchange, context))
    @Sendable func replace() async throws(Problem) {
      try await hub.replaceAttribute(id, attribute, fragment, types: types, in: exchange.tenant)
    }
    guard try asksSources(exchange) else {
      try await replace()
      return .noContent
    }
    return try await distribute(
      SourceWrite(
        .replaceAttrs, id: id, types: nil, attributes: [attribute], method: .put,
        path: ["entities", id, "attrs", name], attributeInPath: attribute, parameters: exchange.sentOn,
        body: json.withoutContext, context: context), exchange
    ) { _ throws(Problem) in try await replace() }
  }

  private func deleteAttribute(_ exchange: Exchange, _ id: String, _ name: String) async throws(Problem) -> APIResponse
  {
    let id = try target(id)
    try exchange.takes(Parameters.instance)
    let context = try await exchange.context()
    let attribute = name == "scope" ? Core.scope : try exchange.attributeName(name, context)
    let selection: Entity.InstanceSelection
    switch exchange.items["datasetId"] {
    case _ where try exchange.items.flag("deleteAll"): selection = .all
    case nil, "@none": selection = .defaultInstance
    case let datasetId?:
      guard IRI.isAbsolute(datasetId) else { throw .badRequest("'datasetId' must be a URI") }
      selection = .dataset(datasetId)
    }
    let (chosen, types) = (selection, try typeSelection(exchange, context))
    @Sendable func delete() async throws(Problem) {
      try await hub.deleteAttribute(id, attribute, chosen, types: types, in: exchange.tenant)
    }
    guard try asksSources(exchange) else {
      try await delete()
      return .noContent
    }
    return try await distribute(
      SourceWrite(
        .deleteAttrs, id: id, types: nil, attributes: [attribute], method: .delete,
        path: ["entities", id, "attrs", name], attributeInPath: attribute, parameters: exchange.sentOn,
        context: context), exchange
    ) { _ throws(Problem) in try await delete() }
  }

  /// 204 when all was done, otherwise 207 with an UpdateResult (clause 5.2.18).
  ///
  /// Names are fully qualified and no context is linked (clause 6.3.6).
  private func updateAnswer(_ result: UpdateOutcome, _ exchange: Exchange) -> APIResponse {
    guard !result.notUpdated.isEmpty else { return .noContent }
    let body: JSON = [
      "updated": .array(result.updated.map(JSON.string)), "notUpdated": .array(result.notUpdated.map(\.json)),
    ]
    return exchange.answer(
      JSONWriter.bytes(body), status: 207, type: .json, context: .core, linksContext: false)
  }

  /// The id in the body, where there is one, must be the id in the path.
  private static func check(_ fragment: inout EntityFragment, id: String) throws(Problem) {
    if let other = fragment.id, other != id {
      throw .badRequest("the body is about \(other.prefix(100)), the path about \(id.prefix(100))")
    }
    fragment.id = id
  }
}

extension JSON {
  var withoutContext: JSON {
    guard case .object(var object) = self, object.contains("@context") else { return self }
    object["@context"] = nil
    return .object(object)
  }
}
