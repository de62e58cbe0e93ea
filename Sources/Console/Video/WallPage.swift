import Hummingbird
import NGSI
import Surveillance

/// `/operations/cameras`: the cameras that an operator should look at now, with the reasons.
enum WallPage {
  static let sizes = [4, 9, 16]

  static func answer(_ visit: Visit) async throws -> Response {
    guard let video = visit.room.source.video else { return none(visit) }
    let size = visit.query["tiles"].flatMap { Int($0) }.flatMap { sizes.contains($0) ? $0 : nil } ?? 9
    let sights: [CameraSight]
    do throws(Problem) {
      sights = try await visit.room.source.asReader { () throws(Problem) in try video.sights(most: size) }
    } catch { return OperationsPage.refused(visit, error) }
    let all = video.station.plan.cameras
    let lost = all.filter { ($0.id, video.station.state(of: $0.id)?.state.code ?? "connecting").1 != "running" }
    let content: [String: Any] = [
      "tiles": sights.enumerated().map { VideoWords.tile(visit, $0.element, key: $0.offset + 1) },
      "isQuiet": sights.isEmpty, "tileCount": "\(size)",
      "cameraCount": "\(all.count)", "lostCount": "\(lost.count)", "hasLost": !lost.isEmpty,
      "lost": lost.prefix(50).map { camera in
        let code = video.station.state(of: camera.id)?.state.code ?? "connecting"
        return ["lostName": VideoWords.name(visit, camera), "lostState": visit.text("streamState_" + code)]
      },
      "isBlind": video.station.blindness != nil,
      "sizes": sizes.map {
        ["size": "\($0)", "sizeHref": "/operations/cameras?tiles=\($0)", "isChosen": $0 == size] as [String: Any]
      },
      "order": sights.map { $0.camera.id + " " + ($0.incident ?? "") + " " + $0.leave.rawValue }.joined(
        separator: "\n"),
    ]
    return PageFrame.answer(
      visit, template: "wall", title: visit.text("wallTitle"), section: "operations", content: content.withoutEmpty)
  }

  /// A city without cameras of its own.
  static func none(_ visit: Visit) -> Response {
    PageFrame.answer(
      visit, template: "wall-none", title: visit.text("wallTitle"), section: "operations", content: [:],
      status: .notFound)
  }
}
