import Cedar
import Hub
import NGSI
import Query
import Store
import Synchronization

/// What one caller sees of a tenant's entities.
final class Sight: Sendable {
  private let concern: Concern
  private let caller: Caller
  private let tenant: Tenant
  private let now: @Sendable () -> DateTime
  /// Ids of entities whose part that may be seen is to be recorded when it is given, and as what.
  private let watched = Mutex<[String: (kind: String, purpose: String?)]>([:])

  private init(_ concern: Concern, _ caller: Caller, _ tenant: Tenant, _ now: @escaping @Sendable () -> DateTime) {
    self.concern = concern
    self.caller = caller
    self.tenant = tenant
    self.now = now
  }

  /// - Parameter now: the time that rules look at.
  static func visibility(
    _ concern: Concern, _ caller: Caller, _ tenant: Tenant, _ now: @escaping @Sendable () -> DateTime
  ) -> EntityVisibility {
    Sight(concern, caller, tenant, now).visibility
  }

  private var visibility: EntityVisibility {
    EntityVisibility {
      self.part(of: $0, asking: $1)
    } glance: {
      self.glance($0, $1)
    } give: {
      self.give($0)
    }
  }

  private func glance(_ types: [String], _ scopes: [String]) -> EntityVisibility.Glance {
    guard concern.places.isEmpty else { return .unclear }
    let judgement = concern.judgement(types: types, scopes: scopes, in: tenant)
    guard judgement.isLasting, !concern.isWatched else { return .unclear }
    let directory = { @Sendable in
      Directory(
        self.concern.asker.principal, resource: EntityUID("Entity", ""), PolicyEntity(parents: judgement.groups))
    }
    let ask: @Sendable (String?) -> Bool = { attribute in
      judgement.verdict(self.concern.asker, asking: attribute, about: "", at: self.now(), directory).isAllowed
    }
    guard ask(nil) else { return .nothing }
    return judgement.rules.asksAttributes ? .attributes { ask($0) } : .whole
  }

  private func part(of entity: Entity, asking names: [String]) -> EntityVisibility.Part? {
    let judgement = concern.judgement(of: entity, in: tenant)
    let verdict = concern.verdict(on: entity, judgement, asking: nil, in: tenant, at: now())
    guard verdict.isAllowed, verdict.evidence == nil || AccessNotes.current != nil else { return nil }
    var (kind, purpose) = (verdict.evidence, verdict.purpose)
    var shown: Set<String>?
    if judgement.rules.asksAttributes {
      shown = Set(
        names.filter { name in
          let verdict = concern.verdict(on: entity, judgement, asking: name, in: tenant, at: now())
          guard verdict.isAllowed, verdict.evidence == nil || AccessNotes.current != nil else { return false }
          (kind, purpose) = (kind ?? verdict.evidence, purpose ?? verdict.purpose)
          return true
        })
    }
    if let kind { watched.withLock { [purpose] in $0[entity.id] = (kind, purpose) } }
    return shown.map { .attributes($0) } ?? .whole
  }

  private func give(_ entity: Entity) -> Bool {
    guard let (kind, purpose) = watched.withLock({ $0[entity.id] }) else { return true }
    return AccessNotes.current?.note(
      Disclosure(
        caller: caller, action: .read, tenant: tenant, entityId: entity.id, entity: entity, kind: kind,
        purpose: purpose)) ?? false
  }
}
