import Federation
import Hub
import NGSI
import Query
import Store
import Synchronization

// Writes to histories, here and where registrations say (clauses 5.6.11 to 5.6.16).
extension API {
  func createHistory(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    let (json, context) = try await exchange.body()
    let fragment = try EntityReader(context: context, rules: .evolution).entity(json)
    func answered(isNew: Bool) -> APIResponse {
      guard isNew else { return .noContent }
      var response = APIResponse(status: 201)
      response.headers[first: HeaderName.location] =
        "/ngsi-ld/v1/temporal/entities/" + PercentCoding.encode(fragment.id ?? "")
      exchange.echoTenant(&response)
      return response
    }
    guard try asksSources(exchange), let id = fragment.id else {
      return answered(isNew: try await hub.recordHistory(fragment, in: exchange.tenant))
    }
    var write = SourceWrite(
      .upsertTemporal, id: id, types: fragment.types, attributes: fragment.recordedNames, method: .post,
      path: ["temporal", "entities"], body: json.withoutContext, context: context)
    write.time = fragment.recordedTime
    let isNewHere = Mutex(false)
    let outcome = try await federation.write(write, exchange.origin) { [hub] names throws(Problem) in
      let isNew = try await hub.recordHistory(fragment.recording(names), in: exchange.tenant)
      isNewHere.withLock { $0 = isNew }
    }
    return try answer(
      outcome, id, exchange, success: answered(isNew: outcome.hasCreated || isNewHere.withLock { $0 }))
  }

  func appendHistory(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    let (json, context) = try await exchange.body()
    let fragment = try EntityReader(context: context, rules: .evolution).entity(json)
    return try await distributeHistory(
      SourceWrite(
        .appendAttrsTemporal, id: id, types: fragment.types, attributes: fragment.recordedNames, method: .post,
        path: ["temporal", "entities", id, "attrs"], body: json.withoutContext, context: context),
      about: fragment.recordedTime, exchange
    ) { [hub] names throws(Problem) in
      try await hub.addHistory(of: id, fragment.recording(names), in: exchange.tenant)
    }
  }

  func deleteHistory(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    return try await distributeHistory(
      SourceWrite(
        .deleteTemporal, id: id, types: nil, attributes: nil, method: .delete, path: ["temporal", "entities", id],
        context: .core), exchange
    ) { [hub] _ throws(Problem) in try await hub.deleteHistory(of: id, in: exchange.tenant) }
  }

  func deleteHistory(_ exchange: Exchange, _ id: String, attribute name: String) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.instance)
    let context = try await exchange.context()
    let attribute = try exchange.attributeName(name, context)
    let datasetId = exchange.items["datasetId"].flatMap { $0 == "@none" ? nil : $0 }
    let takesAll = try exchange.items.flag("deleteAll")
    return try await distributeHistory(
      SourceWrite(
        .deleteAttrsTemporal, id: id, types: nil, attributes: [attribute], method: .delete,
        path: ["temporal", "entities", id, "attrs", name], attributeInPath: attribute, parameters: exchange.sentOn,
        context: context), exchange
    ) { [hub] _ throws(Problem) in
      try await hub.deleteHistory(
        of: id, attribute: attribute, datasetId: datasetId, allDatasets: takesAll, in: exchange.tenant)
    }
  }

  func deleteInstance(_ exchange: Exchange, _ id: String, attribute name: String, _ instance: String)
    async throws(Problem) -> APIResponse
  {
    try exchange.takes(Parameters.none)
    let context = try await exchange.context()
    let attribute = try exchange.attributeName(name, context)
    let instanceId = try Self.instanceId(instance)
    return try await distributeHistory(
      SourceWrite(
        .deleteAttrInstanceTemporal, id: id, types: nil, attributes: [attribute], method: .delete,
        path: ["temporal", "entities", id, "attrs", name, instanceId], attributeInPath: attribute, context: context),
      exchange
    ) { [hub] _ throws(Problem) in
      try await hub.deleteHistory(of: id, attribute: attribute, instanceId: instanceId, in: exchange.tenant)
    }
  }

  /// The body is the instance, or a fragment that names the attribute again and has one instance of it.
  func replaceInstance(_ exchange: Exchange, _ id: String, attribute name: String, _ instance: String)
    async throws(Problem) -> APIResponse
  {
    try exchange.takes(Parameters.none)
    let (json, context) = try await exchange.body(mergePatch: true)
    let attribute = try exchange.attributeName(name, context)
    let instanceId = try Self.instanceId(instance)
    let reader = EntityReader(context: context, rules: .evolution)
    let instances: [AttributeFragment]
    if case .object(let object) = json, object.members.contains(where: { context.expand($0.key) == attribute }) {
      instances = try reader.entity(json).attributes.first { $0.name == attribute }?.instances ?? []
    } else {
      instances = try reader.attribute(json.withoutContext, name: name)
    }
    guard instances.count == 1 else { throw .badRequest("one instance of '\(name.prefix(100))' is expected") }
    let fragment = instances[0]
    return try await distributeHistory(
      SourceWrite(
        .updateAttrInstanceTemporal, id: id, types: nil, attributes: [attribute], method: .patch,
        path: ["temporal", "entities", id, "attrs", name, instanceId], attributeInPath: attribute,
        body: json.withoutContext, context: context), exchange
    ) { [hub] _ throws(Problem) in
      try await hub.replaceHistory(
        of: id, attribute: attribute, instanceId: instanceId, with: fragment, in: exchange.tenant)
    }
  }

  /// - Parameter time: of the instances that are written; all of it where they are not known.
  private func distributeHistory(
    _ write: SourceWrite, about time: TemporalFilter = TemporalFilter(relation: nil), _ exchange: Exchange,
    local: @escaping @Sendable (Set<String>?) async throws(Problem) -> Void
  ) async throws(Problem) -> APIResponse {
    guard try asksSources(exchange) else {
      try await local(write.attributes)
      return .noContent
    }
    var write = write
    write.time = time
    let outcome = try await federation.write(write, exchange.origin, local: local)
    return try answer(outcome, write.id, exchange, success: .noContent)
  }

  private static func instanceId(_ text: String) throws(Problem) -> String {
    guard IRI.isAbsolute(text) else { throw .badRequest("the instance id must be a URI, found '\(text.prefix(100))'") }
    return text
  }
}

extension EntityFragment {
  /// Expanded names of its attributes. Scopes, which are an attribute in a history, go with whatever is written.
  fileprivate var recordedNames: Set<String> { names.subtracting([Core.scope]) }

  /// The fragment with these attributes only, and its scopes; `nil` keeps all.
  fileprivate func recording(_ names: Set<String>?) -> EntityFragment { keeping(names?.union([Core.scope])) }

  /// From its first instance to its last.
  fileprivate var recordedTime: TemporalFilter {
    let times = attributes.lazy.flatMap(\.instances).compactMap(\.observedAt.value)
    guard let first = times.min(), let last = times.max() else { return TemporalFilter(relation: nil) }
    return TemporalFilter(relation: .between(first, last))
  }
}
