import Foundation
import NGSI

/// The folder with the city's own keys: made at install, files that only their owner may read.
struct KeyFolder: Sendable {
  let path: String

  /// Makes the folder where it is missing.
  init(path: String) throws(IdentityFailure) {
    self.path = path
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Self.failure(path) }
    let above = URL(fileURLWithPath: path).deletingLastPathComponent().path
    try Self.sync(folder: above)
  }

  /// Names of the files that end so.
  func names(endingIn suffix: String) throws(IdentityFailure) -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      throw IdentityFailure("the folder \(path) cannot be read")
    }
    return names.filter { $0.hasSuffix(suffix) }.sorted()
  }

  /// - Returns: `nil` when there is no such file.
  /// - Throws: also when others than the owner may read or change it: whoever could may have.
  func read(_ name: String) throws(IdentityFailure) -> [UInt8]? {
    let file = path + "/" + name
    var status = stat()
    guard lstat(file, &status) == 0 else {
      if errno == ENOENT { return nil }
      throw Self.failure(file)
    }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 == 0 else {
      throw IdentityFailure("\(file) holds a key and others may read it: chmod 600, and make a new one if others could")
    }
    guard status.st_size <= 64 << 10, let data = FileManager.default.contents(atPath: file) else {
      throw IdentityFailure("\(file) cannot be read")
    }
    return Array(data)
  }

  /// Writes a file that is not there yet: whole and durable, or not at all.
  func make(_ name: String, _ bytes: [UInt8]) throws(IdentityFailure) {
    let file = path + "/" + name
    let new = file + ".new"
    unlink(new)
    let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.failure(new) }
    var left = bytes[...]
    while !left.isEmpty {
      let written = left.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      guard written > 0 else {
        close(descriptor)
        throw Self.failure(new)
      }
      left = left.dropFirst(written)
    }
    let isSynced = fsync(descriptor) == 0
    close(descriptor)
    // A link never replaces a key that came meanwhile.
    guard isSynced, link(new, file) == 0, unlink(new) == 0 else { throw Self.failure(file) }
    try Self.sync(folder: path)
  }

  func remove(_ name: String) throws(IdentityFailure) {
    let file = path + "/" + name
    guard unlink(file) == 0 || errno == ENOENT else { throw Self.failure(file) }
    try Self.sync(folder: path)
  }

  private static func sync(folder: String) throws(IdentityFailure) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(folder) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure(folder) }
  }

  private static func failure(_ path: String) -> IdentityFailure {
    IdentityFailure("\(path): \(String(cString: strerror(errno)))")
  }
}
