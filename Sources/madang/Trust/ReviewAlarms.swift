import Hub
import NGSI
import ServiceLifecycle

/// Reminds operators of grants that somebody took and nobody has reviewed in time.
struct ReviewAlarms: Service {
  let hub: Hub
  /// Seconds between two looks.
  private static let pace = 10

  func run() async throws {
    await cancelWhenGracefulShutdown { await Hub.asCity { await raise() } }
  }

  private func raise() async {
    var known: [String: CityAlert]?
    while !Task.isCancelled {
      // Those of an earlier run as well: their grants may have been reviewed just before it ended.
      known = known ?? (try? CityAlert.open(Self.subCategory, hub)).map(Self.byEntity)
      if var raised = known, let overdue = try? hub.overdueReviews() {
        let alerts = Self.byEntity(overdue.map(Self.alert))
        for (id, alert) in alerts where raised[id] == nil {
          if await alert.put(isOver: false, hub) { raised[id] = alert }
        }
        for (id, alert) in raised where alerts[id] == nil {
          if await alert.put(isOver: true, hub) { raised[id] = nil }
        }
        known = raised
      }
      try? await Task.sleep(for: .seconds(Self.pace))
    }
  }

  private static let subCategory = "unreviewedAccess"

  private static func byEntity(_ alerts: [CityAlert]) -> [String: CityAlert] {
    Dictionary(alerts.map { ($0.entityId, $0) }) { first, _ in first }
  }

  private static func alert(_ grant: Grant) -> CityAlert {
    CityAlert(
      id: "grant:" + grant.id, subCategory: subCategory, isGrave: false,
      sentence: "The grant \(grant.id), taken at \(grant.from) for \(grant.purpose), has not been reviewed in time.",
      source: "urn:ngsi-ld:Madang:grants")
  }
}
