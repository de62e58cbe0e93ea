import Cameras
import Crypto
import Foundation
import Hub
import NGSI
import Store
import Vision

/// A piece of video that leaves the city: masked, marked with who took it on what ground, and receipted.
public struct VideoExport: Sendable {
  public var id: String
  /// What was written down of it: the receipt.
  public var receipt: JSON
}

extension VideoDesk {
  static let exportLog = "exports"

  var exportFolder: URL { station.folder.appending(path: "exports") }

  /// What is wanted of a camera's video.
  public enum Piece: Sendable, Hashable {
    case span(from: DateTime, to: DateTime)
    case clip(String)
  }

  /// Makes an export: what is held of that time, or a clip, with a mark in each picture.
  ///
  /// - Parameter reason: why it is taken, in words.
  /// - Throws: as ``ground(_:for:in:)``; `BadRequestData` for a time that the grant does not cover; `Conflict` where no video of
  ///   it is held.
  public func export(_ camera: String, for incident: String, _ piece: Piece, reason: String) async throws(Problem)
    -> VideoExport
  {
    let caller = Caller.current
    guard !reason.isEmpty, reason.utf8.count <= 1_000 else {
      throw .badRequest("'reason' says why, in at most 1,000 bytes")
    }
    let grant = try ground(camera, for: incident)
    let id = Self.secret(2)
    let (from, to) = try span(piece, camera, incident, grant)
    try makeFolder()
    let cut = exportFolder.appending(path: id + ".cut.mp4")
    let file = exportFolder.appending(path: id + ".mp4")
    let at = hub.time
    let lines = [
      "EXPORT \(id)", "\(caller.agency.map { $0 + " / " } ?? "")\(caller.id)", grant?.id ?? "synthetic",
      "\(camera)  \(at.description)",
    ]
    // Cutting and marking copy files and run programs.
    let made = await Self.inBackground { [station] () throws(Problem) -> (Int, String) in
      defer { try? FileManager.default.removeItem(at: cut) }
      var source = cut
      switch piece {
      case .span(let from, let to):
        guard let post = station.posts[camera] else { throw .notFound("there is no such camera") }
        do throws(ClipCutter.Failure) {
          try ClipCutter(folder: post.liveFolder).cut(
            from: Date(timeIntervalSince1970: from.secondsSince1970),
            to: Date(timeIntervalSince1970: to.secondsSince1970),
            into: cut)
        } catch { throw Problem(.conflict, "\(error)") }
      case .clip(let name): source = station.clipFolder.appending(path: name + ".mp4")
      }
      do throws(VideoError) { try VideoMark(lines: lines).write(from: source, to: file) } catch {
        throw Problem(.internalError, "the export cannot be marked: \(error)")
      }
      guard let data = try? Data(contentsOf: file, options: .mappedIfSafe) else {
        throw Problem(.internalError, "the export cannot be read")
      }
      return (data.count, Hex.text(SHA256.hash(data: data)))
    }
    let (bytes, digest) = try made.get()
    let receipt = JSON.object(
      JSONObject(some: [
        "export": .string(id), "camera": .string(camera), "incident": .string(incident),
        "clip": piece.clip.map(JSON.string), "from": .string(from.description), "to": .string(to.description),
        "grant": grant.map { .string($0.id) }, "legalBasis": grant.map { .string($0.legalBasis) },
        "purpose": grant.map { .string($0.purpose) }, "breakGlass": grant.map { .bool($0.isBreakGlass) },
        "by": caller.named, "reason": .string(reason), "at": .string(at.description), "bytes": .integer(Int64(bytes)),
        "sha256": .string(digest), "isMasked": true, "isMarked": true, "mark": .array(lines.map(JSON.string)),
      ]))
    do throws(Problem) {
      try await asCity { () throws(Problem) in
        try await self.hub.transact(as: CameraStation.name, in: .default) { transaction in
          try transaction.keep(receipt, as: id, in: Self.exportLog)
          transaction.state(
            "access", "export-made", of: camera, receipt, purpose: grant?.purpose, reason: reason, by: caller)
        }
      }
    } catch {
      // What nobody has a receipt of is not there.
      try? FileManager.default.removeItem(at: file)
      throw error
    }
    return VideoExport(id: id, receipt: receipt)
  }

  /// The file of an export, for who took it, as long as his grant lasts. Each time is recorded.
  public func content(ofExport id: String) async throws(Problem) -> [UInt8] {
    let (receipt, camera) = try receipt(id)
    let grant = try ground(camera, for: receipt["incident"]?.string ?? "")
    let file = exportFolder.appending(path: id + ".mp4")
    guard let data = FileManager.default.contents(atPath: file.path) else {
      throw .notFound("the export is there no more; its receipt stays")
    }
    guard Hex.text(SHA256.hash(data: data)) == receipt["sha256"]?.string else {
      throw Problem(.internalError, "the file of the export is not what its receipt says: it was changed or damaged")
    }
    let caller = Caller.current
    try await asCity { () throws(Problem) in
      try await self.hub.transact(as: CameraStation.name, in: .default) { transaction in
        transaction.state("access", "export-fetched", of: camera, receipt, purpose: grant?.purpose, by: caller)
      }
    }
    return Array(data)
  }

  /// The receipt of an export, for who took it and for who judges access to the camera.
  public func receipt(_ id: String) throws(Problem) -> (JSON, camera: String) {
    guard let receipt = try hub.document(of: CameraStation.name, id, in: Self.exportLog, of: .default),
      let camera = receipt["camera"]?.string
    else { throw .notFound("there is no export \(id.prefix(100))") }
    let caller = Caller.current
    let by = receipt["by"]
    let isOwn = by?["kind"]?.string == caller.kind.rawValue && by?["id"]?.string == caller.id
    if !isOwn, let known = station.plan.camera(camera) {
      do throws(Problem) { try hub.permitReviewing(known.entity(state: "", at: hub.time), in: .default) } catch {
        throw .notFound("there is no export \(id.prefix(100))")
      }
    }
    return (receipt, camera)
  }

  private func span(_ piece: Piece, _ camera: String, _ incident: String, _ grant: Grant?) throws(Problem) -> (
    DateTime, DateTime
  ) {
    switch piece {
    case .clip(let name):
      let clip = try requireClip(name, of: camera, for: incident)
      return (clip.at, clip.at)
    case .span(let from, let to):
      guard from < to, to <= hub.time else { throw .badRequest("'from' is before 'to', and 'to' is not in the future") }
      guard to.secondsSince1970 - from.secondsSince1970 <= Bounds.export else {
        throw .badRequest("an export has at most \(Int(Bounds.export)) seconds")
      }
      if let span = grant?.seenSpan, from < span.from || to > span.to {
        throw .badRequest("the grant covers what was recorded from \(span.from) to \(span.to)")
      }
      return (from, to)
    }
  }

  private func makeFolder() throws(Problem) {
    do { try FileManager.default.createDirectory(at: exportFolder, withIntermediateDirectories: true) } catch {
      throw Problem(.internalError, "the folder of exports cannot be made")
    }
  }

  /// Runs what takes long on a thread of its own.
  private static func inBackground<Value: Sendable>(
    _ body: @escaping @Sendable () throws(Problem) -> Value
  ) async -> Result<Value, Problem> {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread { continuation.resume(returning: Result { () throws(Problem) in try body() }) }
    }
  }
}

extension VideoDesk.Piece {
  var clip: String? { if case .clip(let name) = self { name } else { nil } }
}
