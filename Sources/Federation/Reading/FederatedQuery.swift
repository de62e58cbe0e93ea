import Hub
import NGSI
import Query
import Store

/// A query that is put to the hub and to sources.
public struct FederatedQuery: Sendable {
  /// How it came, and so how it is sent on.
  public enum Form: Sendable {
    /// Parameters of a `GET`.
    case parameters([(name: String, value: String)])
    /// A Query object (clause 5.2.23).
    case object(JSONObject)
  }

  public var entities: EntityQuery
  /// What of the histories of these entities; `nil` where entities are asked for as they are now.
  public private(set) var history: EvolutionQuery?
  public var datasetIds: [String] = []
  /// Condition on sources (`csf`).
  public var sourceFilter: Filter?
  /// What the client's names are read with.
  public var context: Context
  public var form: Form
  /// Registrations whose sources are not to be asked.
  var avoiding: Set<String> = []
  /// `splitEntities`; `nil` where the client does not say.
  public var splits: Bool?

  public init(_ entities: EntityQuery, _ form: Form, context: Context) {
    self.entities = entities
    self.form = form
    self.context = context
  }

  /// Asks for histories.
  public init(_ history: EvolutionQuery, _ form: Form, context: Context) {
    self.init(history.entities, form, context: context)
    self.history = history
    datasetIds = history.datasetIds
  }

  var operation: OperationName {
    switch form {
    case _ where history != nil: .queryTemporal
    case .parameters: .queryEntity
    case .object: .queryBatch
    }
  }

  /// What makes an EntityMap of a source's part.
  var mapOperation: OperationName {
    history == nil ? .createEntityMapQueryEntity : .createEntityMapQueryTemporal
  }

  var subject: EntityMap.Subject { history == nil ? .entities : .histories }

  /// What registrations are matched against.
  var sourceQuery: SourceQuery {
    var query = SourceQuery(entities)
    query.datasetIds = datasetIds
    query.filter = sourceFilter
    // Sources of histories are registered with the time that they know (clause 5.9.1).
    query.time = history.map { $0.time ?? TemporalFilter(relation: nil, property: .observedAt) }
    return query
  }

  /// Parameters and members that select entities by their content; they are taken off where entities lie in parts.
  private static let filters: Set<String> = [
    "q", "scopeQ", "georel", "geometry", "coordinates", "geoproperty", "geoQ", "expandValues", "jsonKeys",
  ]

  /// The request that puts a question to a source.
  ///
  /// - Parameter isBrief: of histories no more than the last instance is wanted, which says that there is one.
  func request(
    _ asks: [SourceAsk], _ wording: Wording, splits: Bool, limit: Int, offset: Int, counts: Bool, isBrief: Bool = false
  ) -> SourceRequest {
    let resource = history == nil ? [] : ["temporal"]
    let sendsFilters = !splits && wording.keepsTexts
    var request: SourceRequest
    switch form {
    case .parameters(let items):
      request = SourceRequest(method: .get, path: resource + ["entities"], context: wording.source)
      for ask in asks.prefix(1) {
        if let types = ask.types { request.parameters.append(("type", types.text(wording.name))) }
        if !ask.ids.isEmpty { request.parameters.append(("id", ask.ids.joined(separator: ","))) }
        if let pattern = ask.idPattern { request.parameters.append(("idPattern", pattern)) }
        if let names = ask.attributes, !splits, sendsFilters || !hasFilters {
          request.parameters.append(("attrs", names.sorted().map(wording.name).joined(separator: ",")))
        }
      }
      if sendsFilters { request.parameters += items.filter { Self.filters.contains($0.name) } }
      request.parameters += temporalParameters(splits: splits, isBrief: isBrief)
    case .object(let object):
      request = SourceRequest(
        method: .post, path: resource + ["entityOperations", "query"], context: wording.source)
      var body = JSONObject()
      body["type"] = "Query"
      body["entities"] = .array(asks.map { $0.selector(wording) })
      if let names = asks.first?.attributes, !splits, sendsFilters || !hasFilters {
        body["attrs"] = .array(names.sorted().map { .string(wording.name($0)) })
      }
      if sendsFilters {
        for member in object.members where Self.filters.contains(member.key) { body[member.key] = member.value }
      }
      body["temporalQ"] = temporalObject(splits: splits, isBrief: isBrief)
      if let ids = sentDatasetIds(splits: splits, isBrief: isBrief) { body["datasetId"] = .array(ids.map(JSON.string)) }
      request.body = .object(body)
    }
    request.namesAreIRIs = wording.usesIRIs
    request.parameters.append(("options", "sysAttrs"))
    request.parameters.append(("limit", String(limit)))
    if offset > 0 { request.parameters.append(("offset", String(offset))) }
    if counts { request.parameters.append(("count", "true")) }
    guard splits else { return request }
    if case .object(var body)? = request.body {
      body["splitEntities"] = true
      request.body = .object(body)
    } else {
      request.parameters.append(("splitEntities", "true"))
    }
    return request
  }

  var hasFilters: Bool { entities.filter != nil || entities.geo != nil || entities.scope != nil }

  /// Questions that go into one request.
  func bundles(_ asks: [SourceAsk]) -> [[SourceAsk]] {
    guard case .object = form else { return asks.map { [$0] } }
    var bundles: [[SourceAsk]] = []
    for ask in asks {
      if let place = bundles.firstIndex(where: { $0[0].attributes == ask.attributes }) {
        bundles[place].append(ask)
      } else {
        bundles.append([ask])
      }
    }
    return bundles
  }

  /// The query without what looks at the content of entities.
  var withoutFilters: EntityQuery {
    var query = entities
    (query.filter, query.geo, query.scope, query.attributes) = (nil, nil, nil, [])
    return query
  }
}

extension SourceAsk {
  /// As a member of `entities` (clause 5.2.33).
  func selector(_ wording: Wording) -> JSON {
    var object = JSONObject()
    object["type"] = types.map { .string($0.text(wording.name)) } ?? "*"
    if ids.count == 1 {
      object["id"] = .string(ids[0])
    } else if !ids.isEmpty {
      object["id"] = .array(ids.map(JSON.string))
    }
    object["idPattern"] = idPattern.map { .string($0) }
    return .object(object)
  }
}
