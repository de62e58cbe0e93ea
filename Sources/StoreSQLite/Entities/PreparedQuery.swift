import NGSI
import Query
import Store

/// A query ready to be applied to many entities of one snapshot.
struct PreparedQuery {
  private let matcher: EntityMatcher
  private let tenant: Int64
  private let session: ReadSession
  private let visibility: EntityVisibility?
  /// Top-level attributes that q and geoQ look at.
  private let valued: Set<String>
  /// Numbers of all attributes that the query looks at: with no others an entity matches as it does with all.
  let attributes: [Int64]

  init(_ query: EntityQuery, tenant: Int64, session: ReadSession) throws {
    matcher = try EntityMatcher(query)
    self.tenant = tenant
    self.session = session
    visibility = query.visibility
    var valued: Set<String> = []
    query.filter?.collectAttributes(into: &valued)
    if let geo = query.geo { valued.insert(geo.property) }
    self.valued = valued
    var attributes: [Int64] = []
    for name in valued.union(query.attributes) {
      if let number = try session.number(of: name, in: tenant) { attributes.append(number) }
    }
    self.attributes = attributes
  }

  /// Whether the query's conditions on values look at the attribute.
  func concerns(_ attribute: String) -> Bool { valued.contains(attribute) }

  /// Linked entities come from the same snapshot.
  func matches(_ entity: Entity) throws -> Bool {
    var failure: (any Error)?
    let isMatch = try matcher.matches(entity) { id in
      do {
        guard let linked = try session.entity(id, tenant: tenant)?.entity else { return nil }
        guard let visibility else { return linked }
        return visibility.given(linked)
      } catch {
        failure = error
        return nil
      }
    }
    if let failure { throw failure }
    return isMatch
  }
}

extension Filter {
  fileprivate func collectAttributes(into attributes: inout Set<String>) {
    switch self {
    case .all(let parts), .any(let parts): for part in parts { part.collectAttributes(into: &attributes) }
    case .test(let path, _): attributes.insert(path.attribute)
    }
  }
}
