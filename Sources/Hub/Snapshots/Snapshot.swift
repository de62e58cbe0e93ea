import NGSI
import Query
import Store

/// Entities and histories as they were at one time, in a space of their own (ETSI GS CIM 009 clauses 4.3.7 and 5.2.41).
public struct Snapshot: Sendable {
  public enum Status: String, Sendable {
    case preparing, success, partial, failure, empty
  }

  /// What came of one of its queries (clause 5.2.42).
  public struct Result: Sendable, Hashable {
    public enum Status: String, Sendable {
      case success, failure, empty
    }

    public var status: Status
    /// Why it failed, or what is missing.
    public var problem: Problem?

    public init(_ status: Status, _ problem: Problem? = nil) {
      self.status = status
      self.problem = problem
    }
  }

  public let id: String
  public let tenant: Tenant
  /// Where its data is.
  public let space: Tenant
  /// The snapshot that it is a copy of; `nil` where it comes of queries.
  public let origin: String?
  /// The members that clients set: queries, lifetime, priority, endpoint.
  public internal(set) var document: JSONObject
  /// What the names of its queries are read with.
  public let context: JSON
  public let createdAt: DateTime
  public internal(set) var modifiedAt: DateTime
  public internal(set) var expiresAt: DateTime
  public internal(set) var lastUsedAt: DateTime
  public internal(set) var status = Status.preparing
  public internal(set) var results: [Result] = []
  public internal(set) var historyResults: [Result] = []
  /// How many entities and instances of histories have been stored so far.
  public internal(set) var entities = 0
  public internal(set) var instances = 0

  init(
    id: String, tenant: Tenant, space: Tenant, origin: String?, document: JSONObject, context: JSON,
    createdAt: DateTime, modifiedAt: DateTime, expiresAt: DateTime, lastUsedAt: DateTime
  ) {
    (self.id, self.tenant, self.space, self.origin) = (id, tenant, space, origin)
    (self.document, self.context) = (document, context)
    (self.createdAt, self.modifiedAt, self.expiresAt, self.lastUsedAt) = (createdAt, modifiedAt, expiresAt, lastUsedAt)
  }

  public var priority: Int { document["snapshotPriority"]?.integer.map { Int($0) } ?? 5 }

  /// The queries of a member, in order.
  public func queries(_ member: String) -> [JSONObject] { document[member]?.items.compactMap(\.object) ?? [] }

  /// As clients see it (tables 5.2.41-1 and 5.2.41-2), with what has been stored so far.
  public var shown: JSONObject {
    var object = document
    object["id"] = .string(id)
    object["type"] = "Snapshot"
    object["snapshotPriority"] = .integer(Int64(priority))
    object["snapshotStatus"] = .string(status.rawValue)
    if !results.isEmpty { object["snapshotQueriesDetails"] = .array(results.map(\.json)) }
    if !historyResults.isEmpty { object["snapshotTemporalQueriesDetails"] = .array(historyResults.map(\.json)) }
    for (member, time) in times { object[member] = .string(time.description) }
    object["entityCount"] = .integer(Int64(entities))
    object["instanceCount"] = .integer(Int64(instances))
    return object
  }

  private var times: [(String, DateTime)] {
    [("createdAt", createdAt), ("modifiedAt", modifiedAt), ("expiresAt", expiresAt), ("lastUsedAt", lastUsedAt)]
  }

  /// As an entity that a query can be put to, its members under their own names (clause 4.9).
  var queried: Entity {
    var entity = Entity(id: id, types: ["Snapshot"])
    for member in shown.members {
      entity.attributes.append(
        AttributeSet(name: member.key, instances: [Attribute(kind: .property, value: member.value)]))
    }
    return entity
  }
}

// MARK: - In the store

extension Snapshot {
  var stored: JSON {
    var object = JSONObject()
    object["document"] = .object(document)
    object["context"] = context
    object["space"] = .integer(Int64(space.spaceNumber ?? 0))
    object["origin"] = origin.map { .string($0) }
    object["status"] = .string(status.rawValue)
    object["results"] = .array(results.map(\.json))
    object["historyResults"] = .array(historyResults.map(\.json))
    for (member, time) in times { object[member] = .string(time.description) }
    object["entities"] = .integer(Int64(entities))
    object["instances"] = .integer(Int64(instances))
    return .object(object)
  }

  /// - Returns: `nil` when the document cannot be read.
  init?(_ stored: StoredDocument, in tenant: Tenant) {
    let body = stored.body
    func time(_ member: String) -> DateTime? { body[member]?.string.flatMap { DateTime($0) } }
    guard case .object(let document)? = body["document"], let space = body["space"]?.integer, space > 0,
      let status = body["status"]?.string.flatMap(Status.init(rawValue:)), let createdAt = time("createdAt"),
      let modifiedAt = time("modifiedAt"), let expiresAt = time("expiresAt"), let lastUsedAt = time("lastUsedAt")
    else { return nil }
    id = stored.id
    self.tenant = tenant
    self.space = tenant.space(Int(space))
    origin = body["origin"]?.string
    self.document = document
    context = body["context"] ?? .null
    (self.createdAt, self.modifiedAt, self.expiresAt, self.lastUsedAt) = (createdAt, modifiedAt, expiresAt, lastUsedAt)
    self.status = status
    results = body["results"]?.items.compactMap(Result.init) ?? []
    historyResults = body["historyResults"]?.items.compactMap(Result.init) ?? []
    entities = body["entities"]?.integer.map { Int($0) } ?? 0
    instances = body["instances"]?.integer.map { Int($0) } ?? 0
  }
}

extension Snapshot.Result {
  var json: JSON {
    var object = JSONObject()
    object["resultStatus"] = .string(status.rawValue)
    object["problemDetails"] = problem?.json
    return .object(object)
  }

  fileprivate init?(_ json: JSON) {
    guard let status = json["resultStatus"]?.string.flatMap(Status.init(rawValue:)) else { return nil }
    self.status = status
    guard let details = json["problemDetails"] else { return }
    let kind = details["type"]?.string.flatMap { type in
      Problem.Kind(rawValue: String(type.split(separator: "/").last ?? ""))
    }
    problem = Problem(kind ?? .internalError, details["detail"]?.string ?? "")
  }
}
