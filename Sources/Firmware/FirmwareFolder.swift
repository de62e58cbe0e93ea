import Foundation

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
    for file in files { try WholeFile.write(file.bytes, to: "\(path)/\(file.path)", mode: 0o644) }
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
    try WholeFile.write(Array(key.pem.utf8), to: file, mode: 0o600)
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

/// Files that are there whole or not at all.
enum WholeFile {
  static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(FirmwareError) {
    let folder = (path as NSString).deletingLastPathComponent
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw .failed("\(folder) cannot be made: \(error.localizedDescription)")
    }
    let new = path + ".new"
    unlink(new)
    let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw failure(new) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      guard written > 0 else {
        let error = failure(new)
        close(descriptor)
        throw error
      }
      rest = rest.dropFirst(written)
    }
    let isSynced = fsync(descriptor) == 0
    close(descriptor)
    guard isSynced, rename(new, path) == 0 else { throw failure(path) }
    let directory = open(folder, O_RDONLY | O_CLOEXEC)
    guard directory >= 0 else { throw failure(folder) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw failure(folder) }
  }

  private static func failure(_ path: String) -> FirmwareError {
    .failed("\(path): \(String(cString: strerror(errno)))")
  }
}
