import Foundation

/// Files that are there whole or not at all, power cut or no.
public enum WholeFile {
  public struct Failure: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ path: String) { description = "\(path): \(String(cString: strerror(errno)))" }
  }

  /// Makes a folder, and those above it, where they are missing; their names are on the disk when it returns.
  public static func makeFolder(_ path: String, mode: mode_t = 0o755) throws(Failure) {
    var missing: [String] = []
    var place = URL(fileURLWithPath: path).standardizedFileURL
    while place.path != "/", access(place.path, F_OK) != 0 {
      missing.append(place.path)
      place.deleteLastPathComponent()
    }
    for folder in missing.reversed() {
      guard mkdir(folder, mode) == 0 || errno == EEXIST else { throw Failure(folder) }
    }
    // One that was made before may have been cut off between its making and its sync. Above what is missing it may belong
    // to others.
    for folder in missing.reversed() { try sync(parent(of: folder)) }
    if missing.isEmpty, access(parent(of: path), R_OK) == 0 { try sync(parent(of: path)) }
  }

  /// Writes a file in the place of one that may be there: on the disk, with its name, when it returns. Its folder has to be
  /// there.
  public static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(Failure) {
    let new = path + ".new"
    unlink(new)
    let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw Failure(new) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      guard written > 0 else {
        let failure = Failure(new)
        close(descriptor)
        throw failure
      }
      rest = rest.dropFirst(written)
    }
    guard fsync(descriptor) == 0 else {
      let failure = Failure(new)
      close(descriptor)
      throw failure
    }
    close(descriptor)
    guard rename(new, path) == 0 else { throw Failure(path) }
    try sync(parent(of: path))
  }

  private static func parent(of path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent().path
  }

  private static func sync(_ folder: String) throws(Failure) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(folder) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw Failure(folder) }
  }
}
