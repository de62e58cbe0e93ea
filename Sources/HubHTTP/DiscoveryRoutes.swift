import Federation
import Hub
import NGSI
import NIOHTTP1
import Store

/// `/types` and `/attributes` (clauses 6.25 to 6.28).
extension API {
  func types(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    guard exchange.request.method == .GET else { throw Self.notAllowed(exchange) }
    guard path.count <= 1 else { throw Self.unknown(exchange.request.path) }
    try exchange.takes(path.isEmpty ? Parameters.details : Parameters.none)
    let context = try await exchange.context()
    let type = try exchange.accepted()
    let found = try await types(try scope(path.first, context, exchange), context, exchange)
    let summaries = found.summaries
    guard let name = path.first else {
      let details = try exchange.items.flag("details")
      let body: JSON =
        details
        ? .array(
          summaries.map { summary in
            [
              "id": .string(summary.type), "type": "EntityType", "typeName": .string(context.compact(summary.type)),
              "attributeNames": .array(summary.attributes.map { .string(context.compact($0.attribute)) }),
            ]
          })
        : [
          "id": .string("urn:ngsi-ld:EntityTypeList:" + Self.listIdentifier(summaries.map(\.type))),
          "type": "EntityTypeList",
          "typeList": .array(summaries.map { .string(context.compact($0.type)) }),
        ]
      return discovery(body, found.warnings, type, context, exchange)
    }
    let iri = context.expand(name)
    guard let summary = summaries.first(where: { $0.type == iri }) else {
      return missing("there is no entity of type \(name.prefix(200))", found.warnings, exchange)
    }
    let attributes = summary.attributes.map { attribute -> JSON in
      [
        "id": .string(attribute.attribute), "type": "Attribute",
        "attributeName": .string(context.compact(attribute.attribute)),
        "attributeTypes": .array(attribute.kinds.map { .string($0.rawValue) }),
      ]
    }
    return discovery(
      [
        "id": .string(summary.type), "type": "EntityTypeInfo", "typeName": .string(context.compact(summary.type)),
        "entityCount": .integer(Int64(summary.entityCount)), "attributeDetails": .array(attributes),
      ], found.warnings, type, context, exchange)
  }

  func attributes(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    guard exchange.request.method == .GET else { throw Self.notAllowed(exchange) }
    guard path.count <= 1 else { throw Self.unknown(exchange.request.path) }
    try exchange.takes(path.isEmpty ? Parameters.details : Parameters.none)
    let context = try await exchange.context()
    let type = try exchange.accepted()
    let found = try await attributes(try scope(path.first, context, exchange), context, exchange)
    let summaries = found.summaries
    guard let name = path.first else {
      let details = try exchange.items.flag("details")
      let body: JSON =
        details
        ? .array(
          summaries.map { summary in
            [
              "id": .string(summary.attribute), "type": "Attribute",
              "attributeName": .string(context.compact(summary.attribute)),
              "typeNames": .array(summary.types.map { .string(context.compact($0)) }),
            ]
          })
        : [
          "id": .string("urn:ngsi-ld:AttributeList:" + Self.listIdentifier(summaries.map(\.attribute))),
          "type": "AttributeList",
          "attributeList": .array(summaries.map { .string(context.compact($0.attribute)) }),
        ]
      return discovery(body, found.warnings, type, context, exchange)
    }
    let iri = context.expand(name)
    guard let summary = summaries.first(where: { $0.attribute == iri }) else {
      return missing("there is no attribute \(name.prefix(200))", found.warnings, exchange)
    }
    return discovery(
      [
        "id": .string(summary.attribute), "type": "Attribute",
        "attributeName": .string(context.compact(summary.attribute)),
        "attributeCount": .integer(Int64(summary.entityCount)),
        "attributeTypes": .array(summary.kinds.map { .string($0.rawValue) }),
        "typeNames": .array(summary.types.map { .string(context.compact($0)) }),
      ], found.warnings, type, context, exchange)
  }

  /// What of types or attributes a path and parameters ask for.
  private func scope(_ name: String?, _ context: Context, _ exchange: Exchange) throws(Problem) -> DiscoveryScope {
    if let name { return .one(context.expand(name)) }
    return try exchange.items.flag("details") ? .details : .names
  }

  private func types(_ scope: DiscoveryScope, _ context: Context, _ exchange: Exchange) async throws(Problem)
    -> FederatedSummaries<TypeSummary>
  {
    guard try asksSources(exchange) else {
      return FederatedSummaries(summaries: try hub.types(in: exchange.tenant))
    }
    return try await federation.types(scope, context: context, exchange.origin)
  }

  private func attributes(_ scope: DiscoveryScope, _ context: Context, _ exchange: Exchange) async throws(Problem)
    -> FederatedSummaries<AttributeSummary>
  {
    guard try asksSources(exchange) else {
      return FederatedSummaries(summaries: try hub.attributes(in: exchange.tenant))
    }
    return try await federation.attributes(scope, context: context, exchange.origin)
  }

  private func missing(_ sentence: String, _ warnings: [SourceWarning], _ exchange: Exchange) -> APIResponse {
    var response = Exchange.problem(.notFound(sentence))
    warn(&response, warnings, exchange)
    return response
  }

  private func discovery(
    _ body: JSON, _ warnings: [SourceWarning], _ type: MediaType, _ context: Context, _ exchange: Exchange
  ) -> APIResponse {
    var body = body
    if type == .jsonLD {
      switch body {
      case .object(var object):
        object["@context"] = context.embedded
        body = .object(object)
      case .array(let items):
        body = .array(
          items.map { item in
            guard case .object(var object) = item else { return item }
            object["@context"] = context.embedded
            return .object(object)
          })
      default: break
      }
    }
    var response = exchange.answer(JSONWriter.bytes(body), type: type, context: context)
    warn(&response, warnings, exchange)
    return response
  }

  /// Names a list by its content, so that the same list has the same id (FNV-1a, 64 bits).
  private static func listIdentifier(_ names: [String]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in names.joined(separator: " ").utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return String(hash, radix: 16)
  }
}
