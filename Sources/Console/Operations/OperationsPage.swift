import Hummingbird
import Incidents
import NGSI
import Safety

/// `/operations`: what wants to be looked at, in order, beside the map.
enum OperationsPage {
  static let shown = 50

  static func answer(_ visit: Visit) async throws -> Response {
    guard let safety = visit.room.source.safety else { return none(visit) }
    let queue: [Attention]
    do throws(Problem) {
      queue = try await visit.room.source.asReader { () throws(Problem) in try safety.queue(in: .default) }
    } catch { return refused(visit, error) }
    let offset = min(max(visit.query["offset"].flatMap { Int($0) } ?? 0, 0), max(0, queue.count - 1) / shown * shown)
    let part = queue.dropFirst(offset).prefix(shown)
    let site = visit.room.source.site
    let late = queue.count { item in
      item.reasons.contains {
        switch $0 {
        case .late, .stepLate, .noUnit: true
        default: false
        }
      }
    }
    let alarming = queue.filter { $0.incident.isAlarming }
    var content: [String: Any] = [
      "rows": part.map { visit.row($0, safety.plan) }, "isQuiet": queue.isEmpty,
      "openCount": NumberText.short(Double(queue.count)), "alarmCount": NumberText.short(Double(alarming.count)),
      "lateCount": NumberText.short(Double(late)),
      "unownedCount": NumberText.short(Double(queue.count { $0.incident.owner == nil })),
      "unitCount": NumberText.short(
        Double(queue.reduce(0) { $0 + $1.incident.dispatches.count(where: \.status.isOut) })),
      "hasVideo": visit.room.source.video != nil, "hasAlarms": !alarming.isEmpty, "hasLate": late > 0,
      "alarmSeverity": alarming.map(\.incident.severity).max()?.rawValue ?? "",
      "alarmIds": alarming.prefix(50).map(\.incident.id).joined(separator: " "),
      "revision": "\(safety.revision(in: .default))",
      "severities": Severity.allCases.filter { $0 != .unknown }.reversed().map {
        ["severityId": $0.rawValue, "severityName": visit.text("severity_" + $0.rawValue)]
      },
      "centre": "\(site.longitude),\(site.latitude)",
      "boundary": site.boundary.map { JSONWriter.text($0) } ?? "",
      "range": queue.isEmpty
        ? ""
        : visit.text(
          "range",
          ["from": "\(offset + 1)", "to": "\(offset + part.count)", "total": NumberText.short(Double(queue.count))]),
    ]
    if offset > 0 { content["previousHref"] = "/operations?" + visit.query.with(["offset": "\(offset - shown)"]) }
    if offset + part.count < queue.count {
      content["nextHref"] = "/operations?" + visit.query.with(["offset": "\(offset + shown)"])
    }
    return PageFrame.answer(
      visit, template: "operations", title: visit.text("operationsTitle"), section: "operations",
      content: content.withoutEmpty)
  }

  /// A city without the service.
  static func none(_ visit: Visit) -> Response {
    PageFrame.answer(
      visit, template: "operations-none", title: visit.text("operationsTitle"), section: "operations", content: [:],
      status: .notFound)
  }

  static func refused(_ visit: Visit, _ problem: Problem) -> Response {
    PageFrame.answer(
      visit, template: "operations-refused", title: visit.text("operationsTitle"), section: "operations",
      content: ["fault": visit.sentence(problem), "faultDetail": problem.detail],
      status: .init(code: problem.status))
  }
}
