import Cameras
import City
import Foundation
import Hub
import Ingest
import NGSI
import Safety
import ServiceLifecycle
import Surveillance

/// The city's cameras, as the manifest has them.
enum CityCameras {
  static let folderName = "video"

  /// - Returns: `nil` where the manifest names none.
  /// - Throws: what is wrong with the plan, with file, line and key; why a camera's login cannot be had.
  static func make(_ file: ManifestFile, hub: Hub, safety: SafetyService, folder: DataFolder) throws -> VideoDesk? {
    guard let named = file.manifest.safety?.cameras else { return nil }
    let plan = try SurveillancePlan(
      path: file.resolve(named), categories: Set(safety.plan.categories.map(\.id)))
    let station = try CameraStation(
      hub: hub, safety: safety, plan: plan, folder: URL(filePath: folder.path).appending(path: folderName)
    ) { secret in
      var place = Manifest.Adapter.Secret()
      switch secret {
      case .file(let path): place.file = path
      case .environment(let name): place.env = name
      }
      return try place.value { $0 }
    }
    if let blindness = station.blindness { Terminal.note("Cameras are shown and not looked at: \(blindness).") }
    return VideoDesk(station: station)
  }
}

/// Cameras at work, and what is kept of them, until the city stops.
struct CameraWork: Service {
  let desk: VideoDesk
  let sink: any EntitySink

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await Hub.asCity {
        await withTaskGroup(of: Void.self) { group in
          group.addTask { await desk.keep() }
          group.addTask {
            do { try await desk.station.run(clock: RealClock(), sink: sink) } catch {
              // The city goes on: its calls and alarms do not hang on its cameras.
              Terminal.note("The cameras cannot be watched: \(error)")
              while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
            }
          }
          await group.waitForAll()
        }
      }
    }
  }
}
