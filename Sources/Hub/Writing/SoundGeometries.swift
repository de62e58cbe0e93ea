import NGSI
import Query

// Polygons whose inside nobody can tell are refused at the door, before the writer (docs/decisions/005). A patch gives a
// geometry whole too, so nothing is left to look at in the transaction, where others would wait.

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

extension JSON {
  fileprivate func requireSound(named name: String) throws(Problem) {
    if let failure = Geometry.unsoundness(of: self) { throw .badRequest("the attribute '\(name)': \(failure)") }
  }
}
