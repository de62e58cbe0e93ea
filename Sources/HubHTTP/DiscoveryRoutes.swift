import NIOHTTP1
import Hub
import NGSI
import Store

/// `/types` and `/attributes` (clauses 6.25 to 6.28).
extension API {
  func types(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    guard exchange.request.method == .GET else { throw Self.notAllowed(exchange) }
    guard path.count <= 1 else { throw Self.unknown(exchange.request.path) }
    try exchange.takes(path.isEmpty ? Parameters.details : Parameters.none)
    let context = try await exchange.context()
    let type = try exchange.accepted()
    let summaries = try knownTypes(exchange)
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
      return discovery(body, type, context, exchange)
    }
    let iri = context.expand(name)
    guard let summary = summaries.first(where: { $0.type == iri }) else {
      throw .notFound("there is no entity of type \(name.prefix(200))")
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
      ], type, context, exchange)
  }

  func attributes(_ exchange: Exchange, _ path: [String]) async throws(Problem) -> APIResponse {
    guard exchange.request.method == .GET else { throw Self.notAllowed(exchange) }
    guard path.count <= 1 else { throw Self.unknown(exchange.request.path) }
    try exchange.takes(path.isEmpty ? Parameters.details : Parameters.none)
    let context = try await exchange.context()
    let type = try exchange.accepted()
    let summaries = try knownAttributes(exchange)
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
      return discovery(body, type, context, exchange)
    }
    let iri = context.expand(name)
    guard let summary = summaries.first(where: { $0.attribute == iri }) else {
      throw .notFound("there is no attribute \(name.prefix(200))")
    }
    return discovery(
      [
        "id": .string(summary.attribute), "type": "Attribute",
        "attributeName": .string(context.compact(summary.attribute)),
        "attributeCount": .integer(Int64(summary.entityCount)),
        "attributeTypes": .array(summary.kinds.map { .string($0.rawValue) }),
        "typeNames": .array(summary.types.map { .string(context.compact($0)) }),
      ], type, context, exchange)
  }

  // MARK: What sources may have

  /// The hub's types and those that its registrations name; of the latter nobody knows how many there are (clause 5.7.11).
  private func knownTypes(_ exchange: Exchange) throws(Problem) -> [TypeSummary] {
    var summaries = try hub.types(in: exchange.tenant)
    for part in try registered(exchange) {
      for type in part.entities.flatMap(\.types) {
        let place = summaries.firstIndex { $0.type == type } ?? summaries.count
        if place == summaries.count { summaries.append(TypeSummary(type: type, entityCount: 0, attributes: [])) }
        let known = Set(summaries[place].attributes.map(\.attribute))
        for name in part.attributes.sorted() where !known.contains(name) {
          summaries[place].attributes.append(
            AttributeSummary(attribute: name, kinds: [], entityCount: 0, types: [type]))
        }
      }
    }
    return summaries
  }

  /// The same for attributes.
  private func knownAttributes(_ exchange: Exchange) throws(Problem) -> [AttributeSummary] {
    var summaries = try hub.attributes(in: exchange.tenant)
    for part in try registered(exchange) {
      let types = part.entities.flatMap(\.types)
      for name in part.attributes.sorted() {
        let place = summaries.firstIndex { $0.attribute == name } ?? summaries.count
        if place == summaries.count {
          summaries.append(AttributeSummary(attribute: name, kinds: [], entityCount: 0, types: []))
        }
        for type in types where !summaries[place].types.contains(type) { summaries[place].types.append(type) }
      }
    }
    return summaries
  }

  private func registered(_ exchange: Exchange) throws(Problem) -> [Registration.Information] {
    guard try asksSources(exchange) else { return [] }
    return try hub.sources(SourceQuery(), in: exchange.tenant).flatMap(\.information)
  }

  private func discovery(_ body: JSON, _ type: MediaType, _ context: Context, _ exchange: Exchange) -> APIResponse {
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
    return exchange.answer(JSONWriter.bytes(body), type: type, context: context)
  }

  /// Names a list by its content, so that the same list has the same id (FNV-1a, 64 bits).
  private static func listIdentifier(_ names: [String]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in names.joined(separator: " ").utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return String(hash, radix: 16)
  }
}
