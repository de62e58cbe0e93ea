import Hub
import Incidents
import NGSI
import Store

/// Devices that raise alarms write to the hub like all others; what is an alarm the plan says.
extension SafetyService {
  /// Turns entities into reports until the task is cancelled.
  ///
  /// What was missed, while the city was down or because too much came at once, is found by looking at what stands in the hub: a report
  /// that was taken is not taken twice.
  public func watchAlarms() async {
    guard !plan.alarms.rules.isEmpty else { return }
    while !Task.isCancelled {
      guard let stream = hub.changes.listen({ [plan] in plan.alarms.isConcerned(by: $0.new) }) else {
        try? await Task.sleep(for: .seconds(1))
        continue
      }
      await lookAtAll()
      for await signal in stream {
        switch signal {
        case .missed: await lookAtAll()
        case .change(let change):
          guard let entity = change.new else { continue }
          for rule in plan.alarms.raised(by: entity, before: change.old) {
            await raise(rule, entity, in: change.tenant)
          }
        }
      }
    }
  }

  private func lookAtAll() async {
    for tenant in (try? hub.tenants()) ?? [] {
      for rule in plan.alarms.rules {
        var page = Page(limit: 500)
        while let part = try? hub.entities(rule.query, in: tenant, page: page) {
          for entity in part.entities where !isTold(entity, rule, in: tenant) { await raise(rule, entity, in: tenant) }
          guard part.hasMore else { break }
          page.offset += page.limit
        }
      }
    }
  }

  /// Whether an open incident has it from this source already.
  private func isTold(_ entity: Entity, _ rule: AlarmRules.Rule, in tenant: Tenant) -> Bool {
    let report = rule.report(of: entity)
    return book.candidates(for: report, by: JoiningRules(), in: tenant).contains { incident in
      incident.reports.contains { $0.source == report.source }
    }
  }

  /// An alarm is tried again until it is taken: a full line or disk passes.
  private func raise(_ rule: AlarmRules.Rule, _ entity: Entity, in tenant: Tenant) async {
    var pause = 0.1
    while !Task.isCancelled {
      do throws(Problem) {
        _ = try await report(rule.report(of: entity), in: tenant)
        return
      } catch {
        guard error.status >= 500 || error.kind == .tooManyRequests else {
          hub.noteRefused(
            RefusedInput(
              door: "safety", source: entity.id, tenant: tenant, problem: error, entityId: entity.id))
          return
        }
      }
      try? await Task.sleep(for: .seconds(pause))
      pause = min(pause * 2, 10)
    }
  }
}
