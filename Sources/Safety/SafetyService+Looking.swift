import Hub
import Incidents
import NGSI
import Query
import Store

/// Looking back: at a shift, and at how the city did in a period. All of it as the caller may see it.
extension SafetyService {
  /// Incidents that one look back takes in; a longer period is cut, and says so.
  public static let mostLookedAt = 20_000

  /// - Returns: the log, and whether there were more incidents than it could take in.
  public func shift(from: DateTime, to: DateTime, in tenant: Tenant) throws(Problem) -> (log: ShiftLog, isCut: Bool) {
    var ids = Set(try queue(in: tenant).map(\.incident.id))
    let (entities, isCut) = try incidents(
      "dateClosed>=\"\(from)\";dateIssued<\"\(to)\"", in: tenant, most: Self.mostLookedAt / 10)
    ids.formUnion(entities.map(\.id))
    var records: [Record] = []
    for id in ids {
      // One that rules hide in part is not told of.
      do throws(Problem) { records.append(try record(id, in: tenant)) } catch  where error.kind == .forbidden {
        continue
      }
    }
    let log = ShiftLog(records, from: from, to: to, targets: plan.targets) { self.readable($0) }
    return (log, isCut)
  }

  public func figures(from: DateTime, to: DateTime, in tenant: Tenant) throws(Problem) -> (
    figures: ResponseFigures, isCut: Bool
  ) {
    let (entities, isCut) = try incidents(
      "dateIssued>=\"\(from)\";dateIssued<\"\(to)\"", in: tenant, most: Self.mostLookedAt)
    return (ResponseFigures(entities.compactMap { ResponseFigures.Sample($0) }), isCut)
  }

  private func incidents(_ filter: String, in tenant: Tenant, most: Int) throws(Problem) -> ([Entity], isCut: Bool) {
    var query = EntityQuery()
    query.types = .type(Context.core.expand(Incident.typeName))
    query.filter = try Filter(q: filter, context: .core)
    var found: [Entity] = []
    var page = Page(limit: 1_000)
    while found.count < most {
      let part = try hub.entities(query, in: tenant, page: page)
      found += part.entities
      guard part.hasMore else { return (found, false) }
      page.offset += page.limit
    }
    return (found, true)
  }
}
