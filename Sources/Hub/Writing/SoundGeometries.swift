import NGSI
import Query

// Polygons whose inside nobody can tell are refused at the door, before the writer (docs/decisions/005).

extension EntityFragment {
  /// - Throws: `BadRequestData` for a polygon that crosses itself.
  func requireSoundGeometries() throws(Problem) { try attributes.requireSoundGeometries() }
}

extension AttributeFragment {
  /// - Throws: `BadRequestData` for a polygon that crosses itself.
  func requireSoundGeometries(named name: String) throws(Problem) {
    if kind == .geoProperty || kind == nil, case .set(let value) = value { try value.requireSound(named: name) }
    try subAttributes.requireSoundGeometries()
  }
}

extension [AttributeSetFragment] {
  fileprivate func requireSoundGeometries() throws(Problem) {
    for set in self {
      for instance in set.instances { try instance.requireSoundGeometries(named: set.name) }
    }
  }
}

extension EntityUpdate {
  /// For patches of parts of a geometry, which show only with the entity what they make.
  ///
  /// - Parameter fragment: the patch; geometries that stand in it whole have been looked at.
  /// - Throws: `BadRequestData` for a polygon that crosses itself.
  func requireSoundGeometries(beyond fragment: EntityFragment) throws(Problem) {
    for change in changes {
      guard let new = change.new, new.kind == .geoProperty, new.value != change.old?.value else { continue }
      let given = fragment.attributes.first { $0.name == change.name }?.instances ?? []
      if !given.contains(where: { $0.value == .set(new.value) }) { try new.value.requireSound(named: change.name) }
    }
  }
}

extension JSON {
  fileprivate func requireSound(named name: String) throws(Problem) {
    if let failure = Geometry.unsoundness(of: self) { throw .badRequest("the attribute '\(name)': \(failure)") }
  }
}
