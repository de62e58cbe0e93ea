import NGSI

/// Puts together what several sources have of one entity (ETSI GS CIM 009 clause 4.5.5).
enum EntityMerging {
  /// One entity of several versions of it, the first of which is taken where nothing else decides.
  ///
  /// - Parameters:
  ///   - versions: of the same entity; those that have expired are left out.
  ///   - additions: versions that add attributes nobody else has (auxiliary sources).
  /// - Returns: `nil` when no version is left.
  static func merged(_ versions: [Entity], adding additions: [Entity] = [], at now: DateTime) -> Entity? {
    let living = versions.filter { $0.isAlive(at: now) }
    let extra = additions.filter { $0.isAlive(at: now) }
    guard var merged = living.first ?? extra.first else { return nil }
    let parts = living.isEmpty ? Array(extra.prefix(1)) : living
    if parts.count > 1 {
      merged.expiresAt = commonExpiry(parts)
      let told = parts.map(\.tellingExpiry)
      merged.attributes = told[0].attributes
      for version in told.dropFirst() {
        for type in version.types where !merged.types.contains(type) { merged.types.append(type) }
        for scope in version.scopes where !merged.scopes.contains(scope) { merged.scopes.append(scope) }
        for set in version.attributes { merged.take(set) }
        merged.createdAt = [merged.createdAt, version.createdAt].compactMap(\.self).min()
        merged.modifiedAt = [merged.modifiedAt, version.modifiedAt].compactMap(\.self).max()
      }
    }
    merged.attributes = merged.attributes.compactMap { set in
      let living = set.instances.filter { $0.expiresAt.map { $0 > now } ?? true }
      return living.isEmpty ? nil : AttributeSet(name: set.name, instances: living)
    }
    for version in living.isEmpty ? Array(extra.dropFirst()) : extra {
      for set in version.attributes where merged[attribute: set.name] == nil { merged.attributes.append(set) }
    }
    return merged
  }

  /// Clause 4.5.5.3: none where one version has none, else the latest.
  private static func commonExpiry(_ versions: [Entity]) -> DateTime? {
    let times = versions.compactMap(\.expiresAt)
    return times.count == versions.count ? times.max() : nil
  }
}

extension Entity {
  fileprivate func isAlive(at now: DateTime) -> Bool { expiresAt.map { $0 > now } ?? true }

  /// Clause 4.5.5.2: attributes end with their entity, where they do not end before.
  fileprivate var tellingExpiry: Entity {
    guard let expiresAt else { return self }
    var entity = self
    entity.attributes = attributes.map { set in
      AttributeSet(
        name: set.name,
        instances: set.instances.map { instance in
          var instance = instance
          instance.expiresAt = min(instance.expiresAt ?? expiresAt, expiresAt)
          return instance
        })
    }
    return entity
  }

  fileprivate mutating func take(_ set: AttributeSet) {
    guard var known = self[attribute: set.name] else { return attributes.append(set) }
    for instance in set.instances {
      if let place = known.instances.firstIndex(where: { $0.datasetId == instance.datasetId }) {
        if instance.isNewer(than: known.instances[place]) { known.instances[place] = instance }
      } else {
        known.instances.append(instance)
      }
    }
    self[attribute: set.name] = known
  }
}

extension Attribute {
  /// Clause 4.5.5.3: by `observedAt`, where both have one, else by `modifiedAt`.
  fileprivate func isNewer(than other: Attribute) -> Bool {
    switch (observedAt, other.observedAt) {
    case (let mine?, let theirs?) where mine != theirs: return theirs < mine
    case (_?, nil): return true
    case (nil, _?): return false
    default: break
    }
    guard let mine = modifiedAt else { return false }
    return other.modifiedAt.map { $0 < mine } ?? true
  }
}
