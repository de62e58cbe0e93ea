import NGSI
import Query

/// What `pick` and `omit` leave of an entity (clause 4.21).
public struct Projecting: Sendable, Hashable {
  public var pick: Projection?
  public var omit: Projection?

  public init(pick: Projection? = nil, omit: Projection? = nil) {
    self.pick = pick
    self.omit = omit
  }

  /// How many relationships it follows at most.
  public var hops: Int { max(pick?.hops ?? 0, omit?.hops ?? 0) }

  /// What applies to the entities that a relationship points at; everything is shown of those it says nothing about.
  public func linked(through relationship: String) -> Projecting {
    Projecting(pick: pick?.linked(through: relationship), omit: omit?.linked(through: relationship))
  }

  /// The entity with the members that `pick` names and without those that `omit` names.
  public func view(_ entity: Entity) -> EntityView {
    var view = EntityView(entity)
    if let pick {
      let names = Set(pick.attributes)
      // In a history the scopes are an attribute.
      view.entity.attributes.removeAll {
        $0.name == Core.scope ? !pick.contains(.scope) : !names.contains($0.name)
      }
      if !pick.contains(.scope) { view.entity.scopes = [] }
      view.hidesId = !pick.contains(.id)
      view.hidesType = !pick.contains(.type)
    }
    if let omit {
      // `locatedAt{name}` leaves something out of what is linked, not the relationship itself.
      let gone = omit.terms.filter { $0.linked == nil }.map(\.member)
      view.entity.attributes.removeAll { gone.contains($0.name == Core.scope ? .scope : .attribute($0.name)) }
      if gone.contains(.scope) { view.entity.scopes = [] }
      view.hidesId = view.hidesId || gone.contains(.id)
      view.hidesType = view.hidesType || gone.contains(.type)
    }
    return view
  }

  /// - Throws: when a member stands in both lists, which would both keep it and leave it out.
  public func check() throws(Problem) {
    guard let pick, let omit else { return }
    for term in omit.terms where term.linked == nil && pick.contains(term.member) {
      throw .badRequest("'pick' and 'omit' name the same member")
    }
  }
}
