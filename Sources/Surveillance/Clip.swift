import Cameras
import Crypto
import Foundation
import Hub
import NGSI
import Store
import Vision

/// Video of an event, from before it to after it, masked as everything that is kept.
public struct Clip: Sendable, Hashable {
  public enum State: String, Sendable, Hashable {
    /// The event's end is waited for.
    case waiting
    case kept
    /// It could not be cut.
    case failed
    /// Its time is over.
    case deleted
  }

  /// Name of the file without extension.
  public var name: String
  public var camera: String
  /// The incident that the event was reported as; `nil` where the city does not know any more.
  public var incident: String?
  public var rule: Zone.Name
  public var zone: String
  public var at: DateTime
  public var state = State.waiting
  /// Why it failed, or was deleted.
  public var reason: String?
  public var bytes: Int?
  /// SHA-256 of the file in hexadecimal digits.
  public var digest: String?

  init(name: String, camera: String, incident: String?, rule: Zone.Name, zone: String, at: DateTime) {
    (self.name, self.camera, self.incident, self.rule, self.zone, self.at) = (name, camera, incident, rule, zone, at)
  }

  init?(_ json: JSON) {
    guard let name = json["name"]?.string, let camera = json["camera"]?.string,
      let rule = json["rule"]?.string.flatMap(Zone.Name.init), let at = json["at"]?.string.flatMap({ DateTime($0) }),
      let state = json["state"]?.string.flatMap(State.init)
    else { return nil }
    self.init(
      name: name, camera: camera, incident: json["incident"]?.string, rule: rule, zone: json["zone"]?.string ?? "",
      at: at)
    self.state = state
    reason = json["reason"]?.string
    bytes = json["bytes"]?.integer.map { Int($0) }
    digest = json["sha256"]?.string
  }

  public var json: JSON {
    var object = JSONObject()
    object["name"] = .string(name)
    object["camera"] = .string(camera)
    object["incident"] = incident.map { .string($0) }
    object["rule"] = .string(rule.rawValue)
    object["zone"] = .string(zone)
    object["at"] = .string(at.description)
    object["state"] = .string(state.rawValue)
    object["reason"] = reason.map { .string($0) }
    object["bytes"] = bytes.map { .integer(Int64($0)) }
    object["sha256"] = digest.map { .string($0) }
    return .object(object)
  }
}

extension CameraStation {
  static let clips = "clips"

  var clipFolder: URL { folder.appending(path: "clips") }

  func file(of clip: Clip) -> URL { clipFolder.appending(path: clip.name + ".mp4") }

  /// Notes that a clip is to come; several events may share one, which is of the first's incident.
  func note(_ clip: Clip) async throws(Problem) {
    try await hub.transact(as: Self.name, in: .default) { transaction in
      guard try transaction.document(clip.name, in: Self.clips) == nil else { return }
      try transaction.keep(clip.json, as: clip.name, in: Self.clips)
    }
  }

  /// A clip was cut, or could not be.
  func keepClip(_ name: String, of camera: String, failure: String?) async {
    let file = clipFolder.appending(path: name + ".mp4")
    let data = failure == nil ? try? Data(contentsOf: file, options: .mappedIfSafe) : nil
    let bytes = data?.count
    let digest = data.map { Hex.text(SHA256.hash(data: $0)) }
    var pause = 0.1
    while !Task.isCancelled {
      do throws(Problem) {
        try await hub.transact(as: Self.name, in: .default) { transaction in
          // What nothing was noted of has no incident that could ask for it: it goes with the next sweep.
          guard let body = try transaction.document(name, in: Self.clips), var clip = Clip(body) else { return }
          clip.state = failure == nil && bytes != nil ? .kept : .failed
          (clip.reason, clip.bytes, clip.digest) = (failure, bytes, digest)
          try transaction.keep(clip.json, as: name, in: Self.clips)
          transaction.state("model-decision", clip.rule.rawValue, of: camera, clip.json)
        }
        return
      } catch {
        guard error.status >= 500 else { return }
      }
      try? await Task.sleep(for: .seconds(pause))
      pause = min(pause * 2, 10)
    }
  }

  /// Clips, the oldest first.
  func clips(where isWanted: (Clip) -> Bool) throws(Problem) -> [Clip] {
    try all(Self.clips).compactMap { Clip($0.body) }.filter(isWanted)
  }

  func all(_ collection: String) throws(Problem) -> [(id: String, body: JSON)] {
    var found: [(id: String, body: JSON)] = []
    while true {
      let part = try hub.documents(of: Self.name, in: collection, from: found.count, limit: 1_000, of: .default)
      found += part
      if part.count < 1_000 { return found }
    }
  }
}

enum Hex {
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count < 2 ? "0" + digits : digits
    }.joined()
  }
}
