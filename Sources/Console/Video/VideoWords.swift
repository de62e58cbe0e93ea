import Incidents
import NGSI
import Surveillance
import Vision

/// What pages say of cameras.
enum VideoWords {
  static func sentence(_ visit: Visit, _ problem: Problem) -> String {
    switch problem.kind {
    case .forbidden: visit.text("videoNoGrant")
    case .operationNotSupported, .unauthorized: visit.text("videoNobody")
    case .conflict: visit.text("videoConflict")
    case .resourceNotFound: visit.text("videoGone")
    case .tooManyRequests: visit.text("videoTooMany")
    default: visit.sentence(problem)
    }
  }

  static func name(_ visit: Visit, _ camera: SurveillancePlan.Camera) -> String {
    visit.language == .ko ? camera.name.ko : camera.name.en
  }

  static func reason(_ visit: Visit, _ reason: CameraChoice.Reason) -> String {
    func number(_ incident: String) -> String { Visit.number(incident) }
    switch reason {
    case .reported(let incident): return visit.text("lookReported", ["incident": number(incident)])
    case .sees(let incident, let metres):
      return visit.text("lookSees", ["incident": number(incident), "m": "\(metres)"])
    case .near(let incident, let metres):
      return visit.text("lookNear", ["incident": number(incident), "m": "\(metres)"])
    case .event(let rule, let seconds):
      return visit.text("lookEvent", ["rule": visit.text("zoneRule_" + rule.rawValue), "s": "\(seconds)"])
    case .unwatched(let minutes): return visit.text("lookUnwatched", ["n": "\(minutes)"])
    case .state(let code): return visit.text("streamState_" + code)
    }
  }

  /// The weightiest reasons; of several events of one rule the newest alone.
  private static func whys(_ visit: Visit, _ reasons: [CameraChoice.Reason]) -> [[String: String]] {
    var rules: Set<Zone.Name> = []
    let told = reasons.filter { reason in
      switch reason {
      case .event(let rule, _): rules.insert(rule).inserted
      case .state: false
      default: true
      }
    }
    return told.prefix(3).map { ["reason": reason(visit, $0)] }
  }

  /// A camera as its tile shows it.
  static func tile(_ visit: Visit, _ sight: CameraSight, key: Int? = nil) -> [String: Any] {
    let camera = sight.camera
    var tile: [String: Any] = [
      "cameraId": camera.id, "cameraName": name(visit, camera), "cameraShort": camera.shortName,
      "cameraHref": path(camera.id, incident: sight.incident), "leave": sight.leave.rawValue,
      "maySee": sight.leave == .granted || sight.leave == .synthetic, "isSynthetic": sight.leave == .synthetic,
      "needsLeave": sight.leave == .needed && sight.incident != nil, "isNobody": sight.leave == .nobody,
      "stateCode": sight.state, "stateText": visit.text("streamState_" + sight.state),
      "isRunning": sight.state == "running",
      "why": whys(visit, sight.ranked.reasons),
    ]
    if let key, key <= 9 { tile["tileKey"] = "\(key)" }
    if let until = sight.until { tile["untilText"] = visit.text("leaveUntil", ["time": visit.room.time.text(until)]) }
    if let incident = sight.incident {
      tile["incident"] = incident
      tile["incidentHref"] = Visit.incidentPath(incident)
      tile["incidentNumber"] = Visit.number(incident)
      let asked =
        "incident=\(Percent.encode(incident))&id0=\(Percent.encode(camera.id))&attributes=\(VideoDesk.attribute)"
      tile["askHref"] = "/grants/new?" + asked
      tile["glassHref"] = "/grants/new?glass=1&" + asked
    }
    return tile.withoutEmpty
  }

  static func path(_ camera: String, incident: String?) -> String {
    "/operations/cameras/" + Percent.encode(camera) + (incident.map { "?incident=" + Percent.encode($0) } ?? "")
  }
}
