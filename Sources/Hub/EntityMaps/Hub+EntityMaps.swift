import NGSI
import Store

extension Hub {
  /// Keeps a new map and gives it with its id and its time.
  ///
  /// - Parameter lifetime: seconds that the client would like; the hub has its own bounds.
  /// - Throws: `TooManyResults` when it has more entries than a map may.
  public func keep(_ map: EntityMap, lifetime: Double?, in tenant: Tenant) throws(Problem) -> EntityMap {
    guard map.entries.count <= limits.entityMapEntities else { throw tooLongForMap }
    var kept = map
    kept.owner = rules == nil ? nil : Caller.current
    kept.id = "urn:ngsi-ld:EntityMap:" + Identifier.random()
    kept.expiresAt = now().adding(
      seconds: min(lifetime ?? limits.entityMapSeconds, limits.longestEntityMapSeconds))
    entityMaps.put(kept, in: tenant)
    return kept
  }

  /// What a client hears who would need a longer map.
  public var tooLongForMap: Problem {
    Problem(
      .tooManyResults, "an EntityMap may have at most \(limits.entityMapEntities) entities; narrow the query")
  }

  /// The map, unless there is none, its time is over, or another had it made. It names what its maker was shown then: what
  /// is cut from it is judged anew.
  public func entityMapIfAny(_ id: String, in tenant: Tenant) -> EntityMap? {
    entityMaps.map(id, in: tenant, at: now()).flatMap { $0.belongs(to: Caller.current) ? $0 : nil }
  }

  /// Retrieve EntityMap (clause 5.14.1): of entities that the caller may see now.
  public func entityMap(_ id: String, in tenant: Tenant) throws(Problem) -> EntityMap {
    let map = try ownEntityMap(id, in: tenant)
    guard let visibility = try visibility(in: tenant) else { return map }
    let seen = try read { reader in
      try map.entries.filter { entry in
        guard entry.sources.contains(EntityMap.local) else { return false }
        var state = try reader.entity(entry.id, in: tenant)
        if state == nil, map.subject == .histories { state = try reader.lastState(of: entry.id, in: tenant) }
        return state.flatMap(visibility.given) != nil
      }
    }
    return map.showing(seen.map { EntityMap.Entry(id: $0.id, sources: [EntityMap.local]) })
  }

  private func ownEntityMap(_ id: String, in tenant: Tenant) throws(Problem) -> EntityMap {
    try read { try self.requireTenant(tenant, $0) }
    guard let map = entityMapIfAny(id, in: tenant) else { throw .notFound("there is no EntityMap \(id)") }
    return map
  }

  /// Update EntityMap (clause 5.14.2): its time, within the hub's bounds; what the hub generates is not looked at.
  public func updateEntityMap(_ id: String, with fragment: JSONObject, in tenant: Tenant) throws(Problem) {
    _ = try ownEntityMap(id, in: tenant)
    for member in fragment.members {
      switch member.key {
      case "id", "@id":
        guard member.value == .string(id) else { throw .badRequest("the id of an EntityMap cannot change") }
      case "type", "@type":
        guard member.value == "EntityMap" else { throw .badRequest("'type' must be \"EntityMap\"") }
      case "expiresAt", "entityMap", "linkedMaps", "@context": break
      default: throw .badRequest("an EntityMap has no member '\(member.key.prefix(60))'")
      }
    }
    guard let text = fragment["expiresAt"] else { return }
    guard let time = text.string.flatMap({ DateTime($0) }) else { throw .badRequest("'expiresAt' must be a UTC time") }
    let latest = now().adding(seconds: limits.longestEntityMapSeconds)
    guard entityMaps.change(id, in: tenant, { $0.expiresAt = min(time, latest) }) else {
      throw .notFound("there is no EntityMap \(id)")
    }
  }

  /// Delete EntityMap (clause 5.14.3).
  public func deleteEntityMap(_ id: String, in tenant: Tenant) throws(Problem) {
    _ = try ownEntityMap(id, in: tenant)
    entityMaps.remove(id, in: tenant)
  }

  /// Takes entities off a map that do not meet its query any more (clause 5.5.9.3), and notes maps of sources.
  public func settle(
    _ id: String, gone: Set<String>, links: [String: EntityMap.Link], in tenant: Tenant
  ) {
    guard !gone.isEmpty || !links.isEmpty else { return }
    _ = entityMaps.change(id, in: tenant) { map in
      if !gone.isEmpty { map.entries.removeAll { gone.contains($0.id) } }
      map.links.merge(links) { $1 }
    }
  }
}
