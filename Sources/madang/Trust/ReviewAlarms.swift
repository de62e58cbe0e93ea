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
    var raised: [String: CityAlert] = [:]
    while !Task.isCancelled {
      if let overdue = try? hub.overdueReviews() {
        let alerts = Dictionary(overdue.map { ($0.id, Self.alert($0)) }) { first, _ in first }
        for (id, alert) in alerts where raised[id] == nil {
          if await alert.put(isOver: false, hub) { raised[id] = alert }
        }
        for (id, alert) in raised where alerts[id] == nil {
          if await alert.put(isOver: true, hub) { raised[id] = nil }
        }
      }
      try? await Task.sleep(for: .seconds(Self.pace))
    }
  }

  private static func alert(_ grant: Grant) -> CityAlert {
    CityAlert(
      id: "grant:" + grant.id, subCategory: "unreviewedAccess", isGrave: false,
      sentence: "The grant \(grant.id), taken at \(grant.from) for \(grant.purpose), has not been reviewed in time.",
      source: "urn:ngsi-ld:Madang:grants")
  }
}
