import Hummingbird
import NGSI

/// `/data`: the datasets with their quality, the data models, and the input that was refused.
enum DataPage {
  static let refusalsShown = 50
  static let maxOffset = 1_000_000

  static func answer(_ visit: Visit) async throws -> Response {
    let offset = min(max(visit.query["offset"].flatMap(Int.init) ?? 0, 0), maxOffset)
    let report = await visit.room.source.dataReport(refusalsFrom: offset, limit: refusalsShown)
    var content: [String: Any] = [
      "datasets": report.datasets.map { dataset(visit, $0) }, "hasDatasets": !report.datasets.isEmpty,
      "models": report.models.map { model(visit, $0) }, "hasModels": !report.models.isEmpty,
      "modeOfModels": visit.text("validation_" + report.mode),
      "refusals": report.refusals.map { refusal(visit, $0) }, "hasRefusals": !report.refusals.isEmpty,
      "refusalCount": visit.text("refusedCount", ["n": NumberText.short(Double(report.refusalCount))]),
    ]
    if offset > 0 { content["previousHref"] = href(visit, offset: max(0, offset - refusalsShown)) }
    if offset + report.refusals.count < report.refusalCount {
      content["nextHref"] = href(visit, offset: offset + refusalsShown)
    }
    return PageFrame.answer(
      visit, template: "data", title: visit.text("dataTitle"), section: "data", content: content)
  }

  private static func href(_ visit: Visit, offset: Int) -> String {
    "/data?" + visit.query.with(["offset": offset == 0 ? nil : "\(offset)", "lang": nil])
  }

  private static func share(_ visit: Visit, _ share: Double?) -> String {
    share.map { NumberText.short(($0 * 1000).rounded() / 10) + " %" } ?? visit.text("shareUnknown")
  }

  private static func dataset(_ visit: Visit, _ dataset: DataReport.Dataset) -> [String: String] {
    [
      "datasetHref": "/city/v1/datasets/" + Percent.encode(dataset.id),
      "datasetTitle": dataset.title.in(visit.language), "datasetPublisher": dataset.publisher.in(visit.language),
      "datasetLicence": dataset.licence.split(separator: "/").last.map(String.init) ?? dataset.licence,
      "datasetCompleteness": share(visit, dataset.completeness), "datasetTimeliness": share(visit, dataset.timeliness),
      "datasetValidity": share(visit, dataset.validity),
    ]
  }

  private static func model(_ visit: Visit, _ model: DataReport.Model) -> [String: String] {
    [
      "modelType": visit.room.names.type(model.type, visit.language),
      "modelHref": "/city/v1/models/" + Percent.encode(model.type),
      "modelJudged": NumberText.short(Double(model.judged)),
      "modelFailed": NumberText.short(Double(model.failed)),
    ]
  }

  private static func refusal(_ visit: Visit, _ refusal: DataReport.Refusal) -> [String: String] {
    [
      "refusedCount": NumberText.short(Double(refusal.count)), "refusedDoor": refusal.door,
      "refusedSource": refusal.source.isEmpty ? visit.text("sourceUnknown") : refusal.source,
      "refusedProblem": refusal.problem, "refusedDetail": refusal.detail, "refusedSample": refusal.sample,
      "refusedFirst": visit.room.time.text(refusal.firstAt), "refusedLast": visit.age(refusal.lastAt),
      "refusedLastTime": refusal.lastAt.description, "refusedLastLocal": visit.room.time.text(refusal.lastAt),
    ]
  }
}
