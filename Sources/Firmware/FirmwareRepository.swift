import Foundation
import NGSI

/// How long metadata of each role last, days.
public struct FirmwareSettings: Sendable {
  public var rootDays = 365
  public var targetsDays = 90
  public var snapshotDays = 14
  public var timestampDays = 7

  public init() {}
}

/// A file that is published.
public struct FirmwareFile: Sendable, Equatable {
  /// Path below `targets/`, without a hash.
  public let path: String
  public let length: Int
  /// Hexadecimal.
  public let sha256: String
  /// What devices are told beside it: for which hardware, which version.
  public let custom: [String: String]

  /// - Throws: ``FirmwareError/malformed(_:)`` for a path that could leave its folder.
  public init(path: String, content: [UInt8], custom: [String: String] = [:]) throws(FirmwareError) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard path.utf8.count <= 200, !path.isEmpty, !parts.contains(where: { $0.isEmpty || $0.hasPrefix(".") }),
      path.utf8.allSatisfy({ byte in
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
          || (byte < 128 && Character(UnicodeScalar(byte)).isLetter)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      })
    else { throw .malformed("a path has letters, digits and - . _ between slashes, and no part begins with a dot") }
    self.path = path
    length = content.count
    sha256 = Digest.sha256(content)
    self.custom = custom
  }

  /// Where the file lies: the hash stands before its name (specification section 6.2, consistent snapshots).
  public var location: String {
    let (folder, name) =
      path.lastIndex(of: "/").map { (path[...$0], path[path.index(after: $0)...]) } ?? ("", path[...])
    return "targets/\(folder)\(sha256).\(name)"
  }

  fileprivate var json: JSON {
    var json: JSONObject = JSONObject()
    json["length"] = .integer(Int64(length))
    json["hashes"] = ["sha256": .string(sha256)]
    if !custom.isEmpty {
      var object = JSONObject()
      for (name, value) in custom.sorted(by: { $0.key < $1.key }) { object[name] = .string(value) }
      json["custom"] = .object(object)
    }
    return .object(json)
  }
}

/// A TUF repository (specification 1.0) with consistent snapshots: the metadata as they are, and what comes next. Pure:
/// bytes in, bytes out.
public struct FirmwareRepository: Sendable {
  /// A file to be written, its path below the repository. They are in the order in which they are to appear: the
  /// timestamp comes last, since with it everything else begins to count.
  public typealias Output = (path: String, bytes: [UInt8])

  private var root: SignedMetadata
  private var targets: SignedMetadata?
  private var snapshot: SignedMetadata?
  private var timestamp: SignedMetadata?
  public var settings: FirmwareSettings

  public static let timestampPath = "metadata/timestamp.json"
  public static func rootPath(_ version: Int) -> String { "metadata/\(version).root.json" }
}

// MARK: - Beginning

extension FirmwareRepository {
  /// A new repository, empty.
  ///
  /// - Parameter threshold: how many of the root's keys it takes to change whose keys count.
  public static func make(
    roots: [FirmwareKey], threshold: Int, others: [FirmwareRole: FirmwareKey],
    settings: FirmwareSettings = FirmwareSettings(), at now: Date
  ) throws(FirmwareError) -> (FirmwareRepository, [Output]) {
    guard (1...roots.count).contains(threshold), roots.count <= 16 else {
      throw .malformed("the root has 1 to 16 keys, and it takes 1 to all of them")
    }
    var keys: [FirmwareRole: RoleKeys] = [
      .root: RoleKeys(keys: roots.map(\.publicKey), threshold: threshold)
    ]
    for role in FirmwareRole.allCases where role != .root {
      guard let key = others[role] else { throw .keys("there is no key for \(role.rawValue)") }
      keys[role] = RoleKeys(keys: [key.publicKey], threshold: 1)
    }
    let own = RoleKeys(keys: roots.map(\.publicKey), threshold: threshold)
    let signed = try SignedMetadata(
      try rootJSON(keys, version: 1, settings: settings, at: now), for: [own], name: "the root", by: roots)
    var repository = FirmwareRepository(
      root: signed, targets: nil, snapshot: nil, timestamp: nil, settings: settings)
    let all = roots + others.values
    let published = try repository.publish([], by: all, at: now)
    return (repository, [(rootPath(1), signed.bytes)] + published)
  }

