import Cameras
import Foundation
import Hub
import NGSI
import Store
import Vision

/// What is too old goes, and that it went is written down.
extension VideoDesk {
  static let deletionLog = "deletions"

  /// Deletes clips and exports whose time is over; clips of incidents that are open stay.
  ///
  /// - Returns: names of the files that went.
  @discardableResult
  public func deleteOld() async throws(Problem) -> [String] {
    let keeping = station.plan.keeping
    let clips = try station.clips { $0.state == .kept }
    var held: Set<String> = []
    for clip in clips {
      guard let incident = clip.incident else { continue }
      let result = Caller.$current.withValue(.city) {
        Result { () throws(Problem) in try safety.record(incident, in: .default).incident.status.isOver }
      }
      // What cannot be told is held.
      if (try? result.get()) ?? true { continue }
      held.insert(clip.name + ".mp4")
    }
    let now = Date(timeIntervalSince1970: hub.time.secondsSince1970)
    let old = RetentionSweep.run(
      RetentionPlan(seconds: keeping.clips, bytes: keeping.most), in: station.clipFolder, held: held, now: now)
    let oldExports = RetentionSweep.run(
      RetentionPlan(seconds: keeping.exports, bytes: keeping.most), in: exportFolder, held: [], now: now)
    for (result, kind) in [(old, "clip"), (oldExports, "export")] {
      for deletion in result.deleted { try await note(deletion, kind) }
      for name in result.failed {
        hub.noteRefused(
          RefusedInput(
            door: CameraStation.name, source: name, tenant: .default,
            problem: Problem(.internalError, "\(name) should have gone and cannot be removed")))
      }
    }
    return (old.deleted + oldExports.deleted).map(\.name)
  }

  private func note(_ deletion: RetentionPlan.Deletion, _ kind: String) async throws(Problem) {
    let name = String(deletion.name.dropLast(4))
    try await asCity { () throws(Problem) in
      try await self.hub.transact(as: CameraStation.name, in: .default) { transaction in
        var camera = ""
        if kind == "clip", let body = try transaction.document(name, in: CameraStation.clips), var clip = Clip(body) {
          (clip.state, clip.reason) = (.deleted, deletion.reason.rawValue)
          camera = clip.camera
          try transaction.keep(clip.json, as: name, in: CameraStation.clips)
        } else if kind == "export" {
          camera = try transaction.document(name, in: Self.exportLog)?["camera"]?.string ?? ""
        }
        let what: JSON = [
          "name": .string(name), "kind": .string(kind), "camera": .string(camera),
          "reason": .string(deletion.reason.rawValue), "at": .string(transaction.time.description),
        ]
        try transaction.keep(what, as: "\(kind) \(name)", in: Self.deletionLog)
        transaction.state("command", kind + "-deleted", of: camera, what)
      }
    }
  }

  /// Ends views and deletes what is old, until the task is cancelled.
  public func keep() async {
    // Views that a stop of the city ended: their log says when they were seen to last.
    try? await endForgotten()
    var turns = 0
    while !Task.isCancelled {
      await sweep()
      if turns % 360 == 0 { _ = try? await deleteOld() }
      turns += 1
      try? await Task.sleep(for: .seconds(Self.sweepEvery))
    }
  }

  private static let sweepEvery = 10.0

  private func endForgotten() async throws(Problem) {
    let open = Set(openViews.map(\.id))
    for (id, body) in try station.all(Self.viewLog) where body["endedAt"] == nil && !open.contains(id) {
      guard var view = body.object else { continue }
      view["endedAt"] = .string(hub.time.description)
      view["endedBy"] = "the city stopped"
      let (ended, camera) = (JSON.object(view), body["camera"]?.string ?? "")
      try await hub.transact(as: CameraStation.name, in: .default) { transaction in
        try transaction.keep(ended, as: id, in: Self.viewLog)
        transaction.state("access", "view-close", of: camera, ended)
      }
    }
  }
}
