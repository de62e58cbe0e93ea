import NIOHTTP1
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
  var projecting = Projecting()
  /// `datasetId`s to show, `@none` for the default instance; empty shows all.
  var datasetIds: [String] = []
  var join: JoinForm?
  var joinLevel = 1
  /// Ids of entities that have been met on the way here, and are not given along (`containedBy`).
  var contained: Set<String> = []
  /// Linked entities as the hub and its sources have them.
  var found: [String: Entity] = [:]
  var geometry = EntityWriter.GeometrySelection()
  /// `Prefer: body=json`: GeoJSON without `@context`.
  var plainGeoJSON = false
  /// `Prefer: ngsi-ld=1.5`: the version that the answer is to conform to (clause 4.3.6.8).
  var version: SpecificationVersion?

  private static let forms: Set<String> = ["normalized", "concise", "simplified", "keyValues"]
  private static let options = forms.union(["sysAttrs"])

  /// Reads the parameters of a retrieval or query.
  init(_ exchange: Exchange, context: Context) throws(Problem) {
    let items = exchange.items
    self.context = context
    type = try exchange.accepted(geoJSON: true)
    representation = Representation()
    let headers = exchange.request.headers
    if headers.contains(name: HeaderName.prefer) {
      plainGeoJSON = headers[HeaderName.prefer].contains { $0.contains("body=json") }
      if type != .geoJSON { version = Preference.version(headers) }
    }
    guard !items.items.isEmpty else { return }
    var format: String?
    for option in try exchange.options(Self.options) {
      if option == "sysAttrs" { representation.systemAttributes = true } else { format = option }
    }
    // `format` takes precedence over the older `options` (clause 6.3.7).
    switch try exchange.format(Self.forms) ?? format {
    case "concise": representation.form = .concise
    case "simplified", "keyValues": representation.form = .simplified
    default: representation.form = .normalized
    }
    if let lang = items["lang"] { representation.languages = try Self.languages(lang) }
    for name in try items.list("attrs") ?? [] { attributes.append(try exchange.attributeName(name, context)) }
    if let text = items["pick"] { projecting.pick = try Projection(text, subject: "pick", context: context) }
    if let text = items["omit"] { projecting.omit = try Projection(text, subject: "omit", context: context) }
    datasetIds = try items.list("datasetId") ?? []
    if let name = items["geometryProperty"] {
      guard type == .geoJSON else { throw .badRequest("'geometryProperty' goes with application/geo+json only") }
      geometry.property = try exchange.attributeName(name, context)
    }
    switch items["join"] {
    case nil, "@none": join = nil
    case "flat": join = .flat
    case "inline": join = .inline
    case let other?: throw .badRequest("'join' must be flat, inline or @none, found '\(other.prefix(40))'")
    }
    joinLevel = try items.integer("joinLevel", in: 1...exchange.hub.limits.joinLevel) ?? 1
    contained = try Self.contained(try items.list("containedBy") ?? [])
    try check()
  }

  static func contained(_ ids: [String]) throws(Problem) -> Set<String> {
    for id in ids where !IRI.isAbsolute(id) {
      throw .badRequest("'containedBy' must hold URIs, found '\(id.prefix(100))'")
    }
    return Set(ids)
  }

  /// What of the parameters excludes each other (clauses 5.7.1.4 and 5.7.2.4).
  func check() throws(Problem) {
    try projecting.check()
    guard attributes.isEmpty || projecting == Projecting() else {
      throw .badRequest("'attrs' cannot be combined with 'pick' or 'omit'")
    }
    guard projecting.hops <= (join == nil ? 0 : joinLevel) else {
      throw .badRequest("'pick' or 'omit' follows more relationships than 'join' and 'joinLevel' allow")
    }
  }

  /// Language ranges by descending weight (RFC 9110 section 12.5.4).
  static func languages(_ text: String) throws(Problem) -> [String] {
    var ranges: [(range: String, weight: Double)] = []
    for part in text.split(separator: ",") {
      let pieces = part.split(separator: ";").map { String($0).trimmingSpaces }
      guard let range = pieces.first, !range.isEmpty, range.utf8.count <= 40 else {
        throw .badRequest("'lang' is no language range")
      }
      let weight = pieces.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
      ranges.append((range, weight))
    }
    guard !ranges.isEmpty, ranges.count <= 20 else { throw .badRequest("'lang' must have 1 to 20 language ranges") }
    return ranges.enumerated().sorted { ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset) }
      .map(\.element.range)
  }

  /// Whether an entity is shown as it is, with nothing left out or put in.
  var showsWhole: Bool {
    type != .geoJSON && version == nil && join == nil && attributes.isEmpty && datasetIds.isEmpty
      && projecting.pick == nil
      && projecting.omit == nil
  }

  /// The entity reduced to what was asked for; `nil` when `attrs` leaves nothing of it.
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
  /// The answer with the entity that has this id, shown as it is.
  func answerWhole(_ id: String, _ exchange: Exchange) throws(Problem) -> APIResponse {
    var writer = JSONWriter(capacity: 2048)
    try exchange.hub.write(
      id, in: exchange.tenant, as: entityWriter, embeddedContext: embeddedContext, to: &writer)
    return answer(writer.bytes, exchange)
  }

  /// The answer with one entity.
  func answer(_ entity: Entity, _ exchange: Exchange) throws(Problem) -> APIResponse {
    if showsWhole {
      var writer = JSONWriter(capacity: 2048)
      entityWriter.write(entity, embeddedContext: embeddedContext, to: &writer)
      return answer(writer.bytes, exchange)
    }
    let shown = reduced(entity)
    let views = try exchange.hub.views(
      of: shown.map { [$0] } ?? [], projecting, join: join, levels: joinLevel, contained: contained, found: found,
      in: exchange.tenant)
    guard let view = views.first, !view.isEmpty else {
      throw .notFound("the entity \(entity.id) has nothing of what was asked for")
    }
    if join == .flat { return try list(views, exchange) }
    var writer = JSONWriter(capacity: 2048)
    var isAmended = false
    let shownView = amended(view, &isAmended)
    if type == .geoJSON {
      entityWriter.writeFeature(view, geometry: geometry, embeddedContext: embeddedContext, to: &writer)
    } else {
      entityWriter.write(shownView, embeddedContext: embeddedContext, to: &writer)
    }
    return answer(writer.bytes, exchange, isAmended: isAmended)
  }

  /// The answer with a page of the entities that the query selects, shown as they are.
  func answerWhole(
    _ query: EntityQuery, page: Page, countsTotal: Bool, _ exchange: Exchange
  ) throws(Problem) -> (response: APIResponse, extent: PageExtent) {
    var writer = JSONWriter(capacity: 1024 * max(1, min(page.limit, 64)))
    let extent = try exchange.hub.write(
      query, in: exchange.tenant, page: page, countsTotal: countsTotal, as: entityWriter,
      embeddedContext: embeddedContext, to: &writer)
    return (answer(writer.bytes, exchange), extent)
  }

  /// The answer with a list of entities.
  func answer(_ entities: [Entity], _ exchange: Exchange) throws(Problem) -> APIResponse {
    try list(
      try exchange.hub.views(
        of: entities.compactMap(reduced), projecting, join: join, levels: joinLevel, contained: contained,
        found: found, in: exchange.tenant), exchange)
  }

  private func list(_ views: [EntityView], _ exchange: Exchange) throws(Problem) -> APIResponse {
    let views = views.filter { !$0.isEmpty }
    var writer = JSONWriter(capacity: 1024 * max(1, views.count))
    if type == .geoJSON {
      entityWriter.writeFeatureCollection(
        views, geometry: geometry, embeddedContext: embeddedContext, to: &writer)
      return answer(writer.bytes, exchange)
    }
    let embedded = embeddedContext
    var isAmended = false
    writer.open("[")
    for view in views {
      writer.separate()
      entityWriter.write(amended(view, &isAmended), embeddedContext: embedded, to: &writer)
    }
    writer.close("]")
    return answer(writer.bytes, exchange, isAmended: isAmended)
  }

  /// What of an entity an earlier version knows; notes whether anything had to be changed for it.
  private func amended(_ view: EntityView, _ isAmended: inout Bool) -> EntityView {
    guard let version, version < .current else { return view }
    let context = context
    let earlier = EarlierEntities(version, keepsLanguages: !representation.languages.isEmpty) { context.compact($0) }
    let amended = earlier.amended(view)
    isAmended = isAmended || amended.differs(from: view)
    return amended
  }

  private func answer(_ body: [UInt8], _ exchange: Exchange, isAmended: Bool = false) -> APIResponse {
    var response = exchange.answer(
      body, status: isAmended ? 203 : 200, type: type, context: context, linksContext: embeddedContext == nil)
    if let version { Preference.tell(version, in: &response) }
    return response
  }

  /// What stands in the body as `@context`; `nil` where a `Link` header gives it (clause 6.3.6).
  private var embeddedContext: JSON? {
    switch type {
    case .jsonLD: return context.embedded
    case .geoJSON where !plainGeoJSON: return context.embedded
    default: return nil
    }
  }

  private var entityWriter: EntityWriter { EntityWriter(context: context, representation: representation) }
}
