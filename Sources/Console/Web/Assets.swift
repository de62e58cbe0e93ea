import Foundation
import Synchronization

/// The browser libraries that setup fetches: served from a folder, found once at start, read when first asked for.
///
/// MapLibre starts its worker from a `blob:` address, which a strict content security policy forbids. Its file holds
/// the worker's code as two AMD modules before the one named `index`; ``workerName`` is that part of the file with a
/// beginning and an end of our own, so that the worker comes from the same origin.
final class Assets: Sendable {
  struct File: Sendable {
    var bytes: [UInt8]
    var gzipped: [UInt8]?
    var version: String
    var type: String
  }

  static let mapName = "maplibre-gl.js"
  static let workerName = "maplibre-gl-worker.js"
  static let chartName = "echarts.min.js"
  private static let types = ["js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"]

  private let folder: String?
  private let names: Set<String>
  private let cache = Mutex<[String: File]>([:])

  init(folder: String?) {
    self.folder = folder
    let found = folder.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0) } ?? []
    names = Set(found.filter { name in Self.types.keys.contains { name.hasSuffix("." + $0) } })
  }

  var hasMap: Bool { names.contains(Self.mapName) && names.contains("maplibre-gl.css") }
  var hasCharts: Bool { names.contains(Self.chartName) }

  /// `nil` when there is no such file.
  func file(_ name: String) -> File? {
    if let known = cache.withLock({ $0[name] }) { return known }
    guard let file = name == Self.workerName ? worker() : read(name) else { return nil }
    cache.withLock { $0[name] = file }
    return file
  }

  /// Address with the version in it, to be kept for ever.
  func address(_ name: String) -> String? { file(name).map { "/assets/\($0.version)/\(name)" } }

  private func read(_ name: String) -> File? {
    guard let folder, names.contains(name), let suffix = name.split(separator: ".").last,
      let type = Self.types[String(suffix)], let content = FileManager.default.contents(atPath: folder + "/" + name)
    else { return nil }
    var hash = Fingerprint()
    hash.add(content)
    let gzipped = FileManager.default.contents(atPath: folder + "/" + name + ".gz").map { Array($0) }
    return File(bytes: Array(content), gzipped: gzipped, version: hash.text, type: type)
  }

  private func worker() -> File? {
    guard let map = file(Self.mapName) else { return nil }
    let text = String(decoding: map.bytes, as: UTF8.self)
    guard let start = text.firstRange(of: "\ndefine(\"shared\"")?.lowerBound,
      let end = text.firstRange(of: "\ndefine(\"index\"")?.lowerBound, start < end
    else { return nil }
    let script =
      "var modules = {}; function define(name, needs, make) { modules[name] = make; }" + text[start..<end]
      + "\nvar shared = {}; modules.shared(shared); modules.worker(shared);\n"
    return File(bytes: Array(script.utf8), gzipped: nil, version: map.version, type: map.type)
  }
}
