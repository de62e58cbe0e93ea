import Hub
import Incidents
import NGSI
import Store

/// Whom to call for somebody who needs protection.
public struct Guardian: Sendable, Hashable {
  /// Whom the guardian looks after.
  public var ward: String
  public var name: String
  public var telephone: String
  /// Such as `mother`; `nil` when nobody said.
  public var relation: String?
}

extension SafetyService {
  /// The guardians of those whom an incident is about, as far as the caller may see them: a person's entity (`guardians`: a list of
  /// `{name, telephone, relation}`), or that of a device that names the person who wears it (`wornBy`).
  public func guardians(of incident: Incident, in tenant: Tenant) throws(Problem) -> [Guardian] {
    var found: [Guardian] = []
    for id in Set(incident.reports.flatMap(\.about)).sorted().prefix(50) {
      guard let entity = try visible(id, in: tenant) else { continue }
      found += Self.guardians(entity)
      let wearer = entity[attribute: Context.core.expand("wornBy")]?.instances.first?.value.string
      if let wearer, let person = try visible(wearer, in: tenant) { found += Self.guardians(person) }
    }
    return found
  }

  private func visible(_ id: String, in tenant: Tenant) throws(Problem) -> Entity? {
    do throws(Problem) { return try hub.entity(id, in: tenant) } catch {
      switch error.kind {
      case .resourceNotFound, .forbidden, .unauthorized: return nil
      default: throw error
      }
    }
  }

  private static func guardians(_ entity: Entity) -> [Guardian] {
    let ward = entity[attribute: Context.core.expand("name")]?.instances.first?.value.string ?? entity.id
    let value = entity[attribute: Context.core.expand("guardians")]?.instances.first?.value
    let list = value?.array ?? value.map { [$0] } ?? []
    return list.prefix(10).compactMap { one in
      guard let name = one["name"]?.string, let telephone = one["telephone"]?.string else { return nil }
      return Guardian(ward: ward, name: name, telephone: telephone, relation: one["relation"]?.string)
    }
  }
}