  /// Reads a repository, and checks it as a device would, but for its age: what is signed next rests on it.
  ///
  /// A change of keys may have been cut off after the new root, so what the keys before that have signed counts too.
  ///
  /// - Parameter read: the bytes of a path, `nil` where there is no file.
  public init(
    settings: FirmwareSettings = FirmwareSettings(), read: (String) -> [UInt8]?
  ) throws(FirmwareError) {
    self.settings = settings
    var version = 1
    guard let first = read(Self.rootPath(1)) else { throw .malformed("there is no repository: 1.root.json is missing") }
    root = try SignedMetadata(parsing: first, name: "1.root.json")
    guard root.isSigned(for: try RoleKeys(.root, in: root.signed)) else {
      throw .malformed("1.root.json is not signed by the keys that it names")
    }
    var roots = [root]
    while let next = read(Self.rootPath(version + 1)) {
      version += 1
      let later = try SignedMetadata(parsing: next, name: "\(version).root.json")
      // Section 5.3.4: by the keys of the one before, and by its own.
      guard later.version == version, later.isSigned(for: try RoleKeys(.root, in: root.signed)),
        later.isSigned(for: try RoleKeys(.root, in: later.signed))
      else { throw .malformed("\(version).root.json does not follow the one before") }
      root = later
      roots = [root, roots[0]]
    }
    guard let bytes = read(Self.timestampPath) else { return }
    let stamp = try SignedMetadata(parsing: bytes, name: "timestamp.json")
    timestamp = stamp
    snapshot = try Self.named("snapshot", in: stamp, read)
    if let snapshot { targets = try Self.named("targets", in: snapshot, read) }
    for (role, metadata) in [(FirmwareRole.timestamp, timestamp), (.snapshot, snapshot), (.targets, targets)] {
      guard let metadata else { continue }
      var isSigned = false
      for root in roots where metadata.isSigned(for: try RoleKeys(role, in: root.signed)) { isSigned = true }
      guard isSigned, metadata.signed.object?["_type"]?.string == role.rawValue else {
        throw .malformed("the \(role.rawValue) is not signed by the keys that count")
      }
    }
  }

  /// The metadata that others name, with the hash they name.
  private static func named(
    _ role: String, in metadata: SignedMetadata, _ read: (String) -> [UInt8]?
  ) throws(FirmwareError) -> SignedMetadata {
    guard let entry = metadata.signed.object?["meta"]?.object?["\(role).json"]?.object,
      case .integer(let version)? = entry["version"], let hash = entry["hashes"]?.object?["sha256"]?.string
    else { throw .malformed("the metadata name no \(role)") }
    guard let bytes = read("metadata/\(version).\(role).json"), Digest.sha256(bytes) == hash else {
      throw .malformed("\(version).\(role).json is missing or is not what it was")
    }
    return try SignedMetadata(parsing: bytes, name: "\(version).\(role).json")
  }

  private static func rootJSON(
    _ keys: [FirmwareRole: RoleKeys], version: Int, settings: FirmwareSettings, at now: Date
  ) throws(FirmwareError) -> JSON {
    var roles = JSONObject()
    var known = JSONObject()
    for role in FirmwareRole.allCases {
      guard let own = keys[role] else { throw .malformed("the root names no keys for \(role.rawValue)") }
      roles[role.rawValue] = [
        "keyids": .array(own.keys.map { .string($0.id) }), "threshold": .integer(Int64(own.threshold)),
      ]
      for key in own.keys { known[key.id] = key.json }
    }
    return .object(
      head(.root, version: version, days: settings.rootDays, at: now) {
        $0["consistent_snapshot"] = true
        $0["keys"] = .object(known)
        $0["roles"] = .object(roles)
      })
  }

  private static func head(
    _ role: FirmwareRole, version: Int, days: Int, at now: Date, _ more: (inout JSONObject) -> Void
  ) -> JSONObject {
    var object = JSONObject()
    object["_type"] = .string(role.rawValue)
    object["spec_version"] = "1.0.31"
    object["version"] = .integer(Int64(version))
    object["expires"] = .string(MetadataTime.text(now.addingTimeInterval(Double(days) * 86_400)))
    more(&object)
    return object
  }
}

// MARK: - Publishing

extension FirmwareRepository {
  /// The files that are published, by path.
  public var files: [String: JSON] {
    var found: [String: JSON] = [:]
    for member in targets?.signed.object?["targets"]?.object ?? JSONObject() { found[member.key] = member.value }
    return found
  }

