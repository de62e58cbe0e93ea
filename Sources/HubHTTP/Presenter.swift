import HTTPTypes
import Hub
import NGSI
import Query
import Store

/// How the client wants entities shown: form, language, projection, links, media type (clauses 6.3.7 to 6.3.15).
struct Presenter {
  var context: Context
  var type: MediaType
  var representation: Representation
  /// `attrs`: expanded names that an entity must have one of, and is reduced to.
  var attributes: [String] = []
  var pick: Projection?
  var omit: Projection?
  /// `datasetId`s to show, `@none` for the default instance; empty shows all.
  var datasetIds: [String] = []
  var join: JoinForm?
  var joinLevel = 1
  var geometry = EntityWriter.GeometrySelection()
  /// `Prefer: body=json`: GeoJSON without `@context`.
  var plainGeoJSON = false

  /// Reads the parameters of a retrieval or query.
  init(_ exchange: Exchange, context: Context) throws(Problem) {
    let items = exchange.items
    self.context = context
    type = try exchange.accepted(geoJSON: true)
    representation = Representation()
    for option in try items.list("options") ?? [] {
      switch option {
      case "normalized": representation.form = .normalized
      case "concise": representation.form = .concise
      case "simplified", "keyValues": representation.form = .simplified
      case "sysAttrs": representation.systemAttributes = true
      default: throw .badRequest("'options' has '\(option.prefix(40))', which does not apply here")
      }
    }
    // `format` takes precedence over the older `options` (clause 6.3.7).
    switch items["format"] {
    case nil: break
    case "normalized": representation.form = .normalized
    case "concise": representation.form = .concise
    case "simplified", "keyValues": representation.form = .simplified
    case let other?: throw .badRequest("'format' cannot be '\(other.prefix(40))'")
    }
    if let lang = items["lang"] { representation.languages = try Self.languages(lang) }
    attributes = (try items.list("attrs") ?? []).map { context.expand($0) }
    if let text = items["pick"] { pick = try Projection(text, context: context) }
    if let text = items["omit"] { omit = try Projection(text, context: context) }
    datasetIds = try items.list("datasetId") ?? []
    if let name = items["geometryProperty"] { geometry.property = context.expand(name) }
    switch items["join"] {
    case nil, "@none": join = nil
    case "flat": join = .flat
    case "inline": join = .inline
    case let other?: throw .badRequest("'join' must be flat, inline or @none, found '\(other.prefix(40))'")
    }
    joinLevel = try items.integer("joinLevel", in: 1...exchange.hub.limits.joinLevel) ?? 1
    representation.apply(pick: pick, omit: omit)
    plainGeoJSON = exchange.request.headers[values: .prefer].contains { $0.contains("body=json") }
  }

  /// Language ranges by descending weight (RFC 9110 section 12.5.4).
  static func languages(_ text: String) throws(Problem) -> [String] {
    var ranges: [(range: String, weight: Double)] = []
    for part in text.split(separator: ",") {
      let pieces = part.split(separator: ";").map { String($0).trimmingSpaces }
      guard let range = pieces.first, !range.isEmpty, range.utf8.count <= 40 else { throw .badRequest("'lang' is no language range") }
      let weight = pieces.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
      ranges.append((range, weight))
    }
    guard !ranges.isEmpty, ranges.count <= 20 else { throw .badRequest("'lang' must have 1 to 20 language ranges") }
    return ranges.enumerated().sorted { ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset) }
      .map(\.element.range)
  }

  /// The entity reduced to what was asked for; `nil` when `attrs` or `pick` leave nothing of it.
  func reduced(_ entity: Entity) -> Entity? {
    var entity = entity
    if !attributes.isEmpty {
      entity.attributes.removeAll { !attributes.contains($0.name) }
      if entity.attributes.isEmpty { return nil }
    }
    if !datasetIds.isEmpty {
      entity.attributes = entity.attributes.compactMap { set in
        let shown = set.instances.filter { datasetIds.contains($0.datasetId ?? "@none") }
        return shown.isEmpty ? nil : AttributeSet(name: set.name, instances: shown)
      }
    }
    return entity
  }
}

// MARK: - Answers

extension Presenter {
  /// The answer with one entity.
  func answer(_ entity: Entity, _ exchange: Exchange) throws(Problem) -> APIResponse {
    guard let shown = reduced(entity) else { throw .notFound("the entity \(entity.id) has none of the attributes asked for") }
    var writer = JSONWriter(capacity: 2048)
    if join == nil, type != .geoJSON {
      write(shown, embedded: type == .jsonLD ? context.embedded : nil, to: &writer)
      return exchange.answer(writer.bytes, type: type, context: context)
    }
    let linked = try exchange.hub.linkedEntities(from: [shown], join: join, levels: joinLevel, in: exchange.tenant)
    if join == .flat {
      return try list([shown] + linked.values.sorted { $0.id < $1.id }.filter { $0.id != shown.id }, exchange)
    }
    let projected = project(shown)
    switch type {
    case .geoJSON:
      entityWriter(linked).writeFeature(
        projected, geometry: geometry, embeddedContext: plainGeoJSON ? nil : context.embedded, to: &writer)
    default:
      entityWriter(linked).write(projected, embeddedContext: type == .jsonLD ? context.embedded : nil, to: &writer)
    }
    return exchange.answer(writer.bytes, type: type, context: context)
  }

  /// The answer with a list of entities.
  func answer(_ entities: [Entity], _ exchange: Exchange) throws(Problem) -> APIResponse {
    guard join != nil else { return try list(entities.compactMap(reduced), exchange) }
    let shown = entities.compactMap(reduced)
    let linked = try exchange.hub.linkedEntities(from: shown, join: join, levels: joinLevel, in: exchange.tenant)
    if join == .flat {
      let known = Set(shown.map(\.id))
      return try list(shown + linked.values.sorted { $0.id < $1.id }.filter { !known.contains($0.id) }, exchange)
    }
    return try list(shown, exchange, linked: linked)
  }

  private func list(_ entities: [Entity], _ exchange: Exchange, linked: [String: Entity] = [:]) throws(Problem) -> APIResponse {
    var writer = JSONWriter(capacity: 1024 * max(1, entities.count))
    if type == .geoJSON {
      entityWriter(linked).writeFeatureCollection(
        entities.map(project), geometry: geometry, embeddedContext: plainGeoJSON ? nil : context.embedded, to: &writer)
      return exchange.answer(writer.bytes, type: type, context: context)
    }
    let embedded = type == .jsonLD ? context.embedded : nil
    let entityWriter = entityWriter(linked)
    writer.open("[")
    for entity in entities {
      writer.separate()
      entityWriter.write(project(entity), embeddedContext: embedded, to: &writer)
    }
    writer.close("]")
    return exchange.answer(writer.bytes, type: type, context: context)
  }

  private func write(_ entity: Entity, embedded: JSON?, to writer: inout JSONWriter) {
    entityWriter([:]).write(project(entity), embeddedContext: embedded, to: &writer)
  }

  private func entityWriter(_ linked: [String: Entity]) -> EntityWriter {
    EntityWriter(
      context: context, representation: representation, linked: LinkedEntities(entities: linked, levels: joinLevel))
  }

  private func project(_ entity: Entity) -> Entity {
    entity.projected(pick: pick, omit: omit)
  }
}

extension Hub {
  fileprivate func linkedEntities(from entities: [Entity], join: JoinForm?, levels: Int, in tenant: Tenant)
    throws(Problem) -> [String: Entity]
  {
    join == nil ? [:] : try linked(from: entities, levels: levels, in: tenant)
  }
}
