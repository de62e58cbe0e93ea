import Hummingbird
import Incidents
import NGSI
import Safety

/// `/operations/incidents/{id}/replay`: the incident as it was known after each of its entries, for the review after it is over.
enum ReplayPage {
  static func answer(_ visit: Visit, id: String) async throws -> Response {
    guard let safety = visit.room.source.safety else { return OperationsPage.none(visit) }
    let (record, entries): (Record, [Entry])
    do throws(Problem) {
      (record, entries) = try await visit.room.source.asReader { () throws(Problem) in
        let record = try safety.record(id, in: .default)
        return (record, safety.readable(record))
      }
    } catch { return OperationsPage.refused(visit, error) }
    let last = record.entries.count
    let step = min(max(visit.query["step"].flatMap { Int($0) } ?? 1, 1), last)
    let plan = safety.plan
    let known = Array(record.entries.prefix(step))
    let folded = try Record(id: id, exercise: record.incident.exercise, folding: known)
    let (incident, at) = (folded.incident, known.last?.at ?? record.incident.openedAt)
    var content = visit.row(Attention(incident, targets: plan.targets, at: at), plan)
    content.merge(IncidentPage.facts(visit, incident, plan)) { $1 }
    content["age"] = visit.clock(at.secondsSince1970 - incident.openedAt.secondsSince1970)
    content["entries"] = entries.filter { $0.sequence <= step }.reversed().map { visit.row($0, of: folded, plan) }
    content["steps"] = incident.run.map { run in
      run.procedure.steps.map { one in
        let state = run.steps[one.id]?.state ?? .waiting
        return [
          "stepTitle": visit.title(one.title), "stepState": state.rawValue,
          "stepStateText": visit.text("stepState_" + state.rawValue),
        ]
      }
    }
    content["units"] = incident.dispatches.map {
      ["unitName": $0.unit, "unitStatusText": visit.text("unit_" + $0.status.rawValue)]
    }
    content["step"] = "\(step)"
    content["last"] = "\(last)"
    content["stepText"] = visit.text("replayStep", ["n": "\(step)", "m": "\(last)"])
    content["atText"] = visit.room.time.text(at)
    content["waits"] = zip(record.entries, record.entries.dropFirst())
      .map { "\(Int(($1.at.secondsSince1970 - $0.at.secondsSince1970) * 1000))" }.joined(separator: " ")
    if step > 1 { content["previousHref"] = Visit.incidentPath(id, "/replay?step=\(step - 1)") }
    if step < last { content["nextHref"] = Visit.incidentPath(id, "/replay?step=\(step + 1)") }
    let title = visit.text("replayTitle") + " · " + visit.categoryTitle(incident.category, plan)
    return PageFrame.answer(
      visit, template: "replay", title: title, section: "operations", content: content.withoutEmpty)
  }
}
