import Crypto
import Foundation
import NGSI

/// A manifest that was read and found valid, with its canonical form and hash.
public struct ManifestFile: Sendable {
  public var manifest: Manifest
  /// Canonical JSON (RFC 8785) of what the file says: order, comments and spelling of numbers do not matter.
  public var canonical: [UInt8]
  /// Where it was read; connectors' files are relative to its folder.
  public var path: String

  /// SHA-256 of the canonical form, as `sha256:` and hexadecimal digits.
  public var hash: String {
    "sha256:"
      + SHA256.hash(data: canonical).map { byte in
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
      }.joined()
  }

  /// Reads a file from disk.
  /// - Throws: ``FileProblems`` with everything that is wrong.
  public static func read(path: String) throws(FileProblems) -> ManifestFile {
    try checked(YAMLReader.read(path: path, as: ManifestShape.root))
  }

  /// Reads text; `path` is the name that errors show.
  /// - Throws: ``FileProblems`` with everything that is wrong.
  public static func read(text: String, path: String) throws(FileProblems) -> ManifestFile {
    try checked(YAMLReader.read(text: text, file: path, as: ManifestShape.root))
  }

  /// A path that the manifest names, as seen from the process: relative paths start at the manifest's folder.
  public func resolve(_ relative: String) -> String {
    guard !relative.hasPrefix("/") else { return relative }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    return folder.appendingPathComponent(relative).standardizedFileURL.path
  }

  private static func checked(_ file: CheckedFile) throws(FileProblems) -> ManifestFile {
    let canonical = CanonicalJSON.bytes(file.value)
    let manifest: Manifest
    do {
      manifest = try JSONDecoder().decode(Manifest.self, from: Data(canonical))
    } catch {
      throw FileProblems([file.problem(at: "", found: "\(error)", expected: "a manifest")])
    }
    let kpis = KPIRules(manifest: manifest, file: file)
    let problems = ManifestRules(manifest: manifest, file: file).problems() + kpis.syntax()
    guard problems.isEmpty else { throw FileProblems(problems) }
    let read = ManifestFile(manifest: manifest, canonical: canonical, path: file.file)
    // Only of fleets that are in order it can be told what they give.
    let missing = manifest.kpis?.isEmpty == false ? kpis.closure(Supply(read)) : []
    guard missing.isEmpty else { throw FileProblems(missing) }
    return read
  }
}

/// What must hold between the keys of a manifest.
struct ManifestRules {
  let manifest: Manifest
  let file: CheckedFile

  func problems() -> [FileProblem] {
    names() + IdentityRules(file: file).problems(manifest.identity?.providers ?? []) + site() + fleets() + others()
      + AdapterRules(file: file).problems(manifest.adapters ?? [])
  }

  private func names() -> [FileProblem] {
    var problems: [FileProblem] = []
    func distinct(_ list: String, _ ids: [String]) {
      var seen: Set<String> = []
      for (offset, id) in ids.enumerated() where !seen.insert(id).inserted {
        problems.append(
          file.problem(at: "\(list)[\(offset)].id", found: "'\(id)' a second time", expected: "an id of its own"))
      }
    }
    distinct("fleets", manifest.fleets.map(\.id))
    distinct("connectors", (manifest.connectors ?? []).map(\.id))
    distinct("sources", (manifest.sources ?? []).map(\.id))
    distinct("roles", (manifest.roles ?? []).map(\.id))
    distinct("kpis", (manifest.kpis ?? []).map(\.id))
    distinct("adapters", (manifest.adapters ?? []).map(\.id))
    distinct("datasets", (manifest.datasets ?? []).map(\.id))
    distinct("acceptance", (manifest.acceptance ?? []).map(\.id))
    return problems
  }

