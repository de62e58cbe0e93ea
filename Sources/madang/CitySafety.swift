import ArgumentParser
import City
import Hub
import Incidents
import Ingest
import NGSI
import Safety
import ServiceLifecycle

/// Makes reports of the hub's entities that are alarms.
struct AlarmWatch: Service {
  let safety: SafetyService

  func run() async throws {
    await cancelWhenGracefulShutdown { await Hub.asCity { await safety.watchAlarms() } }
  }
}

/// Plays an evening in a simulated city.
struct SimulatedEvening: Service {
  let player: EveningPlayer

  func run() async throws {
    await cancelWhenGracefulShutdown {
      do { try await Hub.asCity { try await player.play() } } catch {
        if !(error is CancellationError) { Terminal.note("the simulated evening ended: \(error)") }
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
      }
    }
  }
}

/// The service that looks after incidents, as the manifest has it.
enum CitySafety {
  /// - Throws: for a city that is not simulated: there nothing is made up.
  static func evening(_ path: String, _ file: ManifestFile, mode: City.Mode?) throws -> Evening {
    guard mode == .simulated else { throw ValidationError("--evening is for simulated cities alone") }
    let evening = try Evening(path: path, seed: UInt64(file.manifest.seed))
    Terminal.note("an evening is played: its calls, alarms, units and cameras are synthetic")
    return evening
  }

  /// - Returns: `nil` where the manifest names no such service.
  /// - Throws: what is wrong with the plan, with file, line and key.
  static func make(_ file: ManifestFile, hub: Hub) throws -> SafetyService? {
    guard file.manifest.services.contains(.safety) else { return nil }
    let site = file.manifest.site
    let centre = Position(longitude: site.centre.longitude, latitude: site.centre.latitude)
    // Neighbours call too: what is reported from within twice the city's own size is believed.
    let radius = max(20_000, 2 * (site.area * 1_000_000 / .pi).squareRoot())
    let plan =
      try file.manifest.safety.map {
        try SafetyPlan(path: file.resolve($0.plan), centre: centre, radius: radius)
      } ?? SafetyPlan(plausibility: Plausibility(centre: centre, radius: radius))
    let service = SafetyService(hub: hub, plan: plan)
    try service.links.open { secret in
      var place = Manifest.Adapter.Secret()
      switch secret {
      case .file(let path): place.file = path
      case .environment(let name): place.env = name
      }
      return try place.value { file.resolve($0) }
    }
    for id in try service.resume() {
      Terminal.note("The record of \(id) is damaged: it is left as it is. Run 'madang check' on a copy of the data.")
    }
    return service
  }
}
