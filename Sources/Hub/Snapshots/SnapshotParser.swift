import NGSI
import Query
import Store

/// Reads snapshot documents of clients (clause 5.2.41).
struct SnapshotParser {
  let limits: Limits
  /// Says whether something can be sent to an endpoint.
  let refusal: (String, [(String, String)]) -> String?

  /// Members that the hub generates; they are passed over (table 5.2.41-2).
  static let readOnly: Set<String> = [
    "snapshotStatus", "snapshotQueriesDetails", "snapshotTemporalQueriesDetails", "createdAt", "modifiedAt",
    "expiresAt",
    "lastUsedAt", "entityCount", "instanceCount",
  ]
  static let queries = ["snapshotQueries", "snapshotTemporalQueries"]
  private static let changeable: Set<String> = ["snapshotLifetime", "snapshotPriority", "endpoint", "receiverInfo"]

  /// All members that a snapshot may have.
  static let members = readOnly.union(queries).union(changeable).union(["id", "type"])

  /// The members that a client sets, checked; without `id`, `type` and what the hub generates.
  ///
  /// - Parameter takesQueries: at creation, and only then.
  func document(_ object: JSONObject, takesQueries: Bool) throws(Problem) -> JSONObject {
    guard object["type"] == "Snapshot" else { throw .badRequest("'type' must be \"Snapshot\"") }
    var document = try changes(object, takesQueries: takesQueries)
    for member in document.members where member.value == .string(Core.null) { document[member.key] = nil }
    guard takesQueries else { return document }
    var count = 0
    for member in Self.queries {
      guard let json = object[member] else { continue }
      try check(json, member)
      count += json.items.count
      document[member] = json
    }
    guard count > 0 else { throw .badRequest("a snapshot needs 'snapshotQueries' or 'snapshotTemporalQueries'") }
    guard count <= limits.snapshotQueries else {
      throw Problem(.tooManyResults, "a snapshot may have at most \(limits.snapshotQueries) queries")
    }
    return document
  }

  /// The members that may change, checked; an NGSI-LD Null takes one away.
  func changes(_ object: JSONObject, takesQueries: Bool = false) throws(Problem) -> JSONObject {
    var changes = JSONObject()
    let members = DocumentMembers(limits: limits)
    for member in object.members where !["id", "type", "@context"].contains(member.key) {
      let key = member.key
      if Self.readOnly.contains(key) { continue }
      if Self.queries.contains(key) {
        guard takesQueries else { throw .badRequest("'\(key)' can only be set when a snapshot is made") }
        continue
      }
      guard Self.changeable.contains(key) else { throw .badRequest("a snapshot has no member '\(key.prefix(60))'") }
      changes[key] = member.value
    }
    func given(_ member: String) -> JSON? { changes[member].flatMap { $0 == .string(Core.null) ? nil : $0 } }
    if let seconds = try members.duration(given("snapshotLifetime"), "snapshotLifetime"), seconds <= 0 {
      throw .badRequest("'snapshotLifetime' must be longer than nothing")
    }
    if let priority = given("snapshotPriority") {
      guard let number = priority.integer, (1...10).contains(number) else {
        throw .badRequest("'snapshotPriority' must be a whole number from 1 to 10")
      }
    }
    let pairs = try members.pairs(given("receiverInfo"), "receiverInfo").map { ($0.key, $0.value) }
    if let endpoint = given("endpoint") {
      guard let url = endpoint.string, IRI.isAbsolute(url) else { throw .badRequest("'endpoint' must be a URL") }
      if let why = refusal(url, pairs) { throw .badRequest("nothing can be sent to 'endpoint': \(why)") }
    }
    return changes
  }

  private func check(_ json: JSON, _ member: String) throws(Problem) {
    guard case .array(let items) = json, !items.isEmpty else {
      throw .badRequest("'\(member)' must be an array with at least one Query")
    }
    for item in items {
      guard case .object(let query) = item, query["type"] == "Query" else {
        throw .badRequest("'\(member)' must hold Query objects")
      }
      let isTemporal = query["temporalQ"] != nil
      guard isTemporal == (member == "snapshotTemporalQueries") else {
        throw .badRequest("a Query with 'temporalQ' belongs into 'snapshotTemporalQueries', one without does not")
      }
      guard query["aggrParams"] == nil else {
        throw .badRequest("a snapshot keeps instances; 'aggrParams' goes with queries to it")
      }
    }
  }
}
