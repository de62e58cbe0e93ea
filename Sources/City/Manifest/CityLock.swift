import Foundation
import NGSI

/// What a city was locked to: the manifest's content, and the versions of the names its data is written in.
///
/// Kept beside the manifest as `NAME.city.lock`; a city that was locked does not boot from a manifest with another
/// hash, nor under other versions, until it is locked again.
public struct CityLock: Sendable, Hashable {
  /// SHA-256 of the manifest's canonical form.
  public var manifest: String
  /// Version of the NGSI-LD core context whose terms the city's data uses.
  public var coreContext: String
  /// Version of the attribute sets by entity type.
  public var dataModels: [String: String]

  public static let currentCoreContext = "1.\(CoreContext.versions.upperBound)"

  /// The lock of a manifest under this program's versions.
  public init(_ file: ManifestFile) {
    manifest = file.hash
    coreContext = Self.currentCoreContext
    dataModels = [:]
    for fleet in file.manifest.fleets { dataModels[fleet.type.rawValue] = DeviceModels.version(of: fleet.type) }
  }

  /// Where the lock of a manifest is kept: `demo.city.yaml` is locked by `demo.city.lock`.
  public static func path(forManifest path: String) -> String {
    for ending in [".yaml", ".yml"] where path.hasSuffix(ending) { return path.dropLast(ending.count) + ".lock" }
    return path + ".lock"
  }

  /// The file's bytes: canonical JSON and a line feed.
  public var bytes: [UInt8] {
    var models = JSONObject()
    for name in dataModels.keys.sorted() { models[name] = dataModels[name].map(JSON.string) }
    let value: JSON = [
      "lock": 1, "manifest": .string(manifest), "coreContext": .string(coreContext), "dataModels": .object(models),
    ]
    return CanonicalJSON.bytes(value) + [UInt8(ascii: "\n")]
  }

  /// Reads a lock's bytes; `nil` when they are none.
  public init?(bytes: [UInt8]) {
    guard let value = try? JSONParser.parse(bytes), value["lock"]?.integer == 1,
      let manifest = value["manifest"]?.string, let coreContext = value["coreContext"]?.string,
      let models = value["dataModels"]?.object
    else { return nil }
    self.manifest = manifest
    self.coreContext = coreContext
    dataModels = [:]
    for member in models { dataModels[member.key] = member.value.string }
  }

  /// What a lock found on disk says against this one, as sentences; none when they agree.
  public func differences(from locked: CityLock) -> [String] {
    var sentences: [String] = []
    if locked.manifest != manifest {
      sentences.append("the manifest has changed: locked \(locked.manifest), found \(manifest)")
    }
    if locked.coreContext != coreContext {
      sentences.append("the core context has changed: locked \(locked.coreContext), found \(coreContext)")
    }
    for name in Set(dataModels.keys).union(locked.dataModels.keys).sorted()
    where dataModels[name] != locked.dataModels[name] {
      let (old, new) = (locked.dataModels[name] ?? "none", dataModels[name] ?? "none")
      sentences.append("the data model \(name) has changed: locked \(old), found \(new)")
    }
    return sentences
  }
}
