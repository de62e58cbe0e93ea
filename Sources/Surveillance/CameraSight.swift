import Foundation
import Hub
import Incidents
import NGSI
import Safety
import Store
import Vision

/// One camera as an operator is shown it: why he should look, and whether he may.
public struct CameraSight: Sendable {
  public enum Leave: String, Sendable {
    /// Nobody real is in its pictures.
    case synthetic
    /// A grant is in force.
    case granted
    /// None is: one can be asked for.
    case needed
    /// Access is open in this city, and nobody is known who could look.
    case nobody
  }

  public var camera: SurveillancePlan.Camera
  public var ranked: CameraChoice.Ranked
  public var state: String
  /// The incident that weighs most in it.
  public var incident: String?
  public var leave: Leave
  /// When the grant ends.
  public var until: DateTime?
}

extension VideoDesk {
  /// Cameras that the caller should see now, best first, with why and whether he may.
  ///
  /// - Parameter incident: only for this one; for all that are open where there is none.
  public func sights(for incident: String? = nil, most: Int, in tenant: Tenant = .default) throws(Problem)
    -> [CameraSight]
  {
    let now = hub.time
    var incidents = try safety.queue(in: tenant).map(\.incident)
    if let incident { incidents = incidents.filter { $0.id == incident } }
    let events =
      incident == nil
      ? station.recentEvents().map {
        CameraChoice.Event(
          camera: $0.camera, rule: $0.event.rule, age: now.secondsSince1970 - $0.at.secondsSince1970, lasts: $0.lasts)
      } : []
    let cameras = station.plan.cameras.map { camera in
      CameraChoice.Camera(
        id: camera.id,
        place: CameraChoice.Place(longitude: camera.place.longitude, latitude: camera.place.latitude),
        bearing: camera.bearing, fieldOfView: camera.fieldOfView, range: camera.range,
        state: station.state(of: camera.id)?.state ?? .connecting,
        sinceLooked: lastLook(at: camera.id).map { now.secondsSince1970 - $0.secondsSince1970 })
    }
    let ranked = CameraChoice().ranked(
      cameras: cameras, incidents: incidents.prefix(200).map(CameraChoice.Incident.init), events: events, most: most)
    return ranked.compactMap { item in
      guard let camera = station.plan.camera(item.camera) else { return nil }
      let about = incident ?? item.reasons.lazy.compactMap(\.incident).first
      let (leave, until) = self.leave(camera, for: about)
      return CameraSight(
        camera: camera, ranked: item, state: station.state(of: camera.id)?.state.code ?? "connecting",
        incident: about, leave: leave, until: until)
    }
  }

  /// One camera, whether there is a reason to look at it or not.
  public func sight(of camera: SurveillancePlan.Camera, for incident: String?) throws(Problem) -> CameraSight {
    if let incident {
      let state = try safety.record(incident, in: .default).incident
      if state.status.isOver || state.status == .resolved {
        return bare(camera, incident)
      }
    }
    let known = try sights(for: incident, most: station.plan.cameras.count).first { $0.camera.id == camera.id }
    return known ?? bare(camera, incident)
  }

  private func bare(_ camera: SurveillancePlan.Camera, _ incident: String?) -> CameraSight {
    let (leave, until) = self.leave(camera, for: incident)
    return CameraSight(
      camera: camera, ranked: CameraChoice.Ranked(camera: camera.id, points: 0, reasons: [], isShown: true),
      state: station.state(of: camera.id)?.state.code ?? "connecting", incident: incident, leave: leave, until: until)
  }

  private func leave(_ camera: SurveillancePlan.Camera, for incident: String?) -> (CameraSight.Leave, DateTime?) {
    if camera.isSynthetic { return (.synthetic, nil) }
    guard let incident else { return (.needed, nil) }
    do throws(Problem) { return (.granted, try ground(camera.id, for: incident)?.to) } catch {
      return (error.kind == .operationNotSupported || error.kind == .unauthorized ? .nobody : .needed, nil)
    }
  }
}

extension CameraChoice.Incident {
  init(_ incident: Incident) {
    self.init(
      id: incident.id,
      place: incident.position.map { CameraChoice.Place(longitude: $0.longitude, latitude: $0.latitude) },
      uncertainty: incident.position?.uncertainty ?? 0, severity: max(0, Self.order(incident.severity) - 1),
      sounds: incident.isAlarming, cameras: Set(incident.reports.flatMap(\.about)))
  }

  private static func order(_ severity: Severity) -> Int { Severity.allCases.firstIndex(of: severity) ?? 0 }
}

extension CameraChoice.Reason {
  /// The incident that it is about.
  public var incident: String? {
    switch self {
    case .reported(let incident), .sees(let incident, _), .near(let incident, _): incident
    case .event, .unwatched, .state: nil
    }
  }

  public var json: JSON {
    var object = JSONObject()
    object["reason"] = .string(code)
    object["incident"] = incident.map { .string($0) }
    switch self {
    case .reported: break
    case .sees(_, let metres), .near(_, let metres): object["metres"] = .integer(Int64(metres))
    case .event(let rule, let seconds):
      object["rule"] = .string(rule.rawValue)
      object["seconds"] = .integer(Int64(seconds))
    case .unwatched(let minutes): object["minutes"] = .integer(Int64(minutes))
    case .state(let code): object["state"] = .string(code)
    }
    return .object(object)
  }
}