  /// Version numbers as they are, for people.
  public var versions: [FirmwareRole: Int] {
    [
      .root: root.version, .targets: targets?.version ?? 0, .snapshot: snapshot?.version ?? 0,
      .timestamp: timestamp?.version ?? 0,
    ]
  }

  /// Publishes files, takes others away, and renews what runs out.
  ///
  /// - Parameters:
  ///   - added: in place of those with the same path.
  ///   - removed: paths.
  ///   - keys: those that are at hand; targets, snapshot and timestamp are signed.
  public mutating func publish(
    _ added: [FirmwareFile], removing removed: Set<String> = [], by keys: [FirmwareKey], at now: Date
  ) throws(FirmwareError) -> [Output] {
    var listed = JSONObject()
    var files = self.files
    for path in removed {
      guard files.removeValue(forKey: path) != nil else { throw .malformed("\(path) is not published") }
    }
    for file in added { files[file.path] = file.json }
    for (path, json) in files.sorted(by: { $0.key < $1.key }) { listed[path] = json }
    let newTargets = try next(.targets, after: targets, days: settings.targetsDays, by: keys, at: now) {
      $0["targets"] = .object(listed)
    }
    let newSnapshot = try next(.snapshot, after: snapshot, days: settings.snapshotDays, by: keys, at: now) {
      $0["meta"] = ["targets.json": Self.entry(newTargets)]
    }
    let newTimestamp = try next(.timestamp, after: timestamp, days: settings.timestampDays, by: keys, at: now) {
      $0["meta"] = ["snapshot.json": Self.entry(newSnapshot)]
    }
    (targets, snapshot, timestamp) = (newTargets, newSnapshot, newTimestamp)
    return [
      ("metadata/\(newTargets.version).targets.json", newTargets.bytes),
      ("metadata/\(newSnapshot.version).snapshot.json", newSnapshot.bytes), (Self.timestampPath, newTimestamp.bytes),
    ]
  }

  private func next(
    _ role: FirmwareRole, after old: SignedMetadata?, days: Int, by keys: [FirmwareKey], at now: Date,
    _ more: (inout JSONObject) -> Void
  ) throws(FirmwareError) -> SignedMetadata {
    let json = JSON.object(Self.head(role, version: (old?.version ?? 0) + 1, days: days, at: now, more))
    return try SignedMetadata(json, for: [try RoleKeys(role, in: root.signed)], name: role.rawValue, by: keys)
  }

  /// Version, length and hash of metadata, so that nobody can put together what does not belong together.
  private static func entry(_ metadata: SignedMetadata) -> JSON {
    let bytes = metadata.bytes
    return [
      "version": .integer(Int64(metadata.version)), "length": .integer(Int64(bytes.count)),
      "hashes": ["sha256": .string(Digest.sha256(bytes))],
    ]
  }

  /// Puts a new key in the place of all or one of a role's keys, and renews the root and what the role signs.
  ///
  /// - Parameters:
  ///   - old: the id of the key that goes; `nil` for the role's only one.
  ///   - keys: those at hand, the new one among them. A new root is signed by enough keys of the old.
  public mutating func rotate(
    _ role: FirmwareRole, replacing old: String? = nil, with new: FirmwareKey, by keys: [FirmwareKey], at now: Date
  ) throws(FirmwareError) -> [Output] {
    var all: [FirmwareRole: RoleKeys] = [:]
    for role in FirmwareRole.allCases { all[role] = try RoleKeys(role, in: root.signed) }
    guard let before = all[.root], var own = all[role] else { throw .malformed("the root is damaged") }
    guard let place = old.map({ id in own.keys.firstIndex { $0.id.hasPrefix(id) } }) ?? (own.keys.count == 1 ? 0 : nil)
    else { throw .keys("say which key goes: \(own.keys.map(\.id).joined(separator: ", "))") }
    own.keys[place] = new.publicKey
    all[role] = own
    let version = root.version + 1
    let json = try Self.rootJSON(all, version: version, settings: settings, at: now)
    let signed = try SignedMetadata(json, for: [before, all[.root] ?? own], name: "the root", by: keys)
    root = signed
    let rest = try publish([], by: keys, at: now)
    return [(Self.rootPath(version), signed.bytes)] + rest
  }
}
