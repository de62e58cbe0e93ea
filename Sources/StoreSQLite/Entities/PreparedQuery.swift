import NGSI
import Query
import Store

/// A query ready to be applied to many entities of one snapshot.
struct PreparedQuery {
  private let matcher: EntityMatcher
  private let tenant: Int64
  private let session: ReadSession
  /// Top-level attributes that q and geoQ look at.
  private let attributes: Set<String>

  init(_ query: EntityQuery, tenant: Int64, session: ReadSession) throws {
    matcher = try EntityMatcher(query)
    self.tenant = tenant
    self.session = session
    var attributes: Set<String> = []
    query.filter?.collectAttributes(into: &attributes)
    if let geo = query.geo { attributes.insert(geo.property) }
    self.attributes = attributes
  }

  /// Whether the query's conditions on values look at the attribute.
  func concerns(_ attribute: String) -> Bool { attributes.contains(attribute) }

  /// Linked entities come from the same snapshot.
  func matches(_ entity: Entity) throws -> Bool {
    var failure: (any Error)?
    let isMatch = try matcher.matches(entity) { id in
      do { return try session.entity(id, tenant: tenant)?.entity } catch {
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
