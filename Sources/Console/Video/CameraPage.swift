import Hummingbird
import NGSI
import Surveillance

/// `/operations/cameras/{id}?incident=…`: one camera for one incident: what it shows now, clips of what happened, and taking a piece out.
enum CameraPage {
  private struct Fault {
    var sentence: String
    var detail: String
    var status: HTTPResponse.Status
    var form: Query
  }

  static func answer(_ visit: Visit, id: String) async throws -> Response {
    await page(visit, id, visit.query["incident"], nil)
  }

  static func answer(_ visit: Visit, id: String, export form: Query) async throws -> Response {
    guard let video = visit.room.source.video else { return WallPage.none(visit) }
    let incident = form["incident"] ?? ""
    let time = visit.room.time
    do throws(Problem) {
      let piece: VideoDesk.Piece
      if let clip = form["clip"], !clip.isEmpty {
        piece = .clip(clip)
      } else if let from = form["from"].flatMap({ time.instant(field: $0) }),
        let to = form["to"].flatMap({ time.instant(field: $0) })
      {
        piece = .span(from: from, to: to)
      } else {
        throw .badRequest(visit.text("exportTimes"))
      }
      let made = try await visit.room.source.asReader { () throws(Problem) in
        try await video.export(id, for: incident, piece, reason: form["reason"] ?? "")
      }
      return Answer.seeOther(
        VideoWords.path(id, incident: incident) + "&export=" + Percent.encode(made.id) + "#receipt")
    } catch {
      return await page(
        visit, id, incident,
        Fault(
          sentence: VideoWords.sentence(visit, error), detail: error.detail, status: .init(code: error.status),
          form: form))
    }
  }

  private static func page(_ visit: Visit, _ id: String, _ incident: String?, _ fault: Fault?) async -> Response {
    guard let video = visit.room.source.video else { return WallPage.none(visit) }
    guard let camera = video.station.plan.camera(id) else { return ErrorPage.notFound(visit) }
    let sight: CameraSight
    let clips: [Clip]
    var receipt: JSON?
    do throws(Problem) {
      (sight, clips) = try await visit.room.source.asReader { () throws(Problem) in
        (
          try video.sight(of: camera, for: incident),
          try incident.map { incident throws(Problem) in try video.clips(of: incident).filter { $0.camera == id } }
            ?? []
        )
      }
      if let export = visit.query["export"] {
        receipt = try? await visit.room.source.asReader { () throws(Problem) in try video.receipt(export).0 }
      }
    } catch { return OperationsPage.refused(visit, error) }
    var content = VideoWords.tile(visit, sight)
    content["clips"] = clips.reversed().map { clip in
      [
        "clipName": clip.name, "clipAt": visit.room.time.text(clip.at),
        "clipRule": visit.text("zoneRule_" + clip.rule.rawValue), "clipZone": clip.zone,
        "clipIsKept": clip.state == .kept, "clipState": visit.text("clipState_" + clip.state.rawValue),
        "clipReason": clip.reason ?? "",
      ] as [String: Any]
    }
    content["hasClips"] = !clips.isEmpty
    let now = visit.now
    content["exportFrom"] = fault?.form["from"] ?? visit.room.time.field(now.adding(seconds: -60))
    content["exportTo"] = fault?.form["to"] ?? visit.room.time.field(now)
    content["exportReason"] = fault?.form["reason"] ?? ""
    if let fault {
      content["fault"] = fault.sentence
      content["faultDetail"] = fault.detail
    }
    if let receipt { content["receipt"] = rows(visit, receipt) }
    content["receiptHref"] = receipt?["export"]?.string.map {
      "/operations/exports/" + Percent.encode($0) + "/video.mp4"
    }
    content["masks"] = "\(camera.privacy.masks.count)"
    content["showsHeads"] = !camera.privacy.hidesHeads
    return PageFrame.answer(
      visit, template: "camera", title: VideoWords.name(visit, camera), section: "operations",
      content: content.withoutEmpty, status: fault?.status ?? .ok)
  }

  /// The receipt as a table to print.
  private static func rows(_ visit: Visit, _ receipt: JSON) -> [[String: String]] {
    func time(_ name: String) -> String {
      receipt[name]?.string.flatMap { DateTime($0) }.map { visit.room.time.text($0) } ?? ""
    }
    let by = receipt["by"]
    let who = visit.room.source.displayName(by?["kind"]?.string ?? "", by?["id"]?.string ?? "")
    let rows = [
      ("export", receipt["export"]?.string ?? ""), ("camera", receipt["camera"]?.string ?? ""),
      ("incident", receipt["incident"]?.string ?? ""), ("span", time("from") + " – " + time("to")),
      ("who", [by?["agency"]?.string ?? "", who].filter { !$0.isEmpty }.joined(separator: " / ")),
      ("grant", receipt["grant"]?.string ?? ""), ("basis", receipt["legalBasis"]?.string ?? ""),
      ("why", receipt["reason"]?.string ?? ""), ("at", time("at")),
      ("bytes", receipt["bytes"]?.integer.map { "\($0)" } ?? ""), ("sha256", receipt["sha256"]?.string ?? ""),
    ]
    return rows.filter { !$0.1.isEmpty }.map { ["receiptName": visit.text("receipt_" + $0.0), "receiptValue": $0.1] }
  }
}
