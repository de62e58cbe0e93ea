import NGSI
import Store
import Synchronization

/// The EntityMaps in memory.
///
/// They are not kept through a restart: nothing is lost with a map but the list that pages are cut from, and the standard
/// has a new one made where a map cannot be found (`docs/decisions/010`). Where there is no room, the map that was not
/// used for longest goes, of the tenant that has most entries; a tenant cannot push out the maps of others that have less.
final class EntityMapShelf: Sendable {
  private struct Key: Hashable {
    var tenant: Tenant
    var id: String
  }

  private struct State {
    var maps: [Key: (map: EntityMap, use: Int)] = [:]
    /// By tenant: entries, and a few for each map, so that many small ones weigh too.
    var weights: [Tenant: Int] = [:]
    var entries = 0
    var uses = 0
    var pushedOut = 0

    mutating func count(_ map: EntityMap, of tenant: Tenant, _ sign: Int) {
      entries += sign * map.entries.count
      let weight = (weights[tenant] ?? 0) + sign * (map.entries.count + 20)
      weights[tenant] = weight == 0 ? nil : weight
    }

    mutating func remove(_ key: Key) {
      if let gone = maps.removeValue(forKey: key) { count(gone.map, of: key.tenant, -1) }
    }
  }

  private let limits: Limits
  private let state = Mutex(State())

  init(limits: Limits) { self.limits = limits }

  var figures: (maps: Int, entries: Int, pushedOut: Int) {
    state.withLock { ($0.maps.count, $0.entries, $0.pushedOut) }
  }

  func put(_ map: EntityMap, in tenant: Tenant) {
    state.withLock { state in
      while !state.maps.isEmpty,
        state.maps.count >= limits.entityMaps || state.entries + map.entries.count > limits.entityMapEntries
      {
        let heaviest = state.weights.max { $0.value < $1.value }?.key
        let oldest = state.maps.filter { $0.key.tenant == heaviest }.min { $0.value.use < $1.value.use }
        guard let key = oldest?.key else { break }
        state.remove(key)
        state.pushedOut += 1
      }
      state.uses += 1
      state.maps[Key(tenant: tenant, id: map.id)] = (map, state.uses)
      state.count(map, of: tenant, 1)
    }
  }

  func map(_ id: String, in tenant: Tenant, at time: DateTime) -> EntityMap? {
    state.withLock { state in
      let key = Key(tenant: tenant, id: id)
      guard let found = state.maps[key]?.map else { return nil }
      guard found.expiresAt > time else {
        state.remove(key)
        return nil
      }
      state.uses += 1
      state.maps[key]?.use = state.uses
      return found
    }
  }

  /// Changes a map; false when there is none.
  func change(_ id: String, in tenant: Tenant, _ body: (inout EntityMap) -> Void) -> Bool {
    state.withLock { state in
      let key = Key(tenant: tenant, id: id)
      guard var found = state.maps[key] else { return false }
      state.count(found.map, of: tenant, -1)
      body(&found.map)
      state.maps[key] = found
      state.count(found.map, of: tenant, 1)
      return true
    }
  }

  func remove(_ id: String, in tenant: Tenant) {
    state.withLock { $0.remove(Key(tenant: tenant, id: id)) }
  }

  func removeAll(in tenant: Tenant) {
    state.withLock { state in for key in state.maps.keys where key.tenant == tenant { state.remove(key) } }
  }

  func removeExpired(at time: DateTime) {
    state.withLock { state in
      for (key, value) in state.maps where value.map.expiresAt <= time { state.remove(key) }
    }
  }
}
