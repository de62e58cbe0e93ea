import Crypto
import Foundation

/// Files as they must reach the disk.
enum Disk {
  private static let block = 1 << 20

  /// Waits until a file, or a folder with the names in it, is on the disk.
  static func sync(_ path: String) throws(Failure) {
    let descriptor = open(path.isEmpty ? "." : path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(system: path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw Failure(system: path) }
  }

  /// Copies a file and syncs the copy; gives what it holds.
  static func copy(_ source: String, to target: String) throws(Failure) -> BackupRecord.File {
    let input = open(source, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw Failure(system: source) }
    defer { close(input) }
    var status = stat()
    guard fstat(input, &status) == 0 else { throw Failure(system: source) }
    let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0o777)
    guard output >= 0 else { throw Failure(system: target) }
    defer { close(output) }
    let digest = try digest(input, source) { bytes throws(Failure) in
      var rest = bytes
      while !rest.isEmpty {
        let written = write(output, rest.baseAddress, rest.count)
        guard written > 0 else { throw Failure(system: target) }
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
      }
    }
    guard fsync(output) == 0 else { throw Failure(system: target) }
    return digest
  }

  /// Size and hash of a file.
  static func describe(_ path: String) throws(Failure) -> BackupRecord.File {
    let input = open(path, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw Failure(system: path) }
    defer { close(input) }
    return try digest(input, path) { _ in }
  }

  private static func digest(
    _ input: Int32, _ path: String, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) -> BackupRecord.File {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: block, alignment: 16)
    defer { buffer.deallocate() }
    var hash = SHA256()
    var bytes = 0
    while true {
      let count = read(input, buffer.baseAddress, block)
      guard count >= 0 else { throw Failure(system: path) }
      if count == 0 { break }
      let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      hash.update(bufferPointer: part)
      try body(part)
      bytes += count
    }
    let text = hash.finalize().map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
    return BackupRecord.File(bytes: bytes, sha256: text)
  }
}

extension Failure {
  /// What the system says of a path.
  init(system path: String) { self.init("\(path): \(String(cString: strerror(errno))).") }
}
