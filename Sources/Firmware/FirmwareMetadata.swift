import Foundation
import NGSI

/// Whose keys count for which role, and how many of them it takes.
struct RoleKeys: Sendable, Equatable {
  var keys: [FirmwarePublicKey]
  var threshold: Int
}

/// One metadata file: what it says, and who signed it (specification 1.0 section 4.2).
struct SignedMetadata: Sendable {
  let signed: JSON
  let signatures: [(key: String, bytes: [UInt8])]

  /// Signs with every key of the role that is at hand.
  ///
  /// - Throws: ``FirmwareError/keys(_:)`` when those are fewer than one of the roles asks for.
  init(_ signed: JSON, for roles: [RoleKeys], name: String, by keys: [FirmwareKey]) throws(FirmwareError) {
    let bytes = try CanonicalJSON.bytes(signed)
    var made: [(key: String, bytes: [UInt8])] = []
    for role in roles {
      let mine = keys.filter { role.keys.contains($0.publicKey) }
      guard mine.count >= role.threshold else {
        throw .keys("\(name) takes \(role.threshold) keys of \(role.keys.count), and \(mine.count) are here")
      }
      for key in mine where !made.contains(where: { $0.key == key.publicKey.id }) {
        made.append((key.publicKey.id, try key.sign(bytes)))
      }
    }
    self.signed = signed
    signatures = made.sorted { $0.key < $1.key }
  }

  init(parsing bytes: [UInt8], name: String) throws(FirmwareError) {
    guard let json = try? JSONParser.parse(bytes), case .object(let object) = json, let signed = object["signed"],
      let list = object["signatures"]?.array
    else { throw .malformed("\(name) is no metadata") }
    self.signed = signed
    var found: [(key: String, bytes: [UInt8])] = []
    for one in list {
      guard let key = one.object?["keyid"]?.string, let text = one.object?["sig"]?.string,
        let signature = Digest.bytes(text)
      else { throw .malformed("\(name) has a signature that cannot be read") }
      found.append((key, signature))
    }
    signatures = found
  }

  func isSigned(for role: RoleKeys) -> Bool {
    guard let bytes = try? CanonicalJSON.bytes(signed) else { return false }
    let good = role.keys.filter { key in
      signatures.contains { $0.key == key.id && key.accepts($0.bytes, for: bytes) }
    }
    return good.count >= role.threshold
  }

  var bytes: [UInt8] {
    JSONWriter.bytes([
      "signatures": .array(
        signatures.map { ["keyid": .string($0.key), "sig": .string(Digest.hexadecimal($0.bytes))] }),
      "signed": signed,
    ])
  }

  var version: Int { signed.object?["version"]?.integer.map(Int.init) ?? 0 }
}

extension JSON {
  fileprivate var integer: Int64? {
    if case .integer(let number) = self { return number }
    return nil
  }
}

extension RoleKeys {
  /// What a root says of a role.
  init(_ role: FirmwareRole, in root: JSON) throws(FirmwareError) {
    guard let entry = root.object?["roles"]?.object?[role.rawValue]?.object, let ids = entry["keyids"]?.array,
      case .integer(let threshold)? = entry["threshold"], let known = root.object?["keys"]?.object
    else { throw .malformed("the root does not name the keys of \(role.rawValue)") }
    self.threshold = Int(threshold)
    keys = []
    for id in ids {
      guard let id = id.string, let text = known[id]?.object?["keyval"]?.object?["public"]?.string,
        let bytes = Digest.bytes(text)
      else { throw .malformed("the root names a key that it does not have") }
      keys.append(FirmwarePublicKey(bytes))
    }
  }
}

/// A time as metadata write it: `2026-11-23T12:00:00Z`.
enum MetadataTime {
  static func text(_ date: Date) -> String {
    var seconds = time_t(date.timeIntervalSince1970)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
  }
}