  private func site() -> [FileProblem] {
    var problems: [FileProblem] = []
    let site = manifest.site
    if TimeZone(identifier: site.timeZone) == nil {
      problems.append(
        file.problem(
          at: "site.timeZone", found: "'\(site.timeZone)'", expected: "an IANA time zone such as Asia/Seoul"))
    }
    if site.climate.warmest.celsius < site.climate.coldest.celsius {
      problems.append(
        file.problem(
          at: "site.climate.warmest", found: "a warmest month colder than the coldest",
          expected: "at least \(site.climate.coldest.celsius) °C"))
    }
    if site.boundary != nil {
      let ground = Ground(site: site)
      if !ground.contains(site.centre) {
        problems.append(
          file.problem(
            at: "site.centre", found: "a centre outside the boundary", expected: "a position inside it"))
      }
      let drawn = ground.areaSquareMetres / 1e6
      if drawn < site.area / 3 || drawn > site.area * 3 {
        problems.append(
          file.problem(
            at: "site.area", found: "\(site.area) km²",
            expected: "about what the boundary encloses, \((drawn * 100).rounded() / 100) km²"))
      }
    }
    if site.buildings?.source == .file, site.buildings?.file == nil {
      problems.append(file.problem(at: "site.buildings.file", found: "nothing", expected: "the name of a file"))
    }
    return problems
  }

  private func fleets() -> [FileProblem] {
    var problems: [FileProblem] = []
    for (offset, fleet) in manifest.fleets.enumerated() {
      let path = "fleets[\(offset)]"
      let points = fleet.placement.points?.count ?? 0
      switch fleet.placement.pattern {
      case .route where points < 2:
        problems.append(
          file.problem(
            at: path + ".placement", found: "a route of \(points) points", expected: "at least 2 'points'"))
      case .points where points < fleet.count:
        problems.append(
          file.problem(
            at: path + ".placement", found: "\(points) points", expected: "one for each of \(fleet.count) devices"))
      default: break
      }
      let known = DeviceModels.attributes(of: fleet.type)
      for (item, name) in (fleet.attributes ?? []).enumerated() where !known.contains(name) {
        problems.append(
          file.problem(
            at: "\(path).attributes[\(item)]", found: "'\(name)'",
            expected: "one of " + known.joined(separator: ", ")))
      }
      let parameters = DeviceModels.parameters(of: fleet.type)
      for name in (fleet.model ?? [:]).keys.sorted() where !parameters.contains(where: { $0.name == name }) {
        let names = parameters.map(\.name).joined(separator: ", ")
        problems.append(
          file.problem(
            at: "\(path).model.\(name)", found: "the unknown parameter '\(name)'",
            expected: names.isEmpty ? "no parameters for \(fleet.type.rawValue)" : "one of \(names)"))
      }
      for parameter in parameters {
        guard let value = fleet.model?[parameter.name], !parameter.range.contains(value) else { continue }
        problems.append(
          file.problem(
            at: "\(path).model.\(parameter.name)", found: "\(value)",
            expected: Shape.number(parameter.range).expectation))
      }
      if let planned = fleet.planned, planned < fleet.count {
        problems.append(
          file.problem(
            at: path + ".planned", found: "\(planned)", expected: "at least the \(fleet.count) that are simulated"))
      }
    }
    return problems
  }

  private func others() -> [FileProblem] {
    var problems: [FileProblem] = []
    for (offset, connector) in (manifest.connectors ?? []).enumerated() {
      let needsMapping = connector.format == .csv || connector.format == .geojson || connector.format == .json
      if needsMapping, connector.mapping == nil {
        problems.append(
          file.problem(
            at: "connectors[\(offset)].mapping", found: "nothing",
            expected: "a mapping file for \(connector.format.rawValue)"))
      }
    }
    let ids = Set(manifest.fleets.map(\.id))
    for (offset, test) in (manifest.acceptance ?? []).enumerated() where !ids.contains(test.fleet) {
      problems.append(
        file.problem(
          at: "acceptance[\(offset)].fleet", found: "'\(test.fleet)'",
          expected: "one of " + manifest.fleets.map(\.id).joined(separator: ", ")))
    }
    let devices = manifest.fleets.reduce(0) { $0 + $1.count }
    if let most = manifest.limits?.entities, devices > most {
      problems.append(
        file.problem(at: "limits.entities", found: "\(most)", expected: "at least the \(devices) of the fleets"))
    }
    return problems
  }
}
