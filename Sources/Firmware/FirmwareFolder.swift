import Foundation
import WholeFile

/// A repository on the disk.
public struct FirmwareFolder: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  /// Whether a repository was begun here.
  public var exists: Bool { FileManager.default.fileExists(atPath: "\(path)/\(FirmwareRepository.rootPath(1))") }

  public func read(_ settings: FirmwareSettings) throws(FirmwareError) -> FirmwareRepository {
    try FirmwareRepository(settings: settings) { name in
      FileManager.default.contents(atPath: "\(path)/\(name)").map(Array.init)
    }
  }

  /// Writes files in their order, each whole and on the disk before the next: a power cut in between leaves the repository
  /// as it was, since the timestamp, the last one, is what makes the others count.
  public func write(_ files: [FirmwareRepository.Output]) throws(FirmwareError) {
    for file in files { try keep(file.bytes, at: "\(path)/\(file.path)", mode: 0o644) }
  }
}

/// The folder of the keys: `ROLE-ID.pem` each, for their owner to read only.
public struct KeyFolder: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  /// Makes a key; it is on the disk before anything is signed with it.
  public func make(_ role: FirmwareRole) throws(FirmwareError) -> FirmwareKey {
    let key = FirmwareKey()
    let file = "\(path)/\(role.rawValue)-\(key.publicKey.id.prefix(16)).pem"
    try keep(Array(key.pem.utf8), at: file, mode: 0o600)
    return key
  }

  /// All keys at hand.
  public func keys() throws(FirmwareError) -> [FirmwareKey] {
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
      throw .keys("the folder \(path) cannot be read")
    }
    var keys: [FirmwareKey] = []
    for name in names.sorted() where name.hasSuffix(".pem") {
      let file = "\(path)/\(name)"
      guard let data = FileManager.default.contents(atPath: file) else { throw .keys("\(file) cannot be read") }
      do throws(FirmwareError) {
        keys.append(try FirmwareKey(pem: String(decoding: data, as: UTF8.self)))
      } catch { throw .keys("\(file): \(error)") }
    }
    return keys
  }
}

/// Writes a file whole, and makes the folder that it lies in.
private func keep(_ bytes: [UInt8], at path: String, mode: mode_t) throws(FirmwareError) {
  do throws(WholeFile.Failure) {
    try WholeFile.makeFolder((path as NSString).deletingLastPathComponent)
    try WholeFile.write(bytes, to: path, mode: mode)
  } catch { throw .failed(error.description) }
}
