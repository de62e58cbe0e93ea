import Foundation
import Hummingbird
import Incidents
import NGSI
import Safety

/// `/operations/report`: what somebody tells the operator, by telephone or over the counter.
enum NewReportPage {
  static func answer(_ visit: Visit, _ form: Query? = nil) async throws -> Response {
    guard let safety = visit.room.source.safety else { return OperationsPage.none(visit) }
    guard let form else { return page(visit, safety, visit.query, nil) }
    let report: Report
    do throws(Problem) { report = try read(form, safety.plan) } catch {
      return page(visit, safety, form, (visit.text("faultReport"), error.detail, .badRequest))
    }
    let exercise = (form["exercise"] ?? "").trimming()
    do throws(Problem) {
      let taken = try await visit.room.source.asReader { () throws(Problem) in
        try await safety.report(report, exercise: exercise.isEmpty ? nil : exercise, in: .default)
      }
      guard let incident = taken.incident else { return Answer.seeOther("/operations") }
      return Answer.seeOther(Visit.incidentPath(incident, "?done=report-" + taken.way.rawValue))
    } catch {
      return page(visit, safety, form, (visit.sentence(error), error.detail, .init(code: error.status)))
    }
  }

  private static func read(_ form: Query, _ plan: SafetyPlan) throws(Problem) -> Report {
    func text(_ name: String) -> JSON? {
      let text = (form[name] ?? "").trimming()
      return text.isEmpty ? nil : .string(text)
    }
    var object = JSONObject()
    object["source"] = "operations-centre"
    // The same form sent twice is the same report.
    object["number"] = text("id") ?? .string(UUID().uuidString)
    object["channel"] = text("channel") ?? "voice"
    object["category"] = text("category")
    object["severity"] = text("severity")
    object["address"] = text("address")
    object["text"] = text("text")
    object["contact"] = text("contact")
    if form["silent"] == "1" { object["silent"] = true }
    if let latitude = text("latitude")?.string, let longitude = text("longitude")?.string {
      guard let y = Double(latitude), let x = Double(longitude) else {
        throw .badRequest("latitude and longitude are degrees")
      }
      object["position"] = ["longitude": .double(x), "latitude": .double(y), "uncertainty": 50]
    }
    return try Report(sent: .object(object))
  }

  private static func page(
    _ visit: Visit, _ safety: SafetyService, _ form: Query, _ fault: (String, String, HTTPResponse.Status)?
  ) -> Response {
    let plan = safety.plan
    let site = visit.room.source.site
    var content: [String: Any] = [
      "nonce": form["id"] ?? UUID().uuidString,
      "categories": plan.categories.map {
        [
          "categoryId": $0.id, "categoryName": visit.title($0.title),
          "isChosen": $0.id == form["category"],
        ] as [String: Any]
      },
      "hasCategories": !plan.categories.isEmpty,
      "severities": Severity.allCases.filter { $0 != .unknown }.map {
        [
          "severityId": $0.rawValue, "severityName": visit.text("severity_" + $0.rawValue),
          "isChosen": $0.rawValue == form["severity"],
        ] as [String: Any]
      },
      "centre": "\(site.longitude),\(site.latitude)",
      "boundary": site.boundary.map { JSONWriter.text($0) } ?? "",
    ]
    for field in ["category", "address", "text", "contact", "latitude", "longitude", "exercise"] {
      content["typed_" + field] = form[field] ?? ""
    }
    if let fault {
      content["fault"] = fault.0
      content["faultDetail"] = fault.1
    }
    return PageFrame.answer(
      visit, template: "new-report", title: visit.text("newReportTitle"), section: "operations",
      content: content.withoutEmpty, status: fault?.2 ?? .ok)
  }
}
