import NGSI
import Query

// Notifications of which parts of entities are known: what sources tell, and changes of entities that others have parts of.

extension Notifier {
  /// The payload with whole entities; `nil` when none is left that matches.
  func whole(_ payload: [UInt8], _ subscription: Subscription) async throws(Problem) -> [UInt8]? {
    guard subscription.subject == .entities, let parts = try Notification.parts(in: payload) else { return payload }
    guard let assembler = assembler.withLock({ $0 }), let own = DistributedSubscription(subscription, at: now()) else {
      // It concerns nobody else any more: a part is all there is.
      let entities = parts.entities.filter { entity in
        guard entity.deletedAt == nil, let matcher = subscription.rule.matcher else { return true }
        return (try? matcher.matches(entity)) ?? false
      }
      return entities.isEmpty ? nil : Notification.payload(entities)
    }
    let entities = await assembler(parts.entities, own, parts.source)
    return entities.isEmpty ? nil : Notification.payload(entities)
  }
}
