import NGSI
import Query

extension Entity {
  /// The entity with the members that `pick` names and without those that `omit` names (clause 4.21).
  ///
  /// `id` and `type` stay in the value; ``Representation/apply(pick:omit:)`` keeps them from being shown.
  public func projected(pick: Projection?, omit: Projection?) -> Entity {
    guard pick != nil || omit != nil else { return self }
    var entity = self
    if let pick {
      let names = Set(pick.attributes)
      entity.attributes.removeAll { !names.contains($0.name) }
      if !pick.contains(.scope) { entity.scopes = [] }
    }
    if let omit {
      let names = Set(omit.terms.filter { $0.linked == nil }.compactMap(\.attributeName))
      entity.attributes.removeAll { names.contains($0.name) }
      if omit.contains(.scope) { entity.scopes = [] }
    }
    return entity
  }
}

extension Projection.Term {
  fileprivate var attributeName: String? {
    if case .attribute(let name) = member { name } else { nil }
  }
}

extension Representation {
  /// Leaves `id` and `type` out where a projection does.
  public mutating func apply(pick: Projection?, omit: Projection?) {
    hidesId = pick.map { !$0.contains(.id) } ?? false || omit?.contains(.id) ?? false
    hidesType = pick.map { !$0.contains(.type) } ?? false || omit?.contains(.type) ?? false
  }
}
